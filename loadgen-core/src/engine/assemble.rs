//! From what the workers recorded to the [`Report`]: merge, then name and scale.

pub(super) mod addresses;
mod kernel;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;

use super::harvest::Harvest;
use super::looks::NOTABLE;
use super::run_record::RunRecord;
use super::verdict;
use crate::abort::Aborted;
use crate::clock::{Nanos, as_millis, as_seconds};
use crate::expectation::Miss;
use crate::plan::{Plan, nanos};
use crate::record::connections::by_name;
use crate::record::kernel::SlowCall;
use crate::record::{
    BadCalls, CallLog, CallRecord, Cause, ConnectionLog, DateSample, Histogram, LoadRecord,
    Outcome, OwnRecord, PauseLog, PauseRecord, Phase, Population, Recorder, STEPS_PER_WINDOW,
    SessionRecord, Statuses, TagRecord, Timeline, TlsRecord,
};
use crate::report::{
    Counts, Cpu, ErrorExample, FailedCall, GeneratorReport, LoadReport, PopulationReport,
    PopulationWindow, Rates, Report, SCHEMA, SessionsReport, TagReport, TimelineCounters,
    TimelineReport, TlsReport, Tool, Traffic, Verdict, VerdictStatus, WindowReport, latency,
};

/// A report, and the calls that it was made of.
pub(crate) struct Finished {
    pub(crate) report: Report,
    pub(crate) log: CallLog,
    pub(crate) slow: Vec<SlowCall>,
    pub(crate) connections: ConnectionLog,
    pub(crate) dates: Vec<DateSample>,
    pub(crate) pauses: PauseLog,
    pub(crate) load_end: Nanos,
}

/// Whether what was measured can be trusted.
pub(crate) fn judge(plan: &Plan, harvest: &Harvest, aborted: Option<&Aborted>) -> Verdict {
    let (recorder, learnt) = (&harvest.recorder, harvest.kernel.as_ref());
    let whole = whole(recorder);
    let own = recorder.own().map(|own| own.bounded(whole.service.min()));
    let mut verdict = verdict::judge(&verdict::Evidence {
        plan,
        tally: &whole.tally,
        lag: &whole.lag,
        errors: &whole.errors,
        warm_failures: recorder.warm_failures,
        waiting_at_end: recorder.waiting_at_end,
        shed_in_drain: recorder.shed_in_drain,
        shed_in_breakdown: recorder.shed_in_breakdown,
        pauses: recorder.pauses,
        own: own.as_ref(),
        response: &whole.response,
        busiest_cpu: harvest.busiest_cpu,
        run_delay: learnt.and_then(|learnt| learnt.run_delay),
        unread: learnt.and_then(|l| l.receipts.as_ref()).map(|r| &r.unread),
        load_end: harvest.load_end,
        measured: harvest.measured(plan),
        panicked: harvest.panicked,
        broken: &harvest.broken,
    });
    if let Some(aborted) = aborted {
        verdict.add([(VerdictStatus::Degraded, format!("given up: {aborted}"))]);
    }
    verdict
}

