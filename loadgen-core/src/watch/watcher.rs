//! What comes from workers and reach checks becomes freezes. It knows no thread and no clock: what
//! is known until when is told to it.

use super::feed::Batch;
use super::freeze::Freeze;
use super::history::History;
use super::judging::{Setting, Verdict, judged};
use super::silences::{Group, Silences};
use super::summary::Tally;
use crate::clock::{Nanos, SECOND};
use crate::migration::{Check, Silence, all_paused, unusual};
use crate::record::{CallRecord, Population};

/// How long after its end a freeze is told: by then a service has worked off what had piled up,
/// or it is slow for another reason, and lost SYNs were sent again once.
const SETTLES: Nanos = 2 * SECOND;

/// How long is waited for checks that do not come.
const WITHOUT_CHECKS: Nanos = 10 * SECOND;

/// Calls that are to come after a silence, and how long is waited for them beyond the time in which
/// they are due.
const CALLS_AFTER: usize = 3;
const WITHOUT_CALLS: Nanos = 10 * SECOND;

/// How often it is looked what is normal.
const LEARNS_EVERY: Nanos = SECOND;

/// See above.
pub(super) struct Watcher {
    setting: Setting,
    history: History,
    silences: Silences,
    /// Of each worker: what ended before is known.
    known: Vec<Nanos>,
    /// Calls that came before all workers were as far, each worker's by their ends.
    early: Vec<CallRecord>,
    thresholds: [Option<Nanos>; 2],
    learnt: Nanos,
    /// When the last freeze had ended.
    last_end: Nanos,
    /// Own pauses that ended before are counted.
    own_until: Nanos,
    shortest: Nanos,
    pub(super) tally: Tally,
    /// Since when the service did not answer when all was over.
    pub(super) frozen_since: Option<String>,
}

impl Watcher {
    pub(super) fn new(setting: Setting, workers: u32, shortest: Nanos) -> Self {
        let thresholds = setting.per_s.map(|rate| rate.map(|rate| unusual(Vec::new(), gap(rate))));
        Self {
            history: History::new(workers),
            silences: Silences::new(thresholds, setting.warmup_end),
            known: vec![0; workers as usize],
            early: Vec::new(),
            thresholds,
            learnt: 0,
            last_end: 0,
            own_until: setting.warmup_end,
            shortest,
            tally: Tally::new(),
            frozen_since: None,
            setting,
        }
    }

    /// What a worker has seen.
    pub(super) fn take(&mut self, batch: Batch) {
        let Some(known) = self.known.get_mut(batch.worker as usize) else { return };
        *known = batch.until;
        self.early.extend(batch.calls);
        batch.lost.into_iter().for_each(|end| self.history.lost(end));
        for (from, to) in batch.pauses {
            self.history.paused(batch.worker, from, to);
        }
    }

    /// What became of a check of the machine's kernel.
    pub(super) fn checked(&mut self, check: Check) {
        self.history.checked(check);
    }

    /// The same of the neighbour's.
    pub(super) fn checked_neighbour(&mut self, check: Check) {
        self.history.checked_neighbour(check);
    }

    /// The machine's kernel is not asked any more.
    pub(super) fn is_not_asked(&mut self, why: &str) {
        self.setting.reach_off.get_or_insert_with(|| why.to_owned());
    }

    /// When the watch began.
    pub(super) fn warmup_end(&self) -> Nanos {
        self.setting.warmup_end
    }

    /// What ended before is known, of all workers.
    pub(super) fn known(&self) -> Nanos {
        self.known.iter().copied().min().unwrap_or(0)
    }

    /// Silences up to this length are normal, by population.
    pub(super) fn thresholds(&self) -> [Option<Nanos>; 2] {
        self.thresholds
    }

    /// Since when a population has not been answered, if that is longer than normal.
    pub(super) fn silent_since(&self) -> Option<Nanos> {
        self.silences.going_on(self.known()).map(|silence| silence.start).min()
    }

    /// Looks at what has come, and tells the freezes that are over, and known. Checks that were
    /// sent before `checked` are known.
    pub(super) fn look(&mut self, checked: Nanos, tell: &mut dyn FnMut(&Freeze)) {
        let known = self.known();
        self.read(known);
        if known >= self.setting.warmup_end {
            self.silences.begin();
        }
        let settled = known.saturating_sub(SETTLES);
        let until = settled.min(checked).max(known.saturating_sub(WITHOUT_CHECKS));
        loop {
            let is_known = |group: &[Silence]| is_known(group, &self.history, known, &self.setting);
            let Some((group, next)) = self.silences.take(until, known, is_known) else { break };
            self.judge(&group, next.unwrap_or(known), tell);
        }
        if known >= self.learnt + LEARNS_EVERY {
            self.learn();
            self.count_own(known.saturating_sub(SECOND));
            self.learnt = known;
        }
        self.history.forget(known, self.silences.since(known));
    }

