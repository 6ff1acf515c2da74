//! The published JSON Schema against real reports, and both against the model.

use serde_json::{Value, json};

pub(crate) use super::schema_check::Schema;
use super::schema_check::leads;
use super::{
    Moments, Report, SessionOutcomes, SessionsReport, TagImpact, TagReport, TagSpan, sample,
};
use crate::net::tls::{Tls, TlsVersion};
use crate::request::Request;
use crate::schedule::{GapLaw, GapStep, GapSteps, Gaps, Schedule};
use crate::session::{Burst, Script, ScriptedCall, ScriptedSession, Sessions, Uris};
use crate::workload_file::{ListedRequest, RequestFormat, RequestList};
use crate::{Aborted, Arrival, CallLimit, Recorded, RequestBuf};

fn schema() -> Schema {
    Schema::read("report.schema.json")
}

/// The plans of the samples: of every kind.
pub(crate) fn plans() -> Vec<crate::Plan> {
    let plan = |report: Value| serde_json::from_value(report["plan"].clone()).unwrap();
    samples().into_iter().map(plan).collect()
}

fn samples() -> Vec<Value> {
    let mut deadline = sample::plain();
    deadline.plan = deadline.plan.with_deadline(std::time::Duration::from_secs(2)).with_request(
        Request::get().with_method("POST").with_header("X-A", "b").with_body(b"abc".to_vec()),
    );
    let times = deadline.response_time.clone();
    if let Some(fresh) = deadline.populations.get_mut("fresh") {
        fresh.response_time_error_status = times;
    }
    // The path has no setter yet; reading refuses it if the request has none.
    let mut deadline = serde_json::to_value(deadline).unwrap();
    deadline["plan"]["request"]["path"] = json!("/other");
    let proxy = json!({"url": "http://p:1", "authorization": "Basic eA=="});
    deadline["plan"]["target"] =
        json!({"url": "http://h/", "proxy": proxy, "addresses": "all", "resolve_again": true});
    let deadline = Report::from_json(&deadline.to_string()).unwrap();
    let mut closed = sample::plain();
    closed.plan = crate::Plan::new(
        crate::Target::parse("http://user:password@[::1]/")
            .unwrap()
            .with_connect_to("127.0.0.1:80".parse().unwrap())
            .with_source_addresses(vec!["127.0.0.2".parse().unwrap()]),
        crate::Load::established(Schedule::Closed)
            .with_calls_per_connection(9)
            .with_close(crate::CloseMode::Reset)
            .with_pipeline(3)
            .with_max_connecting(10)
            .with_connect_rate(100.0)
            .with_read_rate(1e6),
    )
    .with_probe(
        crate::Load::established(Schedule::constant(1.0))
            .with_calls_per_connection(9)
            .with_close(crate::CloseMode::Client)
            .with_pipeline(2)
            .with_max_connecting(1)
            .with_connect_rate(1.0)
            .with_read_rate(1.0),
    );
    closed.plan = closed.plan.with_calls(CallLimit::Calls(9));
    let mut closed = with_another_load(closed);
    closed.loads = ["load", "probe", "another"].map(sample::load_report).into();
    closed.loads[0].response_time_wrong = Some(closed.response_time.clone());
    closed.loads[0].response_time_error_status = closed.response_time.clone();
    closed.loads[0].time_to_failure = closed.response_time.clone();
    closed.connected_to = Some(super::ConnectedTo {
        addresses: vec![super::AddressReport::default()],
        lookups: Some(2),
        lookups_failed: Some(1),
        lookup_error: Some("no such name".to_owned()),
        ..Default::default()
    });
    closed.generator = Some(super::GeneratorReport {
        longest_pause_ms: Some(100.0),
        longest_pause_at_s: Some(1.5),
        response_time_without: Some(closed.response_time.clone()),
        ..Default::default()
    });
    let mut encrypted = sample::plain();
    let tls = Tls { version: Some(TlsVersion::V1_3), server_name: "h".into(), ..Tls::default() };
    encrypted.plan = encrypted.plan.with_tls(tls);
    let times = encrypted.response_time.clone();
    encrypted.connect_time = Some(times.clone());
    for population in encrypted.populations.values_mut() {
        population.connect_time = Some(times.clone());
        population.tls_handshake_time = Some(times.clone());
    }
    encrypted.tls = Some(super::TlsReport {
        version: Some("1.3".to_owned()),
        cipher: Some("TLS_AES_128_GCM_SHA256".to_owned()),
        alpn: Some("http/1.1".to_owned()),
        handshake_time: times,
        first_failure: Some("refused".to_owned()),
        ..Default::default()
    });
    encrypted.plan = encrypted.plan.with_shard("1/2".parse().unwrap());
    let mut later = serde_json::to_value(sample::plain()).unwrap();
    later["plan"]["of_a_later_version"] = true.into();
    let reports = [
        sample::plain(),
        Report::from_json(&later.to_string()).unwrap(),
        encrypted,
        sample::merged(),
        sample::pre_copy(),
        sample::post_copy_cut(),
        sample::stop_and_copy(),
        sample::empty(),
        sample::hostile(),
        deadline,
        closed,
    ];
    let reports = reports.into_iter().chain(with_sessions()).chain(with_requests());
    reports.map(|report| serde_json::to_value(report).unwrap()).collect()
}

