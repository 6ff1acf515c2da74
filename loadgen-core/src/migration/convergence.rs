//! Why a pre-copy that was given up had not ended: what the guest dirtied against what
//! was sent, what remained pass by pass, and what would have helped, in numbers. From
//! the progress that the trigger told; where that is too little, nothing is said.
//!
//! QEMU stops the machine when what remains can be sent within the downtime limit. At the
//! begin of a pass that remains which was dirtied in the pass before.

use serde_json::{Map, Value};

use crate::clock::as_seconds;
use crate::event::{Event, EventKind};

const MIB: f64 = 1_048_576.0;

/// Passes that are told one by one, at the begin and at the end.
const FIRST: usize = 3;
const LAST: usize = 3;

/// One look at a migration.
struct Look {
    at_s: f64,
    pass: u64,
    remaining: f64,
    transferred: f64,
}

/// Explains it; `details` are those of the settled trigger.
pub(super) fn explain(events: &[Event], details: &Map<String, Value>) -> Option<String> {
    if events.iter().any(|e| matches!(e.kind, EventKind::PostCopy | EventKind::Paused)) {
        return None;
    }
    let looks: Vec<Look> = events.iter().filter_map(look).collect();
    let (first, last) = (looks.first()?, looks.last()?);
    let seconds = last.at_s - first.at_s;
    let bandwidth = (last.transferred - first.transferred) / seconds;
    if !(seconds > 0.0 && bandwidth > 0.0) {
        return None;
    }
    let passes = passes(&looks);
    let last_of = |name: &str| {
        events.iter().rev().find_map(|e| e.attributes.get(name)?.as_f64().filter(|v| *v > 0.0))
    };
    if passes.len() < 2 {
        return Some(format!(
            "the first pass over the memory had not ended: {} MiB were left, and at {} MiB/s it \
             needs about {:.0} s more; raise the migration's limit or the bandwidth",
            mib(last.remaining),
            mib(bandwidth),
            (last.remaining / bandwidth).ceil()
        ));
    }
    let dirty =
        last_of("dirty_pages_per_s").zip(last_of("page_size_bytes")).map(|(n, size)| n * size);
    let limit_ms = details.get("parameters").and_then(|p| p["downtime-limit"].as_f64());
    let mut text = "it did not converge: ".to_owned();
    match dirty {
        Some(dirty) => text.push_str(&format!(
            "the guest dirtied {} MiB/s (a page counts once a pass) while {} MiB/s were sent",
            mib(dirty),
            mib(bandwidth)
        )),
        None => text.push_str(&format!("{} MiB/s were sent", mib(bandwidth))),
    }
    // The least that was left is what a limit must allow for.
    let least = passes[1..].iter().map(|pass| pass.1).fold(f64::INFINITY, f64::min);
    // Had it been so little, the machine would have been stopped.
    let too_short = limit_ms.filter(|limit_ms| least / bandwidth * 1e3 <= *limit_ms);
    text.push_str(&match too_short {
        Some(limit_ms) => unseen(&passes, limit_ms),
        None => left(&passes, least, bandwidth, limit_ms),
    });
    text.push_str("; ");
    match (last_of("cpu_throttle_percent"), dirty) {
        (Some(throttle), _) => text.push_str(&format!(
            "more auto-converge, which had slowed the guest by {throttle:.0} %"
        )),
        (None, Some(dirty)) if dirty > bandwidth => text.push_str(&format!(
            "auto-converge, if it slows what dirties the memory by more than {:.0} %",
            (100.0 * (1.0 - bandwidth / dirty)).ceil()
        )),
        _ => text.push_str("auto-converge, if what dirties the memory then lacks CPU"),
    }
    text.push_str(&format!(
        "; post-copy, which ends about {:.1} s after it begins",
        last.remaining / bandwidth
    ));
    Some(text)
}

/// What was left at the start of passes, and what a limit or a bandwidth would have to be.
fn left(passes: &[(u64, f64)], least: f64, bandwidth: f64, limit_ms: Option<f64>) -> String {
    let needs_ms = (least / bandwidth * 1e3).ceil();
    let mut text = format!(
        ". Left at the start of {}. The least of these, {} MiB, takes {needs_ms:.0} ms to send{}. Any of \
         these would help: a downtime limit above {needs_ms:.0} ms",
        told(passes),
        mib(least),
        limit_ms.map(|ms| format!("; the downtime limit is {ms:.0} ms")).unwrap_or_default()
    );
    if let Some(limit_ms) = limit_ms.filter(|ms| *ms > 0.0) {
        let enough = least / (limit_ms / 1e3);
        text.push_str(&format!("; a bandwidth of {} MiB/s", mib(enough.ceil())));
    }
    text
}

/// The same where each look fell into the middle of a pass, when part of it was sent.
fn unseen(passes: &[(u64, f64)], limit_ms: f64) -> String {
    format!(
        ". Its {} passes were too short for what was left at the start of each to be seen; in their \
         middle it was in {}. Any of these would help: a downtime limit well above {limit_ms:.0} ms; a \
         bandwidth well above what is dirtied",
        passes.last().map_or(0, |pass| pass.0),
        told(passes)
    )
}

