//! What a shard measured, as a document that is merged with those of the others:
//! `loadgen-shard/1`.

use std::io::Read;

use serde::{Deserialize, Serialize};

use super::error::{MergeError, ShardError};
use super::plans::difference;
use super::schema::Schema;
use super::sync::LostShard;
use super::together;
use crate::engine::{RunHandle, RunRecord, assemble, judge};
use crate::error::RunError;
use crate::event::{Event, EventKind, EventReport};
use crate::plan::{Plan, Shard};
use crate::report::{CallsFileReport, Report, ShardClock, ShardReport, Tool, VerdictStatus};

/// What one or several of the processes measured that carry out a plan together: all counts,
/// histograms, windows and bytes, from which the report of the whole is made.
///
/// Merging adds them up: the order does not matter, some may be merged before others, and the
/// result is what one process would have counted. Threads of one process are joined by the same
/// code.
///
/// ```
/// use std::time::Duration;
/// use loadgen_core::scale::ShardRecord;
/// use loadgen_core::{Engine, Load, Plan, Schedule, Shard};
/// # use loadgen_core::target_server::{TargetOptions, TargetServer};
/// # let server = TargetServer::bind(TargetOptions::default())?.spawn()?;
/// # let url = server.url();
///
/// let load = Load::established(Schedule::constant(500.0));
/// let plan = Plan::new(url.parse()?, load).with_duration(Duration::from_millis(200));
/// // As another process would: it gets the same plan, and its number.
/// let part = |shard: Shard| ShardRecord::of(Engine::new(plan.clone().with_shard(shard))?.start()?);
/// let mut whole = part(Shard::new(0, 2)?)?;
/// let other = part(Shard::new(1, 2)?)?.to_json()?;
/// assert_eq!(whole.missing(), [1]);
/// whole.merge(ShardRecord::from_reader(other.as_bytes())?)?;
/// let report = whole.report()?;
/// assert_eq!((report.counts.offered, report.plan.shard()), (100, None));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Serialize, Deserialize)]
pub struct ShardRecord {
    schema: Schema,
    tool: Tool,
    /// Those that this is of, in the order of their numbers.
    shards: Vec<ShardReport>,
    record: RunRecord,
}

impl ShardRecord {
    /// Waits for the end of the run of a [shard](Plan::with_shard). Of a plan without one it is the
    /// only one.
    ///
    /// # Errors
    /// As [`RunHandle::join`].
    pub fn of(run: RunHandle) -> Result<Self, RunError> {
        run.record().map(Self::of_record)
    }

    /// What the run of a shard has measured since the last time that this was asked, as a line of a
    /// file: a shard that dies leaves it, and [`Self::from_reader`] reads all of them. Nothing is lost to
    /// the run. `None` before the load has begun, and if there is nothing new.
    ///
    /// Each worker exchanges what it records to; what happened since is written down in this thread.
    ///
    /// # Errors
    /// As [`Self::to_json`].
    pub fn part_of(
        run: &RunHandle,
        clock: Option<&ShardClock>,
        told_start: Option<&str>,
    ) -> Result<Option<String>, ShardError> {
        let told = run.part(|record| {
            let mut part = Self::of_record(record);
            for shard in &mut part.shards {
                (shard.is_partial, shard.clock) = (true, clock.cloned());
                shard.told_start = told_start.map(str::to_owned);
            }
            (part.to_json(), part.record)
        });
        told.transpose()
    }

    fn of_record(record: RunRecord) -> Self {
        let shard = ShardReport {
            index: record.plan.shard().map_or(0, Shard::index),
            told_start: None,
            started_at: record.started_at.clone(),
            duration_s: record.duration_s(),
            measured_s: record.measured_s(),
            environment: record.environment.clone(),
            verdict: record.verdict.clone(),
            is_partial: false,
            clock: None,
            calls_file: None,
        };
        Self { schema: Schema, tool: Tool::this(), shards: vec![shard], record }
    }

    /// With what is known of the clock of its machine.
    #[must_use]
    pub fn with_clock(mut self, clock: ShardClock) -> Self {
        if let [shard] = self.shards.as_mut_slice() {
            shard.clock = Some(clock);
        }
        self
    }

    /// With the start that it was told: shards of which it is another one are not merged. Of a
    /// [`Meeting`](super::Meeting), its [`start`](super::Meeting::start).
    #[must_use]
    pub fn with_told_start(mut self, start: impl Into<String>) -> Self {
        if let [shard] = self.shards.as_mut_slice() {
            shard.told_start = Some(start.into());
        }
        self
    }

