//! Tests by a program of their own.

use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::{PIECES, TestError, TestRun, Tester, pass_on};

/// Runs a program, such as the old httperf, for every test.
#[derive(Debug, Clone)]
pub struct ProcessTester {
    program: PathBuf,
}

impl ProcessTester {
    /// The program of that name: on the `PATH`, or where it says if it has a slash.
    #[must_use]
    pub fn find(program: &str) -> Option<Self> {
        let runs = |path: &Path| {
            path.metadata()
                .is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
        };
        let found = if program.contains('/') {
            Some(PathBuf::from(program)).filter(|path| runs(path))
        } else {
            let path = std::env::var_os("PATH")?;
            std::env::split_paths(&path).map(|folder| folder.join(program)).find(|path| runs(path))
        };
        found.map(|program| Self { program })
    }

    fn start(&self, arguments: &[String]) -> io::Result<(Child, Receiver<Vec<u8>>)> {
        let mut child = Command::new(&self.program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let (sender, pieces) = sync_channel(PIECES);
        if let Some(stdout) = child.stdout.take() {
            std::thread::Builder::new()
                .name("httperf-out".to_owned())
                .spawn(move || read_pieces(stdout, &sender))?;
        }
        Ok((child, pieces))
    }
}

fn read_pieces(mut from: impl Read, to: &SyncSender<Vec<u8>>) {
    let mut buffer = vec![0; 8192];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let piece = buffer.get(..length).unwrap_or_default().to_vec();
        if to.send(piece).is_err() {
            return;
        }
    }
}

impl Tester for ProcessTester {
    fn test(
        &self,
        arguments: &[String],
        stdout: &mut dyn Write,
        stop: &AtomicBool,
    ) -> Result<TestRun, TestError> {
        let failed =
            |source| TestError::Start { program: self.program.display().to_string(), source };
        let (mut child, pieces) = self.start(arguments).map_err(failed)?;
        let passed = pass_on(&pieces, stdout, stop);
        if passed.is_err() {
            // It may have ended by itself meanwhile.
            let _ = child.kill();
        }
        let status = child.wait().map_err(failed)?;
        passed.map(|()| TestRun { status: status.code().unwrap_or(-1), report: None })
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn shell(script: &str, stop: bool) -> (Result<TestRun, TestError>, String) {
        let mut out = Vec::new();
        let arguments = ["-c".to_owned(), script.to_owned()];
        let tester = ProcessTester::find("sh").unwrap();
        let ended = tester.test(&arguments, &mut out, &AtomicBool::new(stop));
        (ended, String::from_utf8(out).unwrap())
    }

    #[test]
    fn the_report_and_the_status_come_back() {
        let (ended, out) = shell("printf 'a\\nb'; exit 3", false);
        assert_eq!(ended.unwrap().status, 3);
        assert_eq!(out, "a\nb");
    }

    #[test]
    fn a_test_that_is_stopped_ends_long_before_its_time() {
        let began = Instant::now();
        let (ended, _) = shell("exec sleep 600", true);
        assert!(matches!(ended, Err(TestError::Stopped)));
        assert!(began.elapsed() < Duration::from_secs(60));
    }

    #[test]
    fn a_reader_that_fails_ends_the_test() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let arguments = ["-c".to_owned(), "echo; exec sleep 600".to_owned()];
        let tester = ProcessTester::find("sh").unwrap();
        let ended = tester.test(&arguments, &mut Full, &AtomicBool::new(false));
        assert!(matches!(ended, Err(TestError::Output(_))));
    }

    #[test]
    fn only_programs_are_found() {
        assert!(ProcessTester::find("no-such-program-here").is_none());
        assert!(ProcessTester::find("/").is_none());
        assert!(ProcessTester::find("/dev/null").is_none());
        assert!(ProcessTester::find("/bin/sh").is_some());
    }
}
