//! The options of [`SimulatedVm`], and what they may be.

use std::time::Duration;

use super::super::trigger::{Strategy, TriggerError};
use super::script::Script;
use super::vm::SimulatedVm;
use crate::units::{UnitError, parse_byte_rate, parse_bytes, parse_duration};

const KEYS: &str = "strategy, memory, dirty, working-set, bandwidth, downtime, max-rounds, \
                    post-copy-after, brownout, faults, delay, body, seed";

/// Longest migration that is simulated.
const LONGEST_S: f64 = 24.0 * 3600.0;

impl SimulatedVm {
    /// The machine of a `simulated:KEY=VALUE,…` specification.
    ///
    /// | key | default | |
    /// |---|---|---|
    /// | `strategy` | `pre-copy` | or `post-copy`, `stop-and-copy` |
    /// | `memory` | `512MiB` | V: memory in use |
    /// | `dirty` | `10MiB/s` | D: rate of dirtying |
    /// | `working-set` | `memory` | W: most memory that becomes dirty |
    /// | `bandwidth` | `64MiB/s` | R: rate of sending |
    /// | `downtime` | `300ms` | L: downtime limit of pre-copy |
    /// | `max-rounds` | `30` | rounds after which pre-copy stops the machine anyway |
    /// | `post-copy-after` | `1s` | pre-copy before post-copy |
    /// | `brownout` | `2ms` | added to every request while rounds run |
    /// | `faults` | `20ms` | mean time added to a request when all pages are missing |
    /// | `delay` | `1ms` | time of a request otherwise |
    /// | `body` | `100B` | size of the replies' bodies |
    /// | `seed` | `1` | draws D within ±20 %, T_r from 10 to 40 ms, times of faults |
    ///
    /// # Errors
    /// [`TriggerError::Spec`] for an unknown or repeated key, a value that is not
    /// one, or a migration of more than a day.
    pub fn from_pairs(
        pairs: impl IntoIterator<Item = (impl AsRef<str>, impl AsRef<str>)>,
    ) -> Result<Self, TriggerError> {
        let mut vm = Self::default();
        let mut seen = Vec::new();
        for (key, value) in pairs {
            let (key, value) = (key.as_ref(), value.as_ref());
            if seen.iter().any(|other| other == key) {
                return Err(spec(format!("simulated: '{key}' is given twice")));
            }
            seen.push(key.to_owned());
            vm.set(key, value)?;
        }
        vm.check()?;
        Ok(vm)
    }

    /// Chooses how the machine is moved.
    #[must_use]
    pub fn with_strategy(mut self, strategy: Strategy) -> Self {
        self.strategy = strategy;
        self
    }

    /// Chooses what is random about it.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How the machine is moved.
    #[must_use]
    pub fn strategy(&self) -> Strategy {
        self.strategy
    }

    /// What draws the random parts.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// How long the migration takes by the model, from its acceptance to its end.
    #[must_use]
    pub fn planned_total(&self) -> Duration {
        Duration::from_nanos(Script::of(self).total_ns())
    }

    /// How long the machine is stopped by the model.
    #[must_use]
    pub fn planned_downtime(&self) -> Duration {
        Duration::from_nanos(Script::of(self).downtime_ns())
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), TriggerError> {
        let bad = |error: UnitError| spec(format!("simulated: {key}: {error}"));
        let number = || {
            value.parse::<u64>().map_err(|_| {
                spec(format!("simulated: {key}: '{}' is no whole number", value.escape_debug()))
            })
        };
        let seconds = || parse_duration(value).map(|d| d.as_secs_f64()).map_err(bad);
        match key {
            "strategy" => self.strategy = value.parse()?,
            "memory" if value.bytes().all(|b| b.is_ascii_digit()) => {
                let help = format!("write {value}MiB or {value}GiB");
                return Err(spec(format!("simulated: memory: '{value}' has no unit: {help}")));
            }
            "memory" => self.memory_bytes = parse_bytes(value).map_err(bad)?,
            "dirty" => self.dirty_bytes_per_s = parse_byte_rate(value).map_err(bad)?,
            "working-set" => self.working_set_bytes = Some(parse_bytes(value).map_err(bad)?),
            "bandwidth" => self.bandwidth_bytes_per_s = parse_byte_rate(value).map_err(bad)?,
            "downtime" => self.downtime_limit_s = seconds()?,
            "max-rounds" => {
                self.max_rounds = u32::try_from(number()?).unwrap_or(u32::MAX);
            }
            "post-copy-after" => self.post_copy_after_s = seconds()?,
            "brownout" => self.brownout_s = seconds()?,
            "faults" => self.faults_s = seconds()?,
            "delay" => self.delay_s = seconds()?,
            "body" => self.body_bytes = parse_bytes(value).map_err(bad)?,
            "seed" => self.seed = number()?,
            _ => {
                return Err(spec(format!(
                    "simulated: unknown key '{}'; there are {KEYS}",
                    key.escape_debug()
                )));
            }
        }
        Ok(())
    }