fn look(event: &Event) -> Option<Look> {
    let number = |name: &str| event.attributes.get(name).and_then(Value::as_f64);
    Some(Look {
        at_s: as_seconds(event.at),
        pass: event.attributes.get("dirty_sync_count")?.as_u64().filter(|pass| *pass > 0)?,
        remaining: number("remaining_bytes")?,
        transferred: number("transferred_bytes")?,
    })
}

/// The number of each pass that was looked at, and the most that was left in it.
fn passes(looks: &[Look]) -> Vec<(u64, f64)> {
    let mut passes: Vec<(u64, f64)> = Vec::new();
    for look in looks {
        match passes.last_mut() {
            Some(last) if last.0 == look.pass => last.1 = last.1.max(look.remaining),
            _ => passes.push((look.pass, look.remaining)),
        }
    }
    passes
}

fn told(passes: &[(u64, f64)]) -> String {
    let one = |pass: &(u64, f64)| format!("pass {}: {} MiB", pass.0, mib(pass.1));
    let all: Vec<String> = passes.iter().map(one).collect();
    if all.len() <= FIRST + LAST {
        return all.join(", ");
    }
    format!("{}, … {}", all[..FIRST].join(", "), all[all.len() - LAST..].join(", "))
}

fn mib(bytes: f64) -> String {
    let mib = bytes / MIB;
    if mib < 10.0 { format!("{mib:.1}") } else { format!("{mib:.0}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::clock::SECOND;

    fn at(second: u64, pass: u64, remaining_mib: u64, transferred_mib: u64) -> Event {
        Event::new(EventKind::Progress, second * SECOND, 0, "qmp:source")
            .with("dirty_sync_count", pass)
            .with("remaining_bytes", remaining_mib << 20)
            .with("transferred_bytes", transferred_mib << 20)
    }

    fn details() -> Map<String, Value> {
        let parameters = json!({ "parameters": { "downtime-limit": 300 } });
        parameters.as_object().cloned().unwrap()
    }

    /// 512 MiB at 32 MiB/s, of which 128 MiB are dirtied at 60 MiB/s.
    fn without_end() -> Vec<Event> {
        let mut events = vec![at(0, 1, 512, 0), at(8, 1, 256, 256)];
        events.extend((2..=9).map(|pass| at(8 + 4 * pass, pass, 128, 256 + 128 * pass)));
        events.last_mut().unwrap().attributes.extend([
            ("dirty_pages_per_s".to_owned(), json!(15_360)),
            ("page_size_bytes".to_owned(), json!(4096)),
        ]);
        events
    }

    #[test]
    fn what_was_dirtied_stands_against_what_was_sent_and_what_would_help() {
        let text = explain(&without_end(), &details()).unwrap();
        for wanted in [
            "dirtied 60 MiB/s (a page counts once a pass) while 32 MiB/s were sent",
            "pass 1: 512 MiB, pass 2: 128 MiB, pass 3: 128 MiB, … pass 7: 128 MiB",
            "128 MiB, takes 4000 ms to send; the downtime limit is 300 ms",
            "a downtime limit above 4000 ms; a bandwidth of 427 MiB/s",
            "slows what dirties the memory by more than 47 %",
            "post-copy, which ends about 4.0 s after",
        ] {
            assert!(text.contains(wanted), "{wanted}: {text}");
        }
        let mut throttled = without_end();
        throttled.last_mut().unwrap().attributes.insert("cpu_throttle_percent".into(), 50.into());
        let text = explain(&throttled, &details()).unwrap();
        assert!(text.contains("had slowed the guest by 50 %"), "{text}");
    }

    /// Where passes are shorter than the time between two looks, a look falls into the middle of one,
    /// when less is left than the limit would have let be.
    #[test]
    fn what_was_left_is_not_told_where_it_was_not_seen() {
        let mut events = vec![at(0, 1, 512, 0), at(16, 1, 0, 512)];
        events.extend((1..=9).map(|look| at(16 + look, 4 * look, 6, 512 + 32 * look)));
        let text = explain(&events, &details()).unwrap();
        assert!(text.contains("Its 36 passes were too short"), "{text}");
        assert!(text.contains("a downtime limit well above 300 ms"), "{text}");
        assert!(!text.contains("188 ms"), "{text}");
    }

    #[test]
    fn a_first_pass_that_was_not_over_was_only_slow() {
        let text = explain(&[at(0, 1, 512, 0), at(8, 1, 256, 256)], &Map::new()).unwrap();
        assert!(text.contains("256 MiB were left, and at 32 MiB/s it needs"), "{text}");
        assert!(text.contains("about 8 s more"), "{text}");
    }

    #[test]
    fn nothing_is_said_of_what_is_not_known() {
        assert_eq!(explain(&[], &details()), None);
        assert_eq!(explain(&[at(1, 1, 5, 5)], &details()), None);
        let mut post = without_end();
        post.push(Event::new(EventKind::PostCopy, 60 * SECOND, 0, "qmp:source"));
        assert_eq!(explain(&post, &details()), None);
        // Without the limit and the rate of dirtying, their sentences are left out.
        let mut bare = without_end();
        bare.last_mut().unwrap().attributes.remove("dirty_pages_per_s");
        let text = explain(&bare, &Map::new()).unwrap();
        assert!(!text.contains("dirtied") && !text.contains("or a bandwidth"), "{text}");
    }
}
