//! The figures of sessions, from what the workers counted.

use super::model_sessions::{
    ConnectionFigures, ReplyFigures, RequestFigures, SessionOutcomes, SessionsReport,
};
use crate::clock::{Nanos, as_seconds};
use crate::record::SessionRecord;

impl SessionRecord {
    /// The figures of a run of this length. Samples taken after its end, by a
    /// worker that waited for others, are none.
    pub(crate) fn report(
        mut self,
        duration: Nanos,
        samples: usize,
        scripted: bool,
    ) -> SessionsReport {
        self.reply_rates.truncate(samples);
        self.session_rates.truncate(samples);
        let by_status = (0..).zip(&self.statuses).filter(|(_, n)| **n > 0);
        let bins = (0..).zip(&self.lifetimes).filter(|(_, n)| **n > 0);
        SessionsReport {
            test_duration_s: as_seconds(duration),
            connections: ConnectionFigures {
                attempted: self.attempted,
                connected: self.connect.count,
                connect_mean_ms: self.connect.mean_ms(),
                with_reply: self.lifetime_ms.count,
                lifetime_ms: self.lifetime_ms.moments(),
                lifetime_histogram: bins.map(|(bin, n)| (bin, u64::from(*n))).collect(),
                concurrent: self.concurrent,
                connect_burst: self.burst.1,
            },
            requests: RequestFigures { sent: self.sent, bytes: self.request_bytes },
            replies: ReplyFigures {
                completed: self.transfer.count,
                begun: self.response.count,
                response_mean_ms: self.response.mean_ms(),
                transfer_mean_ms: self.transfer.mean_ms(),
                header_bytes: self.sizes.header,
                content_bytes: self.sizes.content,
                footer_bytes: self.sizes.footer,
                by_class: self.by_class,
                by_status: by_status.map(|(status, n)| (status, *n)).collect(),
            },
            failures: self.failures,
            tls_failure: self.tls_failure,
            arrivals_shed: self.arrivals_shed,
            reply_rate_samples: self.reply_rates,
            session_rate_samples: self.session_rates,
            outcomes: scripted.then(|| SessionOutcomes {
                succeeded: self.lifetime.count,
                failed: self.failtime.count,
                connections_of_succeeded: self.connections_of_succeeded,
                lifetime_mean_s: self.lifetime.mean_s(),
                failtime_mean_s: self.failtime.mean_s(),
                by_replies: self.by_replies,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::MILLISECOND;
    use crate::protocol::ReplySizes;

    #[test]
    fn the_last_round_is_no_burst() {
        let mut record = SessionRecord::default();
        for connects in [2, 0, 3, 1] {
            record.round();
            (0..connects).for_each(|_| record.attempted());
        }
        assert_eq!(record.report(1, 0, false).connections.connect_burst, 3);
    }

    #[test]
    fn workers_add_up() {
        let of = |status, life_ms: u64| {
            let mut record = SessionRecord::default();
            record.opening();
            record.attempted();
            record.reply_complete(status, 5, ReplySizes { header: 10, content: 1, footer: 2 });
            record.closed(life_ms * MILLISECOND, 1);
            record.sample(10.0, 0.0);
            record
        };
        let mut whole = of(200, 3);
        whole.merge(&of(404, 100));
        whole.sample(7.0, 0.0);
        let report = whole.report(1_000_000_000, 1, false);
        assert_eq!(report.connections.attempted, 2);
        assert_eq!(report.connections.lifetime_histogram, [(3, 1), (100, 1)]);
        assert_eq!(report.replies.by_class, [0, 1, 0, 1, 0]);
        assert_eq!(report.replies.by_status, [(200, 1), (404, 1)].into());
        assert_eq!(report.reply_rate_samples, [20.0]);
        assert_eq!(report.replies.footer_bytes, 4);
    }
}
