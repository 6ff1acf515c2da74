//! Where several printers write to.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A stream that printers share. Once writing to it has failed nothing more is
/// written: the load goes on, and [`SharedOutput::finish`] tells of it.
#[derive(Clone)]
pub struct SharedOutput(Arc<Mutex<Stream>>);

struct Stream {
    to: Box<dyn Write + Send>,
    failed: Option<io::Error>,
    broken: bool,
}

impl SharedOutput {
    /// Writes go to `to`; buffer it if many are expected.
    #[must_use]
    pub fn new(to: impl Write + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Stream { to: Box::new(to), failed: None, broken: false })))
    }

    /// Writes these bytes in one piece, so that lines of several printers do not
    /// mix.
    pub fn put(&self, bytes: &[u8]) {
        self.lock().attempt(|to| to.write_all(bytes));
    }

    /// Flushes the stream.
    ///
    /// # Errors
    /// The first error of any write, told once.
    pub fn finish(&self) -> io::Result<()> {
        let mut stream = self.lock();
        stream.attempt(|to| to.flush());
        stream.failed.take().map_or(Ok(()), Err)
    }

    fn lock(&self) -> MutexGuard<'_, Stream> {
        // A stream is whole between two writes, whoever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stream {
    fn attempt(&mut self, work: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
        if self.broken {
            return;
        }
        if let Err(error) = work(&mut *self.to) {
            self.broken = true;
            self.failed = Some(error);
        }
    }
}

impl std::fmt::Debug for SharedOutput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedOutput").finish_non_exhaustive()
    }
}
