//! What holds for every chain, and the closed forms held against general solvers.

use proptest::prelude::*;

use super::*;

/// Rates over 12 orders of magnitude.
fn rate() -> impl Strategy<Value = f64> {
    (-6.0..6.0_f64).prop_map(|exponent| 10_f64.powf(exponent))
}

/// Chains in which each state leads to every other: a ring, and other rates at random.
fn chains(most: usize) -> impl Strategy<Value = Chain> {
    (2..=most).prop_flat_map(|n| {
        let ring = prop::collection::vec(rate(), n);
        let others = prop::collection::vec((0..n, 0..n, rate()), 0..4 * n);
        let up = prop::collection::vec(any::<bool>(), n);
        (ring, others, up).prop_map(|(ring, others, up)| {
            let mut chain = Chain::new();
            for (at, up) in up.iter().enumerate() {
                chain.add_state(format!("s{at}"), *up).unwrap();
            }
            let n = ring.len();
            let ring = (0..n).map(|at| (at, (at + 1) % n)).zip(ring);
            for ((from, to), rate) in ring {
                chain.add_rate(from, to, rate).unwrap();
            }
            for (from, to, rate) in others.into_iter().filter(|(from, to, _)| from != to) {
                chain.add_rate(from, to, rate).unwrap();
            }
            chain
        })
    })
}

/// By which part of it each state is entered more or less often than it is left.
fn worst_balance(chain: &Chain, probabilities: &[f64]) -> f64 {
    let mut entered = vec![0.0; probabilities.len()];
    for (from, to, rate) in chain.numbered_rates() {
        entered[to] += probabilities[from] * rate;
    }
    let left = chain.exits().into_iter().zip(probabilities).map(|(exit, share)| exit * share);
    entered.iter().zip(left).map(|(entered, left)| (entered / left - 1.0).abs()).fold(0.0, f64::max)
}

