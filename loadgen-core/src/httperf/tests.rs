//! Against what the original printed.

use std::ffi::OsString;

use proptest::prelude::*;
use serde::Deserialize;

use super::*;

fn words(line: &str) -> Vec<OsString> {
    line.split(' ').map(OsString::from).collect()
}

fn parse(line: &str) -> Result<Parsed, CommandLineError> {
    Options::parse(&words(line))
}

fn options(line: &str) -> Options {
    parse(line).unwrap().options.unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A command line of a capture and the echo line that it gave.
#[derive(Deserialize)]
struct Echoed {
    capture: String,
    args: Vec<String>,
    echo: String,
}

/// All captures with an echo line. The unreleased version always adds its TLS
/// version; 0.9.0 does not know it, so here it is only shown if given.
#[test]
fn echo_lines_of_the_captures() {
    let mut count = 0;
    for line in include_str!("testdata/echo.jsonl").lines() {
        let Echoed { capture, args, echo } = serde_json::from_str(line).unwrap();
        let given = args.iter().any(|a| a.starts_with("--ssl-protocol"));
        let args: Vec<_> = args.into_iter().map(OsString::from).collect();
        let echo = if given { echo } else { echo.replace(" --ssl-protocol=auto", "") };
        let parsed = Options::parse(&args).unwrap_or_else(|e| panic!("{capture}: {e}"));
        let options = parsed.options.unwrap_or_else(|| panic!("{capture}"));
        assert_eq!(text(&options.echo()), format!("{echo}\n"), "{capture}");
        count += 1;
    }
    assert!(count > 140, "{count} captures");
}

/// Messages of the captures 87 to 93, b7, d1 and git-16, in the order of their
/// options; then messages that the original gave when asked side by side.
#[test]
fn messages_of_bad_command_lines() {
    let lines = include_str!("testdata/messages.txt").lines();
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (line, message) = line.split_once(" => ").unwrap();
        let args: Vec<_> = line.split('|').map(OsString::from).collect();
        let error = Options::parse(&args).expect_err(line);
        assert_eq!(text(&error.stderr), format!("{message}\n"), "{line}");
        assert_eq!((error.exit_code, error.stdout.as_slice()), (1, b"" as &[u8]), "{line}");
    }
}

/// Captures 98 and git-15.
#[test]
fn options_that_do_not_go_together() {
    for (line, message) in [
        (
            "httperf --server 127.0.0.1 --port 8090 --session-cookie",
            "httperf: --session-cookie requires session-oriented workload (e.g., --wsess)\n",
        ),
        (
            "httperf --server 127.0.0.1 --servers servers.nul --port 8090",
            "httperf: --server S or --servers file\n",
        ),
    ] {
        let error = parse(line).unwrap_err();
        assert_eq!((text(&error.stderr).as_str(), error.exit_code), (message, 255));
    }
}

/// Captures 99, b0 and b1, and the original side by side.
#[test]
fn what_is_refused_after_the_echo_line() {
    for (line, message) in [
        ("httperf --http-version 1.2", "httperf: unexpected version code 10002\n"),
        ("httperf --http-version 0.9", "httperf: unexpected version code 9\n"),
        (
            "httperf --wsess=1,3,0 --max-connections 5",
            "httperf.session_init: --max-conns must be <= 4\n",
        ),
        (
            "httperf --wsess=1,3,0 --max-piped-calls 33",
            "httperf.session_init: --max-piped-calls must be <= 32\n",
        ),
        (
            "httperf --wsesspage=1,1,0 --uri abc",
            "httperf: URI specified with --uri must be absolute",
        ),
        (
            "httperf --wsess=1,1,0 --wsesslog=1,0,f",
            "httperf: use only one of --wsess, --wsesslog and --wsesspage\n",
        ),
    ] {
        let error = options(line).check_after_echo().unwrap_err();
        assert_eq!((text(&error.stderr).as_str(), error.exit_code), (message, 1), "{line}");
    }
    for line in [
        "httperf",
        "httperf --http-version 1.0",
        "httperf --max-connections 500 --max-piped-calls 400",
        "httperf --wsess=1,1,0 --max-connections 4 --max-piped-calls 32",
    ] {
        assert_eq!(options(line).check_after_echo(), Ok(()), "{line}");
    }
}

