//! Replies that only a program can judge: each is to say its own length in a header, and to
//! come with a body of an even number of bytes. Against the built-in server, or the URL that is
//! given.
//!
//! ```sh
//! cargo run --release -p loadgen-core --example checked_replies [URL]
//! ```
#![allow(clippy::print_stdout, reason = "its result")]

use std::time::Duration;

use loadgen_core::target_server::{TargetOptions, TargetServer};
use loadgen_core::{Check, Engine, Load, Plan, Rejected, Reply, Schedule};

/// Each worker has one of its own.
#[derive(Default)]
struct Lengths {
    looked_at: u64,
}

impl Check for Lengths {
    fn check(&mut self, reply: &Reply<'_>) -> Result<(), Rejected> {
        self.looked_at += 1;
        let length = reply.header("content-length").ok_or("no length is told")?;
        let length = std::str::from_utf8(length).ok().and_then(|text| text.parse::<u64>().ok());
        match length {
            Some(length) if length != reply.body_size() => Err("another length is told".into()),
            Some(length) if length % 2 == 0 => Ok(()),
            _ => Err(format!("reply {} is odd: {length:?} bytes", self.looked_at).into()),
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = TargetServer::bind(TargetOptions::new())?.spawn()?;
    let url = std::env::args().nth(1).unwrap_or_else(|| server.url());
    let plan = Plan::new(url.parse()?, Load::established(Schedule::constant(500.0)))
        .with_check("even lengths", |_worker| Lengths::default())
        .with_duration(Duration::from_secs(2));
    let report = Engine::new(plan)?.run()?;
    println!("{} answered, {} of them wrong", report.counts.answered, report.counts.wrong);
    for example in &report.error_examples {
        println!("{}: {:?}", example.class, example.message);
    }
    Ok(())
}
