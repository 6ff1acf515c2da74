//! What a test needs beside Rust, for the tests of all crates. Where it is missing, a
//! test passes by and says so; in the CI (`CI=true`) it fails, since nobody reads there
//! what passed by.

#![allow(clippy::print_stdout, reason = "a test tells that it was not run")]

/// What `test.sh` installs.
const PACKAGES: &str = include_str!("packages.txt");

/// Whether there is what the test needs. If not, says which Debian package brings it,
/// and what else it takes (`what`).
///
/// # Panics
/// Where it is missing in the CI, and if `test.sh` does not install the package.
pub(crate) fn require(is_there: bool, what: &str, package: &str) -> bool {
    let mut installed = PACKAGES.lines().filter_map(|line| line.split_whitespace().next());
    assert!(installed.any(|name| name == package), "{package} is not in tests/packages.txt");
    if is_there {
        return true;
    }
    let missing = format!("not run: this test needs {what} (Debian package {package})");
    assert!(!is_ci(std::env::var("CI").ok().as_deref()), "{missing}");
    println!("{missing}");
    false
}

/// Whether a value of the variable `CI` says that this is one.
fn is_ci(value: Option<&str>) -> bool {
    !matches!(value, None | Some("" | "0" | "false"))
}

#[test]
fn only_the_ci_insists() {
    for (value, insists) in [
        (None, false),
        (Some(""), false),
        (Some("false"), false),
        (Some("true"), true),
        (Some("1"), true),
    ] {
        assert_eq!(is_ci(value), insists, "{value:?}");
    }
    assert!(require(true, "a shell", "util-linux"));
}
