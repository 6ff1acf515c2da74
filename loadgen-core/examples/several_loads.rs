//! A shop with three kinds of users at once: many who look, a few who buy, and newcomers who
//! connect for every call. Whoever buys gets a `201`, or it was no purchase. Against the
//! built-in server, or the URL that is given.
//!
//! ```sh
//! cargo run --release -p loadgen-core --example several_loads [URL]
//! ```
#![allow(clippy::print_stdout, reason = "its result")]

use std::time::Duration;

use loadgen_core::target_server::{TargetOptions, TargetServer};
use loadgen_core::{Engine, ListedRequest, Load, Plan, Request, RequestList, Schedule};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = TargetServer::bind(TargetOptions::new())?.spawn()?;
    let url = std::env::args().nth(1).unwrap_or_else(|| server.url());

    let pages = ["/", "/shoes", "/hats"].map(|path| ListedRequest::new(Request::get(), path));
    let look = Load::established(Schedule::poisson(300.0)).with_requests(RequestList::given(pages));
    let order = Request::try_from(http::Request::post("/cart").body("item=7")?)?;
    let buy = Load::established(Schedule::constant(20.0))
        .with_connections(4)
        .with_request(order)
        .with_expectation("status=201".parse()?);
    let plan = Plan::new(url.parse()?, look)
        .with_load("buy", buy)
        .with_load("newcomers", Load::fresh(Schedule::constant(50.0)))
        .with_duration(Duration::from_secs(2));

    let report = Engine::new(plan)?.run()?;
    for load in &report.loads {
        println!(
            "{}: {} answered, {} wrong, p90 {:?}, replies by status {:?}",
            load.name,
            load.counts.answered,
            load.counts.wrong,
            load.response_time.quantile(0.9),
            load.status_codes
        );
    }
    Ok(())
}
