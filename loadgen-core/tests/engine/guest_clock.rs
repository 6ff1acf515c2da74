//! A step of the guest's clock in the move, by the `Date` of its replies: from the
//! socket to the report.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::{Duration, Instant};

use loadgen_core::clock::Clock;
use loadgen_core::migration::{Context, MigrationRun, Trigger, TriggerError, VmFacts};
use loadgen_core::report::{Migration, render_text};
use loadgen_core::{Event, EventKind, Load, Plan, Report, Schedule, Target};

/// A guest that tells the time of its clock, which goes wrong by `step_s` in the move.
#[derive(Debug, Clone)]
struct Guest {
    tells: bool,
    step_s: f64,
    born: Instant,
    moved: Arc<AtomicBool>,
}

impl Guest {
    fn start(tells: bool, step_s: f64) -> (SocketAddr, Self) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let guest = Self { tells, step_s, born: Instant::now(), moved: Arc::default() };
        let shared = guest.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let guest = shared.clone();
                thread::spawn(move || guest.serve(stream.unwrap()));
            }
        });
        (address, guest)
    }

    fn serve(&self, mut stream: TcpStream) {
        let mut buffer = [0; 4096];
        while stream.read(&mut buffer).is_ok_and(|read| read > 0) {
            let date = if self.tells { self.date() } else { String::new() };
            let reply = format!("HTTP/1.1 200 OK\r\n{date}Content-Length: 2\r\n\r\nok");
            if stream.write_all(reply.as_bytes()).is_err() {
                return;
            }
        }
    }

    /// It was noon when it was born, and a half second.
    fn date(&self) -> String {
        let step = if self.moved.load(SeqCst) { self.step_s } else { 0.0 };
        let second = (12.0 * 3600.0 + 0.5 + self.born.elapsed().as_secs_f64() + step) as u64;
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        format!("Date: Thu, 26 Nov 2026 {hour:02}:{minute:02}:{second:02} GMT\r\n")
    }
}

/// Moves it at once.
struct Moves {
    guest: Guest,
    clock: Option<Clock>,
    events: VecDeque<Event>,
}

impl Moves {
    fn tell(&mut self, kind: EventKind) {
        let now = self.clock.as_ref().unwrap().now();
        self.events.push_back(Event::new(kind, now, 0, "test"));
    }
}

impl Trigger for Moves {
    fn name(&self) -> &str {
        "test"
    }

    fn inspect(&mut self) -> Result<VmFacts, TriggerError> {
        Ok(VmFacts::default())
    }

    fn arm(&mut self, context: &Context) -> Result<(), TriggerError> {
        self.clock = Some(context.clock);
        Ok(())
    }

    fn fire(&mut self) -> Result<(), TriggerError> {
        self.tell(EventKind::Stop);
        self.guest.moved.store(true, SeqCst);
        self.tell(EventKind::Resume);
        self.tell(EventKind::Completed);
        Ok(())
    }

    fn next_event(&mut self, _: Duration) -> Result<Option<Event>, TriggerError> {
        Ok(self.events.pop_front())
    }
}

fn moved(tells: bool, step_s: f64) -> (Report, Migration) {
    let (address, guest) = Guest::start(tells, step_s);
    let target = Target::parse(&format!("http://{address}/")).unwrap();
    let stream = Load::established(Schedule::constant(100.0)).with_connections(2);
    let trigger = Moves { guest, clock: None, events: VecDeque::new() };
    let report = MigrationRun::new(Plan::new(target, stream), Box::new(trigger))
        .with_before(Duration::from_millis(1100))
        .with_after(Duration::from_millis(1100))
        .run(&AtomicBool::new(false), &mut |_| {})
        .unwrap();
    let migration = report.migration.clone().unwrap();
    (report, migration)
}

/// The step and its bound, which holds on any machine. It is narrow where the machine
/// does not stand still (later replies of a second narrow it from the other side): one
/// of some runs must be.
fn told(step_s: f64) -> (Report, f64) {
    for _ in 0..10 {
        let (report, migration) = moved(true, step_s);
        let step = migration.guest_clock_step_s.unwrap();
        let bound = migration.guest_clock_step_bound_s.unwrap();
        assert!((step - step_s).abs() <= bound + 1e-6, "{step} ± {bound}, in truth {step_s}");
        if bound < 0.6 {
            return (report, step);
        }
    }
    panic!("the bound was never narrow");
}

#[test]
fn a_clock_that_stood_still_shows_in_the_dates() {
    let (report, step) = told(-3.0);
    assert!((-3.6..=-2.4).contains(&step), "{step}");
    let text = render_text(&report);
    assert!(text.contains("guest clock step"), "{text}");
}

#[test]
fn a_clock_that_went_on_shows_no_step() {
    let (_, step) = told(0.0);
    assert!(step.abs() <= 0.6, "{step}");
}

#[test]
fn without_dates_nothing_is_said_of_the_clock() {
    let (report, migration) = moved(false, -3.0);
    assert_eq!((migration.guest_clock_step_s, migration.guest_clock_step_bound_s), (None, None));
    assert!(!render_text(&report).contains("guest clock step"), "{}", render_text(&report));
}
