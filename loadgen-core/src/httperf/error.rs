//! Why a command line is not run.

/// The program ends with this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", String::from_utf8_lossy(stderr).trim_end())]
pub struct CommandLineError {
    /// For standard output: what options before the bad one printed.
    pub stdout: Vec<u8>,
    /// For standard error, to the byte as the original prints it.
    pub stderr: Vec<u8>,
    /// The exit status: 1 or 255.
    pub exit_code: u8,
}

impl CommandLineError {
    /// A message that ends the program with exit status 1; the end of the line is
    /// added.
    pub(super) fn new(message: &[&[u8]]) -> Self {
        let stderr = [&message.concat(), b"\n" as &[u8]].concat();
        Self { stdout: Vec::new(), stderr, exit_code: 1 }
    }

    /// The same with exit status 255.
    pub(super) fn misuse(message: &[&[u8]]) -> Self {
        Self { exit_code: 255, ..Self::new(message) }
    }
}

/// The message about a value that is not accepted.
pub(super) fn illegal(what: &str, value: &[u8]) -> Vec<u8> {
    [format!("illegal {what} ").as_bytes(), value].concat()
}
