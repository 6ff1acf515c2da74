//! An experiment as text.

use super::sections::{Comparisons, answers, lines, sections, title};
use crate::experiment::summary::Summary;
use crate::report::text::{paragraph, render_section};

/// The experiment as text, with a newline at its end.
#[must_use]
pub fn render_text(summary: &Summary) -> String {
    let mut out = String::new();
    paragraph(&mut out, "", &title(summary));
    for (name, value) in lines(summary) {
        paragraph(&mut out, &format!("  {name:<12}"), &value);
    }
    for answer in answers(summary) {
        paragraph(&mut out, "  * ", &answer);
    }
    for section in sections(summary, Comparisons::Pooled) {
        render_section(&mut out, &section);
    }
    out
}
