//! Runs shell commands with the programs under test on the path, in a directory
//! of their own, as the recordings of the originals were made.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use tempfile::TempDir;

use crate::script;

/// A directory with the recordings' input files.
pub(crate) struct Place {
    directory: TempDir,
    path: String,
}

/// What a command printed, and its exit status.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Printed {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) status: i32,
}

impl Place {
    pub(crate) fn new() -> Place {
        let directory = tempfile::tempdir().unwrap();
        let programs = Path::new(env!("CARGO_BIN_EXE_crfile")).parent().unwrap();
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testdata");
        for file in fs::read_dir(data).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), directory.path().join(file.file_name())).unwrap();
        }
        fs::create_dir(directory.path().join("cf")).unwrap();
        let path = format!("{}:{}", programs.display(), env::var("PATH").unwrap());
        Place { directory, path }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.path(name)).unwrap()).into_owned()
    }

    /// Puts a shell script in front of the path.
    pub(crate) fn program(&mut self, name: &str, script: &str) {
        let programs = self.path("programs");
        fs::create_dir_all(&programs).unwrap();
        script::write(&programs.join(name), &format!("#!/bin/sh\n{script}"));
        self.path = format!("{}:{}", programs.display(), self.path);
    }

    pub(crate) fn run(&self, command: &str) -> Printed {
        let output = Command::new("sh")
            .args(["-c", command])
            .current_dir(self.directory.path())
            .env("PATH", &self.path)
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Printed {
            stdout: text(output.stdout),
            stderr: text(output.stderr),
            status: output.status.code().unwrap(),
        }
    }

    /// Runs a recorded command and compares all that it did.
    #[track_caller]
    pub(crate) fn replay(&self, command: &str, stdout: &str, stderr: &str, status: i32) {
        let expected = Printed { stdout: stdout.into(), stderr: stderr.into(), status };
        assert_eq!(self.run(command), expected, "{command}");
    }
}