/// The same plan with a third load that does what the main one does.
fn with_another_load(mut report: Report) -> Report {
    let load = report.plan.load().clone();
    report.plan = report.plan.with_load("another", load);
    report
}

/// Reports of several requests, from wherever they come, with tags.
fn with_requests() -> Vec<Report> {
    let request = Request::get().with_header("A", "b").with_body(vec![1]).with_path("/b");
    let listed = ListedRequest::new(request, "/a").with_tag("t").with_weight(2.0);
    let listed = listed.with_expectation("size=1".parse().unwrap());
    let file = RequestList::file("f").with_format(RequestFormat::Urls).with_data("d.csv");
    let nothing = |_: u32| |_: Arrival, _: &mut RequestBuf| Ok(());
    let made = RequestList::made_by("m", nothing).with_tags(["t"]);
    let lists = [RequestList::given([listed]), file, RequestList::of_data("d.csv"), made];
    let reports = lists.map(|list| {
        let mut report = sample::pre_copy();
        let list = list.found_for_tests();
        let load = |load: crate::Load| {
            let request = Request::get().with_header("A", "b").with_body(vec![1]);
            let load = load.with_request(request.with_path("/b"));
            load.with_requests(list.clone()).with_expectation("size=1".parse().unwrap())
        };
        report.plan.load = load(report.plan.load.clone());
        report.plan = report.plan.with_probe(load(crate::Load::fresh(Schedule::constant(1.0))));
        report.plan = report.plan.with_requests(list.clone());
        report.plan = report.plan.with_expectation("status=200".parse().unwrap());
        report.plan = report.plan.with_check("c", |_| |_: &crate::Reply<'_>| Ok(()));
        report.plan = report.plan.with_calls(CallLimit::EachRequestOnce);
        report.plan = report.plan.with_abort_if("wrong>0".parse().unwrap());
        report.wrong = [("body".to_owned(), 1)].into();
        report.calls_file = Some(super::CallsFileReport {
            file: "calls.csv".into(),
            format: super::CallsFormat::Csv,
            written: 9,
            left_out: 1,
            error: Some("full".to_owned()),
        });
        let rule = "wrong>0".parse().unwrap();
        report.aborted = Some(Aborted { rule, at_s: 1.5, seen: "1 reply".to_owned() });
        report.response_time_wrong = Some(report.response_time.clone());
        report.tags = vec![TagReport {
            status: [("2xx".to_owned(), 1)].into(),
            errors: [("head-timeout".to_owned(), 1)].into(),
            response_time: report.response_time.clone(),
            ..TagReport::default()
        }];
        let response_time = report.response_time.clone();
        let span = TagSpan { response_time, ..TagSpan::default() };
        report.migration.as_mut().unwrap().tags = vec![TagImpact {
            before: span.clone(),
            during: span.clone(),
            after: span,
            ..TagImpact::default()
        }];
        with_another_load(report)
    });
    reports.into()
}

/// Reports of sessions, with every script, source of URIs and law of gaps; every law
/// as that of a probe, too.
fn with_sessions() -> Vec<Report> {
    let step = GapStep { gap_s: 0.1, duration_s: 1.0 };
    let steps = GapSteps::new(&[step]).unwrap();
    let call = ScriptedCall::new("GET", "/").with_body("a=b").with_header("X-A", "b");
    let session = ScriptedSession { bursts: vec![Burst { calls: vec![call], think_s: 0.1 }] };
    let cases = [
        (
            Script::Connection { calls: 1, burst: 1 },
            Uris::Fixed { uri: "/".into() },
            GapLaw::Constant { gap_s: 0.1 },
        ),
        (
            Script::Bursts { calls: 4, burst: 2, think_s: 0.1 },
            Uris::List { uris: vec!["/".into()], wrap: true },
            GapLaw::Uniform { least_s: 0.1, most_s: 0.2 },
        ),
        (
            Script::Pages { visits: 1, think_s: 0.1 },
            Uris::Set { prefix: "".into(), files: 2, miss_rate: 0.5, first: 0, stride: 1 },
            GapLaw::Exponential { mean_s: 0.1 },
        ),
        (
            Script::Log { sessions: vec![session] },
            Uris::Fixed { uri: "/".into() },
            GapLaw::Steps { steps },
        ),
    ];
    let reports = |(script, uris, law): (Script, Uris, GapLaw)| {
        let mut sessions = Sessions::scripted(script);
        sessions.uris = uris;
        let mut figures = SessionsReport::default();
        figures.replies.by_status.insert(200, 1);
        if sessions.are_scripted() {
            sessions.count = Some(1);
            sessions.servers = vec!["a".to_owned()];
            sessions.head.host = "a".into();
            sessions.socket.sources = vec!["127.0.0.2".parse().unwrap()];
            figures.connections.lifetime_ms = Some(Moments::default());
            figures.connections.lifetime_histogram = vec![(0, 1)];
            figures.tls_failure = Some("refused".to_owned());
            figures.reply_rate_samples = vec![1.0];
            figures.session_rate_samples = vec![1.0];
            figures.outcomes = Some(SessionOutcomes { by_replies: vec![0, 1], ..<_>::default() });
        }
        let target = crate::Target::parse("http://127.0.0.1/").unwrap();
        let load = crate::Load::established(Schedule::Drawn(Gaps { law, client: 0 }));
        let mut probed = sample::plain();
        probed.plan = probed.plan.with_probe(load.clone());
        let mut report = sample::plain();
        sessions.preflight = true;
        sessions = sessions.with_head_of(&Request::get().with_header("A", "b"));
        report.plan = crate::Plan::new(target, load).with_sessions(sessions);
        report.sessions = Some(figures);
        [probed, report]
    };
    let profiles = ["0..10/1s,10/2s", "sine:1..9/1s"].map(|text| {
        let mut report = sample::plain();
        let schedule = Schedule::Profile(text.parse().unwrap());
        let target = crate::Target::parse("http://127.0.0.1/").unwrap();
        let load = crate::Load::established(schedule);
        report.plan = crate::Plan::new(target, load.clone()).with_probe(load);
        report
    });
    let mut custom = sample::plain();
    let load = crate::Load::established(Schedule::custom("c", std::time::Duration::from_secs));
    let target = crate::Target::parse("http://127.0.0.1/").unwrap();
    custom.plan = crate::Plan::new(target, load.clone()).with_probe(load);
    let mut replayed = sample::plain();
    let known = Recorded::at_speed(2.0).knowing(&[0, 1_000_000]);
    let log = RequestList::file("access.log").with_format(RequestFormat::AccessLog);
    let log = log.with_methods_that_change_state();
    let load = crate::Load::established(Schedule::Recorded(known)).with_requests(log.clone());
    let target = crate::Target::parse("http://127.0.0.1/").unwrap();
    replayed.plan = crate::Plan::new(target, load.clone()).with_probe(load).with_requests(log);
    let reports = cases.into_iter().flat_map(reports).chain(profiles).chain([replayed, custom]);
    reports.map(with_another_load).collect()
}

#[test]
fn reports_keep_to_the_schema_and_have_no_field_that_it_lacks() {
    let strict = schema().strict();
    for report in samples() {
        schema().validate(&report);
        strict.validate(&report);
    }
}

#[test]
fn the_schema_refuses_what_is_not_a_report() {
    let schema = schema();
    let good = serde_json::to_value(sample::stop_and_copy()).unwrap();
    assert!(schema.takes(&good));
    let changes: [fn(&mut Value); 6] = [
        |v| v["schema"] = json!("loadgen-report/2"),
        |v| v["counts"]["offered"] = json!(-1),
        |v| v["verdict"]["status"] = json!("perhaps"),
        |v| v["migration"]["strategy"] = json!("teleport"),
        |v| v["timeline"]["windows"][0]["populations"]["fresh"]["p50_us"] = json!("1"),
        |v| {
            v["migration"]["phases"][0].as_object_mut().unwrap().remove("counts");
        },
    ];
    for (i, change) in changes.into_iter().enumerate() {
        let mut bad = good.clone();
        change(&mut bad);
        assert!(!schema.takes(&bad), "change {i}");
    }
}

#[test]
fn the_schema_has_no_field_that_reports_lack() {
    let all = schema().paths();
    assert!(all.len() > 150, "{}", all.len());
    let missing = schema().not_in(&samples());
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn required_fields_are_those_that_reading_requires() {
    // What the schema lets be left out, reading must do without.
    let mut value = serde_json::to_value(sample::stop_and_copy()).unwrap();
    value.as_object_mut().unwrap().remove("migration");
    schema().validate(&value);
    assert!(Report::from_json(&value.to_string()).unwrap().migration.is_none());
}

#[test]
fn the_contract_paths_exist() {
    let report = serde_json::to_value(sample::stop_and_copy()).unwrap();
    let times = "{count,min_us,mean_us,p50_us,p90_us,p99_us,p99_9_us,p99_99_us,max_us,histogram}";
    let outage = "{longest_gap,sum_of_gaps,gaps,bound}";
    let contract = [
        "schema,tool.{name,version},plan.seed,environment.{kernel,cpu,threads},started_at,duration_s",
        "verdict.{status,reasons}",
        "counts.{offered,started,answered,failed,shed,censored,reconnects}",
        "rates.{offered_per_s,started_per_s,answered_per_s}",
        &format!("response_time.{times},service_time.{times},lag.{times}"),
        "status.2xx,errors.head-timeout,bytes.{sent,received},cpu.{user_s,system_s}",
        "populations.{established,fresh},timeline.{window_ms,windows}",
        "events[].{name,at_s,uncertainty_s,source,attributes}",
        "migration.{trigger,strategy,simulated,recovery_ms,calls_lost}",
        "migration.total_migration_time_ms.{trigger,hypervisor}",
        "migration.downtime_ms.{reported,events,bound}",
        &format!("migration.outage_ms.established.{outage},migration.outage_ms.fresh.{outage}"),
        "migration.phases[].{name,start_s,end_s,counts,response_time,errors,bytes_per_s}",
        "migration.truth.downtime_ms",
    ];
    let mut paths = Vec::new();
    for line in contract {
        // Commas inside of braces separate names, outside of them paths.
        let mut rest = line;
        while !rest.is_empty() {
            let brace = rest.find('{').filter(|b| rest.find(',').is_none_or(|comma| *b < comma));
            let end = match brace {
                Some(_) => rest.find('}').unwrap() + 1,
                None => rest.find(',').unwrap_or(rest.len()),
            };
            let (path, next) = rest.split_at(end);
            match brace {
                Some(brace) => paths.extend(
                    path[brace + 1..end - 1].split(',').map(|n| format!("{}{n}", &path[..brace])),
                ),
                None => paths.push(path.to_owned()),
            }
            rest = next.trim_start_matches(',');
        }
    }
    assert!(paths.len() > 80, "{}", paths.len());
    for path in paths {
        assert!(leads(&report, &path), "{path}");
    }
}

/// Wherever a later version puts a setting, the plan that is read knows that there was one, or
/// cannot be read: it is never taken for a plan without it.
#[test]
fn no_setting_of_a_later_version_is_passed_over_in_silence() {
    let mut kept = 0;
    for plan in samples().into_iter().map(|report| report["plan"].clone()) {
        for holder in objects(&plan) {
            let mut later = plan.clone();
            later.pointer_mut(&holder).unwrap()["of_a_later_version"] = json!({"a": 1});
            match serde_json::from_value::<crate::Plan>(later) {
                Ok(read) => {
                    let unknown = read.unknown_settings();
                    let names = |path: &String| path.ends_with("of_a_later_version");
                    assert!(unknown.iter().any(names), "'{holder}' of {plan}");
                    kept += 1;
                }
                // A map, or an object that is the name of its one field.
                Err(error) => {
                    let is_one =
                        ["/calls", "/skipped", "/order"].iter().any(|end| holder.ends_with(end));
                    assert!(is_one, "'{holder}' of {plan}: {error}");
                }
            }
        }
    }
    assert!(kept > 100, "{kept}");
}

/// The JSON pointers of all objects in a document.
fn objects(document: &Value) -> Vec<String> {
    let below = |step: String, value: &Value| {
        objects(value).into_iter().map(|rest| format!("/{step}{rest}")).collect::<Vec<_>>()
    };
    match document {
        Value::Object(fields) => {
            let inner = fields.iter().flat_map(|(key, value)| below(key.clone(), value));
            std::iter::once(String::new()).chain(inner).collect()
        }
        Value::Array(elements) => {
            let elements = elements.iter().enumerate();
            elements.flat_map(|(index, value)| below(index.to_string(), value)).collect()
        }
        _ => Vec::new(),
    }
}
