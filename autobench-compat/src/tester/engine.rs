//! Tests by loadgen's own engine, in this process.

use std::ffi::OsString;
use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, channel, sync_channel};
use std::thread;

use loadgen_core::Stopper;
use loadgen_core::httperf::{self, Ended, Midway, SharedOutput};
use loadgen_core::printable::PrintableWriter;

use super::{Migration, PIECES, TestError, TestRun, Tester, pass_on};

/// Runs httperf as it is built into this program. No other program is needed.
#[derive(Debug, Clone, Copy, Default)]
pub struct EngineTester;

/// Its name in messages.
const PROGRAM: &str = "httperf";

impl Tester for EngineTester {
    fn test(
        &self,
        arguments: &[String],
        stdout: &mut dyn Write,
        stop: &AtomicBool,
    ) -> Result<TestRun, TestError> {
        let (tell, told) = channel();
        let run = move |line: &[OsString], out: &SharedOutput, err: &SharedOutput| {
            httperf::run(line, out, err, move |stopper: Stopper| {
                // Who gave up in the meantime waits for it.
                let _ = tell.send(stopper);
            })
        };
        let give_up = || {
            if let Ok(stopper) = told.recv() {
                stopper.stop();
            }
        };
        carry_out(arguments, stdout, stop, run, give_up)
    }

    fn test_migrating(
        &self,
        arguments: &[String],
        stdout: &mut dyn Write,
        stop: &AtomicBool,
        migration: Migration,
    ) -> Result<TestRun, TestError> {
        let interrupt = AtomicBool::new(false);
        let Migration { trigger, limit, run_id, trial } = migration;
        let midway = Midway { trigger, limit, run_id, trial, interrupt: &interrupt };
        let run = move |line: &[OsString], out: &SharedOutput, err: &SharedOutput| {
            httperf::run_migrating(line, out, err, midway)
        };
        carry_out(arguments, stdout, stop, run, || interrupt.store(true, Ordering::Relaxed))
    }
}

/// Lets `run` go on in a thread of its own and passes on what it prints. `give_up` ends
/// it before its time.
fn carry_out(
    arguments: &[String],
    stdout: &mut dyn Write,
    stop: &AtomicBool,
    run: impl FnOnce(&[OsString], &SharedOutput, &SharedOutput) -> Ended + Send,
    give_up: impl FnOnce(),
) -> Result<TestRun, TestError> {
    let (sender, pieces) = sync_channel(PIECES);
    let line = std::iter::once(PROGRAM).chain(arguments.iter().map(String::as_str));
    let line: Vec<OsString> = line.map(OsString::from).collect();
    thread::scope(|scope| {
        let engine = thread::Builder::new()
            .name(PROGRAM.to_owned())
            .spawn_scoped(scope, move || {
                run(
                    &line,
                    &SharedOutput::new(Pieces(sender)),
                    &SharedOutput::new(PrintableWriter::new(io::stderr())),
                )
            })
            .map_err(|source| TestError::Start { program: PROGRAM.to_owned(), source })?;
        let passed = pass_on(&pieces, stdout, stop);
        // An engine that waits for room must not do so for ever.
        drop(pieces);
        if passed.is_err() {
            give_up();
        }
        let ending = engine.join().map_err(|_| TestError::Panicked)?;
        passed?;
        if let Some(error) = ending.unprepared {
            return Err(TestError::Unprepared(error));
        }
        Ok(TestRun { status: ending.exit_code.into(), report: ending.report.map(Box::new) })
    })
}

/// Hands what is written to the thread that has the reader.
struct Pieces(SyncSender<Vec<u8>>);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes.to_vec()).map_err(|_| ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use loadgen_core::target_server::{RunningTarget, TargetOptions, TargetServer};

    use super::*;

    fn target() -> RunningTarget {
        TargetServer::bind(TargetOptions::new()).unwrap().spawn().unwrap()
    }

    fn words(line: &str, target: &RunningTarget) -> Vec<String> {
        let port = target.local_addr().port();
        let line = format!("--server 127.0.0.1 --port {port} {line}");
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn a_test_prints_and_gives_its_report() {
        let target = target();
        let mut out = Vec::new();
        let line = words("--num-conns 5 --num-calls 3 --rate 100", &target);
        let tested = EngineTester.test(&line, &mut out, &AtomicBool::new(false)).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert_eq!(tested.status, 0);
        assert!(out.starts_with("httperf --client=0/1 --server=127.0.0.1 "), "{out}");
        assert!(out.contains("\nMaximum connect burst length: "), "{out}");
        assert!(out.contains("\nTotal: connections 5 requests 15 replies 15 "), "{out}");
        let sessions = tested.report.unwrap().sessions.unwrap();
        assert_eq!(sessions.replies.completed, 15);
        assert_eq!(target.stop().unwrap().requests_read, 15);
    }

    #[test]
    fn a_line_that_is_refused_has_no_report() {
        let mut out = Vec::new();
        let line = ["--no-such-option".to_owned()];
        let tested = EngineTester.test(&line, &mut out, &AtomicBool::new(false)).unwrap();
        assert_ne!(tested.status, 0);
        assert!(tested.report.is_none());
    }

    /// A test of ten minutes, given up by this stop flag and reader.
    fn given_up(stop: bool, reader: &mut dyn Write) -> TestError {
        let target = target();
        let began = Instant::now();
        let line = words("--num-conns 600 --rate 1 --print-reply", &target);
        let ended = EngineTester.test(&line, reader, &AtomicBool::new(stop));
        assert!(began.elapsed() < Duration::from_secs(60));
        ended.unwrap_err()
    }

    #[test]
    fn a_test_that_is_stopped_ends_long_before_its_time() {
        assert!(matches!(given_up(true, &mut io::sink()), TestError::Stopped));
    }

    #[test]
    fn a_reader_that_fails_ends_the_test() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        assert!(matches!(given_up(false, &mut Full), TestError::Output(_)));
    }
}
