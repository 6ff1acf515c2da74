//! What the tests say, held against all that could have been, and against laws that are known.

use proptest::prelude::*;
use statrs::distribution::{ContinuousCDF, Normal};

use super::*;
use crate::random::SplitMix64;

/// Whole numbers, so that there are ties.
fn few(most: usize) -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec((0..6_i32).prop_map(f64::from), 1..=most)
}

fn sample(values: &[f64]) -> Sample {
    Sample::new(values.iter().copied()).unwrap()
}

/// Pairs of which the first is greater; ties count half.
fn pairs_won(x: &[f64], y: &[f64]) -> f64 {
    let won = |x: f64, y: f64| if x > y { 1.0 } else { f64::from(u8::from(x == y)) / 2.0 };
    x.iter().flat_map(|x| y.iter().map(move |y| won(*x, *y))).sum()
}

proptest! {
    /// The p-value is the share of all ways to share out the values that are as extreme.
    #[test]
    fn mann_whitney_is_the_share_of_all_ways(x in few(5), y in few(5)) {
        let got = two_samples(&sample(&x), &sample(&y), Confidence::P95);
        let all: Vec<f64> = x.iter().chain(&y).copied().collect();
        let u = pairs_won(&x, &y);
        prop_assert_eq!(got.u, u);
        let (mut ways, mut less, mut greater) = (0.0, 0.0, 0.0);
        for chosen in 0..1_u32 << all.len() {
            if chosen.count_ones() as usize != x.len() {
                continue;
            }
            let of = |side: u32| -> Vec<f64> {
                let is = |at: &usize| chosen >> at & 1 == side;
                (0..all.len()).filter(is).map(|at| all[at]).collect()
            };
            let other = pairs_won(&of(1), &of(0));
            ways += 1.0;
            less += f64::from(u8::from(other <= u));
            greater += f64::from(u8::from(other >= u));
        }
        prop_assert!((got.p_less - less / ways).abs() < 1e-12);
        prop_assert!((got.p_greater - greater / ways).abs() < 1e-12);
        prop_assert!(got.p <= 1.0);
    }

    /// Seen from the other side, all is mirrored.
    #[test]
    fn two_samples_are_compared_alike_from_both_sides(x in few(40), y in few(40)) {
        let one = two_samples(&sample(&x), &sample(&y), Confidence::P95);
        let other = two_samples(&sample(&y), &sample(&x), Confidence::P95);
        prop_assert!((one.p - other.p).abs() < 1e-9, "{} {}", one.p, other.p);
        prop_assert!((one.p_less - other.p_greater).abs() < 1e-9);
        prop_assert_eq!((one.shift, one.cliffs_delta), (-other.shift, -other.cliffs_delta));
        prop_assert!((one.vargha_delaney + other.vargha_delaney - 1.0).abs() < 1e-12);
        match (one.shift_interval, other.shift_interval) {
            (Some(one), Some(other)) => prop_assert_eq!((one.low, one.high), (-other.high, -other.low)),
            (one, other) => prop_assert_eq!((one, other), (None, None)),
        }
    }

    /// The p-value is the share of all signs that are as extreme.
    #[test]
    fn signed_rank_is_the_share_of_all_signs(differences in prop::collection::vec((-4..5_i32).prop_map(f64::from), 1..10)) {
        let got = paired(&sample(&differences), Confidence::P95);
        let sizes: Vec<f64> = differences.iter().map(|d| d.abs()).filter(|d| *d > 0.0).collect();
        let rank = |size: f64| {
            let below = sizes.iter().filter(|other| **other < size).count();
            let equal = sizes.iter().filter(|other| **other == size).count();
            below as f64 + f64::midpoint(equal as f64, 1.0)
        };
        let w: f64 = differences.iter().filter(|d| **d > 0.0).map(|d| rank(*d)).sum();
        prop_assert_eq!((got.w_plus, got.n_nonzero), (w, sizes.len()));
        let (mut less, mut greater) = (0.0, 0.0);
        for signs in 0..1_u32 << sizes.len() {
            let positive = sizes.iter().enumerate().filter(|(at, _)| signs >> at & 1 == 1);
            let other: f64 = positive.map(|(_, size)| rank(*size)).sum();
            less += f64::from(u8::from(other <= w));
            greater += f64::from(u8::from(other >= w));
        }
        let all = f64::from(1_u32 << sizes.len());
        let p = (2.0 * f64::min(less, greater) / all).min(1.0);
        prop_assert!((got.p - p).abs() < 1e-12, "{} {p}", got.p);
    }

    /// A correction makes no p-value smaller, and keeps their order.
    #[test]
    fn holm_keeps_the_order(p in prop::collection::vec(0.0..=1.0_f64, 0..12)) {
        let adjusted = holm(&p);
        prop_assert_eq!(adjusted.len(), p.len());
        for (i, one) in adjusted.iter().enumerate() {
            prop_assert!(*one >= p[i] && *one <= 1.0);
            prop_assert!((0..p.len()).all(|j| p[i] > p[j] || *one <= adjusted[j]));
        }
    }
}

