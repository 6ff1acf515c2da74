//! The files of autobench in programs that people open them with: LibreOffice without a
//! screen, and gnuplot. Where a program is missing the test passes by, unless `CI` is
//! set.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use autobench_compat::tester::ProcessTester;

use crate::common::{CONF, home, web_server, words};
use crate::require::require;

/// Namespaces of flat OpenDocument files.
const OFFICE: &str = "urn:oasis:names:tc:opendocument:xmlns:office:1.0";
const TABLE: &str = "urn:oasis:names:tc:opendocument:xmlns:table:1.0";
const TEXT: &str = "urn:oasis:names:tc:opendocument:xmlns:text:1.0";

/// Whether there is such a program.
fn is_there(program: &str, package: &str) -> bool {
    require(ProcessTester::find(program).is_some(), program, package)
}

/// A sweep of three steps, with migrations by a program that tells no events, so that
/// there are empty cells.
fn sweep(folder: &Path, format: &str) -> String {
    let conf = CONF.replace("8090", &web_server().port().to_string());
    let conf = conf.replace("timeout   = 2", "timeout = 30");
    let home = home(&format!("{conf}single_host = 1\nmigrate = command:true\n"));
    let file = folder.join(format!("results.{format}"));
    let line = format!(
        "--quiet --num_conn 200 --low 200 --high 400 --rate_step 100 --output_fmt {format} --file {}",
        file.display()
    );
    let mut autobench = Command::new(env!("CARGO_BIN_EXE_autobench"));
    autobench.args(words(&line)).env("HOME", home.path());
    // A machine that stands still over the middle of a test makes it miss its migration:
    // then once more.
    let is_over_too_soon = |output: &Output| {
        String::from_utf8_lossy(&output.stderr).contains("the migration was never fired")
    };
    let mut outputs = (0..10).map(|_| autobench.output().unwrap());
    let output = outputs.find(|output| !is_over_too_soon(output)).unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    fs::read_to_string(file).unwrap()
}

/// What a cell holds.
#[derive(Debug, PartialEq)]
enum Cell {
    Empty,
    Number(f64),
    Text(String),
}

/// The cells of the only sheet, row by row, without the empty rest.
fn cells(document: &str) -> Vec<Vec<Cell>> {
    let document = roxmltree::Document::parse(document).unwrap();
    let rows = document.descendants().filter(|node| node.has_tag_name((TABLE, "table-row")));
    let mut rows: Vec<Vec<Cell>> = rows
        .map(|row| {
            let cells = row.children().filter(|node| node.has_tag_name((TABLE, "table-cell")));
            without_rest(cells.flat_map(|node| repeated(&node)).collect())
        })
        .collect();
    rows.retain(|row| !row.is_empty());
    rows
}

/// A row up to its last cell that holds anything.
fn without_rest(mut row: Vec<Cell>) -> Vec<Cell> {
    while row.last() == Some(&Cell::Empty) {
        row.pop();
    }
    row
}

fn repeated(node: &roxmltree::Node<'_, '_>) -> Vec<Cell> {
    let times = node.attribute((TABLE, "number-columns-repeated"));
    // The empty rest of a row is one cell, repeated thousands of times.
    let times = times.map_or(1, |times| times.parse::<usize>().unwrap().min(100));
    let cell = || match node.attribute((OFFICE, "value-type")) {
        None => Cell::Empty,
        Some("float") => Cell::Number(node.attribute((OFFICE, "value")).unwrap().parse().unwrap()),
        Some(_) => {
            let mut text = node.descendants().filter(|node| node.has_tag_name((TEXT, "p")));
            Cell::Text(text.next().and_then(|p| p.text()).unwrap_or_default().to_owned())
        }
    };
    (0..times).map(|_| cell()).collect()
}

