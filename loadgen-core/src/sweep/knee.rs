//! Where the curve of a sweep bends, and where the server is full.
//!
//! Both are made for few and noisy points: each is decided by all of the points
//! together, has no threshold on a slope, and names the neighbouring steps, since
//! the truth lies between them.

use serde::{Deserialize, Serialize};

use super::point::SweepPoint;

/// The step with the greatest power: answered rate by mean response time
/// (Kleinrock, "Power and deterministic rules of thumb for probabilistic problems
/// in computer communications", ICC 1979). Below it a higher rate costs little
/// response time; above it, much. The maximum has no parameter, and noise moves
/// it only between steps that are about as good.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Knee {
    /// The demanded rate of the step.
    pub at_per_s: f64,
    /// Of the step below; `None`: it is the lowest one.
    pub below_per_s: Option<f64>,
    /// Of the step above.
    pub above_per_s: f64,
}

/// Between which steps the server ceases to keep up
/// ([`SweepPoint::keeps_up`], or more than 1 % of the calls lost).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Saturation {
    /// The highest demanded rate that the server keeps up with; `None`: it fell
    /// behind at the lowest one already.
    pub keeps_up_per_s: Option<f64>,
    /// The lowest one that it does not.
    pub falls_behind_per_s: f64,
}

/// One point a rate, from the lowest. Where there are several it is one that the
/// generator did not spoil, if there is one, and the longest of those.
pub(super) fn by_rate(points: &[SweepPoint]) -> Vec<&SweepPoint> {
    let mut sorted: Vec<&SweepPoint> = points.iter().filter(|p| !p.interrupted).collect();
    let spoilt = |point: &SweepPoint| (point.is_generators_fault(), point.is_distorted());
    sorted.sort_by(|a, b| {
        let by_rate = a.demanded_per_s.total_cmp(&b.demanded_per_s);
        let longest_first = b.measured_s.total_cmp(&a.measured_s);
        by_rate.then_with(|| spoilt(a).cmp(&spoilt(b))).then(longest_first)
    });
    sorted.dedup_by(|later, kept| later.demanded_per_s == kept.demanded_per_s);
    sorted
}

impl Knee {
    /// The knee of these points; `None` if the power still rises at the highest
    /// rate, or with fewer than three points. Those that the generator's own lateness
    /// spoils are not among them.
    #[must_use]
    pub fn of(points: &[SweepPoint]) -> Option<Self> {
        let points: Vec<_> = by_rate(points)
            .into_iter()
            .filter(|point| !point.is_generators_fault() && !point.is_distorted())
            .filter_map(|point| {
                let mean_us = point.response_time.mean_us.filter(|us| *us > 0.0)?;
                Some((point.demanded_per_s, point.rates.answered_per_s? / mean_us))
            })
            .collect();
        let (at, _) = points.iter().enumerate().max_by(|(_, a), (_, b)| a.1.total_cmp(&b.1))?;
        if points.len() < 3 {
            return None;
        }
        let rate = |i: usize| points.get(i).map(|(rate, _)| *rate);
        Some(Self {
            at_per_s: rate(at)?,
            below_per_s: at.checked_sub(1).and_then(rate),
            above_per_s: rate(at + 1)?,
        })
    }
}

