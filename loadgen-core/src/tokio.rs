//! Runs inside of a program on [tokio](https://docs.rs/tokio): awaited, watched as a stream, and
//! ended when whoever waits gives up. The load itself runs on the engine's own threads, not on
//! those of the runtime, so that neither is late because of the other.
//!
//! ```
//! use std::time::Duration;
//! use loadgen_core::{Engine, Load, Plan, Schedule};
//! # use loadgen_core::target_server::{TargetOptions, TargetServer};
//!
//! # ::tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! # let server = TargetServer::bind(TargetOptions::default())?.spawn()?;
//! # let url = server.url();
//! let plan = Plan::new(url.parse()?, Load::established(Schedule::constant(1000.0)))
//!     .with_duration(Duration::from_millis(300));
//! let engine = loadgen_core::tokio::prepare(plan).await?;
//! let report = loadgen_core::tokio::run(engine).await?;
//! assert_eq!(report.counts.answered, 300);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ::tokio::task::{JoinError, spawn_blocking};
use ::tokio::time::{Sleep, sleep};
use futures_core::Stream;

use crate::engine::{Engine, RunHandle, Windows};
use crate::error::RunError;
use crate::plan::Plan;
use crate::report::Report;
use crate::{Stopper, Window};

/// How often it is looked whether a run has ended.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// As [`Engine::new`], without holding up a thread of the runtime. When the future is dropped,
/// what it began is left to itself.
///
/// # Errors
/// As [`Engine::new`].
///
/// # Panics
/// Outside of a tokio runtime.
pub async fn prepare(plan: Plan) -> Result<Engine, RunError> {
    let given_up = Flag::default();
    let stop = Arc::clone(&given_up.0);
    spawn_blocking(move || Engine::prepare(plan, &stop)).await.unwrap_or_else(or_stopped)
}

/// Runs the plan to its end. When the future is dropped, the run is ended at once, and what it
/// measured is lost.
///
/// # Errors
/// As [`Engine::run`].
///
/// # Panics
/// Outside of a tokio runtime whose time is enabled.
pub async fn run(engine: Engine) -> Result<Report, RunError> {
    Run::start(engine)?.join().await
}

/// A run under way. When it is dropped, or what waits for it is, the run is ended at once.
#[derive(Debug)]
pub struct Run(RunHandle);

impl Run {
    /// Starts the workers and returns.
    ///
    /// # Errors
    /// As [`Engine::start`].
    pub fn start(engine: Engine) -> Result<Self, RunError> {
        Ok(Self(engine.start()?.stop_on_drop()))
    }

    /// The run, for all that needs no waiting: [snapshots](RunHandle::snapshot),
    /// [marks](RunHandle::mark), a gentle [stop](RunHandle::stop).
    #[must_use]
    pub fn handle(&self) -> &RunHandle {
        &self.0
    }

    /// What happens, a tenth of a second at a time, as [`RunHandle::windows`]: the last one ends
    /// with the run.
    ///
    /// # Panics
    /// Outside of a tokio runtime whose time is enabled.
    #[must_use]
    pub fn windows(&self) -> WindowStream<'_> {
        let windows = Windows::of(&self.0);
        WindowStream { windows, sleep: Box::pin(sleep(Duration::ZERO)) }
    }

    /// Waits for the end and gives the result.
    ///
    /// # Errors
    /// As [`RunHandle::join`].
    ///
    /// # Panics
    /// Outside of a tokio runtime whose time is enabled.
    pub async fn join(self) -> Result<Report, RunError> {
        while !self.0.is_finished() {
            sleep(LOOK_EVERY).await;
        }
        // The report of a long run takes its time to make.
        spawn_blocking(move || self.0.join()).await.unwrap_or_else(or_stopped)
    }

    /// What stops it from elsewhere.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.0.stopper()
    }
}

/// The windows of a [`Run`], as they end.
#[derive(Debug)]
pub struct WindowStream<'a> {
    windows: Windows<'a>,
    sleep: Pin<Box<Sleep>>,
}

impl Stream for WindowStream<'_> {
    type Item = Window;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Window>> {
        loop {
            ready!(self.sleep.as_mut().poll(context));
            match self.windows.look() {
                Ok(window) => return Poll::Ready(window),
                Err(wait) => self.sleep = Box::pin(sleep(wait)),
            }
        }
    }
}

/// Raised when it is dropped.
#[derive(Debug, Default)]
struct Flag(Arc<AtomicBool>);

impl Drop for Flag {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// What a thread of the runtime says that has no result: it panicked, or the runtime was shut
/// down.
fn or_stopped<T>(error: JoinError) -> Result<T, RunError> {
    match error.try_into_panic() {
        Ok(panic) => resume_unwind(panic),
        Err(_) => Err(RunError::Stopped),
    }
}
