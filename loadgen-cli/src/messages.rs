//! What is said on stderr. A stderr that is closed or full is no reason to end a
//! run, so failures to write here are ignored.

use std::io::{self, Write};

/// Something the user should know.
pub(crate) fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "loadgen: {text}");
}

/// Something that limits what the result is worth.
pub(crate) fn warning(text: &str) {
    let _ = writeln!(io::stderr().lock(), "loadgen: warning: {text}");
}

/// Why the program ends without doing what was asked, in the style of clap.
pub(crate) fn error(text: &str) {
    let _ = writeln!(io::stderr().lock(), "error: {text}");
}
