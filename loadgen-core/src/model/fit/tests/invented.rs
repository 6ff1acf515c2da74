//! Recordings that a model made are fitted back to what it was made of.

use proptest::prelude::*;

use crate::model::Strategy as Moved;
use crate::model::fit::*;
use crate::model::migration::{Dirtying, Pattern, PreCopy, Prediction};

const MIB: f64 = 1_048_576.0;

fn model(memory: f64, rate: f64, set: f64, pattern: Pattern) -> PreCopy {
    let dirtying = Dirtying::new(rate * MIB).within(set * MIB, pattern);
    PreCopy::new(memory * MIB, 32.0 * MIB, dirtying)
        .with_stop_bandwidth(290.0 * MIB)
        .with_load_s(0.011)
}

/// What would have been recorded of a migration by this model: a word before each look at the
/// bitmap, and one after it.
fn recorded(model: &PreCopy) -> (Recording, Prediction) {
    let truth = model.by_slots().unwrap();
    let mut recording = Recording::new("invented", Moved::PreCopy);
    let (mut at, mut sent, mut left) = (0.0, 0.0, model.memory);
    recording.passes_s.push(at);
    recording.progress.push(Progress::new(at, 0.0, left, 1));
    for (number, pass) in (1..).zip(truth.passes.iter().take(30)) {
        (at, sent) = (at + pass.length_s, sent + pass.sent);
        recording.progress.push(Progress::new(at - 0.001, sent, left - pass.sent, number));
        left = pass.left;
        recording.passes_s.push(at);
        recording.progress.push(Progress::new(at + 0.001, sent, left, number + 1));
    }
    recording.limit_s = Some(model.limit_s);
    if truth.converges {
        recording.stop_s = Some(at + 0.002);
        recording.sent_all_s = Some(at + 0.002 + left / model.stop_bandwidth);
        recording.resume_s = Some(at + 0.002 + truth.downtime_s);
        (recording.end_s, recording.sent) = (recording.resume_s, Some(truth.sent));
        recording.sent_in_stop = Some(left);
    }
    (recording, truth)
}

fn is_close(value: f64, truth: f64, share: f64) -> bool {
    (value - truth).abs() <= share * truth
}

#[test]
fn parameters_come_back() {
    let model = model(400.0, 10.0, 64.0, Pattern::RoundRobin);
    let (recording, truth) = recorded(&model);
    let fit = Fit::of(&[recording]);
    let value = |parameter| fit.value(parameter).unwrap();
    assert!(is_close(value(Parameter::Bandwidth), model.bandwidth, 0.02), "{fit:#?}");
    // The first pass tells it up to a slot.
    assert!((value(Parameter::Memory) - model.memory).abs() < 5.0 * MIB, "{fit:#?}");
    assert!(is_close(value(Parameter::DirtyRate), 10.0 * MIB, 0.1), "{fit:#?}");
    assert!(is_close(value(Parameter::WorkingSet), 64.0 * MIB, 0.1), "{fit:#?}");
    assert!(is_close(value(Parameter::StopBandwidth), model.stop_bandwidth, 1e-6), "{fit:#?}");
    assert!(is_close(value(Parameter::LoadS), 0.011, 1e-6), "{fit:#?}");
    assert!(fit.dirtied.unwrap().is_round_robin);
    let prediction = fit.predict(Moved::PreCopy).unwrap();
    assert!(is_close(prediction.total_s, truth.total_s, 0.03), "{prediction:?} {truth:?}");
    assert!(is_close(prediction.downtime_s, truth.downtime_s, 0.25), "{prediction:?} {truth:?}");
    // It stands in a document as it is.
    let text = serde_json::to_string(&fit).unwrap();
    assert_eq!(serde_json::from_str::<Fit>(&text).unwrap(), fit);
}

/// No pass is long enough to go through the set: any larger one says the same.
#[test]
fn a_set_that_nobody_went_through_is_known_to_be_no_less() {
    let (recording, _) = recorded(&model(200.0, 3.0, 4000.0, Pattern::RoundRobin));
    let fit = Fit::of(&[recording]);
    let set = &fit.known[&Parameter::WorkingSet];
    assert_eq!(set.known, Known::AtLeast);
    // What was written to in the first pass, but for the base set that it may have been.
    assert!(set.high.is_none() && set.low.unwrap() > 5.0 * MIB, "{set:?}");
    assert!(set.note.contains("cannot be told from these passes"));
    assert_ne!(fit.known[&Parameter::DirtyRate].known, Known::AtLeast);
    // Where one was, it has an end.
    let (recording, _) = recorded(&model(400.0, 10.0, 64.0, Pattern::RoundRobin));
    assert_ne!(Fit::of(&[recording]).known[&Parameter::WorkingSet].known, Known::AtLeast);
}