impl Saturation {
    /// The saturation of these points: the place with the fewest steps on the
    /// wrong side of it (fallen behind below it, kept up above it), so that one
    /// disturbed step does not decide. `None` if it was not reached.
    #[must_use]
    pub fn of(points: &[SweepPoint]) -> Option<Self> {
        let points: Vec<_> = by_rate(points)
            .into_iter()
            .filter(|point| !point.is_generators_fault())
            .map(|point| (point.demanded_per_s, point.is_good()))
            .collect();
        let mut wrong = points.iter().filter(|(_, good)| *good).count();
        let (mut least, mut split) = (wrong, 0);
        for (i, (_, good)) in points.iter().enumerate() {
            if *good {
                wrong -= 1;
            } else {
                wrong += 1;
            }
            if wrong < least {
                (least, split) = (wrong, i + 1);
            }
        }
        let rate = |i: usize| points.get(i).map(|(rate, _)| *rate);
        Some(Self {
            keeps_up_per_s: split.checked_sub(1).and_then(rate),
            falls_behind_per_s: rate(split)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::point::tests::point;
    use super::*;
    use crate::report::{GeneratorReport, Latency};

    fn points(curve: &[(f64, f64, f64)]) -> Vec<SweepPoint> {
        curve.iter().map(|(rate, answered, ms)| point(*rate, *answered, *ms)).collect()
    }

    #[test]
    fn a_server_with_a_fixed_delay_has_its_knee_at_its_capacity() {
        let points = points(&[
            (100.0, 100.0, 20.0),
            (200.0, 200.0, 20.1),
            (300.0, 300.0, 20.0),
            (400.0, 400.0, 20.3),
            (500.0, 440.0, 700.0),
            (600.0, 441.0, 1500.0),
        ]);
        let knee = Knee::of(&points).unwrap();
        assert_eq!(
            (knee.at_per_s, knee.below_per_s, knee.above_per_s),
            (400.0, Some(300.0), 500.0)
        );
        let saturation = Saturation::of(&points).unwrap();
        assert_eq!(saturation.keeps_up_per_s, Some(400.0));
        assert_eq!(saturation.falls_behind_per_s, 500.0);
    }

    #[test]
    fn a_single_queue_has_its_knee_at_half_of_its_capacity() {
        // M/M/1: response time 1 / (capacity - rate); the power is greatest at 1/2.
        let curve: Vec<_> = (1..10)
            .map(|k| f64::from(k) * 10.0)
            .map(|rate| (rate, rate, 1e3 / (100.0 - rate)))
            .collect();
        assert_eq!(Knee::of(&points(&curve)).unwrap().at_per_s, 50.0);
    }

    #[test]
    fn what_was_not_reached_is_none() {
        let rising = points(&[(10.0, 10.0, 1.0), (20.0, 20.0, 1.0), (30.0, 30.0, 1.0)]);
        assert_eq!(Knee::of(&rising), None);
        assert_eq!(Saturation::of(&rising), None);
        assert_eq!((Knee::of(&[]), Saturation::of(&[])), (None, None));
        let full = points(&[(100.0, 50.0, 900.0), (200.0, 50.0, 1000.0)]);
        let saturation = Saturation::of(&full).unwrap();
        assert_eq!((saturation.keeps_up_per_s, saturation.falls_behind_per_s), (None, 100.0));
    }

    #[test]
    fn one_disturbed_step_does_not_decide() {
        let mut curve = Vec::new();
        for k in 1..=10 {
            let rate = f64::from(k) * 100.0;
            // A queue that grows for 10 s.
            let queue_ms = (rate / 750.0 - 1.0).max(0.0) * 5e3;
            curve.push((rate, rate.min(750.0), 5.0 + queue_ms));
        }
        curve[2] = (300.0, 250.0, 300.0);
        let saturation = Saturation::of(&points(&curve)).unwrap();
        assert_eq!(saturation.keeps_up_per_s, Some(700.0));
        assert_eq!(Knee::of(&points(&curve)).unwrap().at_per_s, 700.0);
    }

    #[test]
    fn the_order_of_the_steps_does_not_matter_and_the_longer_run_counts() {
        let mut given = points(&[(300.0, 200.0, 900.0), (100.0, 100.0, 5.0), (200.0, 200.0, 5.0)]);
        let mut short = point(200.0, 100.0, 500.0);
        short.measured_s = 0.5;
        given.insert(0, short);
        assert_eq!(Saturation::of(&given).unwrap().keeps_up_per_s, Some(200.0));
        assert_eq!(Knee::of(&given).unwrap().at_per_s, 200.0);
    }

    #[test]
    fn a_run_that_we_spoilt_does_not_hide_its_repetition() {
        let mut all = points(&[
            (100.0, 100.0, 20.0),
            (200.0, 200.0, 20.0),
            (200.0, 150.0, 700.0),
            (400.0, 150.0, 900.0),
        ]);
        all[1].verdict.status = crate::report::VerdictStatus::Invalid;
        all[1].measured_s = 60.0;
        let saturation = Saturation::of(&all).unwrap();
        assert_eq!(
            (saturation.keeps_up_per_s, saturation.falls_behind_per_s),
            (Some(100.0), 200.0)
        );
    }

    #[test]
    fn a_mean_that_we_made_does_not_hide_its_repetition() {
        let mut all = points(&[
            (100.0, 100.0, 20.0),
            (200.0, 200.0, 300.0),
            (200.0, 200.0, 20.0),
            (300.0, 200.0, 900.0),
        ]);
        all[1].measured_s = 60.0;
        let without = Latency { mean_us: Some(20_000.0), ..Latency::default() };
        all[1].generator = Some(GeneratorReport {
            longest_pause_ms: Some(1_500.0),
            response_time_without: Some(without),
            ..GeneratorReport::default()
        });
        assert!(all[1].is_distorted() && !all[1].is_generators_fault());
        assert_eq!(Knee::of(&all).unwrap().at_per_s, 200.0);
        let curve: Vec<_> = by_rate(&all).into_iter().map(|point| point.measured_s).collect();
        assert_eq!(curve, [10.0; 3]);
    }

    /// The steps of a server of 2,000/s, the last with a pause of ours of 1.5 s in it.
    fn stalled() -> Vec<SweepPoint> {
        let mut points = points(&[
            (100.0, 100.0, 2.0),
            (200.0, 200.0, 2.0),
            (300.0, 300.0, 2.0),
            (400.0, 400.0, 2.0),
            (500.0, 350.0, 400.0),
        ]);
        let without = Latency { mean_us: Some(2_000.0), ..Latency::default() };
        points[4].generator = Some(GeneratorReport {
            longest_pause_ms: Some(1_500.0),
            response_time_without: Some(without),
            left_over: 1_500,
            ..GeneratorReport::default()
        });
        points
    }

    #[test]
    fn a_step_that_we_spoilt_makes_no_knee_and_no_saturation() {
        let points = stalled();
        assert!(points[4].is_generators_fault());
        assert_eq!(points[4].keeps_up(), None);
        assert_eq!((Knee::of(&points), Saturation::of(&points)), (None, None));
        // Without our account of it, it would be the server's.
        let mut blamed = stalled();
        blamed[4].generator = None;
        assert_eq!(Knee::of(&blamed).map(|knee| knee.at_per_s), Some(400.0));
        assert!(Saturation::of(&blamed).is_some());
    }

    #[test]
    fn time_limits_that_our_burst_made_pass_make_no_saturation() {
        let mut points = stalled();
        let step = &mut points[4];
        (step.left_over, step.counts.failed) = (Some(0.0), 291);
        step.counts.answered -= 291;
        assert!(!step.is_generators_fault(), "calls that failed by themselves");
        if let Some(own) = &mut step.generator {
            (own.left_over, own.calls_lost) = (0, 291);
        }
        assert!(step.is_generators_fault());
        assert_eq!(Saturation::of(&points), None);
    }

    #[test]
    fn a_pause_does_not_excuse_more_than_it_delayed() {
        let mut points = stalled();
        if let Some(own) = &mut points[4].generator {
            own.left_over = 20;
        }
        assert!(!points[4].is_generators_fault());
        assert_eq!(points[4].keeps_up(), Some(false));
        assert_eq!(Saturation::of(&points).map(|full| full.falls_behind_per_s), Some(500.0));
    }

    #[test]
    fn a_mean_that_we_made_makes_no_knee() {
        // Kept up with, but the mean is ours.
        let mut points = stalled();
        points[4].left_over = Some(0.0);
        assert!(!points[4].is_generators_fault() && points[4].is_distorted());
        assert_eq!((Knee::of(&points), Saturation::of(&points)), (None, None));
    }
}
