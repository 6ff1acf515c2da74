//! What the original autobench 2.1.1 printed, printed again by ours; the tests
//! themselves are played back.

use autobench_compat::autobench;

use crate::common::{CONF, Fake, Ran, home, report, run_at_home, run_autobench};

const HEADER: &str = "dem_req_rate\treq_rate_127.0.0.1\tcon_rate_127.0.0.1\tmin_rep_rate_127.0.0.1\
                      \tavg_rep_rate_127.0.0.1\tmax_rep_rate_127.0.0.1\tstddev_rep_rate_127.0.0.1\
                      \tresp_time_127.0.0.1\tnet_io_127.0.0.1\terrors_127.0.0.1\n";

const MISSING: &str = "Please run autobench again, supplying the missing arguments\n\
                       either on the command line, or in the config file\n";

/// Plays a sweep of one server whose tests have 80 replies and no errors; the rows must
/// come out as they are.
fn replay(line: &str, rows: &[&str]) -> (Ran, Vec<String>) {
    let reports: Vec<String> = rows.iter().map(|row| report(row, 80, 0)).collect();
    replay_reports(line, rows, &reports)
}

fn replay_reports(line: &str, rows: &[&str], reports: &[String]) -> (Ran, Vec<String>) {
    let fake = Fake::with(reports);
    let ran = run_autobench(CONF, line, &fake);
    assert_eq!(ran.out, format!("{HEADER}{}\n", rows.join("\n")));
    assert_eq!(ran.status, 0);
    let asked = fake.asked.lock().unwrap().iter().map(|arguments| arguments.join(" ")).collect();
    (ran, asked)
}

#[test]
fn ab_03_tsv_quiet() {
    let (ran, asked) = replay(
        "--single_host --quiet",
        &[
            "40\t41.0\t20.5\t0.0\t0.0\t0.0\t0.0\t0.3\t53.3\t0",
            "80\t81.6\t40.8\t0.0\t0.0\t0.0\t0.0\t0.5\t106.1\t0",
            "120\t122.7\t61.3\t0.0\t0.0\t0.0\t0.0\t1.0\t159.5\t0",
        ],
    );
    assert_eq!(ran.err, "");
    let line = |rate| {
        format!(
            "--server 127.0.0.1 --uri /1k.html --num-conn 40 --num-call 2 --timeout 2 \
             --rate {rate} --port 8090"
        )
    };
    assert_eq!(asked, [line(20), line(40), line(60)]);
}

/// The original prints the last row before the last report; ours keeps the order.
#[test]
fn ab_04_csv_noisy() {
    let reports =
        [include_str!("../testdata/noisy-20.txt"), include_str!("../testdata/noisy-40.txt")];
    let fake = Fake::with(&reports.map(str::to_owned));
    let ran = run_autobench(CONF, "--single_host --output_fmt csv --high_rate 40", &fake);
    let header = HEADER.replace('\t', ",");
    assert_eq!(
        ran.out,
        format!(
            "{header}{}40,41.0,20.5,0.0,0.0,0.0,0.0,0.8,53.3,0\n\
             {}80,82.0,41.0,0.0,0.0,0.0,0.0,0.7,106.6,0\n",
            reports[0], reports[1]
        )
    );
}

#[test]
fn ab_05_csv_two_hosts_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out.csv");
    std::fs::write(&file, "older and longer\n".repeat(99)).unwrap();
    let first = "40 41.0 20.5 0.0 0.0 0.0 0.0 0.8 53.3 0";
    let second = "40 41.0 20.5 0.0 0.0 0.0 0.0 0.5 53.3 0";
    let fake = Fake::with(&[report(first, 80, 0), report(second, 80, 0)]);
    let line = format!("--output_fmt csv --quiet --high_rate 20 --file '{}'", file.display());
    let ran = run_autobench(CONF, &line, &fake);
    assert_eq!((ran.status, ran.out.as_str(), ran.err.as_str()), (0, "", ""));
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        "dem_req_rate,req_rate_127.0.0.1,con_rate_127.0.0.1,min_rep_rate_127.0.0.1,\
         avg_rep_rate_127.0.0.1,max_rep_rate_127.0.0.1,stddev_rep_rate_127.0.0.1,\
         resp_time_127.0.0.1,net_io_127.0.0.1,errors_127.0.0.1,req_rate_localhost,\
         con_rate_localhost,min_rep_rate_localhost,avg_rep_rate_localhost,\
         max_rep_rate_localhost,stddev_rep_rate_localhost,resp_time_localhost,\
         net_io_localhost,errors_localhost\n\
         40,41.0,20.5,0.0,0.0,0.0,0.0,0.8,53.3,0,41.0,20.5,0.0,0.0,0.0,0.0,0.5,53.3,0\n"
    );
}