/// All passes go through the whole set: any greater rate says the same.
#[test]
fn a_rate_that_no_pass_is_short_enough_for_is_known_to_be_no_less() {
    let (recording, truth) = recorded(&model(400.0, 900.0, 40.0, Pattern::RoundRobin));
    assert!(!truth.converges);
    let fit = Fit::of(&[recording]);
    let rate = &fit.known[&Parameter::DirtyRate];
    assert_eq!(rate.known, Known::AtLeast, "{fit:#?}");
    assert!(rate.note.contains("the dirty rate cannot be told"), "{rate:?}");
    assert!(is_close(fit.value(Parameter::WorkingSet).unwrap(), 40.0 * MIB, 0.3), "{fit:#?}");
}

/// Two parts of a stop that are always the same are known by their sum.
#[test]
fn a_stop_whose_parts_nobody_tells_is_known_as_a_whole() {
    let model = model(300.0, 5.0, 30.0, Pattern::Random);
    let (mut recording, truth) = recorded(&model);
    recording.sent_all_s = None;
    let fit = Fit::of(&[recording.clone(), recording]);
    let stop = &fit.known[&Parameter::StopBandwidth];
    assert_eq!(
        (stop.known, fit.known[&Parameter::LoadS].known),
        (Known::Together, Known::Together)
    );
    assert!(stop.note.contains("cannot be told apart"));
    let prediction = fit.pre_copy().unwrap().by_slots().unwrap();
    assert!((prediction.downtime_s - truth.downtime_s).abs() < 0.25 * truth.downtime_s);
}

/// One pass of pre-copy, then the machine goes on at its target: as much is known of how it is
/// copied as of pre-copy, and as much of how it is followed as of post-copy.
#[test]
fn a_hybrid_is_predicted_by_hybrids_alone() {
    let model = model(400.0, 10.0, 64.0, Pattern::RoundRobin);
    let (mut recording, truth) = recorded(&model);
    let pass = truth.passes[0];
    recording.moved = Moved::Hybrid;
    recording.progress.retain(|word| word.at_s <= pass.length_s + 0.002);
    recording.passes_s.truncate(2);
    let (stop_s, push) = (pass.length_s + 0.01, 200.0 * MIB);
    (recording.stop_s, recording.resume_s) = (Some(stop_s), Some(stop_s + 0.03));
    recording.end_s = Some(stop_s + 0.03 + pass.left / push);
    (recording.sent_in_stop, recording.sent_all_s) = (None, recording.end_s);
    recording.sent_after = Some(pass.left);
    recording.sent = Some(pass.sent + pass.left);
    let users = RecordedUsers {
        populations: vec![RecordedPopulation {
            name: "fresh".to_owned(),
            rate_per_s: 50.0,
            usual_s: 0.002,
            late_beyond_s: 0.005,
            outage_s: Some(0.5),
            ..RecordedPopulation::default()
        }],
        timeout_s: 5.0,
        late: Some(30.0),
        lost: Some(0.0),
        recovery_s: Some(1.0),
        counted_s: Some(stop_s + 1.03),
    };
    recording.felt = Some(users);
    let fit = Fit::of(&[recording.clone()]);
    let prediction = fit.predict(Moved::Hybrid).unwrap();
    let total_s = recording.end_s.unwrap();
    assert!(is_close(prediction.total_s, total_s, 0.05), "{prediction:?} {total_s}");
    assert!(is_close(prediction.downtime_s, 0.03, 1e-6), "{prediction:?}");
    assert!(is_close(prediction.sent, recording.sent.unwrap(), 0.1), "{prediction:?}");
    let felt = fit.feel(Moved::Hybrid, &prediction).unwrap();
    assert!(is_close(felt.late.unwrap(), 30.0, 0.2) && felt.lost == Some(0.0), "{felt:?}");
    let (_, outage_s) = &felt.outages_s[0];
    assert!((0.03..=0.5).contains(outage_s), "{felt:?}");
    // How it stops for pre-copy nobody has seen.
    let error = fit.predict(Moved::PreCopy).unwrap_err().to_string();
    assert!(error.ends_with("no recording of pre-copy"), "{error}");
    let validation = Validation::leave_one_out(&[recording.clone(), recording]);
    let total = |of: &&Summed| of.moved == Moved::Hybrid && of.figure == Validated::TotalS;
    let summed = validation.summed();
    let total = summed.iter().find(total).unwrap();
    assert_eq!((total.n, total.within), (2, 2), "{validation:?}");
}

