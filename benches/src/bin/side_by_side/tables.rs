//! The results as Markdown, ready to be pasted, and as JSON.

use std::time::UNIX_EPOCH;

use loadgen_benches::{median, spread};
use serde_json::{Value, json};

use super::goals::{Goal, NOTHING};
use super::part::{Column, Measured, Part};
use super::setting::Setting;

/// Everything, the goals first.
pub(crate) fn markdown(setting: &Setting, parts: &[Part], goals: &[Goal]) -> String {
    let mut text = format!(
        "Measured on {}: {}; servers on core 0, clients on core 1, one thread; medians \
         [min-max] of {} runs in turn, ratios of the same repetition.\n\n",
        date(setting),
        setting.machine,
        setting.runs
    );
    text += "| figure | goal | ours | peer | ratio | met |\n|---|---|---|---|---|---|\n";
    for goal in goals {
        let met = goal.met.map_or("not measured", |met| if met { "yes" } else { "**no**" });
        let Goal { figure, goal, ours, peer, ratio, .. } = goal;
        text += &format!("| {figure} | {goal} | {ours} | {peer} | {ratio} | {met} |\n");
    }
    for part in parts {
        text += "\n";
        text += &table(part);
    }
    text
}

fn table(part: &Part) -> String {
    let headings: Vec<&str> = part.columns.iter().map(|column| column.heading).collect();
    let mut text = format!("### {}\n\n| tool | {} |\n", part.title, headings.join(" | "));
    text += &format!("|---{}|\n", "|---".repeat(headings.len()));
    let mut notes = part.notes.clone();
    let mut disturbed = Vec::new();
    for measured in &part.contestants {
        let cells: Vec<String> = part.columns.iter().map(|column| cell(measured, column)).collect();
        text += &format!("| {} | {} |\n", measured.name, cells.join(" | "));
        if let Some(error) = &measured.error {
            let first = error.lines().next().unwrap_or("failed");
            notes.push(format!("{} dropped out: {first}", measured.name));
        }
        if measured.disturbed > 0 {
            let Measured { name, disturbed: some, runs, .. } = measured;
            disturbed.push(format!("{name} ({some} of {})", runs.len()));
        }
    }
    if !disturbed.is_empty() {
        notes.push(format!("Something else ran during runs of {}.", disturbed.join(", ")));
    }
    for note in notes {
        text += &format!("\n{note}\n");
    }
    text
}

fn cell(measured: &Measured, column: &Column) -> String {
    let values = measured.values(column.key);
    let digits = column.digits;
    if column.truths.is_empty() {
        return if values.is_empty() { NOTHING.to_owned() } else { spread(&values, digits) };
    }
    let truths = column.truths.iter().map(|key| measured.values(key));
    let all = std::iter::once(values).chain(truths).map(|values| match values.is_empty() {
        true => NOTHING.to_owned(),
        false => format!("{:.digits$}", median(&values)),
    });
    all.collect::<Vec<_>>().join("/")
}

/// Every figure of every run.
pub(crate) fn json(setting: &Setting, parts: &[Part], goals: &[Goal]) -> Value {
    json!({
        "schema": "loadgen-side-by-side/1",
        "date": date(setting),
        "machine": setting.machine,
        "runs": setting.runs,
        "duration_s": setting.seconds,
        "retries_left": setting.retries.get(),
        "goals": goals,
        "parts": parts,
    })
}

/// The day, in UTC.
fn date(setting: &Setting) -> String {
    let since = setting.began.duration_since(UNIX_EPOCH).unwrap_or_default();
    civil(since.as_secs() / 86_400)
}

/// Year, month and day of a number of days since 1970.
fn civil(days: u64) -> String {
    // Years that begin in March have their leap day at the end.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    format!("{:04}-{month:02}-{day:02}", year + era * 400 + next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::part::Figures;

    #[test]
    fn days_are_dates() {
        assert_eq!(civil(0), "1970-01-01");
        assert_eq!(civil(19_782), "2024-02-29");
        assert_eq!(civil(20_782), "2026-11-25");
    }

    #[test]
    fn tables_show_what_is_missing() {
        let figures = Figures::from([("x".to_owned(), 2.0), ("true".to_owned(), 3.0)]);
        let measured = Measured {
            name: "a".to_owned(),
            runs: vec![Some(figures)],
            disturbed: 1,
            error: Some("it broke\nbadly".to_owned()),
            ..Measured::default()
        };
        let columns = vec![
            Column::new("x", "X", 1),
            Column::new("y", "Y", 1),
            Column { truths: &["true", "none"], ..Column::new("x", "Z", 0) },
        ];
        let part = Part {
            name: "p",
            title: "T".to_owned(),
            columns,
            contestants: vec![measured],
            notes: Vec::new(),
        };
        let text = table(&part);
        assert!(text.contains("| a | 2.0 [2.0-2.0] | – | 2/3/– |"), "{text}");
        assert!(text.contains("a dropped out: it broke\n"), "{text}");
        assert!(text.contains("Something else ran during runs of a (1 of 1)."), "{text}");
    }
}
