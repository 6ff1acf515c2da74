//! A scripted QMP server for tests: knows the commands of a migration, and can
//! be told to answer otherwise, to send events, or to go away.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::{QmpAddress, QmpOptions, QmpTrigger};
use crate::clock::Clock;
use crate::event::Event;
use crate::migration::strategy::PostcopyAfter;
use crate::migration::trigger::{Context, Settled, Strategy, Trigger, TriggerError};

/// The answer of a command; `Err` is the text of a GenericError.
pub(in crate::migration) type Answer = Result<Value, String>;
type Hook = Box<dyn FnMut(&Vm, &str, &Value) -> Option<Answer> + Send>;

/// State of the pretended machine.
pub(in crate::migration) struct Inner {
    pub(in crate::migration) status: String,
    /// Answers of `query-migrate`; the last one stays.
    pub(in crate::migration) migrate: VecDeque<Value>,
    pub(in crate::migration) capabilities: Vec<&'static str>,
    /// Those of them that are on.
    pub(in crate::migration) on: Vec<String>,
    /// Parameters, as they stand.
    pub(in crate::migration) parameters: Value,
    /// How often `query-migrate` was asked.
    pub(in crate::migration) asked: usize,
    log: Vec<String>,
    out: Option<UnixStream>,
    hook: Option<Hook>,
    /// To be done in a thread of its own once the reply is out.
    then: Option<Box<dyn FnOnce() + Send>>,
}

#[derive(Clone)]
pub(in crate::migration) struct Vm(Arc<Mutex<Inner>>);

impl Vm {
    pub(in crate::migration) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    /// Answers otherwise: the hook is asked first.
    pub(in crate::migration) fn on(
        &self,
        hook: impl FnMut(&Self, &str, &Value) -> Option<Answer> + Send + 'static,
    ) {
        self.lock().hook = Some(Box::new(hook));
    }

    pub(in crate::migration) fn log(&self) -> Vec<String> {
        self.lock().log.clone()
    }

    /// Waits until a command has come.
    pub(in crate::migration) fn await_command(&self, command: &str) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !self.log().iter().any(|line| line.starts_with(command)) {
            assert!(Instant::now() < deadline, "{command} did not come: {:?}", self.log());
            thread::sleep(Duration::from_millis(2));
        }
    }

    pub(in crate::migration) fn event(&self, name: &str, data: Value) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let micros = now.subsec_micros();
        let at = json!({ "seconds": now.as_secs(), "microseconds": micros });
        self.line(&json!({ "event": name, "data": data, "timestamp": at }));
    }

    pub(in crate::migration) fn migration(&self, status: &str) {
        self.event("MIGRATION", json!({ "status": status }));
    }

    pub(in crate::migration) fn set_migrate(&self, state: Value) {
        self.lock().migrate = [state].into();
    }

    pub(in crate::migration) fn close(&self) {
        if let Some(out) = &self.lock().out {
            let _ = out.shutdown(Shutdown::Both);
        }
    }

    pub(in crate::migration) fn line(&self, value: &Value) {
        if let Some(out) = &mut self.lock().out {
            let _ = out.write_all(format!("{value}\r\n").as_bytes());
        }
    }

    fn known(&self) -> Vec<&'static str> {
        self.lock().capabilities.clone()
    }

    fn answer(&self, command: &str, arguments: &Value) -> Answer {
        let hook = self.lock().hook.take();
        if let Some(mut hook) = hook {
            let answer = hook(self, command, arguments);
            self.lock().hook.get_or_insert(hook);
            if let Some(answer) = answer {
                return answer;
            }
        }
        match command {
            "query-status" => {
                let status = self.lock().status.clone();
                Ok(json!({ "status": status, "running": status == "running" }))
            }
            "query-migrate" => {
                let mut inner = self.lock();
                inner.asked += 1;
                let first = inner.migrate.front().cloned().unwrap_or(json!({}));
                if inner.migrate.len() > 1 {
                    inner.migrate.pop_front();
                }
                Ok(first)
            }
            "query-migrate-capabilities" => Ok(self
                .known()
                .into_iter()
                .map(|name| {
                    let on = self.lock().on.iter().any(|on| on == name);
                    json!({ "capability": name, "state": on, "new-field": 1 })
                })
                .collect()),
            "migrate-set-capabilities" => {
                let mut inner = self.lock();
                for change in arguments["capabilities"].as_array().into_iter().flatten() {
                    let name = change["capability"].as_str().unwrap_or_default().to_owned();
                    inner.on.retain(|on| *on != name);
                    if change["state"] == true {
                        inner.on.push(name);
                    }
                }
                inner.on.sort_unstable();
                Ok(json!({}))
            }
            "migrate-set-parameters" => {
                let mut inner = self.lock();
                for (name, value) in arguments.as_object().into_iter().flatten() {
                    inner.parameters[name] = value.clone();
                }
                Ok(json!({}))
            }
            "query-migrate-parameters" => Ok(self.lock().parameters.clone()),
            "query-memory-size-summary" => {
                Ok(json!({ "base-memory": 536_870_912, "plugged-memory": 0 }))
            }
            "stop" => {
                "paused".clone_into(&mut self.lock().status);
                // The event comes before the reply of what caused it.
                self.event("STOP", json!({}));
                Ok(json!({}))
            }
            "cont" => {
                "running".clone_into(&mut self.lock().status);
                self.event("RESUME", json!({}));
                Ok(json!({}))
            }
            "qmp_capabilities"
            | "migrate"
            | "migrate-incoming"
            | "migrate_cancel"
            | "migrate-start-postcopy"
            | "migrate-continue" => Ok(json!({})),
            other => Err(format!("The command {other} has not been found")),
        }
    }
}