#[test]
fn ab_06_debug_shows_the_lines_of_both_hosts() {
    let row = "40 41.0 20.5 0.0 0.0 0.0 0.0 0.8 53.3 0";
    let fake = Fake::with(&vec![report(row, 80, 0); 4]);
    let ran = run_autobench(CONF, "--quiet --debug --high_rate 40", &fake);
    let line = |host, rate| {
        format!(
            "httperf --server {host} --uri \"/1k.html\" --num-conn 40 --num-call 2 --timeout 2 \
             --rate {rate} --port 8090\n"
        )
    };
    let expected = [("127.0.0.1", 20), ("localhost", 20), ("127.0.0.1", 40), ("localhost", 40)];
    assert_eq!(ran.err, expected.map(|(host, rate)| line(host, rate)).concat());
}

#[test]
fn ab_07_const_test_time() {
    let (ran, _) = replay(
        "--single_host --quiet --debug --const_test_time 10 --low_rate 15 --high_rate 15",
        &["30\t30.2\t15.1\t30.0\t30.0\t30.0\t0.0\t1.2\t39.3\t0"],
    );
    assert_eq!(
        ran.err,
        "httperf --server 127.0.0.1 --uri \"/1k.html\" --num-conn 150 --num-call 2 --timeout 2 \
         --rate 15 --port 8090\n"
    );
}

/// Runs that end before the first test.
#[test]
fn ab_08_10_12_17_20_fatal() {
    let without_format = CONF.replace("output_fmt = tsv\n", "");
    let cases = [
        (
            "--const_test_time 5",
            CONF,
            255,
            "--const_test_time must be >= 10. See autobench(1) for details\n",
        ),
        (
            "--host1 no.such.host.invalid",
            CONF,
            255,
            "Fatal: hostname: no.such.host.invalid is unresolvable\n",
        ),
        ("--output_fmt xml", CONF, 255, "Output Format 'xml' not supported (known: csv, tsv)\n"),
        ("", &without_format, 255, "Output Format '' not supported (known: csv, tsv)\n"),
        ("--file /nonexistent/out", CONF, 2, "Cannot open /nonexistent/out for writing\n"),
    ];
    for (line, conf, status, err) in cases {
        let ran = run_autobench(conf, &format!("--single_host --quiet {line}"), &Fake::default());
        assert_eq!((ran.status, ran.out.as_str(), ran.err.as_str()), (status, "", err), "{line}");
    }
}

#[test]
fn ab_09_refused_zero_replies() {
    let rows = [
        "40\t0.0\t20.5\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t101",
        "80\t0.0\t41.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t101",
    ];
    let reports = rows.map(|row| report(row, 0, 40));
    let (ran, _) = replay_reports("--single_host --quiet --high_rate 40", &rows, &reports);
    assert_eq!(
        ran.err,
        "Zero replies received, test invalid: rate 20\n\
         Zero replies received, test invalid: rate 40\n"
    );
}

