//! A simulated service with a known interruption, and the property that the analysis
//! finds it within its bound: random phases, rates, service times, pools, losses.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::clock::{MILLISECOND, Nanos, SECOND, as_millis};
use crate::event::{Event, EventKind};
use crate::random::SplitMix64;
use crate::record::{CallLog, CallRecord, Cause, Failure, Outcome, Phase, Population};
use crate::report::OutageReport;
use crate::schedule::Schedule;

use super::{ImpactInput, impact};

/// A call that was answered well.
pub(super) fn answered(p: Population, intended: Nanos, sent: Nanos, done: Nanos) -> CallRecord {
    CallRecord {
        intended,
        sent,
        done,
        bytes: 100,
        outcome: Outcome::Answered(200),
        load: 0,
        population: p,
        tag: 0,
        reused: p == Population::Established,
        retried: false,
        queued: false,
    }
}

/// A server that does not run in `[stop, resume)`.
struct Service {
    stop: Nanos,
    resume: Nanos,
    /// Least service time, and the most that jitter adds.
    service: Nanos,
    jitter: Nanos,
    /// Added to the service time from the resume on.
    brownout: Nanos,
    /// What comes while it does not run is lost (and sent again by TCP), instead
    /// of waiting in the kernel.
    lossy: bool,
    timeout: Nanos,
    /// From when to when the client itself does not run: it sends and sees later.
    asleep: (Nanos, Nanos),
    load_end: Nanos,
}

impl Service {
    /// The calls of one load over at most `pool` connections.
    fn load(
        &self,
        random: &mut SplitMix64,
        schedule: Schedule,
        population: Population,
        pool: usize,
    ) -> Vec<CallRecord> {
        let mut free: BinaryHeap<Reverse<Nanos>> = (0..pool).map(|_| Reverse(0)).collect();
        let starts = schedule.starts(random.draw(), 0, 1).take_while(|at| *at < self.load_end);
        let lag = 100_000.0;
        starts
            .map(|intended| {
                let started = intended + (random.unit() * lag) as Nanos;
                let Reverse(idle) = free.pop().unwrap();
                let started = self.awake(started.max(idle));
                let call = self.call(random, intended, started, population);
                free.push(Reverse(call.done));
                call
            })
            .collect()
    }

    fn awake(&self, at: Nanos) -> Nanos {
        if self.asleep.0 <= at && at < self.asleep.1 { self.asleep.1 } else { at }
    }

    fn call(
        &self,
        random: &mut SplitMix64,
        intended: Nanos,
        started: Nanos,
        p: Population,
    ) -> CallRecord {
        let fresh = p == Population::Fresh;
        let dark = |at| self.stop <= at && at < self.resume;
        let mut service = self.service + (random.unit() * self.jitter as f64) as Nanos;
        let mut rto = if fresh { SECOND } else { 200 * MILLISECOND };
        let mut arrived = started;
        while self.lossy && dark(arrived) {
            arrived += rto;
            rto *= 2;
        }
        // A connect needs the server only when it is lossy: else the kernel accepts.
        let sent = if fresh && self.lossy { arrived } else { started };
        if arrived >= self.resume {
            service += self.brownout;
        }
        let done = if dark(arrived) {
            self.resume + service + self.brownout
        } else if arrived < self.stop && arrived + service >= self.stop {
            // Under way at the stop: its timer fires late, or its work goes on.
            if random.flip() {
                self.resume.max(arrived + service)
            } else {
                arrived + service + self.resume - self.stop
            }
        } else {
            arrived + service
        };
        let late = done > started + self.timeout;
        let phase = if fresh && self.lossy { Phase::Connect } else { Phase::Head };
        CallRecord {
            intended,
            sent: if late { started } else { self.awake(sent) },
            done: self.awake(done.min(started + self.timeout)),
            bytes: if late { 0 } else { 100 },
            outcome: match late {
                true => Outcome::Failed(Failure::new(phase, Cause::Timeout)),
                false => Outcome::Answered(200),
            },
            load: 0,
            population: p,
            tag: 0,
            reused: !fresh,
            retried: false,
            queued: started > intended + MILLISECOND,
        }
    }
}

/// Distance of the outage from the truth, and the bound, in ms.
fn error_and_bound(outage: &OutageReport, truth: Nanos) -> (f64, f64) {
    ((outage.gap.unwrap() - as_millis(truth)).abs(), outage.bound.unwrap())
}