    /// With the shards that were lost while the load went on, as shard 0 has seen it: events of the
    /// report.
    #[must_use]
    pub fn with_lost(mut self, lost: &[LostShard]) -> Self {
        let [ShardReport { clock: Some(clock), .. }] = &self.shards[..] else { return self };
        for LostShard { index, at_ns } in lost {
            let what = EventKind::Mark(format!("shard {index} was lost"));
            let event = Event::new(what, at_ns.saturating_sub(clock.began_ns), 0, "sync");
            self.record.events.push(EventReport::from(&event));
        }
        self
    }

    /// With the file that the calls of this shard were written to.
    #[must_use]
    pub fn with_calls_file(mut self, file: CallsFileReport) -> Self {
        if let [shard] = self.shards.as_mut_slice() {
            shard.verdict.add(file.lack().map(|why| (VerdictStatus::Degraded, why)));
            shard.calls_file = Some(file);
        }
        self
    }

    /// Says that somebody broke it off, as [`Report::set_interrupted`] does.
    pub fn set_interrupted(&mut self) {
        self.record.interrupted = true;
        if let [shard] = self.shards.as_mut_slice() {
            shard.verdict.add([(VerdictStatus::Degraded, Report::INTERRUPTED.to_owned())]);
        }
    }

    /// Whether somebody broke it off, or a part of it.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.record.interrupted
    }

    /// The plan of all shards, as one of them had it.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.record.plan
    }

    /// How many shards the plan has.
    #[must_use]
    pub fn of_shards(&self) -> u32 {
        self.record.plan.shard().map_or(1, Shard::of)
    }

    /// The numbers of the shards that are not in it.
    #[must_use]
    pub fn missing(&self) -> Vec<u32> {
        let mut there = self.shards.iter().map(|shard| shard.index).peekable();
        (0..self.of_shards()).filter(|i| there.next_if_eq(i).is_none()).collect()
    }

    /// The numbers of the shards that did not come to their ends, and of which there is what they
    /// had written before.
    #[must_use]
    pub fn partial(&self) -> Vec<u32> {
        self.shards.iter().filter(|shard| shard.is_partial).map(|shard| shard.index).collect()
    }

    /// As JSON, in one line.
    ///
    /// # Errors
    /// [`ShardError::Write`] if a number cannot stand in JSON, which is a defect.
    pub fn to_json(&self) -> Result<String, ShardError> {
        serde_json::to_string(self).map_err(|error| ShardError::Write(error.to_string()))
    }

    /// Reads one back, of a file that may be large: a record, or the parts that a shard wrote before it
    /// died, of which the last one may be cut short.
    ///
    /// # Errors
    /// [`ShardError`] if it is none, or is damaged.
    pub fn from_reader(from: impl Read) -> Result<Self, ShardError> {
        let mut reader = serde_json::Deserializer::from_reader(std::io::BufReader::new(from));
        let mut record = Self::read_one(&mut reader)?;
        if let [ShardReport { is_partial: true, .. }] = record.shards[..] {
            while reader.end().is_err() {
                match Self::read_one(&mut reader) {
                    Ok(part) => record.add_part(part)?,
                    Err(ShardError::Cut) => break,
                    Err(error) => return Err(error),
                }
            }
            record.judge_parts();
        }
        reader.end().or_else(|error| match record.partial().is_empty() {
            true => Err(ShardError::Damaged(format!("something stands behind it: {error}"))),
            false => Ok(()),
        })?;
        Ok(record)
    }

    fn read_one<'de, R: serde_json::de::Read<'de>>(
        reader: &mut serde_json::Deserializer<R>,
    ) -> Result<Self, ShardError> {
        let record: Self =
            serde_path_to_error::deserialize(reader).map_err(|error| ShardError::of(&error))?;
        match record.damage() {
            None => Ok(record),
            Some(what) => Err(ShardError::Damaged(what.to_owned())),
        }
    }

    /// What cannot be true of a record.
    fn damage(&self) -> Option<&'static str> {
        let Self { shards, record, .. } = self;
        let own = record.plan.shard().unwrap_or(Shard::ALONE);
        if shards.is_empty() {
            return Some("it is of no shard");
        }
        let in_order = shards.is_sorted_by(|one, next| one.index < next.index);
        let are_of_plan = shards.iter().all(|shard| shard.index < own.of());
        if !in_order || !are_of_plan || shards[0].index != own.index() {
            return Some("its shards are not those of its plan");
        }
        if !record.harvest.is_of(&record.plan, record.tags.len()) {
            return Some("what was measured is not of its plan");
        }
        None
    }

    /// Adds what the same shard measured later.
    fn add_part(&mut self, part: Self) -> Result<(), ShardError> {
        let ([shard], [later]) = (&mut self.shards[..], &part.shards[..]) else {
            return Err(ShardError::Damaged("it has records of several shards".to_owned()));
        };
        let is_same = shard.index == later.index && later.is_partial;
        if !is_same || difference(&self.record.plan, &part.record.plan).is_some() {
            return Err(ShardError::Damaged("it has parts of several runs".to_owned()));
        }
        let threads = self.record.environment.threads;
        self.record.merge(part.record);
        self.record.environment.threads = threads;
        (shard.duration_s, shard.measured_s) = (self.record.duration_s(), self.record.measured_s());
        Ok(())
    }

    /// What is to be said of a shard that did not come to its end.
    fn judge_parts(&mut self) {
        let [shard] = &mut self.shards[..] else { return };
        let record = &self.record;
        shard.verdict = judge(&record.plan, &record.harvest, None);
        shard.verdict.add([(
            VerdictStatus::Degraded,
            format!(
                "it did not come to its end: there is what it had measured until {:.1} s, without \
                 what its kernel tells, and without sessions",
                shard.duration_s
            ),
        )]);
        self.record.verdict = shard.verdict.clone();
    }

    /// Adds what other shards of the same plan measured.
    ///
    /// # Errors
    /// [`MergeError`] if the two are not of one plan, or have a shard in common. Then nothing was
    /// added.
    pub fn merge(&mut self, mut other: Self) -> Result<(), MergeError> {
        let [one, of_other] = [self.first(), other.first()];
        let numbers = |of: &Self| of.shards.iter().map(|s| s.index).collect::<Vec<_>>();
        let is_twice = |index: &u32| self.shards.binary_search_by_key(index, |s| s.index).is_ok();
        if self.of_shards() == other.of_shards()
            && let Some(shard) = numbers(&other).into_iter().find(is_twice)
        {
            return Err(MergeError::Twice { shard });
        }
        for (shard, plan) in [(one, self.plan()), (of_other, other.plan())] {
            if !plan.unknown_settings().is_empty() {
                let settings = plan.unknown_settings().to_vec();
                return Err(MergeError::UnknownSettings { shard, settings });
            }
        }
        if let Some(path) = difference(self.plan(), other.plan()) {
            return Err(MergeError::Plan { one, other: of_other, path });
        }
        if self.tool != other.tool {
            return Err(MergeError::Version { one, other: of_other });
        }
        let told = |of: &Self| of.shards.first().and_then(|shard| shard.told_start.clone());
        if told(self) != told(&other) {
            return Err(MergeError::Start { one, other: of_other });
        }
        if self.record.tags != other.record.tags {
            return Err(MergeError::Tags { one, other: of_other });
        }
        // What is told of one alone is told of the first, in whatever order they come.
        if of_other < one {
            std::mem::swap(self, &mut other);
        }
        self.record.merge(other.record);
        self.shards.extend(other.shards);
        self.shards.sort_by_key(|shard| shard.index);
        Ok(())
    }

    /// The first shard in it.
    fn first(&self) -> u32 {
        self.shards.first().map_or(0, |shard| shard.index)
    }

    /// The report of the whole. Times count from the start of each shard's own load; rates are what
    /// all did, divided by the longest [`measured_s`](Report::measured_s). The
    /// [verdict](Report::verdict) is the worst, with the reasons of each, and
    /// [`shards`](Report::shards) tells what each ran on; the machine
    /// ([`environment`](Report::environment)) is that of the first, but for its threads, which are
    /// those of all.
    ///
    /// # Errors
    /// [`MergeError::Missing`] if a shard is missing, [`MergeError::Partial`] if one did not come to
    /// its end.
    pub fn report(self) -> Result<Report, MergeError> {
        let (missing, partial) = (self.missing(), self.partial());
        if !missing.is_empty() {
            return Err(MergeError::Missing { missing, of: self.of_shards() });
        }
        if !partial.is_empty() {
            return Err(MergeError::Partial { partial });
        }
        Ok(self.report_of_those_there())
    }

    /// The same of those that are there. If some are missing it says so, and the verdict is
    /// degraded at the least: less load was put on than the plan says.
    #[must_use]
    pub fn report_of_those_there(self) -> Report {
        let (missing, of) = (self.missing(), self.of_shards());
        let Self { mut record, shards, .. } = self;
        if of > 1 {
            record.verdict = together::verdict(&shards, &missing, of);
        }
        record.events.sort_by(|one, other| one.at_s.total_cmp(&other.at_s));
        record.plan.shard = None;
        record.plan.threads = record.environment.threads;
        let mut report = assemble(record).report;
        if of > 1 {
            (report.shards, report.shards_missing) = (shards, missing);
        }
        report
    }
}
