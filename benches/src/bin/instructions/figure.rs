//! The committed figures, and how counted ones stand to them.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::kind::Kind;

/// How far a counted figure may be off the committed one, by the same compiler.
const TOLERANCE: f64 = 0.03;

/// And by another compiler, which makes other code of the same source.
const TOLERANCE_OTHER_RUSTC: f64 = 0.10;

/// How to replace the committed figures.
const UPDATE: &str = "cargo run --release -p loadgen-benches --bin instructions -- --update";

/// Instructions of a call of each kind, and what they depend on beside our source.
/// `None`: not counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Figures {
    #[serde(default)]
    instructions_per_call: Option<f64>,
    #[serde(default)]
    instructions_per_session_call: Option<f64>,
    #[serde(default)]
    instructions_per_tls_call: Option<f64>,
    #[serde(default)]
    instructions_per_source_call: Option<f64>,
    #[serde(default)]
    instructions_per_checked_call: Option<f64>,
    #[serde(default)]
    instructions_per_sink_call: Option<f64>,
    pub(crate) rustc: String,
    pub(crate) architecture: String,
}

impl Figures {
    /// Nothing is counted yet.
    pub(crate) fn none(rustc: String, architecture: &str) -> Self {
        Self {
            instructions_per_call: None,
            instructions_per_session_call: None,
            instructions_per_tls_call: None,
            instructions_per_source_call: None,
            instructions_per_checked_call: None,
            instructions_per_sink_call: None,
            rustc,
            architecture: architecture.to_owned(),
        }
    }

    fn get(&self, kind: Kind) -> Option<f64> {
        match kind {
            Kind::Call => self.instructions_per_call,
            Kind::SessionCall => self.instructions_per_session_call,
            Kind::TlsCall => self.instructions_per_tls_call,
            Kind::SourceCall => self.instructions_per_source_call,
            Kind::CheckedCall => self.instructions_per_checked_call,
            Kind::SinkCall => self.instructions_per_sink_call,
        }
    }

    pub(crate) fn set(&mut self, kind: Kind, instructions: f64) {
        let figure = match kind {
            Kind::Call => &mut self.instructions_per_call,
            Kind::SessionCall => &mut self.instructions_per_session_call,
            Kind::TlsCall => &mut self.instructions_per_tls_call,
            Kind::SourceCall => &mut self.instructions_per_source_call,
            Kind::CheckedCall => &mut self.instructions_per_checked_call,
            Kind::SinkCall => &mut self.instructions_per_sink_call,
        };
        *figure = Some(instructions);
    }

    fn file() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("instructions.json")
    }

    fn committed() -> Result<Self> {
        let file = Self::file();
        let text = fs::read_to_string(&file)
            .with_context(|| format!("cannot read {}; make it with: {UPDATE}", file.display()))?;
        serde_json::from_str(&text).with_context(|| format!("no figures in {}", file.display()))
    }

    /// Makes these the figures that are to be committed; those that were not counted
    /// stay as they are.
    pub(crate) fn save(&self) -> Result<()> {
        let file = Self::file();
        let text = serde_json::to_string_pretty(&self.beside(Self::committed().ok())?)? + "\n";
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))
    }

    /// These, with the committed ones where nothing was counted.
    fn beside(&self, committed: Option<Self>) -> Result<Self> {
        let mut all = self.clone();
        for kind in Kind::ALL {
            if let (None, Some(committed)) = (self.get(kind), &committed)
                && let Some(figure) = committed.get(kind)
            {
                ensure!(
                    (&self.rustc, &self.architecture)
                        == (&committed.rustc, &committed.architecture),
                    "the committed figures were counted with {} for {}: count all anew, \
                     without --only",
                    committed.rustc,
                    committed.architecture
                );
                all.set(kind, figure);
            }
        }
        Ok(all)
    }

    /// Says how these stand to the committed figures.
    #[expect(clippy::print_stdout, reason = "the judgement is the result")]
    pub(crate) fn check(&self) -> Result<ExitCode> {
        let (holds, text) = self.against(&Self::committed()?);
        println!("{text}");
        Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Whether all that was counted holds beside the committed figures, and what to say.
    fn against(&self, committed: &Self) -> (bool, String) {
        if self.architecture != committed.architecture {
            let text = format!(
                "not compared: the committed figures are of {}, these of {}",
                committed.architecture, self.architecture
            );
            return (true, text);
        }
        let same = self.rustc == committed.rustc;
        let tolerance = if same { TOLERANCE } else { TOLERANCE_OTHER_RUSTC };
        let mut all_hold = true;
        let mut lines = Vec::new();
        for kind in Kind::ALL {
            let Some(counted) = self.get(kind) else { continue };
            let (holds, text) = judge(kind, counted, committed.get(kind), tolerance);
            all_hold &= holds;
            lines.push(text);
        }
        if !same {
            lines.push(format!(
                "The committed figures were counted with {}, these with {}: once that is what \
                 the project is built with, count anew at the last commit that held, and commit \
                 benches/instructions.json:\n    {UPDATE}",
                committed.rustc, self.rustc
            ));
        }
        (all_hold, lines.join("\n"))
    }
}

