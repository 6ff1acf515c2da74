//! The page as a browser would read it.

use roxmltree::{Document, ParsingOptions};

use super::super::WindowReport;
use super::super::sample;
use super::*;

/// Renders a report. With `LOADGEN_RENDER_DIR` set, the page is kept there for
/// looking at it.
fn page(name: &str, report: &Report) -> String {
    let page = render_html(report);
    if let Some(directory) = std::env::var_os("LOADGEN_RENDER_DIR") {
        std::fs::write(std::path::Path::new(&directory).join(format!("{name}.html")), &page)
            .unwrap();
    }
    page
}

fn parse(page: &str) -> Document<'_> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    Document::parse_with_options(page, options).unwrap()
}

/// All text, without the style sheet.
fn words(document: &Document<'_>) -> String {
    let texts = document.descendants().filter(|n| n.is_text());
    texts
        .filter(|n| n.parent().is_none_or(|p| p.tag_name().name() != "style"))
        .filter_map(|n| n.text())
        .collect::<Vec<_>>()
        .join(" ")
}

fn all() -> Vec<(&'static str, Report)> {
    vec![
        ("plain", sample::plain()),
        ("pre-copy", sample::pre_copy()),
        ("stop-and-copy", sample::stop_and_copy()),
        ("empty", sample::empty()),
        ("hostile", sample::hostile()),
        ("long", long()),
    ]
}

/// A plain run of more than an hour.
fn long() -> Report {
    let mut report = sample::plain();
    let own = report.timeline.windows.clone();
    report.timeline.windows = (0..200)
        .flat_map(|k| {
            own.iter().map(move |w| WindowReport {
                start_s: w.start_s + 20.0 * f64::from(k),
                ..w.clone()
            })
        })
        .collect();
    report.timeline.windows[20_000].answered = 0;
    report.duration_s = 4000.0;
    report
}

#[test]
fn pages_are_well_formed_and_load_nothing() {
    for (name, report) in all() {
        let page = page(name, &report);
        let document = parse(&page);
        for node in document.descendants().filter(roxmltree::Node::is_element) {
            let tag = node.tag_name().name();
            let dangerous = ["script", "img", "image", "link", "iframe", "object", "use", "base"];
            assert!(!dangerous.contains(&tag), "{name}: <{tag}>");
            for attribute in node.attributes() {
                let attribute = attribute.name();
                assert!(
                    !["src", "href", "srcset", "data", "action"].contains(&attribute),
                    "{name}"
                );
                assert!(!attribute.starts_with("on"), "{name}: {attribute}");
            }
        }
        let style = document.descendants().find(|n| n.tag_name().name() == "style").unwrap();
        let style = style.text().unwrap();
        assert!(!style.contains("@import") && !style.contains("url("), "{name}");
        let words = words(&document);
        assert!(!words.contains("NaN") && !words.contains(" inf"), "{name}");
    }
}

#[test]
fn hostile_text_stays_text() {
    let page = page("hostile", &sample::hostile());
    assert!(!page.contains("<script") && !page.contains("<img"));
    assert!(!page.contains('\u{1b}'));
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert_eq!(page.matches("</title>").count(), 1);
    // The URL, shown as it is.
    let words = words(&parse(&page));
    assert!(words.contains("/?a=<script>alert(1)</script>&b=\"'><img/src=x>"));
}

#[test]
fn every_event_phase_and_figure_is_there() {
    let report = sample::pre_copy();
    let page = page("pre-copy", &report);
    let document = parse(&page);
    let words = words(&document);
    for event in &report.events {
        assert!(words.contains(&cell::seconds(event.at_s)), "{}", event.name);
        assert!(words.contains(&event.source));
    }
    for phase in &report.migration.as_ref().unwrap().phases {
        assert!(words.contains(&phase.name), "{}", phase.name);
    }
    for figure in [
        "180.4 ms",
        "± 2.1 ms",
        "188.9 ms",
        "± 10.3 ms",
        "31.1 ms",
        "± 0.8 ms",
        "25.0 ms",
        "7645.0 ms",
        "7641.0 ms",
        "212.0 ms",
        "7300.0 ms",
        "244 MiB",
        "VALID",
        "QEMU 7.2.22",
    ] {
        assert!(words.contains(figure), "{figure}");
    }
    let svgs: Vec<_> = document
        .descendants()
        .filter(|n| n.has_tag_name(("http://www.w3.org/2000/svg", "svg")))
        .collect();
    assert_eq!(svgs.len(), 2, "the whole run and the blackout");
    for svg in svgs {
        let marks: Vec<_> = svg.descendants().filter_map(|n| n.text()).map(str::trim).collect();
        assert!(marks.contains(&"STOP") && marks.contains(&"RESUME"), "{marks:?}");
        assert!(marks.contains(&"established p99"), "{marks:?}");
    }
}

#[test]
fn a_simulation_says_so_in_its_title() {
    let title = |report: &Report| {
        let page = render_html(report);
        let document = parse(&page);
        let title = document.descendants().find(|n| n.tag_name().name() == "title").unwrap();
        title.text().unwrap().to_owned()
    };
    assert!(title(&sample::stop_and_copy()).starts_with("SIMULATED"));
    assert!(!title(&sample::pre_copy()).contains("SIMULATED"));
}

#[test]
fn every_failed_call_is_marked() {
    let mut report = sample::stop_and_copy();
    let crosses = |report: &Report| {
        let page = render_html(report);
        let document = parse(&page);
        let svg = document.descendants().find(|n| n.tag_name().name() == "svg").unwrap();
        // A cross is two strokes in the colour of failures.
        svg.descendants().filter(|n| n.attribute("stroke") == Some("#D1242F")).count() / 2
    };
    // 484 calls in 2 s share the spots that there are; far apart, each has its own.
    assert!(crosses(&report) > 80, "{}", crosses(&report));
    report.timeline.failed_calls.truncate(100);
    for (i, call) in report.timeline.failed_calls.iter_mut().enumerate() {
        call.at_s = 0.1 + 0.2 * i as f64;
    }
    assert_eq!(crosses(&report), 101, "and one in the legend");
}

#[test]
fn a_long_run_makes_a_page_of_bearable_size() {
    let page = page("long", &long());
    assert!(page.len() < 2_000_000, "{}", page.len());
    let words = words(&parse(&page));
    assert!(words.contains("34 windows"), "40,000 windows in at most 1,200 points");
    assert!(words.contains("least answered"));
}
