//! The program of `--on-freeze`. The watch never waits for it.

use std::io::Write;
use std::process::{Child, Command, Stdio};

use loadgen_core::shell_words;
use loadgen_core::watch::{Freeze, WatchLine};

use crate::exit::Failure;
use crate::messages::warning;

/// Programs that run at a time.
const MOST: usize = 4;

/// See the module.
pub(super) struct Hook {
    argv: Vec<String>,
    running: Vec<Child>,
    /// Freezes for which none was started.
    left_out: u64,
    failed: u64,
}

impl Hook {
    pub(super) fn new(command: &str) -> Result<Self, Failure> {
        let argv = shell_words::split(command)
            .map_err(|error| Failure::usage(format!("--on-freeze '{command}': {error}")))?;
        if argv.is_empty() {
            return Err(Failure::usage("--on-freeze needs a program"));
        }
        Ok(Self { argv, running: Vec::new(), left_out: 0, failed: 0 })
    }

    /// Starts it for a freeze.
    pub(super) fn run(&mut self, freeze: &Freeze) {
        self.look_after();
        if self.running.len() >= MOST {
            self.left_out += 1;
            return;
        }
        let Some((program, arguments)) = self.argv.split_first() else { return };
        let length = freeze.length_ms;
        let at_most = length.at_most.map(|most| format!("{most:.3}")).unwrap_or_default();
        let child = Command::new(program)
            .args(arguments)
            .env("LOADGEN_FREEZE_FROM", &freeze.from)
            .env("LOADGEN_FREEZE_UNTIL", freeze.until.as_deref().unwrap_or(""))
            .env("LOADGEN_FREEZE_KIND", freeze.kind.name())
            .env("LOADGEN_FREEZE_AT_LEAST_MS", format!("{:.3}", length.at_least))
            .env("LOADGEN_FREEZE_AT_MOST_MS", at_most)
            .stdin(Stdio::piped())
            // Stdout has the watch's own lines.
            .stdout(std::io::stderr())
            .spawn();
        match child {
            Ok(mut child) => {
                // A line fits into a pipe; who does not read it, need not.
                if let Some(mut stdin) = child.stdin.take() {
                    let _ = writeln!(stdin, "{}", WatchLine::Freeze(freeze).to_json());
                }
                self.running.push(child);
            }
            Err(cause) => {
                self.failed += 1;
                if self.failed == 1 {
                    warning(&format!("--on-freeze cannot start '{program}': {cause}"));
                }
            }
        }
    }

    /// Takes note of those that have ended.
    pub(super) fn look_after(&mut self) {
        let failed = &mut self.failed;
        self.running.retain_mut(|child| match child.try_wait() {
            Ok(None) => true,
            Ok(Some(status)) if status.success() => false,
            Ok(Some(status)) => {
                *failed += 1;
                if *failed == 1 {
                    warning(&format!("the program of --on-freeze failed ({status})"));
                }
                false
            }
            Err(_) => false,
        });
    }

    /// The watch has ended; those that run still are left to themselves.
    pub(super) fn finish(mut self) {
        self.look_after();
        if self.failed > 1 {
            warning(&format!("the program of --on-freeze failed {} times", self.failed));
        }
        if self.left_out > 0 {
            warning(&format!(
                "--on-freeze was left out for {} freezes, while {MOST} of its programs ran",
                self.left_out
            ));
        }
        if !self.running.is_empty() {
            warning(&format!("{} programs of --on-freeze run on", self.running.len()));
        }
    }
}