/// Whether one figure holds beside the committed one, and what to say.
fn judge(kind: Kind, counted: f64, committed: Option<f64>, tolerance: f64) -> (bool, String) {
    let unit = kind.unit();
    let Some(committed) = committed else {
        let text = format!(
            "{counted} instructions {unit}, and no committed figure to hold them by. Count it, and \
             commit benches/instructions.json:\n    {UPDATE} --only {}",
            kind.name()
        );
        return (false, text);
    };
    let off = counted / committed - 1.0;
    let mut text = format!(
        "{counted} instructions {unit}, {:+.1} % against the committed {committed} (tolerance \
         {:.0} %)",
        100.0 * off,
        100.0 * tolerance
    );
    if off > tolerance {
        text += &format!(
            "\nThe engine has become slower ({unit}). Find out why (callgrind_annotate); if it is \
             worth its price, say so in the commit that updates the figure:\n    {UPDATE}"
        );
    } else if off < -tolerance {
        text += &format!(
            "\nThe engine has become faster ({unit}): commit the new figure, so that it holds:\n    \
             {UPDATE}"
        );
    }
    (off.abs() <= tolerance, text)
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

    const RUSTC: &str = "rustc 1.88.0";

    fn figures(counts: &[(Kind, f64)], rustc: &str, architecture: &str) -> Figures {
        let mut figures = Figures::none(rustc.to_owned(), architecture);
        for &(kind, count) in counts {
            figures.set(kind, count);
        }
        figures
    }

    fn committed() -> Figures {
        figures(&Kind::ALL.map(|kind| (kind, 1000.0)), RUSTC, "x86_64")
    }

    #[test]
    fn both_directions_are_held_for_every_kind() {
        for kind in Kind::ALL {
            let against = |count| figures(&[(kind, count)], RUSTC, "x86_64").against(&committed());
            assert!(against(1029.0).0);
            assert!(against(971.0).0);
            let (holds, text) = against(1031.0);
            assert!(!holds && text.contains(&format!("slower ({})", kind.unit())), "{text}");
            let (holds, text) = against(969.0);
            assert!(!holds && text.contains(&format!("faster ({})", kind.unit())), "{text}");
        }
    }

    #[test]
    fn one_that_does_not_hold_fails_all() {
        for slow in Kind::ALL {
            let counts = Kind::ALL.map(|kind| (kind, if kind == slow { 1100.0 } else { 1000.0 }));
            let (holds, text) = figures(&counts, RUSTC, "x86_64").against(&committed());
            assert!(!holds, "{text}");
            assert_eq!(text.matches("has become").count(), 1, "{text}");
        }
    }

    #[test]
    fn other_compilers_and_machines_have_their_own_numbers() {
        let of = |count, rustc, architecture| {
            figures(&[(Kind::Call, count)], rustc, architecture).against(&committed())
        };
        let (holds, text) = of(1090.0, "rustc 1.99.0", "x86_64");
        assert!(holds && text.contains("rustc 1.99.0"), "{text}");
        assert!(!of(1110.0, "rustc 1.99.0", "x86_64").0);
        let (holds, text) = of(5000.0, RUSTC, "aarch64");
        assert!(holds && text.contains("not compared"), "{text}");
    }

    #[test]
    fn a_file_of_before_is_read_and_its_missing_figures_are_asked_for() {
        let before = r#"{"instructions_per_call": 1000.0, "rustc": "rustc 1.88.0",
            "architecture": "x86_64"}"#;
        let before: Figures = serde_json::from_str(before).unwrap();
        assert!(figures(&[(Kind::Call, 1000.0)], RUSTC, "x86_64").against(&before).0);
        let counted = figures(&[(Kind::SessionCall, 1000.0)], RUSTC, "x86_64");
        let (holds, text) = counted.against(&before);
        assert!(!holds && text.contains("no committed figure"), "{text}");
        assert!(text.contains("--only session-call"), "{text}");
    }

    #[test]
    fn what_was_not_counted_stays_committed() {
        let counted = figures(&[(Kind::SessionCall, 7.0)], RUSTC, "x86_64");
        let all = counted.beside(Some(committed())).unwrap();
        for kind in Kind::ALL {
            let is = if kind == Kind::SessionCall { 7.0 } else { 1000.0 };
            assert_eq!(all.get(kind), Some(is), "{kind:?}");
        }
        assert_eq!(counted.beside(None).unwrap(), counted);
        let other = figures(&[(Kind::SessionCall, 7.0)], "rustc 1.99.0", "x86_64");
        assert!(other.beside(Some(committed())).is_err());
    }

    #[test]
    fn every_kind_has_a_committed_figure() {
        let committed = Figures::committed().unwrap();
        for kind in Kind::ALL {
            assert!(committed.get(kind).is_some_and(|figure| figure > 0.0), "{kind:?}");
        }
    }
}
