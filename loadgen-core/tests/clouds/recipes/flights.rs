//! A recipe of `examples/recipes`, followed.

#![allow(dead_code, reason = "each fake uses another part of it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use loadgen_core::Event;
use loadgen_core::clock::Clock;
use loadgen_core::migration::{
    Context, RecipeOptions, RecipeTrigger, Settled, Trigger, TriggerError,
};

const LIMIT: Duration = Duration::from_secs(60);
/// A secret: stands in no output.
pub(crate) const SECRET: &str = "sw0rdf1sh-of-a-cloud";

/// Options of a recipe that is shipped.
pub(crate) fn recipe(name: &str) -> RecipeOptions {
    let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/recipes");
    let mut options = RecipeOptions::new(recipes.join(name).with_extension("toml"));
    options.poll = Some(Duration::from_millis(10));
    options
}

/// A file with the secret, as a `token-file` or the like.
pub(crate) fn secret_in(folder: &tempfile::TempDir) -> PathBuf {
    let path = folder.path().join("secret");
    fs::write(&path, format!("{SECRET}\n")).unwrap();
    path
}

/// The same recipe, kept in the folder, but it is not waited long for the machine at its new place.
pub(crate) fn hurried(mut options: RecipeOptions, folder: &tempfile::TempDir) -> RecipeOptions {
    let text = fs::read_to_string(&options.recipe).unwrap();
    options.recipe = folder.path().join("hurried.toml");
    let hurried = text.replacen("[confirm]", "[confirm]\nwithin = \"50ms\"", 1);
    fs::write(&options.recipe, hurried).unwrap();
    options
}

/// A wrong secret, and certificates that are not there, of a recipe with `token-file` and `ca`.
pub(crate) fn wrong_credentials(options: &RecipeOptions, folder: &tempfile::TempDir) {
    let wrong = folder.path().join("wrong");
    fs::write(&wrong, SECRET.to_uppercase()).unwrap();
    let error = refusal(options.clone().with("token-file", wrong.display().to_string()));
    assert!(error.contains("HTTP 401") && !error.contains(&SECRET.to_uppercase()), "{error}");
    let away = options.clone().with("server", "https://127.0.0.1:1").with("ca", "/no/ca.pem");
    let error = refusal(away);
    assert!(error.contains("/no/ca.pem"), "{error}");
}

/// Inspected, armed, and ordered.
pub(crate) fn fired(options: RecipeOptions) -> Result<RecipeTrigger, TriggerError> {
    let mut trigger = RecipeTrigger::new(options)?;
    trigger.inspect()?;
    trigger.arm(&Context::new("00000000000000a1", Clock::start()))?;
    trigger.fire()?;
    Ok(trigger)
}

/// Why it does not come about.
pub(crate) fn refusal(options: RecipeOptions) -> String {
    let error = fired(options).unwrap_err().to_string();
    assert!(!error.contains(SECRET), "{error}");
    error
}

/// The next events, up to one of this name, or the last.
pub(crate) fn until(trigger: &mut RecipeTrigger, name: &str) -> Vec<Event> {
    let deadline = Instant::now() + LIMIT;
    let mut events = Vec::new();
    loop {
        assert!(Instant::now() < deadline, "no '{name}' after {events:#?}");
        if let Some(event) = trigger.next_event(Duration::from_millis(100)).unwrap() {
            assert!(!format!("{event:?}").contains(SECRET), "{event:?}");
            let found = event.kind.to_string() == name || event.kind.is_final();
            events.push(event);
            if found {
                return events;
            }
        }
    }
}

/// What comes until it is so.
pub(crate) fn while_not(
    trigger: &mut RecipeTrigger,
    mut is_so: impl FnMut() -> bool,
) -> Vec<Event> {
    let deadline = Instant::now() + LIMIT;
    let mut events = Vec::new();
    while !is_so() {
        assert!(Instant::now() < deadline, "it was never so; after {events:#?}");
        events.extend(trigger.next_event(Duration::from_millis(20)).unwrap());
    }
    events
}

/// All events to the last, and what was settled.
pub(crate) fn flown(trigger: &mut RecipeTrigger) -> (Vec<Event>, Settled) {
    let events = until(trigger, "its end");
    let settled = trigger.settle(events.last().unwrap()).unwrap();
    assert!(!format!("{settled:?}").contains(SECRET), "{settled:?}");
    (events, settled)
}

/// The kinds of events, by name.
pub(crate) fn names(events: &[Event]) -> Vec<String> {
    events.iter().map(|event| event.kind.to_string()).collect()
}

/// Why it did not complete.
pub(crate) fn reason(settled: &Settled) -> &str {
    settled.reason.as_deref().unwrap_or_default()
}
