//! What is wrong with a net.

use super::chain_error::{ChainError, known, told};
use super::expression::ExpressionError;
use crate::printable::printable;

/// A net that cannot be, or from which no chain can be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NetError {
    /// A name that could not stand in an expression.
    #[error(
        "'{}' cannot be the name of a place: take letters, digits and '_', such as VM_A",
        printable(.name)
    )]
    PlaceName {
        /// The name.
        name: String,
    },
    /// Two places have one name.
    #[error("there are two places '{}'", printable(.name))]
    TwoPlaces {
        /// The name.
        name: String,
    },
    /// Two transitions have one name.
    #[error("there are two transitions '{}'", printable(.name))]
    TwoTransitions {
        /// The name.
        name: String,
    },
    /// A transition names a place that there is not.
    #[error(
        "the transition '{}' names the place '{}': there {}",
        printable(.transition), printable(.place), known(.places)
    )]
    UnknownPlace {
        /// The transition.
        transition: String,
        /// The place.
        place: String,
        /// The places that there are.
        places: Vec<String>,
    },
    /// The rate, mean or weight of a transition is not a number above 0.
    #[error(
        "the {what} of the transition '{}' is {value}: it has to be above 0, from 1e-100 to 1e100",
        printable(.transition)
    )]
    Rate {
        /// The transition.
        transition: String,
        /// What of it.
        what: &'static str,
        /// Its value.
        value: f64,
    },
    /// A guard is no expression.
    #[error("the guard of the transition '{}' cannot be read: {cause}", printable(.transition))]
    Guard {
        /// The transition.
        transition: String,
        /// What is wrong.
        cause: ExpressionError,
    },
    /// A guard has no value in a marking.
    #[error(
        "the guard of the transition '{}' divides by 0 where there is '{}'",
        printable(.transition), printable(.marking)
    )]
    GuardValue {
        /// The transition.
        transition: String,
        /// The marking.
        marking: String,
    },
    /// A reward is no expression.
    #[error("'{}' cannot be read: {cause}", printable(.expression))]
    Reward {
        /// The expression.
        expression: String,
        /// What is wrong.
        cause: ExpressionError,
    },
    /// A reward has no value in a marking.
    #[error("'{}' is no number where there is '{}'", printable(.expression), printable(.marking))]
    RewardValue {
        /// The expression.
        expression: String,
        /// The marking.
        marking: String,
    },
    /// There are too many markings.
    #[error(
        "the net has more than {most} markings; there are up to {tokens} tokens in '{}': if that \
         has no end, something has to take them, or an inhibitor to stop what gives them",
        printable(.place)
    )]
    TooManyMarkings {
        /// How many it may have.
        most: usize,
        /// A place with the most tokens.
        place: String,
        /// How many they are.
        tokens: u32,
    },
    /// Immediate transitions lead back to where they began, and nothing else is possible.
    #[error(
        "immediate transitions go round without an end: {}; give one of them a guard, or a time",
        told(.transitions)
    )]
    Loop {
        /// The transitions.
        transitions: Vec<String>,
    },
    /// The chain that came of it cannot be.
    #[error(transparent)]
    Chain(#[from] ChainError),
}
