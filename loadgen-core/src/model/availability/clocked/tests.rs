use super::*;
use crate::model::availability::rejuvenation::Rejuvenation;
use crate::model::availability::timer::Timer;

const SUCCESS: f64 = 0.98;

fn close(wanted: f64, got: f64) {
    assert!((wanted - got).abs() <= 1e-11 * wanted, "{wanted:e} and not {got:e}");
}

/// The machine of [`Rejuvenation`], without its timer.
fn machine(of: &Rejuvenation) -> Chain {
    let blackout_h = of.blackout_s / 3600.0;
    ["robust", "aged", "failed", "blackout"]
        .iter()
        .enumerate()
        .try_fold(Chain::new(), |chain, (at, name)| chain.with_state(*name, at < 2))
        .and_then(|chain| chain.with_mean("robust", "aged", of.aging_h))
        .and_then(|chain| chain.with_mean("aged", "failed", of.failure_h))
        .and_then(|chain| chain.with_mean("failed", "robust", of.repair_h))
        .and_then(|chain| chain.with_rate("blackout", "robust", of.success / blackout_h))
        .and_then(|chain| chain.with_rate("blackout", "failed", (1.0 - of.success) / blackout_h))
        .unwrap()
}

/// Closed form, stages and uniformisation are three ways to the same figures.
#[test]
fn they_agree_with_the_closed_form() {
    for (aging_h, failure_h, interval_h) in [
        (720.0, 168.0, 24.0),
        (168.0, 720.0, 3.0),
        (240.0, 240.0, 24.0),
        (1.0, 1.0, 30.0),
        (1e4, 1e-2, 5.0),
        (1e6, 1e6, 1e-2),
    ] {
        let machine_of =
            Rejuvenation::new(aging_h, failure_h, 1.5).with_blackout_s(4.0).with_success(SUCCESS);
        let timers = [
            (Timer::Deterministic { interval_h }, ClockLaw::Every { interval: interval_h }),
            (
                Timer::Erlang { stages: 1, interval_h },
                ClockLaw::Erlang { stages: 1, mean: interval_h },
            ),
            (
                Timer::Erlang { stages: 7, interval_h },
                ClockLaw::Erlang { stages: 7, mean: interval_h },
            ),
        ];
        for (timer, law) in timers {
            let wanted = machine_of.with_timer(timer).outcome().unwrap();
            let clocked = ClockedChain::new(machine(&machine_of));
            let clocked = clocked.with_clock(&["robust", "aged"], "blackout", law).unwrap();
            let got = clocked.steady_state().unwrap();
            close(wanted.availability.down(), got.availability().down());
            for (name, wanted) in [
                ("robust", wanted.robust),
                ("aged", wanted.aged),
                ("failed", wanted.failed),
                ("blackout", wanted.blackout),
            ] {
                close(wanted, got.probability(name).unwrap());
            }
        }
    }
}

#[test]
fn stages_are_states_with_names() {
    let law = ClockLaw::Erlang { stages: 2, mean: 24.0 };
    let machine =
        machine(&Rejuvenation::new(720.0, 168.0, 1.0).with_blackout_s(1.0).with_success(0.5));
    let clocked = ClockedChain::new(machine).with_clock(&["robust", "aged"], "blackout", law);
    let chain = clocked.unwrap().to_chain().unwrap();
    let names: Vec<&str> = chain.states().iter().map(|state| &*state.name).collect();
    assert_eq!(
        names,
        [
            "robust (1 of 2)",
            "aged (1 of 2)",
            "robust (2 of 2)",
            "failed",
            "aged (2 of 2)",
            "blackout",
        ]
    );
    assert_eq!(chain.rates().count(), 11);
    assert!(chain.rates().any(|rate| rate == ("robust (2 of 2)", "blackout", 2.0 / 24.0)));
}