/// The report of a record, and what it was made of.
pub(crate) fn assemble(of: RunRecord) -> Finished {
    let RunRecord { plan, environment, started_at, events, tags, verdict, harvest, .. } = of;
    let plan = &plan;
    let measured = harvest.measured(plan);
    let Harvest { mut recorder, kernel: learnt, load_end, finished, sessions, .. } = harvest;
    let sessions = sessions_report(plan, sessions, finished);
    let whole = whole(&recorder);
    let own = recorder.own().map(|own| own.bounded(whole.service.min()));
    let counts = counts(&whole);
    let run_delay = learnt.as_ref().and_then(|learnt| learnt.run_delay);
    let per_second = |n: u64| (measured > 0).then(|| n as f64 / as_seconds(measured));
    let populations = Population::ALL
        .into_iter()
        .filter_map(|p| {
            let report = population_report(plan, &of_population(&recorder, p)?);
            Some((p.name().to_owned(), report))
        })
        .collect();
    let loads = loads(plan, &recorder, measured);
    let mut timeline = timeline_report(&mut recorder);
    if let Some(learnt) = &learnt {
        kernel::into_windows(learnt, &mut timeline, recorder.timeline.window());
    }
    let report = Report {
        schema: SCHEMA.to_owned(),
        tool: Tool::this(),
        environment,
        started_at,
        duration_s: as_seconds(finished),
        measured_s: as_seconds(measured),
        interrupted: of.interrupted,
        aborted: of.aborted,
        calls_file: None,
        verdict,
        workers_lost: harvest.panicked + harvest.broken.len() as u32,
        counts,
        rates: Rates {
            offered_per_s: per_second(counts.offered),
            started_per_s: per_second(whole.tally.started_in_span),
            answered_per_s: per_second(whole.tally.answered_in_span),
        },
        response_time: latency(&whole.response, true),
        service_time: latency(&whole.service, true),
        lag: latency(&whole.lag, true),
        connect_time: Some(latency(&whole.connect, true)),
        tls: tls(plan, &recorder.tls, &whole),
        status: by_class(whole.status.iter()),
        status_codes: by_code(&whole.status),
        wrong: wrong_counts(&whole.wrong),
        response_time_wrong: whole.response_wrong.as_deref().map(|h| latency(h, true)),
        errors: error_counts(&whole.errors),
        connections_lost: by_name(&whole.lost),
        error_examples: error_examples(&recorder.bad_calls),
        bytes: Traffic { sent: recorder.bytes_sent, received: recorder.bytes_received },
        cpu: Cpu {
            user_s: as_seconds(harvest.cpu.0),
            system_s: as_seconds(harvest.cpu.1),
            run_delay_s: run_delay.map(|delay| as_seconds(delay.waited)),
        },
        populations,
        loads,
        tags: tags.iter().zip(&recorder.tags).map(|(tag, r)| tag_report(tag, r)).collect(),
        timeline,
        slow_calls: learnt.as_ref().map(kernel::slow_calls),
        kernel_timestamps: learnt.as_ref().and_then(kernel::timestamps),
        connected_to: Some(addresses::connected_to(&recorder.visits, harvest.lookups)),
        generator: Some(generator(recorder.pauses, own.as_ref(), &whole.response)),
        events,
        events_dropped: of.events_dropped,
        migration: None,
        sessions,
        shards: Vec::new(),
        shards_missing: Vec::new(),
        plan: plan.clone(),
    };
    let slow = learnt.map(|learnt| learnt.slow).unwrap_or_default();
    Finished {
        report,
        log: recorder.log,
        slow,
        connections: recorder.connections,
        dates: recorder.dates.samples,
        pauses: recorder.pause_log,
        load_end,
    }
}

/// What the generator had its part in.
fn generator(
    pauses: PauseRecord,
    own: Option<&OwnRecord>,
    response: &Histogram,
) -> GeneratorReport {
    let any = pauses.count > 0;
    GeneratorReport {
        pause_threshold_ms: as_millis(NOTABLE),
        pauses: pauses.count,
        paused_ms: as_millis(pauses.sum),
        longest_pause_ms: any.then(|| as_millis(pauses.longest)),
        longest_pause_at_s: any.then(|| as_seconds(pauses.at)),
        response_time_without: own
            .filter(|own| !own.as_measured.is_empty())
            .and_then(|own| own.taken_out_of(response))
            .map(|without| latency(&without, true)),
        calls_lost: own.map_or(0, |own| own.lost),
        shed: own.map_or(0, |own| own.shed),
        left_over: own.map_or(0, |own| own.left_over),
    }
}

/// The figures of sessions, if the plan has any.
fn sessions_report(
    plan: &Plan,
    record: Option<SessionRecord>,
    finished: Nanos,
) -> Option<SessionsReport> {
    let given = plan.sessions()?;
    let whole = record.unwrap_or_default();
    let sampling = given.sampling;
    let first = nanos(sampling.first_s);
    let warmup_end = nanos(plan.warmup_s);
    let by = |end: Nanos| end.checked_sub(first).map_or(0, |r| r / nanos(sampling.every_s) + 1);
    let samples = by(finished).saturating_sub(if warmup_end > 0 { by(warmup_end) } else { 0 });
    let duration = finished.saturating_sub(warmup_end);
    let samples = whole.samples().min(samples as usize);
    Some(whole.report(duration, samples, given.are_scripted()))
}

/// What TLS came to, if calls went over it.
fn tls(plan: &Plan, record: &TlsRecord, whole: &LoadRecord) -> Option<TlsReport> {
    if !plan.target.is_tls() {
        return None;
    }
    let main = record.main();
    let agreed = main.as_ref().map(|(agreed, _)| agreed);
    Some(TlsReport {
        version: agreed.map(|agreed| agreed.version.name().to_owned()),
        // The library's name for suites of 1.3 is its own.
        cipher: agreed.map(|agreed| agreed.suite.replacen("TLS13_", "TLS_", 1)),
        alpn: agreed.filter(|agreed| agreed.alpn).map(|_| "http/1.1".to_owned()),
        handshakes: record.handshakes,
        differing: record.handshakes - main.as_ref().map_or(0, |(_, count)| *count),
        resumed: record.resumed,
        handshake_time: latency(&whole.tls_handshake, true),
        first_failure: record.failure.clone(),
    })
}

