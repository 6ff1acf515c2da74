//! Each connection sends its next request when its last reply is whole.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, Event};

use super::{Args, Setup};

/// Calls of all threads, and how long the longest of them took.
pub(super) fn run_threads(args: &Args) -> Result<(u64, Duration)> {
    thread::scope(|scope| {
        // Each opens its connections itself, on the core where it runs.
        let threads: Vec<_> =
            (0..args.threads).map(|_| scope.spawn(|| run(&mut Setup::new(args)?))).collect();
        let mut sum = (0, Duration::ZERO);
        for thread in threads {
            let (calls, took) = thread.join().ok().context("a thread panicked")??;
            sum = (sum.0 + calls, took.max(sum.1));
        }
        Ok(sum)
    })
}

fn run(setup: &mut Setup) -> Result<(u64, Duration)> {
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