/// Each by its own; where it was not recorded, by the other.
#[test]
fn hybrid_and_post_copy_are_followed_in_their_own_ways() {
    let (pre_copy, _) = recorded(&model(400.0, 10.0, 64.0, Pattern::RoundRobin));
    let following = |moved: Moved, downtime_s: f64, push: f64| {
        let mut recording = Recording::new("one", moved);
        (recording.stop_s, recording.resume_s) = (Some(1.0), Some(1.0 + downtime_s));
        (recording.sent_after, recording.sent) = (Some(100.0 * MIB), Some(100.0 * MIB));
        recording.end_s = Some(1.0 + downtime_s + 100.0 * MIB / push);
        recording
    };
    let post_copy = following(Moved::PostCopy, 0.03, 200.0 * MIB);
    let hybrid = following(Moved::Hybrid, 0.33, 50.0 * MIB);
    let of = |recordings: &[Recording], moved: Moved| {
        let prediction = Fit::of(recordings).predict(moved).unwrap();
        (prediction.downtime_s, prediction.left / prediction.pulling_s / MIB)
    };
    let is = |(downtime_s, push): (f64, f64), wanted: (f64, f64)| {
        assert!(is_close(downtime_s, wanted.0, 1e-6) && is_close(push, wanted.1, 1e-6), "{push}");
    };
    let both = [pre_copy.clone(), post_copy.clone(), hybrid.clone()];
    is(of(&both, Moved::Hybrid), (0.33, 50.0));
    is(of(&both, Moved::PostCopy), (0.03, 200.0));
    is(of(&[pre_copy.clone(), post_copy], Moved::Hybrid), (0.03, 200.0));
    is(of(&[pre_copy, hybrid], Moved::PostCopy), (0.33, 50.0));
}

#[test]
fn what_is_not_there_is_said() {
    let nothing = Fit::of(&[]);
    assert!(nothing.known.is_empty() && nothing.users.is_empty());
    let error = nothing.predict(Moved::PreCopy).unwrap_err().to_string();
    assert_eq!(error, "the memory to send is not known: no recording of pre-copy or hybrid");
    let bare = Fit::of(&[Recording::new("bare", Moved::PreCopy)]);
    let reason = &bare.unknown[&Parameter::Memory];
    assert!(reason.contains("when passes over the memory began"), "{reason}");
    let given = bare.with_value(Parameter::Memory, 1.0).value(Parameter::Memory);
    assert_eq!(given, Ok(1.0));
}

/// A machine that writes to nothing is predicted; what it would be like if it did can be asked.
#[test]
fn an_idle_machine_dirties_nothing() {
    let (recording, truth) = recorded(&model(300.0, 0.0, 64.0, Pattern::Random));
    let mut recording = recording;
    // One look, at a second pass.
    let (end, left) = (recording.passes_s[1], recording.progress.last().unwrap().left);
    recording.passes_s.push(end + 0.1);
    recording.progress.push(Progress::new(end + 0.1, 300.0 * MIB, left, 3));
    recording.sent_in_stop = None;
    let fit = Fit::of(&[recording]);
    assert_eq!(fit.value(Parameter::DirtyRate), Ok(0.0), "{fit:#?}");
    let prediction = fit.predict(Moved::PreCopy).unwrap();
    assert!(is_close(prediction.total_s, truth.total_s, 0.05), "{prediction:?} {truth:?}");
    let busy = fit.with_value(Parameter::DirtyRate, 200.0 * MIB);
    let prediction = busy.predict(Moved::PreCopy).unwrap();
    assert!(!prediction.converges, "{busy:?} {prediction:?}");
}

/// Whatever is done before the first byte is done by every strategy that was not recorded.
#[test]
fn the_time_to_prepare_is_in_every_strategy() {
    let (recording, _) = recorded(&model(300.0, 5.0, 30.0, Pattern::Random));
    let fit = Fit::of(&[recording]).with_value(Parameter::PushBandwidth, 400.0 * MIB);
    let later = fit.clone().with_value(Parameter::PrepareS, 2.0);
    for moved in Moved::ALL {
        let [one, other] = [&fit, &later].map(|fit| fit.predict(moved).unwrap().total_s);
        assert!((other - one - 2.0).abs() < 1e-9, "{moved:?}: {one} {other}");
    }
}