/// The loads of a population as one; `None` if there is none.
fn of_population(recorder: &Recorder, population: Population) -> Option<LoadRecord> {
    let loads = recorder.loads().filter(|record| record.population == population);
    loads.cloned().reduce(|mut whole, record| {
        whole.merge(&record);
        whole
    })
}

/// All loads as one; its `response` holds all answered calls, whatever their status.
fn whole(recorder: &Recorder) -> LoadRecord {
    let mut whole = LoadRecord::new(Population::Established);
    recorder.loads().for_each(|record| whole.merge(record));
    let with_error_status = whole.response_error_status.clone();
    crate::record::add(&mut whole.response, &with_error_status);
    whole
}

fn counts(record: &LoadRecord) -> Counts {
    let tally = &record.tally;
    Counts {
        wrong: record.wrong.iter().sum(),
        offered: tally.offered,
        started: tally.started,
        answered: tally.answered,
        failed: tally.failed,
        shed: tally.shed,
        unfinished: tally.unfinished,
        censored: tally.timed_out + tally.shed + tally.unfinished,
        reconnects: tally.reconnects,
        queued: tally.queued,
        connections_opened: tally.opened,
    }
}

fn population_report(plan: &Plan, record: &LoadRecord) -> PopulationReport {
    let plain = |histogram: &Histogram| latency(histogram, true);
    PopulationReport {
        counts: counts(record),
        response_time: latency(&record.response, true),
        service_time: plain(&record.service),
        response_time_error_status: plain(&record.response_error_status),
        time_to_failure: plain(&record.time_to_failure),
        lag: plain(&record.lag),
        connect_time: Some(plain(&record.connect)),
        tls_handshake_time: plan.target.is_tls().then(|| plain(&record.tls_handshake)),
        errors: error_counts(&record.errors),
        connections_lost: by_name(&record.lost),
    }
}

fn tag_report(tag: &str, record: &TagRecord) -> TagReport {
    let TagRecord { answered, wrong, failed, unfinished, shed, timed_out, .. } = *record;
    let started = answered + failed + unfinished;
    TagReport {
        tag: tag.to_owned(),
        offered: started + shed,
        started,
        answered,
        wrong,
        failed,
        unfinished,
        shed,
        censored: timed_out + unfinished + shed,
        response_time: latency(&record.response, true),
        status: by_class(tag_status(&record.status)),
        errors: error_counts(&record.errors),
    }
}

/// The figures of each load, of a plan with several.
fn loads(plan: &Plan, recorder: &Recorder, measured: Nanos) -> Vec<LoadReport> {
    let per_second = |n: u64| (measured > 0).then(|| n as f64 / as_seconds(measured));
    let of_load = |((name, _), record): ((&str, _), &LoadRecord)| LoadReport {
        name: name.to_owned(),
        population: record.population,
        counts: counts(record),
        rates: Rates {
            offered_per_s: per_second(record.tally.offered),
            started_per_s: per_second(record.tally.started_in_span),
            answered_per_s: per_second(record.tally.answered_in_span),
        },
        response_time: latency(&record.response, true),
        service_time: latency(&record.service, true),
        response_time_error_status: latency(&record.response_error_status, true),
        response_time_wrong: record.response_wrong.as_deref().map(|h| latency(h, true)),
        time_to_failure: latency(&record.time_to_failure, true),
        lag: latency(&record.lag, true),
        status_codes: by_code(&record.status),
        wrong: wrong_counts(&record.wrong),
        errors: error_counts(&record.errors),
        connections_lost: by_name(&record.lost),
    };
    let several = recorder.loads().len() > 1;
    let all = plan.named_loads().zip(recorder.loads()).filter(|_| several);
    all.map(of_load).collect()
}

/// Failed calls by class, without the classes that did not occur.
pub(crate) fn error_counts(
    errors: &[[u64; Cause::ALL.len()]; Phase::ALL.len()],
) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for phase in Phase::ALL {
        for cause in Cause::ALL {
            let n = errors[phase as usize][cause as usize];
            if n > 0 {
                counts.insert(crate::Failure::new(phase, cause).class(), n);
            }
        }
    }
    counts
}

/// Wrong replies by the first thing that was wrong, without what did not occur.
fn wrong_counts(wrong: &[u64; Miss::ALL.len()]) -> BTreeMap<String, u64> {
    let all = Miss::ALL.into_iter().zip(wrong).filter(|(_, n)| **n > 0);
    all.map(|(miss, n)| (miss.name().to_owned(), *n)).collect()
}

