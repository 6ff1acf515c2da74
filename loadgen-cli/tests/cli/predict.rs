//! `loadgen predict`: numbers in, a prediction out; nothing is moved.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixListener;
use std::path::Path;

use serde_json::{Value, json};

use crate::common::{Outcome, run};

const MACHINE: [&str; 7] =
    ["predict", "--memory", "2GiB", "--dirty", "40MiB/s", "--working-set", "200MiB"];

fn predict(more: &[&str]) -> Outcome {
    run(MACHINE.iter().chain(more))
}

fn strategies(document: &Value) -> &Vec<Value> {
    document["predictions"][0]["strategies"].as_array().unwrap()
}

#[test]
fn numbers_give_every_strategy() {
    let users = ["--rate", "500", "--probe-rate", "50", "--max-lost", "0", "--timeout", "5s"];
    let outcome = predict(&[&["--bandwidth", "1Gbit/s", "--format", "json"], &users[..]].concat());
    let document = outcome.exits_with(0).json();
    let names: Vec<&str> =
        strategies(&document).iter().map(|of| of["strategy"].as_str().unwrap()).collect();
    assert_eq!(names, ["stop-and-copy", "pre-copy", "hybrid", "post-copy"]);
    // 2 GiB and 1 MiB of devices over 125 MB/s, and 20 ms to resume.
    let total = strategies(&document)[0]["total_s"].as_f64().unwrap();
    assert!((total - (2049.0 * 1_048_576.0 / 125e6 + 0.02)).abs() < 1e-9, "{total}");
    let lost = strategies(&document)[0]["users"]["fresh"]["failed"].as_u64().unwrap();
    assert!(lost > 500, "{lost}");
    assert_eq!(strategies(&document)[0]["breaks"][0]["figure"], "lost_calls");
    assert_ne!(document["predictions"][0]["best"]["strategy"], "stop-and-copy");
}

/// What it says would help does.
#[test]
fn what_does_not_converge_is_said_with_what_would_help() {
    let asked = ["--dirty", "190MiB/s", "--strategy", "pre-copy"];
    let at = |bandwidth: &str| {
        let machine =
            ["predict", "--memory", "2GiB", "--working-set", "400MiB", "--format", "json"];
        run(machine.iter().chain(&asked).chain(&["--bandwidth", bandwidth]))
    };
    let outcome = at("1Gbit/s").exits_with(3);
    assert!(outcome.stderr.contains("no strategy converges"), "{}", outcome.stderr);
    let document = outcome.json();
    assert_eq!(strategies(&document)[0]["total_s"], Value::Null);
    let enough = document["predictions"][0]["thresholds"]["bandwidth_bytes_per_s"]["value"]
        .as_f64()
        .unwrap();
    at(&format!("{}B/s", enough.ceil())).exits_with(0);
    // Also as it is printed for people.
    let machine =
        ["predict", "--memory", "2GiB", "--working-set", "400MiB", "--bandwidth", "1Gbit/s"];
    let text = run(machine.iter().chain(&asked)).exits_with(3).stdout;
    let (_, after) = text.split_once("a bandwidth of ").unwrap();
    let printed: String = after.split(',').next().unwrap().split_whitespace().collect();
    at(&printed).exits_with(0);
}

/// What one kind of users asks of a service is not left for the other, and a strategy is named once.
#[test]
fn a_capacity_is_of_all_users() {
    let at = |more: &[&str]| {
        let asked = ["--bandwidth", "1Gbit/s", "--capacity", "1000", "--format", "json"];
        let twice = ["--strategy", "pre-copy", "--strategy", "pre-copy"];
        let document = predict(&[&asked[..], &twice, more].concat()).exits_with(0).json();
        assert_eq!(strategies_of(&document), ["pre-copy"]);
        strategies(&document)[0]["users"]["established"]["recovery_s"].as_f64().unwrap()
    };
    let [alone, beside] = [at(&["--rate", "450"]), at(&["--rate", "450", "--probe-rate", "450"])];
    // 450 a second beyond what 550 are for, or beyond what 100 are.
    assert!(beside > 3.0 * alone, "{alone} {beside}");
}

fn strategies_of(document: &Value) -> Vec<&str> {
    strategies(document).iter().map(|of| of["strategy"].as_str().unwrap()).collect()
}

