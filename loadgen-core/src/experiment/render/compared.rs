//! A comparison as text.

use std::collections::BTreeMap;

use super::figure::{change, median, p};
use crate::experiment::analysis::{Change, Comparison};
use crate::experiment::compare::{Compared, SideReport};
use crate::experiment::metric::Metric;
use crate::report::sections::{Section, cell};
use crate::report::text::{paragraph, render_section};

/// The comparison as text, with a newline at its end.
#[must_use]
pub fn render_compared(compared: &Compared) -> String {
    let mut out = String::new();
    paragraph(&mut out, "", "Comparison");
    for (name, side) in [("A", &compared.a), ("B", &compared.b)] {
        paragraph(&mut out, &format!("  {name}  "), &told(side));
    }
    for answer in answers(compared) {
        paragraph(&mut out, "  * ", &answer);
    }
    if let Some(section) = table(compared) {
        render_section(&mut out, &section);
    }
    out
}

fn told(side: &SideReport) -> String {
    let when = side.from.as_ref().zip(side.to.as_ref());
    let when = when.map(|(from, to)| match from == to {
        true => format!(", measured {from}"),
        false => format!(", measured {from} to {to}"),
    });
    let others = match side.not_counted {
        0 => String::new(),
        n => format!(", and {} that failed or cannot be trusted", cell::count(n)),
    };
    let n = cell::counted(side.n, "trial");
    format!("{}: {n}{others}{}", side.name, when.unwrap_or_default())
}

/// What was found, in sentences made of the figures alone.
fn answers(compared: &Compared) -> Vec<String> {
    let rows = &compared.comparisons;
    let count = |change: Change| rows.iter().filter(|row| row.verdict == change).count() as u64;
    let mut answers = vec![format!(
        "of {}, B is slower in {}, faster in {}, the same in {}; {} cannot be told",
        cell::counted(rows.len() as u64, "comparison"),
        count(Change::Slower),
        count(Change::Faster),
        count(Change::Same),
        count(Change::CannotTell)
    )];
    if compared.a.n <= 1 && compared.b.n <= 1 {
        answers.push(
            "each side is one trial: what differs may be chance, and nothing here can tell"
                .to_owned(),
        );
    } else if rows.iter().any(|row| row.smallest_p_holm > 0.05) {
        answers.push(
            "for some comparisons there are too few trials to show any difference at all"
                .to_owned(),
        );
    }
    if let Some(hours) = compared.hours_apart {
        answers.push(format!(
            "the sides were measured one after the other, {} apart: what changed in the machine \
             meanwhile cannot be told from what was changed on purpose",
            if hours < 1.0 {
                format!("{} min", cell::fixed(hours * 60.0, 0))
            } else {
                format!("{} h", cell::fixed(hours, 1))
            }
        ));
    }
    if !compared.only_in_one.is_empty() {
        let n = compared.only_in_one.len() as u64;
        answers.push(format!(
            "{} of levels, which only one side has, left out",
            cell::counted(n, "combination")
        ));
    }
    answers
}

fn table(compared: &Compared) -> Option<Section> {
    let row = |row: &Comparison| {
        let metric = Metric::named(&row.metric)?;
        let of = |side: &SideReport| {
            let cell = side.cells.iter().find(|cell| cell.factors == row.a)?;
            let spread = cell.metrics.get(&row.metric)?;
            Some(format!("{} [{}]", median(spread), spread.n))
        };
        let verdict = match row.more_trials {
            Some(more) => {
                format!("{} (about {})", row.verdict.name(), cell::counted(more, "more trial"))
            }
            None => row.verdict.name().to_owned(),
        };
        Some(vec![
            format!("{}{}", metric.title, levels(&row.a)),
            of(&compared.a)?,
            of(&compared.b)?,
            change(metric.unit, row),
            p(row.p),
            p(row.p_holm),
            verdict,
        ])
    };
    let rows: Vec<Vec<String>> = compared.comparisons.iter().filter_map(row).collect();
    (!rows.is_empty()).then(|| Section {
        title: "What changed from A to B".to_owned(),
        scope: format!(
            "medians with their 95 % intervals by order statistics [trials]; B over A, or B minus A \
             where there are zeros (shares in percentage points), with its 95 % interval; test of \
             Mann and Whitney (exact up to 60 trials), p corrected by Holm over all rows; slower and faster mean worse and better by more than \
             {} %",
            cell::fixed(compared.margin * 100.0, 1)
        ),
        columns: vec!["metric", "A", "B", "change (95 %)", "p", "p, Holm", "verdict"],
        rows,
        text_columns: 1,
        notes: Vec::new(),
    })
}

fn levels(levels: &BTreeMap<String, String>) -> String {
    let all: Vec<String> = levels.iter().map(|(name, level)| format!("{name}={level}")).collect();
    if all.is_empty() { String::new() } else { format!(", {}", all.join(" ")) }
}
