//! Where the two programs are.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(crate) struct Programs {
    pub(crate) real: PathBuf,
    pub(crate) ours: PathBuf,
    /// The real one is compared with itself.
    #[allow(dead_code, reason = "used by one of two test binaries")]
    pub(crate) same: bool,
}

/// Both programs, if everything is there that the test needs. If not: fails in CI,
/// else tells how to install it.
pub(crate) fn find() -> Option<Programs> {
    let real = variable("HTTPERF_REAL").unwrap_or_else(|| PathBuf::from("/usr/bin/httperf"));
    let ours = variable("HTTPERF_UNDER_TEST")
        .or_else(|| option_env!("CARGO_BIN_EXE_httperf").map(PathBuf::from))
        .expect("this package has no binary httperf, and HTTPERF_UNDER_TEST is not set");
    let mut missing = Vec::new();
    if !real.is_file() {
        missing.push("httperf");
    }
    let tools = [("nginx", "/usr/sbin/nginx", "-v"), ("openssl", "/usr/bin/openssl", "version")];
    for (name, path, option) in tools {
        if !starts(name, option) && !starts(path, option) {
            missing.push(if name == "nginx" { "nginx-light" } else { name });
        }
    }
    if missing.is_empty() {
        assert!(ours.is_file(), "no such program: {}", ours.display());
        let same = canonical(&real) == canonical(&ours);
        return Some(Programs { real, ours, same });
    }
    let how = format!("apt-get install --no-install-recommends {}", missing.join(" "));
    assert!(std::env::var("CI").as_deref() != Ok("true"), "programs are missing: {how}");
    println!("not run, programs are missing: {how}");
    None
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
