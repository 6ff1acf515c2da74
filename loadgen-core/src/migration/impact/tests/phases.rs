//! The cuts between phases, and what lies in them.

use super::super::marks::Marks;
use super::*;

fn names(events: &[Event], warmup_end: Nanos) -> Vec<(String, Nanos, Nanos)> {
    let marks = Marks::new(events, warmup_end * MS, 1_000 * MS);
    marks.cuts.into_iter().map(|cut| (cut.name, cut.start / MS, cut.end / MS)).collect()
}

fn check(events: &[(EventKind, Nanos)], expected: &[(&str, Nanos, Nanos)]) {
    let events: Vec<Event> = events.iter().map(|(k, at)| event(k.clone(), at * MS)).collect();
    let expected: Vec<_> = expected.iter().map(|(n, s, e)| ((*n).to_owned(), *s, *e)).collect();
    assert_eq!(names(&events, 50), expected);
}

#[test]
fn every_phase_of_a_known_run() {
    let phases = Run::new().impact().migration.phases;
    let shape: Vec<_> =
        phases.iter().map(|p| (p.name.as_str(), p.start_s, p.end_s, p.counts.offered)).collect();
    assert_eq!(
        shape,
        [
            ("warm-up", 0.0, 1.0, 100),
            ("before", 1.0, 4.0, 300),
            ("setup", 4.0, 4.1, 10),
            ("round 1", 4.1, 4.5, 40),
            ("round 2", 4.5, 5.0, 50),
            ("blackout", 5.0, 5.305, 31),
            ("after", 5.305, 10.0, 469),
        ]
    );
    let dark = &phases[5];
    let counts = dark.counts;
    assert_eq!((counts.started, counts.answered, counts.failed), (31, 29, 2));
    assert_eq!((counts.shed, counts.unfinished, counts.censored), (0, 0, 2));
    assert_eq!(dark.error_replies, 1);
    assert_eq!(dark.errors.clone().into_iter().collect::<Vec<_>>(), [("head-timeout".into(), 2)]);
    // Good ones only: 307 ms down to 37 ms, the median of 28 is 167 ms.
    assert_eq!(dark.response_time.count, 28);
    assert!((dark.response_time.p50_us.unwrap() / 167_000.0 - 1.0).abs() < 1e-3);
    assert!((dark.response_time.max_us.unwrap() / 307_000.0 - 1.0).abs() < 1e-3);
    assert_eq!((dark.response_time.p90_us, dark.goodput_per_s), (None, Some(0.0)));
    assert_eq!(dark.bytes_per_s, Some(0.0));
    let after = &phases[6];
    assert!((after.goodput_per_s.unwrap() - (28.0 + 469.0) / 4.695).abs() < 1e-9);
    assert!((after.bytes_per_s.unwrap() - 100.0 * (29.0 + 469.0) / 4.695).abs() < 1e-6);
    assert!(after.response_time.histogram.is_some());
}

#[test]
fn what_a_manager_prepares_is_a_phase_of_its_own() {
    use EventKind::*;
    let mut events = vec![event(Fired, 100 * MS)];
    events.push(event(Accepted, 400 * MS).with("preparation_s", 0.3));
    for (kind, at) in [(Round(1), 410), (Stop, 500), (Resume, 520), (Completed, 520)] {
        events.push(event(kind, at * MS));
    }
    let of = |name: &str, start, end| (name.to_owned(), start, end);
    assert_eq!(
        names(&events, 50),
        [
            of("warm-up", 0, 50),
            of("before", 50, 100),
            of("preparation", 100, 400),
            of("setup", 400, 410),
            of("round 1", 410, 500),
            of("blackout", 500, 520),
            of("after", 520, 1000),
        ]
    );
    let marks = Marks::new(&events, 50 * MS, 1_000 * MS);
    assert_eq!(marks.total(), Some(120 * MS));
}

#[test]
fn pre_copy_as_qemu_tells_it() {
    use EventKind::*;
    check(
        &[
            (Fired, 100),
            (Accepted, 101),
            (Setup, 102),
            (Round(1), 110),
            (Round(2), 290),
            (Stop, 314),
            (Round(3), 315),
            (Completed, 318),
            (Resume, 330),
            (Completed, 331),
        ],
        &[
            ("warm-up", 0, 50),
            ("before", 50, 100),
            ("setup", 100, 110),
            ("round 1", 110, 290),
            ("round 2", 290, 314),
            ("blackout", 314, 330),
            ("after", 330, 1000),
        ],
    );
}

#[test]
fn post_copy_as_qemu_tells_it() {
    use EventKind::*;
    check(
        &[
            (Fired, 100),
            (Round(1), 110),
            (PostCopy, 212),
            (Stop, 213),
            (Round(2), 214),
            (PostCopy, 218),
            (Resume, 230),
            (Completed, 300),
            (Completed, 301),
        ],
        &[
            ("warm-up", 0, 50),
            ("before", 50, 100),
            ("setup", 100, 110),
            ("round 1", 110, 213),
            ("blackout", 213, 230),
            ("post-copy", 230, 300),
            ("after", 300, 1000),
        ],
    );
}

