//! A trigger whose panics are errors, told as those of the program that it comes from: the
//! report of the load is kept.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::{Context, Settled, Strategy, Trigger, TriggerError, VmFacts};
use crate::event::Event;
use crate::panicked::said;

/// The trigger of a run.
pub(super) struct Guarded {
    inner: Box<dyn Trigger>,
    /// How it panicked; it is not asked any more.
    panic: Option<String>,
}

impl Guarded {
    pub(super) fn new(inner: Box<dyn Trigger>) -> Self {
        Self { inner, panic: None }
    }

    fn caught<T>(
        &mut self,
        ask: impl FnOnce(&mut dyn Trigger) -> Result<T, TriggerError>,
    ) -> Result<T, TriggerError> {
        if let Some(said) = &self.panic {
            return Err(TriggerError::Panicked { said: said.clone() });
        }
        catch_unwind(AssertUnwindSafe(|| ask(&mut *self.inner))).unwrap_or_else(|panic| {
            let said = said(&*panic).to_owned();
            self.panic = Some(said.clone());
            Err(TriggerError::Panicked { said })
        })
    }

    /// What it says of itself, which is not worth an error.
    fn told<T>(&self, ask: impl FnOnce(&dyn Trigger) -> T, otherwise: T) -> T {
        catch_unwind(AssertUnwindSafe(|| ask(&*self.inner))).unwrap_or(otherwise)
    }
}

impl Trigger for Guarded {
    fn name(&self) -> &str {
        catch_unwind(AssertUnwindSafe(|| self.inner.name())).unwrap_or("unnamed")
    }

    fn strategy(&self) -> Option<Strategy> {
        self.told(|inner| inner.strategy(), None)
    }

    fn is_simulated(&self) -> bool {
        self.told(|inner| inner.is_simulated(), false)
    }

    fn inspect(&mut self) -> Result<VmFacts, TriggerError> {
        self.caught(|inner| inner.inspect())
    }

    fn arm(&mut self, context: &Context) -> Result<(), TriggerError> {
        self.caught(|inner| inner.arm(context))
    }

    fn fire(&mut self) -> Result<(), TriggerError> {
        self.caught(|inner| inner.fire())
    }

    fn next_event(&mut self, timeout: Duration) -> Result<Option<Event>, TriggerError> {
        self.caught(|inner| inner.next_event(timeout))
    }

    fn cancel(&mut self) -> Result<(), TriggerError> {
        self.caught(|inner| inner.cancel())
    }

    fn settle(&mut self, last: &Event) -> Result<Settled, TriggerError> {
        self.caught(|inner| inner.settle(last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Panics;

    impl Trigger for Panics {
        fn name(&self) -> &str {
            panic!("nameless")
        }

        fn fire(&mut self) -> Result<(), TriggerError> {
            panic!("at {}", 7)
        }

        fn next_event(&mut self, _: Duration) -> Result<Option<Event>, TriggerError> {
            Ok(None)
        }
    }

    #[test]
    fn it_is_not_asked_after_a_panic() {
        let mut trigger = Guarded::new(Box::new(Panics));
        assert_eq!(trigger.name(), "unnamed");
        assert!(trigger.next_event(Duration::ZERO).unwrap().is_none());
        for error in [trigger.fire().unwrap_err(), trigger.next_event(Duration::ZERO).unwrap_err()]
        {
            assert_eq!(error.to_string(), "the program's trigger panicked: at 7");
        }
    }
}
