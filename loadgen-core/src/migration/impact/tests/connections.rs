//! Connections that were lost in the move.

use super::*;
use crate::report::LostConnections;

fn end(opened: Nanos, alive: Nanos, ended: Nanos, loss: Option<Cause>) -> ConnectionEnd {
    ConnectionEnd {
        opened,
        alive,
        ended,
        load: 0,
        population: Population::Established,
        loss,
        again: u32::from(loss.is_some()),
    }
}

fn lost(ends: Vec<ConnectionEnd>) -> LostConnections {
    let mut run = Run::new();
    run.connections = Some(ends);
    run.impact().migration.connections_lost.established.unwrap()
}

#[test]
fn all_connections_reset_by_the_move() {
    // Found dead one after the other as they are used, most of them after the recovery
    // (5.605 s): the last sign of life of each was before the move.
    let ends = (0..64).map(|k| end(0, 4_900 * MS, (5_310 + 10 * k) * MS, Some(Cause::Reset)));
    let lost = lost(ends.collect());
    assert_eq!((lost.count, lost.of, lost.opened_since), (64, Some(64), 0));
    assert_eq!((lost.calls_sent_again, lost.is_lower_bound), (64, false));
    assert_eq!(lost.causes.into_iter().collect::<Vec<_>>(), [("reset".to_owned(), 64)]);
}

#[test]
fn only_what_can_have_died_in_the_span_counts() {
    let lost = lost(vec![
        // Still open, planned, and closed before the firing (4 s).
        end(0, 9_000 * MS, Nanos::MAX, None),
        end(0, 5_000 * MS, 5_000 * MS, None),
        end(0, 3_000 * MS, 3_000 * MS, Some(Cause::ClosedEarly)),
        // In the span: by three causes, two of which are one to a user.
        end(0, 5_000 * MS, 5_100 * MS, Some(Cause::Timeout)),
        end(0, 5_000 * MS, 5_100 * MS, Some(Cause::Deadline)),
        end(0, 5_100 * MS, 5_100 * MS, Some(Cause::ClosedEarly)),
        // Opened after the firing.
        end(4_500 * MS, 5_000 * MS, 5_100 * MS, Some(Cause::Reset)),
        // Alive after the recovery: an idle connection closed by the server.
        end(0, 8_000 * MS, 8_000 * MS, Some(Cause::ClosedEarly)),
    ]);
    assert_eq!((lost.count, lost.of, lost.opened_since), (3, Some(6), 1));
    let expected = [("closed".to_owned(), 1), ("timed_out".to_owned(), 2)];
    assert_eq!(lost.causes.into_iter().collect::<Vec<_>>(), expected);
    assert_eq!(lost.calls_sent_again, 4);
}

#[test]
fn what_was_not_kept_is_not_known() {
    let lost = Run::new().impact().migration.connections_lost;
    assert_eq!((lost.established, lost.fresh), (None, None));
}
