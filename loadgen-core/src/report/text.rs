//! The report that a person reads in a terminal: aligned, at most 100 columns
//! where the figures allow it, no colours, no box characters.

use super::Report;
use super::sections::{self, Events, Section, cell};

/// Where long text is broken.
const WIDTH: usize = 100;

/// The report as text, with a newline at its end.
///
/// What comes from outside (URL, names of events, messages) cannot steer the
/// terminal: control characters are written out as escapes.
#[must_use]
pub fn render_text(report: &Report) -> String {
    let mut out = String::new();
    let head = sections::head(report);
    paragraph(&mut out, "", &head.title);
    for (name, value) in &head.lines {
        paragraph(&mut out, &format!("  {:<12}", cell::clean(name)), value);
    }
    paragraph(&mut out, &format!("  {:<12}", "verdict"), head.verdict);
    for reason in &head.reasons {
        paragraph(&mut out, "    - ", reason);
    }
    for section in sections::sections(report, Events::Milestones) {
        render_section(&mut out, &section);
    }
    out
}

pub(crate) fn render_section(out: &mut String, section: &Section) {
    out.push('\n');
    paragraph(out, "", &section.title);
    paragraph(out, "  ", &format!("({})", section.scope));
    render_table(out, section);
    for note in &section.notes {
        paragraph(out, "  * ", note);
    }
}

/// Columns as wide as their widest cell; a text column at the end takes what is
/// left and is broken.
fn render_table(out: &mut String, section: &Section) {
    let header: Vec<String> = section.columns.iter().map(|&c| c.to_owned()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(&header)
        .chain(&section.rows)
        .map(|row| row.iter().map(|cell| cell::clean(cell)).collect())
        .collect();
    let columns = header.len();
    let numbers_end = columns - section.text_columns;
    let width = |i: usize| {
        rows.iter().filter_map(|row| row.get(i)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    // A wide table of figures gets narrower gaps.
    let wide = section.text_columns == 0 && widths.iter().sum::<usize>() + 2 * columns > WIDTH;
    let gap = if wide { " " } else { "  " };
    for row in &rows {
        let mut line = String::new();
        for (i, cell) in row.iter().enumerate() {
            line.push_str(if i == 0 { "  " } else { gap });
            let last = i + 1 == columns;
            let pad = widths[i].saturating_sub(cell.chars().count());
            if i > 0 && i < numbers_end {
                line.extend(std::iter::repeat_n(' ', pad));
                line.push_str(cell);
            } else if last {
                let mut lines = String::new();
                paragraph(&mut lines, &line, cell);
                line = lines.trim_end().to_owned();
            } else {
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', pad));
            }
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

/// Text after a prefix, broken at spaces, with later lines set in below the first.
pub(crate) fn paragraph(out: &mut String, prefix: &str, text: &str) {
    let indent = prefix.chars().count();
    let room = WIDTH.saturating_sub(indent).max(24);
    let mut line = String::new();
    let mut first = true;
    let mut flush = |line: &mut String| {
        if first {
            out.push_str(prefix);
        } else {
            out.extend(std::iter::repeat_n(' ', indent));
        }
        first = false;
        out.push_str(line);
        out.truncate(out.trim_end_matches(' ').len());
        out.push('\n');
        line.clear();
    };
    for word in cell::clean(text).split(' ') {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > room {
            flush(&mut line);
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    flush(&mut line);
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn plain_run() {
        insta::assert_snapshot!(render_text(&sample::plain()));
    }

    #[test]
    fn pre_copy() {
        insta::assert_snapshot!(render_text(&sample::pre_copy()));
    }

    #[test]
    fn post_copy_cut_and_recovered() {
        insta::assert_snapshot!(render_text(&sample::post_copy_cut()));
    }

    #[test]
    fn simulated_stop_and_copy() {
        insta::assert_snapshot!(render_text(&sample::stop_and_copy()));
    }

    #[test]
    fn nothing_measured() {
        let text = render_text(&sample::empty());
        assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn hostile_names_cannot_steer_the_terminal() {
        let text = render_text(&sample::hostile());
        assert!(text.contains("\\u{1b}[31m"));
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
    }

    #[test]
    fn lines_fit_a_terminal() {
        for report in
            [sample::plain(), sample::pre_copy(), sample::post_copy_cut(), sample::stop_and_copy()]
        {
            for line in render_text(&report).lines() {
                let width = line.chars().count();
                assert!(width <= 100, "{width}: {line}");
                assert_eq!(line.trim_end(), line);
            }
        }
    }
}
