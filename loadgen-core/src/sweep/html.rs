//! A sweep as one HTML page that needs nothing else, in the style of a report.

#[cfg(feature = "charts")]
use super::chart;
use super::report::SweepReport;
use super::sections::{answers, lines, sections, title};
use crate::report::html::{begin, escape, list, table};

/// The sweep as one self-contained HTML page, with curves over the demanded rate.
#[must_use]
pub fn render_html(sweep: &SweepReport) -> String {
    let title = escape(&title(sweep));
    let mut page = begin(&title);
    page.push_str(&format!("<header>\n<h1>{title}</h1>\n</header>\n<section>\n"));
    list(&mut page, &answers(sweep));
    page.push_str("<dl>\n");
    for (name, value) in lines(sweep) {
        page.push_str(&format!("<dt>{name}</dt><dd>{}</dd>\n", escape(&value)));
    }
    page.push_str("</dl>\n</section>\n");
    figure(&mut page, sweep);
    for section in sections(sweep) {
        table(&mut page, &section);
    }
    page.push_str("<details>\n<summary>Plan</summary>\n<pre>");
    // Line by line: cleaning would write out the line ends.
    for line in serde_json::to_string_pretty(&sweep.plan).unwrap_or_default().lines() {
        page.push_str(&escape(line));
        page.push('\n');
    }
    page.push_str("</pre>\n</details>\n</body>\n</html>\n");
    page
}

#[cfg(not(feature = "charts"))]
fn figure(page: &mut String, _: &SweepReport) {
    page.push_str(crate::report::html::NO_CHARTS);
}

#[cfg(feature = "charts")]
fn figure(page: &mut String, sweep: &SweepReport) {
    match chart::draw(sweep) {
        Ok(Some(svg)) => page.push_str(&format!(
            "<section class=\"figure\">\n<h2>Over the demanded rate</h2>\n{svg}<p \
             class=\"caption\">One point a run. A gap in a line: too few calls to say.</p>\n\
             </section>\n"
        )),
        Ok(None) => {}
        Err(reason) => {
            let reason = escape(&reason);
            page.push_str(&format!(
                "<section><p>No chart could be drawn: {reason}</p></section>\n"
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use roxmltree::{Document, ParsingOptions};

    use super::super::search::Verdict;
    use super::super::sections::tests::{sample, searched};
    use super::*;

    /// Renders a sweep. With `LOADGEN_RENDER_DIR` set, the page is kept there.
    fn page(name: &str, sweep: &SweepReport) -> String {
        let page = render_html(sweep);
        if let Some(directory) = std::env::var_os("LOADGEN_RENDER_DIR") {
            let file = std::path::Path::new(&directory).join(format!("sweep-{name}.html"));
            std::fs::write(file, &page).unwrap();
        }
        page
    }

    #[test]
    fn pages_are_well_formed_and_load_nothing() {
        let mut one = sample();
        one.points.truncate(1);
        let mut none = sample();
        none.points.clear();
        let mut hostile = sample();
        hostile.points[0].errors.insert("<script>x\u{1b}</script>".to_owned(), 3);
        hostile.points[0].response_time.p99_us = Some(f64::NAN);
        hostile.points[1].demanded_per_s = f64::INFINITY;
        let search = searched(|rate| if rate < 900.0 { Verdict::Held } else { Verdict::Breached });
        for (name, sweep) in [
            ("plain", sample()),
            ("one", one),
            ("none", none),
            ("hostile", hostile),
            ("search", search),
        ] {
            let page = page(name, &sweep);
            let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
            let document = Document::parse_with_options(&page, options).unwrap();
            for node in document.descendants().filter(roxmltree::Node::is_element) {
                let tag = node.tag_name().name();
                assert!(!["script", "img", "link", "iframe"].contains(&tag), "{name}: <{tag}>");
                let foreign = |a: roxmltree::Attribute<'_, '_>| ["src", "href"].contains(&a.name());
                assert!(!node.attributes().any(foreign), "{name}");
            }
            assert_eq!(page.contains("<svg"), name != "none", "{name}");
        }
    }

    #[test]
    fn the_curves_are_there_and_the_knee_is_marked() {
        let page = page("plain", &sample());
        let words = [
            "Response time",
            "p99",
            "answered",
            "Lost",
            "knee 200/s",
            "saturation 300–400/s",
            "demanded rate",
        ];
        for word in words {
            assert!(page.contains(word), "{word}");
        }
    }
}
