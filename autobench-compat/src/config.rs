//! The configuration file of autobench: where it is, how the first use installs
//! it, what its lines mean, and the settings it gives together with the options.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use loadgen_core::httperf::{Argument, find_option};

use crate::perl;

/// What the first use installs when the machine has no master file.
pub const OWN_MASTER: &str = include_str!("autobench.conf");

/// Where the master file of a machine is looked for.
pub const MASTER: &str = "/etc/autobench.conf";

/// Bytes of a configuration file that are read; the rest is ignored.
const LONGEST: u64 = 1 << 20;

/// The settings: lines of the file, overridden by options.
#[derive(Debug, Clone, Default)]
pub struct Config {
    settings: HashMap<String, String>,
    /// Names and values that begin with `httperf_`, in the order of the file.
    httperf: Vec<(String, String)>,
}

/// Prefix of the keys whose rest is an option of httperf.
const PASS_THROUGH: &str = "httperf_";

/// The value of an option that takes none.
const NO_VALUE: &str = "NULL";

impl Config {
    /// A setting; the empty text if it is not set.
    #[must_use]
    pub fn get(&self, key: &str) -> &str {
        self.settings.get(key).map_or("", String::as_str)
    }

    /// Whether a setting is there and true.
    #[must_use]
    pub fn is_true(&self, key: &str) -> bool {
        perl::is_true(self.get(key))
    }

    /// A setting as a number; 0 if it is none.
    #[must_use]
    pub fn number(&self, key: &str) -> f64 {
        perl::number(self.get(key))
    }

    /// Puts an option over what the file says.
    pub fn set(&mut self, key: &str, value: &str) {
        self.settings.insert(key.to_owned(), value.to_owned());
    }

    /// The options that go to httperf, as text for its command line: each with a blank
    /// in front, in the order of the file. `NULL` stands for no value.
    #[must_use]
    pub fn pass_through(&self) -> String {
        let value = |value: &str| if value == NO_VALUE { String::new() } else { value.to_owned() };
        self.httperf.iter().map(|(name, text)| format!(" --{name} {}", value(text))).collect()
    }

    /// What httperf will not take of the options that go to it.
    pub fn complaints_about_options(&self) -> impl Iterator<Item = String> {
        self.httperf.iter().filter_map(|(name, value)| complaint(name, value))
    }

    /// Reads the text of a file called `name`; complaints go to `err`. The first
    /// definition of a key counts.
    pub fn parse(text: &str, name: &str, err: &mut dyn Write) -> Self {
        let mut config = Self::default();
        for (index, line) in text.split_inclusive('\n').enumerate() {
            let place = format!("at {name} line {}.", index + 1);
            let _ = match meaning(line) {
                Line::Nothing => Ok(()),
                Line::Setting(key, value) if config.settings.contains_key(key) => writeln!(
                    err,
                    "AUTOBENCH: Warning - parameter '{key}' defined more than once,\
                     ignoring '{key}'='{value}' {place}"
                ),
                Line::Setting(key, value) => {
                    config.define(key, value);
                    Ok(())
                }
                Line::Invalid => writeln!(
                    err,
                    "AUTOBENCH: Warning - invalid line in config file:'{line}' {place}"
                ),
            };
        }
        config
    }

    fn define(&mut self, key: &str, value: &str) {
        if let Some(option) = key.strip_prefix(PASS_THROUGH) {
            self.httperf.push((option.to_owned(), value.to_owned()));
        }
        self.set(key, value);
    }
}

fn complaint(name: &str, value: &str) -> Option<String> {
    let wrong = match find_option(name.as_bytes()).as_slice() {
        [] => "httperf has no such option",
        [option] if matches!(option.argument, Argument::Required(_)) && value == NO_VALUE => {
            "the option takes a value"
        }
        [_] => return None,
        _ => "the name is short for several options of httperf",
    };
    Some(format!("{PASS_THROUGH}{name}: {wrong}"))
}

/// What one line says.
enum Line<'a> {
    /// A comment or nothing.
    Nothing,
    /// A key and its value.
    Setting(&'a str, &'a str),
    /// Neither.
    Invalid,
}

fn meaning(line: &str) -> Line<'_> {
    let line = line.trim_matches(|c: char| c.is_ascii_whitespace());
    if line.is_empty() || line.starts_with('#') {
        return Line::Nothing;
    }
    let setting = line.split_once('=').map(|(key, value)| {
        let blank = |c: char| c.is_ascii_whitespace();
        (key.trim_end_matches(blank), value.trim_start_matches(blank))
    });
    match setting {
        Some((key, value)) if is_key(key) && !value.is_empty() => Line::Setting(key, value),
        _ => Line::Invalid,
    }
}

fn is_key(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

/// Path of the configuration file of the user whose home directory is given.
#[must_use]
pub fn path(home: &str) -> PathBuf {
    PathBuf::from(format!("{home}/.autobench.conf"))
}

/// Reads the configuration file, if it can be opened.
pub fn load(path: &Path, err: &mut dyn Write) -> Option<Config> {
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(LONGEST).read_to_end(&mut bytes)).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    Some(Config::parse(&text, &path.display().to_string(), err))
}