/// One random world. Returns errors and bounds beside what a constant load may
/// at most have as a bound.
fn world(seed: u64, lossy: bool, poisson: bool, probe: bool, pool: usize) {
    let mut random = SplitMix64::new(seed);
    let truth = (random.log(5e-3, 2.0) * 1e9) as Nanos;
    let fired = 3 * SECOND;
    let stop = fired + (random.unit() * 1e9) as Nanos;
    // Asleep around the stop, around the resume, or not at all.
    let nap = [stop, stop + truth, 0][(random.draw() % 3) as usize];
    let nap = (nap + (random.unit() * 20e6) as Nanos).saturating_sub(15 * MILLISECOND);
    let world = Service {
        stop,
        resume: stop + truth,
        service: (random.log(50e-6, 20e-3) * 1e9) as Nanos,
        jitter: (random.log(10e-6, 10e-3) * 1e9) as Nanos,
        brownout: if random.flip() { 0 } else { (random.unit() * 5e6) as Nanos },
        lossy,
        timeout: if random.flip() { 10 * SECOND } else { SECOND },
        asleep: (nap, nap + (random.unit() * 30e6) as Nanos),
        load_end: stop + truth + 2 * SECOND,
    };
    let rate = random.log(50.0, 3000.0);
    let of = |rate| if poisson { Schedule::poisson(rate) } else { Schedule::constant(rate) };
    let probe_rate = 100.0;
    let mut calls = world.load(&mut random, of(rate), Population::Established, pool);
    if probe {
        calls.extend(world.load(&mut random, of(probe_rate), Population::Fresh, 4096));
    }
    let log: CallLog = calls.into_iter().collect();
    let events = [
        Event::new(EventKind::Fired, fired, 0, "test"),
        Event::new(EventKind::Completed, world.resume, 0, "test"),
    ];
    let mut input = ImpactInput::new("test", &log, &events, world.load_end);
    input.established_per_s = Some(rate);
    input.fresh_per_s = probe.then_some(probe_rate);
    let outages = impact(&input).migration.outage_ms;
    // Response times of the service, with lag and brownout.
    let response = as_millis(world.service + world.jitter + 3 * world.brownout) + 0.1;
    for (outage, interval) in
        [(&outages.established, 1e3 / rate), (&outages.fresh, 1e3 / probe_rate)]
    {
        let Some(outage) = outage else { continue };
        let what = format!(
            "seed {seed} lossy {lossy} poisson {poisson} probe {probe} pool {pool} rate {rate}: \
             truth {} ms, {outage:?}",
            as_millis(truth)
        );
        let at_least = outage.interruption_at_least.unwrap();
        assert!(at_least <= as_millis(truth), "{what}");
        if outage.gap_is_lower_bound {
            // Retransmissions that double may outlast the load.
            assert!(lossy && pool < 6000 && outage.bound.is_none(), "{what}");
            continue;
        }
        let (error, bound) = error_and_bound(outage, truth);
        assert!(error <= bound, "{what}");
        // With the probe there is always evidence that is 10 ms old at most.
        let evidence = if probe { 1e3 / probe_rate } else { 0.0 };
        if world.asleep.0 < SECOND && !poisson && (probe || pool > 6000) && !(lossy && pool < 6000)
        {
            // What a slow service still owes at its first reply looks like a pile.
            let owed = 3.0 * response + 10.0;
            assert!(
                bound <= 2.0 * interval + evidence + 3.0 * response + 2.5 + owed,
                "at most {}: {what}",
                2.0 * interval + evidence + 6.0 * response + 12.5
            );
        }
    }
}

#[test]
fn the_truth_is_within_the_bound() {
    for seed in 0..60 {
        for lossy in [false, true] {
            for poisson in [false, true] {
                world(seed, lossy, poisson, true, 10_000);
                world(seed, lossy, poisson, false, 10_000);
            }
        }
    }
}

#[test]
fn the_truth_is_within_the_bound_when_the_pool_runs_dry() {
    for seed in 1000..1060 {
        for lossy in [false, true] {
            for probe in [false, true] {
                world(seed, lossy, seed % 2 == 0, probe, 64);
            }
        }
    }
}
