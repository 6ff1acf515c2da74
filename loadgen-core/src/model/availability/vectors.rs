//! Values that were computed elsewhere: exact fractions, quadrature, Storm.

use serde_json::Value;

use super::*;
use crate::test_vectors::{cases, number};

/// Relative 1e-9; probabilities are held to more, where they are not small.
#[track_caller]
fn close(name: &str, expected: &Value, got: f64) {
    let expected = number(expected, name);
    let off = (expected - got).abs();
    assert!(off <= 1e-9 * expected.abs(), "{name}: {expected} and not {got}");
}

#[track_caller]
fn share(name: &str, expected: &Value, got: f64) {
    close(name, expected, got);
    let off = (number(expected, name) - got).abs();
    assert!(off <= 1e-12, "{name}: {expected} and not {got}");
}

#[track_caller]
fn availability(expected: &Value, got: Availability) {
    share("availability", expected, got.up());
    close("minutes_a_year", expected, got.minutes_a_year());
    for (name, got) in [("unavailability", got.down()), ("nines", got.nines())] {
        if expected.get(name).is_some() {
            close(name, expected, got);
        }
    }
}

fn machine(input: &Value) -> Rejuvenation {
    let [aging, failure, repair] =
        ["aging_h", "failure_h", "repair_h"].map(|name| number(input, name));
    let success = input.get("success").map_or(1.0, |success| success.as_f64().unwrap());
    Rejuvenation::new(aging, failure, repair)
        .with_blackout_s(number(input, "blackout_s"))
        .with_success(success)
}

/// The same as a chain with a clock.
fn chain(input: &Value, law: Option<ClockLaw>) -> ClockedChain {
    let blackout_h = number(input, "blackout_s") / 3600.0;
    let success = number(input, "success");
    let mut chain = Chain::new();
    for (name, up) in [("R", true), ("G", true), ("F", false), ("M", false)] {
        if name != "M" || law.is_some() {
            chain = chain.with_state(name, up).unwrap();
        }
    }
    for (from, to, name) in [("R", "G", "aging_h"), ("G", "F", "failure_h"), ("F", "R", "repair_h")]
    {
        chain = chain.with_mean(from, to, number(input, name)).unwrap();
    }
    let Some(law) = law else { return ClockedChain::new(chain) };
    chain = chain.with_rate("M", "R", success / blackout_h).unwrap();
    if success < 1.0 {
        chain = chain.with_rate("M", "F", (1.0 - success) / blackout_h).unwrap();
    }
    ClockedChain::new(chain).with_clock(&["R", "G"], "M", law).unwrap()
}

#[test]
fn rejuvenation() {
    for (input, expect) in cases("availability_rejuvenation") {
        let interval_h = input["interval_h"].as_f64();
        let timer = interval_h.map_or(Timer::None, |interval_h| Timer::Exponential { interval_h });
        let machine = machine(&input).with_timer(timer);
        let outcome = machine.outcome().unwrap();
        availability(&expect, outcome.availability);
        let law = interval_h.map(|mean| ClockLaw::Erlang { stages: 1, mean });
        let solved = chain(&input, law).steady_state().unwrap();
        availability(&expect, solved.availability());
        for (name, got) in [
            ("R", outcome.robust),
            ("G", outcome.aged),
            ("F", outcome.failed),
            ("M", outcome.blackout),
        ] {
            if expect["states"].get(name).is_some() {
                share(name, &expect["states"], got);
                share(name, &expect["states"], solved.probability(name).unwrap());
            } else {
                assert_eq!(got, 0.0);
            }
        }
        if let Some(expect) = expect.get("elasticity_of_unavailability") {
            let got = machine.elasticities().unwrap();
            close("aging_h", expect, got.aging_h);
            close("failure_h", expect, got.failure_h);
            close("repair_h", expect, got.repair_h);
            close("interval_h", expect, got.interval_h.unwrap());
            close("blackout_s", expect, got.blackout_s.unwrap());
        }
        let Some(interval_h) = interval_h else { continue };
        if let Some(expect) = expect.get("deterministic_interval") {
            let timer = Timer::Deterministic { interval_h };
            availability(expect, machine.with_timer(timer).outcome().unwrap().availability);
            let law = ClockLaw::Every { interval: interval_h };
            let solved = chain(&input, Some(law)).steady_state().unwrap();
            availability(expect, solved.availability());
        }
        if let Some(expect) = expect.get("erlang_10_interval") {
            let timer = Timer::Erlang { stages: 10, interval_h };
            availability(expect, machine.with_timer(timer).outcome().unwrap().availability);
            let law = ClockLaw::Erlang { stages: 10, mean: interval_h };
            let solved = chain(&input, Some(law)).steady_state().unwrap();
            availability(expect, solved.availability());
        }
    }
}

