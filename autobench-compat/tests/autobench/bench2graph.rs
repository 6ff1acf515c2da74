//! `bench2graph` against what the original was seen to do, with the real gnuplot.

use std::fs;

use autobench_compat::tester::ProcessTester;

use crate::place::{Place, Printed};
use crate::require::require;

const USAGE: &str = "\
Usage          : bench2graph PARAM_1 PARAM_2 [ PARAM_3 ... PARAM_N ]
Parameter 1    : autobench results file
Parameter 2    : name of the postscript output file
Parameter 3..N : [optional] columns to display in the graphic
";

/// A place where `gnuplot` first notes what it was given, as in the recordings. `None`
/// where there is none.
fn noting() -> Option<Place> {
    if !require(ProcessTester::find("gnuplot").is_some(), "gnuplot", "gnuplot-nox") {
        return None;
    }
    let mut place = Place::new();
    let seen = place.path("seen");
    let real = place.run("command -v gnuplot").stdout;
    let script = format!(
        "(echo \"called with $*\"; ls; cat gnuplot.cmd; pwd; ls -ld . | cut -c1-10
         for c in req_rate con_rate errors; do
             echo \"[$c]\"; cat ${{c}}_127.0.0.1 2>/dev/null
         done) > {}\nexec {} \"$@\"\n",
        seen.display(),
        real.trim()
    );
    place.program("gnuplot", &script);
    Some(place)
}

const PROMPT: &str = "Enter the title : ";

#[test]
fn what_is_checked_first() {
    let place = Place::new();
    place.replay("bench2graph results.tsv", USAGE, "", 1);
    place.replay("bench2graph nofile.tsv out.ps", "Incorrect file format\n", "", 2);
    place.replay("bench2graph . out.ps", "Incorrect file format\n", "", 2);
    place.replay(
        "touch exists.ps; bench2graph results.tsv exists.ps",
        "File exists.ps already exist\n",
        "",
        3,
    );
}

#[test]
fn all_columns() {
    let Some(place) = noting() else { return };
    let printed = place.run("echo 'My title' | bench2graph results.tsv out.ps");
    let expected = Printed { stdout: PROMPT.into(), stderr: String::new(), status: 0 };
    assert_eq!(printed, expected);
    let directory = fs::canonicalize(place.path(".")).unwrap();
    let seen = place.read("seen");
    let script = format!(
        "\
called with gnuplot.cmd
avg_rep_rate_127.0.0.1
con_rate_127.0.0.1
errors_127.0.0.1
gnuplot.cmd
max_rep_rate_127.0.0.1
min_rep_rate_127.0.0.1
net_io_127.0.0.1
req_rate_127.0.0.1
resp_time_127.0.0.1
stddev_rep_rate_127.0.0.1
set terminal postscript color
set key outside below
set key box
set grid
set output \"{}/out.ps\"
set style data linespoints
set title \"My title\"
plot \"req_rate_127.0.0.1\", \"con_rate_127.0.0.1\", \"min_rep_rate_127.0.0.1\", \
\"avg_rep_rate_127.0.0.1\", \"max_rep_rate_127.0.0.1\", \"stddev_rep_rate_127.0.0.1\", \
\"resp_time_127.0.0.1\", \"net_io_127.0.0.1\", \"errors_127.0.0.1\"
",
        directory.display()
    );
    let rest = seen.strip_prefix(&script).unwrap_or_else(|| panic!("{seen}\nis not\n{script}"));
    let (work, rest) = rest.split_once('\n').unwrap();
    assert!(!fs::exists(work).unwrap(), "{work} is left behind");
    assert_eq!(
        rest,
        "drwx------\n\
         [req_rate]\n40 41.0\n80 81.6\n120 122.7\n\
         [con_rate]\n40 20.5\n80 40.8\n120 61.3\n\
         [errors]\n40 0\n80 0\n120 0\n"
    );
    assert!(place.read("out.ps").starts_with("%!PS-Adobe-2.0\n"));
}

#[test]
fn some_columns_in_the_order_of_the_file() {
    let Some(place) = noting() else { return };
    let printed = place.run("echo T | bench2graph results.tsv out2.ps 10 2 3 99 x");
    assert_eq!((printed.stdout.as_str(), printed.status), (PROMPT, 0));
    let seen = place.read("seen");
    let plot = "\nset title \"T\"\n\
                plot \"req_rate_127.0.0.1\", \"con_rate_127.0.0.1\", \"errors_127.0.0.1\"\n";
    assert!(seen.contains(plot), "{seen}");
    assert!(!seen.contains("net_io"), "{seen}");
    assert!(place.read("out2.ps").starts_with("%!PS-Adobe-2.0\n"));
}

