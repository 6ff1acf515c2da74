//! Where a connection goes: one address, resolved. What a user may write for it is in
//! `target/`, how a name becomes one in `resolver.rs`, how one becomes a socket in
//! `socket.rs`.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use socket2::SockAddr;

/// The most bytes of a unix socket's path (unix(7), without the closing NUL).
const LONGEST_PATH: usize = 107;

/// Where a connection goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Endpoint {
    /// An IP address and a port.
    Tcp(SocketAddr),
    /// The path of a unix socket. One that begins with `@` is an abstract one (unix(7)),
    /// which is in no file system.
    Unix(PathBuf),
}

impl Endpoint {
    /// The IP address and port; `None` of a unix socket.
    #[must_use]
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }

    /// The same for the kernel.
    pub(crate) fn address(&self) -> io::Result<SockAddr> {
        match self {
            Self::Tcp(address) => Ok((*address).into()),
            Self::Unix(path) => match path.as_os_str().as_bytes() {
                [b'@', name @ ..] => {
                    let name = [b"\0", name].concat();
                    SockAddr::unix(PathBuf::from(OsString::from_vec(name)))
                }
                _ => SockAddr::unix(path),
            },
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

/// What keeps a path from being that of a unix socket.
pub(crate) fn unix_path_error(path: &Path) -> Option<&'static str> {
    let bytes = path.as_os_str().as_bytes();
    if !matches!(bytes.first(), Some(b'/' | b'@')) {
        return Some(
            "the path of a unix socket begins with '/', or with '@' if it is an abstract one",
        );
    }
    if bytes.starts_with(b"//") {
        return Some("what follows '//' would be a host: write unix:/PATH or unix:///PATH");
    }
    if bytes.len() < 2 {
        return Some("it names no unix socket");
    }
    if bytes.contains(&0) {
        return Some("the path of a unix socket has no NUL");
    }
    (bytes.len() > LONGEST_PATH).then_some("the path of a unix socket has at most 107 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_shown_as_they_are_written() {
        let tcp = |text: &str| Endpoint::from(text.parse::<SocketAddr>().unwrap()).to_string();
        assert_eq!(tcp("127.0.0.1:80"), "127.0.0.1:80");
        assert_eq!(tcp("[::1]:80"), "[::1]:80");
        assert_eq!(Endpoint::Unix("/run/a.sock".into()).to_string(), "unix:/run/a.sock");
        assert_eq!(Endpoint::Unix("@a".into()).to_string(), "unix:@a");
    }

    #[test]
    fn paths_that_the_kernel_takes() {
        let longest = format!("/{}", "a".repeat(LONGEST_PATH - 1));
        for path in ["/run/a.sock", "/a", "@a", longest.as_str()] {
            assert_eq!(unix_path_error(Path::new(path)), None, "{path}");
            Endpoint::Unix(path.into()).address().unwrap();
        }
        let longer = format!("{longest}a");
        assert!(Endpoint::Unix(longer.clone().into()).address().is_err());
        for (path, word) in [
            ("", "begins with"),
            ("a.sock", "begins with"),
            ("/", "no unix socket"),
            ("//run/a.sock", "a host"),
            ("@", "no unix socket"),
            ("/a\0b", "NUL"),
            (longer.as_str(), "107"),
        ] {
            assert!(unix_path_error(Path::new(path)).is_some_and(|e| e.contains(word)), "{path}");
        }
    }
}
