//! The kernel's view in the report.

use crate::clock::{Nanos, as_millis, as_seconds};
use crate::net::tcp_info::TcpInfo;
use crate::record::causes::{SLOW_AFTER, SlowCause};
use crate::record::kernel::{Cell, KernelRecord, SlowExample};
use crate::report::{
    self, ConnectionSample, KernelTimestamps, KernelWindow, SlowCalls, TimelineReport, latency,
};

/// Why calls were slow.
pub(super) fn slow_calls(record: &KernelRecord) -> SlowCalls {
    let causes = SlowCause::ALL.into_iter().filter_map(|cause| {
        let i = cause as usize;
        let found = report::SlowCause {
            calls: record.calls[i],
            time_s: as_seconds(record.time[i]),
            slowest: record.examples[i].as_ref().map(slow_call),
        };
        (record.time[i] > 0).then(|| (cause.name().to_owned(), found))
    });
    SlowCalls {
        threshold_ms: as_millis(SLOW_AFTER),
        count: record.count,
        sampled: record.sampled,
        causes: causes.collect(),
    }
}

/// What timestamps told, if they were asked for.
pub(super) fn timestamps(record: &KernelRecord) -> Option<KernelTimestamps> {
    let receipts = record.receipts.as_ref()?;
    Some(KernelTimestamps {
        receive_delay: latency(&receipts.unread, true),
        service_time_to_receipt: latency(&receipts.service, true),
        missing: receipts.missing,
    })
}

fn slow_call(example: &SlowExample) -> report::SlowCall {
    let parts = SlowCause::ALL.into_iter().filter_map(|cause| {
        let time = example.parts.get(cause);
        (time > 0).then(|| (cause.name().to_owned(), as_millis(time)))
    });
    report::SlowCall {
        at_s: as_seconds(example.intended),
        took_ms: as_millis(example.took),
        population: example.population.name().to_owned(),
        parts_ms: parts.collect(),
        connection: example.sample.as_ref().map(connection),
    }
}

fn connection(info: &TcpInfo) -> ConnectionSample {
    let measured = info.rtt_us > 0;
    ConnectionSample {
        rtt_us: measured.then_some(f64::from(info.rtt_us)),
        rtt_deviation_us: measured.then_some(f64::from(info.rtt_var_us)),
        rto_ms: f64::from(info.rto_us) / 1e3,
        total_retransmits: info.total_retransmits,
        retransmits: u32::from(info.retransmits),
        backoff: u32::from(info.backoff),
        unacknowledged: info.unacknowledged,
        lost: info.lost,
    }
}

/// Puts samples and slow calls into the windows of the timeline.
pub(super) fn into_windows(record: &KernelRecord, timeline: &mut TimelineReport, width: Nanos) {
    let cells = record.windows(width, timeline.windows.len());
    for (window, cell) in timeline.windows.iter_mut().zip(cells) {
        window.kernel = (cell.samples > 0 || cell.run_delay.is_some()).then(|| in_window(&cell));
        let slow = SlowCause::ALL.into_iter().map(|cause| (cause, cell.slow[cause as usize]));
        let slow = slow.filter(|(_, calls)| *calls > 0);
        window.slow_calls =
            slow.map(|(cause, calls)| (cause.name().to_owned(), calls.into())).collect();
    }
}

fn in_window(cell: &Cell) -> KernelWindow {
    let known = cell.rtts > 0;
    KernelWindow {
        samples: u64::from(cell.samples),
        retransmitting: u64::from(cell.retransmitting),
        rtt_samples: u64::from(cell.rtts),
        rtt_mean_us: known.then(|| cell.rtt_us_sum as f64 / f64::from(cell.rtts)),
        rtt_max_us: known.then(|| f64::from(cell.rtt_us_max)),
        rto_max_ms: (cell.samples > 0).then(|| f64::from(cell.rto_us_max) / 1e3),
        run_delay_ms: cell.run_delay.map(as_millis),
    }
}
