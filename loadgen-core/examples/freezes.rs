//! Tells when a server freezes, and for how long. Here it is the built-in one, which stands still
//! for 300 ms every two seconds, or the URL that is given.
//!
//! ```sh
//! cargo run --release -p loadgen-core --example freezes [URL]
//! ```
#![allow(clippy::print_stdout, reason = "its result")]

use std::sync::mpsc::channel;
use std::time::Duration;

use loadgen_core::target_server::{TargetOptions, TargetServer};
use loadgen_core::watch::{Watch, WatchNews, render_freeze, render_summary};
use loadgen_core::{Load, Plan, Schedule};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let every = Duration::from_secs(2);
    let options = TargetOptions::new().with_freeze(Duration::from_millis(300), every);
    let server = TargetServer::bind(options)?.spawn()?;
    let url = std::env::args().nth(1).unwrap_or_else(|| server.url());

    let kept_alive = Load::established(Schedule::constant(200.0));
    let plan = Plan::new(url.parse()?, kept_alive)
        .with_probe(Load::fresh(Schedule::constant(50.0)))
        .with_warmup(Duration::from_secs(1));
    let (sender, freezes) = channel();
    let watch = Watch::new(plan).start(move |news| {
        if let WatchNews::Freeze(freeze) = news {
            // Nobody may be there to take it any more.
            let _ = sender.send(freeze.clone());
        }
    })?;
    for freeze in freezes.iter().take(2) {
        println!("{}", render_freeze(&freeze));
    }
    watch.stop();
    print!("{}", render_summary(&watch.join()?));
    Ok(())
}
