//! Each connection sends its next request when its last reply is whole.

use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, Event};

use super::Setup;

/// Calls, and how long they took.
pub(super) fn run(setup: &mut Setup) -> Result<(u64, Duration)> {
    let began = Instant::now();
    let end = began + setup.run;
    for index in 0..setup.connections.len() {
        setup.send(index)?;
    }
    let mut calls = 0;
    let mut events: Vec<Event> = Vec::with_capacity(setup.connections.len());
    loop {
        events.clear();
        epoll::wait(&setup.poll, spare_capacity(&mut events), None)?;
        for event in &events {
            let index = event.data.u64() as usize;
            if setup.receive(index)? {
                calls += 1;
                setup.send(index)?;
            }
        }
        if Instant::now() >= end {
            return Ok((calls, began.elapsed()));
        }
    }
}