/// What stands in place of a status that is none.
const OTHER: &str = "other";

/// Replies by class of status.
fn by_class(statuses: impl Iterator<Item = (Option<u16>, u64)>) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for (status, n) in statuses {
        let class = status.map_or_else(|| OTHER.to_owned(), |code| format!("{}xx", code / 100));
        *counts.entry(class).or_default() += n;
    }
    counts
}

/// Replies by status.
fn by_code(statuses: &Statuses) -> BTreeMap<String, u64> {
    let name = |status: Option<u16>| status.map_or_else(|| OTHER.to_owned(), |s| s.to_string());
    statuses.iter().map(|(status, n)| (name(status), n)).collect()
}

/// Those of a tag, which keeps classes only.
fn tag_status(status: &[u64; 6]) -> impl Iterator<Item = (Option<u16>, u64)> {
    let class = |(hundreds, n): (u16, &u64)| ((hundreds > 0).then_some(hundreds * 100), *n);
    (0..).zip(status).filter(|(_, n)| **n > 0).map(class)
}

/// The first failure of each class, and the first reply that the program rejected.
fn error_examples(bad: &BadCalls) -> Vec<ErrorExample> {
    let rejected = bad.rejected.as_ref().map(|(at, why)| ErrorExample {
        class: format!("wrong-{}", Miss::Check.name()),
        at_s: as_seconds(*at),
        errno: None,
        message: Some(why.clone()),
    });
    let mut examples: Vec<_> = bad.examples.iter().map(example).chain(rejected).collect();
    // Of several workers they came in any order.
    examples.sort_by(|one, other| one.at_s.total_cmp(&other.at_s));
    examples
}

fn example(&(failure, at): &(crate::Failure, Nanos)) -> ErrorExample {
    let errno = (failure.errno != 0).then_some(failure.errno);
    ErrorExample {
        class: failure.class(),
        at_s: as_seconds(at),
        errno,
        message: errno.map(|errno| io::Error::from_raw_os_error(errno).to_string()),
    }
}

fn timeline_report(recorder: &mut Recorder) -> TimelineReport {
    let timeline = &mut recorder.timeline;
    let (step_ms, window_ms) = (as_millis(timeline.step()), as_millis(timeline.window()));
    let steps = timeline.steps();
    let column = |pick: fn(&crate::record::Counters) -> u32| steps.iter().map(pick).collect();
    let counters = TimelineCounters {
        step_ms,
        offered: column(|c| c.offered),
        answered: column(|c| c.answered),
        failed: column(|c| c.failed),
    };
    TimelineReport {
        window_ms,
        windows: windows(timeline),
        counters,
        failed_calls: recorder.bad_calls.kept.iter().map(failed_call).collect(),
        failed_calls_total: recorder.bad_calls.total,
    }
}

fn windows(timeline: &mut Timeline) -> Vec<WindowReport> {
    let window_ns = timeline.window();
    let mut windows: Vec<WindowReport> = timeline
        .steps()
        .chunks(STEPS_PER_WINDOW as usize)
        .zip(0_u64..)
        .map(|(steps, i)| {
            let mut window =
                WindowReport { start_s: as_seconds(i * window_ns), ..WindowReport::default() };
            for step in steps {
                window.offered += u64::from(step.offered);
                window.started += u64::from(step.started);
                window.answered += u64::from(step.answered);
                window.failed += u64::from(step.failed);
                window.shed += u64::from(step.shed);
                window.bytes_sent += step.bytes_sent;
                window.bytes_received += step.bytes_received;
            }
            window
        })
        .collect();
    for population in Population::ALL {
        for (i, latencies) in timeline.windows(population).iter().enumerate() {
            if let (Some(window), true) = (windows.get_mut(i), latencies.count() > 0) {
                let figures = PopulationWindow::of(latencies);
                window.populations.insert(population.name().to_owned(), figures);
            }
        }
    }
    windows
}

fn failed_call(call: &CallRecord) -> FailedCall {
    FailedCall {
        at_s: as_seconds(call.intended),
        waited_s: as_seconds(call.done.saturating_sub(call.intended)),
        population: call.population.name().to_owned(),
        class: match call.outcome {
            Outcome::Failed(failure) => failure.class(),
            Outcome::Shed => "shed".to_owned(),
            Outcome::Unfinished => "unfinished".to_owned(),
            Outcome::Wrong(_, miss) => format!("wrong-{}", miss.name()),
            Outcome::Answered(status) | Outcome::AsExpected(status) => format!("status-{status}"),
        },
    }
}
