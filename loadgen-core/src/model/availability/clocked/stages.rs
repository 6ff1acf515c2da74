//! Stages of clocks as states of a chain.

use std::collections::{BTreeSet, HashMap, VecDeque};

use super::{Clock, ClockLaw};
use crate::model::availability::chain::{Chain, MOST_STATES};
use crate::model::availability::chain_error::ChainError;

/// A chain in which the stages of clocks are states.
pub(super) struct Spread {
    pub(super) chain: Chain,
    /// Which state of the chain before each state is a part of.
    pub(super) states: Vec<usize>,
}

/// A state, and how far each clock is: 0 where it does not run, else the stage from 1.
type Place = (usize, Vec<u32>);

/// A clock with stages.
struct Staged<'a> {
    from: &'a BTreeSet<usize>,
    to: usize,
    stages: u32,
    /// Of a stage.
    rate: f64,
}

/// Makes states of the stages of those clocks that have some: of all that can be reached from any
/// state with clocks that have just been started.
pub(super) fn spread(chain: &Chain, clocks: &[Clock]) -> Result<Spread, ChainError> {
    let staged: Vec<Staged<'_>> = clocks.iter().filter_map(staged).collect();
    let mut found = Found { numbers: HashMap::new(), places: Vec::new(), waiting: VecDeque::new() };
    let mut rates = Vec::new();
    let mut next = vec![Vec::new(); chain.states().len()];
    for (from, to, rate) in chain.numbered_rates() {
        if let Some(next) = next.get_mut(from) {
            next.push((to, rate));
        }
    }
    // Those that the chain never comes back to are told by whoever solves it.
    if !chain.states().is_empty() {
        found.number(moved(&staged, 0, &vec![0; staged.len()]))?;
    }
    let mut others = 1..chain.states().len();
    loop {
        while let Some(from) = found.waiting.pop_front() {
            let Some((state, stages)) = found.places.get(from).cloned() else { break };
            for (to, rate) in next.get(state).into_iter().flatten() {
                let to = found.number(moved(&staged, *to, &stages))?;
                rates.push((from, to, *rate));
            }
            for (at, clock) in staged.iter().enumerate() {
                let Some(stage) = stages.get(at).copied().filter(|stage| *stage > 0) else {
                    continue;
                };
                let mut after = stages.clone();
                if let Some(slot) = after.get_mut(at) {
                    *slot = if stage < clock.stages { stage + 1 } else { 0 };
                }
                let place = match stage < clock.stages {
                    true => (state, after),
                    false => moved(&staged, clock.to, &after),
                };
                let to = found.number(place)?;
                rates.push((from, to, clock.rate));
            }
        }
        let is_new = |state: &usize| !found.places.iter().any(|(other, _)| other == state);
        let Some(state) = others.find(is_new) else { break };
        found.number(moved(&staged, state, &vec![0; staged.len()]))?;
    }
    made(chain, &staged, &found.places, rates)
}

fn staged(clock: &Clock) -> Option<Staged<'_>> {
    let ClockLaw::Erlang { stages, mean } = clock.law else { return None };
    let rate = f64::from(stages) / mean;
    Some(Staged { from: &clock.from, to: clock.to, stages, rate })
}

/// A state that was moved to: clocks that ran and run there go on, others start or stop.
fn moved(staged: &[Staged<'_>], state: usize, stages: &[u32]) -> Place {
    let clocks = staged.iter().zip(stages);
    let stages = clocks.map(|(clock, stage)| match clock.from.contains(&state) {
        true => (*stage).max(1),
        false => 0,
    });
    (state, stages.collect())
}

struct Found {
    numbers: HashMap<Place, usize>,
    places: Vec<Place>,
    waiting: VecDeque<usize>,
}

impl Found {
    fn number(&mut self, place: Place) -> Result<usize, ChainError> {
        if let Some(number) = self.numbers.get(&place) {
            return Ok(*number);
        }
        let number = self.places.len();
        if number == MOST_STATES {
            return Err(ChainError::TooManyStates { most: number });
        }
        self.numbers.insert(place.clone(), number);
        self.places.push(place);
        self.waiting.push_back(number);
        Ok(number)
    }
}

fn made(
    chain: &Chain,
    staged: &[Staged<'_>],
    places: &[Place],
    rates: Vec<(usize, usize, f64)>,
) -> Result<Spread, ChainError> {
    let mut made = Chain::new();
    for (state, stages) in places {
        let stages = stages.iter().zip(staged).filter(|(stage, _)| **stage > 0);
        let told: Vec<String> =
            stages.map(|(stage, clock)| format!("{stage} of {}", clock.stages)).collect();
        let Some(own) = chain.states().get(*state) else { continue };
        let name = match told.as_slice() {
            [] => own.name.clone(),
            told => format!("{} ({})", own.name, told.join(", ")),
        };
        made.add_state(name.clone(), own.up)?;
        made = made.with_reward(&name, own.reward)?;
    }
    for (from, to, rate) in rates {
        // A clock with one stage that leads back to where it began changes nothing.
        if from != to {
            made.add_rate(from, to, rate)?;
        }
    }
    let states = places.iter().map(|(state, _)| *state).collect();
    Ok(Spread { chain: made, states })
}
