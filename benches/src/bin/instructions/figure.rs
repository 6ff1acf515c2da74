//! The committed figure, and how a counted one stands to it.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

/// How far a counted figure may be off the committed one, by the same compiler.
const TOLERANCE: f64 = 0.03;

/// And by another compiler, which makes other code of the same source.
const TOLERANCE_OTHER_RUSTC: f64 = 0.10;

/// How to replace the committed figure.
const UPDATE: &str = "cargo run --release -p loadgen-benches --bin instructions -- --update";

/// Instructions of a call, and what they depend on beside our source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figure {
    pub(crate) instructions_per_call: f64,
    pub(crate) rustc: String,
    pub(crate) architecture: String,
}

impl Figure {
    fn file() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("instructions.json")
    }

    fn committed() -> Result<Self> {
        let file = Self::file();
        let text = fs::read_to_string(&file)
            .with_context(|| format!("cannot read {}; make it with: {UPDATE}", file.display()))?;
        serde_json::from_str(&text).with_context(|| format!("no figure in {}", file.display()))
    }

    /// Makes this the figure that is to be committed.
    pub(crate) fn save(&self) -> Result<()> {
        let file = Self::file();
        fs::write(&file, serde_json::to_string_pretty(self)? + "\n")
            .with_context(|| format!("cannot write {}", file.display()))
    }

    /// Whether this holds beside the committed figure.
    pub(crate) fn holds(&self) -> Result<bool> {
        Ok(self.against(&Self::committed()?).0)
    }

    /// Says how this stands to the committed figure.
    #[expect(clippy::print_stdout, reason = "the judgement is the result")]
    pub(crate) fn check(&self) -> Result<ExitCode> {
        let (holds, text) = self.against(&Self::committed()?);
        println!("{text}");
        Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Whether this figure holds beside the committed one, and what to say.
    fn against(&self, committed: &Self) -> (bool, String) {
        if self.architecture != committed.architecture {
            let text = format!(
                "not compared: the committed figure is of {}, this is {}",
                committed.architecture, self.architecture
            );
            return (true, text);
        }
        let same = self.rustc == committed.rustc;
        let tolerance = if same { TOLERANCE } else { TOLERANCE_OTHER_RUSTC };
        let off = self.instructions_per_call / committed.instructions_per_call - 1.0;
        let mut text = format!(
            "{} instructions a call, {:+.1} % against the committed {} (tolerance {:.0} %)",
            self.instructions_per_call,
            100.0 * off,
            committed.instructions_per_call,
            100.0 * tolerance
        );
        if !same {
            text += &format!(
                "\nThe committed figure was counted with {}, this one with {}: once that is what \
                 the project is built with, count anew at the last commit that held, and commit \
                 benches/instructions.json:\n    {UPDATE}",
                committed.rustc, self.rustc
            );
        }
        if off > tolerance {
            text += "\nThe engine has become slower. Find out why (callgrind_annotate); if it is \
                     worth its price, say so in the commit that updates the figure:\n    ";
            text += UPDATE;
        } else if off < -tolerance {
            text +=
                "\nThe engine has become faster: commit the new figure, so that it holds:\n    ";
            text += UPDATE;
        }
        (off.abs() <= tolerance, text)
    }
}

/// The compiler that cargo calls, such as `rustc 1.95.0`.
pub(crate) fn rustc_version() -> Result<String> {
    let output = Command::new("rustc").arg("--version").output().context("cannot run rustc")?;
    ensure!(output.status.success(), "rustc --version: {}", output.status);
    let text = String::from_utf8(output.stdout)?;
    Ok(text.split(" (").next().unwrap_or(&text).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(instructions_per_call: f64, rustc: &str, architecture: &str) -> Figure {
        Figure {
            instructions_per_call,
            rustc: rustc.to_owned(),
            architecture: architecture.to_owned(),
        }
    }

    #[test]
    fn both_directions_are_held() {
        let committed = figure(1000.0, "rustc 1.88.0", "x86_64");
        let holds = |count, rustc, arch| figure(count, rustc, arch).against(&committed).0;
        assert!(holds(1029.0, "rustc 1.88.0", "x86_64"));
        assert!(holds(971.0, "rustc 1.88.0", "x86_64"));
        assert!(!holds(1031.0, "rustc 1.88.0", "x86_64"));
        assert!(!holds(969.0, "rustc 1.88.0", "x86_64"));
    }

    #[test]
    fn other_compilers_and_machines_have_their_own_numbers() {
        let committed = figure(1000.0, "rustc 1.88.0", "x86_64");
        let (holds, text) = figure(1090.0, "rustc 1.99.0", "x86_64").against(&committed);
        assert!(holds && text.contains("rustc 1.99.0"), "{text}");
        assert!(!figure(1110.0, "rustc 1.99.0", "x86_64").against(&committed).0);
        let (holds, text) = figure(5000.0, "rustc 1.88.0", "aarch64").against(&committed);
        assert!(holds && text.contains("not compared"), "{text}");
    }

    #[test]
    fn the_committed_figure_can_be_read() {
        assert!(Figure::committed().unwrap().instructions_per_call > 0.0);
    }
}
