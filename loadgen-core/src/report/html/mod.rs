//! The report as one HTML page that needs nothing else: no script, no font, no
//! image from elsewhere; the charts are SVG in the page.
//!
//! Invariants: everything that comes from the report goes through [`escape`];
//! the page is well-formed XML after its doctype, which the tests check.

mod glossary;
#[cfg(test)]
mod tests;

#[cfg(feature = "charts")]
use super::chart::{self, View};
use super::sections::{self, Events, Section, cell};
use super::{Migration, Report};

const STYLE: &str = include_str!("style.css");

/// The report as one self-contained HTML page.
#[must_use]
pub fn render_html(report: &Report) -> String {
    let head = sections::head(report);
    let title = format!("{} – {}", head.title, report.plan.target().url());
    let mut page = begin(&escape(&title));
    header(&mut page, report, &head);
    if let Some(migration) = &report.migration {
        tiles(&mut page, &migration_tiles(report, migration));
    } else {
        tiles(&mut page, &run_tiles(report));
    }
    figures(&mut page, report);
    for section in sections::sections(report, Events::All) {
        table(&mut page, &section);
    }
    plan(&mut page, report);
    glossary::definitions(&mut page);
    page.push_str("</body>\n</html>\n");
    page
}

/// A page of this style up to its body, with a title that is escaped already.
pub(crate) fn begin(title: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n<meta \
         name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>{title}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n"
    )
}

/// Text that stands for itself in HTML, in content and in quoted attributes.
/// Control characters are written out: some are not allowed in any form.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in cell::clean(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

fn header(page: &mut String, report: &Report, head: &sections::Head) {
    page.push_str("<header>\n");
    if report.migration.as_ref().is_some_and(|migration| migration.simulated) {
        page.push_str("<div class=\"simulated\">SIMULATED</div>\n");
    }
    page.push_str(&format!("<h1>{}</h1>\n", escape(&head.title)));
    page.push_str(&format!("<p class=\"target\">{}</p>\n", escape(report.plan.target().url())));
    page.push_str("</header>\n<section>\n");
    let class = report.verdict.status.name();
    page.push_str(&format!(
        "<h2>Verdict: <span class=\"verdict {class}\">{}</span></h2>\n",
        head.verdict
    ));
    list(page, &head.reasons);
    page.push_str("<dl>\n");
    for (name, value) in &head.lines {
        page.push_str(&format!("<dt>{}</dt><dd>{}</dd>\n", escape(name), escape(value)));
    }
    page.push_str("</dl>\n</section>\n");
}

pub(crate) fn list(page: &mut String, items: &[String]) {
    if items.is_empty() {
        return;
    }
    page.push_str("<ul class=\"notes\">\n");
    for item in items {
        page.push_str(&format!("<li>{}</li>\n", escape(item)));
    }
    page.push_str("</ul>\n");
}

