//! Where the two programs are.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::require::require;

pub(crate) struct Programs {
    pub(crate) real: PathBuf,
    pub(crate) ours: PathBuf,
    /// The real one is compared with itself.
    pub(crate) same: bool,
    _alone: MutexGuard<'static, ()>,
}

/// Held by the test that compares. Times decide what is counted in some cases: two such
/// tests side by side would take them from each other.
static COMPARING: Mutex<()> = Mutex::new(());

/// Both programs, if everything is there that the test needs. If not: fails in CI,
/// else tells how to install it.
pub(crate) fn find() -> Option<Programs> {
    let real = variable("HTTPERF_REAL").unwrap_or_else(|| PathBuf::from("/usr/bin/httperf"));
    let ours = variable("HTTPERF_UNDER_TEST")
        .or_else(|| option_env!("CARGO_BIN_EXE_httperf").map(PathBuf::from))
        .expect("this package has no binary httperf, and HTTPERF_UNDER_TEST is not set");
    let tools = [
        ("nginx", "/usr/sbin/nginx", "-v", "nginx-light"),
        ("openssl", "/usr/bin/openssl", "version", "openssl"),
    ];
    let mut there = require(real.is_file(), "the original httperf", "httperf");
    for (name, path, option, package) in tools {
        there &= require(starts(name, option) || starts(path, option), name, package);
    }
    if !there {
        return None;
    }
    assert!(ours.is_file(), "no such program: {}", ours.display());
    let same = canonical(&real) == canonical(&ours);
    let alone = COMPARING.lock().unwrap_or_else(PoisonError::into_inner);
    Some(Programs { real, ours, same, _alone: alone })
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from)
}

fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap()
}

fn starts(program: &str, option: &str) -> bool {
    let mut command = Command::new(program);
    command.arg(option).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok()
}