/// A listening fake; serves one client. Nobody listens any more once that has come, so
/// that a fake that closes its connection is known to be gone.
pub(in crate::migration) struct Fake {
    pub(in crate::migration) vm: Vm,
    pub(in crate::migration) path: std::path::PathBuf,
    _dir: tempfile::TempDir,
}

impl Fake {
    pub(in crate::migration) fn start(status: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("qmp");
        let listener = UnixListener::bind(&path).unwrap();
        let vm = Vm(Arc::new(Mutex::new(Inner {
            status: status.to_owned(),
            migrate: VecDeque::new(),
            capabilities: vec!["xbzrle", "events", "postcopy-ram", "postcopy-blocktime"],
            on: Vec::new(),
            parameters: json!({
                "max-bandwidth": 134_217_728, "downtime-limit": 300, "tls-creds": ""
            }),
            asked: 0,
            log: Vec::new(),
            out: None,
            hook: None,
            then: None,
        })));
        let served = vm.clone();
        thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            drop(listener);
            serve(&served, stream);
        });
        Self { vm, path, _dir: dir }
    }
}

fn serve(vm: &Vm, stream: UnixStream) {
    let reader = BufReader::new(stream.try_clone().unwrap());
    vm.lock().out = Some(stream);
    vm.line(&json!({ "QMP": {
        "version": { "qemu": { "micro": 22, "minor": 2, "major": 7 }, "package": "Debian 1:7.2" },
        "capabilities": ["oob"]
    }}));
    for line in reader.lines() {
        let Ok(line) = line else { break };
        let request: Value = serde_json::from_str(&line).unwrap();
        let command = request["execute"].as_str().unwrap();
        let arguments = &request["arguments"];
        if !command.starts_with("query-") {
            vm.lock().log.push(format!("{command} {arguments}"));
        }
        let mut reply = match vm.answer(command, arguments) {
            Ok(value) => json!({ "return": value }),
            Err(desc) => {
                let is_unknown = desc.contains("has not been found");
                let class = if is_unknown { "CommandNotFound" } else { "GenericError" };
                json!({ "error": { "class": class, "desc": desc } })
            }
        };
        reply["id"] = request["id"].clone();
        vm.line(&reply);
        if let Some(then) = vm.lock().then.take() {
            thread::spawn(then);
        }
    }
    vm.lock().out = None;
}

/// A source and a target, and a trigger between them.
pub(in crate::migration) struct Rig {
    pub(in crate::migration) source: Vm,
    pub(in crate::migration) target: Vm,
    pub(in crate::migration) trigger: QmpTrigger,
    /// Of the run, once it was fired.
    pub(in crate::migration) clock: Option<Clock>,
    pub(in crate::migration) _fakes: [Fake; 2],
}

impl Rig {
    pub(in crate::migration) fn new(strategy: Strategy) -> Self {
        Self::with(|options| options.strategy = strategy)
    }

    pub(in crate::migration) fn with(change: impl FnOnce(&mut QmpOptions)) -> Self {
        let (source, target) = (Fake::start("running"), Fake::start("inmigrate"));
        let mut options = QmpOptions::new(QmpAddress::Unix(source.path.clone()), "tcp:h:4444");
        options.peer = Some(QmpAddress::Unix(target.path.clone()));
        options.postcopy_after = PostcopyAfter::Time(Duration::from_millis(10));
        change(&mut options);
        let trigger = QmpTrigger::new(options).unwrap();
        let (src, dst) = (source.vm.clone(), target.vm.clone());
        Self { source: src, target: dst, trigger, clock: None, _fakes: [source, target] }
    }

    /// Runs `script` in a thread of its own once `migrate` has come and is answered: a
    /// script that closes the connection must not take the answer with it.
    pub(in crate::migration) fn on_migrate(&self, script: impl FnOnce(&Vm, &Vm) + Send + 'static) {
        let mut script = Some(script);
        let target = self.target.clone();
        self.source.on(move |source, command, _| {
            if command == "migrate"
                && let Some(script) = script.take()
            {
                let (mine, target) = (source.clone(), target.clone());
                source.lock().then = Some(Box::new(move || script(&mine, &target)));
            }
            None
        });
    }

    pub(in crate::migration) fn fire(&mut self) -> Result<(), TriggerError> {
        self.trigger.inspect()?;
        let clock = Clock::start();
        self.clock = Some(clock);
        self.trigger.arm(&Context::new("fake", clock))?;
        self.trigger.fire()
    }

    /// Events up to the final one, and the totals.
    pub(in crate::migration) fn finish(&mut self) -> (Vec<Event>, Settled) {
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut events = Vec::new();
        loop {
            assert!(Instant::now() < deadline, "no end: {events:#?}");
            if let Some(event) = self.trigger.next_event(Duration::from_millis(50)).unwrap() {
                let last = event.kind.is_final();
                events.push(event);
                if last {
                    break;
                }
            }
        }
        let settled = self.trigger.settle(events.last().unwrap()).unwrap();
        (events, settled)
    }
}

/// Names of the events of one side, without progress. How those of two sockets come one
/// after the other depends on who reads them first.
pub(in crate::migration) fn names_of(side: &str, events: &[Event]) -> Vec<String> {
    let names = names(events).into_iter();
    names.filter_map(|name| Some(name.strip_prefix(side)?.trim_start().to_owned())).collect()
}

/// Names of the events, without progress.
pub(in crate::migration) fn names(events: &[Event]) -> Vec<String> {
    let name = |e: &Event| format!("{} {}", e.source.trim_start_matches("qmp:"), e.kind);
    events.iter().filter(|e| e.kind.name() != "progress").map(name).collect()
}
