//! What `autobench` and `autobench_admin` do alike before and while they measure:
//! the configuration file and its first use, options, `--version`, the result file.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use crate::command::Host;
use crate::config::{self, Config};
use crate::httperf_output::Figure;
use crate::options::{self, Known, Takes};
use crate::output::Table;
use crate::reason::reason;

/// What a program sees of its surroundings.
pub struct World<'a> {
    /// The home directory, where the configuration file is.
    pub home: &'a str,
    /// The master file that the first use copies, if the machine has it.
    pub master: &'a Path,
    /// Its stdout.
    pub out: &'a mut dyn Write,
    /// Its stderr.
    pub err: &'a mut dyn Write,
}

impl World<'_> {
    /// A line on stderr. That nobody reads it is no reason to stop.
    pub fn say(&mut self, line: impl fmt::Display) {
        let _ = writeln!(self.err, "{line}");
    }

    /// A line on stderr, and the exit status that it explains.
    #[must_use]
    pub fn fatal(&mut self, line: impl fmt::Display, status: u8) -> Ended {
        self.say(line);
        Ended(status)
    }
}

/// The program is over, with this exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended(pub u8);

/// Exit status of most fatal errors of the original.
pub const FATAL: u8 = 255;

/// Exit status of a program whose reader went away, as the shell shows SIGPIPE, of
/// which the originals died in silence.
pub const READER_GONE: u8 = 141;

/// One of the two programs.
#[derive(Debug, Clone, Copy)]
pub struct Tool {
    /// Its file name.
    pub name: &'static str,
    /// Its name in the answer to `--version`.
    pub title: &'static str,
    /// Whether the end of a first use is told on stdout rather than stderr.
    pub installs_on_stdout: bool,
    /// Options it has beyond [`COMMON`].
    pub options: &'static [Known],
    /// Answer to `--help`.
    pub help: &'static str,
}

/// Options of both programs.
pub const COMMON: [Known; 17] = [
    Known::original("host1", Takes::OptionalText),
    Known::original("host2", Takes::OptionalText),
    Known::original("uri1", Takes::OptionalText),
    Known::original("uri2", Takes::OptionalText),
    Known::original("port1", Takes::Integer),
    Known::original("port2", Takes::Integer),
    Known::original("low_rate", Takes::Integer),
    Known::original("high_rate", Takes::Integer),
    Known::original("rate_step", Takes::Integer),
    Known::original("num_conn", Takes::Integer),
    Known::original("num_call", Takes::Integer),
    Known::original("timeout", Takes::Integer),
    Known::original("const_test_time", Takes::Integer),
    Known::original("output_fmt", Takes::Text),
    Known::original("file", Takes::Text),
    Known::original("quiet", Takes::Nothing),
    Known::original("single_host", Takes::Nothing),
];

/// Options of both programs that measure nothing.
const TALKING: [Known; 3] = [
    Known::original("debug", Takes::Nothing),
    Known::original("version", Takes::Nothing),
    Known::ours("help", Takes::Nothing),
];

impl Tool {
    /// The settings: configuration file and options.
    ///
    /// # Errors
    ///
    /// [`Ended`] after a first use, `--help` and `--version`.
    pub fn start(&self, arguments: &[String], world: &mut World<'_>) -> Result<Config, Ended> {
        let known = [&COMMON[..], &TALKING, self.options].concat();
        let given = options::parse(arguments, &known);
        if given.values.iter().any(|(name, _)| *name == "help") {
            let _ = world.out.write_all(self.help.as_bytes());
            return Err(Ended(0));
        }
        let path = config::path(world.home);
        let Some(mut config) = config::load(&path, world.err) else {
            return Err(self.first_use(&path, world));
        };
        for complaint in &given.complaints {
            world.say(complaint);
        }
        for (name, value) in &given.values {
            config.set(name, value);
        }
        if config.is_true("version") {
            let copyright = "Copyright (C) Julian T. J. Midgley <jtjm@xenoclast.org> 2003";
            let _ = writeln!(world.out, "{} 2.1.1\n{copyright}", self.title);
            return Err(Ended(0));
        }
        Ok(config)
    }

