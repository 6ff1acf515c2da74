//! A trigger on a thread of its own: whether it panics or never answers, the load ends when it
//! is to, and its report is kept.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::{Strategy, Trigger, TriggerError};
use crate::error::RunError;
use crate::panicked::said;

/// How often it is asked whether an answer is still waited for. Longer than an answer to
/// [`Trigger::next_event`] takes, so that nobody is asked while all goes well.
const LOOK: Duration = Duration::from_millis(200);

type Question = Box<dyn FnOnce(&mut dyn Trigger) + Send>;

/// The trigger of a run.
pub(super) struct Guarded {
    /// `None`: it did not answer, and is left to itself.
    questions: Option<Sender<Question>>,
    thread: Option<JoinHandle<()>>,
    /// How it panicked; it is not asked any more.
    panic: Option<String>,
}

/// What a trigger says of itself.
#[derive(Debug, Clone, Default)]
pub(super) struct About {
    pub(super) name: String,
    pub(super) strategy: Option<Strategy>,
    pub(super) is_simulated: bool,
}

impl About {
    pub(super) fn of(trigger: &dyn Trigger) -> Self {
        Self {
            name: trigger.name().to_owned(),
            strategy: trigger.strategy(),
            is_simulated: trigger.is_simulated(),
        }
    }
}

impl Guarded {
    /// # Errors
    /// [`RunError::Setup`] if the kernel refuses a thread.
    pub(super) fn start(mut trigger: Box<dyn Trigger>) -> Result<Self, RunError> {
        let (questions, asked) = mpsc::channel::<Question>();
        let thread = thread::Builder::new()
            .name("trigger".to_owned())
            .spawn(move || asked.iter().for_each(|question| question(&mut *trigger)))
            .map_err(|cause| RunError::Setup { what: "the thread of the trigger", cause })?;
        Ok(Self { questions: Some(questions), thread: Some(thread), panic: None })
    }

    /// Asks it. `asked` names the question; while there is no answer, `waits` says whether it
    /// is waited for, and when that is over, the trigger is left to itself.
    ///
    /// # Errors
    /// What it answers; [`TriggerError::Panicked`], and [`TriggerError::Unanswered`].
    pub(super) fn ask<T: Send + 'static>(
        &mut self,
        asked: &'static str,
        waits: &mut dyn FnMut() -> bool,
        question: impl FnOnce(&mut dyn Trigger) -> Result<T, TriggerError> + Send + 'static,
    ) -> Result<T, TriggerError> {
        if let Some(said) = &self.panic {
            return Err(TriggerError::Panicked { said: said.clone() });
        }
        let begin = Instant::now();
        let (answer, answers) = mpsc::channel();
        let guarded: Question = Box::new(move |trigger| {
            let asked = catch_unwind(AssertUnwindSafe(|| question(trigger)));
            let answered = asked.unwrap_or_else(|panic| {
                Err(TriggerError::Panicked { said: said(&*panic).to_owned() })
            });
            // Nobody may wait any more.
            let _ = answer.send(answered);
        });
        if let Some(questions) = &self.questions {
            // Without its thread, there is no answer.
            let _ = questions.send(guarded);
        } else {
            drop(guarded);
        }
        let mut is_last = false;
        loop {
            match answers.recv_timeout(LOOK) {
                Ok(answer) => {
                    if let Err(TriggerError::Panicked { said }) = &answer {
                        self.panic = Some(said.clone());
                    }
                    return answer;
                }
                Err(RecvTimeoutError::Timeout) if !is_last => is_last = !waits(),
                Err(_) => {
                    self.questions = None;
                    return Err(TriggerError::Unanswered { asked, waited: begin.elapsed() });
                }
            }
        }
    }
}

impl Drop for Guarded {
    /// Whoever answers is waited for, until it is dropped.
    fn drop(&mut self) {
        if let (Some(questions), Some(thread)) = (self.questions.take(), self.thread.take()) {
            drop(questions);
            // It panicked as it was dropped: all was told before.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

    use super::*;
    use crate::event::Event;

    /// Panics at `fire`, does not come back from `cancel` until it is told to, and counts its
    /// end.
    struct Odd(Arc<AtomicU32>, mpsc::Receiver<()>);

    impl Trigger for Odd {
        fn name(&self) -> &str {
            "odd"
        }

        fn fire(&mut self) -> Result<(), TriggerError> {
            panic!("at {}", 7)
        }

        fn next_event(&mut self, _: Duration) -> Result<Option<Event>, TriggerError> {
            Ok(None)
        }

        fn cancel(&mut self) -> Result<(), TriggerError> {
            let _ = self.1.recv();
            Ok(())
        }
    }

    impl Drop for Odd {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    fn odd() -> (Guarded, Arc<AtomicU32>, Sender<()>) {
        let (ends, (tell, told)) = (Arc::default(), mpsc::channel());
        let odd = Odd(Arc::clone(&ends), told);
        (Guarded::start(Box::new(odd)).unwrap(), ends, tell)
    }

    #[test]
    fn it_is_not_asked_after_a_panic() {
        let (mut trigger, ends, _tell) = odd();
        let mut for_ever = || true;
        let about = trigger.ask("name", &mut for_ever, |trigger| Ok(About::of(trigger))).unwrap();
        assert_eq!((&*about.name, about.is_simulated), ("odd", false));
        let next = |trigger: &mut dyn Trigger| trigger.next_event(Duration::ZERO);
        assert!(trigger.ask("next_event", &mut for_ever, next).unwrap().is_none());
        let fired = trigger.ask("fire", &mut for_ever, |trigger| trigger.fire()).unwrap_err();
        let after = trigger.ask("next_event", &mut for_ever, next).unwrap_err();
        for error in [fired, after] {
            assert_eq!(error.to_string(), "the program's trigger panicked: at 7");
        }
        drop(trigger);
        assert_eq!(ends.load(SeqCst), 1);
    }

    #[test]
    fn who_does_not_answer_is_left_to_itself() {
        let (mut trigger, ends, tell) = odd();
        let mut looks = 0;
        let mut waits = || {
            looks += 1;
            looks < 3
        };
        let error = trigger.ask("cancel", &mut waits, |trigger| trigger.cancel()).unwrap_err();
        assert!(error.to_string().starts_with("it did not come back from 'cancel' within"));
        assert_eq!(looks, 3);
        let error = trigger.ask("name", &mut || true, |_| Ok(())).unwrap_err();
        assert!(matches!(error, TriggerError::Unanswered { .. }), "{error}");
        // Nobody waits for its end.
        drop(trigger);
        assert_eq!(ends.load(SeqCst), 0);
        drop(tell);
        while ends.load(SeqCst) == 0 {
            thread::yield_now();
        }
    }

    #[test]
    fn an_answer_is_waited_for() {
        let (mut trigger, ends, tell) = odd();
        let mut tell = Some(tell);
        // It answers once it was waited for.
        let mut waits = || {
            tell = None;
            true
        };
        trigger.ask("cancel", &mut waits, |trigger| trigger.cancel()).unwrap();
        drop(trigger);
        assert_eq!(ends.load(SeqCst), 1);
    }
}
