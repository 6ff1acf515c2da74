//! Preparations that may wait long for the network, and can be stopped meanwhile.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::error::RunError;

/// How soon a stop is noticed.
const LOOK_FOR_STOP: Duration = Duration::from_millis(20);

/// The result of `work`, which is left to itself when `stop` becomes true before its
/// end. A panic of it goes on in this thread.
///
/// # Errors
/// [`RunError::Stopped`] then; [`RunError::Setup`] without a thread for it.
pub(crate) fn unless_stopped<T: Send + 'static>(
    stop: &AtomicBool,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, RunError> {
    let (send, receive) = mpsc::channel();
    let thread = thread::Builder::new()
        .name("prepare".to_owned())
        .spawn(move || {
            // Once it was stopped, nobody waits for it.
            let _ = send.send(work());
        })
        .map_err(|cause| RunError::Setup { what: "a thread", cause })?;
    loop {
        match receive.recv_timeout(LOOK_FOR_STOP) {
            Ok(result) => return Ok(result),
            Err(RecvTimeoutError::Timeout) if stop.load(Ordering::SeqCst) => {
                return Err(RunError::Stopped);
            }
            Err(RecvTimeoutError::Timeout) => {}
            // It may be of the program's own, which makes its sources in it.
            Err(RecvTimeoutError::Disconnected) => match thread.join() {
                Err(panic) => resume_unwind(panic),
                Ok(()) => return Err(RunError::WorkerPanicked),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn what_does_not_end_is_left() {
        let (never, wait) = mpsc::channel::<()>();
        let stopped = unless_stopped(&AtomicBool::new(true), move || wait.recv());
        assert!(matches!(stopped, Err(RunError::Stopped)), "{stopped:?}");
        drop(never);
    }

    #[test]
    fn what_ends_is_given_and_a_panic_goes_on() {
        let go_on = AtomicBool::new(false);
        assert!(matches!(unless_stopped(&go_on, || 7), Ok(7)));
        let panics = || unless_stopped(&go_on, || -> u8 { panic!("as a test") });
        let panic = catch_unwind(AssertUnwindSafe(panics)).unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"as a test"));
    }
}
