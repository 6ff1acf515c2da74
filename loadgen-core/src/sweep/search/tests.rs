//! Searches on simulated servers: known capacities, with noise, with a queue, and
//! with a generator that gives out.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod known_capacity;

use proptest::prelude::*;

use super::*;

/// Runs a search to its end; what was run is given back with it.
fn search(
    settings: SearchSettings,
    mut server: impl FnMut(&Attempt) -> Verdict,
) -> (Search, Vec<Attempt>) {
    let mut search = Search::new(settings).unwrap();
    let mut attempts = Vec::new();
    while let Some(attempt) = search.next() {
        assert!(attempts.len() < 1000, "no end: {attempts:?}");
        search.tell(server(&attempt));
        attempts.push(attempt);
    }
    (search, attempts)
}

fn capacity(capacity: f64) -> impl Fn(&Attempt) -> Verdict {
    move |attempt| if attempt.rate_per_s <= capacity { Verdict::Held } else { Verdict::Breached }
}

/// A number from 0 to 1, another one at each call.
fn random(seed: u64) -> impl FnMut() -> f64 {
    let mut k = 0;
    move || {
        k += 1;
        crate::random::unit(seed, k)
    }
}

fn total(attempts: &[Attempt]) -> f64 {
    attempts.iter().map(|attempt| attempt.duration.as_secs_f64()).sum()
}

proptest! {
    #[test]
    fn a_capacity_is_found_to_the_tolerance(
        truth in 1.0..1e6_f64,
        start in 1.0..1e6_f64,
        tolerance in 0.005..0.5_f64,
    ) {
        let settings = SearchSettings { tolerance, ..SearchSettings::from_rate(start) };
        let (search, attempts) = search(settings, capacity(truth));
        prop_assert_eq!(search.ending(), Some(&SearchEnding::Found));
        let (holds, fails) = (search.holds_per_s().unwrap(), search.fails_per_s().unwrap());
        prop_assert!(holds <= truth && truth < fails);
        prop_assert!(fails / holds <= 1.0 + tolerance + 1e-6);
        let bracket = (truth / start).log2().abs() + 2.0;
        let bisect = (2f64.ln() / (1.0 + tolerance).ln()).log2() + 1.0;
        prop_assert!(attempts.len() as f64 <= bracket + bisect + 2.0, "{attempts:?}");
    }

    #[test]
    fn bounds_are_kept(truth in 1.0..1e4_f64, low in 10.0..100.0_f64, high in 100.0..5e3_f64) {
        let (search, attempts) = search(SearchSettings::within(low, high), capacity(truth));
        for attempt in &attempts {
            prop_assert!((low..=high).contains(&attempt.rate_per_s), "{attempt:?}");
        }
        match search.ending().unwrap() {
            SearchEnding::Found => prop_assert!((low..=high).contains(&search.holds_per_s().unwrap())),
            SearchEnding::HoldsAtHighest => {
                prop_assert!(truth >= high);
                prop_assert_eq!(search.holds_per_s(), Some(high));
            }
            SearchEnding::NothingHolds => {
                prop_assert!(truth < low);
                prop_assert_eq!(search.holds_per_s(), None);
            }
            other => prop_assert!(false, "{other:?}"),
        }
    }

    /// Whatever the answers: it ends, its result was held by a long run, and its
    /// two sides are in order.
    #[test]
    fn any_answers_end_it(answers in prop::collection::vec(0..8_u8, 1..200), most in 1..60_u32) {
        let settings =
            SearchSettings { most_runs: most, ..SearchSettings::within(10.0, 10_000.0) };
        let mut next = answers.iter().cycle();
        let mut held = Vec::new();
        let (search, attempts) = search(settings, |attempt| match next.next().unwrap() {
            0..=3 => {
                held.push(*attempt);
                Verdict::Held
            }
            4..=6 => Verdict::Breached,
            _ => Verdict::Invalid("lag".to_owned()),
        });
        prop_assert!(attempts.len() as u32 <= most);
        prop_assert!(search.ending().is_some());
        if let Some(rate) = search.holds_per_s() {
            let long = held.iter().any(|p| p.rate_per_s == rate && p.duration.as_secs_f64() >= 10.0);
            prop_assert!(long, "{rate}: {held:?}");
            prop_assert!(search.fails_per_s().is_none_or(|fails| fails > rate));
        }
    }

    /// One attempt in ten gives the wrong answer, whichever way.
    #[test]
    fn noise_is_checked_away(truth in 50.0..5e4_f64, seed: u64) {
        let mut random = random(seed);
        let (search, _) = search(SearchSettings::from_rate(100.0), |attempt| {
            let long = attempt.kind == PointKind::Confirmation || attempt.duration.as_secs_f64() >= 10.0;
            let wrong = !long && random() < 0.1;
            if (attempt.rate_per_s <= truth) != wrong { Verdict::Held } else { Verdict::Breached }
        });
        // A wrong answer has to come twice at the same rate to be believed.
        let holds = search.holds_per_s().unwrap_or(0.0);
        prop_assert!(holds <= truth, "{holds} of {truth}");
    }
}

