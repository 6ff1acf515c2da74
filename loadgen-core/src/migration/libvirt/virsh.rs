//! The virsh program: a question and its answer, and processes that go on. Nobody is ever asked
//! for a password, and no wait is without a limit.

use std::fs;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use crate::clock::Clock;
use crate::migration::patience::{Patience, Turn};
use crate::migration::process::{Message, Process};
use crate::migration::trigger::TriggerError;
use crate::secret::without_passwords;

/// How long an answer may take: a connection through ssh, and the question.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// Bytes of an answer that are kept. The capabilities of a large host have 100 KiB.
const ANSWER_BYTES: usize = 1 << 20;
/// How long what an ended virsh printed may still be under way.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// What virsh says, and what mends it.
const MENDS: [(&str, &str); 7] = [
    (
        "to the same host",
        "give each of the two hosts a host_uuid of its own in libvirtd.conf (cloned machines have \
         the same one)",
    ),
    ("failed to get domain", "virsh list --all shows which there are"),
    (
        "authentication failed",
        "nobody is asked for a password here: put the credentials into libvirt's auth.conf",
    ),
    (
        "authentication cancelled",
        "nobody is asked for a password here: put the credentials into libvirt's auth.conf",
    ),
    (
        "Permission denied",
        "nobody is asked for a password here: let ssh log in by a key, as in ssh-copy-id",
    ),
    ("Host key verification failed", "log in once by ssh, so that the host's key is known"),
    (
        "requires an FQDN",
        "let the target's name resolve to its address on the network, or set migration_host in its \
         qemu.conf",
    ),
];

/// Runs virsh.
#[derive(Debug, Clone)]
pub(in crate::migration) struct Virsh {
    program: PathBuf,
}

impl Virsh {
    pub(in crate::migration) fn new(program: PathBuf) -> Self {
        Self { program }
    }

    /// Starts `virsh WORDS` at a libvirt; without a URI at the one that virsh takes itself.
    pub(in crate::migration) fn start<W: AsRef<str>>(
        &self,
        uri: Option<&str>,
        words: &[W],
        clock: Clock,
    ) -> Result<Process, TriggerError> {
        let mut command = Command::new(&self.program);
        // Its words are read here.
        command.env("LC_ALL", "C").env("SSH_ASKPASS_REQUIRE", "never");
        if let Some(uri) = uri {
            command.args(["-c", &super::options::without_terminal(uri)]);
        }
        command.args(words.iter().map(AsRef::as_ref));
        Process::spawn(command, clock).map_err(|error| {
            let program = self.program.display();
            if error.kind() == io::ErrorKind::NotFound {
                let reason = "there is no such program: install libvirt's clients (Debian: \
                              libvirt-clients), or say where it is by virsh=PATH";
                return TriggerError::refused(format!("running '{program}'"), reason);
            }
            TriggerError::io(format!("running '{program}'"), error)
        })
    }

    /// Starts a question.
    pub(in crate::migration) fn question<W: AsRef<str>>(
        &self,
        uri: Option<&str>,
        words: &[W],
    ) -> Result<Question, TriggerError> {
        let process = self.start(uri, words, Clock::start())?;
        let first = words.first().map_or("", AsRef::as_ref);
        let at = uri.map(|uri| format!(" at {}", without_passwords(uri))).unwrap_or_default();
        let what = format!("virsh {}{at}", first.split(';').next().unwrap_or_default());
        Ok(Question { what, process, answer: Vec::new(), patience: Patience::new(ANSWER_LIMIT) })
    }

    /// The name of a domain that is given by its name, UUID or number.
    #[cfg(feature = "clouds")]
    pub(in crate::migration) fn name_of(
        &self,
        uri: &str,
        domain: &str,
    ) -> Result<String, TriggerError> {
        let dominfo = self.ask(Some(uri), &["dominfo", "--domain", domain])?;
        let name = dominfo.lines().find_map(|line| line.strip_prefix("Name:"));
        Ok(name.map_or(domain, str::trim).to_owned())
    }

    /// Asks, and waits for the answer.
    pub(in crate::migration) fn ask<W: AsRef<str>>(
        &self,
        uri: Option<&str>,
        words: &[W],
    ) -> Result<String, TriggerError> {
        let mut question = self.question(uri, words)?;
        loop {
            if let Some(answer) = question.answer(Duration::from_millis(100)) {
                return answer;
            }
        }
    }
}

