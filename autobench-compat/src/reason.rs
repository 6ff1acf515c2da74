//! Errors of the system in the words of C's `strerror`.

use std::io;

/// What went wrong, without the number that Rust adds: `No such file or directory`.
pub fn reason(error: &io::Error) -> String {
    let mut text = error.to_string();
    if let (Some(at), Some(_)) = (text.rfind(" (os error "), error.raw_os_error()) {
        text.truncate(at);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_strerror_says_it() {
        assert_eq!(reason(&io::Error::from_raw_os_error(2)), "No such file or directory");
        assert_eq!(reason(&io::Error::other("words (os error 1)")), "words (os error 1)");
    }
}