/// The law of many trials goes on where that of few ends.
#[test]
fn exact_and_normal_law_meet() {
    let draw = |seed, n: usize, shift: f64| {
        let mut random = SplitMix64::new(seed);
        Sample::new((0..n).map(|_| random.unit() + shift)).unwrap()
    };
    for seed in 0..20 {
        let exact = two_samples(&draw(seed, 30, 0.0), &draw(seed + 100, 30, 0.1), Confidence::P95);
        assert!((exact.p - exact.p_normal).abs() < 0.01, "{exact:?}");
        let many = two_samples(&draw(seed, 31, 0.0), &draw(seed + 100, 31, 0.1), Confidence::P95);
        assert_eq!(many.p, many.p_normal);
        let interval = many.shift_interval.unwrap();
        assert!(interval.low < many.shift && many.shift < interval.high);
        let one = paired(&draw(seed, 200, -0.4), Confidence::P95);
        let more = paired(&draw(seed, 201, -0.4), Confidence::P95);
        assert!((one.p.ln() - more.p.ln()).abs() < 1.0, "{} {}", one.p, more.p);
        let (one, more) = (one.interval.unwrap(), more.interval.unwrap());
        assert!((one.low - more.low).abs() < 0.01 && (one.high - more.high).abs() < 0.01);
        let (one, more) = (draw(seed, 1_000, 0.0), draw(seed, 1_001, 0.0));
        let ends = |sample: &Sample| sample.median_interval(Confidence::P95).interval().unwrap();
        assert!((ends(&one).low - ends(&more).low).abs() < 0.01);
    }
}

/// Intervals hold the truth as often as they say, and tests are wrong as seldom, of 2,000
/// samples of a normal law (the seeds are fixed, so this is no game of chance).
#[test]
fn intervals_cover_and_tests_hold_their_level() {
    const SAMPLES: u64 = 2_000;
    let normal = Normal::standard();
    let draw = |seed, n: usize| {
        let mut random = SplitMix64::new(seed);
        let value = |_| normal.inverse_cdf(random.unit().max(f64::MIN_POSITIVE));
        Sample::new((0..n).map(value)).unwrap()
    };
    for n in [7, 10] {
        let (mut mean, mut median, mut signed, mut unpaired, mut shift) = (0, 0, 0, 0, 0);
        let mut says = 0.0;
        for seed in 0..SAMPLES {
            let (x, y) = (draw(seed, n), draw(seed + 1_000_000, n));
            let holds = |interval: Interval| u64::from(interval.low <= 0.0 && 0.0 <= interval.high);
            mean += holds(x.mean_interval(Confidence::P95).unwrap());
            let interval = x.median_interval(Confidence::P95).interval().unwrap();
            median += holds(interval);
            says = interval.coverage;
            signed += u64::from(paired(&x, Confidence::P95).p <= 0.05);
            let compared = two_samples(&x, &y, Confidence::P95);
            unpaired += u64::from(compared.p <= 0.05);
            shift += holds(compared.shift_interval.unwrap());
        }
        // Four standard deviations of a binomial law.
        let near = |count: u64, share: f64| {
            let share_of = |count: u64| count as f64 / SAMPLES as f64;
            (share_of(count) - share).abs() < 4.0 * (share * (1.0 - share) / SAMPLES as f64).sqrt()
        };
        assert!(near(mean, 0.95), "{mean}");
        assert!(near(median, says), "{median}, {says}");
        // Exact tests of few trials are wrong more seldom than they may be.
        let allowed = |count: u64| count as f64 / SAMPLES as f64 <= 0.05 + 0.02;
        assert!(allowed(signed) && allowed(unpaired), "{signed} {unpaired}");
        assert!(shift as f64 / SAMPLES as f64 >= 0.94, "{shift}");
    }
}
