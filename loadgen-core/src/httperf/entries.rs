//! Files of entries that end with a NUL byte: URIs (`--wlog`) and names of servers
//! (`--servers`).

use std::path::Path;

use super::FileError;
use super::file_error::read;
use crate::session::RawText;

/// Reads the URIs of `--wlog`. A file with one URI a line is one single URI with
/// line breaks in it, as it is for httperf.
///
/// # Errors
/// [`FileError`] if the file cannot be read or has no URI.
pub fn read_uris(file: &Path) -> Result<Vec<RawText>, FileError> {
    uris(&read(file)?, file)
}

/// Reads the names of `--servers`. A name ends at a line break.
///
/// # Errors
/// [`FileError`] if the file cannot be read or has no name.
pub fn read_servers(file: &Path) -> Result<Vec<String>, FileError> {
    servers(&read(file)?, file)
}

fn uris(bytes: &[u8], file: &Path) -> Result<Vec<RawText>, FileError> {
    if bytes.is_empty() {
        return Err(FileError::Empty(file.to_owned()));
    }
    let uris: Vec<_> = entries(bytes).map(|uri| RawText(uri.to_vec())).collect();
    if uris.is_empty() { Err(FileError::NoUris(file.to_owned())) } else { Ok(uris) }
}

fn servers(bytes: &[u8], file: &Path) -> Result<Vec<String>, FileError> {
    if bytes.is_empty() {
        return Err(FileError::Empty(file.to_owned()));
    }
    let name = |entry: &[u8]| {
        let end = entry.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
        String::from_utf8_lossy(&entry[..end.unwrap_or(entry.len())]).into_owned()
    };
    let names: Vec<_> = entries(bytes).map(name).filter(|name| !name.is_empty()).collect();
    if names.is_empty() { Err(FileError::NoServers(file.to_owned())) } else { Ok(names) }
}

/// The entries that are not empty; the last one needs no NUL.
fn entries(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|&byte| byte == 0).filter(|entry| !entry.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn uris_of(bytes: &[u8]) -> Result<Vec<String>, String> {
        match uris(bytes, Path::new("f")) {
            Ok(uris) => Ok(uris.into_iter().map(String::from).collect()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn uris_end_with_nul_bytes_only() {
        let all = uris_of(b"/1k.html\0/10k.bin\0/foo1.html\0").unwrap();
        assert_eq!(all, ["/1k.html", "/10k.bin", "/foo1.html"]);
        assert_eq!(uris_of(b"/1k.html\0\0/foo1.html").unwrap(), ["/1k.html", "/foo1.html"]);
        assert_eq!(uris_of(b"/1k.html\n/10k.bin\n").unwrap(), ["/1k.html\n/10k.bin\n"]);
        assert_eq!(uris_of(b"").unwrap_err(), "file f is empty");
        assert_eq!(uris_of(b"\0\0").unwrap_err(), "f does not contain any valid URIs");
        let error = read_uris(Path::new("no/such.file")).unwrap_err();
        assert_eq!(error.to_string(), "can't open no/such.file");
    }

    #[test]
    fn names_of_servers_end_at_line_breaks() {
        let names = |bytes: &[u8]| servers(bytes, Path::new("f")).map_err(|e| e.to_string());
        assert_eq!(names(b"127.0.0.1\0localhost\0").unwrap(), ["127.0.0.1", "localhost"]);
        assert_eq!(names(b"127.0.0.1\n").unwrap(), ["127.0.0.1"]);
        assert_eq!(names(b"a\r\nb\0c").unwrap(), ["a", "c"]);
        assert_eq!(names(b"").unwrap_err(), "file f is empty");
        assert_eq!(names(b"\n").unwrap_err(), "f does not contain any server names");
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_list_or_an_error(bytes: Vec<u8>) {
            if let Ok(uris) = uris(&bytes, Path::new("f")) {
                prop_assert!(uris.iter().all(|uri| !uri.is_empty() && !uri.contains(&0)));
            }
            if let Ok(names) = servers(&bytes, Path::new("f")) {
                prop_assert!(names.iter().all(|name| !name.contains(['\r', '\n', '\0'])));
            }
        }
    }
}
