//! A worker's questions to the kernel: why a call was slow, how a few of its
//! connections fare, and how long it had to wait for a CPU itself.
//!
//! Nothing of it is on the way of a call that is not slow. What is asked is
//! bounded: a budget for slow calls, [`SAMPLES`] connections ten times a second.

use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::FileExt;

use super::connection::{Connection, State};
use crate::clock::{MILLISECOND, Nanos};
use crate::net::stamps::Stamps;
use crate::net::tcp_info::TcpInfo;
use crate::record::CallRecord;
use crate::record::causes::{Evidence, SLOW_AFTER};
use crate::record::kernel::{KernelRecord, Turns};

/// Slow calls whose connections are looked at in a row, and how many more in each
/// tenth of a second: at about a µs each, a few ms at the end of an outage.
pub(super) const BUDGET: u32 = 4096;
pub(super) const BUDGET_BACK: u32 = 200;

/// Connections looked at each time, and slots of the slab looked through for them.
pub(super) const SAMPLES: u32 = 8;
pub(super) const LOOK_THROUGH: u32 = 32;

/// Lateness from which it is kept for an arrival that has to wait.
const LATE: Nanos = 10 * MILLISECOND;

/// Arrivals whose lateness is kept, for each load.
const LATE_KEPT: usize = 128 * 1024;

/// What a worker keeps for its questions.
pub(super) struct KernelView {
    pub(super) record: KernelRecord,
    /// Only if the plan asks for the kernel's timestamps.
    pub(super) stamps: Option<Stamps>,
    /// A call that took longer is looked into; 0 when each one is to be.
    pub(super) look_after: Nanos,
    pub(super) budget: u32,
    /// Where the walk through the slab goes on.
    pub(super) cursor: u32,
    /// Arrivals that were taken up late and then had to wait for a connection, by
    /// load: intended start and lateness, in order.
    late: [VecDeque<(Nanos, Nanos)>; 2],
    /// `/proc/thread-self/schedstat`, open; `None` where the kernel has none.
    schedstat: Option<File>,
    waited_before: Turns,
}

impl KernelView {
    pub(super) fn new(warmup_end: Nanos, with_stamps: bool) -> Self {
        Self {
            record: KernelRecord::new(warmup_end, with_stamps),
            stamps: with_stamps.then(Stamps::default),
            look_after: if with_stamps { 0 } else { SLOW_AFTER + 1 },
            budget: BUDGET,
            cursor: 0,
            late: [VecDeque::new(), VecDeque::new()],
            schedstat: None,
            waited_before: Turns::default(),
        }
    }

    /// Begins to watch the calling thread.
    pub(super) fn begin(&mut self) {
        self.schedstat = File::open("/proc/thread-self/schedstat").ok();
        self.waited_before = self.run_delay().unwrap_or_default();
    }

    fn run_delay(&self) -> Option<Turns> {
        let mut text = [0; 96];
        let len = self.schedstat.as_ref()?.read_at(&mut text, 0).ok()?;
        parse_schedstat(std::str::from_utf8(&text[..len]).ok()?)
    }

    /// What the thread waited for a CPU since the last time.
    pub(super) fn look_at_thread(&mut self, now: Nanos) {
        let Some(all) = self.run_delay() else { return };
        let before = std::mem::replace(&mut self.waited_before, all);
        let since = Turns {
            waited: all.waited.saturating_sub(before.waited),
            turns: all.turns.saturating_sub(before.turns),
        };
        self.record.waited(now, since);
    }

    /// An arrival of load `s` has to wait for a connection.
    pub(super) fn queued(&mut self, s: usize, intended: Nanos, lag: Option<Nanos>) {
        if let (Some(lag), Some(late)) = (lag.filter(|lag| *lag > LATE), self.late.get_mut(s)) {
            if late.len() == LATE_KEPT {
                late.pop_front();
            }
            late.push_back((intended, lag));
        }
    }

    fn taken_up_late(&self, s: usize, call: &CallRecord) -> Nanos {
        let Some(late) = self.late.get(s).filter(|_| call.queued) else { return 0 };
        late.binary_search_by_key(&call.intended, |(intended, _)| *intended)
            .map_or(0, |i| late[i].1)
    }

    /// A call of load `s` that took long, or any if there are timestamps, over `connection` if it had one.
    pub(super) fn look_into<P>(
        &mut self,
        s: usize,
        call: &CallRecord,
        connection: Option<&Connection<P>>,
        request_bytes: usize,
    ) {
        let read_late = self.stamps.as_ref().and_then(|stamps| unread(stamps, call));
        self.record.received(call, read_late);
        if call.done.saturating_sub(call.intended) <= SLOW_AFTER {
            return;
        }
        let transport = connection.and_then(|c| c.transport.as_ref()).filter(|_| self.budget > 0);
        self.budget -= u32::from(transport.is_some());
        let evidence = Evidence {
            connecting: connection.map(|c| c.call.connecting).unwrap_or_default(),
            unconnected: connection.is_none_or(|c| c.state == State::Connecting),
            resolving: connection.is_some_and(Connection::is_waiting_for_lookup),
            unsecured: connection.is_some_and(|c| c.state == State::Securing),
            taken_up_late: self.taken_up_late(s, call),
            request_bytes: request_bytes as u64,
            read_late,
            sample: transport.and_then(|transport| TcpInfo::of_ended(transport.fd())),
        };
        self.record.slow(call, &evidence);
    }
}

/// How long the last bytes of a reply that has just been read lay unread.
fn unread(stamps: &Stamps, call: &CallRecord) -> Option<Nanos> {
    let unread = stamps.last().0?;
    let answered = call.outcome.is_answered();
    // Longer than the call: the clock was set.
    (answered && unread <= call.done.saturating_sub(call.sent)).then_some(unread)
}

/// The second and third number of `/proc/PID/schedstat`.
fn parse_schedstat(text: &str) -> Option<Turns> {
    let mut numbers = text.split_ascii_whitespace().skip(1).map(|number| number.parse().ok());
    Some(Turns { waited: numbers.next()??, turns: numbers.next()?? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_line_is_read() {
        let found = parse_schedstat("15264 79388 12\n");
        assert_eq!(found, Some(Turns { waited: 79_388, turns: 12 }));
        assert_eq!(parse_schedstat(""), None);
        assert_eq!(parse_schedstat("0 0"), None);
    }

    #[test]
    fn a_thread_tells_of_its_waits() {
        let mut view = KernelView::new(0, false);
        view.begin();
        if view.schedstat.is_none() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
        view.look_at_thread(0);
        assert!(view.record.run_delay.is_some_and(|delay| delay.looks == 1));
    }
}
