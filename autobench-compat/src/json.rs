//! `--json FILE`: the steps of a sweep with all that was measured at each.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use loadgen_core::Report;
use serde::Serialize;

use crate::httperf_output::Figures;
use crate::output::COLUMNS;

/// The schema of the files that this version writes.
pub const SCHEMA: &str = "autobench/1";

/// One rate of a sweep.
#[derive(Debug, Serialize)]
pub struct Step<'a> {
    /// New connections per second.
    pub rate: f64,
    /// Calls per second.
    pub dem_req_rate: f64,
    /// The servers, in the order of the columns.
    pub servers: Vec<Tested<'a>>,
}

/// The test of one server.
#[derive(Debug, Serialize)]
pub struct Tested<'a> {
    /// Its host name, as in the settings.
    pub host: &'a str,
    /// What the row says, by the names of the columns without the host's.
    pub figures: BTreeMap<&'static str, Option<f64>>,
    /// All that was measured; `None` if another program ran the test, or none ran.
    pub report: Option<Box<Report>>,
}

/// The numbers of a row.
#[must_use]
pub fn figures(of: &Figures) -> BTreeMap<&'static str, Option<f64>> {
    COLUMNS.iter().map(|&(figure, name)| (name, of.number(figure))).collect()
}

/// What ends the file.
const TAIL: &[u8] = b"\n]}\n";

/// A file that is a whole document after every step, whatever becomes of the next one.
#[derive(Debug)]
pub struct Document {
    file: File,
    is_empty: bool,
}

impl Document {
    /// Begins a document without steps; a file of that name is overwritten.
    ///
    /// # Errors
    ///
    /// What kept it from being written; pipes and terminals cannot hold it.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut file = File::create(path)?;
        let version = env!("CARGO_PKG_VERSION");
        let head = format!("{{\"schema\":\"{SCHEMA}\",\"version\":\"{version}\",\"steps\":[");
        file.write_all(&[head.as_bytes(), TAIL].concat())?;
        // Tells at once of a pipe, in which there is no way back.
        file.stream_position()?;
        Ok(Self { file, is_empty: true })
    }

    /// Adds a step, one line of the file.
    ///
    /// # Errors
    ///
    /// What kept it from being written.
    pub fn push(&mut self, step: &Step<'_>) -> io::Result<()> {
        let mut bytes = if self.is_empty { b"\n".to_vec() } else { b",\n".to_vec() };
        serde_json::to_writer(&mut bytes, step)?;
        bytes.extend_from_slice(TAIL);
        self.file.seek(SeekFrom::End(-(TAIL.len() as i64)))?;
        self.file.write_all(&bytes)?;
        self.is_empty = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(rate: f64) -> Step<'static> {
        let servers =
            vec![Tested { host: "h", figures: figures(&Figures::default()), report: None }];
        Step { rate, dem_req_rate: rate * 2.0, servers }
    }

    #[test]
    fn the_file_is_whole_after_every_step() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("steps.json");
        let mut document = Document::create(&path).unwrap();
        for steps in 0..3 {
            let text = std::fs::read_to_string(&path).unwrap();
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(value["schema"], SCHEMA);
            assert_eq!(value["steps"].as_array().unwrap().len(), steps);
            assert_eq!(text.lines().count(), steps + 2, "a line each: {text}");
            document.push(&step(20.5)).unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["steps"][2]["dem_req_rate"], 41.0);
        assert!(value["steps"][2]["servers"][0]["figures"]["req_rate"].is_null());
    }
}
