//! Small shell scripts as trigger programs. The time limits are generous: they
//! only keep a broken test from hanging.

use std::time::{Duration, Instant};

use super::*;
use crate::clock::SECOND;

const LIMIT: Duration = Duration::from_secs(20);

pub(super) fn trigger(script: &str) -> CommandTrigger {
    let argv = ["sh", "-c", script].map(str::to_owned).to_vec();
    CommandTrigger::new(argv).unwrap().with_grace(Duration::from_secs(5))
}

pub(super) fn fired(mut trigger: CommandTrigger) -> CommandTrigger {
    let mut context = Context::new("run-7", Clock::start());
    context.trial = 3;
    trigger.inspect().unwrap();
    trigger.arm(&context).unwrap();
    trigger.fire().unwrap();
    trigger
}

/// All events up to the final one.
pub(super) fn events(trigger: &mut CommandTrigger) -> Vec<Event> {
    let deadline = Instant::now() + LIMIT;
    let mut events = Vec::new();
    loop {
        assert!(Instant::now() < deadline, "no final event after {events:?}");
        if let Some(event) = trigger.next_event(Duration::from_millis(200)).unwrap() {
            let last = event.kind.is_final();
            events.push(event);
            if last {
                return events;
            }
        }
    }
}

pub(super) fn names(events: &[Event]) -> Vec<String> {
    events.iter().map(|event| event.kind.to_string()).collect()
}

pub(super) fn reason(event: &Event) -> &str {
    event.attributes["reason"].as_str().unwrap()
}

#[test]
fn lines_become_events_with_their_times() {
    let mut trigger = fired(trigger(
        r#"now=$(date +%s.%N); sleep 0.2
           echo '{"event":"accepted"}'; echo
           echo '{"event":"round"}'; echo '{"event":"round"}'; echo '{"event":"round","round":7}'
           echo "{\"event\":\"stop\",\"t\":$now,\"host\":\"a\"}"
           echo "{\"event\":\"resume\",\"t\":1.5,\"received_after_s\":0}"
           echo '{"event":"mark","name":"here","uncertainty_s":0.5}'
           printf '{"event":"completed","downtime_ms":12.5,"transferred_bytes":1000,"on_target":true}'"#,
    ));
    let clock = trigger.run.as_ref().unwrap().clock;
    let events = events(&mut trigger);
    assert_eq!(
        names(&events),
        [
            "fired",
            "accepted",
            "round 1",
            "round 2",
            "round 7",
            "stop",
            "resume",
            "here",
            "completed"
        ]
    );
    let (fired, accepted, stop, resume) = (&events[0], &events[1], &events[5], &events[6]);
    assert!(accepted.at > fired.at + SECOND / 5, "receipt time: after the sleep");
    assert!(accepted.uncertainty >= RECEIPT_UNCERTAINTY);
    assert!(stop.at + SECOND / 5 <= accepted.at, "its own time: before the sleep");
    assert!(stop.at + stop.uncertainty >= fired.at && stop.uncertainty < SECOND / 20, "{stop:?}");
    assert_eq!(stop.attributes["host"], "a");
    assert_eq!(resume.attributes["t_refused"], 1.5);
    assert!(!resume.attributes.contains_key("received_after_s"), "that is our word");
    assert!(resume.at >= accepted.at && resume.at <= clock.now());
    assert_eq!(events[7].uncertainty, RECEIPT_UNCERTAINTY + SECOND / 2);
    let settled = trigger.settle(&events[8]).unwrap();
    assert_eq!(settled.hypervisor_downtime, Some(Duration::from_micros(12_500)));
    assert_eq!((settled.transferred_bytes, settled.on_target), (Some(1000), Some(true)));
    assert_eq!(settled.hypervisor_total, None);
    assert_eq!(settled.details["exit"], "the program exited with code 0");
}

