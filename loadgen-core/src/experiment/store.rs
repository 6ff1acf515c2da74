//! The directory of an experiment. What is in it is always whole, whenever the process that
//! wrote it was killed:
//!
//! ```text
//! plan.toml                the plan, resolved
//! trials/0001/report.json  the report of each trial, written first
//! trials/0001/trial.json   what the trial was: it counts from the moment that this is there
//! prediction.json          what was predicted before the first trial, if anything was
//! lock                     held while an experiment is at work
//! ```
//!
//! A folder of a trial without `trial.json` is what a killed process left of the trial that it
//! was at: the trial is made again.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::error::ExperimentError;
use super::json::pretty;
use super::plan::ExperimentPlan;
use super::plan_file::{self, PlanFile};
use super::trial::Trial;
use crate::net::sys;
use crate::prediction::PredictionReport;
use crate::report::{Report, write_file};

/// Room that is had for the first report; for the others it is twice the largest so far.
const ROOM: u64 = 4 << 20;

/// How long a lock is waited for.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

const PLAN: &str = "plan.toml";
const PREDICTION: &str = "prediction.json";
const TRIALS: &str = "trials";
const RECORD: &str = "trial.json";
const REPORT: &str = "report.json";

/// The directory, while it is written to.
#[derive(Debug)]
pub(super) struct Store {
    directory: PathBuf,
    /// The largest report so far, in bytes.
    largest: u64,
    _lock: File,
}

impl Store {
    /// Takes the directory, and reads the trials that are in it already; makes it if it is not
    /// there. `plan` is kept in it, and must go on what is kept.
    pub(super) fn open(
        directory: &Path,
        plan: &ExperimentPlan,
    ) -> Result<(Self, Kept), ExperimentError> {
        let kept = directory.join(PLAN);
        if !exists(&kept)? && !is_empty(directory)? {
            return Err(ExperimentError::NotEmpty { directory: directory.to_owned() });
        }
        let trials = directory.join(TRIALS);
        fs::create_dir_all(&trials).map_err(io_error("make", &trials))?;
        let lock = lock(directory)?;
        // Another experiment may have been at work here while the lock was waited for.
        let is_new = !exists(&kept)?;
        // Programs of the testbed run elsewhere, and are told of folders.
        let whole = fs::canonicalize(directory).map_err(io_error("find", directory))?;
        let mut store = Self { directory: whole, largest: 0, _lock: lock };
        let trials = read_trials(directory)?;
        // Before the first trial is kept, there is nothing that another plan could spoil.
        if !is_new && !trials.is_empty() {
            let differences = read_plan(directory)?.differences(plan);
            if !differences.is_empty() {
                let directory = directory.to_owned();
                return Err(ExperimentError::OtherPlan { directory, differences });
            }
        }
        let toml = plan_file::to_toml(plan).map_err(|error| broken(&kept, error.to_string()))?;
        write_file(&kept, toml.as_bytes())?;
        for trial in &trials {
            if let Some(report) = &trial.report {
                let path = directory.join(report);
                let size = fs::metadata(&path).map_err(io_error("read", &path))?.len();
                store.largest = store.largest.max(size);
            }
        }
        Ok((store, Kept { trials, is_new }))
    }

    /// Keeps what was predicted, which must be before the first trial. Without a prediction the
    /// one that is kept already holds.
    pub(super) fn predicted(
        &self,
        given: Option<PredictionReport>,
        trials: usize,
    ) -> Result<Option<PredictionReport>, ExperimentError> {
        let kept = prediction(&self.directory)?;
        match given {
            Some(given) if kept.as_ref() == Some(&given) => Ok(kept),
            Some(_) if trials > 0 => Err(ExperimentError::LatePrediction { trials }),
            Some(given) => {
                self.write(PREDICTION, &given.to_json_pretty()?)?;
                Ok(Some(given))
            }
            None => Ok(kept),
        }
    }

    /// Why nothing can go on with a trial that the plan does not ask for.
    pub(super) fn not_of_the_plan(&self, index: u32) -> ExperimentError {
        let reason =
            "the plan asks for another trial at this place: restore the directory".to_owned();
        broken(&folder(&self.directory, index).join(RECORD), reason)
    }

    /// Keeps what follows from the trials, beside them.
    pub(super) fn write(&self, name: &str, contents: &str) -> Result<(), ExperimentError> {
        Ok(write_file(&self.directory.join(name), contents.as_bytes())?)
    }

