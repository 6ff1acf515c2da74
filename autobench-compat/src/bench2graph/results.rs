//! Results files of autobench: a line of column names, then rows of figures.

/// The figures of a results file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Results {
    /// Name of the first column, the x axis.
    pub x: String,
    /// The other columns, in the order of the file. Their names differ.
    pub columns: Vec<Column>,
    /// Lines behind the first that are neither rows nor empty, such as
    /// httperf's text in results that were not made with `--quiet`.
    pub other_lines: usize,
}

/// One column of figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its number in the file: 1 is the x axis.
    pub number: usize,
    /// As the file has it; a repeated name is numbered: `errors_host (2)`.
    pub name: String,
    /// x and y, in the file's own digits; both are finite numbers.
    pub points: Vec<(String, String)>,
}

/// What stands between the fields of a file.
#[derive(Clone, Copy)]
enum Separator {
    Tab,
    Comma,
    Blanks,
}

impl Separator {
    fn of(header: &str) -> Separator {
        if header.contains('\t') && !header.contains(' ') {
            Separator::Tab
        } else if header.contains(',') && !header.contains([' ', '\t']) {
            Separator::Comma
        } else {
            Separator::Blanks
        }
    }

    fn split(self, line: &str) -> Vec<&str> {
        match self {
            Separator::Tab => line.split('\t').map(str::trim).collect(),
            Separator::Comma => line.split(',').map(str::trim).collect(),
            Separator::Blanks => line.split_whitespace().collect(),
        }
    }
}

impl Results {
    /// Reads a file. Any text is one: what is no number is no figure.
    pub fn parse(text: &str) -> Results {
        let mut lines = text.lines();
        let header = lines.next().unwrap_or_default();
        let header = header.trim_start_matches('\u{feff}').trim_end();
        let separator = Separator::of(header);
        let mut names = separator.split(header).into_iter();
        let x = names.next().unwrap_or_default().to_owned();
        let mut results = Results { x, ..Results::default() };
        for (number, name) in (2..).zip(names) {
            let name = results.unused_name(name);
            results.columns.push(Column { number, name, points: Vec::new() });
        }
        for line in lines.filter(|line| !line.trim().is_empty()) {
            results.row(&separator.split(line));
        }
        results
    }

    fn row(&mut self, fields: &[&str]) {
        let Some((x, figures)) = fields.split_first().filter(|(x, _)| number(x).is_some()) else {
            self.other_lines += 1;
            return;
        };
        for (column, y) in self.columns.iter_mut().zip(figures) {
            if number(y).is_some() {
                column.points.push(((*x).to_owned(), (*y).to_owned()));
            }
        }
    }

    fn unused_name(&self, name: &str) -> String {
        let used = |name: &str| self.columns.iter().any(|column| column.name == name);
        let mut unused = name.to_owned();
        let mut count = 1;
        while used(&unused) {
            count += 1;
            unused = format!("{name} ({count})");
        }
        unused
    }
}

/// A finite number.
pub(super) fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn points(results: &Results, at: usize) -> Vec<(&str, &str)> {
        results.columns[at].points.iter().map(|(x, y)| (x.as_str(), y.as_str())).collect()
    }

    #[test]
    fn tabs_commas_and_blanks() {
        for separator in ["\t", ",", "  "] {
            for end in ["\n", "\r\n"] {
                let text = ["rate,a,b", "40,41.0,0", "80,17.6470588235294,1e2", ""]
                    .map(|line| line.replace(',', separator))
                    .join(end);
                let results = Results::parse(&text);
                assert_eq!(results.x, "rate");
                assert_eq!(results.other_lines, 0);
                assert_eq!(points(&results, 0), [("40", "41.0"), ("80", "17.6470588235294")]);
                assert_eq!(points(&results, 1), [("40", "0"), ("80", "1e2")]);
                assert_eq!(results.columns[1].number, 3);
            }
        }
    }

    #[test]
    fn missing_figures_do_not_shift_the_others() {
        let results = Results::parse("rate\ta\tb\n40\t\t5\n80\tinf\t6\n");
        assert_eq!(points(&results, 0), []);
        assert_eq!(points(&results, 1), [("40", "5"), ("80", "6")]);
        let blanks = Results::parse("rate,a,b\n40,,5\n50\n");
        assert_eq!(points(&blanks, 1), [("40", "5")]);
    }

    #[test]
    fn text_between_the_rows_is_left_out() {
        let noisy = "rate,a\n\nTotal: connections 40 replies 80\n40,1\nErrors: total 0, other 0\n";
        let results = Results::parse(noisy);
        assert_eq!(points(&results, 0), [("40", "1")]);
        assert_eq!(results.other_lines, 2);
    }

    #[test]
    fn equal_names_stay_apart() {
        let results = Results::parse("r\ta\ta (2)\ta\ta\n1\t2\t3\t4\t5");
        // "a (2)" is no name of autobench, so this header is split at blanks.
        assert_eq!(results.columns.len(), 5);
        let names = |text| -> Vec<String> {
            Results::parse(text).columns.into_iter().map(|column| column.name).collect()
        };
        assert_eq!(names("r\ta\tb\ta\ta"), ["a", "b", "a (2)", "a (3)"]);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "[a ,\t\n0-9.e\u{feff}é-]{0,80}") {
            let results = Results::parse(&text);
            let names: HashSet<_> = results.columns.iter().map(|column| &column.name).collect();
            prop_assert_eq!(names.len(), results.columns.len());
            let rows = text.lines().count();
            for (x, y) in results.columns.iter().flat_map(|column| &column.points) {
                prop_assert!(number(x).is_some() && number(y).is_some());
            }
            prop_assert!(results.columns.iter().all(|column| column.points.len() < rows.max(1)));
        }

        #[test]
        fn what_autobench_writes_is_read_back(
            rows in prop::collection::vec((1_u32..9999, prop::collection::vec(0.0..1e6, 3)), 1..20),
            comma in any::<bool>(),
        ) {
            let separator = if comma { "," } else { "\t" };
            let mut text = ["rate", "a_h", "b_h", "a_i"].join(separator);
            for (rate, figures) in &rows {
                text.push_str(&format!("\n{rate}"));
                for figure in figures {
                    text.push_str(&format!("{separator}{figure:.1}"));
                }
            }
            let results = Results::parse(&text);
            prop_assert_eq!(results.other_lines, 0);
            for (at, column) in results.columns.iter().enumerate() {
                let expected: Vec<(String, String)> = rows
                    .iter()
                    .map(|(rate, figures)| (rate.to_string(), format!("{:.1}", figures[at])))
                    .collect();
                prop_assert_eq!(&column.points, &expected);
            }
        }
    }
}
