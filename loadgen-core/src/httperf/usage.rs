//! What `--help` and `--version` print.

/// The lines of 0.9.0, to the byte, after the name of the program.
const ORIGINAL: &str = " [-hdvV] [--add-header S] [--burst-length N] [--client N/N]
\t[--close-with-reset] [--debug N] [--failure-status N]
\t[--help] [--hog] [--http-version S] [--max-connections N]
\t[--max-piped-calls N] [--method S] [--no-host-hdr]
\t[--num-calls N] [--num-conns N] [--period [d|u|e]T1[,T2]]
\t[--port N] [--print-reply [header|body]] [--print-request [header|body]]
\t[--rate X] [--recv-buffer N] [--retry-on-failure] [--send-buffer N]
\t[--server S] [--server-name S] [--session-cookies]
\t[--ssl] [--ssl-ciphers L] [--ssl-no-reuse]
\t[--think-timeout X] [--timeout X] [--uri S] [--verbose] [--version]
\t[--wlog y|n,file] [--wsess N,N,X] [--wsesslog N,X,file]
\t[--wset N,X]
";

/// What it left out, what later versions added, and what is ours.
const ADDED: &str = "\t[--wsesspage N,N,X]
\t[-n] [--add-header-file file] [--myaddr S] [--period vT1,D1[,T2,D2]...]
\t[--periodic-stats] [--runtime X] [--servers file]
\t[--ssl-ca-file file] [--ssl-ca-path path] [--ssl-certificate file]
\t[--ssl-key file] [--ssl-protocol S] [--ssl-verify [yes|no]]
\t[--tls-server-name S] [--use-timer-cache]
\t[--json file] [--threads N]
";

/// The usage text.
pub(super) fn usage(program: &[u8]) -> Vec<u8> {
    [b"Usage: ", program, ORIGINAL.as_bytes(), ADDED.as_bytes()].concat()
}

/// The line of `--version`: the version whose behaviour this is.
pub(super) fn version(program: &[u8]) -> Vec<u8> {
    [program, b": httperf-0.9.0 compiled without DEBUG without TIME_SYSCALLS.\n"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::httperf::table::{Argument, OPTIONS};

    #[test]
    fn names_every_option_with_its_argument() {
        let text = String::from_utf8(usage(b"httperf")).unwrap();
        assert!(text.starts_with("Usage: httperf [-hdvV] [--add-header S]"));
        for option in OPTIONS {
            let argument = match option.argument {
                Argument::None => String::new(),
                // These two are told in more detail.
                Argument::Required("I/N") => " N/N".to_owned(),
                Argument::Required("[D]T1[,T2]") => " [d|u|e]T1[,T2]".to_owned(),
                Argument::Required(name) => format!(" {name}"),
                Argument::Optional(name) => format!(" [{name}]"),
            };
            let shown = format!("[--{}{argument}]", option.name);
            assert!(text.contains(&shown), "{shown}");
        }
    }
}
