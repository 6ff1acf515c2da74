//! The end of every run: deliver the report, say what limits it, judge the
//! objectives, choose the exit code.

use loadgen_core::report::{Verdict, VerdictStatus};
use loadgen_core::{Report, Slo, SloOutcome};

use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::messages::{note, warning};
use crate::output::{Delivery, Destination};

/// What came to pass, from which the exit code follows.
#[derive(Debug, Clone, Copy)]
struct End {
    delivery: Delivery,
    interrupted: Option<Exit>,
    /// A rule of the run's own ended it.
    given_up: bool,
    verdict: VerdictStatus,
    breached: bool,
}

impl End {
    /// The first of these that applies: a report that is not in its place must
    /// not be missed, and figures that are not valid must not be judged.
    fn exit(self) -> Exit {
        if self.delivery == Delivery::Elsewhere {
            Exit::NotWritten
        } else if let Some(interrupted) = self.interrupted {
            interrupted
        } else if self.given_up {
            Exit::Breached
        } else if self.verdict == VerdictStatus::Invalid {
            Exit::Invalid
        } else if self.breached {
            Exit::Breached
        } else {
            Exit::Done
        }
    }
}

/// Ends a run that has a report.
pub(super) fn conclude(
    report: &Report,
    slos: &[Slo],
    destination: &Destination,
    interrupt: &Interrupt,
    quiet: bool,
) -> Result<Exit, Failure> {
    let delivery = match destination.deliver(report)? {
        // As much an output as the report, and not where it should be.
        Delivery::InPlace if report.calls_file.as_ref().is_some_and(|f| f.error.is_some()) => {
            Delivery::Elsewhere
        }
        delivery => delivery,
    };
    let of = Judged { verdict: &report.verdict, reports: &[(String::new(), report)] };
    Ok(conclude_with(of, slos, delivery, interrupt, quiet))
}

/// What a run has measured: of one machine, or of several.
#[derive(Clone, Copy)]
pub(super) struct Judged<'a> {
    pub(super) verdict: &'a Verdict,
    /// What stands before the objectives of each, and its report.
    pub(super) reports: &'a [(String, &'a Report)],
}

/// Ends a run whose report is delivered.
pub(super) fn conclude_with(
    of: Judged<'_>,
    slos: &[Slo],
    delivery: Delivery,
    interrupt: &Interrupt,
    quiet: bool,
) -> Exit {
    let verdict = of.verdict.status;
    let heading = match verdict {
        VerdictStatus::Valid => None,
        VerdictStatus::Degraded => Some("the run is degraded:"),
        VerdictStatus::Invalid => Some("the run is not valid:"),
    };
    if let Some(heading) = heading {
        let reasons = of.verdict.reasons.iter().map(|reason| format!("\n  {reason}"));
        warning(&format!("{heading}{}", reasons.collect::<String>()));
    }
    // A signal that came when the run was complete has cut nothing short.
    let interrupted =
        interrupt.exit().filter(|_| of.reports.iter().any(|(_, report)| report.interrupted));
    let given_up = of.reports.iter().any(|(_, report)| report.aborted.is_some());
    let mut breached = false;
    if interrupted.is_none() && !given_up && verdict != VerdictStatus::Invalid {
        for (whose, report) in of.reports {
            for judgement in slos.iter().map(|slo| slo.judge(report)) {
                let told = format!("{whose}objective {}", judgement.text);
                if judgement.outcome != SloOutcome::Held {
                    breached = true;
                    warning(&told);
                } else if !quiet {
                    note(&told);
                }
            }
        }
    } else if !slos.is_empty() {
        let why = match (interrupted, given_up) {
            (Some(_), _) => "interrupted",
            (None, true) => "given up",
            (None, false) => "not valid",
        };
        warning(&format!("the objectives were not judged: the run was {why}"));
    }
    End { delivery, interrupted, given_up, verdict, breached }.exit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_by_precedence() {
        let end = |delivery, interrupted, verdict, breached| {
            let given_up = false;
            End { delivery, interrupted, given_up, verdict, breached }.exit().code()
        };
        let signal = Some(Exit::Interrupted(2));
        use Delivery::{Elsewhere, InPlace};
        use VerdictStatus::{Degraded, Invalid, Valid};
        assert_eq!(end(InPlace, None, Valid, false), 0);
        assert_eq!(end(InPlace, None, Degraded, false), 0);
        assert_eq!(end(InPlace, None, Degraded, true), 3);
        assert_eq!(end(InPlace, None, Invalid, true), 4);
        assert_eq!(end(InPlace, signal, Invalid, true), 130);
        assert_eq!(end(InPlace, Some(Exit::Interrupted(15)), Valid, false), 143);
        assert_eq!(end(Elsewhere, signal, Invalid, true), 1);
        // What was given up is rarely valid, and not for that reason.
        let given_up = |interrupted| {
            let (verdict, breached) = (Invalid, false);
            End { delivery: InPlace, interrupted, given_up: true, verdict, breached }.exit().code()
        };
        assert_eq!((given_up(None), given_up(signal)), (3, 130));
    }
}