    /// Installs the configuration file. The exit status is 0 even if that failed, as
    /// scripts know it.
    fn first_use(&self, path: &Path, world: &mut World<'_>) -> Ended {
        let place = path.display();
        world.say(format_args!(
            "Autobench configuration file not found\n - installing new copy in {place}"
        ));
        if let Err(error) = config::install(world.master, path) {
            world.say(format_args!("{}: cannot write {place}: {}", self.name, reason(&error)));
        }
        let stream = if self.installs_on_stdout { &mut *world.out } else { &mut *world.err };
        let _ = writeln!(stream, "Installation complete - please rerun {}", self.name);
        Ended(0)
    }
}

/// The exit status that Perl makes of a failed system call.
#[must_use]
pub fn status(error: &io::Error) -> u8 {
    error.raw_os_error().and_then(|number| u8::try_from(number).ok()).unwrap_or(FATAL)
}

/// Where the rows go: `file`, else stdout.
pub struct Results {
    table: Table,
    file: Option<File>,
    /// The file's name in messages.
    name: String,
}

impl Results {
    /// Opens the result file, overwriting it.
    ///
    /// # Errors
    ///
    /// [`Ended`] if it cannot be opened, after saying so.
    pub fn open(table: Table, config: &Config, world: &mut World<'_>) -> Result<Self, Ended> {
        let named = config.is_true("file").then(|| config.get("file"));
        let file = named.map(File::create).transpose().map_err(|error| {
            let line = format!("Cannot open {} for writing", config.get("file"));
            world.fatal(line, status(&error))
        })?;
        Ok(Self { table, file, name: named.unwrap_or("stdout").to_owned() })
    }

    /// Writes the column names.
    ///
    /// # Errors
    ///
    /// [`Ended`] if that fails, after saying so.
    pub fn header(&mut self, config: &Config, world: &mut World<'_>) -> Result<(), Ended> {
        let header = self.table.header(config);
        self.write(&header, world)
    }

    /// Writes a row.
    ///
    /// # Errors
    ///
    /// [`Ended`] if that fails, after saying so.
    pub fn row(
        &mut self,
        demanded: &str,
        cells: Vec<String>,
        world: &mut World<'_>,
    ) -> Result<(), Ended> {
        let row = self.table.row(demanded, cells);
        self.write(&row, world)
    }

    /// The cells of one server.
    #[must_use]
    pub fn cells(&self, digits: impl Fn(Figure) -> Option<String>) -> Vec<String> {
        self.table.cells(digits)
    }

    fn write(&mut self, line: &str, world: &mut World<'_>) -> Result<(), Ended> {
        let written = match &mut self.file {
            Some(file) => file.write_all(line.as_bytes()),
            None => world.out.write_all(line.as_bytes()).and_then(|()| world.out.flush()),
        };
        written.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Ended(READER_GONE),
            _ => {
                let line = format!("Cannot write {}: {}", self.name, reason(&error));
                world.fatal(line, status(&error))
            }
        })
    }
}

/// Whether a host name (or address) is known.
#[must_use]
pub fn is_resolvable(host: &str) -> bool {
    use std::net::ToSocketAddrs;
    (host, 0).to_socket_addrs().is_ok_and(|mut addresses| addresses.next().is_some())
}

/// Complains about settings that are missing (or 0), as the original: it then goes on.
pub fn complain_about_missing(keys: &[&str], config: &Config, world: &mut World<'_>) {
    let missing: Vec<_> = keys.iter().filter(|key| !config.is_true(key)).collect();
    for key in &missing {
        world.say(format_args!("Argument {key} not supplied"));
    }
    if !missing.is_empty() {
        world.say(
            "Please run autobench again, supplying the missing arguments\n\
             either on the command line, or in the config file",
        );
    }
}

/// Complains about options for httperf that it will refuse.
pub fn complain_about_pass_through(tool: &str, config: &Config, world: &mut World<'_>) {
    for complaint in config.complaints_about_options() {
        world.say(format_args!("{tool}: warning: {complaint}"));
    }
}

/// Complains about the settings of one server, and about its name.
///
/// # Errors
///
/// [`Ended`] if the host's name is not known, after saying so.
pub fn check_host(host: Host, config: &Config, world: &mut World<'_>) -> Result<(), Ended> {
    let name = host.name(config);
    if is_resolvable(name) {
        Ok(())
    } else {
        Err(world.fatal(format_args!("Fatal: hostname: {name} is unresolvable"), FATAL))
    }
}