#[test]
fn a_prediction_is_kept_and_rendered() {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name).display().to_string();
    let (json, html, again) = (path("p.json"), path("p.html"), path("again.html"));
    predict(&["--bandwidth", "1Gbit/s", "-o", &json, "--html", &html]).exits_with(0);
    let text = run(["report", &json]).exits_with(0).stdout;
    assert_eq!(text, predict(&["--bandwidth", "1Gbit/s"]).exits_with(0).stdout);
    run(["report", &json, "--html", &again]).exits_with(0);
    assert_eq!(fs::read(&html).unwrap(), fs::read(&again).unwrap());
    let kept: Value = serde_json::from_str(&fs::read_to_string(&json).unwrap()).unwrap();
    assert_eq!(kept["schema"], "loadgen-prediction/1");
    let outcome = run(["report", &json, "--csv", "-"]).exits_with(2);
    assert!(outcome.stderr.contains("there is no --csv"), "{}", outcome.stderr);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let cases: [(&[&str], &str); 15] = [
        (&[], "without --bandwidth"),
        (&["--bandwidth", "0"], "the bandwidth must be a number above 0"),
        (&["--bandwidth", "1Gb/s"], "Gbit"),
        (&["--bandwidth", "1Gbit/s", "--compression", "0%"], "share above 0"),
        (&["--bandwidth", "1Gbit/s", "--strategy", "magic"], "stop-and-copy"),
        (&["--bandwidth", "1Gbit/s", "--rate", "10", "--syn-steps", "3s,1s"], "must rise"),
        (&["--bandwidth", "1Gbit/s", "--rate", "10", "--connections", "0"], "connections"),
        (&["--bandwidth", "1Gbit/s", "-o", "missing/p.json"], "does not exist"),
        // Nothing is said of users that are not there.
        (&["--bandwidth", "1Gbit/s", "--max-lost", "0"], "--max-lost is about users"),
        (&["--bandwidth", "1Gbit/s", "--timeout", "1s"], "--timeout is about users"),
        (&["--bandwidth", "1Gbit/s", "--rate", "9", "--capacity", "8"], "even without a migration"),
        (&["--bandwidth", "1Gbit/s", "--every", "0s"], "--every"),
        (&["--plan", "x.toml"], "--memory has no meaning with --plan"),
        (&["--bandwidth", "1Gbit/s", "--probe-rate", "9", "--data-steps", "3s"], "--rate"),
        (
            &["--bandwidth", "1Gbit/s", "--rate", "1", "--connections", "4294967295"],
            "at most 1,000,000",
        ),
    ];
    for (more, words) in cases {
        let outcome = predict(more).exits_with(2);
        assert!(outcome.stderr.contains(words), "{more:?}: {}", outcome.stderr);
        assert!(outcome.stdout.is_empty());
    }
}

/// Users that cannot be gone through cost nobody the figures of the machine.
#[test]
fn too_many_calls_are_told_and_the_machine_is_predicted() {
    let crowd = ["--bandwidth", "1Gbit/s", "--probe-rate", "40000", "--timeout", "10s"];
    let outcome = predict(&[&crowd[..], &["--strategy", "stop-and-copy"]].concat()).exits_with(0);
    let told = "it cannot be told what users would feel of stop-and-copy";
    assert!(outcome.stdout.contains(told), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("stop-and-copy is best"), "{}", outcome.stdout);
    // Nor whether it holds a limit on them.
    let limited = ["--strategy", "stop-and-copy", "--max-lost", "1000000"];
    let outcome = predict(&[&crowd[..], &limited].concat()).exits_with(3);
    assert!(outcome.stderr.contains("is known to hold the limits"), "{}", outcome.stderr);
}

/// What takes longer than from one move to the next cannot be made so often.
#[test]
fn a_move_that_takes_longer_than_its_interval_has_no_availability() {
    let given = ["--bandwidth", "1Gbit/s", "--every", "18s", "--format", "json"];
    let document = predict(&given).exits_with(0).json();
    let moved = document["predictions"][0]["availability"]["moved"].as_array().unwrap().clone();
    let moved: Vec<&str> = moved.iter().map(|of| of["strategy"].as_str().unwrap()).collect();
    let ends = |of: &&Value| of["total_s"].as_f64().is_some_and(|total_s| total_s < 18.0);
    let in_time: Vec<&str> = strategies(&document)
        .iter()
        .filter(ends)
        .map(|of| of["strategy"].as_str().unwrap())
        .collect();
    assert_eq!(moved, in_time);
    assert_eq!(in_time, ["stop-and-copy", "post-copy"]);
}