    /// Everything that [`Script::of`] relies on.
    pub(super) fn check(&self) -> Result<(), TriggerError> {
        let above_zero = [
            ("memory", self.memory_bytes as f64),
            ("bandwidth", self.bandwidth_bytes_per_s),
            ("max-rounds", f64::from(self.max_rounds)),
        ];
        if let Some((key, _)) = above_zero.into_iter().find(|(_, value)| *value <= 0.0) {
            return Err(spec(format!("simulated: {key} must be above 0")));
        }
        if self.max_rounds > 1000 {
            return Err(spec("simulated: max-rounds must be at most 1000".to_owned()));
        }
        let requests =
            [("brownout", self.brownout_s), ("faults", self.faults_s), ("delay", self.delay_s)];
        if let Some((key, _)) = requests.into_iter().find(|(_, value)| *value > 60.0) {
            return Err(spec(format!("simulated: {key} must be at most one minute")));
        }
        // Before the script is made: it would have to hold such times.
        let copy_s = self.memory_bytes as f64 / self.bandwidth_bytes_per_s;
        let rounds = match self.strategy {
            Strategy::PreCopy => f64::from(self.max_rounds) + 1.0,
            Strategy::PostCopy | Strategy::StopAndCopy => 2.0,
        };
        // A bound that is cheap; the real plan is looked at only if that fails.
        if copy_s > LONGEST_S
            || (copy_s * rounds > LONGEST_S && self.planned_total().as_secs_f64() > LONGEST_S)
        {
            return Err(spec(
                "simulated: the migration would take more than a day: lower memory or dirty, or \
                 raise bandwidth"
                    .to_owned(),
            ));
        }
        Ok(())
    }
}

fn spec(reason: String) -> TriggerError {
    TriggerError::Spec(reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_read() {
        let pairs = [
            ("strategy", "post-copy"),
            ("memory", "64MiB"),
            ("dirty", "5MiB/s"),
            ("working-set", "8MiB"),
            ("bandwidth", "16MiB/s"),
            ("downtime", "100ms"),
            ("max-rounds", "7"),
            ("post-copy-after", "500ms"),
            ("brownout", "3ms"),
            ("faults", "30ms"),
            ("delay", "2ms"),
            ("body", "1KiB"),
            ("seed", "42"),
        ];
        let vm = SimulatedVm::from_pairs(pairs).unwrap();
        let mib = f64::from(1 << 20);
        let expected = SimulatedVm {
            strategy: Strategy::PostCopy,
            memory_bytes: 64 << 20,
            dirty_bytes_per_s: 5.0 * mib,
            working_set_bytes: Some(8 << 20),
            bandwidth_bytes_per_s: 16.0 * mib,
            downtime_limit_s: 0.1,
            max_rounds: 7,
            post_copy_after_s: 0.5,
            brownout_s: 0.003,
            faults_s: 0.03,
            delay_s: 0.002,
            body_bytes: 1024,
            seed: 42,
        };
        assert_eq!(vm, expected);
        assert!(pairs.iter().all(|(key, _)| KEYS.contains(key)));
        let json = serde_json::to_string(&vm).unwrap();
        assert_eq!(serde_json::from_str::<SimulatedVm>(&json).unwrap(), vm);
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_name() {
        for (pairs, name) in [
            (vec![("memroy", "1MiB")], "memroy"),
            (vec![("memory", "much")], "much"),
            (vec![("memory", "0")], "memory"),
            (vec![("bandwidth", "0")], "bandwidth"),
            (vec![("seed", "-1")], "seed"),
            (vec![("seed", "1"), ("seed", "2")], "twice"),
            (vec![("strategy", "teleport")], "teleport"),
            (vec![("memory", "512GiB"), ("bandwidth", "1MiB/s")], "day"),
            (vec![("max-rounds", "0")], "max-rounds"),
            (vec![("delay", "2m")], "delay"),
        ] {
            let error = SimulatedVm::from_pairs(pairs).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn the_default_is_what_its_documentation_says() {
        for seed in 0..200 {
            let vm = SimulatedVm::default().with_seed(seed);
            let (total, down) = (vm.planned_total(), vm.planned_downtime());
            assert!((9.0..10.0).contains(&total.as_secs_f64()), "{seed}: {total:?}");
            assert!((0.13..0.33).contains(&down.as_secs_f64()), "{seed}: {down:?}");
        }
    }
}
