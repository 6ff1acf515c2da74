//! Calls start on an even grid, on the connection that has rested longest.

use std::num::NonZero;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, Event};
use rustix::thread::set_current_timer_slack;

use super::Setup;

/// Calls, and how long they took. Sleeps until `before` a start.
pub(super) fn run(setup: &mut Setup, rate: u32, before: Duration) -> Result<(u64, Duration)> {
    set_current_timer_slack(NonZero::new(1))?;
    let calls = (setup.run.as_secs_f64() * f64::from(rate)) as u64;
    let mut events: Vec<Event> = Vec::with_capacity(setup.connections.len());
    let began = Instant::now();
    let mut started = 0;
    let mut whole = 0;
    while whole < calls {
        let due = began + Duration::from_secs_f64(started as f64 / f64::from(rate));
        let left = due.saturating_duration_since(Instant::now());
        if started < calls && left.is_zero() {
            let index = started as usize % setup.connections.len();
            ensure!(!setup.connections[index].waits, "the server does not keep up");
            setup.send(index)?;
            started += 1;
            continue;
        }
        let sleep = if started < calls { left.saturating_sub(before) } else { setup.run };
        events.clear();
        let timeout = Timespec::try_from(sleep)?;
        epoll::wait(&setup.poll, spare_capacity(&mut events), Some(&timeout))?;
        ensure!(started < calls || !events.is_empty(), "replies are missing");
        for event in &events {
            whole += u64::from(setup.receive(event.data.u64() as usize)?);
        }
    }
    Ok((calls, began.elapsed()))
}
