//! Values that were computed elsewhere (Python's fractions, and enumeration).

use serde_json::Value;

use super::*;
use crate::test_vectors::{cases, close, number};

/// Mebibytes: the values are in these.
const MIB: f64 = 1024.0 * 1024.0;

/// Of memory, or of memory a second.
fn mib(input: &Value, name: &str) -> f64 {
    number(input, name) * MIB
}

fn dirtying(input: &Value) -> Dirtying {
    let pattern = match input["pattern"].as_str().unwrap() {
        "random" => Pattern::Random,
        "round-robin" => Pattern::RoundRobin,
        other => panic!("{other}"),
    };
    Dirtying::new(mib(input, "dirty_rate")).within(mib(input, "working_set"), pattern)
}

/// The figures that all models have, by the names that they have there.
fn check(expect: &Value, got: &Prediction) {
    let rounds = expect.get("rounds").or(expect.get("passes")).or(expect.get("passes_before_stop"));
    if let Some(rounds) = rounds {
        assert_eq!(got.passes.len() as u64, *rounds, "{expect} {got:?}");
    }
    if let Some(converges) = expect.get("converges") {
        assert_eq!(got.converges, *converges, "{expect} {got:?}");
    }
    let figures = [
        ("total_s", got.total_s),
        ("downtime_s", got.downtime_s),
        ("sent", got.sent / MIB),
        ("wire", got.sent / MIB),
        ("left", got.left / MIB),
        ("precopy_s", got.copying_s),
        ("degraded_s", got.pulling_s),
        ("stalled_s", got.stalled_s),
    ];
    for (name, value) in figures {
        expect.get(name).into_iter().for_each(|expected| close(name, expected, value));
    }
}

#[test]
fn stop_and_copy() {
    for (input, expect) in cases("stop_and_copy") {
        let model = StopAndCopy::new(mib(&input, "memory"), mib(&input, "bandwidth"));
        check(&expect, &model.with_resume_s(number(&input, "resume")).predict().unwrap());
    }
}

#[test]
fn geometric() {
    let mut wire = cases("precopy_geometric");
    wire.extend(cases("compressed"));
    for (input, expect) in wire {
        let (memory, bandwidth) = (mib(&input, "memory"), mib(&input, "bandwidth"));
        let mut model = Geometric::new(memory, bandwidth, mib(&input, "dirty_rate"))
            .with_threshold(mib(&input, "threshold"))
            .with_resume_s(number(&input, "resume"))
            .with_most_rounds(input["max_rounds"].as_u64().unwrap() as u32);
        if input.get("ratio_first").is_some() {
            model = model.with_ratios(number(&input, "ratio_first"), number(&input, "ratio_later"));
        } else {
            close("lambda", &expect["lambda"], model.lambda());
        }
        check(&expect, &model.predict().unwrap());
        if let Some(rate) = expect.get("largest_dirty_rate") {
            close("dirty rate", rate, model.largest_dirty_rate().unwrap() / MIB);
            let bandwidth = &expect["smallest_bandwidth"];
            close("bandwidth", bandwidth, model.smallest_bandwidth().unwrap() / MIB);
        }
        let is_small = model.memory <= model.threshold;
        assert_eq!(model.largest_dirty_rate().is_none(), is_small);
    }
}

#[test]
fn pass_rule() {
    for (input, expect) in cases("pass_rule") {
        let (memory, bandwidth) = (mib(&input, "memory"), mib(&input, "bandwidth"));
        let prediction = PreCopy::new(memory, bandwidth, dirtying(&input))
            .with_stop_bandwidth(mib(&input, "stop_bandwidth"))
            .with_limit_s(number(&input, "limit"))
            .with_load_s(number(&input, "load"))
            .by_passes()
            .unwrap();
        check(&expect, &prediction);
        if let Some(length) = expect.get("pass_length_s") {
            close("pass", length, prediction.passes.last().unwrap().length_s);
        }
    }
}

#[test]
fn slot_rule() {
    for (input, expect) in cases("slot_rule") {
        let (memory, bandwidth) = (mib(&input, "memory"), mib(&input, "bandwidth"));
        let prediction = PreCopy::new(memory, bandwidth, dirtying(&input))
            .with_stop_bandwidth(mib(&input, "stop_bandwidth"))
            .with_limit_s(number(&input, "limit"))
            .with_load_s(number(&input, "load"))
            .by_slots()
            .unwrap();
        check(&expect, &prediction);
    }
}

fn post_copy_of(input: &Value, resume: &str) -> PostCopy {
    let (memory, push) = (mib(input, "memory"), mib(input, "push_bandwidth"));
    PostCopy::new(memory, push, mib(input, "device_state"))
        .with_stop_bandwidth(mib(input, "stop_bandwidth"))
        .with_resume_s(number(input, resume))
}