proptest! {
    #[test]
    fn each_state_is_left_as_often_as_it_is_entered(chain in chains(30)) {
        let found = chain.steady_state().unwrap();
        let sum: f64 = found.probabilities().iter().sum();
        prop_assert!((sum - 1.0).abs() < 1e-12, "{}", sum);
        prop_assert!(found.probabilities().iter().all(|probability| *probability > 0.0));
        let off = worst_balance(&chain, found.probabilities());
        prop_assert!(off < 1e-12, "{:e}", off);
        let availability = found.availability();
        prop_assert!((availability.up() + availability.down() - 1.0).abs() < 1e-12);
        prop_assert!((found.reward() - availability.up()).abs() < 1e-12);
    }

    /// The order of the states, and the unit of time, do not matter.
    #[test]
    fn other_names_and_units_change_nothing(chain in chains(12), unit in rate()) {
        let mut other = Chain::new();
        for state in chain.states().iter().rev() {
            other = other.with_state(&state.name, state.up).unwrap();
        }
        for (from, to, rate) in chain.rates() {
            other = other.with_rate(from, to, rate * unit).unwrap();
        }
        let (one, other) = (chain.steady_state().unwrap(), other.steady_state().unwrap());
        for (state, probability) in one.iter() {
            let again = other.probability(&state.name).unwrap();
            prop_assert!((probability - again).abs() < 1e-12 * probability, "{state:?} {again}");
        }
    }

    /// What was so in the long run stays so, and what was not becomes so.
    #[test]
    fn after_a_time_it_is_as_in_the_long_run(
        line in prop::collection::vec((0.7..1.5_f64, 0.7..1.5_f64), 1..6),
        time in 0.0..5.0_f64,
    ) {
        let mut chain = Chain::new();
        for at in 0..=line.len() {
            chain.add_state(format!("s{at}"), at == 0).unwrap();
        }
        for (at, (there, back)) in line.into_iter().enumerate() {
            chain.add_rate(at, at + 1, there).unwrap();
            chain.add_rate(at + 1, at, back).unwrap();
        }
        let long_run = chain.steady_state().unwrap();
        let beginning = long_run.iter().map(|(state, share)| (&*state.name, share));
        let stays = chain.transient(time, beginning).unwrap();
        let late = chain.transient(2_000.0, [("s0", 1.0)]).unwrap();
        for ((wanted, stays), late) in
            long_run.probabilities().iter().zip(stays.probabilities()).zip(late.probabilities())
        {
            prop_assert!((wanted - stays).abs() < 2e-12, "{} {}", wanted, stays);
            prop_assert!((wanted - late).abs() < 1e-11, "{} {}", wanted, late);
        }
    }

    /// Two times one after the other are one time.
    #[test]
    fn times_follow_each_other(chain in chains(6), at in 0.0..1e-4_f64, on in 0.0..1e-4_f64) {
        let first = chain.transient(at, [("s0", 1.0)]).unwrap();
        let then = chain.transient(on, first.iter().map(|(state, p)| (&*state.name, p))).unwrap();
        let once = chain.transient(at + on, [("s0", 1.0)]).unwrap();
        for (then, once) in then.probabilities().iter().zip(once.probabilities()) {
            prop_assert!((then - once).abs() < 3e-12, "{} {}", then, once);
        }
    }

    /// Nothing that is computed of a machine leaves its range; derivatives are those of
    /// differences; and what the clock says, the closed form says.
    #[test]
    fn machines_of_all_kinds(
        (aging_h, failure_h, interval_h) in (0.1..1e4_f64, 0.1..1e4_f64, 0.1..1e3_f64),
        (repair_h, blackout_s, success) in (0.1..10.0_f64, 0.01..1e3_f64, 0.0..1.0_f64),
        kind in 0..3,
    ) {
        let timer = match kind {
            0 => Timer::Exponential { interval_h },
            1 => Timer::Deterministic { interval_h },
            _ => Timer::Erlang { stages: 5, interval_h },
        };
        let machine = Rejuvenation::new(aging_h, failure_h, repair_h)
            .with_timer(timer)
            .with_blackout_s(blackout_s)
            .with_success(success);
        let outcome = machine.outcome().unwrap();
        let sum = outcome.robust + outcome.aged + outcome.failed + outcome.blackout;
        prop_assert!((sum - 1.0).abs() < 1e-12, "{}", sum);
        let down = |machine: Rejuvenation| machine.outcome().unwrap().availability.down().ln();
        let by_difference = |change: &dyn Fn(&mut Rejuvenation, f64)| {
            let at = |factor: f64| {
                let mut other = machine;
                change(&mut other, factor);
                down(other)
            };
            let h = 1e-4_f64;
            (at(h.exp()) - at((-h).exp())) / (2.0 * h)
        };
        let counts = machine.elasticities().unwrap();
        for (name, got, wanted) in [
            ("aging", counts.aging_h, by_difference(&|m, by| m.aging_h *= by)),
            ("failure", counts.failure_h, by_difference(&|m, by| m.failure_h *= by)),
            ("repair", counts.repair_h, by_difference(&|m, by| m.repair_h *= by)),
            ("blackout", counts.blackout_s.unwrap(), by_difference(&|m, by| m.blackout_s *= by)),
            ("interval", counts.interval_h.unwrap(), by_difference(&|m, by| {
                m.timer = m.timer.with_interval_h(interval_h * by);
            })),
        ] {
            prop_assert!((got - wanted).abs() < 1e-6, "{}: {} {}", name, got, wanted);
        }
        // Times alone scale together: in another unit nothing changes.
        let all = counts.aging_h + counts.failure_h + counts.repair_h
            + counts.interval_h.unwrap() + counts.blackout_s.unwrap();
        prop_assert!(all.abs() < 1e-9, "{}", all);
    }
}

#[test]
fn machines_that_cannot_be_are_refused() {
    let machine = Rejuvenation::new(1.0, 1.0, 1.0);
    for hours in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e13] {
        let timers = [
            Timer::Exponential { interval_h: hours },
            Timer::Deterministic { interval_h: hours },
            Timer::Erlang { stages: 3, interval_h: hours },
        ];
        let others = [
            Rejuvenation::new(hours, 1.0, 1.0),
            Rejuvenation::new(1.0, hours, 1.0),
            Rejuvenation::new(1.0, 1.0, hours),
        ];
        for machine in timers.map(|timer| machine.with_timer(timer)).into_iter().chain(others) {
            for error in [
                machine.outcome().unwrap_err(),
                machine.elasticities().unwrap_err(),
                machine.rule_of_thumb_h().unwrap_err(),
            ] {
                assert!(error.to_string().contains("hours above 0"), "{machine:?}: {error}");
            }
        }
    }
    for success in [-0.1, 1.1, f64::NAN] {
        let error = machine.with_success(success).outcome().unwrap_err();
        assert!(error.to_string().starts_with("success must be a share"), "{error}");
    }
    for blackout in [-0.1, f64::NAN, f64::INFINITY] {
        let error = machine.with_blackout_s(blackout).outcome().unwrap_err();
        assert!(error.to_string().starts_with("blackout_s must be"), "{error}");
    }
    for stages in [0, 10_001] {
        let timer = Timer::Erlang { stages, interval_h: 1.0 };
        let error = machine.with_timer(timer).outcome().unwrap_err();
        assert_eq!(error, RejuvenationError::Stages { stages });
    }
}