#[test]
fn pre_copy_that_scatters_is_sorted_and_the_same_each_time() {
    let (recording, _) = recorded(&model(400.0, 14.0, 64.0, Pattern::Random));
    let mut fit = Fit::of(&[recording]);
    fit.dirtied.as_mut().unwrap().scatter = MIB;
    let all = fit.pre_copies(20).unwrap();
    assert_eq!(all, fit.pre_copies(20).unwrap());
    assert!(all.is_sorted_by(|a, b| a.total_s <= b.total_s));
    assert!(all[0].total_s < all[19].total_s);
}

fn pattern() -> impl Strategy<Value = Pattern> {
    prop_oneof![Just(Pattern::Random), Just(Pattern::RoundRobin)]
}

/// Numbers of all kinds, many of which no recording can have.
fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(0.0),
        -1e3..1e3_f64,
        prop::num::f64::ANY,
        0.0..20.0_f64,
    ]
}

fn any_recording() -> impl Strategy<Value = Recording> {
    let some = || prop::option::of(any_number());
    let progress =
        (any_number(), any_number(), any_number(), some()).prop_map(|(at, sent, left, rate)| {
            let mut progress = Progress::new(at, sent, left, 1);
            progress.dirty_rate = rate;
            progress
        });
    let moved = prop::sample::select(&Moved::ALL);
    (
        moved,
        prop::collection::vec(any_number(), 0..5),
        prop::collection::vec(progress, 0..6),
        [some(), some(), some(), some(), some(), some(), some(), some()],
    )
        .prop_map(|(moved, passes, progress, some)| {
            let mut recording = Recording::new("nonsense", moved);
            (recording.passes_s, recording.progress) = (passes, progress);
            (recording.stop_s, recording.resume_s, recording.end_s) = (some[0], some[1], some[2]);
            (recording.sent_all_s, recording.sent) = (some[3], some[4]);
            (recording.sent_in_stop, recording.sent_after) = (some[5], some[6]);
            let mut users = RecordedUsers::default();
            (users.late, users.counted_s, users.timeout_s) = (some[0], some[1], 10.0);
            let mut population = RecordedPopulation::default();
            (population.rate_per_s, population.usual_s) = (10.0, some[2].unwrap_or(0.01));
            (population.outage_s, population.late_beyond_s) = (some[3], 0.02);
            population.outage_is_least = some[4].is_some();
            users.populations.push(population);
            (recording.felt, recording.limit_s) = (Some(users), some[7]);
            recording
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever the machine, the fit to one recording predicts that migration.
    #[test]
    fn what_was_recorded_is_predicted(
        memory in 150.0..800.0_f64, rate in 1.0..14.0_f64, set in 15.0..150.0_f64,
        pattern in pattern(),
    ) {
        let model = model(memory, rate, set, pattern);
        let (recording, truth) = recorded(&model);
        prop_assume!(truth.converges);
        let prediction = Fit::of(&[recording]).predict(Moved::PreCopy).unwrap();
        prop_assert!(is_close(prediction.total_s, truth.total_s, 0.1), "{prediction:?} {truth:?}");
        prop_assert!((prediction.downtime_s - truth.downtime_s).abs() < 0.02);
    }

    /// Nonsense is passed over, or gives an error.
    #[test]
    fn nothing_is_too_odd(recordings in prop::collection::vec(any_recording(), 0..4)) {
        let fit = Fit::of(&recordings);
        for fitted in fit.known.values() {
            prop_assert!(fitted.value.is_finite() && fitted.value >= 0.0, "{fitted:?}");
        }
        for moved in Moved::ALL {
            if let Ok(prediction) = fit.predict(moved) {
                prop_assert!(!prediction.total_s.is_nan());
                let _ = fit.feel(moved, &prediction);
            }
        }
        prop_assert!(Validation::leave_one_out(&recordings).rows.len() <= 5 * recordings.len());
    }

    #[test]
    fn nor_are_dirtied_samples(samples in prop::collection::vec((any_number(), any_number()), 0..6)) {
        for fitted in Fit::of_dirtied(&samples).known.values() {
            prop_assert!(fitted.value.is_finite() && fitted.value >= 0.0, "{fitted:?}");
        }
    }
}

/// A word that is timed a little after a look, and knows nothing of it yet, is one from before.
#[test]
fn the_number_of_a_pass_is_better_than_a_time() {
    let (mut recording, _) = recorded(&model(400.0, 10.0, 64.0, Pattern::RoundRobin));
    let straight = Fit::of(std::slice::from_ref(&recording));
    for progress in &mut recording.progress {
        // Each word before a look comes a little after it.
        progress.at_s += 0.0015;
    }
    let late = Fit::of(&[recording]);
    let rates = [straight, late].map(|fit| fit.value(Parameter::DirtyRate).unwrap());
    assert!(is_close(rates[1], rates[0], 0.05), "{rates:?}");
}
