//! The course of a run: windows and steps of equal times are added. Where one is twice as
//! coarse as the other, since its run was so long, the other is made as coarse first.

use super::super::{
    FailedCall, KernelWindow, PopulationWindow, TimelineCounters, TimelineReport, WindowReport,
};
use super::distributions::NoHistogram;
use super::sums::add_each;
use crate::record::{MOST_BAD_CALLS, Window};

pub(super) fn add(
    mine: &mut TimelineReport,
    mut theirs: TimelineReport,
) -> Result<(), NoHistogram> {
    let lacks = |window: &PopulationWindow| {
        as_recorded(window).is_none_or(|recorded| recorded.count() != window.count)
    };
    for (of, is_of_part) in [(&*mine, false), (&theirs, true)] {
        if of.windows.iter().any(|window| window.populations.values().any(lacks)) {
            return Err(NoHistogram { field: "timeline.windows", is_of_part });
        }
    }
    while mine.window_ms < theirs.window_ms {
        coarsen(mine);
    }
    while theirs.window_ms < mine.window_ms {
        coarsen(&mut theirs);
    }
    let more = theirs.windows.split_off(mine.windows.len().min(theirs.windows.len()));
    for (mine, theirs) in mine.windows.iter_mut().zip(&theirs.windows) {
        add_window(mine, theirs);
    }
    mine.windows.extend(more);
    let TimelineCounters { offered, answered, failed, .. } = &theirs.counters;
    add_steps(&mut mine.counters.offered, offered);
    add_steps(&mut mine.counters.answered, answered);
    add_steps(&mut mine.counters.failed, failed);
    mine.failed_calls.append(&mut theirs.failed_calls);
    let end = |call: &FailedCall| call.at_s + call.waited_s;
    mine.failed_calls.sort_by(|one, other| end(one).total_cmp(&end(other)));
    mine.failed_calls.truncate(MOST_BAD_CALLS);
    mine.failed_calls_total += theirs.failed_calls_total;
    Ok(())
}

/// Tells the quantiles of what was added, and leaves out what was needed to add it.
pub(super) fn finish(timeline: &mut TimelineReport) {
    for window in &mut timeline.windows {
        for population in window.populations.values_mut() {
            if let Some(recorded) = as_recorded(population) {
                *population = PopulationWindow::of(&recorded);
            }
        }
    }
}

/// What a window was made of.
fn as_recorded(window: &PopulationWindow) -> Option<Window> {
    let max_us = window.max_us.unwrap_or(0.0);
    Window::of(&window.buckets, (max_us * 1e3).round() as u64)
}

fn add_window(mine: &mut WindowReport, theirs: &WindowReport) {
    for (mine, theirs) in [
        (&mut mine.offered, theirs.offered),
        (&mut mine.started, theirs.started),
        (&mut mine.answered, theirs.answered),
        (&mut mine.failed, theirs.failed),
        (&mut mine.shed, theirs.shed),
        (&mut mine.bytes_sent, theirs.bytes_sent),
        (&mut mine.bytes_received, theirs.bytes_received),
    ] {
        *mine = mine.saturating_add(theirs);
    }
    for (name, theirs) in &theirs.populations {
        let mine = mine.populations.entry(name.clone()).or_default();
        if let (Some(mut sum), Some(added)) = (as_recorded(mine), as_recorded(theirs)) {
            sum.merge(&added);
            *mine = PopulationWindow::with_buckets(&sum);
        }
    }
    add_each(&mut mine.slow_calls, &theirs.slow_calls);
    if let Some(theirs) = theirs.kernel {
        mine.kernel = Some(mine.kernel.map_or(theirs, |mine| both(mine, theirs)));
    }
}

fn both(mine: KernelWindow, theirs: KernelWindow) -> KernelWindow {
    let most = |one: Option<f64>, other: Option<f64>| match (one, other) {
        (Some(one), Some(other)) => Some(one.max(other)),
        (one, other) => one.or(other),
    };
    let sum = |of: KernelWindow| of.rtt_mean_us.map_or(0.0, |mean| mean * of.rtt_samples as f64);
    let rtt_samples = mine.rtt_samples + theirs.rtt_samples;
    KernelWindow {
        samples: mine.samples + theirs.samples,
        retransmitting: mine.retransmitting + theirs.retransmitting,
        rtt_samples,
        rtt_mean_us: (rtt_samples > 0).then(|| (sum(mine) + sum(theirs)) / rtt_samples as f64),
        rtt_max_us: most(mine.rtt_max_us, theirs.rtt_max_us),
        rto_max_ms: most(mine.rto_max_ms, theirs.rto_max_ms),
        run_delay_ms: match (mine.run_delay_ms, theirs.run_delay_ms) {
            (Some(mine), Some(theirs)) => Some(mine + theirs),
            (mine, theirs) => mine.or(theirs),
        },
    }
}

fn add_steps(mine: &mut Vec<u32>, theirs: &[u32]) {
    if mine.len() < theirs.len() {
        mine.resize(theirs.len(), 0);
    }
    mine.iter_mut().zip(theirs).for_each(|(mine, theirs)| *mine = mine.saturating_add(*theirs));
}

/// Makes windows and steps twice as long.
fn coarsen(timeline: &mut TimelineReport) {
    timeline.window_ms *= 2.0;
    let windows = std::mem::take(&mut timeline.windows);
    let mut windows = windows.into_iter();
    while let Some(mut window) = windows.next() {
        if let Some(second) = windows.next() {
            add_window(&mut window, &second);
        }
        timeline.windows.push(window);
    }
    let counters = &mut timeline.counters;
    counters.step_ms *= 2.0;
    for steps in [&mut counters.offered, &mut counters.answered, &mut counters.failed] {
        *steps = steps.chunks(2).map(|pair| pair.iter().sum()).collect();
    }
}