    /// The folder of a trial that begins, empty, and with room for its report: a disk that is
    /// full is told before the trial, and not after it.
    pub(super) fn begin(&self, index: u32) -> Result<PathBuf, ExperimentError> {
        let folder = folder(&self.directory, index);
        if exists(&folder)? {
            fs::remove_dir_all(&folder).map_err(io_error("remove what is left in", &folder))?;
        }
        fs::create_dir(&folder).map_err(|cause| match is_full(&cause) {
            true => self.no_room(index, 0),
            false => io_error("make", &folder)(cause),
        })?;
        let wanted = ROOM.max(2 * self.largest);
        let room = folder.join("room");
        let had = File::create(&room).and_then(|file| sys::reserve(file.as_fd(), wanted));
        fs::remove_file(&room).or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => Ok(()),
            _ => Err(io_error("remove", &room)(error)),
        })?;
        match had {
            Ok(()) => Ok(folder),
            // Nobody knows then before it is tried.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(folder),
            Err(error) if is_full(&error) => {
                // Nothing can be lost with it.
                let _ = fs::remove_dir(&folder);
                Err(self.no_room(index, wanted))
            }
            Err(cause) => Err(io_error("write", &room)(cause)),
        }
    }

    fn no_room(&self, index: u32, wanted: u64) -> ExperimentError {
        ExperimentError::NoRoom { index, wanted, directory: self.directory.clone() }
    }

    /// Keeps a trial: from now on it was made.
    pub(super) fn keep(
        &mut self,
        trial: &mut Trial,
        report: Option<&Report>,
    ) -> Result<(), ExperimentError> {
        let folder = folder(&self.directory, trial.index);
        let json = match report {
            Some(report) => report.to_json_pretty().map_err(|e| broken(&folder, e.to_string()))?,
            None => String::new(),
        };
        let unkept = |error| {
            let json = json.clone();
            ExperimentError::Unkept { index: trial.index, error, json }
        };
        if report.is_some() {
            write_file(&folder.join(REPORT), json.as_bytes()).map_err(unkept)?;
            self.largest = self.largest.max(json.len() as u64);
            trial.report = Some(report_of(trial.index));
        }
        let record = pretty(trial).map_err(|error| broken(&folder, error.to_string()))?;
        write_file(&folder.join(RECORD), record.as_bytes()).map_err(unkept)?;
        Ok(())
    }
}

/// What a directory holds.
pub(super) struct Kept {
    /// The trials that were made, in the order of time.
    pub(super) trials: Vec<Trial>,
    /// Nothing was there before.
    pub(super) is_new: bool,
}

/// The plan and the trials of a directory, which may be those of an experiment at work.
pub(super) fn read(directory: &Path) -> Result<(ExperimentPlan, Vec<Trial>), ExperimentError> {
    Ok((read_plan(directory)?, read_trials(directory)?))
}

/// Whether a directory is one of an experiment.
#[must_use]
pub fn is_experiment(directory: &Path) -> bool {
    directory.join(PLAN).is_file() && directory.join(TRIALS).is_dir()
}

/// What was predicted for the experiment of a directory.
pub(super) fn prediction(directory: &Path) -> Result<Option<PredictionReport>, ExperimentError> {
    let file = directory.join(PREDICTION);
    if !exists(&file)? {
        return Ok(None);
    }
    let text = fs::read_to_string(&file).map_err(io_error("read", &file))?;
    let read = PredictionReport::from_json(&text);
    read.map(Some).map_err(|error| broken(&file, error.to_string()))
}

fn read_plan(directory: &Path) -> Result<ExperimentPlan, ExperimentError> {
    let kept = directory.join(PLAN);
    let read = PlanFile::read(&kept);
    read.map(|file| file.plan).map_err(|error| broken(&kept, error.to_string()))
}

fn read_trials(directory: &Path) -> Result<Vec<Trial>, ExperimentError> {
    let trials = directory.join(TRIALS);
    let mut made = Vec::new();
    for entry in fs::read_dir(&trials).map_err(io_error("read", &trials))? {
        let path = entry.map_err(io_error("read", &trials))?.path().join(RECORD);
        if !exists(&path)? {
            continue;
        }
        let text = fs::read_to_string(&path).map_err(io_error("read", &path))?;
        let trial: Trial = serde_json::from_str(&text).map_err(|e| broken(&path, e.to_string()))?;
        made.push(trial);
    }
    made.sort_by_key(|trial| trial.index);
    for (place, trial) in made.iter().enumerate() {
        if trial.index as usize != place + 1 {
            let missing = folder(directory, u32::try_from(place + 1).unwrap_or(u32::MAX));
            let reason = "this trial is missing, and later ones are there: restore it".to_owned();
            return Err(broken(&missing.join(RECORD), reason));
        }
    }
    Ok(made)
}

/// The report of a trial, from the directory of the experiment.
fn report_of(index: u32) -> String {
    format!("{TRIALS}/{index:04}/{REPORT}")
}

fn folder(directory: &Path, index: u32) -> PathBuf {
    directory.join(TRIALS).join(format!("{index:04}"))
}

fn lock(directory: &Path) -> Result<File, ExperimentError> {
    let path = directory.join("lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(io_error("open", &path))?;
    let begin = Instant::now();
    loop {
        match sys::lock(file.as_fd()) {
            Ok(true) => return Ok(file),
            // A program that this process starts elsewhere has all its files for a moment.
            Ok(false) if begin.elapsed() < LOCK_PATIENCE => thread::sleep(LOCK_PATIENCE / 40),
            Ok(false) => return Err(ExperimentError::InUse { directory: directory.to_owned() }),
            Err(cause) => return Err(io_error("lock", &path)(cause)),
        }
    }
}

fn exists(path: &Path) -> Result<bool, ExperimentError> {
    path.try_exists().map_err(io_error("read", path))
}

/// Whether nothing is lost by writing there.
fn is_empty(directory: &Path) -> Result<bool, ExperimentError> {
    match fs::read_dir(directory) {
        // What an experiment leaves that was killed before it kept its plan.
        Ok(mut entries) => Ok(entries.all(|entry| {
            entry.is_ok_and(|entry| ["lock", TRIALS].iter().any(|own| entry.file_name() == *own))
        })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(io_error("read", directory)(error)),
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSPC | libc::EDQUOT | libc::EFBIG))
}

fn broken(file: &Path, reason: String) -> ExperimentError {
    ExperimentError::Broken { file: file.to_owned(), reason }
}

fn io_error(what: &'static str, path: &Path) -> impl Fn(io::Error) -> ExperimentError {
    let path = path.to_owned();
    move |cause| ExperimentError::Io { what, path: path.clone(), cause }
}
