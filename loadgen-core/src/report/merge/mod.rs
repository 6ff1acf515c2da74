//! The reports of the shards of a plan as the one of the whole. Counts, histograms, windows and
//! bytes are exact sums, so that the order does not matter, and the result has the counts
//! that one process would have.

mod distributions;
mod sessions;
mod sums;
#[cfg(test)]
mod tests;
mod timeline;

use std::time::{Duration, SystemTime};

use distributions::NoHistogram;
use serde_json::Value;

use super::{GeneratorReport, Latency, Report, ShardReport, VerdictStatus};
use crate::plan::{Plan, Shard};

/// Reports that are not those of the shards of one plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// There is no report.
    #[error("there are no reports to merge")]
    Nothing,
    /// One of several reports is that of a whole plan.
    #[error(
        "report {place} of those to merge is not that of a shard: give each process the whole \
         plan, and its shard of it"
    )]
    NoShard {
        /// Which one, from 1.
        place: usize,
    },
    /// The shards are not of the same plan.
    #[error("shards {one} and {other} are not of the same plan: '{path}' differs")]
    Plan {
        /// The shard that the other was compared with.
        one: Shard,
        /// The one that differs.
        other: Shard,
        /// The first field of the plan that is different, such as `load.connections`.
        path: String,
    },
    /// The shards were measured by different versions, which may not measure alike.
    #[error("shards {one} and {other} were run by different versions of loadgen: use one")]
    Version {
        /// The shard that the other was compared with.
        one: Shard,
        /// The one that differs.
        other: Shard,
    },
    /// The plan has settings that this version does not know, so that nobody can tell whether the
    /// shards have the same.
    #[error(
        "the plan of shard {shard} has settings that this version of loadgen does not know: {}; merge \
         with the version that ran it, or a later one",
        settings.join(", ")
    )]
    UnknownSettings {
        /// Which one.
        shard: Shard,
        /// Their [paths](Plan::unknown_settings).
        settings: Vec<String>,
    },
    /// The requests of the shards have different tags: they read different files.
    #[error("the requests of shards {one} and {other} have different tags: give both one file")]
    Tags {
        /// The shard that the other was compared with.
        one: Shard,
        /// The one that differs.
        other: Shard,
    },
    /// Two reports are of the same shard.
    #[error("two reports are of shard {shard}: leave one of them out")]
    Twice {
        /// Which one.
        shard: Shard,
    },
    /// Reports of shards are missing.
    #[error(
        "the reports of {} of {of} shards are missing: {}{}",
        .missing.len(),
        .missing.iter().take(10).map(u32::to_string).collect::<Vec<_>>().join(", "),
        if .missing.len() > 10 { ", …" } else { "" }
    )]
    Missing {
        /// The numbers of the shards that no report is of.
        missing: Vec<u32>,
        /// How many shards the plan has.
        of: u32,
    },
    /// One of them has a migration, whose impact is of the calls of its own shard alone.
    #[error(
        "the report of shard {shard} is that of a migration, whose impact cannot be merged: \
         let the process that migrates put the whole load on, or merge runs without a migration"
    )]
    Migration {
        /// Which one.
        shard: Shard,
    },
    /// A report lacks what merging needs.
    #[error("the report of shard {shard} has no whole distribution of its {field}")]
    Distribution {
        /// Which one.
        shard: Shard,
        /// The field.
        field: &'static str,
    },
}

/// From one shard's begin to another's, that makes what they measured at one time of the load
/// lie in different windows: the width of the finest.
const APART: Duration = Duration::from_millis(100);

