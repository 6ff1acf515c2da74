//! `bench2graph RESULTS OUT [COL …]`: a picture of what autobench found.
//!
//! gnuplot draws it, as PostScript, or as SVG or PNG if OUT is named so. Without
//! gnuplot SVG and PNG are drawn here.

mod draw;
mod gnuplot;
mod labels;
mod raster;
mod results;

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, Read, Write};
use std::path::{Path, PathBuf};

use crate::reason::reason;
pub use results::{Column, Results};

const USAGE: &str = "\
Usage          : bench2graph PARAM_1 PARAM_2 [ PARAM_3 ... PARAM_N ]
Parameter 1    : autobench results file
Parameter 2    : name of the postscript output file
Parameter 3..N : [optional] columns to display in the graphic
";
const MORE_HELP: &str = "
The results file is the TSV or CSV of autobench. An output file that ends in .svg
or .png gets that format instead of PostScript. gnuplot draws the graphic; .svg and
.png need none. Columns are numbers as cut(1) counts them; column 1 is the x axis.
";

/// Largest results file that is read, in bytes.
const LARGEST_FILE: u64 = 64 * 1024 * 1024;
/// Longest title, in bytes.
const LONGEST_TITLE: u64 = 64 * 1024;

/// Why no picture was made.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("Incorrect file format")]
    NoFile,
    #[error("File {0} already exist")]
    Exists(String),
    #[error("bench2graph: cannot read {0}: {why}", why = reason(.1))]
    Read(String, #[source] io::Error),
    #[error("bench2graph: {0} is larger than 64 MiB, so it is no results file of autobench")]
    TooLarge(String),
    #[error(
        "bench2graph: no column to plot: {file} has {columns} columns (TSV or CSV), and those \
         that can be plotted have the numbers from 2 on"
    )]
    NoColumns { file: String, columns: usize },
    #[error("bench2graph: no figures to plot: {0} has no row with numbers in these columns")]
    NoFigures(String),
    #[error(
        "bench2graph: gnuplot was not found: install it (Debian: apt-get install gnuplot-nox), \
         or name an output file that ends in .svg or .png, which need none"
    )]
    NoGnuplot,
    #[error("bench2graph: gnuplot could not make {0}; the reason stands above")]
    Gnuplot(String),
    #[error("bench2graph: the name {0} is not UTF-8; name another output file")]
    Name(String),
    #[error("bench2graph: cannot write {0}: {why}", why = reason(.1))]
    Write(String, #[source] io::Error),
    #[error("bench2graph: cannot draw: {0}")]
    Draw(String),
}

impl Error {
    /// The first two are the original's; it exits 0 after all others.
    fn status(&self) -> u8 {
        match self {
            Error::NoFile => 2,
            Error::Exists(_) => 3,
            _ => 4,
        }
    }
}

/// What OUT is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    PostScript,
    Svg,
    Png,
}

impl Format {
    fn of(out: &Path) -> Format {
        let extension = out.extension().unwrap_or_default();
        if extension.eq_ignore_ascii_case("svg") {
            Format::Svg
        } else if extension.eq_ignore_ascii_case("png") {
            Format::Png
        } else {
            Format::PostScript
        }
    }
}

/// Runs the program. `args` begins with its name. Returns the exit status.
pub fn main(
    args: &[OsString],
    stdin: &mut dyn BufRead,
    stdout: &mut dyn Write,
    stderr: &mut dyn Write,
) -> u8 {
    // A lost message is no reason to stop: the status tells what happened.
    let (results, out, columns) = match args {
        [_, option, ..] if option == "--help" => {
            let _ = write!(stdout, "{USAGE}{MORE_HELP}");
            return 0;
        }
        [_, option] if option == "--version" => {
            let version = env!("CARGO_PKG_VERSION");
            let _ = writeln!(stdout, "bench2graph (autobench-compat) {version}");
            return 0;
        }
        [_, results, out, columns @ ..] => (Path::new(results), Path::new(out), columns),
        _ => {
            let _ = stdout.write_all(USAGE.as_bytes());
            return 1;
        }
    };
    match graph(results, out, columns, stdin, stdout, stderr) {
        Ok(()) => 0,
        Err(error @ (Error::NoFile | Error::Exists(_))) => {
            let _ = writeln!(stdout, "{error}");
            error.status()
        }
        Err(error) => {
            let _ = writeln!(stderr, "{error}");
            error.status()
        }
    }
}

