//! Each of several machines that were moved as one migration.

use super::super::Migration;
use super::{Section, cell};

/// `None` of one machine alone.
pub(super) fn section(migration: &Migration) -> Option<Section> {
    if migration.machines.is_empty() {
        return None;
    }
    let ms = |value: Option<f64>| cell::millis_or_none(value);
    let row = |(number, machine): (usize, &crate::vm::MovedMachine)| {
        let loaded = if number == 1 { " (loaded)" } else { "" };
        let ending = machine.ending.map_or("not moved", |ending| ending.name());
        vec![
            format!("{number}{loaded}"),
            ms(machine.total_ms),
            ms(machine.downtime_ms),
            match (machine.hypervisor_total_ms, machine.hypervisor_downtime_ms) {
                (None, None) => cell::NONE.to_owned(),
                (total, downtime) => format!("{}, {}", ms(total), ms(downtime)),
            },
            machine.transferred_bytes.map_or_else(|| cell::NONE.to_owned(), cell::bytes),
            ending.to_owned(),
            machine.strategy.map_or(cell::NONE, |strategy| strategy.name()).to_owned(),
            machine.trigger.clone(),
        ]
    };
    let why = |(number, machine): (usize, &crate::vm::MovedMachine)| {
        machine.reason.as_ref().map(|reason| format!("machine {number}: {reason}"))
    };
    Some(Section {
        title: "Machines".to_owned(),
        scope: "all that were moved as this migration; each from the acceptance of its own \
                migration to its end, and from STOP to RESUME; then both by its hypervisor"
            .to_owned(),
        columns: vec![
            "machine",
            "total",
            "downtime",
            "by its hypervisor",
            "sent",
            "ending",
            "strategy",
            "trigger",
        ],
        rows: (1..).zip(&migration.machines).map(row).collect(),
        text_columns: 3,
        notes: (1..).zip(&migration.machines).filter_map(why).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_row_a_machine() {
        assert_eq!(section(&sample::pre_copy().migration.unwrap()), None);
        let mut migration = sample::stop_and_copy().migration.unwrap();
        let found = section(&migration).unwrap();
        let row = |found: &Section, k: usize| found.rows[k].join(" | ");
        let first = "1 (loaded) | 3000.0 ms | 2980.0 ms | – | 512 MiB | completed | stop-and-copy | \
                     simulated";
        assert_eq!(row(&found, 0), first);
        let second = "2 | 900.0 ms | – | 850.0 ms, 12.0 ms | – | completed | – | command";
        assert_eq!(row(&found, 1), second);
        assert!(found.notes.is_empty());
        migration.machines[1].ending = None;
        migration.machines[1].reason = Some("it was not moved".to_owned());
        let found = section(&migration).unwrap();
        assert!(row(&found, 1).contains("not moved"));
        assert_eq!(found.notes, ["machine 2: it was not moved"]);
    }
}
