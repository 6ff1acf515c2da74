//! What a run of a plan may have open at once.

use crate::net::limits::SPARE_DESCRIPTORS;
use crate::plan::{CloseMode, Plan};

/// Connections that a plan's loads may have open, and the descriptors that a run of it needs. Sessions
/// without a limit of their own have as many as they can get, and count as none.
pub(crate) fn descriptors(plan: &Plan) -> (u64, u64) {
    // Every worker has an epoll instance, and the first of several shards may hear all others.
    let is_first = plan.shard().is_none_or(|shard| shard.index() == 0);
    let others = if is_first { plan.shards() - 1 } else { 0 };
    let own = u64::from(plan.threads) + u64::from(others) + SPARE_DESCRIPTORS;
    if let Some(sessions) = plan.sessions() {
        let connections = u64::from(sessions.open_connections.unwrap_or(0));
        return (connections, connections + own);
    }
    let sum = |count: fn(&crate::Load) -> u32| -> u64 {
        plan.loads().map(|load| u64::from(count(load).div_ceil(plan.shards()))).sum()
    };
    let connections = sum(|load| load.connections);
    // Connections that wait for the server to close come on top.
    let closing = sum(|s| match s.close {
        CloseMode::Server if s.calls_per_connection > 0 => s.connections,
        _ => 0,
    });
    (connections, connections + closing + own)
}