/// The original leaves an empty file and exits 0.
#[test]
fn column_1_is_never_plotted() {
    let place = Place::new();
    let printed = place.run("echo T | bench2graph results.tsv out3.ps 1");
    assert_eq!((printed.stdout.as_str(), printed.status), (PROMPT, 4));
    assert!(printed.stderr.contains("no column to plot"), "{printed:?}");
    assert!(!fs::exists(place.path("out3.ps")).unwrap());
}

#[test]
fn csv_and_equal_names() {
    let Some(place) = noting() else { return };
    fs::write(
        place.path("two.csv"),
        "dem_req_rate,req_rate_h,req_rate_h\n40,1.0,2.0\n80,3.0,4.0\n",
    )
    .unwrap();
    let printed = place.run("echo T | bench2graph two.csv out.ps");
    assert_eq!((printed.stderr.as_str(), printed.status), ("", 0));
    let seen = place.read("seen");
    assert!(seen.contains("plot \"req_rate_h\", \"req_rate_h (2)\"\n"), "{seen}");
}

#[test]
fn svg_and_png() {
    let place = Place::new();
    let printed = place.run(
        "echo T | bench2graph results.tsv out.svg && echo T | bench2graph results.tsv out.PNG 2",
    );
    assert_eq!((printed.stderr.as_str(), printed.status), ("", 0));
    let svg = place.read("out.svg");
    for text in ["demanded request rate [requests/s]", "errors_127.0.0.1"] {
        assert!(svg.contains(text), "{text} is missing");
    }
    assert!(fs::read(place.path("out.PNG")).unwrap().starts_with(b"\x89PNG\r\n"));
}

/// A picture of the right size, with paper, letters and curves on it.
fn check_png(file: &[u8]) {
    let picture = resvg::tiny_skia::Pixmap::decode_png(file).unwrap();
    assert!(picture.width() == 1200 && picture.height() > 620);
    let pixels = picture.data();
    let count = |wanted: fn(&[u8]) -> bool| pixels.chunks(4).filter(|p| wanted(p)).count();
    let all = pixels.len() / 4;
    assert!(count(|p| *p == [255, 255, 255, 255]) > all / 2, "white paper");
    assert!(count(|p| *p == [0, 0x72, 0xb2, 255]) > 100, "the first curve");
    assert!(count(|p| p.iter().take(3).all(|c| *c < 60)) > 500, "letters");
}

#[test]
fn without_gnuplot() {
    let place = Place::new();
    let bench2graph = format!("PATH=/nonexistent {}", env!("CARGO_BIN_EXE_bench2graph"));
    let svg = place.run(&format!("echo T | {bench2graph} results.tsv out.svg"));
    assert_eq!((svg.stdout.as_str(), svg.stderr.as_str(), svg.status), (PROMPT, "", 0));
    assert!(roxmltree::Document::parse(&place.read("out.svg")).is_ok());
    let png = place.run(&format!("echo T | {bench2graph} results.tsv out.png"));
    assert_eq!((png.stdout.as_str(), png.stderr.as_str(), png.status), (PROMPT, "", 0));
    check_png(&fs::read(place.path("out.png")).unwrap());
    let printed = place.run(&format!("{bench2graph} results.tsv out.ps"));
    assert_eq!((printed.stdout.as_str(), printed.status), ("", 4));
    assert!(printed.stderr.contains("gnuplot-nox"), "{printed:?}");
    assert!(!fs::exists(place.path("out.ps")).unwrap());
}

#[test]
fn when_gnuplot_fails() {
    let mut place = Place::new();
    place.program("gnuplot", "echo part > \"$OUT\"; echo no fonts >&2; exit 1\n");
    let printed = place.run("export OUT=$PWD/out.ps; echo T | bench2graph results.tsv out.ps");
    assert_eq!(printed.status, 4);
    assert!(printed.stderr.starts_with("no fonts\nbench2graph: gnuplot could not make "));
    assert!(!fs::exists(place.path("out.ps")).unwrap(), "a part of a picture is left");
}

#[test]
fn results_among_other_text() {
    let Some(place) = noting() else { return };
    let results = place.read("results.tsv").replace("\n80", "\nTotal: connections 40\n80");
    fs::write(place.path("noisy.tsv"), results).unwrap();
    let printed = place.run("echo T | bench2graph noisy.tsv out.ps 2");
    assert_eq!(printed.status, 0);
    assert!(printed.stderr.ends_with("no rows of numbers: 1\n"), "{printed:?}");
    assert!(place.read("seen").contains("[req_rate]\n40 41.0\n80 81.6\n120 122.7\n"));
}

#[test]
fn a_title_is_text() {
    let place = Place::new();
    let printed = place.run(
        "echo '`touch pwned` \"; system(\"touch pwned\")' | bench2graph results.tsv out.svg; ls",
    );
    assert_eq!(printed.status, 0);
    assert!(!printed.stdout.contains("pwned"), "{printed:?}");
    assert!(place.read("out.svg").contains("`touch pwned`"));
}
