//! What froze: the service, its machine, or the network between. By the reach checks around a
//! freeze, and by those of a neighbour, a machine that is reached over the same network.
//!
//! A freeze is the kernel's, too, if the kernel was surely silent for half of the gap that clients
//! saw. It is the service's alone if no silence of the kernel can have been half as long as the
//! freeze was at least. Between the two the checks cannot tell.
//!
//! A check is given up after 0.9 s. So whether what the kernel was asked in a longer silence is
//! answered in the end, is seen in the checks of its last part alone.

use super::freeze::{FreezeKind, KernelSeen};
use crate::clock::{MILLISECOND, Nanos, as_millis};
use crate::migration::{Check, Fate, Span, silences};

/// How long before the end of a silence a check is still waited for.
const WAITED_FOR: Nanos = 850 * MILLISECOND;

/// What the checks of one machine say of a freeze.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    Silent,
    Answering,
    Unknown,
}

/// The time in which calls say that nobody answered, and for how long at least.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frozen {
    pub(super) from: Nanos,
    pub(super) to: Nanos,
    pub(super) at_least: Nanos,
}

/// What froze, what that is concluded from, and what the checks of the machine saw. `off`: why
/// there are none.
pub(super) fn kind(
    frozen: Frozen,
    checks: &[Check],
    neighbour: Option<&[Check]>,
    off: Option<&str>,
) -> (FreezeKind, String, KernelSeen) {
    if let Some(off) = off {
        let why = format!("the machine's kernel was not asked: {off}");
        return (FreezeKind::Unknown, why, KernelSeen::default());
    }
    let silence = silent(frozen, checks).into_iter().max_by_key(Span::at_least);
    let sent: Vec<&Check> = checks
        .iter()
        .filter(|check| frozen.from <= check.before && check.sent <= frozen.to)
        .collect();
    let lost = sent.iter().filter(|check| check.fate == Fate::Lost).count() as u64;
    let seen = KernelSeen {
        silent_at_least_ms: silence.map(|silence| as_millis(silence.at_least())),
        silent_at_most_ms: silence.and_then(|silence| silence.at_most()).map(as_millis),
        checks: Some(sent.len() as u64),
        lost: Some(lost),
    };
    // At the end of the silence those that were answered too late are known from those that were
    // lost.
    let late = |check: &&&Check| {
        silence.is_some_and(|silence| check.before.saturating_add(WAITED_FOR) > silence.to_least)
    };
    let mut late = sent.iter().filter(late).peekable();
    let held = late.peek().is_some() && late.all(|check| check.fate != Fate::Lost);
    let beside = neighbour.map(|checks| heard(frozen, checks));
    let (kind, why) = match (heard(frozen, checks), beside) {
        (Heard::Answering, _) => {
            (FreezeKind::Service, "the machine's kernel answered all the time")
        }
        (Heard::Unknown, _) => {
            (FreezeKind::Unknown, "there are too few reach checks to tell, or too far apart")
        }
        (Heard::Silent, Some(Heard::Silent)) => {
            (FreezeKind::Network, "neither the machine's kernel nor the neighbour answered")
        }
        (Heard::Silent, Some(Heard::Answering)) => {
            (FreezeKind::Machine, "the machine's kernel did not answer, the neighbour did")
        }
        (Heard::Silent, _) if held => (
            FreezeKind::Machine,
            "the machine's kernel was silent, and then answered what had waited",
        ),
        (Heard::Silent, _) => (
            FreezeKind::MachineOrNetwork,
            "what the machine's kernel was asked was lost: it was moved or stood still, or the \
             network was cut",
        ),
    };
    (kind, why.to_owned(), seen)
}

/// The silences that touch a freeze.
fn silent(frozen: Frozen, checks: &[Check]) -> Vec<Span> {
    let touches = |silence: &Span| silence.touches(frozen.from, frozen.to);
    silences(checks).into_iter().filter(touches).collect()
}

