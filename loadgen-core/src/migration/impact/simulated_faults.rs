//! Faults at random moments of a migration that are not its own: whatever freezes the
//! service before and after, for however long, the headline is the switch-over's.

use crate::clock::{MILLISECOND as MS, Nanos, SECOND, as_millis};
use crate::event::{Event, EventKind};
use crate::random::SplitMix64;
use crate::record::{CallLog, CallRecord, Population};
use crate::report::GapOf;
use crate::schedule::Schedule;

use super::simulated_outage::answered;
use super::{ImpactInput, impact};

/// The times in which a service does not answer; what comes meanwhile is answered at
/// their end.
type Dark = Vec<(Nanos, Nanos)>;

fn calls(
    random: &mut SplitMix64,
    dark: &Dark,
    rate: f64,
    p: Population,
    end: Nanos,
) -> Vec<CallRecord> {
    let need = (random.log(50e-6, 5e-3) * 1e9) as Nanos;
    let starts = Schedule::constant(rate).starts(random.draw(), 0, 1);
    let phase = (random.unit() * 1e9 / rate) as Nanos;
    starts
        .map(|at| at + phase)
        .take_while(|at| *at < end)
        .map(|at| {
            let done = at + need;
            let stuck = dark.iter().find(|(from, to)| *from <= done && at < *to);
            answered(p, at, at, stuck.map_or(done, |(_, to)| done.max(to + need)))
        })
        .collect()
}

/// One migration with up to three freezes before its stop and up to three after.
fn world(seed: u64) {
    let mut random = SplitMix64::new(seed);
    let mut length = |low, high| (random.log(low, high) * 1e9) as Nanos;
    let fired = 3 * SECOND;
    let (mut dark, mut at): (Dark, Nanos) = (Vec::new(), fired + 50 * MS);
    let counts = (seed % 4, seed / 4 % 4);
    for _ in 0..counts.0 {
        let from = at + length(0.05, 0.5);
        at = from + length(0.03, 4.0);
        dark.push((from, at));
    }
    let stop = at + length(0.06, 1.0);
    let resume = stop + length(0.005, 2.0);
    // Now and then the network finds the machine late.
    let back = resume + if seed.is_multiple_of(3) { length(0.01, 4.0) } else { 0 };
    dark.push((stop, back));
    at = back + 250 * MS;
    for _ in 0..counts.1 {
        let from = at + length(0.05, 0.5);
        at = from + length(0.03, 4.0);
        dark.push((from, at));
    }
    let load_end = at + 2 * SECOND;
    let uncertainty = length(0.000_01, 0.01);
    let rates = [random.log(60.0, 1000.0), 100.0];
    let mut all = calls(&mut random, &dark, rates[0], Population::Established, load_end);
    all.extend(calls(&mut random, &dark, rates[1], Population::Fresh, load_end));
    let log: CallLog = all.into_iter().collect();
    // The events are off by up to their uncertainty.
    let mut told = |kind, at: Nanos| {
        let off = (random.unit() * 2.0 * uncertainty as f64) as Nanos;
        Event::new(kind, at + off - uncertainty, uncertainty, "test")
    };
    let events = [
        told(EventKind::Fired, fired),
        told(EventKind::Stop, stop),
        told(EventKind::Resume, resume),
        told(EventKind::Completed, resume + 20 * MS),
    ];
    let mut input = ImpactInput::new("test", &log, &events, load_end);
    (input.established_per_s, input.fresh_per_s) = (Some(rates[0]), Some(rates[1]));
    let impact = impact(&input);
    let outages = impact.migration.outage_ms;
    for (rate, outage) in rates.into_iter().zip([outages.established, outages.fresh]) {
        let outage = outage.unwrap();
        let what = format!("seed {seed}, stop {stop}, resume {resume}, back {back}: {outage:?}");
        assert_eq!(outage.gap_of, Some(GapOf::Switchover), "{what}");
        let (gap, start) = (outage.gap.unwrap(), outage.gap_start_s.unwrap() * 1e3);
        // It is the silence around the interruption, and no other.
        let (most, slack) = (as_millis(back - stop), 2e3 / rate + 8.0);
        let off = 3.0 * as_millis(uncertainty) + 5.0;
        assert!(start <= as_millis(resume) + off, "{what}");
        assert!(start + gap >= as_millis(stop) - off, "{what}");
        assert!(gap <= most + 2.0 * slack, "at most {} + {slack}: {what}", most);
        assert!((gap - most).abs() <= outage.bound.unwrap() + 1e-6, "{what}");
        // The others are listed, and those that are longer are a reservation.
        let longer = outage.other_gaps.iter().any(|other| other.length_ms > gap);
        let told = impact.reasons.iter().any(|(_, text)| text.contains("longer than its outage"));
        assert!(!longer || told, "{what} {:?}", impact.reasons);
        let frozen =
            dark.iter().filter(|(from, to)| as_millis(to - from) > outage.threshold.unwrap());
        let other = frozen.filter(|(from, _)| *from != stop).count();
        assert!(outage.other_gaps.len() >= other, "{other} freezes: {what}");
    }
}

#[test]
fn the_headline_is_that_of_the_switch_over_whatever_else_freezes() {
    (0..300).for_each(world);
}
