//! Runs inside of an asynchronous program.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use loadgen_core::target_server::TargetOptions;
use loadgen_core::tokio::{Run, prepare, run};
use loadgen_core::{Load, Plan, RunError, Schedule};

use crate::common::{LIMIT, OddServer, millis, nobody, target, wait_until};

fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(LIMIT, future).await.unwrap() })
}

fn plan(url: &str) -> Plan {
    Plan::new(url.parse().unwrap(), Load::established(Schedule::constant(500.0)))
}

#[test]
fn a_run_is_awaited_and_its_windows_miss_nothing() {
    let server = target(TargetOptions::new());
    block_on(async {
        let plan = plan(&server.url()).with_duration(millis(450));
        let load = Run::start(prepare(plan.clone()).await.unwrap()).unwrap();
        let windows: Vec<_> = load.windows().collect().await;
        assert!(load.handle().is_finished());
        let report = load.join().await.unwrap();
        let answered: u64 = windows.iter().map(|window| window.answered).sum();
        assert_eq!((report.counts.offered, report.counts.answered), (225, answered));
        assert!(windows.windows(2).all(|two| two[0].end == two[1].start));
        assert!(windows.len() >= 2, "{}", windows.len());
        let report = run(prepare(plan).await.unwrap()).await.unwrap();
        assert_eq!(report.counts.offered, 225);
    });
}

#[test]
fn whoever_gives_up_waiting_ends_the_run() {
    let open = Arc::new(AtomicU64::new(0));
    let held = Arc::clone(&open);
    let server = OddServer::start(move |conversation| {
        held.fetch_add(1, SeqCst);
        while conversation.request().is_some() {
            conversation.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
        held.fetch_sub(1, SeqCst);
    });
    block_on(async {
        // Awaited by itself, and by a join; neither plan has an end.
        for by_join in [false, true] {
            let engine = prepare(plan(&server.url())).await.unwrap();
            let load: Pin<Box<dyn Future<Output = _>>> = match by_join {
                true => Box::pin(Run::start(engine).unwrap().join()),
                false => Box::pin(run(engine)),
            };
            let has_begun = async {
                while open.load(SeqCst) == 0 {
                    tokio::time::sleep(millis(5)).await;
                }
            };
            match select(load, Box::pin(has_begun)).await {
                Either::Left((report, _)) => panic!("ended by itself: {report:?}"),
                Either::Right((_, load)) => drop(load),
            }
            wait_until("it has ended", || open.load(SeqCst) == 0);
        }
    });
}

#[test]
fn what_cannot_be_prepared_is_told() {
    let (_socket, address) = nobody();
    block_on(async {
        let error = prepare(plan(&format!("http://{address}/"))).await.unwrap_err();
        assert!(matches!(error, RunError::Connect { .. }), "{error}");
        let endless = plan(&format!("http://{address}/")).with_timeout(Duration::ZERO);
        assert!(prepare(endless).await.is_err());
    });
}