fn heard(frozen: Frozen, checks: &[Check]) -> Heard {
    let spans = silent(frozen, checks);
    let gap = frozen.to.saturating_sub(frozen.from);
    if spans.iter().any(|span| span.at_least() >= (gap / 2).max(1)) {
        return Heard::Silent;
    }
    // It is known only if it answered before, too.
    let before =
        |check: &Check| matches!(check.fate, Fate::Answered { by, .. } if by <= frozen.from);
    let short = |span: &Span| span.at_most().is_some_and(|most| most < frozen.at_least / 2);
    if checks.iter().any(before) && spans.iter().all(short) {
        Heard::Answering
    } else {
        Heard::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Nanos = MILLISECOND;
    const FROZEN: Frozen = Frozen { from: 1000 * MS, to: 1300 * MS, at_least: 280 * MS };

    /// A check every `every` ms, each answered after a ms, but for those sent in `[from, to)`: what
    /// became of them.
    fn checks(every: u64, (from, to): (u64, u64), fate: Fate) -> Vec<Check> {
        let one = |at: u64| {
            let (before, sent) = (at * MS, at * MS + 1);
            let well = Fate::Answered { after: sent, by: sent + MS, first: true };
            Check { before, sent, fate: if (from..to).contains(&at) { fate } else { well } }
        };
        (0..3000 / every).map(|k| one(k * every)).collect()
    }

    fn told(checks: &[Check], neighbour: Option<&[Check]>) -> FreezeKind {
        kind(FROZEN, checks, neighbour, None).0
    }

    #[test]
    fn a_kernel_that_answers_leaves_the_service() {
        let answering = checks(5, (0, 0), Fate::Lost);
        let (kind, _, seen) = kind(FROZEN, &answering, None, None);
        assert_eq!(kind, FreezeKind::Service);
        assert_eq!((seen.checks, seen.lost), (Some(60), Some(0)));
        assert!(seen.silent_at_most_ms.unwrap() < 10.0);
        assert_eq!(
            told(&answering, Some(&checks(5, (1000, 1300), Fate::Lost))),
            FreezeKind::Service
        );
    }

    #[test]
    fn held_back_is_the_machine_and_lost_may_be_the_network() {
        let held = Fate::Answered { after: 1299 * MS, by: 1300 * MS, first: true };
        assert_eq!(told(&checks(5, (1000, 1300), held), None), FreezeKind::Machine);
        let lost = checks(5, (1000, 1300), Fate::Lost);
        assert_eq!(told(&lost, None), FreezeKind::MachineOrNetwork);
        let well = checks(5, (0, 0), Fate::Lost);
        assert_eq!(told(&lost, Some(&well)), FreezeKind::Machine);
        assert_eq!(told(&lost, Some(&lost)), FreezeKind::Network);
        // A neighbour that was not asked then says nothing.
        assert_eq!(told(&lost, Some(&[])), FreezeKind::MachineOrNetwork);
    }

    #[test]
    fn a_long_silence_is_known_by_its_end() {
        let long = Frozen { from: 1000 * MS, to: 2900 * MS, at_least: 1880 * MS };
        let mut held = checks(5, (1000, 2900), Fate::Lost);
        for check in &mut held {
            if (2010 * MS..2900 * MS).contains(&check.before) {
                check.fate = Fate::Answered { after: 2899 * MS, by: 2900 * MS, first: true };
            }
        }
        assert_eq!(kind(long, &held, None, None).0, FreezeKind::Machine);
        let lost = checks(5, (1000, 2900), Fate::Lost);
        assert_eq!(kind(long, &lost, None, None).0, FreezeKind::MachineOrNetwork);
    }

    #[test]
    fn a_short_silence_in_a_long_freeze_is_not_the_machine() {
        // Dark for 30 ms, and then the service is down.
        let long = Frozen { from: 1000 * MS, to: 2900 * MS, at_least: 20 * MS };
        let dark = checks(5, (1000, 1030), Fate::Lost);
        assert_eq!(kind(long, &dark, None, None).0, FreezeKind::Unknown);
        let long = Frozen { at_least: 1880 * MS, ..long };
        assert_eq!(kind(long, &dark, None, None).0, FreezeKind::Service);
    }

    #[test]
    fn a_hole_in_the_checks_says_nothing() {
        let mut hole = checks(5, (0, 0), Fate::Lost);
        hole.retain(|check| !(1010 * MS..1290 * MS).contains(&check.before));
        assert_eq!(told(&hole, None), FreezeKind::Unknown);
        let mut behind = checks(5, (0, 0), Fate::Lost);
        behind.retain(|check| check.before > 1200 * MS);
        assert_eq!(told(&behind, None), FreezeKind::Unknown);
    }

    #[test]
    fn what_is_too_sparse_does_not_tell() {
        assert_eq!(told(&checks(500, (0, 0), Fate::Lost), None), FreezeKind::Unknown);
        assert_eq!(told(&[], None), FreezeKind::Unknown);
        let (kind, why, seen) = kind(FROZEN, &[], None, Some("it was switched off"));
        assert_eq!((kind, seen), (FreezeKind::Unknown, KernelSeen::default()));
        assert!(why.ends_with("it was switched off"), "{why}");
    }
}
