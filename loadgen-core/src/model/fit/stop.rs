//! The time in which a machine stands still, in two parts: what is left is sent, and the target
//! loads and resumes.

use super::fitted::Fitted;
use super::recording::{Recording, more_than_none, sensible};
use crate::stats::Line;

/// What is known of the stop.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stop {
    pub(super) bandwidth: Fitted,
    pub(super) load_s: Fitted,
}

/// One stop.
struct Seen {
    left: f64,
    downtime_s: f64,
    /// Until all was sent.
    sending_s: Option<f64>,
}

/// The downtime that what was left explains must vary by more than this share of it, or nothing
/// tells the two parts apart.
const SPREAD: f64 = 0.2;

/// Why there is nothing.
pub(super) const UNKNOWN: &str = "no recording of pre-copy has a stop, a resume, and what was left \
                                  to be sent at the stop";

/// What is known of the stop from recordings of pre-copy.
pub(super) fn stop(recordings: &[&Recording]) -> Option<Stop> {
    let seen: Vec<Seen> = recordings.iter().filter_map(|one| seen(one)).collect();
    parted(&seen).or_else(|| along(&seen)).or_else(|| together(&seen))
}

fn seen(recording: &Recording) -> Option<Seen> {
    let told = recording.running().last().map(|word| word.left);
    let left = recording.sent_in_stop.and_then(more_than_none).or(told.and_then(more_than_none))?;
    let downtime_s = recording.downtime_s().and_then(more_than_none)?;
    let sending = recording.sent_all_s.zip(recording.stop_s).map(|(end, begin)| end - begin);
    let sending_s = sending.and_then(more_than_none).filter(|sending_s| *sending_s <= downtime_s);
    Some(Seen { left, downtime_s, sending_s })
}

/// Where the source tells when all was sent.
fn parted(seen: &[Seen]) -> Option<Stop> {
    let parts: Vec<(&Seen, f64)> =
        seen.iter().filter_map(|one| Some((one, one.sending_s?))).collect();
    let of = |figures: Vec<f64>| Fitted::of_trials(&figures);
    let bandwidth = of(parts.iter().map(|(one, sending_s)| one.left / sending_s).collect())?;
    let load_s = of(parts.iter().map(|(one, sending_s)| one.downtime_s - sending_s).collect())?;
    // The mean of quotients is not the quotient of means, which is what downtimes add up to.
    let (left, sending_s) = parts
        .iter()
        .fold((0.0, 0.0), |sum, (one, sending_s)| (sum.0 + one.left, sum.1 + sending_s));
    let bandwidth = Fitted { value: left / sending_s, ..bandwidth };
    Some(Stop { bandwidth, load_s })
}

/// Where what was left differs.
fn along(seen: &[Seen]) -> Option<Stop> {
    let points: Vec<(f64, f64)> = seen.iter().map(|one| (one.left, one.downtime_s)).collect();
    let line = Line::through(&points).filter(|line| line.slope > 0.0 && line.n > 3)?;
    let lefts = || seen.iter().map(|one| one.left);
    let (low, high) = (lefts().fold(f64::INFINITY, f64::min), lefts().fold(0.0, f64::max));
    let interval = line.slope_interval(super::fitted::CONFIDENCE).filter(|i| i.low > 0.0)?;
    let differ = (high - low) * line.slope > SPREAD * line.at(high);
    let bandwidth = crate::stats::Interval {
        low: interval.high.recip(),
        high: interval.low.recip(),
        coverage: interval.coverage,
    };
    let load = line.intercept_interval(super::fitted::CONFIDENCE);
    differ.then(|| Stop {
        bandwidth: Fitted::within(line.slope.recip(), Some(bandwidth), line.n),
        load_s: Fitted::within(line.intercept.max(0.0), load, line.n),
    })
}

/// Where only their sum is known.
fn together(seen: &[Seen]) -> Option<Stop> {
    let of = |figures: Vec<f64>| Fitted::of_trials(&figures);
    let bandwidth = of(seen.iter().map(|one| one.left / one.downtime_s).collect())?;
    let sum = |of: fn(&Seen) -> f64| seen.iter().map(of).sum::<f64>();
    let value = sum(|one| one.left) / sum(|one| one.downtime_s);
    let note = "the bandwidth of the stop and the time to load cannot be told apart: about the same \
                was left at each stop. All of the downtime is taken for sending, which holds for \
                about as much as was left";
    let load_s = Fitted { value: 0.0, low: Some(0.0), high: None, ..bandwidth.clone() };
    let load_s = Fitted { high: sensible(sum(|one| one.downtime_s) / seen.len() as f64), ..load_s };
    Some(Stop {
        bandwidth: Fitted { value, ..bandwidth }.together().saying(note),
        load_s: load_s.together().saying(note),
    })
}