/// What LibreOffice makes of the file; `filter` says how to read it.
fn converted(folder: &Path, name: &str, filter: Option<&str>) -> Vec<Vec<Cell>> {
    let profile = format!("-env:UserInstallation=file://{}/profile", folder.display());
    let made = folder.join("made");
    let output = Command::new("timeout")
        .args(["300", "soffice", "--headless", "--norestore", &profile])
        .args(["--convert-to", "fods", "--outdir"])
        .arg(&made)
        .args(filter.map(|filter| format!("--infilter={filter}")))
        .arg(folder.join(name))
        .env("HOME", folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let told = [output.stdout, output.stderr].concat();
    let told = String::from_utf8(told).unwrap();
    // That Java is not installed has nothing to do with the file.
    let others = told.lines().filter(|line| !line.contains("javaldx"));
    let troubles: Vec<&str> = others
        .filter(|line| {
            let line = line.to_ascii_lowercase();
            line.contains("warning") || line.contains("error") || line.contains("fail")
        })
        .collect();
    assert!(troubles.is_empty(), "{told}");
    let stem = Path::new(name).file_stem().unwrap().to_str().unwrap();
    cells(&fs::read_to_string(made.join(format!("{stem}.fods"))).unwrap())
}

/// The same, read by the rules of the format.
fn expected(text: &str, separator: char) -> Vec<Vec<Cell>> {
    let cell = |text: &str| match text.parse() {
        _ if text.is_empty() => Cell::Empty,
        Ok(number) => Cell::Number(number),
        Err(_) => Cell::Text(text.to_owned()),
    };
    text.lines().map(|line| line.split(separator).map(cell).collect()).collect()
}

fn has_empty_cells(rows: &[Vec<Cell>]) -> bool {
    rows.iter().flatten().any(|cell| *cell == Cell::Empty)
}

#[test]
fn csv_opens_in_a_spreadsheet_as_numbers() {
    if !is_there("soffice", "libreoffice-calc-nogui") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let text = sweep(folder.path(), "csv");
    let expected = expected(&text, ',');
    assert_eq!((expected.len(), expected[0].len()), (4, 17), "{text}");
    assert!(has_empty_cells(&expected), "the case of a missing figure: {text}");
    assert!(expected[0].iter().all(|cell| matches!(cell, Cell::Text(_))), "{text}");
    assert!(expected[1..].iter().flatten().all(|cell| !matches!(cell, Cell::Text(_))), "{text}");
    let expected: Vec<_> = expected.into_iter().map(without_rest).collect();
    assert_eq!(converted(folder.path(), "results.csv", None), expected);
}

/// LibreOffice 7.4 takes a comma as the separator of `.tsv` unless it is told
/// otherwise, as its dialog does on a screen.
#[test]
fn tsv_opens_in_a_spreadsheet_as_numbers() {
    if !is_there("soffice", "libreoffice-calc-nogui") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let expected = expected(&sweep(folder.path(), "tsv"), '\t');
    assert!(has_empty_cells(&expected));
    // Tab, quotes, UTF-8, from line 1, English numbers.
    let filter = Some("CSV:9,34,76,1,,1033");
    let expected: Vec<_> = expected.into_iter().map(without_rest).collect();
    assert_eq!(converted(folder.path(), "results.tsv", filter), expected);
}

#[test]
fn gnuplot_reads_both() {
    if !is_there("gnuplot", "gnuplot-nox") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (format, separator, name) in [("csv", ',', "','"), ("tsv", '\t', "\"\\t\"")] {
        let text = sweep(folder.path(), format);
        let rows: Vec<Vec<Cell>> = expected(&text, separator);
        let number = |row: &Vec<Cell>, column: usize| match row[column] {
            Cell::Number(number) => number,
            _ => panic!("no number: {row:?}"),
        };
        let script = format!(
            "set datafile separator {name}; set terminal svg; set output 'out.svg'; \
             set print 'figures'; stats 'results.{format}' using 1:8 skip 1 nooutput; \
             print STATS_records, STATS_min_x, STATS_max_x, STATS_max_y; \
             set key autotitle columnheader; \
             plot for [i=2:10] 'results.{format}' using 1:i with linespoints"
        );
        let output = Command::new("gnuplot")
            .args(["-e", &script])
            .current_dir(folder.path())
            .env("LC_ALL", "C")
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let told = String::from_utf8(output.stderr).unwrap();
        // A curve of zeros has an empty range, of which gnuplot says that it widens it.
        let others = told.lines().filter(|line| !line.contains("empty"));
        let others: Vec<&str> = others.filter(|line| !line.trim().is_empty()).collect();
        assert!(others.is_empty(), "{told}");
        let figures = fs::read_to_string(folder.path().join("figures")).unwrap();
        let figures: Vec<f64> =
            figures.split_whitespace().map(|word| word.parse().unwrap()).collect();
        let slowest = rows[1..].iter().map(|row| number(row, 7)).fold(0.0, f64::max);
        assert_eq!(figures, [3.0, 400.0, 800.0, slowest], "{text}");
        let picture = fs::read_to_string(folder.path().join("out.svg")).unwrap();
        assert!(picture.contains("req") && picture.contains("</svg>"), "{picture}");
        fs::remove_file(folder.path().join("out.svg")).unwrap();
    }
}