#[test]
fn best_intervals() {
    for (input, expect) in cases("availability_optimum") {
        let machine = machine(&input);
        close("rule_of_thumb_h", &expect, machine.rule_of_thumb_h().unwrap());
        let interval_h = 1.0;
        for (name, timer) in [
            ("exponential_interval", Timer::Exponential { interval_h }),
            ("deterministic_interval", Timer::Deterministic { interval_h }),
        ] {
            let best = machine.with_timer(timer).best_interval().unwrap();
            let BestInterval::Every { interval_h, outcome } = best else { panic!("{best:?}") };
            let expected = number(&expect[name], "interval_h");
            let off = (expected - interval_h).abs();
            assert!(off <= 1e-6 * expected, "{name}: {expected} and not {interval_h}");
            close("minutes_a_year", &expect[name], outcome.availability.minutes_a_year());
        }
    }
}

/// A transition of the vectors.
fn transition(told: &Value) -> Transition {
    let name = told["name"].as_str().unwrap();
    let transition = match told.get("mean_h") {
        Some(mean) => Transition::after_mean(name, mean.as_f64().unwrap()),
        None => Transition::immediate(name),
    };
    let arcs = |key: &str| -> Vec<(String, u32)> {
        let arcs = told[key].as_object().unwrap().iter();
        arcs.map(|(place, tokens)| (place.clone(), tokens.as_u64().unwrap() as u32)).collect()
    };
    let transition = arcs("takes").iter().fold(transition, |all, (place, n)| all.taking(place, *n));
    let transition = arcs("gives").iter().fold(transition, |all, (place, n)| all.giving(place, *n));
    match told.get("guard") {
        Some(guard) => transition.guarded(guard.as_str().unwrap()),
        None => transition,
    }
}

#[test]
fn nets() {
    for (input, expect) in cases("availability_net") {
        let told = &input["net"];
        let places = told["places"].as_object().unwrap().iter();
        let net = places.fold(Net::new(), |net, (name, tokens)| {
            net.with_place(name, tokens.as_u64().unwrap() as u32).unwrap()
        });
        let timed = told["timed"].as_array().unwrap().iter();
        let all = timed.chain(told["immediate"].as_array().unwrap()).map(transition);
        let net = all.fold(net, |net, transition| net.with_transition(transition).unwrap());
        let reached = net.explore(input["up"].as_str().unwrap()).unwrap();
        assert_eq!(reached.markings() as u64, expect["tangible_states"]);
        assert!(reached.vanishing() > 0);
        let solved = reached.steady_state().unwrap();
        availability(&expect, solved.availability());
        let down = reached.mean(&solved, "VM_down > 0").unwrap();
        share("probability_down", &expect, down);
        let blackout = reached.mean(&solved, "Mig_AB + Mig_BA > 0").unwrap();
        share("probability_blackout", &expect, blackout);
    }
}

#[test]
fn planned_maintenance() {
    for (input, expect) in cases("availability_planned") {
        let plan =
            PlannedMaintenance::new(number(&input, "per_year"), number(&input, "hours_each"))
                .with_blackout_s(number(&input, "blackout_s"));
        share("without", &expect, plan.without().unwrap().up());
        let moved = plan.with_migration().unwrap();
        share("with_migration", &expect, moved.up());
        close("seconds_a_year_with", &expect, moved.minutes_a_year() * 60.0);
    }
}

#[test]
fn capacity() {
    for (input, expect) in cases("capacity_oriented") {
        let [per_day, total_s, downtime_s, goodput] =
            ["per_day", "total_s", "downtime_s", "goodput_while_migrating"]
                .map(|name| number(&input, name));
        let moves = Capacity::new(per_day, total_s, downtime_s, goodput);
        share("availability", &expect, moves.availability().unwrap().up());
        share("coa", &expect, moves.capacity_oriented().unwrap().up());
    }
}