impl Report {
    /// The report of a plan of which each process carried out a [shard](Plan::with_shard): all
    /// of them, each once, in any order. Counts, distributions, windows and bytes are those
    /// that one process would have counted; a rate is what all did, divided by the longest
    /// [`measured_s`](Self::measured_s). The [verdict](Self::verdict) is the worst, with the
    /// reasons of each, and [`shards`](Self::shards) tells what each ran on. The machine
    /// ([`environment`](Self::environment)) is that of the first, but for its threads, which
    /// are those of all. Times count from the start of each shard's own load: that they begin
    /// together is for their programs to see to, and the verdict says if they did not. Most
    /// connections at once, of sessions, are the sum of the most of each.
    ///
    /// ```
    /// use std::time::Duration;
    /// use loadgen_core::{Engine, Load, Plan, Report, Schedule, Shard};
    /// # use loadgen_core::target_server::{TargetOptions, TargetServer};
    /// # let server = TargetServer::bind(TargetOptions::default())?.spawn()?;
    /// # let url = server.url();
    ///
    /// let load = Load::established(Schedule::constant(500.0));
    /// let plan = Plan::new(url.parse()?, load).with_duration(Duration::from_millis(200));
    /// // As another process would: it gets the same plan, and its number.
    /// let part = |shard: Shard| Engine::new(plan.clone().with_shard(shard))?.run();
    /// let parts = [part(Shard::new(0, 2)?)?, part(Shard::new(1, 2)?)?];
    /// assert_eq!(parts[0].counts.offered, 50);
    /// let whole = Report::merge(parts)?;
    /// assert_eq!((whole.counts.offered, whole.plan.shard()), (100, None));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`MergeError`] if they are not all the shards of one plan, if one is of a migration, and
    /// if one lacks a distribution.
    pub fn merge(parts: impl IntoIterator<Item = Self>) -> Result<Self, MergeError> {
        let mut parts: Vec<Self> = parts.into_iter().collect();
        if let [one] = parts.as_slice()
            && one.plan.shard().is_none()
        {
            return Ok(parts.remove(0));
        }
        if let Some(place) = parts.iter().position(|part| part.plan.shard().is_none()) {
            return Err(MergeError::NoShard { place: place + 1 });
        }
        parts.sort_by_key(|part| part.plan.shard());
        let starts: Vec<SystemTime> =
            parts.iter().filter_map(|p| humantime::parse_rfc3339(&p.started_at).ok()).collect();
        let mut parts = parts.into_iter();
        let mut whole = prepared(parts.next().ok_or(MergeError::Nothing)?)?;
        for part in parts {
            absorb(&mut whole, prepared(part)?)?;
        }
        let shard = shard_of(&whole);
        let there: Vec<u32> = whole.shards.iter().map(|shard| shard.index).collect();
        if there.len() < shard.of() as usize {
            // Both are in order.
            let mut there = there.into_iter().peekable();
            let missing = (0..shard.of()).filter(|i| there.next_if_eq(i).is_none()).collect();
            return Err(MergeError::Missing { missing, of: shard.of() });
        }
        Ok(finished(whole, &starts))
    }
}

/// Of which shard a report is, that was seen to be of one.
fn shard_of(report: &Report) -> Shard {
    report.plan.shard().unwrap_or_else(|| unreachable!("a report that is merged has a shard"))
}

/// A shard's report as it is added up: its rates are numbers of calls, and what is its own
/// stands under its number.
fn prepared(mut part: Report) -> Result<Report, MergeError> {
    let shard = shard_of(&part);
    if part.migration.is_some() {
        return Err(MergeError::Migration { shard });
    }
    for load in &mut part.loads {
        sums::scale(&mut load.rates, part.measured_s);
    }
    sums::scale(&mut part.rates, part.measured_s);
    part.shards = vec![ShardReport {
        index: shard.index(),
        started_at: part.started_at.clone(),
        duration_s: part.duration_s,
        measured_s: part.measured_s,
        environment: part.environment.clone(),
        verdict: part.verdict.clone(),
        calls_file: part.calls_file.take(),
    }];
    for reason in &mut part.verdict.reasons {
        *reason = format!("shard {}: {reason}", shard.index());
    }
    Ok(part)
}

/// Adds a shard with a higher number.
fn absorb(whole: &mut Report, mut part: Report) -> Result<(), MergeError> {
    let (one, other) = (shard_of(whole), shard_of(&part));
    let last = whole.shards.last().map(|shard| shard.index);
    if one.of() == other.of() && last == Some(other.index()) {
        return Err(MergeError::Twice { shard: other });
    }
    for (shard, plan) in [(one, &whole.plan), (other, &part.plan)] {
        if !plan.unknown_settings().is_empty() {
            let settings = plan.unknown_settings().to_vec();
            return Err(MergeError::UnknownSettings { shard, settings });
        }
    }
    if let Some(path) = difference(&whole.plan, &part.plan) {
        return Err(MergeError::Plan { one, other, path });
    }
    if whole.tool != part.tool {
        return Err(MergeError::Version { one, other });
    }
    let tags = |of: &Report| of.tags.iter().map(|tag| tag.tag.clone()).collect::<Vec<_>>();
    if tags(whole) != tags(&part) {
        return Err(MergeError::Tags { one, other });
    }
    let lacks = |NoHistogram { field, is_of_part }| {
        let shard = if is_of_part { other } else { one };
        MergeError::Distribution { shard, field }
    };
    // First, as it needs the response times of each.
    whole.generator = generator(whole, &part).map_err(lacks)?;
    distributions::add(whole, &part).map_err(lacks)?;
    timeline::add(&mut whole.timeline, std::mem::take(&mut part.timeline)).map_err(lacks)?;
    sums::add(whole, &part);
    if let (Some(mine), Some(theirs)) = (&mut whole.sessions, &part.sessions) {
        sessions::add(mine, theirs);
    }
    if part.started_at < whole.started_at {
        whole.started_at = part.started_at;
    }
    whole.duration_s = whole.duration_s.max(part.duration_s);
    whole.measured_s = whole.measured_s.max(part.measured_s);
    whole.environment.threads += part.environment.threads;
    whole.interrupted |= part.interrupted;
    whole.aborted = whole.aborted.take().or(part.aborted);
    whole.workers_lost += part.workers_lost;
    whole.verdict.status = whole.verdict.status.max(part.verdict.status);
    whole.verdict.reasons.extend(part.verdict.reasons);
    whole.events.extend(part.events);
    whole.events_dropped += part.events_dropped;
    whole.shards.extend(part.shards);
    Ok(())
}

