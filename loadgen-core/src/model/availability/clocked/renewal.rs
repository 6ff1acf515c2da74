//! The long run of a chain with clocks that always take the same time.

use std::collections::{BTreeMap, BTreeSet};

use super::{Clock, ClockError, ClockLaw};
use crate::model::availability::chain::Chain;
use crate::model::availability::chain_error::ChainError;
use crate::model::availability::poisson::Poisson;
use crate::model::availability::steady;
use crate::model::availability::structure::hangs_together;
use crate::model::availability::transient::Steps;

/// Steps of the fastest state in an interval.
const MOST_STEPS: f64 = 1e7;

/// Rates that are looked at in all steps: some ten seconds.
const MOST_LOOKS: f64 = 4e9;

/// What is left out of an interval. Failures in it may be very rare, and each of their digits
/// counts.
const TAILS: f64 = 1e-40;

/// Clocks that are one: where each state in which it runs leads when it goes.
struct OneClock {
    interval: f64,
    to: BTreeMap<usize, usize>,
}

/// How much time is spent in each state, in some unit.
pub(super) fn long_run(chain: &Chain, clocks: &[Clock]) -> Result<Vec<f64>, ClockError> {
    let clock = one_clock(chain, clocks)?;
    let mut by_rates = chain.clone();
    for (from, to) in &clock.to {
        if from != to {
            by_rates.add_rate(*from, *to, 1.0 / clock.interval)?;
        }
    }
    // Moves are the same ones, so it has a long run if this one has.
    hangs_together(&by_rates)?;
    let start = start(chain, &clock)?;
    let run = run(chain, &clock, start)?;

    // A cycle as a chain: all of the run is one state, the first one, which takes 1 in the mean and
    // leads on as the run does.
    let n = chain.states().len();
    let outside: Vec<usize> = (0..n).filter(|state| !clock.to.contains_key(state)).collect();
    let number = |state: usize| outside.binary_search(&state).map_or(0, |at| at + 1);
    let mut flows = Vec::new();
    for (from, to, rate) in chain.numbered_rates() {
        match run.times.get(&from) {
            Some(time) => flows.push((0, number(to), time * rate)),
            None => flows.push((number(from), number(to), rate)),
        }
    }
    for (from, left) in &run.left {
        let to = clock.to.get(from).copied().unwrap_or(start);
        flows.push((0, number(to), *left));
    }
    // What stays within the run leads from the first one to itself, and changes nothing there.
    let flows = flows.into_iter().filter(|(from, to, flow)| from != to && *flow > 0.0);
    let flows: Vec<_> = flows.collect();
    let visits = steady::long_run(outside.len() + 1, flows.iter().copied())?;
    let runs = visits.first().copied().unwrap_or(1.0);
    let time = |state: usize| match run.times.get(&state) {
        Some(time) => time * runs,
        None => visits.get(number(state)).copied().unwrap_or(0.0),
    };
    Ok((0..n).map(time).collect())
}

fn one_clock(chain: &Chain, clocks: &[Clock]) -> Result<OneClock, ClockError> {
    let mut all = Vec::new();
    let mut staged = false;
    for clock in clocks {
        match clock.law {
            ClockLaw::Every { interval } => all.push((interval, clock)),
            ClockLaw::Erlang { .. } => staged = true,
        }
    }
    let Some((interval, _)) = all.first().copied() else { return Err(ClockError::NoStates) };
    if staged {
        return Err(ClockError::Mixed { interval });
    }
    if let Some((other, _)) = all.iter().find(|(other, _)| *other != interval) {
        return Err(ClockError::Intervals { intervals: (interval, *other) });
    }
    let mut to = BTreeMap::new();
    let mut twice = BTreeSet::new();
    for (_, clock) in all {
        for state in &clock.from {
            if to.insert(*state, clock.to).is_some() {
                twice.insert(*state);
            }
        }
    }
    if !twice.is_empty() {
        return Err(ClockError::Together { states: chain.names(twice) });
    }
    Ok(OneClock { interval, to })
}

/// The state in which the clock always starts.
fn start(chain: &Chain, clock: &OneClock) -> Result<usize, ClockError> {
    let runs = |state: &usize| clock.to.contains_key(state);
    let moves = chain.numbered_rates().filter(|(from, ..)| !runs(from)).map(|(_, to, _)| to);
    let starts: BTreeSet<usize> =
        moves.chain(clock.to.values().copied()).filter(|to| runs(to)).collect();
    match (starts.first(), starts.len()) {
        (Some(start), 1) => Ok(*start),
        _ => {
            let states = chain.names(starts);
            Err(ClockError::Starts { interval: clock.interval, states })
        }
    }
}

/// What happens from the start of the clock until it goes, or the chain leaves the states in
/// which it runs, in the mean.
struct Run {
    /// Time in each state.
    times: BTreeMap<usize, f64>,
    /// How likely it is in each state when the clock goes.
    left: Vec<(usize, f64)>,
}

fn run(chain: &Chain, clock: &OneClock, start: usize) -> Result<Run, ChainError> {
    let states: Vec<usize> = clock.to.keys().copied().collect();
    let all = chain.exits();
    let exits: Vec<f64> =
        states.iter().map(|state| all.get(*state).copied().unwrap_or(0.0)).collect();
    let inner = chain.numbered_rates().filter_map(|(from, to, rate)| {
        Some((states.binary_search(&from).ok()?, states.binary_search(&to).ok()?, rate))
    });
    let steps = Steps::made(exits, inner);
    let mut now: Vec<f64> =
        states.iter().map(|state| if *state == start { 1.0 } else { 0.0 }).collect();
    let mean = steps.fastest * clock.interval;
    if mean > MOST_STEPS || mean * (chain.rates().count() + states.len()) as f64 > MOST_LOOKS {
        return Err(ChainError::TooManySteps { steps: mean });
    }
    let law = Poisson::new(mean, TAILS);
    let mut times = vec![0.0; states.len()];
    let mut left = vec![0.0; states.len()];
    // What is beyond each number of steps, in the mean: the time of a step for each.
    for (number, beyond) in law.tails().into_iter().enumerate() {
        let weight = law.weight(number);
        // Of a chain that is never left the steps have no length; it is there all of the time.
        let time = if steps.fastest > 0.0 { beyond / steps.fastest } else { clock.interval };
        times.iter_mut().zip(&now).for_each(|(time_in, now)| *time_in += time * now);
        left.iter_mut().zip(&now).for_each(|(left, now)| *left += weight * now);
        if number < law.last() {
            now = steps.after(&now);
        }
    }
    let times = states.iter().copied().zip(times).collect();
    Ok(Run { times, left: states.into_iter().zip(left).collect() })
}