/// A report of a migration is enough of a pilot.
#[test]
fn a_report_is_fitted() {
    let sample =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/migration-lab/sample/report.json");
    let outcome = run(["predict", "--fit", sample, "--format", "json", "--strategy", "pre-copy"]);
    let document = outcome.exits_with(0).json();
    let total = strategies(&document)[0]["total_s"].as_f64().unwrap();
    // It took 11.54 s.
    assert!((total - 11.54).abs() < 0.6, "{total}");
    // Over twice the link it would take about half of it.
    let faster = ["predict", "--fit", sample, "--bandwidth", "64MiB/s", "--format", "json"];
    let document = run(faster).exits_with(0).json();
    let faster = strategies(&document)[1]["total_s"].as_f64().unwrap();
    assert!((0.4..0.6).contains(&(faster / total)), "{faster}");
    for option in
        [["--settle", "1s"], ["--rate", "5"], ["--pattern", "random"], ["--syn-steps", "1s"]]
    {
        let outcome = run(["predict", "--fit", sample].iter().chain(&option)).exits_with(2);
        let refused = format!("{} has no meaning with --fit", option[0]);
        assert!(outcome.stderr.contains(&refused), "{}", outcome.stderr);
    }
    let outcome = run(["predict", "--fit", "/nowhere"]).exits_with(2);
    assert!(outcome.stderr.contains("/nowhere"), "{}", outcome.stderr);
}

/// What the load did not see the end of holds no limit, and that is another answer than to break it.
#[test]
fn a_limit_that_cannot_be_judged_is_not_held() {
    let place = tempfile::tempdir().unwrap();
    let sample =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/migration-lab/sample/report.json");
    let mut report: Value = serde_json::from_str(&fs::read_to_string(sample).unwrap()).unwrap();
    let file = place.path().join("report.json");
    let predict = |report: &Value, limits: &[&str]| {
        fs::write(&file, report.to_string()).unwrap();
        let fit = ["predict", "--strategy", "pre-copy", "--fit", file.to_str().unwrap()];
        run(fit.iter().chain(limits))
    };
    let outcome = predict(&report, &["--max-outage", "10s", "--max-lost", "0"]).exits_with(0);
    assert!(outcome.stdout.contains("pre-copy is best"), "{}", outcome.stdout);
    for population in ["established", "fresh"] {
        report["migration"]["outage_ms"][population]["longest_gap_is_lower_bound"] = json!(true);
    }
    for limit in [["--max-outage", "10s"], ["--max-lost", "50"]] {
        let outcome = predict(&report, &limit).exits_with(3);
        let told = "no strategy is known to hold the limits";
        assert!(outcome.stderr.contains(told), "{}", outcome.stderr);
        assert!(
            outcome.stdout.contains("cannot be told whether pre-copy holds"),
            "{}",
            outcome.stdout
        );
    }
    // Shorter than what was seen of it already.
    let outcome = predict(&report, &["--max-outage", "50ms"]).exits_with(3);
    assert!(outcome.stderr.contains("no strategy holds the limits"), "{}", outcome.stderr);
    // Nobody was there to lose a call.
    let phases = report["migration"]["phases"].as_array_mut().unwrap();
    phases.retain(|phase| phase["name"] != "before");
    predict(&report, &["--max-downtime", "10s"]).exits_with(0);
    let outcome = predict(&report, &["--max-late", "5"]).exits_with(2);
    let told = "--max-late is about users, and the recordings tell of none";
    assert!(outcome.stderr.contains(told), "{}", outcome.stderr);
}

/// Of an experiment helped trials are no recordings; that is said, and the others are learnt from.
#[test]
fn trials_that_tell_nothing_are_left_out() {
    let sample =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/migration-lab/sample/report.json");
    let place = tempfile::tempdir().unwrap();
    // Of this seed pre-copy comes first.
    let plan = "trials = 1\nseed = 3\nwarm_up_blocks = 0\n[factors]\nstrategy = [\"pre-copy\", \"pre-copy+auto-converge\"]\n\
                [load]\nurl = \"http://10.0.0.1/\"\nrate = \"10\"\n[trigger]\nspec = \"simulated\"\n";
    fs::write(place.path().join("plan.toml"), plan).unwrap();
    for (index, strategy) in [(1, "pre-copy"), (2, "pre-copy+auto-converge")] {
        let trial = place.path().join(format!("trials/{index:04}"));
        fs::create_dir_all(&trial).unwrap();
        fs::copy(sample, trial.join("report.json")).unwrap();
        let record = json!({
            "index": index, "block": 1, "position": index, "cell": {"strategy": strategy},
            "repeats": 0, "warm_up": false, "status": "completed",
            "started_at": "2026-11-28T20:00:06.347Z", "took_s": 1.0,
            "report": format!("trials/{index:04}/report.json"), "metrics": {},
        });
        fs::write(trial.join("trial.json"), record.to_string()).unwrap();
    }
    let path = place.path().to_str().unwrap();
    let document = run(["predict", "--fit", path, "--format", "json"]).exits_with(0).json();
    let fit = &document["predictions"][0]["fit"];
    assert_eq!(fit["found"]["recordings"], json!(["trial 1"]));
    let left_out = fit["left_out"].to_string();
    assert!(left_out.contains("there is no model of pre-copy+auto-converge"), "{left_out}");
    assert!(run(["predict", "--fit", path]).exits_with(0).stdout.contains("trial 2"));
}