/// Captures 94 to 96.
#[test]
fn options_that_print() {
    const VERSION: &str = "httperf: httperf-0.9.0 compiled without DEBUG without TIME_SYSCALLS.\n";
    let parsed = parse("httperf -V --verb -d 2").unwrap();
    assert_eq!(text(&parsed.stdout), VERSION);
    assert_eq!(text(&parsed.stderr), "httperf: sorry, need to recompile with -DDEBUG on...\n");
    assert_eq!(parsed.options.map(|o| o.verbosity), Some(1));

    let usage = include_str!("testdata/usage.txt");
    for line in ["httperf -h", "/usr/bin/httperf --he --bogus"] {
        let parsed = parse(line).unwrap();
        assert!(text(&parsed.stdout).starts_with(usage));
        assert_eq!(parsed.options, None);
    }
    assert!(text(&parse("httperf -Vh").unwrap().stdout).starts_with(VERSION));

    let error = parse("httperf -V -d 1 --bogus").unwrap_err();
    assert_eq!(text(&error.stdout), VERSION);
    assert_eq!(
        text(&error.stderr),
        "httperf: sorry, need to recompile with -DDEBUG on...\n\
         httperf: unrecognized option '--bogus'\n"
    );
}

#[test]
fn the_last_one_wins() {
    let echo = |line: &str| text(&options(&format!("httperf {line}")).echo());
    assert!(echo("--period u1,2 --rate 4 --period 3").contains(" --rate=0.333333 "));
    assert!(!echo("--period e1 --rate 0").contains("--period"));
    // Shown although --wlog rules.
    assert!(echo("--wset=5,0.5 --wlog=y,f").contains(" --wset=5,0.500"));
    assert_eq!(options("httperf --wset=5,0.5 --wlog=y,f").uri_source, UriSource::Wlog);
    assert_eq!(options("httperf --wlog=y,f --wset=5,0.5").uri_source, UriSource::Wset);
    assert_eq!(options("httperf --wlog yXa,b").wlog.unwrap().file, "a,b");
}

#[test]
fn times_and_counts_without_an_end() {
    for never in ["0", "-1", "inf", "nan", "1e300"] {
        let given = options(&format!("httperf --timeout={never} --think-timeout={never}"));
        assert_eq!((given.timeout(), given.think_timeout()), (None, None), "{never}");
    }
    assert_eq!(options("httperf --timeout 0.5").timeout().unwrap().as_millis(), 500);
    for unlimited in ["0", "-5"] {
        let given = options(&format!("httperf --num-conns {unlimited}"));
        assert_eq!(given.connections(), None);
    }
    assert_eq!(options("httperf --num-conns 5000000000").connections(), Some(5_000_000_000));
    for sequential in ["--rate 0", "--rate -1", "--rate nan", "--period 0", "--period dinf"] {
        assert_eq!(options(&format!("httperf {sequential}")).gaps(), None, "{sequential}");
    }
    assert!(text(&options("httperf --rate inf").echo()).contains(" --rate=inf "));
    assert!(options("httperf --rate inf").gaps().unwrap().mean_s() > 0.0);
    assert_eq!(options("httperf --rate 1 --client 3/7").gaps().unwrap().client, 3);
}

#[test]
fn ours() {
    let given = options("httperf --th 2 --thr 4 --j report.json");
    assert_eq!((given.think_timeout_s, given.threads), (2.0, 4));
    assert_eq!(given.json.as_deref(), Some("report.json".as_ref()));
    assert!(text(&given.echo()).ends_with(" --num-calls=1 --threads=4\n"));
    assert_eq!(options("httperf").port(), 80);
    assert_eq!(options("httperf --ssl-protocol tlsv1_2").port(), 443);
    assert!(!options("httperf --ssl-verify=no").tls.verify);
    assert!(options("httperf --ssl-verify no").tls.verify);
}

/// Words that lead somewhere, and some that do not.
fn argument() -> impl Strategy<Value = OsString> {
    let name = (any::<prop::sample::Index>(), any::<prop::sample::Index>()).prop_map(|(o, end)| {
        let name = o.get(OPTIONS).name;
        format!("--{}", &name[..=end.index(name.len())])
    });
    let value = "[-+0-9.,/duevynx]{0,8}";
    prop_oneof![
        (name.clone(), value).prop_map(|(name, value)| format!("{name}={value}").into()),
        name.prop_map(OsString::from),
        value.prop_map(OsString::from),
        "-[hdvVnx]{0,4}".prop_map(OsString::from),
        any::<Vec<u8>>().prop_map(std::os::unix::ffi::OsStringExt::from_vec),
    ]
}

proptest! {
    #[test]
    fn no_command_line_makes_it_panic(args in prop::collection::vec(argument(), 0..8)) {
        match Options::parse(&args) {
            Ok(Parsed { options: Some(options), .. }) => {
                prop_assert!(options.echo().ends_with(b"\n"));
                let _ = (options.check_after_echo(), options.gaps(), options.added_header());
            }
            Ok(parsed) => prop_assert!(parsed.stdout.starts_with(b"Usage: ") || !parsed.stdout.is_empty()),
            Err(error) => prop_assert!(error.stderr.ends_with(b"\n")),
        }
    }
}
