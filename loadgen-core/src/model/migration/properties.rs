//! What must hold of every model, whatever its numbers.

use proptest::prelude::*;

use super::*;

/// A number over some powers of ten.
fn scale(from: f64, to: f64) -> impl Strategy<Value = f64> {
    (from.log10()..to.log10()).prop_map(|power| 10_f64.powf(power))
}

fn dirtying() -> impl Strategy<Value = Dirtying> {
    let patterns = prop_oneof![Just(Pattern::Random), Just(Pattern::RoundRobin)];
    (scale(0.01, 100.0), scale(1.0, 1000.0), patterns, 0.0..4.0_f64).prop_map(
        |(rate, working_set, pattern, base)| {
            Dirtying::new(rate).within(working_set, pattern).with_base(base)
        },
    )
}

/// The times follow each other, and nothing is sent from nowhere.
fn check(prediction: &Prediction, memory: f64) -> Result<(), TestCaseError> {
    let sum =
        prediction.prepare_s + prediction.copying_s + prediction.downtime_s + prediction.pulling_s;
    prop_assert_eq!(sum, prediction.total_s);
    let passes: f64 = prediction.passes.iter().map(|pass| pass.length_s).sum();
    prop_assert!((passes - prediction.copying_s).abs() <= 1e-9 * passes + 1e-12);
    prop_assert!(prediction.sent >= memory * (1.0 - 1e-9), "{:?}", prediction);
    prop_assert!(prediction.left >= 0.0 && prediction.total_s.is_finite());
    Ok(())
}