#[test]
fn a_pause_is_a_phase_of_post_copy() {
    use EventKind::*;
    check(
        &[
            (Fired, 100),
            (Round(1), 110),
            (PostCopy, 212),
            (Stop, 213),
            (Resume, 230),
            (Paused, 300),
            (Recovering, 690),
            (PostCopy, 700),
            (Completed, 800),
        ],
        &[
            ("warm-up", 0, 50),
            ("before", 50, 100),
            ("setup", 100, 110),
            ("round 1", 110, 213),
            ("blackout", 213, 230),
            ("post-copy", 230, 300),
            ("paused", 300, 690),
            ("recovering", 690, 700),
            ("post-copy", 700, 800),
            ("after", 800, 1000),
        ],
    );
}

#[test]
fn post_copy_told_after_the_resume() {
    use EventKind::*;
    let events = [(Fired, 100), (Stop, 110), (Resume, 120), (PostCopy, 122), (Completed, 300)];
    let expected = [
        ("warm-up", 0, 50),
        ("before", 50, 100),
        ("migration", 100, 110),
        ("blackout", 110, 120),
        ("post-copy", 120, 300),
        ("after", 300, 1000),
    ];
    check(&events, &expected);
}

#[test]
fn stop_and_copy_stays_dark_until_it_resumes() {
    use EventKind::*;
    check(
        &[(Stop, 99), (Fired, 100), (Round(1), 110), (Completed, 290), (Resume, 300)],
        &[("warm-up", 0, 50), ("before", 50, 100), ("blackout", 100, 300), ("after", 300, 1000)],
    );
}

#[test]
fn triggers_that_tell_little() {
    use EventKind::*;
    check(
        &[(Fired, 100), (Completed, 400)],
        &[("warm-up", 0, 50), ("before", 50, 100), ("migration", 100, 400), ("after", 400, 1000)],
    );
    check(
        &[(Fired, 100), (Stop, 200), (Resume, 210), (Failed, 211)],
        &[
            ("warm-up", 0, 50),
            ("before", 50, 100),
            ("migration", 100, 200),
            ("blackout", 200, 210),
            ("after", 210, 1000),
        ],
    );
    check(&[(Fired, 100)], &[("warm-up", 0, 50), ("before", 50, 100), ("migration", 100, 1000)]);
    check(&[], &[("warm-up", 0, 50), ("before", 50, 1000)]);
    check(&[(Fired, 2000)], &[("warm-up", 0, 50), ("before", 50, 1000)]);
}

#[test]
fn more_than_twelve_rounds_are_joined() {
    let with = |rounds: u32| {
        let mut events = vec![event(EventKind::Fired, 100 * MS)];
        events.extend((1..=rounds).map(|k| event(EventKind::Round(k), (100 + u64::from(k)) * MS)));
        names(&events, 0)
    };
    // before, setup, twelve rounds.
    assert_eq!(with(12).len(), 14);
    assert_eq!(with(12)[13], ("round 12".to_owned(), 112, 1000));
    let joined = with(30);
    assert_eq!(joined.len(), 14);
    assert_eq!(joined[12].0, "round 11");
    assert_eq!(joined[13], ("rounds 12–30".to_owned(), 112, 1000));
}

/// Of several machines: while only others are moved, no phase of the loaded one goes on.
#[test]
fn others_are_moved_before_and_after_the_loaded_machine() {
    use EventKind::*;
    let mark = |name: &str| Mark(format!("machine {name}"));
    check(
        &[
            (Fired, 100),
            (Accepted, 101),
            (mark("2 stop"), 150),
            (mark("2 completed"), 200),
            (mark("1 accepted"), 210),
            (Round(1), 220),
            (Stop, 300),
            (Resume, 330),
            (mark("1 completed"), 340),
            (Completed, 340),
        ],
        &[
            ("warm-up", 0, 50),
            ("before", 50, 100),
            ("others", 100, 210),
            ("setup", 210, 220),
            ("round 1", 220, 300),
            ("blackout", 300, 330),
            ("after", 330, 1_000),
        ],
    );
    let after = |more: &[(EventKind, Nanos)]| {
        let first = [(Fired, 100), (Accepted, 101), (Round(1), 110), (Stop, 200), (Resume, 230)];
        let last = [(mark("1 completed"), 400), (mark("2 completed"), 500), (Completed, 500)];
        first.iter().chain(more).chain(&last).cloned().collect::<Vec<_>>()
    };
    let begin =
        [("warm-up", 0, 50), ("before", 50, 100), ("setup", 100, 110), ("round 1", 110, 200)];
    let of = |more: &[(&'static str, Nanos, Nanos)]| [&begin[..], more].concat();
    check(&after(&[]), &of(&[("blackout", 200, 230), ("others", 230, 500), ("after", 500, 1_000)]));
    let pulled = after(&[(PostCopy, 231)]);
    check(
        &pulled,
        &of(&[
            ("blackout", 200, 230),
            ("post-copy", 230, 400),
            ("others", 400, 500),
            ("after", 500, 1_000),
        ]),
    );
}