/// A QMP server of a machine that writes to 10 MiB/s of 32 MiB; returns its socket.
fn machine(folder: &Path) -> String {
    let path = folder.join("qmp.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let greeting = json!({"QMP": {
        "version": {"qemu": {"major": 7, "minor": 2, "micro": 22}, "package": ""},
        "capabilities": []
    }});
    std::thread::spawn(move || {
        let mut over_s = 0;
        for mut stream in listener.incoming().map_while(Result::ok) {
            let _ = writeln!(stream, "{greeting}");
            let reader = BufReader::new(stream.try_clone().unwrap());
            for line in reader.lines().map_while(Result::ok) {
                let asked: Value = serde_json::from_str(&line).unwrap();
                let told = match asked["execute"].as_str().unwrap() {
                    "query-status" => json!({"status": "running", "running": true}),
                    "query-name" => json!({"name": "web1"}),
                    "query-version" => greeting["QMP"]["version"].clone(),
                    "query-memory-size-summary" => json!({"base-memory": 512 << 20}),
                    "query-migrate-parameters" => {
                        json!({"max-bandwidth": 32 << 20, "downtime-limit": 500})
                    }
                    "query-migrate-capabilities" => json!([]),
                    "calc-dirty-rate" => {
                        over_s = asked["arguments"]["calc-time"].as_i64().unwrap();
                        json!({})
                    }
                    "query-dirty-rate" if over_s > 0 => json!({
                        "status": "measured", "sample-pages": 16384, "mode": "page-sampling",
                        "dirty-rate": (32 / over_s).min(10), "start-time": 1, "calc-time": over_s,
                    }),
                    "query-dirty-rate" => json!({"status": "unstarted"}),
                    _ => json!({}),
                };
                let _ = writeln!(stream, "{}", json!({"return": told, "id": asked["id"]}));
            }
        }
    });
    path.to_str().unwrap().to_owned()
}

/// What a machine says of itself is predicted from; what is said beside it goes before.
#[test]
fn a_running_machine_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let spec = format!("qmp:{},over=1s", machine(folder.path()));
    let ask = |more: &[&str]| {
        let outcome = run(["predict", "--live", &spec, "--format", "json"].iter().chain(more));
        outcome.exits_with(0).json()
    };
    let document = ask(&[]);
    let input = &document["predictions"][0]["input"];
    let mib = f64::from(1 << 20);
    let of = |input: &Value, key: &str| input[key].as_f64().unwrap() / mib;
    assert_eq!((of(input, "memory_bytes"), of(input, "bandwidth_bytes_per_s")), (512.0, 32.0));
    assert_eq!(input["downtime_limit_s"], 0.5);
    assert!((of(input, "dirty_bytes_per_s") - 10.0).abs() < 1.0, "{input}");
    assert_eq!(document["source"]["kind"], "machine");
    assert_eq!(document["source"]["said"]["name"], "web1");
    let document = ask(&["--memory", "128MiB", "--dirty", "1MiB/s", "--bandwidth", "64MiB/s"]);
    let input = &document["predictions"][0]["input"];
    assert_eq!((of(input, "memory_bytes"), of(input, "bandwidth_bytes_per_s")), (128.0, 64.0));
    assert_eq!(of(input, "dirty_bytes_per_s"), 1.0);
}