#[test]
fn noise_seldom_costs_more_than_the_tolerance() {
    let mut misses = 0;
    for seed in 0..500 {
        let mut random = random(seed);
        let truth = 300.0 + 7.0 * seed as f64;
        let (search, _) = search(SearchSettings::from_rate(100.0), |attempt| {
            let wrong = attempt.duration.as_secs_f64() < 10.0 && random() < 0.05;
            if (attempt.rate_per_s <= truth) != wrong { Verdict::Held } else { Verdict::Breached }
        });
        let holds = search.holds_per_s().unwrap_or(0.0);
        misses += u32::from(holds < truth / 1.06);
    }
    // Both a wrong attempt and its repetition: 0.05² for each of about ten attempts.
    assert!(misses <= 15, "{misses} of 500");
}

/// A queue in front of a server of capacity 500/s: overload shows once the queue
/// has grown, later the smaller it is.
fn queue(attempt: &Attempt) -> Verdict {
    let waited_s = (attempt.rate_per_s / 500.0 - 1.0).max(0.0) * attempt.duration.as_secs_f64();
    if waited_s < 0.2 { Verdict::Held } else { Verdict::Breached }
}

#[test]
fn attempts_that_were_too_short_are_found_out() {
    let (search, attempts) = search(SearchSettings::from_rate(100.0), queue);
    assert_eq!(search.ending(), Some(&SearchEnding::Found));
    // Attempts of 2 s hold up to 550/s, runs of 10 s up to 510/s.
    let holds = search.holds_per_s().unwrap();
    assert!((510.0 / 1.052..=510.0).contains(&holds), "{holds}");
    assert!(attempts.len() <= 17, "{attempts:?}");
}

#[test]
fn fewer_and_shorter_attempts_than_stepping() {
    let (search, attempts) = search(SearchSettings::from_rate(100.0), capacity(1730.0));
    let holds = search.holds_per_s().unwrap();
    assert!((1730.0 / 1.05..=1730.0).contains(&holds), "{holds}");
    // Stepping to the same resolution: 100, 182.5, … until the first that fails.
    let steps = 1.0 + ((1730.0 - 100.0) / (1730.0 * 0.05_f64)).ceil();
    assert!(attempts.len() as f64 <= 0.65 * steps, "{} of {steps}", attempts.len());
    assert!(total(&attempts) <= 0.2 * steps * 10.0, "{} s", total(&attempts));
}

#[test]
fn one_disturbed_confirmation_does_not_decide() {
    let mut confirmations = 0;
    let (search, attempts) = search(SearchSettings::from_rate(100.0), |attempt| {
        confirmations += u32::from(attempt.kind == PointKind::Confirmation);
        let disturbed = attempt.kind == PointKind::Confirmation && confirmations == 1;
        if disturbed { Verdict::Breached } else { capacity(700.0)(attempt) }
    });
    assert_eq!(search.ending(), Some(&SearchEnding::Found));
    assert!(search.holds_per_s().unwrap() > 700.0 / 1.05, "{attempts:?}");
    assert_eq!(confirmations, 2);
}

#[test]
fn a_generator_that_gives_out_is_never_the_result() {
    let generator = |attempt: &Attempt| match attempt.rate_per_s {
        rate if rate > 3000.0 => Verdict::Invalid("the generator was late".to_owned()),
        _ => Verdict::Held,
    };
    let (search, attempts) = search(SearchSettings::from_rate(100.0), generator);
    assert_eq!(search.ending(), Some(&SearchEnding::NotValid("the generator was late".to_owned())));
    assert_eq!(search.holds_per_s(), None);
    // It was tried twice.
    assert_eq!(attempts[attempts.len() - 1], attempts[attempts.len() - 2]);
}

#[test]
fn one_run_that_is_not_valid_is_repeated() {
    let mut first = true;
    let (search, _) = search(SearchSettings::from_rate(100.0), |attempt| {
        if std::mem::take(&mut first) {
            Verdict::Invalid(String::new())
        } else {
            capacity(700.0)(attempt)
        }
    });
    assert_eq!(search.ending(), Some(&SearchEnding::Found));
}

#[test]
fn attempts_at_low_rates_are_longer() {
    let (_, attempts) = search(SearchSettings::from_rate(40.0), capacity(45.0));
    assert_eq!(attempts[0].duration, Duration::from_secs(5), "200 calls at 40/s");
    let (_, attempts) = search(SearchSettings::from_rate(1.0), capacity(1.5));
    assert_eq!(attempts[0].duration, Duration::from_secs(10), "no longer than a confirmation");
}

#[test]
fn settings_that_make_no_search() {
    let good = SearchSettings::within(10.0, 100.0);
    for (bad, word) in [
        (SearchSettings { tolerance: 0.0, ..good }, "tolerance"),
        (SearchSettings { tolerance: f64::NAN, ..good }, "tolerance"),
        (SearchSettings::within(100.0, 10.0), "highest"),
        (SearchSettings::within(0.0, 10.0), "lowest"),
        (SearchSettings { start_per_s: 5.0, ..good }, "start"),
        (SearchSettings { attempt_s: 0.0, ..good }, "attempt"),
        (SearchSettings { confirmation_s: 1.0, ..good }, "confirmation"),
        (SearchSettings { most_runs: 0, ..good }, "runs"),
    ] {
        let error = Search::new(bad).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}