proptest! {
    /// More memory, more writes or a slower link never make pre-copy in rounds cheaper.
    #[test]
    fn rounds_are_monotone(
        memory in scale(1.0, 1e5), bandwidth in scale(1.0, 1e4), rate in scale(0.01, 1e4),
        more in 1.0..3.0_f64,
    ) {
        let of = |memory, bandwidth, rate| {
            let model = Geometric::new(memory, bandwidth, rate).with_threshold(1.0);
            let prediction = model.predict().unwrap();
            (prediction.total_s, prediction.sent, prediction)
        };
        let (total, sent, prediction) = of(memory, bandwidth, rate);
        check(&prediction, memory)?;
        let least = |value: f64| value * (1.0 - 1e-9);
        for worse in [
            of(memory * more, bandwidth, rate),
            of(memory, bandwidth / more, rate),
            of(memory, bandwidth, rate * more),
        ] {
            prop_assert!(worse.0 >= least(total), "{:?} {:?}", prediction, worse);
        }
        prop_assert!(of(memory, bandwidth, rate * more).1 >= least(sent));
    }

    /// With little dirtied it is a copy while the machine runs; what is left takes no time.
    #[test]
    fn without_writes_all_is_sent_once(memory in scale(2.0, 1e5), bandwidth in scale(1.0, 1e4)) {
        let rounds = Geometric::new(memory, bandwidth, 0.0).with_threshold(1.0).predict().unwrap();
        prop_assert_eq!((rounds.sent, rounds.downtime_s), (memory, 0.0));
        let still = Dirtying::new(0.0).within(64.0, Pattern::Random);
        for prediction in [
            PreCopy::new(memory, bandwidth, still).by_passes().unwrap(),
            PreCopy::new(memory, bandwidth, still).by_slots().unwrap(),
        ] {
            prop_assert!((prediction.sent - memory).abs() <= 1e-9 * memory);
            prop_assert!((prediction.total_s - memory / bandwidth).abs() <= 0.1 + 1e-9 * memory);
            prop_assert!(prediction.converges);
        }
    }

    /// At the limits that the model names, it converges; a little beyond, it does not.
    #[test]
    fn limits_of_convergence_are_sharp(
        memory in scale(10.0, 1e5), bandwidth in scale(1.0, 1e4), share in 0.05..0.95_f64,
        later in 0.2..1.0_f64,
    ) {
        let of = |bandwidth, rate| {
            Geometric::new(memory, bandwidth, rate).with_threshold(1.0).with_ratios(1.0, later)
        };
        let largest = of(bandwidth, 1.0).largest_dirty_rate().unwrap();
        prop_assert!(of(bandwidth, largest * 0.999).predict().unwrap().converges);
        prop_assert!(!of(bandwidth, largest * 1.001).predict().unwrap().converges);
        let rate = bandwidth * share;
        let smallest = of(bandwidth, rate).smallest_bandwidth().unwrap();
        prop_assert!(of(smallest * 1.001, rate).predict().unwrap().converges);
        prop_assert!(!of(smallest * 0.999, rate).predict().unwrap().converges);
    }

    /// QEMU's rule: stopped with less than the threshold left, after whole slots; and it converges
    /// wherever theory says so.
    #[test]
    fn slots_end_under_the_threshold(
        memory in scale(1.0, 1e5), bandwidth in scale(1.0, 1e3), dirtying in dirtying(),
        limit_s in scale(0.03, 3.0),
    ) {
        let model = PreCopy::new(memory, bandwidth, dirtying).with_limit_s(limit_s);
        let prediction = model.by_slots().unwrap();
        check(&prediction, memory)?;
        if prediction.converges {
            prop_assert!(prediction.left < model.threshold());
        }
        let slots = prediction.copying_s / 0.1;
        prop_assert!((slots - slots.round()).abs() < 1e-6, "{slots}");
        if dirtying.most() < 0.9 * model.threshold() {
            prop_assert!(prediction.converges, "{:?} {:?}", model, prediction);
        }
        // A pass is one slot at least, in which so much comes to be dirty again.
        let always = dirtying.dirtied(0.1);
        if dirtying.rate < 0.9 * bandwidth && dirtying.base == 0.0 && always < 0.5 * model.threshold() {
            prop_assert!(prediction.converges, "{:?} {:?}", model, prediction);
        }
    }

    /// However much is written, no more than all memory is dirty; and who writes faster than is sent,
    /// to any page, comes to no end.
    #[test]
    fn no_more_than_all_memory_is_dirty(
        memory in scale(1.0, 1e5), bandwidth in scale(1.0, 1e3), rate in scale(1.0, 1e5),
        set in prop_oneof![Just(f64::INFINITY), scale(1.0, 1e7)], base in 0.0..4.0_f64,
    ) {
        let dirtying = Dirtying::new(rate).within(set, Pattern::RoundRobin).with_base(base);
        let model = PreCopy::new(memory, bandwidth, dirtying);
        for prediction in [model.by_slots().unwrap(), model.by_passes().unwrap()] {
            prop_assert!(prediction.passes.iter().all(|pass| pass.left <= memory * (1.0 + 1e-12)));
            prop_assert!(prediction.total_s.is_finite());
            if rate > bandwidth && set.is_infinite() && memory > model.threshold() {
                prop_assert!(!prediction.converges, "{:?}", model);
            }
        }
    }

    /// Whole passes: those that do not come down tend to where as much is dirtied as is sent, or to
    /// all memory.
    #[test]
    fn passes_tend_to_their_fixed_point(
        memory in scale(1.0, 1e5), bandwidth in scale(1.0, 1e3), dirtying in dirtying(),
    ) {
        let prediction = PreCopy::new(memory, bandwidth, dirtying).by_passes().unwrap();
        check(&prediction, memory)?;
        if !prediction.converges {
            let last = prediction.passes.last().unwrap().length_s;
            let again = dirtying.dirtied(last).min(memory) / bandwidth;
            prop_assert!((again - last).abs() < 0.05 * last, "{last} {again}");
        }
    }

    /// Post-copy sends all of it once, whatever is dirtied; one pass before makes it shorter to
    /// pull.
    #[test]
    fn post_copy_does_not_know_the_dirty_rate(
        memory in scale(1.0, 1e5), bandwidth in scale(1.0, 1e4), dirtying in dirtying(),
        state in 0.0..8.0_f64,
    ) {
        let after = PostCopy::new(memory, bandwidth, state).with_resume_s(0.02);
        let alone = after.predict().unwrap();
        check(&alone, memory)?;
        prop_assert_eq!(alone.sent, memory + state);
        let hybrid = Hybrid::new(bandwidth, dirtying, after).predict().unwrap();
        check(&hybrid, memory)?;
        prop_assert_eq!(hybrid.downtime_s, alone.downtime_s);
        prop_assert!(hybrid.pulling_s <= alone.pulling_s);
    }

    /// One machine that shares a link with nobody is alone; one after the other is the sum.
    #[test]
    fn several_machines_are_each_by_itself(
        machines in prop::collection::vec((scale(1.0, 1e4), scale(0.01, 10.0)), 1..6),
    ) {
        let of = |machines: &[(f64, f64)]| {
            let machines = machines.iter().map(|(memory, rate)| MachineOnLink::new(*memory, *rate));
            SeveralMachines::new(machines.collect(), 100.0).with_threshold(1.0).with_resume_s(0.02)
        };
        let all = of(&machines);
        let sum: f64 = machines.iter().map(|one| of(&[*one]).sharing().unwrap().total_s).sum();
        let turns = all.sequential().unwrap();
        prop_assert!((turns.total_s - sum).abs() <= 1e-9 * sum, "{} {sum}", turns.total_s);
        let (sharing, fixed) = (all.sharing().unwrap(), all.with_fixed_shares().unwrap());
        prop_assert!(sharing.total_s <= fixed.total_s * (1.0 + 1e-9), "{sharing:?} {fixed:?}");
        prop_assert_eq!(sharing.ends_s.len(), machines.len());
    }

    /// The bounds hold for what a record of dirtied pages comes to.
    #[test]
    fn a_record_stays_within_the_bounds(
        pages in 60..400_u64,
        record in prop::collection::vec(prop::collection::vec(0..400_u64, 0..40), 1..20),
    ) {
        let prediction = AkoushHistory::new(pages, 100.0, 0.1, record).predict().unwrap();
        let bounds = AkoushBounds::new(pages as f64, 100.0).with_page(1.0);
        let (total, downtime) = (bounds.total_s().unwrap(), bounds.downtime_s().unwrap());
        prop_assert!(prediction.total_s >= total.at_least * (1.0 - 1e-9));
        prop_assert!(prediction.total_s <= total.at_most * (1.0 + 1e-9), "{prediction:?} {total:?}");
        prop_assert!(prediction.downtime_s <= downtime.at_most * (1.0 + 1e-9));
    }
}

#[test]
fn numbers_out_of_their_range_are_named() {
    let bad = [-1.0, f64::NAN, f64::INFINITY];
    for value in bad {
        let errors = [
            StopAndCopy::new(value, 1.0).predict().err(),
            StopAndCopy::new(1.0, value).predict().err(),
            Geometric::new(1.0, 1.0, value).predict().err(),
            Geometric::new(1.0, 1.0, 1.0).with_ratios(value, 1.0).predict().err(),
            PreCopy::new(1.0, value, Dirtying::new(1.0)).by_passes().err(),
            PreCopy::new(1.0, 1.0, Dirtying::new(value)).by_slots().err(),
            PreCopy::new(1.0, 1.0, Dirtying::new(1.0)).with_limit_s(value).by_slots().err(),
            PostCopy::new(1.0, 1.0, value).predict().err(),
            AkoushHistory::new(1, value, 1.0, Vec::new()).predict().err(),
        ];
        for error in errors {
            let error = error.unwrap().to_string();
            assert!(error.contains(" must be "), "{error}");
        }
    }
    let error = StopAndCopy::new(1.0, 0.0).predict().unwrap_err().to_string();
    assert_eq!(error, "the bandwidth must be a number above 0, not 0");
}
