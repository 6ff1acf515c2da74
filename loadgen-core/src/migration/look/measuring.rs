//! One measurement after the other, whoever makes them.
//!
//! Time is counted by pauses and not by a clock, as in [`crate::migration::patience`]: a
//! limit that passed while we stood still has not passed. Each question has a limit of its own.

use std::time::Duration;

use super::error::LookError;
use super::machine::{DirtyMode, DirtySample, GIB, MIB};
use super::spec::LookSpec;

/// Between two questions for a result that is due.
const POLL: Duration = Duration::from_millis(200);
/// How much longer than it was told a measurement may take: a busy host, a large memory.
const SLACK_S: u32 = 15;
/// The longest that another's measurement may still take.
const OTHERS_S: u32 = 60;

/// Pages of each GiB that QEMU looks at when it is not told how many.
pub(super) const PAGES_OF_ITSELF: u32 = 512;

/// What a hypervisor says of its last measurement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reading {
    /// There was none, or it has not begun yet.
    Unstarted,
    /// It is under way.
    Measuring,
    /// It is over.
    Measured(Measured),
    /// It came to nothing, or what is told of it makes no sense.
    Nonsense(String),
}

/// What came of it; what older versions do not tell is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Measured {
    pub(super) over_s: u32,
    /// Whole MiB/s.
    pub(super) rate: u64,
    pub(super) mode: Option<String>,
    pub(super) pages_per_gib: Option<u32>,
}

/// Who can measure, and how it was told to.
pub(super) trait Measures {
    /// Who it is, for messages.
    fn place(&self) -> String;
    /// Checks that the machine runs and nothing would be disturbed.
    fn check(&mut self) -> Result<(), LookError>;
    /// Begins a measurement; tells how many pages of each GiB are looked at, if it is known.
    fn begin(&mut self, over_s: u32) -> Result<Option<u32>, LookError>;
    /// What there is now.
    fn read(&mut self) -> Result<Reading, LookError>;
}

/// All samples that are asked for, the shortest time first. `pause` is to wait.
pub(super) fn samples(
    of: &mut impl Measures,
    spec: &LookSpec,
    memory_bytes: Option<u64>,
    pause: &mut dyn FnMut(Duration),
) -> Result<Vec<DirtySample>, LookError> {
    let mut times = spec.over_s.clone();
    times.sort_unstable();
    let mut samples = Vec::new();
    for over_s in times {
        for _ in 0..spec.repeats {
            of.check()?;
            // What another asked for, also one of us that was ended early.
            let is_free = |now| (now != Reading::Measuring).then_some(());
            wait_for(of, OTHERS_S + SLACK_S, is_free, pause)?;
            let pages = of.begin(over_s)?;
            pause(Duration::from_secs(over_s.into()));
            let result = |now| match now {
                Reading::Measured(measured) => Some(Ok(measured)),
                Reading::Nonsense(told) => Some(Err(told)),
                Reading::Unstarted | Reading::Measuring => None,
            };
            let measured = wait_for(of, SLACK_S, result, pause)?.map_err(|told| {
                let what = format!("what it tells of the dirty rate makes no sense: {told}");
                LookError::Nonsense { place: of.place(), what }
            })?;
            // It may have been stopped, or sent away, meanwhile.
            of.check()?;
            samples.push(sample(&of.place(), spec.mode, (over_s, pages), &measured, memory_bytes)?);
        }
    }
    Ok(samples)
}

/// Reads until what it reads is what is wanted, for `limit_s` at the most.
fn wait_for<T>(
    of: &mut impl Measures,
    limit_s: u32,
    wanted: impl Fn(Reading) -> Option<T>,
    pause: &mut dyn FnMut(Duration),
) -> Result<T, LookError> {
    let limit = Duration::from_secs(limit_s.into());
    let mut waited = Duration::ZERO;
    loop {
        if let Some(found) = wanted(of.read()?) {
            return Ok(found);
        }
        if waited >= limit {
            return Err(LookError::StillMeasuring { place: of.place(), waited_s: limit_s });
        }
        pause(POLL);
        waited += POLL;
    }
}

