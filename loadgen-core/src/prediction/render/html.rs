//! A prediction as one HTML page that needs nothing else, in the style of a report.

use super::head::{answers, lines, title};
use super::sections::sections;
use crate::prediction::document::PredictionReport;
use crate::report::html::{begin, escape, list, table};

/// The prediction as one self-contained HTML page.
#[must_use]
pub fn render_prediction_html(report: &PredictionReport) -> String {
    let title = escape(&title(report));
    let mut page = begin(&title);
    page.push_str(&format!("<header>\n<h1>{title}</h1>\n</header>\n<section>\n"));
    page.push_str("<h2>What the models say</h2>\n");
    list(&mut page, &answers(report));
    page.push_str("<dl>\n");
    for (name, value) in lines(report) {
        page.push_str(&format!("<dt>{}</dt><dd>{}</dd>\n", escape(name), escape(&value)));
    }
    page.push_str("</dl>\n</section>\n");
    figures(&mut page, report);
    for section in sections(report) {
        table(&mut page, &section);
    }
    page.push_str("</body>\n</html>\n");
    page
}

#[cfg(not(feature = "charts"))]
fn figures(page: &mut String, _: &PredictionReport) {
    page.push_str(crate::report::html::NO_CHARTS);
}

#[cfg(feature = "charts")]
fn figures(page: &mut String, report: &PredictionReport) {
    use super::chart;

    for figure in chart::figures(report) {
        let (title, caption) = (escape(&figure.title), escape(&figure.caption));
        page.push_str(&format!(
            "<section class=\"figure\">\n<h2>{title}</h2>\n<div class=\"charts\">\n"
        ));
        match figure.svg {
            Ok(svg) => page.push_str(&format!("<div>{svg}</div>\n")),
            Err(reason) => {
                let reason = escape(&reason);
                page.push_str(&format!("<p>No chart could be drawn: {reason}</p>\n"));
            }
        }
        page.push_str(&format!("</div>\n<p class=\"caption\">{caption}</p>\n</section>\n"));
    }
}
