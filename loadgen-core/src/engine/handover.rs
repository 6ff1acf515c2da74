//! What workers have measured so far, had from them while the load goes on. A worker that is asked
//! leaves its recorder here and goes on with an empty one that lies ready, so that it writes nothing
//! down and joins nothing itself; what it brings home at the end is the rest. The parts are joined
//! like those of several workers.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::harvest::Harvest;
use crate::record::Recorder;

/// Where workers leave what they have measured.
#[derive(Debug)]
pub(crate) struct Handover {
    /// How often they were asked.
    asked: AtomicU64,
    /// A place for each worker.
    places: Vec<Mutex<Place>>,
}

#[derive(Debug, Default)]
struct Place {
    /// What the worker goes on with.
    empty: Option<Box<Recorder>>,
    /// What it has left.
    left: Option<Box<Harvest>>,
}

impl Handover {
    pub(crate) fn new(workers: u32) -> Self {
        Self { asked: AtomicU64::new(0), places: (0..workers).map(|_| Mutex::default()).collect() }
    }

    /// How often workers were asked.
    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Relaxed)
    }

    /// Asks all workers: each looks ten times a second.
    pub(crate) fn ask(&self) {
        self.asked.fetch_add(1, Relaxed);
    }

    /// Gives each worker something to go on with, that keeps what this one keeps.
    pub(crate) fn give_each(&self, like: &Recorder) {
        (0..self.places.len()).for_each(|worker| self.give(worker, like.successor()));
    }

    /// Whether there is nothing to wait for: all have left something, or have nothing to go on with.
    pub(crate) fn is_complete(&self) -> bool {
        (0..self.places.len()).all(|worker| self.place(worker).empty.is_none())
    }

    fn give(&self, worker: usize, empty: Recorder) {
        self.place(worker).empty = Some(Box::new(empty));
    }

    /// What a worker goes on with when it has left what it has; `None`: it keeps that, and so it does
    /// if whoever asks is just looking.
    pub(crate) fn take(&self, worker: usize) -> Option<Box<Recorder>> {
        let place = self.places.get(worker)?.try_lock();
        place.ok().filter(|place| place.left.is_none())?.empty.take()
    }

    /// A worker leaves what it has.
    pub(crate) fn leave(&self, worker: usize, harvest: Harvest) {
        self.place(worker).left = Some(Box::new(harvest));
    }

    /// What workers have left; each is given another recorder.
    pub(crate) fn collect(&self) -> Option<Harvest> {
        let mut whole: Option<Harvest> = None;
        for worker in 0..self.places.len() {
            let Some(left) = self.place(worker).left.take() else { continue };
            self.give(worker, left.recorder.successor());
            match &mut whole {
                Some(whole) => whole.merge(*left),
                None => whole = Some(*left),
            }
        }
        whole
    }

    fn place(&self, worker: usize) -> MutexGuard<'_, Place> {
        self.places[worker].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
