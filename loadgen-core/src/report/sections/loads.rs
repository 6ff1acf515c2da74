//! The calls by the loads of the plan.

use super::super::Report;
use super::load::{NAMED_COLUMNS, NAMED_NOTE, measured, named_row};
use super::{Section, cell};

/// The whole run; `None` where the populations tell the loads apart already.
pub(super) fn section(report: &Report) -> Option<Section> {
    if report.loads.len() <= report.populations.len() {
        return None;
    }
    let rows = report.loads.iter().map(|load| {
        let counts = &load.counts;
        let lost = counts.failed + counts.unfinished + counts.shed;
        let names = [load.name.clone(), load.population.name().to_owned()];
        let shown = [counts.offered, counts.answered, lost, counts.censored];
        named_row(names, shown, &load.response_time)
    });
    let statuses = report.loads.iter().filter(|load| !load.status_codes.is_empty()).map(|load| {
        let code = |(code, n): (&String, &u64)| format!("{code} × {}", cell::count(*n));
        let codes: Vec<String> = load.status_codes.iter().map(code).collect();
        format!("replies to {} by status: {}", load.name, codes.join(", "))
    });
    Some(Section {
        title: "By load".to_owned(),
        scope: format!("{}, by the loads of the plan", measured(report)),
        columns: ["load", "population"].into_iter().chain(NAMED_COLUMNS).collect(),
        rows: rows.collect(),
        text_columns: 0,
        notes: [NAMED_NOTE.to_owned()].into_iter().chain(statuses).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Population::{Established, Fresh};
    use crate::report::{Counts, sample};

    #[test]
    fn a_row_a_load_where_populations_do_not_tell_them_apart() {
        let mut report = sample::plain();
        let populations = report.populations.len();
        assert_eq!(section(&report), None);
        report.loads = ["load", "probe", "cart"].map(sample::load_report).into();
        report.loads.truncate(populations);
        assert_eq!(section(&report), None);
        report.loads = ["load", "probe", "cart"].map(sample::load_report).into();
        report.loads[1].population = Fresh;
        report.loads[2].counts = Counts { offered: 12, answered: 8, shed: 1, ..Counts::default() };
        report.loads[2].response_time.count = 5;
        report.loads[2].status_codes = [("200".to_owned(), 7), ("503".to_owned(), 1)].into();
        let found = section(&report).unwrap();
        assert_eq!(found.rows[1][..2], ["probe", Fresh.name()]);
        // All the good ones have a response time.
        assert_eq!(found.rows[2][..6], ["cart", Established.name(), "12", "8", "3", "1"]);
        assert!(found.notes.contains(&"replies to cart by status: 200 × 7, 503 × 1".to_owned()));
        assert!(found.rows.iter().all(|row| row.len() == found.columns.len()));
    }
}