fn graph(
    results: &Path,
    out: &Path,
    columns: &[OsString],
    stdin: &mut dyn BufRead,
    stdout: &mut dyn Write,
    stderr: &mut dyn Write,
) -> Result<(), Error> {
    if !results.is_file() {
        return Err(Error::NoFile);
    }
    if out.symlink_metadata().is_ok() {
        return Err(Error::Exists(out.display().to_string()));
    }
    let format = Format::of(out);
    let gnuplot = gnuplot::is_installed();
    if !gnuplot && format == Format::PostScript {
        return Err(Error::NoGnuplot);
    }
    let title = ask_title(stdin, stdout);
    let results = read(results, columns)?;
    if results.other_lines > 0 {
        let _ = writeln!(
            stderr,
            "bench2graph: lines left out because they are no rows of numbers: {}",
            results.other_lines
        );
    }
    let done = if gnuplot {
        gnuplot::plot(&results, format, &title, &absolute(out)?)
    } else {
        let picture = draw::svg(&results, &title).and_then(|svg| match format {
            Format::Png => raster::png(&svg),
            _ => Ok(svg.into_bytes()),
        });
        picture.and_then(|picture| create(out, &picture))
    };
    if done.is_err() && !matches!(done, Err(Error::Exists(_))) {
        // It did not exist when we began, and what is there is no picture.
        let _ = fs::remove_file(out);
    }
    done
}

/// Asks for the title: one line, without the blanks around it.
fn ask_title(stdin: &mut dyn BufRead, stdout: &mut dyn Write) -> String {
    let _ = stdout.write_all(b"Enter the title : ").and_then(|()| stdout.flush());
    let mut line = Vec::new();
    // Without input the title is empty.
    let _ = stdin.take(LONGEST_TITLE).read_until(b'\n', &mut line);
    let line = String::from_utf8_lossy(&line);
    line.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Reads the results, of which the columns with these numbers are kept, or all.
fn read(path: &Path, columns: &[OsString]) -> Result<Results, Error> {
    let name = || path.display().to_string();
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST_FILE + 1).read_to_end(&mut bytes))
        .map_err(|error| Error::Read(name(), error))?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(Error::TooLarge(name()));
    }
    let mut results = Results::parse(&String::from_utf8_lossy(&bytes));
    let all = results.columns.len() + 1;
    if !columns.is_empty() {
        // Numbers without a column are passed over.
        let wanted: Vec<usize> =
            columns.iter().filter_map(|column| column.to_str()?.parse().ok()).collect();
        results.columns.retain(|column| wanted.contains(&column.number));
    }
    if results.columns.is_empty() {
        return Err(Error::NoColumns { file: name(), columns: all });
    }
    if results.columns.iter().all(|column| column.points.is_empty()) {
        return Err(Error::NoFigures(name()));
    }
    Ok(results)
}

/// The name of OUT for gnuplot, which works in a directory of its own.
fn absolute(out: &Path) -> Result<PathBuf, Error> {
    let directory =
        std::env::current_dir().map_err(|error| Error::Write(out.display().to_string(), error))?;
    Ok(directory.join(out))
}

fn create(out: &Path, content: &[u8]) -> Result<(), Error> {
    let name = || out.display().to_string();
    let mut file = OpenOptions::new().write(true).create_new(true).open(out).map_err(|error| {
        match error.kind() {
            io::ErrorKind::AlreadyExists => Error::Exists(name()),
            _ => Error::Write(name(), error),
        }
    })?;
    file.write_all(content).map_err(|error| Error::Write(name(), error))
}