/// A figure in large, its bound, and what it is.
pub(crate) type Tile = (String, String, &'static str);

pub(crate) fn tiles(page: &mut String, tiles: &[Tile]) {
    page.push_str("<div class=\"tiles\">\n");
    for (figure, bound, what) in tiles {
        page.push_str(&format!(
            "<div class=\"tile\"><span>{}</span><b>{}</b><span>{}</span></div>\n",
            escape(what),
            escape(figure),
            escape(bound)
        ));
    }
    page.push_str("</div>\n");
}

fn migration_tiles(report: &Report, migration: &Migration) -> Vec<Tile> {
    let mut tiles = Vec::new();
    let outages = &migration.outage_ms;
    for (what, outage) in
        [("outage, established", &outages.established), ("outage, fresh", &outages.fresh)]
    {
        if let Some(outage) = outage {
            let mut bound = cell::bound(outage.bound);
            let mut gap = cell::millis_or_none(outage.headline());
            let others = outage.other_gaps.iter().map(|other| other.length_ms);
            let longest = others.fold(0.0, f64::max);
            if outage.headline().is_some_and(|gap| longest > gap) {
                bound.push_str(&format!("; a longer gap elsewhere: {}", cell::millis(longest)));
            }
            if outage.headline_is_lower_bound() {
                gap.insert_str(0, "≥ ");
            }
            tiles.push((gap, bound, what));
        }
    }
    let down = &migration.downtime_ms;
    let events = cell::millis_or_none(down.events);
    tiles.push((events, cell::bound(down.bound), "downtime STOP→RESUME"));
    tiles.push((
        cell::millis_or_none(down.reported),
        "by the hypervisor".to_owned(),
        "downtime reported",
    ));
    if let Some(paused) = &migration.paused_ms {
        let at_least = if paused.recovered { "" } else { "≥ " };
        let figure = format!("{at_least}{}", cell::millis(paused.events));
        tiles.push((figure, cell::bound(Some(paused.bound)), "post-copy paused"));
    }
    let total = &migration.total_migration_time_ms;
    let (ms, by) = match (total.trigger, total.hypervisor) {
        (Some(ms), _) => (Some(ms), "by the trigger"),
        (None, other) => (other, "by the hypervisor"),
    };
    tiles.push((cell::millis_or_none(ms), by.to_owned(), "total migration time"));
    tiles.push((
        migration.calls_lost.map_or_else(|| cell::NONE.to_owned(), cell::count),
        migration.calls_lost.map_or_else(String::new, |lost| {
            format!("{} of the calls of the run", cell::share(lost, report.counts.offered))
        }),
        "calls lost",
    ));
    if let Some((figure, causes)) = sections::losses::connections_lost(migration) {
        tiles.push((figure, causes, "connections lost"));
    }
    tiles
}

fn run_tiles(report: &Report) -> Vec<Tile> {
    let counts = &report.counts;
    let rates = &report.rates;
    let lost = counts.failed + counts.shed + counts.unfinished;
    let p50 = cell::micros_or_none(report.response_time.p50_us);
    let calls = format!("{} answered calls", cell::count(report.response_time.count));
    let mut p99 = calls.clone();
    let mut value = cell::micros_or_none(report.response_time.p99_us);
    if sections::is_lower_bound(report.response_time.count, counts.censored, 0.99) {
        p99.push_str("; lower bound: see Times");
        value.insert_str(0, "≥ ");
    }
    vec![
        (
            cell::rate_or_none(rates.answered_per_s),
            format!("{} offered", cell::rate_or_none(rates.offered_per_s)),
            "answered rate",
        ),
        (p50, calls, "response time, p50"),
        (value, p99, "response time, p99"),
        (
            cell::count(lost),
            format!("{} of {}", cell::share(lost, counts.offered), cell::count(counts.offered)),
            "failed, shed or unfinished",
        ),
    ]
}

#[cfg(feature = "charts")]
fn figures(page: &mut String, report: &Report) {
    figure(page, report, View::Whole, "The run over time");
    figure(page, report, View::Blackout, "Around the blackout");
}

#[cfg(not(feature = "charts"))]
fn figures(page: &mut String, _: &Report) {
    page.push_str(NO_CHARTS);
}

/// What stands in the place of charts in a build without them.
#[cfg(not(feature = "charts"))]
pub(crate) const NO_CHARTS: &str =
    "<section><p>The program that made this page was built without charts.</p></section>\n";

#[cfg(feature = "charts")]
fn figure(page: &mut String, report: &Report, view: View, title: &str) {
    let drawn = match chart::chart(report, view) {
        Ok(Some(chart)) => chart,
        Ok(None) => return,
        Err(reason) => {
            let reason = escape(&reason);
            page.push_str(&format!(
                "<section><p>No chart could be drawn: {reason}</p></section>\n"
            ));
            return;
        }
    };
    page.push_str(&format!("<section class=\"figure\">\n<h2>{}</h2>\n", escape(title)));
    page.push_str(&drawn.svg);
    page.push_str(&format!("<p class=\"caption\">{}</p>\n</section>\n", escape(&drawn.caption)));
}

pub(crate) fn table(page: &mut String, section: &Section) {
    page.push_str(&format!("<section>\n<h2>{}</h2>\n", escape(&section.title)));
    page.push_str(&format!("<p class=\"scope\">{}</p>\n", escape(&section.scope)));
    let text_from = section.columns.len() - section.text_columns;
    let class = |i: usize| match i {
        _ if i > 0 && i + 1 == section.columns.len() && i >= text_from => " class=\"text wide\"",
        _ if i == 0 || i >= text_from => " class=\"text\"",
        _ => "",
    };
    page.push_str("<div class=\"scroll\"><table>\n<thead><tr>");
    for (i, column) in section.columns.iter().enumerate() {
        page.push_str(&format!("<th{}>{}</th>", class(i), escape(column)));
    }
    page.push_str("</tr></thead>\n<tbody>\n");
    for row in &section.rows {
        page.push_str("<tr>");
        for (i, cell) in row.iter().enumerate() {
            let tag = if i == 0 { "th" } else { "td" };
            page.push_str(&format!("<{tag}{}>{}</{tag}>", class(i), escape(cell)));
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody>\n</table></div>\n");
    list(page, &section.notes);
    page.push_str("</section>\n");
}

/// Plan and environment, folded.
fn plan(page: &mut String, report: &Report) {
    page.push_str("<details>\n<summary>Plan and environment</summary>\n<dl>\n");
    let environment = &report.environment;
    let mut line = |name: &str, value: &str| {
        page.push_str(&format!("<dt>{name}</dt><dd>{}</dd>\n", escape(value)));
    };
    line("schema", &report.schema);
    line("kernel", &environment.kernel);
    line("CPU", &environment.cpu);
    line("address", &environment.address);
    line("descriptor limit", &cell::count(environment.descriptor_limit));
    let load = environment.load_average.map_or(cell::NONE.to_owned(), |load| format!("{load:.2}"));
    line("load average at the start", &load);
    if let Some(migration) = &report.migration {
        for (name, details) in
            [("machine", &migration.vm.details), ("migration", &migration.details)]
        {
            if !details.is_empty() {
                line(name, &serde_json::to_string(details).unwrap_or_default());
            }
        }
    }
    page.push_str("</dl>\n<pre>");
    // The plan line by line: cleaning would write out its line ends.
    let json = serde_json::to_string_pretty(&report.plan).unwrap_or_default();
    for line in json.lines() {
        page.push_str(&escape(line));
        page.push('\n');
    }
    page.push_str("</pre>\n</details>\n");
}
