//! Requests that no list can hold: each asks for a key that is drawn by a law of one's own (a
//! few are asked for most of the time), and writes it now and then. Against the built-in server,
//! or the URL that is given.
//!
//! ```sh
//! cargo run --release -p loadgen-core --example own_requests [URL]
//! ```
#![allow(clippy::print_stdout, reason = "its result")]

use std::time::Duration;

use loadgen_core::target_server::{TargetOptions, TargetServer};
use loadgen_core::{
    Arrival, Engine, Load, Plan, RequestBuf, RequestList, RequestSource, Schedule, SourceError,
    Target,
};

/// Each worker has one of its own, with a sequence of its own.
struct Keys {
    state: u64,
}

impl RequestSource for Keys {
    fn next(&mut self, arrival: Arrival, out: &mut RequestBuf) -> Result<(), SourceError> {
        // Steele, Lea & Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let uniform = (mixed >> 11) as f64 / (1_u64 << 53) as f64;
        // Of 100,000 keys half of the requests ask for one of the first 316.
        let key = (1e5_f64.powf(uniform)) as u64;
        out.set_path(&format!("/cart/{key}"))?;
        if arrival.number.is_multiple_of(10) {
            out.set_method("PUT")?.set_body(b"{\"n\":1}")?.set_tag(1)?;
        } else {
            out.set_tag(0)?;
        }
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = TargetServer::bind(TargetOptions::new())?.spawn()?;
    let url = std::env::args().nth(1).unwrap_or_else(|| server.url());
    let requests = RequestList::made_by("carts", |worker| Keys { state: worker.into() });
    let load = Load::established(Schedule::constant(500.0)).with_connections(8);
    let plan = Plan::new(Target::parse(&url)?, load)
        .with_requests(requests.with_tags(["read", "write"]))
        .with_duration(Duration::from_secs(2));
    let report = Engine::new(plan)?.run()?;
    for tag in &report.tags {
        println!("{}: {} answered, p50 {:?} µs", tag.tag, tag.answered, tag.response_time.p50_us);
    }
    Ok(())
}
