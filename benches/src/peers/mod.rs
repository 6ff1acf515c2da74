//! Other load generators: which are installed, how each is told to do a load, and
//! what it says of it. A tool that cannot do a load has no command for it.

mod command;
mod parse;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

pub use parse::{Said, read_loadgen};

/// A load that every tool is given alike.
#[derive(Debug, Clone)]
pub struct Load {
    /// Port of the server on 127.0.0.1.
    pub port: u16,
    /// Whether it speaks TLS. Nobody checks its certificate.
    pub tls: bool,
    /// Path of the page, with its leading slash.
    pub path: &'static str,
    /// Connections; those of tools that open as many as they need grow beyond it.
    pub connections: u32,
    /// Whether connections carry more than one call.
    pub keep_alive: bool,
    /// Calls a second; `None`: closed loop.
    pub rate: Option<u32>,
    /// Length, in seconds.
    pub seconds: u32,
    /// Where tools may write what they need.
    pub folder: PathBuf,
}

impl Load {
    /// The page.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}{}", self.port, self.path)
    }
}

/// A load generator that is not ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// Debian package `wrk`.
    Wrk,
    /// A fork of wrk with a rate.
    Wrk2,
    /// Debian package `apache2-utils`.
    Ab,
    /// Debian package `nghttp2-client`.
    H2load,
    /// Debian package `hey`.
    Hey,
    /// From crates.io.
    Oha,
    /// The same, with `--latency-correction`.
    OhaCorrected,
    /// Debian package `httperf`.
    Httperf,
    /// In Go, from its releases.
    Vegeta,
    /// In Go, from its releases.
    K6,
}

impl Tool {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Wrk,
        Self::Wrk2,
        Self::Ab,
        Self::H2load,
        Self::Hey,
        Self::Oha,
        Self::OhaCorrected,
        Self::Httperf,
        Self::Vegeta,
        Self::K6,
    ];

    /// As it is called in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Wrk => "wrk",
            Self::Wrk2 => "wrk2",
            Self::Ab => "ab",
            Self::H2load => "h2load",
            Self::Hey => "hey",
            Self::Oha => "oha",
            Self::OhaCorrected => "oha --latency-correction",
            Self::Httperf => "httperf",
            Self::Vegeta => "vegeta",
            Self::K6 => "k6",
        }
    }

    /// The program on the path, if it is installed.
    #[must_use]
    pub fn program(self) -> Option<PathBuf> {
        let name = if self == Self::OhaCorrected { "oha" } else { self.name() };
        // Ours may stand on the path under the same name.
        if self == Self::Httperf {
            let debian = Path::new("/usr/bin/httperf");
            return debian.exists().then(|| debian.to_owned());
        }
        on_path(name)
    }
}

/// A program by its name.
#[must_use]
pub fn on_path(name: impl AsRef<OsStr>) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|p| p.join(name.as_ref())).find(|file| file.is_file())
}