#[test]
fn post_copy() {
    for (input, expect) in cases("postcopy") {
        let page = number(&input, "page_kib") * 1024.0;
        let model = post_copy_of(&input, "resume")
            .with_prepare_s(number(&input, "prepare"))
            .with_faults(number(&input, "faults"), number(&input, "rtt"), page);
        check(&expect, &model.predict().unwrap());
    }
}

#[test]
fn hybrid() {
    for (input, expect) in cases("hybrid") {
        let after = post_copy_of(&input, "resume");
        let model = Hybrid::new(mib(&input, "bandwidth"), dirtying(&input), after);
        let mut prediction = model.predict().unwrap();
        prediction.left = prediction.passes[0].left;
        check(&expect, &prediction);
    }
}

#[test]
fn akoush() {
    for (input, expect) in cases("akoush_bounds") {
        let model = AkoushBounds::new(mib(&input, "memory"), mib(&input, "bandwidth"))
            .with_page(number(&input, "page_kib") * 1024.0)
            .with_overhead_s(number(&input, "overhead"), number(&input, "post_overhead"));
        let (total, downtime) = (model.total_s().unwrap(), model.downtime_s().unwrap());
        close("total", &expect["total_least_s"], total.at_least);
        close("total", &expect["total_most_s"], total.at_most);
        close("downtime", &expect["downtime_least_s"], downtime.at_least);
        close("downtime", &expect["downtime_most_s"], downtime.at_most);
    }
    for (input, expect) in cases("akoush_history") {
        let sets = serde_json::from_value(input["dirty_sets"].clone()).unwrap();
        let whole = |name: &str| input[name].as_u64().unwrap();
        let (rate, interval_s) = (number(&input, "send_pages_per_s"), number(&input, "interval_s"));
        let model = AkoushHistory {
            most_rounds: whole("max_rounds") as u32,
            most_sent: number(&input, "max_factor"),
            ..AkoushHistory::new(whole("pages"), rate, interval_s, sets)
        };
        let prediction = model.with_stop_below(whole("stop_below")).predict().unwrap();
        assert_eq!(prediction.passes.len() as u64, expect["rounds"]);
        let rounds: Vec<f64> = prediction.passes.iter().map(|pass| pass.sent).collect();
        let expected: Vec<f64> = serde_json::from_value(expect["round_pages"].clone()).unwrap();
        assert_eq!(rounds, expected);
        close("sent", &expect["sent_pages"], prediction.sent);
        close("stop", &expect["stop_pages"], prediction.left);
        close("downtime", &expect["downtime_s"], prediction.downtime_s);
        close("total", &expect["total_s"], prediction.total_s);
    }
}

#[test]
fn energy() {
    for (input, expect) in cases("energy") {
        close("energy", &expect["joule"], LIU_2011.of(number(&input, "sent_mb")));
    }
}

#[test]
fn several_machines() {
    for (input, expect) in cases("several_vms") {
        let machines = input["vms"].as_array().unwrap().iter();
        let machine = |vm: &Value| MachineOnLink::new(mib(vm, "memory"), mib(vm, "dirty_rate"));
        let model = SeveralMachines {
            most_rounds: input["max_rounds"].as_u64().unwrap() as u32,
            ..SeveralMachines::new(machines.map(machine).collect(), mib(&input, "link"))
        };
        let model =
            model.with_threshold(mib(&input, "threshold")).with_resume_s(number(&input, "resume"));
        let orders = [
            ("sequential", model.sequential()),
            ("parallel_fixed_share", model.with_fixed_shares()),
            ("parallel_shared_link", model.sharing()),
        ];
        for (order, got) in orders {
            let (expect, got) = (&expect[order], got.unwrap());
            close(order, &expect["total_s"], got.total_s);
            close(order, &expect["sent"], got.sent / MIB);
            let lists = [("downtimes_s", &got.downtimes_s), ("ends_s", &got.ends_s)];
            for (name, got) in lists {
                let expected = expect.get(name).into_iter().flat_map(|all| all.as_array().unwrap());
                expected.zip(got).for_each(|(expected, got)| close(name, expected, *got));
            }
        }
    }
}

#[test]
fn reservations() {
    for (input, expect) in cases("reservation") {
        let rates: Vec<f64> = serde_json::from_value(input["dirty_rates"].clone()).unwrap();
        let each = reserved_for_each(&rates, number(&input, "margin")).unwrap();
        close("each", &expect["reserved_each"], each);
        assert_eq!(machines_at_once(number(&input, "link"), each), expect["at_once"]);
    }
}