#[test]
fn the_digits_of_a_time_tell_its_resolution() {
    let clock = Clock::start();
    let now = clock.started_at().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let reading = Reading { clock, fired_at: 0, received: 3 * SECOND, next_round: 1 };
    let event = |t: String| {
        line::parse(format!(r#"{{"event":"stop","t":{t}}}"#).as_bytes(), &reading).unwrap()
    };
    let mapping = clock.from_wall(clock.started_at()).1;
    assert_eq!(event(format!("{}", now + 2)).uncertainty, mapping + SECOND);
    assert_eq!(event(format!("{}.10", now + 2)).uncertainty, mapping + SECOND / 100);
    let exact = event(format!("{}.123456789", now + 2));
    assert_eq!(exact.uncertainty, mapping + 1);
    // No rounding through a double: the ns are those that were printed.
    let whole = event(format!("{}.000000000", now + 2));
    assert_eq!(exact.at - whole.at, 123_456_789);
    assert!(event(format!("{}.5", now + 60)).attributes.contains_key("t_refused"));
    // The last that the clock can hold, and a day more.
    let last = event("9223372036854774784,\"uncertainty_s\":86400".to_owned());
    assert!(last.attributes.contains_key("t_refused"));
}

#[test]
fn environment_and_exit_zero() {
    let script = r#"[ "$LOADGEN_RUN_ID/$LOADGEN_TRIAL/$LOADGEN_STRATEGY" = run-7/3/post-copy ]"#;
    let mut with = fired(trigger(script).with_strategy(Strategy::PostCopy));
    assert_eq!(names(&events(&mut with)), ["fired", "completed"]);
    let mut without = fired(trigger(script));
    assert_eq!(names(&events(&mut without)), ["fired", "failed"]);
}

#[test]
fn failing_programs_say_why() {
    let mut one = fired(trigger("echo '{\"event\":\"stop\"}'; echo no route >&2; exit 1"));
    let told = events(&mut one);
    assert_eq!(names(&told), ["fired", "stop", "failed"]);
    assert_eq!(reason(&told[2]), "the program exited with code 1: no route");
    assert_eq!(one.settle(&told[2]).unwrap().details["stderr"], "no route");

    let mut own = fired(trigger("echo '{\"event\":\"failed\",\"reason\":\"no host\"}'; exit 0"));
    let told = events(&mut own);
    assert_eq!(own.settle(&told[1]).unwrap().reason.as_deref(), Some("no host"));

    let mut killed = fired(trigger("kill -9 $$"));
    assert_eq!(reason(&events(&mut killed)[1]), "the program was ended by signal 9");

    let mut flood =
        fired(trigger("i=0; while [ $i -lt 2000 ]; do echo e$i >&2; i=$((i+1)); done; exit 2"));
    let told = events(&mut flood);
    assert!(reason(&told[1]).starts_with("the program exited with code 2: e1990\n"));
}

#[test]
fn a_contradicted_completion_is_a_failure_that_tells_both() {
    let completed = "echo '{\"event\":\"completed\",\"downtime_ms\":5}'";
    let told_failed = "echo '{\"event\":\"failed\",\"reason\":\"no host\"}'";
    let cases = [
        (format!("{completed}; echo rolled back >&2; exit 3"), "exited with code 3: rolled back"),
        (format!("{completed}; kill -9 $$"), "was ended by signal 9"),
        (format!("{completed}; {told_failed}"), "then told 'failed' (no host)"),
        (
            "echo '{\"event\":\"completed\",\"on_target\":false}'".to_owned(),
            "does not run at the target",
        ),
    ];
    for (script, against) in cases {
        let mut trigger = fired(trigger(&script));
        let told = events(&mut trigger);
        assert_eq!(names(&told), ["fired", "completed"], "{script}");
        let settled = trigger.settle(&told[1]).unwrap();
        assert_eq!(settled.ending, Ending::Failed, "{script}");
        let reason = settled.reason.unwrap();
        assert!(reason.starts_with("the program told 'completed', but "), "{reason}");
        assert!(reason.contains(against), "{script}: {reason}");
    }
}

#[test]
fn what_is_no_contradiction_stays() {
    // Said twice, ended by us since it went on, and failed with exit 0.
    let completed = "echo '{\"event\":\"completed\"}'";
    let failed = "echo '{\"event\":\"failed\",\"reason\":\"no host\"}'";
    let cases = [
        (format!("{completed}; {completed}"), Ending::Completed, None),
        (format!("{completed}; sleep 300; exit 1"), Ending::Completed, None),
        (failed.to_owned(), Ending::Failed, Some("no host")),
        (
            format!("{failed}; {completed}"),
            Ending::Failed,
            Some("no host; the program then told 'completed'"),
        ),
    ];
    for (script, ending, reason) in cases {
        let mut trigger = fired(trigger(&script).with_grace(Duration::from_millis(300)));
        let told = events(&mut trigger);
        let settled = trigger.settle(told.last().unwrap()).unwrap();
        assert_eq!((settled.ending, settled.reason.as_deref()), (ending, reason), "{script}");
        assert!(settled.details.contains_key("exit"));
    }
}

#[test]
fn a_paused_post_copy_can_be_told() {
    let mut trigger = fired(trigger(
        "echo '{\"event\":\"post-copy\"}'; echo '{\"event\":\"paused\",\"reason\":\"cut\"}'
         echo '{\"event\":\"recovering\"}'; echo '{\"event\":\"post-copy\"}'",
    ));
    let told = events(&mut trigger);
    let wanted = ["fired", "post-copy", "paused", "recovering", "post-copy", "completed"];
    assert_eq!(names(&told), wanted);
    assert_eq!(reason(&told[2]), "cut");
}

#[test]
fn garbage_ends_it_with_the_line_in_the_reason() {
    let cases = [
        ("printf '\\001Migrating 10%%\\n'; sleep 60", "not a JSON object: \\u{1}Migrating 10%"),
        ("echo '[1]'", "not a JSON object"),
        ("echo '{\"events\":\"stop\"}'", "it has no \"event\""),
        ("echo '{\"event\":\"stoped\"}'", "there is no event 'stoped'; known: accepted"),
        ("echo '{\"event\":\"stop\",\"t\":\"now\"}'", "\"t\" is not a number"),
        ("echo '{\"event\":\"stop\",\"uncertainty_s\":1e12}'", "of a day at most"),
        ("echo '{\"event\":\"round\",\"round\":-1}'", "\"round\" is not a whole number"),
        ("echo '{\"event\":\"completed\",\"downtime_ms\":\"x\"}'", "\"downtime_ms\" is not"),
        ("printf '\\377\\n'", "not UTF-8"),
        ("head -c 200000 /dev/zero | tr '\\0' x; sleep 60", "longer than 64 KiB"),
    ];
    for (script, why) in cases {
        let mut trigger = fired(trigger(script));
        let told = events(&mut trigger);
        assert_eq!(names(&told), ["fired", "failed"], "{script}");
        let reason = reason(&told[1]);
        assert!(reason.contains(why) && reason.len() < 500, "{script}: {reason}");
        let begun = Instant::now();
        assert_eq!(trigger.settle(&told[1]).unwrap().ending, Ending::Failed);
        assert!(begun.elapsed() < LIMIT, "a program that prints garbage is ended");
    }
}

#[test]
fn cancelling_reaches_the_whole_group() {
    // The shell waits for a child, which would hold the pipe for a minute.
    let mut trigger = fired(trigger("echo '{\"event\":\"setup\"}'; sleep 60; true"));
    let begun = Instant::now();
    while trigger.next_event(LIMIT).unwrap().unwrap().kind != EventKind::Setup {}
    assert!(trigger.next_event(Duration::from_millis(20)).unwrap().is_none());
    trigger.cancel().unwrap();
    let told = events(&mut trigger);
    assert_eq!(names(&told), ["cancelled"]);
    assert!(begun.elapsed() < LIMIT);
}

#[test]
fn a_program_that_ignores_sigterm_is_killed() {
    let script = "trap '' TERM; echo '{\"event\":\"setup\"}'; while :; do sleep 0.05; done";
    let mut trigger = fired(trigger(script).with_grace(Duration::from_millis(100)));
    while trigger.next_event(LIMIT).unwrap().unwrap().kind != EventKind::Setup {}
    trigger.cancel().unwrap();
    let told = events(&mut trigger);
    assert_eq!(names(&told), ["cancelled"]);
    assert!(reason(&told[0]).contains("did not end when asked"), "{}", reason(&told[0]));
}

#[test]
fn exit_zero_after_a_cancel_means_that_it_completed() {
    let script = "trap 'exit 0' TERM; echo '{\"event\":\"setup\"}'; while :; do sleep 0.05; done";
    let mut trigger = fired(trigger(script));
    while trigger.next_event(LIMIT).unwrap().unwrap().kind != EventKind::Setup {}
    trigger.cancel().unwrap();
    assert_eq!(names(&events(&mut trigger)), ["completed"]);
}

#[test]
fn dropping_ends_and_reaps() {
    let trigger = fired(trigger("sleep 60; true"));
    let pid = trigger.run.as_ref().unwrap().process.id();
    drop(trigger);
    assert!(!Path::new(&format!("/proc/{pid}")).exists(), "{pid} is still there");
}

#[test]
fn what_outlives_a_program_does_not_hold_its_end() {
    let begun = Instant::now();
    let mut trigger = fired(trigger("sleep 30 & echo '{\"event\":\"stop\"}'; echo $! >&2"));
    let told = events(&mut trigger);
    assert_eq!(names(&told), ["fired", "stop", "completed"]);
    let settled = trigger.settle(&told[2]).unwrap();
    assert!(begun.elapsed() < LIMIT);
    let child = settled.details["stderr"].as_str().unwrap().to_owned();
    assert!(Path::new(&format!("/proc/{child}")).exists(), "left to live");
    assert!(Command::new("kill").arg(&child).status().unwrap().success());
}

#[test]
fn missing_programs_are_found_out_before_the_load() {
    for program in ["./no-such-program", "no-such-program", "/etc/passwd"] {
        let mut trigger = CommandTrigger::new(vec![program.to_owned()]).unwrap();
        let error = trigger.inspect().unwrap_err().to_string();
        assert!(error.contains(program), "{error}");
        trigger.arm(&Context::new("r", Clock::start())).unwrap();
        assert!(matches!(trigger.fire(), Err(TriggerError::Io { .. })));
    }
    assert!(CommandTrigger::new(vec![]).is_err());
}

#[test]
fn a_program_out_of_reach_holds_nothing_up() {
    let mut trigger = fired(trigger("sleep 300").with_grace(Duration::from_millis(10)));
    let process = &mut trigger.run.as_mut().unwrap().process;
    process.out_of_reach = true;
    let pid = process.id();
    assert_eq!(process.reap().unwrap_err().kind(), std::io::ErrorKind::TimedOut);
    let refused = trigger.cancel().unwrap_err().to_string();
    assert!(refused.contains("not permitted"), "{refused}");
    let last = Event::new(EventKind::Completed, 0, 0, "test");
    assert!(trigger.settle(&last).is_err());
    let asked = Instant::now();
    drop(trigger);
    assert!(asked.elapsed() < LIMIT, "{:?}", asked.elapsed());
    crate::net::sys::signal_group(pid, libc::SIGKILL).unwrap();
}
