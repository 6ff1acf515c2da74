//! An experiment as one HTML page that needs nothing else, in the style of a report.

use std::path::Path;

#[cfg(feature = "charts")]
use super::chart;
use super::sections::{Comparisons, answers, lines, sections, title};
use crate::experiment::summary::Summary;
#[cfg(feature = "charts")]
use crate::experiment::timelines::timelines;
use crate::report::html::{begin, escape, list, table};
#[cfg(feature = "charts")]
use crate::report::sections::cell::counted;

/// The experiment as one self-contained HTML page. With the directory of the experiment it also
/// shows the response times of all trials, from their reports.
#[must_use]
pub fn render_html(summary: &Summary, directory: Option<&Path>) -> String {
    let title = escape(&title(summary));
    let mut page = begin(&title);
    page.push_str(&format!("<header>\n<h1>{title}</h1>\n</header>\n<section>\n"));
    page.push_str("<h2>What was found</h2>\n");
    list(&mut page, &answers(summary));
    page.push_str("<dl>\n");
    for (name, value) in lines(summary) {
        page.push_str(&format!("<dt>{}</dt><dd>{}</dd>\n", escape(name), escape(&value)));
    }
    page.push_str("</dl>\n</section>\n");
    figures(&mut page, summary, directory);
    for section in sections(summary, Comparisons::All) {
        table(&mut page, &section);
    }
    page.push_str("</body>\n</html>\n");
    page
}

#[cfg(not(feature = "charts"))]
fn figures(page: &mut String, _: &Summary, _: Option<&Path>) {
    page.push_str(crate::report::html::NO_CHARTS);
}

#[cfg(feature = "charts")]
fn figures(page: &mut String, summary: &Summary, directory: Option<&Path>) {
    let bars = "Bars are medians, with their 95 % intervals by order statistics where there are \
                trials enough for one; each dot is a trial, from left to right in the order of time.";
    section(page, "Every trial", chart::figures(summary), bars);
    let Some(directory) = directory else { return };
    let cells = timelines(directory, summary);
    let left_out: usize = cells.iter().map(|cell| cell.left_out).sum();
    let mut lines =
        "The 99th percentile of windows; where a window has too few calls for one, its \
                     longest response time. Of a long trial each point is the worst of some windows \
                     that follow each other. A gap: no call was answered in all of them."
            .to_owned();
    if left_out > 0 {
        lines.push_str(&format!(" Not drawn: {}.", counted(left_out as u64, "trial")));
    }
    if let Some(beyond) = cells.len().checked_sub(chart::MOST_CELLS).filter(|beyond| *beyond > 0) {
        lines.push_str(&format!(" Not drawn: {}.", counted(beyond as u64, "cell")));
    }
    section(page, "Response time in each trial", chart::overlays(summary, &cells), &lines);
    let shares = "The median trial of each cell: the share of its good replies that took longer than \
                  the time below, before the migration, during it, and after it. One trial shows one \
                  migration; what holds for all is in the tables.";
    section(page, "Response times of calls", chart::distributions(summary, &cells), shares);
}

/// Charts beside each other.
#[cfg(feature = "charts")]
fn section(page: &mut String, title: &str, charts: Result<Vec<String>, String>, caption: &str) {
    match charts {
        Ok(charts) if charts.is_empty() => {}
        Ok(charts) => {
            page.push_str(&format!(
                "<section class=\"figure\">\n<h2>{title}</h2>\n<div class=\"charts\">\n"
            ));
            charts.iter().for_each(|svg| page.push_str(&format!("<div>{svg}</div>\n")));
            page.push_str(&format!("</div>\n<p class=\"caption\">{caption}</p>\n</section>\n"));
        }
        Err(reason) => {
            let reason = escape(&reason);
            page.push_str(&format!(
                "<section><p>No chart could be drawn: {reason}</p></section>\n"
            ));
        }
    }
}
