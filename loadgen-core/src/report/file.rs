//! Results on disk. A regular file is written aside, synced and renamed, so that
//! at its name there is always either the old result or the whole new one.
//!
//! Devices, pipes and the like (`/dev/stdout`, a fifo) are written directly: a
//! rename would put a file in their place. When nothing can be saved, the caller
//! gets the rendered report back and can print it: nothing measured is lost.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::Report;
use super::json::ReportError;

/// A result that could not be written to a file.
#[derive(Debug, thiserror::Error)]
#[error("cannot write '{}': {cause}{}", path.display(), hint(cause))]
#[non_exhaustive]
pub struct WriteError {
    /// The file as the caller named it.
    pub path: PathBuf,
    /// The error of the system.
    pub cause: io::Error,
}

impl WriteError {
    /// Whether there was no room (disk full, or a quota or size limit reached).
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        matches!(self.cause.raw_os_error(), Some(libc::ENOSPC | libc::EDQUOT | libc::EFBIG))
    }
}

/// What can be done about it.
fn hint(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::ENOSPC) => "; free some space or choose a place on another disk",
        Some(libc::EDQUOT | libc::EFBIG) => {
            "; a limit of this user is reached: choose another place"
        }
        Some(libc::ENOENT) => "; its directory does not exist: create it first",
        Some(libc::ENOTDIR) => "; a part of its path is a file, not a directory",
        Some(libc::EISDIR) => "; it is a directory: give the name of a file",
        Some(libc::EACCES | libc::EPERM | libc::EROFS) => {
            "; choose a place that this user may write to"
        }
        _ => "",
    }
}

/// A report that is not on disk, and all of it, so that it can be printed.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
#[non_exhaustive]
pub struct Unsaved {
    /// Why it could not be saved.
    pub error: WriteError,
    /// The report as JSON.
    pub json: String,
}

