//! Recordings of QEMU 7.2, under TCG: machines of 512, 768 and 1024 MiB, of which a fourth is filled
//! and 64 MiB are written to in turn, one word of a page after the other, at 2, 6 and 12 MB/s;
//! `max-bandwidth` 32 MiB/s, `downtime-limit` 300 ms; 150 calls/s.
//!
//! Of the long first passes a third of the words is kept.
//!
//! How near the predictions are over all trials stands in docs/models.md; these are a few of them.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::model::fit::*;

const MIB: f64 = 1_048_576.0;

#[derive(Deserialize)]
struct Cell {
    factors: BTreeMap<String, String>,
    recordings: Vec<Recording>,
}

impl Cell {
    fn number(&self, factor: &str) -> f64 {
        self.factors[factor].parse().unwrap()
    }
}

fn cells(strategy: &str) -> Vec<Cell> {
    let all: Vec<Cell> = serde_json::from_str(include_str!("recordings.json")).unwrap();
    all.into_iter().filter(|cell| cell.factors["strategy"] == strategy).collect()
}

#[test]
fn parameters_are_those_of_the_machines() {
    for cell in cells("pre-copy") {
        let fit = Fit::of(&cell.recordings);
        let told = format!("{:?} {fit:#?}", cell.factors);
        let value = |parameter| fit.value(parameter).unwrap() / MIB;
        // `max-bandwidth`.
        assert!((31.0..32.5).contains(&value(Parameter::Bandwidth)), "{told}");
        // What is filled, the 64 MiB, and the system's 100 to 130.
        let system = value(Parameter::Memory) - cell.number("memory") / 4.0 - 64.0;
        assert!((80.0..140.0).contains(&system), "{told}");
        // The dirtier's and the system's own, which is about 2 MB/s; the fit may take the base set
        // for more of it.
        let of_dirtier = cell.number("dirty_rate") * 1e6 / MIB;
        let rate = &fit.known[&Parameter::DirtyRate];
        assert!(rate.low.unwrap() / MIB < of_dirtier + 6.0, "{told}");
        assert!(rate.high.unwrap() / MIB > of_dirtier, "{told}");
        let set = &fit.known[&Parameter::WorkingSet];
        assert!(set.high.is_none_or(|high| high > 64.0 * MIB), "{told}");
        // In 9 to 13 s 2 MB/s do not go through it, and 12 MB/s do.
        match cell.factors["dirty_rate"].as_str() {
            "2" => assert_eq!(set.known, Known::AtLeast, "{told}"),
            "12" => assert!(set.known == Known::Interval && set.value < 110.0 * MIB, "{told}"),
            _ => {}
        }
        assert!(fit.value(Parameter::LoadS).unwrap() < 0.03, "{told}");
    }
}

/// Each of two trials by the other.
#[test]
fn pre_copy_is_predicted_within_the_aims() {
    let mut all = Validation::default();
    for cell in cells("pre-copy") {
        all.join(Validation::leave_one_out(&cell.recordings));
    }
    let figures = [Validated::TotalS, Validated::DowntimeS, Validated::Sent];
    for summed in all.summed().iter().filter(|summed| figures.contains(&summed.figure)) {
        assert!(summed.n >= 6, "{summed:?}");
        assert_eq!(summed.within, summed.n, "{summed:?} {:#?}", all.rows);
    }
}

/// Under TCG a post-copy pushes as fast as the host has time for.
#[test]
fn post_copy_sends_what_is_predicted() {
    let mut all = Validation::default();
    for cell in cells("post-copy") {
        all.join(Validation::leave_one_out(&cell.recordings));
    }
    let summed = all.summed();
    let of = |figure| summed.iter().find(|summed| summed.figure == figure).unwrap();
    assert_eq!(of(Validated::Sent).within, of(Validated::Sent).n, "{:#?}", all.rows);
    assert!(of(Validated::DowntimeS).worst_off < 0.04, "{:#?}", all.rows);
}
