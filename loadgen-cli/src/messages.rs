//! What is said on stderr. A stderr that is closed or full is no reason to end a
//! run, so failures to write here are ignored.
//!
//! The one way to stderr: nothing in a message can steer the terminal, and no URL in it
//! shows a password, wherever the text came from.

use std::io::{self, Write};

use loadgen_core::printable::printable_lines;
use loadgen_core::secret::without_passwords;

/// Something the user should know.
pub(crate) fn note(text: &str) {
    say("loadgen: ", text);
}

/// Something that limits what the result is worth.
pub(crate) fn warning(text: &str) {
    say("loadgen: warning: ", text);
}

/// Why the program ends without doing what was asked, in the style of clap.
pub(crate) fn error(text: &str) {
    say("error: ", text);
}

/// A text as it may stand on a terminal.
pub(crate) fn fit(text: &str) -> String {
    printable_lines(&without_passwords(text)).into_owned()
}

fn say(prefix: &str, text: &str) {
    let _ = writeln!(io::stderr().lock(), "{prefix}{}", fit(text));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_and_nothing_is_betrayed() {
        let text = fit("a\u{1b}]0;x\u{7}\n\u{9b}b\u{202e} at http://u:hunter2@h/");
        assert_eq!(text, "a\\u{1b}]0;x\\u{7}\n\\u{9b}b\\u{202e} at http://…@h/");
    }
}
