//! Drawing with gnuplot: its data files and its script.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::{env, fs, io};

use super::results::{Column, Results};
use super::{Error, Format, labels};

const SCRIPT: &str = "gnuplot.cmd";
/// Longest name of a data file in bytes; file systems take 255.
const LONGEST_NAME: usize = 200;

/// Whether there is a gnuplot on the path.
pub(super) fn is_installed() -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|directory| directory.join("gnuplot").is_file())
}

/// Draws. Data and script lie in a directory that only this user can enter, and
/// that is gone afterwards.
pub(super) fn plot(
    results: &Results,
    format: Format,
    title: &str,
    out: &Path,
) -> Result<(), Error> {
    let name = out.display().to_string();
    let out = out.to_str().ok_or_else(|| Error::Name(name.clone()))?;
    let files = file_names(&results.columns);
    let run = || -> io::Result<bool> {
        let directory = tempfile::Builder::new()
            .prefix("bench2graph-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir()?;
        for (column, file) in results.columns.iter().zip(&files) {
            let mut data = String::new();
            for (x, y) in &column.points {
                let _ = writeln!(data, "{x} {y}");
            }
            fs::write(directory.path().join(file), data)?;
        }
        fs::write(directory.path().join(SCRIPT), script(results, &files, format, title, out))?;
        let status = Command::new("gnuplot").arg(SCRIPT).current_dir(directory.path()).status()?;
        Ok(status.success())
    };
    match run() {
        Ok(true) => Ok(()),
        Ok(false) => Err(Error::Gnuplot(name)),
        Err(error) => Err(Error::Write(name, error)),
    }
}

/// The script. For PostScript it is the original's, line by line. The others
/// have the key above, for below it would lie on the label of the x axis.
fn script(results: &Results, files: &[String], format: Format, title: &str, out: &str) -> String {
    let (key, key_box) = match format {
        Format::PostScript => ("outside below", "box"),
        _ => ("outside above", "box height 0.5 width 1"),
    };
    let terminal = match format {
        Format::PostScript => "postscript color",
        Format::Svg => "svg size 1200,700 noenhanced background \"white\"",
        Format::Png => "pngcairo size 1200,700 noenhanced",
    };
    let mut script = format!(
        "set terminal {terminal}\n\
         set key {key}\n\
         set key {key_box}\n\
         set grid\n\
         set output {}\n\
         set style data linespoints\n\
         set title {}\n",
        quoted(out),
        quoted(title)
    );
    if format != Format::PostScript {
        let _ = writeln!(script, "set xlabel {}", quoted(labels::x(results)));
        let _ = writeln!(script, "set ylabel {}", quoted(&labels::y(results)));
        script.push_str("set yrange [*<0:*]\n");
    }
    let curves = results.columns.iter().zip(files).map(|(column, file)| match format {
        Format::PostScript => quoted(file),
        _ => format!("{} title {}", quoted(file), quoted(&column.name)),
    });
    let _ = writeln!(script, "plot {}", curves.collect::<Vec<_>>().join(", "));
    script
}

/// A string of gnuplot. Between double quotes backslashes and backquotes work
/// (the latter run commands), so a text with these stands between single ones.
fn quoted(text: &str) -> String {
    if text.contains(['"', '\\', '`']) {
        format!("'{}'", text.replace('\'', "''"))
    } else {
        format!("\"{text}\"")
    }
}

/// Names for the data files, which PostScript shows in the key: the columns'
/// own, unless that would leave the directory or mean something to gnuplot.
fn file_names(columns: &[Column]) -> Vec<String> {
    let mut used = HashSet::from([SCRIPT.to_owned()]);
    let mut names = Vec::new();
    for column in columns {
        let mut name: String =
            column.name.chars().map(|c| if c == '/' || c.is_control() { '_' } else { c }).collect();
        while name.len() > LONGEST_NAME {
            name.pop();
        }
        // Such as "-", "<command", "$block", "..", "".
        if !name.starts_with(|c: char| c.is_alphanumeric() || c == '_') {
            name.insert(0, '_');
        }
        while !used.insert(name.clone()) {
            name.push('_');
        }
        names.push(name);
    }
    names
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn labels_only_where_the_original_has_no_say() {
        let results = Results::parse("dem_req_rate\treq_rate_h\tx\n40\t41.0\t1");
        let files = file_names(&results.columns);
        let svg = script(&results, &files, Format::Svg, "T", "/o.svg");
        assert!(svg.contains("set xlabel \"demanded request rate [requests/s]\"\n"), "{svg}");
        assert!(svg.ends_with("plot \"req_rate_h\" title \"req_rate_h\", \"x\" title \"x\"\n"));
        let ps = script(&results, &files, Format::PostScript, "T", "/o.ps");
        assert!(!ps.contains("label") && ps.ends_with("plot \"req_rate_h\", \"x\"\n"), "{ps}");
    }

    #[test]
    fn nothing_in_a_text_is_a_command() {
        assert_eq!(quoted("My title"), "\"My title\"");
        assert_eq!(quoted("it's"), "\"it's\"");
        assert_eq!(quoted("`id`"), "'`id`'");
        assert_eq!(quoted("it's \"x\" \\n"), "'it''s \"x\" \\n'");
    }

    proptest! {
        #[test]
        fn data_files_stay_in_their_directory(names in prop::collection::vec(
            prop_oneof![
                "\\PC{0,9}", "[a./<-]{0,3}", "[é]{150}", Just(SCRIPT.to_owned()),
            ],
            1..9,
        )) {
            let columns: Vec<Column> = names
                .into_iter()
                .map(|name| Column { number: 2, name, points: Vec::new() })
                .collect();
            let files = file_names(&columns);
            let distinct: HashSet<_> = files.iter().collect();
            prop_assert_eq!(distinct.len(), columns.len());
            for file in files {
                prop_assert!(file != SCRIPT && file.len() < 250);
                prop_assert!(!file.contains('/'));
                prop_assert!(file.starts_with(|c: char| c.is_alphanumeric() || c == '_'));
            }
        }
    }
}
