//! The key of fingerprints: 16 random bytes, of this process or of this user.
//!
//! By default the key lives as long as the process, so that fingerprints can be
//! compared within one report. The programs call [`keep_key`]: then it is that of the
//! user, made at its first use and kept in `$XDG_STATE_HOME/loadgen/fingerprint-key`
//! (by default below `~/.local/state`), readable by the user alone. Where it cannot be
//! kept, that of the process serves.

use std::fs::{self, File, OpenOptions};
use std::hash::Hasher as _;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// A key of SipHash.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key(u64, u64);

static KEPT: AtomicBool = AtomicBool::new(false);
static KEY: OnceLock<Option<Key>> = OnceLock::new();

/// Makes fingerprints with the key of this user, which other processes of theirs use,
/// too. To be called before the first report is written.
pub fn keep_key() {
    KEPT.store(true, Ordering::SeqCst);
}

/// A short text that is the same for the same value: the name of the key, and 40 bits
/// made of key and value. Empty on a machine without randomness.
pub(super) fn fingerprint(value: &str) -> String {
    let key = KEY.get_or_init(|| {
        let kept = KEPT.load(Ordering::SeqCst).then(place).flatten();
        kept.and_then(|path| of_file(&path).ok()).or_else(|| random().ok())
    });
    key.map(|key| key.fingerprint(value)).unwrap_or_default()
}

impl Key {
    fn fingerprint(self, value: &str) -> String {
        // What the name is made of can be no value of a header: it has a line end.
        let name = self.hash(b"the name of the key\n") & 0xffff;
        let value = self.hash(value.as_bytes()) & 0xff_ffff_ffff;
        format!("{name:04x}:{value:010x}")
    }

    /// SipHash-2-4: who does not know the key learns nothing of the bytes. The test
    /// holds the standard library to it.
    #[allow(deprecated, reason = "its successor promises no algorithm and takes no key")]
    fn hash(self, bytes: &[u8]) -> u64 {
        let mut hasher = std::hash::SipHasher::new_with_keys(self.0, self.1);
        hasher.write(bytes);
        hasher.finish()
    }

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let half = |range| u64::from_str_radix(text.get(range)?, 16).ok();
        (text.len() == 32).then_some(())?;
        Some(Self(half(0..16)?, half(16..32)?))
    }
}

fn random() -> io::Result<Key> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let number = u128::from_ne_bytes(bytes);
    Ok(Key((number >> 64) as u64, number as u64))
}

/// Where the key of this user is.
fn place() -> Option<PathBuf> {
    let folder = |name: &str| {
        std::env::var_os(name).map(PathBuf::from).filter(|folder| folder.is_absolute())
    };
    let state = folder("XDG_STATE_HOME")
        .or_else(|| folder("HOME").map(|home| home.join(".local").join("state")))?;
    Some(state.join("loadgen").join("fingerprint-key"))
}

/// The key of a file, which is made if there is none.
fn of_file(path: &Path) -> io::Result<Key> {
    match read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(path),
        other => other,
    }
}

fn read(path: &Path) -> io::Result<Key> {
    let text = fs::read_to_string(path)?;
    Key::parse(&text).ok_or_else(|| io::Error::other("it holds no key"))
}

/// Makes the file in one step, so that of two processes both use the first one's.
fn make(path: &Path) -> io::Result<Key> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let key = random()?;
    // A name that nobody else has: not another thread, nor another container with the
    // same home and the same process id.
    let own = random()?.0;
    let aside = folder.join(format!(".fingerprint-key-{own:016x}"));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&aside)
        .and_then(|mut file| writeln!(file, "{:016x}{:016x}", key.0, key.1))
        .and_then(|()| fs::hard_link(&aside, path));
    // What is left of it is of no use.
    let _ = fs::remove_file(&aside);
    match written {
        Ok(()) => Ok(key),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read(path),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// The vectors of the reference implementation: key 00 … 0f, messages 00 … n-1.
    #[test]
    fn the_hash_is_the_published_one() {
        let key = Key(0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908);
        let message: Vec<u8> = (0..15).collect();
        assert_eq!(key.hash(b""), 0x726f_db47_dd0e_0e31);
        assert_eq!(key.hash(&message), 0xa129_ca61_49be_45e5);
    }

    #[test]
    fn a_key_is_made_once_and_for_the_user_alone() {
        for _ in 0..100 {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("state/loadgen/fingerprint-key");
            let key = std::thread::scope(|scope| {
                let make = || of_file(&path).unwrap();
                let makers: Vec<_> = (0..4).map(|_| scope.spawn(make)).collect();
                let keys: Vec<_> = makers.into_iter().map(|maker| maker.join().unwrap()).collect();
                assert!(keys.iter().all(|key| *key == keys[0]));
                keys[0]
            });
            assert!(of_file(&path).unwrap() == key);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
            fs::write(&path, "no key").unwrap();
            assert!(of_file(&path).is_err());
        }
    }

    #[test]
    fn fingerprints_depend_on_key_and_value() {
        let (one, other) = (Key(1, 2), Key(1, 3));
        assert_eq!(one.fingerprint("a"), one.fingerprint("a"));
        assert_ne!(one.fingerprint("a"), one.fingerprint("b"));
        assert_ne!(one.fingerprint("a"), other.fingerprint("a"));
        assert_eq!(one.fingerprint("a").len(), 15);
        assert!(random().unwrap() != random().unwrap());
    }
}