    /// Nobody asked any more after `end`, and all has come: what is left is told as far as it is
    /// known.
    pub(super) fn end(&mut self, end: Nanos, tell: &mut dyn FnMut(&Freeze)) {
        self.read(Nanos::MAX);
        let groups = self.silences.take_all(end);
        for (k, group) in groups.iter().enumerate() {
            let next = groups.get(k + 1).and_then(|next| next.first()).map(|next| next.start);
            self.judge(group, next.unwrap_or(end), tell);
        }
        // Nobody judged them.
        let (left_out, length) = self.silences.left_out();
        self.tally.unproven += left_out;
        self.tally.unknown(length);
        self.count_own(end);
    }

    /// Takes the calls that have ended until then to the record, in the order of their ends.
    fn read(&mut self, known: Nanos) {
        let mut ended: Vec<CallRecord> = Vec::new();
        self.early.retain(|call| {
            let is_known = call.done <= known;
            if is_known {
                ended.push(*call);
            }
            !is_known
        });
        ended.sort_by_key(|call| call.done);
        for call in ended {
            if call.outcome.is_good() {
                self.silences.good(call.population, call.done);
            }
            let silences = &self.silences;
            self.history.push(call, || silences.since(call.done));
        }
    }

    fn judge(&mut self, group: &Group, until: Nanos, tell: &mut dyn FnMut(&Freeze)) {
        match judged(group, &self.history, &self.setting, (self.last_end, until)) {
            Verdict::Freeze(mut freeze, down) => {
                self.tally.add(&freeze, down);
                self.last_end = group.iter().map(|silence| silence.end).max().unwrap_or(0);
                if freeze.until.is_none() {
                    self.frozen_since = Some(freeze.from.clone());
                }
                if down.length.0 < self.shortest {
                    self.tally.too_short += 1;
                } else {
                    freeze.number = self.tally.freezes - self.tally.too_short;
                    tell(&freeze);
                }
            }
            Verdict::Own => self.tally.own_silences += 1,
            Verdict::Unproven(down) => {
                self.tally.unproven += 1;
                self.tally.doubtful(down);
            }
            Verdict::Normal => {}
        }
    }

    /// Learns from the last minute which silences are normal.
    fn learn(&mut self) {
        for population in Population::ALL {
            let Some(rate) = self.setting.per_s[population as usize] else { continue };
            let of = |call: &&CallRecord| call.population == population && call.outcome.is_good();
            let dones = || self.history.calls.iter().filter(of).map(|call| call.done);
            let gaps = dones().zip(dones().skip(1)).map(|(one, next)| next - one).collect();
            let threshold = unusual(gaps, gap(rate));
            self.thresholds[population as usize] = Some(threshold);
            self.silences.set_threshold(population, threshold);
        }
    }

    /// Counts the times in which no worker ran that had ended by `until`.
    fn count_own(&mut self, until: Nanos) {
        if until <= self.own_until {
            return;
        }
        for (from, to) in all_paused(&self.history.pause_log()) {
            if self.own_until < to && to <= until {
                self.tally.own(to - from);
            }
        }
        self.own_until = until;
    }
}

/// Whether enough calls came after silences that overlap: those of a service that is slow, or asked
/// seldom, take longer. For how long they are waited for has an end.
fn is_known(group: &[Silence], history: &History, known: Nanos, setting: &Setting) -> bool {
    group.iter().all(|silence| {
        let after = history.calls.iter().rev().take_while(|call| call.done > silence.end);
        let of = |call: &&CallRecord| {
            call.population == silence.population
                && call.intended >= silence.end
                && call.outcome.is_good()
        };
        let rate = setting.per_s[silence.population as usize];
        let waits = WITHOUT_CALLS + 4 * rate.and_then(gap).unwrap_or(0);
        after.filter(of).take(CALLS_AFTER).count() == CALLS_AFTER || known >= silence.end + waits
    })
}

/// The time between two calls.
fn gap(rate: f64) -> Option<Nanos> {
    (rate > 0.0).then(|| (SECOND as f64 / rate).round() as Nanos)
}

#[cfg(test)]
mod tests;
