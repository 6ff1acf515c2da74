//! A call, as long as it is under way.

use crate::clock::Nanos;
use crate::engine::workload::requests::RequestId;
use crate::record::causes::Connecting;
use crate::record::{CallRecord, LoadId, Outcome};

/// The call that a connection carries.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Call {
    pub(crate) intended: Nanos,
    /// First byte sent, or, before that, start of connecting.
    pub(crate) sent: Nanos,
    pub(crate) expires: Nanos,
    /// Bytes received for it.
    pub(crate) received: u64,
    /// Bytes of the request that the socket has taken.
    pub(crate) written: u32,
    /// Its lag, in units of [`LATE_UNIT`], rounded up; 0 in a closed loop, and where it
    /// waited for a connection.
    pub(crate) late: u32,
    pub(crate) connecting: Connecting,
    pub(crate) request: RequestId,
    /// Its connection had been open before it.
    pub(crate) reused: bool,
    /// It has been sent before, on a connection that was found closed.
    pub(crate) retried: bool,
    /// It waited for a connection.
    pub(crate) queued: bool,
    /// It has failed for want of time; its reply is still to be read, since others
    /// are behind it.
    pub(crate) given_up: bool,
}

/// Unit of [`Call::late`] in ns: about a µs, and a shift.
const LATE_UNIT: Nanos = 1024;

impl Call {
    /// The call of an arrival that is taken up with this lag.
    #[inline]
    pub(crate) fn arriving(intended: Nanos, lag: Nanos, request: RequestId) -> Self {
        let late = u32::try_from(lag.div_ceil(LATE_UNIT)).unwrap_or(u32::MAX);
        Self { intended, late, request, ..Self::default() }
    }

    /// How late it was taken up.
    #[inline]
    pub(crate) fn lag(&self) -> Nanos {
        Nanos::from(self.late) * LATE_UNIT
    }

    /// What is recorded of it when it ends.
    #[inline]
    pub(crate) fn record(
        &self,
        load: LoadId,
        tag: u8,
        outcome: Outcome,
        done: Nanos,
    ) -> CallRecord {
        CallRecord {
            intended: self.intended,
            sent: self.sent,
            done,
            bytes: self.received,
            outcome,
            load: load.number,
            population: load.population,
            tag,
            reused: self.reused,
            retried: self.retried,
            queued: self.queued,
        }
    }
}
