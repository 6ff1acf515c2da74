//! What is wrong with a chain.

use crate::printable::printable;

/// Names in a message; of many, the first.
const MOST_NAMED: usize = 5;

/// A chain that cannot be, or that has no answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// There is no state.
    #[error("the chain has no states")]
    NoStates,
    /// There are more states than a chain may have.
    #[error("the chain has more than {most} states: join states that behave alike")]
    TooManyStates {
        /// How many it may have.
        most: usize,
    },
    /// There are more rates than a chain may have.
    #[error("the chain has more than {most} rates")]
    TooManyRates {
        /// How many it may have.
        most: usize,
    },
    /// Two states have one name.
    #[error("there are two states '{}'", printable(.name))]
    TwoStates {
        /// The name.
        name: String,
    },
    /// No state has this name.
    #[error("there is no state '{}': there {}", printable(.name), known(.states))]
    UnknownState {
        /// The name.
        name: String,
        /// The states that there are.
        states: Vec<String>,
    },
    /// A rate, or the mean that it was made of, is not a number above 0.
    #[error(
        "the rate from '{}' to '{}' is {rate}: it has to be above 0, from 1e-100 to 1e100",
        printable(.from), printable(.to)
    )]
    Rate {
        /// From which state.
        from: String,
        /// To which.
        to: String,
        /// The rate.
        rate: f64,
    },
    /// A state leads to itself.
    #[error("the state '{}' leads to itself: leave that out, it changes nothing", printable(.name))]
    SelfLoop {
        /// The state.
        name: String,
    },
    /// A reward is not a finite number.
    #[error("the reward of '{}' is {reward}: it has to be a finite number", printable(.name))]
    Reward {
        /// Of which state.
        name: String,
        /// The reward.
        reward: f64,
    },
    /// There are states without a way out, so that in the long run there is nothing else.
    #[error("{} cannot be left: give a way out, such as a repair", told(.states))]
    Absorbing {
        /// The states.
        states: Vec<String>,
    },
    /// There are states that it does not come back to: in the long run it is never there.
    #[error("the chain does not come back to {}: leave that out, or give a way back", told(.left))]
    Transient {
        /// The states.
        left: Vec<String>,
    },
    /// There is more than one group of states that is not left again, so that the long run
    /// depends on the beginning.
    #[error(
        "the chain falls apart: it never leaves {}, and never comes there from {}: give a way from \
         one to the other", told(.end), told(.lost)
    )]
    Reducible {
        /// One of the groups.
        end: Vec<String>,
        /// States that do not lead there.
        lost: Vec<String>,
    },
    /// Numbers became too small or too large on the way.
    #[error("the rates of the chain differ by too many orders of magnitude to be computed with")]
    Spread,
    /// The chain was too large and too closely woven to be solved exactly, and the iteration did
    /// not come to an end.
    #[error(
        "the chain is too large to be solved: after {sweeps} rounds the balance of a state is \
         still off by {off:.1e} of it; join states that behave alike"
    )]
    NotConverged {
        /// Rounds over all states.
        sweeps: u64,
        /// By which part of it the balance of a state is off.
        off: f64,
    },
    /// A time is not a finite number, or below 0.
    #[error("{time} is no time to look at: it has to be a finite number, and at least 0")]
    Time {
        /// The time.
        time: f64,
    },
    /// The shares of the beginning are not shares, or not 1 together.
    #[error("the states of the beginning have shares of {sum} together: they have to be 1")]
    Beginning {
        /// What they are together; not a number if one of them is below 0.
        sum: f64,
    },
    /// There are so many moves up to a time that it cannot be computed step by step.
    #[error(
        "up to that time there are {steps:.1e} steps of the fastest state, which is too many: in \
         the long run it is as in the steady state; or leave the fastest states out"
    )]
    TooManySteps {
        /// Moves of the fastest state up to that time, in the mean.
        steps: f64,
    },
}

/// `'a', 'b' and 3 more`.
pub(super) fn told(names: &[String]) -> String {
    let mut text = String::new();
    let shown = names.len().min(MOST_NAMED);
    for (at, name) in names.iter().take(shown).enumerate() {
        if at > 0 {
            text.push_str(if at + 1 == names.len() { " and " } else { ", " });
        }
        text.push('\'');
        text.push_str(&printable(name));
        text.push('\'');
    }
    if names.len() > shown {
        text.push_str(&format!(" and {} more", names.len() - shown));
    }
    text
}

/// What there is, after "there".
pub(super) fn known(names: &[String]) -> String {
    match names {
        [] => "is none at all".to_owned(),
        [_] => format!("is {}", told(names)),
        _ => format!("are {}", told(names)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_few_and_harmless() {
        let names = |n: usize| (0..n).map(|at| format!("s{at}")).collect::<Vec<_>>();
        assert_eq!(told(&names(1)), "'s0'");
        assert_eq!(told(&names(2)), "'s0' and 's1'");
        assert_eq!(told(&names(3)), "'s0', 's1' and 's2'");
        assert_eq!(told(&names(7)), "'s0', 's1', 's2', 's3', 's4' and 2 more");
        assert_eq!(known(&names(0)), "is none at all");
        let error = ChainError::SelfLoop { name: "\u{1b}[2J".to_owned() };
        assert!(!error.to_string().contains('\u{1b}'));
    }
}