/// A virsh that is to answer and to end.
#[derive(Debug)]
pub(in crate::migration) struct Question {
    what: String,
    process: Process,
    answer: Vec<u8>,
    patience: Patience,
}

impl Question {
    /// The answer, once it is there; waits for `timeout` at the most.
    pub(in crate::migration) fn answer(
        &mut self,
        timeout: Duration,
    ) -> Option<Result<String, TriggerError>> {
        let Self { process, answer, patience, .. } = self;
        let turn = patience.wait(|turn| process.next_line(turn.min(timeout)));
        if let Turn::Brought((_, message)) = &turn {
            keep(answer, message);
        }
        if process.ended_at().is_some() {
            return Some(self.ended());
        }
        if is_stopped(process.id()) {
            return Some(Err(TriggerError::refused(
                self.what.clone(),
                "it stopped to ask for a password at the terminal; let it log in without one (ssh: \
                 a key; otherwise libvirt's auth.conf)",
            )));
        }
        matches!(turn, Turn::Over)
            .then(|| Err(TriggerError::Silent { what: self.what.clone(), waited: ANSWER_LIMIT }))
    }

    fn ended(&mut self) -> Result<String, TriggerError> {
        let mut patience = Patience::new(LAST_WORDS);
        while !self.process.is_drained() {
            match patience.wait(|turn| self.process.next_line(turn)) {
                Turn::Brought((_, message)) => keep(&mut self.answer, &message),
                Turn::Nothing => {}
                Turn::Over => break,
            }
        }
        let status = self.process.reap();
        let status = status.map_err(|error| TriggerError::io(self.what.clone(), error))?;
        if status.success() {
            return Ok(String::from_utf8_lossy(&self.answer).trim().to_owned());
        }
        Err(TriggerError::refused(self.what.clone(), reason(status, &self.process.stderr_tail())))
    }
}

fn keep(answer: &mut Vec<u8>, message: &Message) {
    if let Message::Line(line) | Message::TooLong(line) = message
        && answer.len() + line.len() < ANSWER_BYTES
    {
        answer.extend_from_slice(line);
        answer.push(b'\n');
    }
}

/// Whether the process was stopped, as one in the background is that reads from its terminal.
fn is_stopped(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
}

/// Why virsh ended as it did, with what mends it.
pub(in crate::migration) fn reason(status: ExitStatus, stderr: &str) -> String {
    let lines = stderr.lines().map(|line| line.trim().trim_start_matches("error: "));
    let said: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    let mut reason = without_passwords(&said.join("; "));
    if reason.is_empty() {
        reason = match (status.code(), status.signal()) {
            (Some(code), _) => format!("virsh exited with code {code}, and gave no reason"),
            (None, Some(signal)) => format!("virsh was ended by signal {signal}"),
            (None, None) => "virsh ended, and gave no reason".to_owned(),
        };
    }
    if let Some((_, mend)) = MENDS.iter().find(|(said, _)| reason.contains(said)) {
        reason = format!("{reason}; {mend}");
    }
    reason
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Result<String, TriggerError> {
        Virsh::new("sh".into()).ask(None, &["-c", script])
    }

    #[test]
    fn answers_and_refusals() {
        assert_eq!(sh("echo running; echo; echo $LC_ALL").unwrap(), "running\n\nC");
        let why = |script: &str| sh(script).unwrap_err().to_string();
        let refused = why("echo 'error: failed to get domain '\\''lab'\\''' >&2; echo >&2; exit 1");
        assert_eq!(
            refused,
            "virsh -c was refused: failed to get domain 'lab'; virsh list --all shows which there \
             are"
        );
        assert!(why("exit 3").contains("exited with code 3, and gave no reason"));
        assert!(why("kill -9 $$").contains("ended by signal 9"));
        // As one does that asks for a password at the terminal.
        assert!(why("kill -STOP $$").contains("to ask for a password"));
        let none = Virsh::new("/nowhere/virsh".into()).ask(None, &["uri"]).unwrap_err().to_string();
        assert!(none.contains("/nowhere/virsh") && none.contains("libvirt-clients"), "{none}");
    }
}
