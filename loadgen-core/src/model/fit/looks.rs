//! What looks at the bitmap found: so much was dirtied in so long a time.

use super::recording::{Progress, Recording, more_than_none, sensible};
use crate::model::migration::{Dirtying, SLOT_S};

/// Most passes of a recording that are taken: those at its begin. A migration that does not come to
/// an end has hundreds of the same.
const MOST_PASSES: usize = 200;

/// What was dirtied in one pass, or in a few that follow each other.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Look {
    passes: Vec<Seen>,
    /// What was dirtied in all of them, in bytes.
    pub(super) dirtied: f64,
}

/// A pass that was seen.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Seen {
    length_s: f64,
    /// The length of the pass before; 0: it is the first.
    before_s: f64,
    /// What waited at its end to be sent, in bytes.
    waiting: f64,
}

impl Look {
    /// This was dirtied in so long a time, of a memory of which nothing waited.
    pub(super) fn of_time(length_s: f64, dirtied: f64) -> Self {
        Self { passes: vec![Seen { length_s, before_s: 0.0, waiting: 0.0 }], dirtied }
    }

    /// What would have been dirtied, as [`PreCopy::by_slots`](crate::model::migration::PreCopy) has
    /// it: the part that is still waiting is not dirtied anew.
    pub(super) fn expected(&self, dirtying: &Dirtying) -> f64 {
        let of_pass = |seen: &Seen| {
            // The base set goes last.
            let base = seen.waiting.min(dirtying.of_base(seen.before_s));
            let hot = (seen.waiting - base).min(dirtying.of_working_set(seen.before_s));
            let part = |dirtied: f64, waiting: f64, of: f64| {
                if of > 0.0 { dirtied * (1.0 - waiting / of) } else { 0.0 }
            };
            part(dirtying.of_working_set(seen.length_s), hot, dirtying.working_set)
                + part(dirtying.of_base(seen.length_s), base, dirtying.base)
        };
        self.passes.iter().map(of_pass).sum()
    }

    /// All of its passes, in s.
    pub(super) fn total_s(&self) -> f64 {
        self.passes.iter().map(|seen| seen.length_s).sum()
    }
}

/// All looks of a recording that was sent at a bandwidth, in bytes a second.
///
/// Between two words of the hypervisor's with a look in between, what is left has grown by what the
/// look found, and has shrunk by what was sent. Where pages are empty less is sent than is done:
/// so of the first pass, which alone has such, the hypervisor's own dirty rate is taken, if it is
/// told.
pub(super) fn looks(recording: &Recording, bandwidth: f64) -> Vec<Look> {
    let passes = recording.whole_passes();
    let told = recording.running();
    let mut told = told.into_iter().chain(at_stop(recording)).peekable();
    let threshold = recording.limit_s.map(|limit_s| bandwidth * limit_s);
    let mut looks = Vec::new();
    // Those that ended, and no word has come since.
    let mut open: Vec<Seen> = Vec::new();
    let mut before: Option<Progress> = None;
    for (number, (begin, length_s)) in passes.iter().copied().take(MOST_PASSES).enumerate() {
        let end = begin + length_s;
        while let Some(word) = told.next_if(|word| is_before(word, end, number + 1)) {
            looks.extend(look(&mut open, before, word));
            before = Some(word);
        }
        let before_s = number.checked_sub(1).map_or(0.0, |before| passes[before].1);
        let told = before.map_or(0.0, |word| word.left - bandwidth * (end - word.at_s)).max(0.0);
        // The pass ends in the first slot that leaves less than the threshold.
        let waiting = threshold.map_or(told, |threshold| {
            told.clamp((threshold - bandwidth * SLOT_S).max(0.0), threshold.max(0.0))
        });
        open.push(Seen { length_s, before_s, waiting });
    }
    looks.extend(told.next().and_then(|word| look(&mut open, before, word)));
    looks
}

/// Times of words are known to a ms or so.
const SAME_S: f64 = 0.01;

/// Whether a word was said before the look at the end of a pass, which is counted from 1. About the
/// same time the word itself knows better.
fn is_before(word: &Progress, end: f64, pass: usize) -> bool {
    let is_close = (word.at_s - end).abs() < SAME_S && word.pass > 0;
    if is_close { word.pass as usize <= pass } else { word.at_s <= end }
}

/// What was left at the stop, and sent until then: by what was sent after it.
fn at_stop(recording: &Recording) -> Option<Progress> {
    let left = more_than_none(recording.sent_in_stop?)?;
    let sent = sensible(recording.sent? - left)?;
    let passes = u32::try_from(recording.whole_passes().len()).ok()?;
    Some(Progress::new(recording.stop_s?, sent, left, passes + 1))
}

/// The look between two words.
fn look(open: &mut Vec<Seen>, before: Option<Progress>, after: Progress) -> Option<Look> {
    let passes = std::mem::take(open);
    let first = passes.first()?;
    let before = before?;
    let is_first_pass = passes.len() == 1 && first.before_s == 0.0;
    let dirtied = match after.dirty_rate {
        Some(rate) if is_first_pass && first.length_s > 1.0 => rate * first.length_s,
        _ => after.left - before.left + (after.sent - before.sent),
    };
    (dirtied >= 0.0).then_some(Look { passes, dirtied })
}
