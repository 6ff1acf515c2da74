//! Tests that look at their whole process: at its memory, say, to which the tests
//! beside them would add theirs.

use std::process::{Command, Stdio};

/// Tells a copy of this program which test it was started for.
const ALONE: &str = "LOADGEN_TEST_ALONE";

/// Does a test by itself, in a copy of this program; `name` is that of the test that
/// calls this.
pub(crate) fn alone(name: &str, test: impl FnOnce()) {
    if std::env::var(ALONE).is_ok_and(|alone| alone == name) {
        return test();
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(ALONE, name)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    // A name that is no test's would run none, and fail none.
    let ran = output.status.success() && told[0].contains("1 passed");
    assert!(ran, "{name}, by itself: {}\n{}", output.status, told.join("\n"));
}
