//! A line of a virsh that listens, understood: `virsh event --all --loop` for libvirt's events,
//! `virsh qemu-monitor-event --loop` for QEMU's own.
//!
//! Both tell of every domain of a host; here are those of one. What is not needed, or not
//! understood, is `None`: newer versions tell more.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

/// What a line tells of the domain.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::migration) enum Told {
    /// QEMU's own event, with QEMU's own time.
    Qemu { name: String, data: Value, time: Option<SystemTime> },
    /// A change of the domain's state, as in `Suspended Migrated`.
    Lifecycle { state: String, detail: String },
    /// A pass over the memory began.
    Iteration(u32),
    /// The migration is over by libvirt's account; its figures follow.
    JobCompleted,
    /// One of these figures.
    Figure { name: String, value: String },
    /// An event of another domain, or one that says nothing here: figures that follow are its own.
    Other,
}

impl Told {
    /// The time that it was told with.
    pub(in crate::migration) fn time(&self) -> Option<SystemTime> {
        match self {
            Self::Qemu { time, .. } => *time,
            _ => None,
        }
    }
}

/// Reads a line.
pub(in crate::migration) fn read(line: &str, domain: &str) -> Option<Told> {
    if let Some(figure) = line.strip_prefix('\t') {
        let (name, value) = figure.split_once(": ")?;
        return Some(Told::Figure { name: name.to_owned(), value: value.trim().to_owned() });
    }
    // A time of receipt may stand before it.
    let event = &line[line.find("event ")? + "event ".len()..];
    Some(ours(event, domain).unwrap_or(Told::Other))
}

/// What an event tells of the domain.
fn ours(event: &str, domain: &str) -> Option<Told> {
    let (head, said) = event.split_once(&format!(" for domain '{domain}':"))?;
    let said = said.trim();
    match head {
        "'lifecycle'" => {
            let (state, detail) = said.split_once(' ').unwrap_or((said, ""));
            Some(Told::Lifecycle { state: state.to_owned(), detail: detail.to_owned() })
        }
        "'migration-iteration'" => {
            let number = said.strip_prefix("iteration: '")?.strip_suffix('\'')?;
            number.parse().ok().map(Told::Iteration)
        }
        "'job-completed'" => Some(Told::JobCompleted),
        _ => {
            let (name, time) = head.split_once(" at ")?;
            let data = serde_json::from_str(said).unwrap_or(Value::Null);
            Some(Told::Qemu { name: name.to_owned(), data, time: unix_time(time) })
        }
    }
}

/// `SECONDS.MICROSECONDS`.
fn unix_time(text: &str) -> Option<SystemTime> {
    let (seconds, micros) = text.split_once('.')?;
    let micros: u32 = (micros.len() == 6).then(|| micros.parse().ok()).flatten()?;
    UNIX_EPOCH.checked_add(Duration::new(seconds.parse().ok()?, micros * 1000))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn qemu(name: &str, data: Value, micros: u64) -> Option<Told> {
        let time = Some(UNIX_EPOCH + Duration::from_micros(micros));
        Some(Told::Qemu { name: name.to_owned(), data, time })
    }

    #[test]
    fn lines_of_libvirt_9() {
        let told = |line: &str| read(line, "lab");
        assert_eq!(
            told(r#"event MIGRATION at 1795675201.032683 for domain 'lab': {"status":"setup"}"#),
            qemu("MIGRATION", json!({"status": "setup"}), 1_795_675_201_032_683)
        );
        assert_eq!(
            told("event STOP at 1795675202.769792 for domain 'lab': <null>"),
            qemu("STOP", Value::Null, 1_795_675_202_769_792)
        );
        let lifecycle = |state: &str, detail: &str| {
            Some(Told::Lifecycle { state: state.to_owned(), detail: detail.to_owned() })
        };
        assert_eq!(
            told("event 'lifecycle' for domain 'lab': Suspended Post-copy"),
            lifecycle("Suspended", "Post-copy")
        );
        assert_eq!(
            told(
                "2026-11-26 10:18:25.210+0000: event 'lifecycle' for domain 'lab': Shutdown Finished after host request"
            ),
            lifecycle("Shutdown", "Finished after host request")
        );
        assert_eq!(
            told("event 'migration-iteration' for domain 'lab': iteration: '12'"),
            Some(Told::Iteration(12))
        );
        assert_eq!(told("event 'job-completed' for domain 'lab':"), Some(Told::JobCompleted));
        let figure = Told::Figure { name: "time_elapsed".into(), value: "8572".into() };
        assert_eq!(told("\ttime_elapsed: 8572"), Some(figure));
    }

    #[test]
    fn others_and_nonsense_are_passed_over() {
        for line in [
            "",
            "events received: 3",
            "event 'lifecycle' for domain 'lab2': Started Migrated",
            "event STOP at 1795675202.769792 for domain 'other': <null>",
            "event 'migration-iteration' for domain 'lab': iteration: 'many'",
            "event loop timed out",
            "\tno figure",
        ] {
            let other = line.contains("event ").then_some(Told::Other);
            assert_eq!(read(line, "lab"), other, "{line}");
        }
        let odd = "event STOP at yesterday for domain 'lab': {\"a\"";
        let told = Told::Qemu { name: "STOP".into(), data: Value::Null, time: None };
        assert_eq!(read(odd, "lab"), Some(told));
    }

    proptest! {
        #[test]
        fn no_line_is_too_odd(line in "\\PC*", name in "[a-z']{1,4}") {
            let _ = read(&line, &name);
            let _ = read(&format!("event {line} for domain '{name}':{line}"), &name);
        }
    }
}