/// What all added up to, as a report.
fn finished(mut whole: Report, starts: &[SystemTime]) -> Report {
    sums::per_second(&mut whole.rates, whole.measured_s);
    for load in &mut whole.loads {
        sums::per_second(&mut load.rates, whole.measured_s);
    }
    timeline::finish(&mut whole.timeline);
    whole.events.sort_by(|one, other| one.at_s.total_cmp(&other.at_s));
    whole.error_examples.sort_by(|one, other| one.at_s.total_cmp(&other.at_s));
    whole.plan.shard = None;
    whole.plan.threads = whole.environment.threads;
    if starts.len() < whole.shards.len() {
        let reason =
            "when some of the shards began cannot be read: they may not have begun together";
        whole.verdict.add([(VerdictStatus::Degraded, reason.to_owned())]);
    }
    let first = starts.iter().min().copied().unwrap_or(SystemTime::UNIX_EPOCH);
    let apart = starts.iter().filter_map(|start| start.duration_since(first).ok()).max();
    if let Some(apart) = apart.filter(|apart| *apart >= APART) {
        let reason = format!(
            "the shards did not begin together: by their clocks the last one's load began {:.1} s \
             after the first one's, so what stands at one time of the load was not at one moment",
            apart.as_secs_f64()
        );
        whole.verdict.add([(VerdictStatus::Degraded, reason)]);
    }
    whole
}

/// The first field in which plans differ, but for what each process has its own of.
fn difference(one: &Plan, other: &Plan) -> Option<String> {
    let document = |plan: &Plan| {
        let mut plan = plan.clone();
        plan.shard = plan.shard.map(|shard| Shard::new(0, shard.of()).unwrap_or(shard));
        (plan.threads, plan.call_log) = (1, 0);
        serde_json::to_value(plan).unwrap_or_default()
    };
    differing(&document(one), &document(other))
}

fn differing(one: &Value, other: &Value) -> Option<String> {
    if let (Value::Object(mine), Value::Object(theirs)) = (one, other) {
        let keys = mine.keys().chain(theirs.keys().filter(|key| !mine.contains_key(*key)));
        return keys
            .filter_map(|key| {
                let null = Value::Null;
                let [mine, theirs] = [mine, theirs].map(|map| map.get(key).unwrap_or(&null));
                let inner = differing(mine, theirs)?;
                Some(if inner.is_empty() { key.clone() } else { format!("{key}.{inner}") })
            })
            .next();
    }
    (one != other).then(String::new)
}

/// What the generators had their part in.
fn generator(one: &Report, other: &Report) -> Result<Option<GeneratorReport>, NoHistogram> {
    let (Some(mine), Some(theirs)) = (&one.generator, &other.generator) else { return Ok(None) };
    let without = |of: &GeneratorReport| of.response_time_without.is_some();
    let response_time_without = match without(mine) || without(theirs) {
        false => None,
        true => {
            // Of whom nothing is to be taken out, all remains.
            let rest = |of: &GeneratorReport, whole: &Latency| -> Latency {
                of.response_time_without.clone().unwrap_or_else(|| whole.clone())
            };
            let mut sum = rest(mine, &one.response_time);
            distributions::merge(
                &mut sum,
                &rest(theirs, &other.response_time),
                "response_time_without",
            )?;
            Some(sum)
        }
    };
    let longest = match theirs.longest_pause_ms > mine.longest_pause_ms {
        true => theirs,
        false => mine,
    };
    Ok(Some(GeneratorReport {
        pause_threshold_ms: mine.pause_threshold_ms,
        pauses: mine.pauses + theirs.pauses,
        paused_ms: mine.paused_ms + theirs.paused_ms,
        longest_pause_ms: longest.longest_pause_ms,
        longest_pause_at_s: longest.longest_pause_at_s,
        response_time_without,
        calls_lost: mine.calls_lost + theirs.calls_lost,
        shed: mine.shed + theirs.shed,
        left_over: mine.left_over + theirs.left_over,
    }))
}