/// Two clocks at once: a repair in two stages while a watch in three stages runs.
#[test]
fn clocks_with_stages_may_run_together() {
    let chain = ["ok", "broken", "given up"]
        .iter()
        .try_fold(Chain::new(), |chain, name| chain.with_state(*name, *name == "ok"))
        .and_then(|chain| chain.with_mean("ok", "broken", 100.0))
        .and_then(|chain| chain.with_mean("given up", "ok", 10.0))
        .unwrap();
    let erlang = |stages, mean| ClockLaw::Erlang { stages, mean };
    let clocked = ClockedChain::new(chain)
        .with_clock(&["broken"], "ok", erlang(2, 1.0))
        .and_then(|clocked| clocked.with_clock(&["broken"], "given up", erlang(3, 6.0)))
        .unwrap();
    assert_eq!(clocked.to_chain().unwrap().states().len(), 2 + 6);
    let found = clocked.steady_state().unwrap();
    // The repair is done after two of its stages (rate 2), the watch after three (rate 1/2): of
    // the stages that come, each is one of the repair with 4/5.
    let (own, other) = (0.8_f64, 0.2_f64);
    let given_up: f64 = other.powi(3) * (1.0 + 3.0 * own);
    let stages_seen = |most_own: i32| -> f64 {
        // The mean number of stages until either is done.
        (0..most_own)
            .flat_map(|i| (0..3).map(move |j| (i, j)))
            .map(|(i, j)| {
                let ways = if i == 0 { 1.0 } else { f64::from(j) + 1.0 };
                ways * own.powi(i) * other.powi(j)
            })
            .sum()
    };
    let broken = stages_seen(2) / 2.5;
    let all = 100.0 + broken + given_up * 10.0;
    close(100.0 / all, found.probability("ok").unwrap());
    close(broken / all, found.probability("broken").unwrap());
    close(given_up * 10.0 / all, found.probability("given up").unwrap());
}

/// A clock in a state that nothing else leaves.
#[test]
fn a_clock_may_be_all_that_there_is() {
    let two = || Chain::new().with_state("a", true).unwrap().with_state("b", false).unwrap();
    let one_way = two().with_mean("b", "a", 2.0).unwrap();
    let every = ClockLaw::Every { interval: 6.0 };
    let found = ClockedChain::new(one_way).with_clock(&["a"], "b", every).unwrap();
    assert_eq!(found.steady_state().unwrap().probabilities(), [0.75, 0.25]);
    // It starts again in the state in which it goes.
    let again = two().with_mean("a", "b", 1.0).unwrap();
    let again = ClockedChain::new(again).with_clock(&["a", "b"], "a", every).unwrap();
    let found = again.steady_state().unwrap();
    close(-(-6.0_f64).exp_m1() / 6.0, found.probability("a").unwrap());
}

#[test]
fn what_is_not_exact_is_told_with_what_comes_close() {
    let chain =
        || machine(&Rejuvenation::new(720.0, 168.0, 1.0).with_blackout_s(1.0).with_success(0.5));
    let every = |interval| ClockLaw::Every { interval };
    let clocked = |clocks: &[(&[&str], &str, ClockLaw)]| {
        let all = clocks.iter().try_fold(ClockedChain::new(chain()), |all, (from, to, law)| {
            all.with_clock(from, to, *law)
        });
        all.and_then(|all| all.steady_state())
    };
    let told = |clocks: &[(&[&str], &str, ClockLaw)]| clocked(clocks).unwrap_err().to_string();
    assert_eq!(
        told(&[(&["aged", "failed"], "blackout", every(24.0))]),
        "the clock that goes every 24 starts in 'aged' and 'failed': it is computed exactly only \
         where it always starts in the same state; stages = 10 comes close"
    );
    let two = told(&[(&["robust"], "blackout", every(24.0)), (&["failed"], "robust", every(1.0))]);
    assert!(two.contains("every 24 and every 1") && two.contains("stages = 10"), "{two}");
    let twice = told(&[(&["robust"], "blackout", every(1.0)), (&["robust"], "aged", every(1.0))]);
    assert!(twice.contains("run in 'robust'"), "{twice}");
    let erlang = ClockLaw::Erlang { stages: 2, mean: 1.0 };
    let mixed = told(&[(&["robust"], "blackout", every(1.0)), (&["failed"], "robust", erlang)]);
    assert!(mixed.contains("not computed exactly together"), "{mixed}");
    assert!(matches!(clocked(&[(&[], "aged", erlang)]), Err(ClockError::NoStates)));
    for time in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(told(&[(&["robust"], "aged", every(time))]).contains("has to be above 0"));
    }
    let stages = ClockLaw::Erlang { stages: 0, mean: 1.0 };
    assert!(told(&[(&["robust"], "aged", stages)]).contains("1 to 1000 stages"));
    let fast = told(&[(&["robust", "aged"], "blackout", every(1e12))]);
    assert!(fast.contains("too many"), "{fast}");
    let alone = Chain::new().with_state("a", true).unwrap().with_state("b", true).unwrap();
    let alone = ClockedChain::new(alone).with_clock(&["a"], "b", every(1.0)).unwrap();
    let error = alone.steady_state().unwrap_err();
    assert!(error.to_string().contains("'b' cannot be left"), "{error}");
    assert!(matches!(alone.to_chain(), Err(ClockError::NoChain { .. })));
}