/// First use: puts a copy of the master file, or else our own, at `path`.
///
/// # Errors
///
/// What kept the file from being written.
pub fn install(master: &Path, path: &Path) -> io::Result<()> {
    match std::fs::copy(master, path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && !master.exists() => {
            std::fs::write(path, OWN_MASTER)
        }
        copied => copied.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (Config, String) {
        let mut err = Vec::new();
        let config = Config::parse(text, "conf", &mut err);
        (config, String::from_utf8(err).unwrap())
    }

    #[test]
    fn lines() {
        let (config, err) = parsed(
            "# comment\n\n  \t\n  # indented\nhost1 = a b  \nport1=80\r\n  uri1 =\"/x\" # no comment\n\
             a=b=c\n",
        );
        assert_eq!(err, "");
        assert_eq!(config.get("host1"), "a b");
        assert_eq!(config.get("port1"), "80");
        assert_eq!(config.get("uri1"), "\"/x\" # no comment");
        assert_eq!(config.get("a"), "b=c");
        assert_eq!(config.get("Host1"), "");
    }

    #[test]
    fn bad_lines_are_named_and_the_first_definition_counts() {
        let (config, err) =
            parsed("num_conn = 40\nnum_conn = 99\nthis is not valid\n-bad = 1\nx =");
        assert_eq!(
            err,
            "AUTOBENCH: Warning - parameter 'num_conn' defined more than once,\
             ignoring 'num_conn'='99' at conf line 2.\n\
             AUTOBENCH: Warning - invalid line in config file:'this is not valid\n' at conf line 3.\n\
             AUTOBENCH: Warning - invalid line in config file:'-bad = 1\n' at conf line 4.\n\
             AUTOBENCH: Warning - invalid line in config file:'x =' at conf line 5.\n"
        );
        assert_eq!(config.get("num_conn"), "40");
    }

    #[test]
    fn options_for_httperf_keep_their_quotes() {
        let (config, _) = parsed("httperf_add-header = \"X-A: cfg\\n\"\nhttperf_hog = NULL\n");
        assert_eq!(config.pass_through(), " --add-header \"X-A: cfg\\n\" --hog ");
    }

    #[test]
    fn options_that_httperf_will_refuse_are_named() {
        let complaints =
            |text: &str| -> Vec<String> { parsed(text).0.complaints_about_options().collect() };
        let good = "httperf_hog = NULL\nhttperf_add-h = X\nhttperf_threads = 2\nhttperf_v = 1\n";
        assert_eq!(
            complaints(&good.replace("_v =", "_verb =")),
            [""; 0],
            "abbreviations and operands are as good as with httperf"
        );
        assert_eq!(
            complaints("httperf_num_calls = 2\nhttperf_num-c = 2\nhttperf_method = NULL\n"),
            [
                "httperf_num_calls: httperf has no such option",
                "httperf_num-c: the name is short for several options of httperf",
                "httperf_method: the option takes a value",
            ]
        );
    }

    #[test]
    fn our_own_master_file_reads_without_complaint() {
        let (config, err) = parsed(OWN_MASTER);
        assert_eq!(err, "");
        let expected = [
            ("host1", "testhost1"),
            ("host2", "testhost2"),
            ("uri1", "/"),
            ("uri2", "/"),
            ("port1", "80"),
            ("port2", "80"),
            ("low_rate", "20"),
            ("high_rate", "200"),
            ("rate_step", "10"),
            ("num_conn", "5000"),
            ("num_call", "10"),
            ("timeout", "5"),
            ("output_fmt", "tsv"),
            ("clients", "localhost:4600"),
        ];
        assert_eq!(config.settings.len(), expected.len());
        for (key, value) in expected {
            assert_eq!(config.get(key), value);
        }
    }

    #[test]
    fn the_first_use_installs_the_master_or_our_own() {
        let home = tempfile::tempdir().unwrap();
        let (master, target) = (home.path().join("master"), home.path().join("target"));
        install(&master, &target).unwrap();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), OWN_MASTER);
        std::fs::write(&master, "host1 = mine\n").unwrap();
        install(&master, &target).unwrap();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "host1 = mine\n");
        assert!(install(&master, &home.path().join("no/where")).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_text_breaks_it(text in "([a-z_= #\\t\"-]{0,20}\n?){0,10}|(.|\n){0,100}") {
            let (config, _) = parsed(&text);
            for (key, value) in &config.settings {
                proptest::prop_assert!(is_key(key) && !value.is_empty());
            }
        }

        #[test]
        fn what_is_set_is_read(
            key in "[A-Za-z][A-Za-z0-9_-]{0,10}", value in "[!-~]([ -~]{0,20}[!-~])?"
        ) {
            let (config, err) = parsed(&format!(" {key}\t= {value} \n"));
            proptest::prop_assert_eq!(err, "");
            proptest::prop_assert_eq!(config.get(&key), value);
        }
    }
}
