//! An experiment as Markdown (CommonMark with the tables of GitHub), to be put into a page or an
//! issue.

use super::sections::{Comparisons, answers, lines, sections, title};
use crate::experiment::summary::Summary;
use crate::report::sections::{Section, cell};

/// The experiment as Markdown, with a newline at its end.
#[must_use]
pub fn render_markdown(summary: &Summary) -> String {
    let mut out = format!("# {}\n\n", escape(&title(summary)));
    for answer in answers(summary) {
        out.push_str(&format!("- {}\n", escape(&answer)));
    }
    out.push_str("\n| | |\n|---|---|\n");
    for (name, value) in lines(summary) {
        out.push_str(&format!("| {} | {} |\n", escape(name), escape(&value)));
    }
    for section in sections(summary, Comparisons::All) {
        table(&mut out, &section);
    }
    out
}

fn table(out: &mut String, section: &Section) {
    out.push_str(&format!("\n## {}\n\n{}\n\n", escape(&section.title), escape(&section.scope)));
    let row = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let header: Vec<String> = section.columns.iter().map(|column| escape(column)).collect();
    out.push_str(&row(&header));
    let numbers = section.columns.len() - section.text_columns;
    let side = |column: usize| if column == 0 || column >= numbers { "---" } else { "--:" };
    let sides: Vec<&str> = (0..section.columns.len()).map(side).collect();
    out.push_str(&format!("|{}|\n", sides.join("|")));
    for cells in &section.rows {
        let cells: Vec<String> = cells.iter().map(|cell| escape(cell)).collect();
        out.push_str(&row(&cells));
    }
    if !section.notes.is_empty() {
        out.push('\n');
    }
    for note in &section.notes {
        out.push_str(&format!("- {}\n", escape(note)));
    }
}

/// A text that stands for itself: what Markdown or HTML would read is escaped.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in cell::clean(text).chars() {
        if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '&' | '~') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
