//! A prediction as text.

use super::head::{answers, lines, title};
use super::sections::sections;
use crate::prediction::document::PredictionReport;
use crate::report::text::{paragraph, render_section};

/// The prediction as text, with a newline at its end.
#[must_use]
pub fn render_prediction_text(report: &PredictionReport) -> String {
    let mut out = String::new();
    paragraph(&mut out, "", &title(report));
    for (name, value) in lines(report) {
        paragraph(&mut out, &format!("  {name:<12}"), &value);
    }
    for answer in answers(report) {
        paragraph(&mut out, "  * ", &answer);
    }
    for section in sections(report) {
        render_section(&mut out, &section);
    }
    out
}