#[test]
fn a_move_is_planned() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/evacuation/evacuate.toml");
    let document = run(["predict", "--plan", example, "--format", "json"]).exits_with(0).json();
    assert_eq!(document["schema"], "loadgen-evacuation/1");
    assert_eq!(document["planned"]["outcome"]["kind"], "found");
    assert_eq!(document["planned"]["outcome"]["plan"]["moves"].as_array().unwrap().len(), 100);
    let text = run(["predict", "--plan", example]).exits_with(0).stdout;
    assert!(text.contains("r7-1 is empty after"), "{text}");
    let kept = tempfile::tempdir().unwrap();
    let kept = kept.path().join("plan.json").display().to_string();
    run(["predict", "--plan", example, "-o", &kept]).exits_with(0);
    assert_eq!(run(["report", &kept]).exits_with(0).stdout, text);
    assert!(run(["report", &kept, "--html", "-"]).exits_with(2).stderr.contains("no --html"));
    let limited = run(["predict", "--plan", example, "--max-outage", "1ms"]).exits_with(2);
    assert!(
        limited.stderr.contains("--max-outage has no meaning with --plan"),
        "{}",
        limited.stderr
    );
    // Nobody sends so much in a second.
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("hasty.toml");
    let hasty = fs::read_to_string(example).unwrap().replace("total = \"30min\"", "total = \"1s\"");
    fs::write(&file, hasty).unwrap();
    let outcome = run(["predict".as_ref(), "--plan".as_ref(), file.as_os_str()]).exits_with(3);
    assert!(outcome.stdout.contains("there is none"), "{}", outcome.stdout);
    fs::write(&file, "[limits]\noutage = 5\nnonsense = 1\n").unwrap();
    let outcome = run(["predict".as_ref(), "--plan".as_ref(), file.as_os_str()]).exits_with(2);
    assert!(outcome.stderr.contains("hasty.toml"), "{}", outcome.stderr);
}

#[test]
fn a_chain_is_solved_and_exported() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("vm.toml").display().to_string();
    fs::write(
        &file,
        "[chain]\nup = ['up']\n[[chain.move]]\nfrom = 'up'\nto = 'down'\nmean = '999h'\n\
         [[chain.move]]\nfrom = 'down'\nto = 'up'\nmean = 1\n",
    )
    .unwrap();
    let solve = ["predict", "--availability", &file];
    let document = run(solve.iter().chain(&["--format", "json"])).exits_with(0).json();
    let up = document["long_run"]["availability"].as_f64().unwrap();
    assert!((up - 0.999).abs() < 1e-15, "{up}");
    assert!(run(solve).exits_with(0).stdout.contains("99.900000 % (3.00 nines)"));
    let text = run(solve.iter().chain(&["--export", "prism"])).exits_with(0).stdout;
    assert!(text.contains("ctmc") && text.contains("label \"up\""), "{text}");
    // Of the trials of an experiment that is none.
    let trials = fs::read_to_string(&file).unwrap().replace("mean = 1", "from_trials = 'nowhere'");
    fs::write(&file, trials).unwrap();
    let outcome = run(solve).exits_with(2);
    assert!(outcome.stderr.contains("nowhere"), "{}", outcome.stderr);
}

#[test]
fn nines_are_told_by_strategy() {
    let aging = ["--every", "24h", "--ages", "720h", "--fails", "168h", "--repair", "65m"];
    let given = ["--bandwidth", "1Gbit/s", "--format", "json", "--strategy", "pre-copy"];
    let document = predict(&[&aging[..], &given].concat()).exits_with(0).json();
    let availability = &document["predictions"][0]["availability"];
    let never = availability["never"]["minutes_a_year"].as_f64().unwrap();
    assert!((never - 640.4).abs() < 0.1, "{never}");
    let moved = availability["moved"][0]["scheduled"]["minutes_a_year"].as_f64().unwrap();
    // With 0.3 s of blackout it is 55.1.
    assert!((53.0..56.0).contains(&moved), "{moved}");
    let outcome = predict(&["--bandwidth", "1Gbit/s", "--ages", "720h"]).exits_with(2);
    assert!(outcome.stderr.contains("--every"), "{}", outcome.stderr);
}

/// Nobody is there to be asked.
#[test]
fn a_machine_that_cannot_be_asked_is_told() {
    let outcome = run(["predict", "--live", "qmp:/nowhere/vm.sock"]).exits_with(1);
    assert!(outcome.stderr.contains("/nowhere/vm.sock"), "{}", outcome.stderr);
    let outcome = run(["predict", "--live", "telnet:vm"]).exits_with(2);
    assert!(outcome.stderr.contains("qmp:"), "{}", outcome.stderr);
}
