//! The order of the house, checked: rooms import downwards only, and no two files need
//! each other. It reads the sources and runs nothing.
//!
//! A file that is the face of a folder (`x.rs`, `x/mod.rs`) and the files in that folder
//! are one thing: what they need of each other is no circle. Tests are left out.

mod source;

use std::collections::{BTreeMap, BTreeSet};

use source::{Imports, imports};

/// The rooms, from the lowest up: each may import from those before it alone.
/// `net/sys` is by itself: it knows the kernel and nothing of ours.
const ROOMS: [&str; 43] = [
    "net/sys",
    "background",
    "base64_bytes",
    "later_version",
    "panicked",
    "printable",
    "random",
    "raw_text",
    "setting",
    "shell_words",
    "stats",
    "units",
    "model",
    "clock",
    "abort",
    "event",
    "vm",
    "secret",
    "protocol",
    "expectation",
    "net",
    "error",
    "check",
    "schedule",
    "target",
    "request",
    "request_source",
    "workload_file",
    "session",
    "record",
    "plan",
    "report",
    "slo",
    "calls_file",
    "target_server",
    "engine",
    "scale",
    "migration",
    "watch",
    "sweep",
    "prediction",
    "experiment",
    "recordings",
];

/// Those that only the command lines use, and nobody in the house.
const TOP: [&str; 4] = ["httperf", "session_file", "tokio", "fuzzing"];

/// Imports upwards that there still are, and why: the one below first.
const UPWARDS: &[(&str, &str, &str)] = &[];

/// Files that still need each other, and why.
const CIRCLES: &[(&str, &str, &str)] = &[];

/// The room of a module.
fn room(module: &str) -> &str {
    let is_in = |room: &&&str| {
        module.strip_prefix(**room).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let rooms = ROOMS.iter().chain(&TOP).filter(is_in);
    rooms.max_by_key(|room| room.len()).copied().unwrap_or("")
}

#[test]
fn every_file_is_in_a_room() {
    let homeless: Vec<_> = imports().into_keys().filter(|module| room(module).is_empty()).collect();
    // The crate's own face is above all rooms.
    assert_eq!(homeless, [""]);
}

#[test]
fn rooms_import_downwards_only() {
    let height = |name: &str| {
        let rooms = || ROOMS.iter().chain(&TOP);
        rooms().position(|room| *room == name).unwrap()
    };
    let mut upwards: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    let imports = imports();
    for (module, to) in imports.iter().flat_map(|(from, all)| all.iter().map(move |to| (from, to)))
    {
        let (below, above) = (room(module), room(to));
        if !below.is_empty() && !above.is_empty() && height(above) > height(below) {
            upwards.entry((below, above)).or_default().push(format!("{module} imports {to}"));
        }
    }
    for &(below, above, _) in UPWARDS {
        let still = upwards.remove(&(below, above)).is_some();
        assert!(still, "'{below}' does not import '{above}' any more: take it off the list");
    }
    assert!(upwards.is_empty(), "upwards: {upwards:#?}");
}

#[test]
fn no_two_files_need_each_other() {
    let mut imports = imports();
    for (module, all) in &mut imports {
        all.retain(|to| !is_above(module, to) && !is_above(to, module));
    }
    for &(one, other, _) in CIRCLES {
        let needed =
            reachable(&imports, one).contains(other) && reachable(&imports, other).contains(one);
        assert!(needed, "'{one}' and '{other}' are no circle any more: take them off the list");
        imports.get_mut(one).unwrap().remove(other);
    }
    let mut circles = BTreeSet::new();
    for one in imports.keys() {
        for other in reachable(&imports, one) {
            if *one < other && reachable(&imports, &other).contains(one) {
                circles.insert(format!("{one} and {other}"));
            }
        }
    }
    assert!(circles.is_empty(), "need each other, by themselves or through others: {circles:#?}");
}

/// Whether a module lies in the folder of which the other is the face.
fn is_above(face: &str, module: &str) -> bool {
    face.is_empty() || module.strip_prefix(face).is_some_and(|rest| rest.starts_with('/'))
}

/// All that a module needs, directly or through others.
fn reachable(imports: &Imports, from: &str) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut next: Vec<&String> = imports[from].iter().collect();
    while let Some(module) = next.pop() {
        if seen.insert(module.clone()) {
            next.extend(&imports[module.as_str()]);
        }
    }
    seen
}
