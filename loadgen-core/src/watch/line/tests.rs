//! The published JSON Schema against lines, and lines against it.

use serde_json::{Value, json};

use super::WatchLine;
use crate::event::{Event, EventKind, EventReport};
use crate::report::schema_tests::Schema;
use crate::watch::samples::{freeze, summary};
use crate::watch::{Freeze, KernelSeen, Notice, WatchSummary};

fn schema() -> Schema {
    Schema::read("watch.schema.json")
}

fn line(of: &WatchLine<'_>) -> Value {
    let text = of.to_json();
    assert!(!text.contains('\n'));
    serde_json::from_str(&text).unwrap()
}

fn lines() -> Vec<Value> {
    let (known, mut open) = (freeze(), freeze());
    (open.until, open.until_s, open.fresh) = (None, None, None);
    open.length_ms.at_most = None;
    open.kernel = KernelSeen::default();
    open.connections_lost.fresh = open.connections_lost.established.take();
    let event = Event::new(EventKind::Mark("drain".to_owned()), 5, 6, "notes").with("by", "me");
    let notice = Notice { at: known.from.clone(), event: EventReport::from(&event) };
    let nothing = WatchSummary { schema: summary().schema, ..WatchSummary::default() };
    vec![
        line(&WatchLine::Freeze(&known)),
        line(&WatchLine::Freeze(&open)),
        line(&WatchLine::Notice(&notice)),
        line(&WatchLine::Summary(&summary())),
        line(&WatchLine::Summary(&nothing)),
    ]
}

#[test]
fn lines_keep_to_the_schema_and_have_no_field_that_it_lacks() {
    for line in lines() {
        schema().validate(&line);
        schema().strict().validate(&line);
    }
}

#[test]
fn the_schema_has_no_field_that_lines_lack() {
    let mut missing = schema().not_in(&lines());
    // Of a watch with 100 freezes.
    missing.retain(|path| !path.starts_with("length_ms.p99"));
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn the_schema_refuses_what_is_no_line() {
    type Change = (usize, fn(&mut Value));
    let changes: [Change; 5] = [
        (0, |v| v["type"] = json!("thaw")),
        (0, |v| v["kind"] = json!("disk")),
        (0, |v| v["length_ms"]["at_least"] = json!(-1)),
        (3, |v| v["schema"] = json!("loadgen-watch/2")),
        (2, |v| {
            v.as_object_mut().unwrap().remove("at");
        }),
    ];
    for (i, (line, change)) in changes.into_iter().enumerate() {
        let mut bad = lines().swap_remove(line);
        change(&mut bad);
        assert!(!schema().takes(&bad), "change {i}");
    }
}

#[test]
fn a_freeze_is_read_back() {
    let freeze = freeze();
    let line = WatchLine::Freeze(&freeze).to_json();
    assert_eq!(serde_json::from_str::<Freeze>(&line).unwrap(), freeze);
}