/// What was measured, if it is what was asked for, and can be.
fn sample(
    place: &str,
    mode: DirtyMode,
    (asked_s, pages): (u32, Option<u32>),
    measured: &Measured,
    memory_bytes: Option<u64>,
) -> Result<DirtySample, LookError> {
    let nonsense = |what: String| LookError::Nonsense { place: place.to_owned(), what };
    let Measured { over_s, rate, .. } = *measured;
    let is_others = measured.mode.as_deref().is_some_and(|theirs| theirs != mode.name())
        || pages.zip(measured.pages_per_gib).is_some_and(|(ours, theirs)| ours != theirs)
        || !(asked_s..=asked_s + SLACK_S).contains(&over_s);
    if is_others {
        return Err(nonsense(format!(
            "the dirty rate that it tells is of another measurement ({over_s} s instead of \
             {asked_s} s): somebody else measures this machine, too; try again later"
        )));
    }
    // A dirtied page counts once, and there are no more than all of them; QEMU counts what
    // belongs to devices, too.
    let bytes = rate as f64 * MIB * f64::from(over_s);
    if memory_bytes.is_some_and(|memory| bytes > 2.0 * memory as f64 + GIB) {
        return Err(nonsense(format!(
            "it tells a dirty rate of {rate} MiB/s over {over_s} s, which is more than the machine \
             has memory"
        )));
    }
    let pages = match mode {
        DirtyMode::PageSampling => measured.pages_per_gib.or(pages),
        DirtyMode::DirtyBitmap => None,
    };
    Ok(DirtySample::new(over_s.into(), rate, mode, pages))
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// Reads what it is given, the last for ever.
    struct Script {
        readings: VecDeque<Reading>,
        begun: Vec<u32>,
        checked: usize,
    }

    impl Measures for Script {
        fn place(&self) -> String {
            "a script".to_owned()
        }

        fn check(&mut self) -> Result<(), LookError> {
            self.checked += 1;
            Ok(())
        }

        fn begin(&mut self, over_s: u32) -> Result<Option<u32>, LookError> {
            self.begun.push(over_s);
            Ok(Some(512))
        }

        fn read(&mut self) -> Result<Reading, LookError> {
            let first = self.readings.front().cloned().unwrap();
            if self.readings.len() > 1 {
                self.readings.pop_front();
            }
            Ok(first)
        }
    }

    fn measured(over_s: u32, rate: u64) -> Reading {
        let mode = Some("page-sampling".to_owned());
        Reading::Measured(Measured { over_s, rate, mode, pages_per_gib: Some(512) })
    }

    /// What comes of it, and how long was paused for.
    fn run(
        over_s: &[u32],
        readings: &[Reading],
    ) -> (Result<Vec<DirtySample>, LookError>, Script, Duration) {
        let spec = "qmp:/a".parse::<LookSpec>().unwrap().with_over_s(over_s);
        let readings = readings.iter().cloned().collect();
        let mut script = Script { readings, begun: Vec::new(), checked: 0 };
        let mut paused = Duration::ZERO;
        let samples = samples(&mut script, &spec, Some(1 << 29), &mut |time| paused += time);
        (samples, script, paused)
    }

    #[test]
    fn the_shortest_first_and_none_before_its_time() {
        use Reading::{Measuring, Unstarted};
        let readings = [
            Unstarted, // Before the first.
            Unstarted, // Its thread has not begun.
            Measuring,
            measured(1, 9),
            measured(1, 9), // Before the second.
            measured(4, 8),
        ];
        let (samples, script, paused) = run(&[4, 1], &readings);
        let samples = samples.unwrap();
        let told: Vec<_> = samples.iter().map(|s| (s.over_s, s.bytes_per_s / MIB)).collect();
        assert_eq!(told, [(1.0, 9.0), (4.0, 8.0)]);
        assert_eq!((script.begun, script.checked), (vec![1, 4], 4));
        assert_eq!(paused, Duration::from_secs(5) + 2 * POLL);
    }

    #[test]
    fn anothers_is_waited_for_and_no_longer_than_it_can_take() {
        let failed = || Reading::Nonsense("-1".to_owned());
        let (samples, ..) = run(&[1], &[failed(), measured(1, 9)]);
        assert_eq!(samples.unwrap().len(), 1, "how another's ended is nothing to us");
        let (samples, ..) = run(&[1], &[failed()]);
        assert!(samples.unwrap_err().to_string().contains("makes no sense: -1"));
        let readings = [Reading::Measuring, measured(60, 0), measured(1, 9)];
        let (samples, ..) = run(&[1], &readings);
        assert_eq!(samples.unwrap().len(), 1);
        let (samples, script, paused) = run(&[1], &[Reading::Measuring]);
        let error = samples.unwrap_err().to_string();
        assert!(error.contains("still being measured 75 s after"), "{error}");
        assert!(script.begun.is_empty());
        assert_eq!(paused, Duration::from_secs(75));
    }

    #[test]
    fn one_that_never_ends_is_given_up() {
        let (samples, _, paused) = run(&[1], &[Reading::Unstarted]);
        assert!(matches!(samples, Err(LookError::StillMeasuring { waited_s: SLACK_S, .. })));
        assert_eq!(paused, Duration::from_secs(1 + 15));
    }

    #[test]
    fn what_is_of_another_or_cannot_be_is_refused() {
        let why = |reading| run(&[1], &[reading]).0.unwrap_err().to_string();
        assert!(why(measured(60, 3)).contains("60 s instead of 1 s): somebody else"));
        assert!(why(measured(0, 3)).contains("somebody else"));
        let ours = || Measured { over_s: 1, rate: 3, mode: None, pages_per_gib: None };
        let mode = Some("dirty-bitmap".to_owned());
        let other = Reading::Measured(Measured { mode, ..ours() });
        assert!(why(other).contains("somebody else"));
        let other = Reading::Measured(Measured { pages_per_gib: Some(4096), ..ours() });
        assert!(why(other).contains("somebody else"));
        assert!(why(measured(1, u64::MAX)).contains("more than the machine has memory"));
        // An old QEMU tells neither mode nor pages.
        let samples = run(&[1], &[Reading::Measured(ours())]).0.unwrap();
        assert_eq!(samples[0].pages_per_gib, Some(512));
    }
}
