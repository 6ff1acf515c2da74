//! What a plan says of itself, and which plans are refused.

use super::*;
use crate::ListedRequest;
use crate::schedule::Schedule;
use crate::secret::Secret;
use crate::session::{Burst, Script, ScriptedCall, ScriptedSession};

fn plan() -> Plan {
    let target = Target::parse("http://127.0.0.1/").unwrap();
    Plan::new(target, Load::established(Schedule::constant(100.0)))
}

#[test]
fn loads_have_names_that_tell_them_apart() {
    let schedule = Schedule::constant(10.0);
    let (kept, fresh) = (Load::established(schedule.clone()), Load::fresh(schedule));
    let named = |name: &str| plan().with_load(name, kept.clone());
    let many = (0..64).fold(plan(), |plan, k| plan.with_load(&format!("l{k}"), kept.clone()));
    for (plan, word) in [
        (named("load"), "one that no other load has"),
        (named(""), "from 1 to 64 characters"),
        (named("a b"), "from 1 to 64 characters"),
        (named("a\u{1b}[2J"), r#""a\u{1b}[2J""#),
        (named(&"x".repeat(65)), "from 1 to 64 characters"),
        (many, "the number of loads"),
        (named("a").with_load("b", kept.clone().with_calls_per_connection(1)), "is a newcomer"),
        (named("a").with_probe(fresh.clone().with_calls_per_connection(2)), "have one call"),
    ] {
        let error = plan.validate().unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
    // The probe comes first, wherever it was added; the same name replaces.
    let plan = named("b").with_load("a", kept.clone()).with_probe(kept.clone());
    let plan = plan.with_load("b", fresh.clone());
    let names: Vec<_> = plan.named_loads().map(|(name, _)| name).collect();
    assert_eq!(names, ["load", "probe", "b", "a"]);
    assert_eq!((plan.probe(), plan.load_at(2)), (Some(&kept), &fresh));
    plan.validate().unwrap();
    let json = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
    let twice = json.replace(r#""name":"a""#, r#""name":"b""#);
    let twice: Plan = serde_json::from_str(&twice).unwrap();
    assert!(twice.validate().unwrap_err().to_string().contains("no other load has"));
}

/// What a load says of its requests stands in place of what the plan says, and it is checked
/// in the same way.
#[test]
fn loads_have_requests_of_their_own() {
    let list = |path: &str| RequestList::given([ListedRequest::new(Request::get(), path)]);
    let kept = || Load::established(Schedule::constant(1.0));
    let both =
        plan().with_requests(list("/plan")).with_load("own", kept().with_requests(list("/own")));
    let of = |plan: &Plan, number: usize| {
        let load = plan.load_at(number);
        let list = plan.requests_of(load).map(|list| list.given_requests()[0].path.clone());
        (plan.request_of(load).method().to_owned(), list)
    };
    assert_eq!(of(&both, 0), ("GET".to_owned(), Some("/plan".to_owned())));
    assert_eq!(of(&both, 1), ("GET".to_owned(), Some("/own".to_owned())));
    let put = Request::get().with_method("PUT");
    let one = both.clone().with_load("own", kept().with_request(put.clone()));
    assert_eq!(of(&one, 1), ("PUT".to_owned(), None));
    let bad = || Request::get().with_header("A b", "c");
    let replay = Load::established(Schedule::Recorded(crate::Recorded::at_speed(1.0)));
    for (plan, word) in [
        (plan().with_load("own", kept().with_request(bad())), "A b"),
        (
            plan().with_load(
                "own",
                kept().with_requests(list("/")).with_request(put.with_path("/x")),
            ),
            "paths and bodies of their own",
        ),
        (plan().with_load("own", replay.clone()), "an access log of its own"),
        (
            plan().with_load("own", replay.with_requests(list("/"))),
            "a list of requests of that format",
        ),
    ] {
        let error = plan.validate().unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
    assert!(!both.expects());
    let expected = kept().with_expectation("status=201".parse().unwrap());
    assert!(plan().with_load("own", expected).expects());
}

#[test]
fn a_plan_says_whose_calls_it_makes() {
    for load in [Load::established(Schedule::Closed), Load::fresh(Schedule::Closed)] {
        let plan = Plan { load: load.clone(), ..plan() };
        let mut written = serde_json::to_value(&plan).unwrap();
        assert_eq!(written["load"]["population"], load.population().name());
        // Plans of older versions did not.
        written["load"].as_object_mut().unwrap().remove("population");
        let read: Plan = serde_json::from_value(written).unwrap();
        assert_eq!(read.load().population(), load.population());
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
    let given = Plan::new(target, Load::established(Schedule::constant(100.0)));
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
    let with =
        |sessions| plan().with_probe(Load::fresh(Schedule::constant(7.0))).with_sessions(sessions);
    let per_s = |plan: &Plan| {
        let rates: Vec<_> = plan.loads().map(|load| plan.calls_per_s(load)).collect();
        rates
    };
    let rate = plan().load().schedule().rate_per_s();
    assert!(rate.is_some());
    assert_eq!(per_s(&plan()), [rate]);
    assert_eq!(per_s(&with(Sessions::connections(1))), [rate, Some(7.0)]);
    assert_eq!(per_s(&with(Sessions::connections(2))), [None, Some(7.0)]);
    // A rate that changes makes the longest gaps where it is lowest.
    let stages = Schedule::Profile("100/1s,100..5/1s,50/1s".parse().unwrap());
    assert_eq!(per_s(&Plan { load: Load::established(stages), ..plan() }), [Some(5.0)]);
}

#[test]
fn unsound_plans_are_refused() {
    let cases: [(Plan, &str); 10] = [
        (plan().with_tls(Tls::default()), "https"),
        (Plan { load: Load::established(Schedule::constant(f64::NAN)), ..plan() }, "rate"),
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
