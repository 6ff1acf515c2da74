//! Programs that talk without pause: no limit lasts longer for that. Each script ends by
//! itself after a while, which the tests take for a limit that did not hold.

use std::process::Command;
use std::time::Duration;

use super::tests::{events, fired, names, reason, trigger};
use super::*;

const LOOK: Duration = Duration::from_millis(50);

/// Says `what` again and again for at least 10 s.
fn again(what: &str) -> String {
    format!("n=0; while [ $n -lt 500 ]; do {what}; sleep 0.02; n=$((n+1)); done")
}

/// What programs say without pause, none of which is an event of the course.
fn chatter() -> [String; 4] {
    [
        again("echo"),
        again("echo '{\"event\":\"progress\"}'"),
        "timeout 10 yes ''".to_owned(),
        "timeout 10 yes >&2".to_owned(),
    ]
}

#[test]
fn what_is_no_event_does_not_hold_a_look_up() {
    for talk in [again("echo"), "timeout 10 yes ''".to_owned(), "timeout 10 yes >&2".to_owned()] {
        let mut trigger = fired(trigger(&talk));
        assert_eq!(trigger.next_event(LOOK).unwrap().unwrap().kind, EventKind::Fired);
        assert_eq!(trigger.next_event(LOOK).unwrap(), None, "{talk}");
    }
}

#[test]
fn who_is_cancelled_ends_whatever_it_says() {
    for talk in chatter() {
        for trap in ["", "trap '' TERM; "] {
            let script = format!("{trap}echo '{{\"event\":\"setup\"}}'; {talk}");
            let mut trigger = fired(trigger(&script).with_grace(Duration::from_millis(100)));
            while trigger
                .next_event(LOOK)
                .unwrap()
                .is_none_or(|event| event.kind != EventKind::Setup)
            {}
            trigger.cancel().unwrap();
            let told = events(&mut trigger);
            let last = told.last().unwrap();
            assert_eq!(last.kind, EventKind::Cancelled, "{script}: {last:?}");
            let killed = reason(last).contains("did not end when asked");
            assert!(killed || trap.is_empty(), "{script}: {last:?}");
            assert_eq!(trigger.settle(last).unwrap().ending, Ending::Cancelled);
        }
    }
}

#[test]
fn a_chatty_child_does_not_hold_the_end_of_its_program() {
    let completed = "echo '{\"event\":\"completed\"}'";
    for says in ["echo", "echo '{\"event\":\"progress\"}'"] {
        for end in [completed, "true"] {
            let script = format!("({}) & echo $! >&2; {end}; exit 0", again(says));
            let mut trigger = fired(trigger(&script));
            let told = events(&mut trigger);
            assert_eq!(names(&told).last().unwrap(), "completed", "{script}");
            let settled = trigger.settle(told.last().unwrap()).unwrap();
            assert_eq!(settled.ending, Ending::Completed, "{:?}", settled.reason);
            let child = settled.details["stderr"].as_str().unwrap().to_owned();
            // One that has ended, and was not reaped, has no command line any more.
            let line = std::fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
            assert!(!line.is_empty(), "{script}: it was waited for");
            assert!(Command::new("kill").arg(&child).status().unwrap().success());
        }
    }
}

#[test]
fn the_number_of_a_round_does_not_overflow() {
    let mut trigger = fired(trigger(
        "echo '{\"event\":\"round\",\"round\":4294967295}'; echo '{\"event\":\"round\"}'
         echo '{\"event\":\"completed\"}'",
    ));
    let told = events(&mut trigger);
    let wanted = ["fired", "round 4294967295", "round 4294967295", "completed"];
    assert_eq!(names(&told), wanted);
    assert_eq!(trigger.settle(&told[3]).unwrap().ending, Ending::Completed);
}
