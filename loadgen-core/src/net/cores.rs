//! A core for each worker to begin on.

use super::sys;

/// Moves this thread to the `nth` of the cores that it may run on (the first one again
/// after the last), and leaves it to the scheduler from there. New threads begin near
/// the one that started them: two workers that share a core while they open their
/// connections share it for longer, since the kernel keeps a connection's work where
/// it was, and are late meanwhile. Where that cannot be had they begin anywhere.
pub(crate) fn begin_on(nth: usize) {
    let Ok(cores) = sys::cores() else { return };
    if cores.len() < 2 {
        return;
    }
    if sys::keep_to_cores(&cores[nth % cores.len()..][..1]).is_ok() {
        // Allowed before, so allowed again.
        let _ = sys::keep_to_cores(&cores);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_thread_moves_and_stays_free() {
        let allowed = sys::cores().unwrap();
        for nth in 0..2 * allowed.len() {
            let core = allowed[nth % allowed.len()];
            // The scheduler may have moved it on at once: seldom, so not each time.
            let moved = (0..100).any(|_| {
                let (before, free) = thread::spawn(move || {
                    begin_on(nth);
                    (current(), sys::cores().unwrap())
                })
                .join()
                .unwrap();
                assert_eq!(free, allowed);
                before == core
            });
            assert!(moved, "core {core}");
        }
    }

    /// The core that this thread runs on (proc(5), `stat`, field 39).
    fn current() -> usize {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let fields = stat.rsplit(") ").next().unwrap();
        fields.split(' ').nth(36).unwrap().parse().unwrap()
    }
}
