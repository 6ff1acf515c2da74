//! An experiment as one HTML page that needs nothing else, in the style of a report.

use super::sections::{Comparisons, answers, lines, sections, title};
use crate::experiment::summary::Summary;
use crate::report::html::{begin, escape, list, table};

/// The experiment as one self-contained HTML page.
#[must_use]
pub fn render_html(summary: &Summary) -> String {
    let title = escape(&title(summary));
    let mut page = begin(&title);
    page.push_str(&format!("<header>\n<h1>{title}</h1>\n</header>\n<section>\n"));
    list(&mut page, &answers(summary));
    page.push_str("<dl>\n");
    for (name, value) in lines(summary) {
        page.push_str(&format!("<dt>{name}</dt><dd>{}</dd>\n", escape(&value)));
    }
    page.push_str("</dl>\n</section>\n");
    for section in sections(summary, Comparisons::All) {
        table(&mut page, &section);
    }
    page.push_str("</body>\n</html>\n");
    page
}