#[test]
fn ab_11_23_24_missing_arguments() {
    let row = ["40\t40.9\t20.5\t0.0\t0.0\t0.0\t0.0\t1.3\t8.6\t0"];
    let (ran, asked) = replay("--single_host --quiet --uri1= --low 20 --high 20", &row);
    assert_eq!(ran.err, format!("Argument uri1 not supplied\n{MISSING}"));
    assert!(asked[0].contains("--uri  --num-conn"), "{asked:?}");

    let (ran, asked) = replay("--single_host --quiet --timeout 2.5 --high_rate 20", &row);
    assert_eq!(ran.err, format!("Argument timeout not supplied\n{MISSING}"));
    assert!(asked[0].contains("--timeout 0 "), "{asked:?}");

    let rows = ["0\t9208.1\t4604.1\t0.0\t0.0\t0.0\t0.0\t0.1\t11977.8\t0", row[0]];
    let (ran, asked) = replay("--single_host --quiet --low_rate 0 --high_rate 20", &rows);
    assert_eq!(ran.err, format!("Argument low_rate not supplied\n{MISSING}"));
    assert!(asked[0].contains("--rate 0 ") && asked[1].contains("--rate 20 "), "{asked:?}");
}

#[test]
fn ab_13_passthrough_and_warnings() {
    let conf = format!(
        "{CONF}\n   # indented comment\nnum_conn = 99\nthis is not valid\n-bad = 1\n\
         httperf_add-header = \"X-A: cfg\\n\"\nhttperf_hog = NULL\n"
    );
    let row = "40 41.0 20.5 0.0 0.0 0.0 0.0 0.5 12.3 0";
    let fake = Fake::with(&[report(row, 80, 0)]);
    let line = "--single_host --quiet --debug --uri1 /headers --high_rate 20";
    let ran = run_autobench(&conf, line, &fake);
    // The original names its own file and line; ours those of the configuration.
    let err: Vec<&str> = ran.err.lines().map(|line| line.split(" at /").next().unwrap()).collect();
    assert_eq!(
        err,
        [
            "AUTOBENCH: Warning - parameter 'num_conn' defined more than once,ignoring \
             'num_conn'='99'",
            "AUTOBENCH: Warning - invalid line in config file:'this is not valid",
            "'",
            "AUTOBENCH: Warning - invalid line in config file:'-bad = 1",
            "'",
            "httperf --server 127.0.0.1 --uri \"/headers\" --num-conn 40 --num-call 2 --timeout 2 \
             --rate 20 --port 8090 --add-header \"X-A: cfg\\n\" --hog ",
        ]
    );
    assert!(ran.err.contains("/.autobench.conf line 19."), "{}", ran.err);
    assert_eq!(fake.asked.lock().unwrap()[0][14..], ["--add-header", "X-A: cfg\\n", "--hog"]);
}

#[test]
fn ab_14_22_errors_are_percent_of_replies() {
    let rows = ["60\t69.6\t23.2\t0.0\t0.0\t0.0\t0.0\t0.7\t7.6\t50"];
    let line = "--single_host --quiet --num_call 3 --num_conn 7 --high_rate 20";
    replay_reports(line, &rows, &[report(rows[0], 14, 7)]);

    let rows = ["100\t25.5\t25.5\t0.0\t0.0\t0.0\t0.0\t505.5\t3.1\t17.6470588235294"];
    let line = "--single_host --quiet --num_call 1 --num_conn 20 --low 100 --high 100";
    replay_reports(line, &rows, &[report(rows[0], 17, 3)]);
}

#[test]
fn ab_15_httperf_not_in_path() {
    let home = home(CONF);
    let ran = run_at_home(home.path().to_str().unwrap(), |world| {
        autobench::run(&["--single_host".to_owned()], world, &|_| None)
    });
    assert_eq!(ran.status, 1);
    assert_eq!(
        ran.err,
        "Cannot find httperf in $PATH; please ensure it is installed and your PATH is\n\
         correctly set\n"
    );
}

#[test]
fn ab_16_18_options() {
    let row = ["40\t41.0\t20.5\t0.0\t0.0\t0.0\t0.0\t0.2\t53.3\t0"];
    let (ran, _) = replay("--single_host --quiet --bogus 1 --high_rate 20", &row);
    assert_eq!(ran.err, "Unknown option: bogus\n");

    let fake = Fake::with(&[report(row[0], 80, 0)]);
    let ran = run_autobench(CONF, "-single --q --low=20 --high=20 --OUT csv", &fake);
    assert_eq!(ran.out, format!("{HEADER}{}\n", row[0]).replace('\t', ","));
    assert_eq!(ran.err, "");
}

