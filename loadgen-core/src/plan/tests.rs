//! What a plan says of itself, and which plans are refused.

use super::*;
use crate::schedule::Schedule;
use crate::secret::Secret;
use crate::session::{Burst, ScriptedCall, ScriptedSession};

fn plan() -> Plan {
    let target = Target::parse("http://127.0.0.1/").unwrap();
    Plan::new(target, Stream::established(Schedule::constant(100.0)))
}

#[test]
fn two_streams_of_one_population_are_refused() {
    let schedule = Schedule::constant(10.0);
    let (kept, fresh) = (Stream::established(schedule), Stream::fresh(schedule));
    let kept_for_two = kept.clone().with_calls_per_connection(2);
    let plan = |load: &Stream, probe: &Stream| {
        Plan { load: load.clone(), ..plan() }.with_probe(probe.clone())
    };
    for (load, probe, word) in [
        (&kept, &kept, "Stream::fresh"),
        (&kept, &kept_for_two, "Stream::fresh"),
        (&kept_for_two, &kept, "Stream::fresh"),
        (&fresh, &fresh, "leave out the probe"),
        (&kept.clone().with_calls_per_connection(1), &fresh, "every user is a newcomer"),
        (&kept, &fresh.clone().with_calls_per_connection(2), "have one call a connection"),
    ] {
        let error = plan(load, probe).validate().unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
    plan(&kept, &fresh).validate().unwrap();
    plan(&fresh, &kept).validate().unwrap();
    plan(&kept_for_two, &fresh).validate().unwrap();
}

#[test]
fn a_plan_says_whose_calls_it_makes() {
    for stream in [Stream::established(Schedule::Closed), Stream::fresh(Schedule::Closed)] {
        let plan = Plan { load: stream.clone(), ..plan() };
        let mut written = serde_json::to_value(&plan).unwrap();
        assert_eq!(written["load"]["population"], stream.population().name());
        // Plans of older versions did not.
        written["load"].as_object_mut().unwrap().remove("population");
        let read: Plan = serde_json::from_value(written).unwrap();
        assert_eq!(read.load().population(), stream.population());
    }
}

#[test]
fn a_plan_read_back_asks_for_its_secrets() {
    let mut sessions = Sessions::connections(1);
    sessions.head.after_host = "Cookie: hunter2\r\nX-A: 1\r\n".into();
    let mine = Request::get().with_secret_header("X-Mine", "hunter2");
    let call = ScriptedCall::new("GET", "/").with_header("X-Api-Key", "hunter2");
    let burst = Burst { calls: vec![call], think_s: 0.0 };
    let log = Script::Log { sessions: vec![ScriptedSession { bursts: vec![burst] }] };
    let target = Target::parse("http://u:hunter2@127.0.0.1/").unwrap();
    let given = Plan::new(target, Stream::established(Schedule::constant(100.0)));
    let request = Request::get().with_header("X-Api-Key", "hunter2");
    for (given, name) in [
        (given.clone().with_request(request), "X-Api-Key"),
        (given.clone().with_sessions(sessions), "Cookie"),
        (given.clone().with_sessions(Sessions::connections(1).with_head_of(&mine)), "X-Mine"),
        (given.with_sessions(Sessions::scripted(log)), "X-Api-Key"),
    ] {
        given.validate().unwrap();
        let json = serde_json::to_string(&given).unwrap();
        for written in [&json, &format!("{given:?}")] {
            assert!(!written.contains("hunter2") && !written.contains("aHVudGVy"), "{written}");
            // The bytes of the head, as `Debug` shows bytes.
            assert!(!written.contains("104, 117, 110"), "{written}");
        }
        let mut kept: Plan = serde_json::from_str(&json).unwrap();
        let error = kept.validate().unwrap_err().to_string();
        for (name, value) in [(name, "hunter2"), ("Authorization", "Basic dTpodW50ZXIy")] {
            assert!(error.contains(name), "{error}");
            let stood = kept.supply_secret(name, value).unwrap();
            assert_eq!(stood.is_same_as(&Secret::new(value)), Some(true), "{name}");
            assert!(kept.supply_secret(name, "x").is_none());
        }
        kept.validate().unwrap();
        assert_eq!(serde_json::to_string(&kept).unwrap(), json);
        assert!(kept == given);
    }
}

#[test]
fn an_https_url_is_encrypted_and_checked() {
    let of = |url: &str| Plan { target: Target::parse(url).unwrap(), ..plan() };
    let tls = of("https://h/").encryption().unwrap();
    assert!(tls.verify && !tls.stop_on_failure && !tls.resume);
    let sessions = of("https://h/").with_sessions(Sessions::connections(1));
    assert!(sessions.encryption().unwrap().resume);
    let given = of("https://h/").with_tls(Tls::unchecked());
    assert_eq!(given.encryption(), Some(Tls::unchecked()));
    assert_eq!(of("http://h/").encryption(), None);
}

/// Silences are measured by the time between calls, which arrivals do not tell that are
/// several.
#[test]
fn a_rate_is_one_of_calls_only_where_arrivals_are_calls() {
    let with = |sessions| {
        plan().with_probe(Stream::fresh(Schedule::constant(7.0))).with_sessions(sessions)
    };
    let per_s = |plan: &Plan| {
        let rates: Vec<_> = plan.streams().map(|stream| plan.calls_per_s(stream)).collect();
        rates
    };
    let rate = plan().load().schedule().rate_per_s();
    assert!(rate.is_some());
    assert_eq!(per_s(&plan()), [rate]);
    assert_eq!(per_s(&with(Sessions::connections(1))), [rate, Some(7.0)]);
    assert_eq!(per_s(&with(Sessions::connections(2))), [None, Some(7.0)]);
    // A rate that changes makes the longest gaps where it is lowest.
    let stages = Schedule::Profile("100/1s,100..5/1s,50/1s".parse().unwrap());
    assert_eq!(per_s(&Plan { load: Stream::established(stages), ..plan() }), [Some(5.0)]);
}

#[test]
fn unsound_plans_are_refused() {
    let cases: [(Plan, &str); 10] = [
        (plan().with_tls(Tls::default()), "https"),
        (Plan { load: Stream::established(Schedule::constant(f64::NAN)), ..plan() }, "rate"),
        (Plan { load: plan().load.with_connections(0), ..plan() }, "connections"),
        (Plan { load: plan().load.with_warm_connections(65), ..plan() }, "warm"),
        (plan().with_timeout(Duration::ZERO), "timeout"),
        (plan().with_threads(0), "threads"),
        (plan().with_threads(65), "thread"),
        (Plan { load: plan().load.with_max_connecting(1), ..plan() }.with_threads(2), "handshakes"),
        (
            Plan { load: plan().load.with_pipeline(2), ..plan() }.with_kernel_timestamps(),
            "timestamp",
        ),
        (
            plan().with_duration(Duration::from_secs(1)).with_warmup(Duration::from_secs(1)),
            "warm-up",
        ),
    ];
    for (plan, word) in cases {
        let error = plan.validate().unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
    plan().validate().unwrap();
}
