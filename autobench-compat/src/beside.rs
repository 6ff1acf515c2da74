//! What `autobench` writes beside its rows, if it is asked to: `--json`, `--html`.

use std::io;
use std::path::Path;

use crate::command::Host;
use crate::config::Config;
use crate::json::{Document, Step};
use crate::page::Page;
use crate::reason::reason;
use crate::start::{Ended, FATAL, World, status};

/// The files; none unless the settings name them.
pub struct Beside<'a> {
    config: &'a Config,
    document: Option<Document>,
    page: Option<Page>,
}

impl<'a> Beside<'a> {
    /// Opens what the settings ask for.
    ///
    /// # Errors
    ///
    /// [`Ended`] if that cannot be, after saying so.
    pub fn open(config: &'a Config, world: &mut World<'_>) -> Result<Self, Ended> {
        let file =
            |key| Some(Path::new(config.get(key))).filter(|path| !path.as_os_str().is_empty());
        let page = file("html").map(|path| Page::new(path.to_owned()));
        if page.is_some() && (Host::tested(config).len() > 1 || config.is_true("httperf")) {
            let line = "autobench: --html draws one server that is tested by loadgen's engine: \
                        add --single_host, leave out --httperf";
            return Err(world.fatal(line, FATAL));
        }
        let document = file("json").map(Document::create).transpose();
        let document = document.map_err(|error| unwritten(config, &error, world))?;
        Ok(Self { config, document, page })
    }

    /// Adds a step.
    ///
    /// # Errors
    ///
    /// [`Ended`] if it cannot be written, after saying so.
    pub fn push(&mut self, step: &Step<'_>, world: &mut World<'_>) -> Result<(), Ended> {
        if let Some(document) = &mut self.document {
            document.push(step).map_err(|error| unwritten(self.config, &error, world))?;
        }
        let report = step.servers.first().and_then(|server| server.report.as_deref());
        if let (Some(page), Some(report)) = (&mut self.page, report) {
            page.push(step.rate, step.dem_req_rate, report)
                .map_err(|error| world.fatal(format_args!("autobench: {error}"), 1))?;
        }
        Ok(())
    }
}

fn unwritten(config: &Config, error: &io::Error, world: &mut World<'_>) -> Ended {
    let line = format!("Cannot write {}: {}", config.get("json"), reason(error));
    world.fatal(line, status(error))
}