#[test]
fn ab_19_rate_step_leaves_remainder() {
    replay(
        "--single_host --quiet --low_rate 20 --high_rate 55 --rate_step 15 --num_conn 20",
        &[
            "40\t42.0\t21.0\t0.0\t0.0\t0.0\t0.0\t0.4\t54.7\t0",
            "70\t73.5\t36.7\t0.0\t0.0\t0.0\t0.0\t0.6\t95.6\t0",
            "100\t104.9\t52.5\t0.0\t0.0\t0.0\t0.0\t0.3\t136.5\t0",
        ],
    );
}

/// The original's shell put the home directory into the URI.
#[test]
fn ab_21_no_shell() {
    let row = ["40\t49.7\t24.8\t0.0\t0.0\t0.0\t0.0\t0.2\t19.0\t0"];
    let line = "--single_host --quiet --debug --high_rate 20 --uri1 '/a?x=1&y=$HOME'";
    let (ran, asked) = replay(line, &row);
    assert!(ran.err.contains(" --uri \"/a?x=1&y=$HOME\" "), "{}", ran.err);
    assert!(asked[0].contains(" --uri /a?x=1&y=$HOME "), "{asked:?}");
}

#[test]
fn ab_25_httperf_fails() {
    let rows = ["40\t\t\t\t\t\t\t\t\t101"];
    let line = "--single_host --quiet --port1 70000 --high_rate 20";
    let (ran, _) = replay_reports(line, &rows, &[String::new()]);
    assert_eq!(ran.err, "Zero replies received, test invalid: rate 20\n");
}

#[test]
fn ab_02_first_use_installs_whatever_is_asked() {
    let home = tempfile::tempdir().unwrap();
    let place = home.path().join(".autobench.conf");
    let ask = || {
        run_at_home(home.path().to_str().unwrap(), |world| {
            autobench::run(&["--version".to_owned()], world, &|_| None)
        })
    };
    let ran = ask();
    assert_eq!(ran.status, 0);
    assert_eq!(ran.out, "Installation complete - please rerun autobench\n");
    assert_eq!(
        ran.err,
        format!(
            "Autobench configuration file not found\n - installing new copy in {}\n",
            place.display()
        )
    );
    assert!(place.exists());
    let ran = ask();
    assert_eq!(
        (ran.status, ran.out.as_str(), ran.err.as_str()),
        (0, "Autobench 2.1.1\nCopyright (C) Julian T. J. Midgley <jtjm@xenoclast.org> 2003\n", "")
    );
}

#[test]
fn ab_01_a_first_use_that_fails_is_told_and_exits_0() {
    let ran = run_at_home("/nonexistent/home", |world| autobench::run(&[], world, &|_| None));
    assert_eq!(ran.status, 0);
    assert_eq!(ran.out, "Installation complete - please rerun autobench\n");
    assert_eq!(
        ran.err,
        "Autobench configuration file not found\n \
         - installing new copy in /nonexistent/home/.autobench.conf\n\
         autobench: cannot write /nonexistent/home/.autobench.conf: No such file or directory\n"
    );
}

/// A step of 0 keeps the original busy for ever.
#[test]
fn a_sweep_without_steps_ends() {
    let row = ["40\t41.0\t20.5\t0.0\t0.0\t0.0\t0.0\t0.2\t53.3\t0"];
    let (ran, _) = replay("--single_host --quiet --rate_step 0", &row);
    assert_eq!(
        ran.err,
        format!(
            "Argument rate_step not supplied\n{MISSING}\
             autobench: rate_step is not above 0, so there is only one rate\n"
        )
    );
}

#[test]
fn a_full_disk_is_told() {
    let fake = Fake::with(&[]);
    let ran = run_autobench(CONF, "--single_host --quiet --file /dev/full", &fake);
    assert_eq!(ran.status, 28);
    assert_eq!(ran.err, "Cannot write /dev/full: No space left on device\n");
    assert!(fake.asked.lock().unwrap().is_empty());
}
