//! The documents of `httperf` know every option, by its name and its letter.

use std::collections::BTreeSet;

use loadgen_core::httperf::{Argument, OPTIONS, OptionEntry};

const DOCUMENT: &str = include_str!("../../../docs/httperf.md");
const MANUAL: &str = include_str!("../../man/httperf.1");

/// How the table names an option: `--name`, with its letter before it.
fn cell(option: &OptionEntry) -> String {
    let letter = option.short.map_or(String::new(), |letter| format!("`-{letter}`, "));
    format!("| {letter}`--{}", option.name)
}

#[test]
fn the_table_has_every_option_once() {
    let table = DOCUMENT.split("## Options").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows: Vec<&str> = table.lines().filter(|line| line.contains("`--")).collect();
    for option in OPTIONS {
        // What follows the name: an argument, an optional one, or none.
        let end = match option.argument {
            Argument::None => "`",
            Argument::Required(_) => "=",
            Argument::Optional(_) => "[=",
        };
        let start = format!("{}{end}", cell(option));
        let found: Vec<_> = rows.iter().filter(|row| row.starts_with(&start)).collect();
        assert_eq!(found.len(), 1, "{start}");
        let verdict = found[0].split(" | ").nth(1).unwrap();
        assert!(["same", "better", "0.9.1", "ours"].contains(&verdict), "{}", found[0]);
    }
    // Rows that are no option's are those of options that went away.
    let rows = rows.iter().filter(|row| row.starts_with("| `-")).count();
    assert_eq!(rows, OPTIONS.len());
}

/// The macros that begin an item of a list, with what they say of options.
fn items() -> impl Iterator<Item = &'static str> {
    MANUAL.lines().filter_map(|line| line.strip_prefix(".It Fl "))
}

#[test]
fn the_manual_describes_every_option() {
    let words: BTreeSet<&str> = items().flat_map(str::split_whitespace).collect();
    for option in OPTIONS {
        let name = format!("\\-{}", option.name);
        assert!(words.contains(name.as_str()), "--{} is missing", option.name);
        if let Some(letter) = option.short {
            let letter = letter.to_string();
            assert!(words.contains(letter.as_str()), "-{letter} is missing");
        }
    }
}

#[test]
fn the_manual_describes_no_option_that_is_not_there() {
    for word in MANUAL.split_whitespace().filter_map(|word| word.strip_prefix("\\-")) {
        let known = OPTIONS.iter().any(|option| option.name == word);
        assert!(known, "--{word}");
    }
}