/// Why a report was not saved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SaveError {
    /// The file could not be written; the JSON is in the error.
    #[error(transparent)]
    Unsaved(#[from] Box<Unsaved>),
    /// The report could not be rendered, which is a defect.
    #[error(transparent)]
    Render(#[from] ReportError),
}

impl Report {
    /// Writes the report as JSON to a file, as [`write_file`] does.
    ///
    /// # Errors
    /// [`SaveError::Unsaved`] gives the JSON back, for printing it instead.
    pub fn save_json(&self, path: &Path) -> Result<(), SaveError> {
        let json = self.to_json_pretty()?;
        match write_file(path, json.as_bytes()) {
            Ok(()) => Ok(()),
            Err(error) => Err(Box::new(Unsaved { error, json }).into()),
        }
    }
}

/// Writes a result so that `path` never holds half of it: to a new file in the
/// same directory, synced, then renamed. A link is followed; the permissions of
/// a file that is replaced are kept. What is not a regular file (device, fifo,
/// `/dev/stdout`) is written directly.
///
/// # Errors
/// [`WriteError`] with the path and the cause. No temporary file is left behind.
pub fn write_file(path: &Path, contents: &[u8]) -> Result<(), WriteError> {
    write(path, |file| file.write_all(contents))
        .map_err(|cause| WriteError { path: path.to_owned(), cause })
}

/// The reports behind a name, in the order of their names: the file itself; of a directory
/// `DIR/report.json`, or else every `DIR/*.json` and `DIR/*/report.json`.
///
/// # Errors
/// A directory cannot be read.
pub fn reports_in(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let own = path.join("report.json");
    if own.is_file() {
        return Ok(vec![own]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?.path();
        if entry.is_dir() {
            found.extend(Some(entry.join("report.json")).filter(|inner| inner.is_file()));
        } else if entry.extension().is_some_and(|extension| extension == "json") {
            found.push(entry);
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a path leads to a stream of the caller (such as a redirection), which
/// is continued by [`write_file`], not replaced, whatever directory it is in.
#[must_use]
pub fn is_stream(path: &Path) -> bool {
    ["/dev/stdout", "/dev/stderr", "/dev/fd", "/proc"].iter().any(|stream| path.starts_with(stream))
}

fn write(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    if is_stream(path) {
        return fill(&mut OpenOptions::new().append(true).open(path)?);
    }
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Err(io::Error::from_raw_os_error(libc::EISDIR)),
        Ok(metadata) if metadata.is_file() => {
            write_aside(&fs::canonicalize(path)?, Some(metadata.permissions()), fill)
        }
        Ok(_) => fill(&mut OpenOptions::new().write(true).open(path)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if fs::symlink_metadata(path).is_ok() {
                // A link to a file that is yet to be made.
                let mut file = File::create(path)?;
                fill(&mut file)?;
                return file.sync_all();
            }
            write_aside(path, None, fill)
        }
        Err(error) => Err(error),
    }
}

/// Removes a file unless it was put in place.
struct Aside {
    path: PathBuf,
    keep: bool,
}

impl Drop for Aside {
    fn drop(&mut self) {
        if !self.keep {
            // Nothing better can be done when even this fails.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn write_aside(
    path: &Path,
    permissions: Option<fs::Permissions>,
    fill: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let (mut file, mut aside) = create_aside(directory)?;
    if let Some(permissions) = permissions {
        file.set_permissions(permissions)?;
    }
    fill(&mut file)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&aside.path, path)?;
    aside.keep = true;
    // The name survives a crash only when the directory is synced. Some file
    // systems cannot do that; the result is in place either way.
    if let Ok(directory) = File::open(directory) {
        let _ = directory.sync_all();
    }
    Ok(())
}

/// A new file next to where the result will be. Names left over by a process
/// that was killed are passed over.
fn create_aside(directory: &Path) -> io::Result<(File, Aside)> {
    let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
    for attempt in 0..1000 {
        let path = directory.join(format!(".loadgen-{}-{attempt}.tmp", std::process::id()));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((file, Aside { path, keep: false })),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::super::sample;
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_result_replaces_the_old_one_and_keeps_its_permissions() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("report.json");
        write_file(&path, b"old and longer").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let link = directory.path().join("link.json");
        symlink("report.json", &link).unwrap();
        write_file(&link, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(names(directory.path()), ["link.json", "report.json"]);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        symlink("new.json", directory.path().join("dangling")).unwrap();
        write_file(&directory.path().join("dangling"), b"x").unwrap();
        assert_eq!(fs::read(directory.path().join("new.json")).unwrap(), b"x");
    }

    #[test]
    fn a_failed_write_leaves_the_old_result_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("report.json");
        write_file(&path, b"old").unwrap();
        let full = |file: &mut File| {
            file.write_all(b"half of it")?;
            Err(io::Error::from_raw_os_error(libc::ENOSPC))
        };
        assert_eq!(write(&path, full).unwrap_err().raw_os_error(), Some(libc::ENOSPC));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(directory.path()), ["report.json"]);
    }

    #[test]
    fn two_results_at_once_do_not_mix() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("report.json");
        let text = |letter: u8| vec![letter; 100_000];
        std::thread::scope(|scope| {
            for letter in b"ab" {
                let path = &path;
                scope.spawn(move || {
                    for _ in 0..20 {
                        write_file(path, &text(*letter)).unwrap();
                    }
                });
            }
        });
        let written = fs::read(&path).unwrap();
        assert!(written == text(b'a') || written == text(b'b'));
        assert_eq!(names(directory.path()), ["report.json"]);
    }

    #[test]
    fn errors_name_path_and_cause() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        for (path, cause, mend) in [
            (directory.path().to_owned(), "Is a directory", "give the name of a file"),
            (directory.path().join("no/report.json"), "No such file", "create it first"),
            (file.join("report.json"), "Not a directory", "is a file"),
            (PathBuf::from("/proc/report.json"), "", "/proc/report.json"),
        ] {
            let error = write_file(&path, b"x").unwrap_err();
            assert!(!error.is_disk_full());
            let text = error.to_string();
            assert!(text.contains(cause) && text.contains(mend), "{text}");
            assert!(text.contains(path.to_str().unwrap()), "{text}");
        }
        assert_eq!(names(directory.path()), ["file"]);
    }

    #[test]
    fn a_full_disk_gives_the_report_back() {
        let report = sample::plain();
        let SaveError::Unsaved(unsaved) = report.save_json(Path::new("/dev/full")).unwrap_err()
        else {
            panic!("a write error was expected");
        };
        assert!(unsaved.error.is_disk_full());
        assert!(unsaved.to_string().contains("No space left"), "{unsaved}");
        assert_eq!(Report::from_json(&unsaved.json).unwrap(), report);
        let metadata = fs::metadata("/dev/full").unwrap();
        assert!(!metadata.is_file(), "the device was replaced");
    }

    #[test]
    fn a_pipe_is_written_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
        assert!(made.success());
        let reader = std::thread::spawn({
            let fifo = fifo.clone();
            move || fs::read(fifo).unwrap()
        });
        write_file(&fifo, b"through the pipe").unwrap();
        assert_eq!(reader.join().unwrap(), b"through the pipe");
        assert!(!fs::metadata(&fifo).unwrap().is_file());
    }

    #[test]
    fn a_redirection_is_continued() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        fs::write(&path, "first ").unwrap();
        let held = File::open(&path).unwrap();
        use std::os::fd::AsRawFd as _;
        write_file(Path::new(&format!("/dev/fd/{}", held.as_raw_fd())), b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"first second");
    }
}
