//! The markings of a net, and the chain between those in which time goes by.

use std::collections::{HashMap, VecDeque};

use super::chain::{Chain, MOST_STATES};
use super::distribution::Distribution;
use super::elimination::Elimination;
use super::expression::Expression;
use super::net::{Compiled, Kind, Net};
use super::net_error::NetError;
use super::steady;
use super::structure::reached;

/// Markings in which no time goes by, that a net may have.
const MOST_VANISHING: usize = 100_000;

/// All markings that a net can come to.
#[derive(Debug, Clone)]
pub struct Reached {
    chain: Chain,
    /// Of each state of the chain.
    markings: Vec<Vec<u32>>,
    places: Vec<String>,
    /// How likely each state is at the beginning.
    beginning: Vec<(usize, f64)>,
    vanishing: usize,
}

impl Net {
    /// Goes to all markings that can be reached, and makes a chain of those in which time goes
    /// by. A state has the name of its marking, such as `A_ok B_ok 2*VM`; it is up where this
    /// [`Expression`] over places is not 0, and its reward is the expression's value.
    ///
    /// Markings in which immediate transitions are possible are left in no time: they are taken out
    /// exactly, with their loops, by elimination without a subtraction.
    ///
    /// # Errors
    /// If the expression is none, an expression has no value in a marking, there are more than
    /// 10,000 markings (or 100,000 in which no time goes by), or immediate transitions never
    /// come to an end.
    pub fn explore(&self, up: &str) -> Result<Reached, NetError> {
        let up = Reward::parse(up, &self.names())?;
        let mut found = Explored::of(self)?;
        let edges = std::mem::take(&mut found.edges);
        found.all_end(&edges, self)?;
        let n = found.markings.len();
        let mut left = Elimination::new(n + 1, edges);
        // From the last one on: those that lead on to others are found before them.
        for (at, is_tangible) in found.tangible.iter().enumerate().rev() {
            if !is_tangible {
                left.take(at).ok_or(super::chain_error::ChainError::Spread)?;
            }
        }
        let mut chain = Chain::new();
        let (mut numbers, mut markings) = (vec![None; n], Vec::new());
        let vanishing = n - found.lasting;
        let all = found.markings.into_iter().zip(&found.tangible).enumerate();
        for (at, (marking, _)) in all.filter(|(_, (_, is_tangible))| **is_tangible) {
            let name = named(&self.places, &marking);
            let reward = up.of(&marking, &self.places)?;
            let number = chain.add_state(name.clone(), reward != 0.0)?;
            chain = chain.with_reward(&name, reward)?;
            if let Some(slot) = numbers.get_mut(at) {
                *slot = Some(number);
            }
            markings.push(marking);
        }
        let number = |at: usize| numbers.get(at).copied().flatten();
        for (at, from) in numbers.iter().enumerate() {
            let Some(from) = from else { continue };
            for (to, rate) in left.out(at) {
                if let Some(to) = number(*to) {
                    chain.add_rate(*from, to, *rate)?;
                }
            }
        }
        let beginning = left.out(n).iter();
        let beginning = beginning.filter_map(|(to, share)| Some((number(*to)?, *share))).collect();
        Ok(Reached { chain, markings, places: self.places.clone(), beginning, vanishing })
    }
}

impl Reached {
    /// The chain between the markings in which time goes by.
    #[must_use]
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// How likely each marking is in the long run. Those that the net leaves for good, such as its
    /// beginning, have probability 0.
    ///
    /// ```
    /// use loadgen_core::model::availability::{Net, Transition};
    ///
    /// // It is installed once, in 2 h; then it fails each 99 h, and is repaired in 1 h.
    /// let mut net = Net::new().with_place("new", 1)?.with_place("up", 0)?.with_place("down", 0)?;
    /// for (name, from, to, mean) in
    ///     [("install", "new", "up", 2.0), ("fail", "up", "down", 99.0), ("fix", "down", "up", 1.0)]
    /// {
    ///     let transition = Transition::after_mean(name, mean).taking(from, 1).giving(to, 1);
    ///     net = net.with_transition(transition)?;
    /// }
    /// let reached = net.explore("up > 0")?;
    /// let long_run = reached.steady_state()?;
    /// assert_eq!(long_run.probability("new"), Some(0.0));
    /// assert!((long_run.availability().up() - 0.99).abs() < 1e-15);
    /// # Ok::<(), loadgen_core::model::availability::NetError>(())
    /// ```
    ///
    /// # Errors
    /// If a marking cannot be left, there is more than one group of markings that the net may stay
    /// in for ever, or it cannot be solved.
    pub fn steady_state(&self) -> Result<Distribution, NetError> {
        Ok(steady::where_it_ends(&self.chain)?)
    }

    /// In how many markings time goes by: the states of the chain.
    #[must_use]
    pub fn markings(&self) -> usize {
        self.markings.len()
    }

    /// How many markings there are besides, which are left at once.
    #[must_use]
    pub fn vanishing(&self) -> usize {
        self.vanishing
    }

    /// In which states the net begins, with the share of each, for
    /// [`Chain::transient`].
    pub fn beginning(&self) -> impl Iterator<Item = (&str, f64)> {
        self.beginning.iter().map(|(at, share)| (self.chain.name(*at), *share))
    }

    /// The mean of an [`Expression`] over places: of a condition its probability, of a place its
    /// tokens.
    ///
    /// # Errors
    /// If the expression is none, or has no value in a marking.
    pub fn mean(&self, of: &Distribution, expression: &str) -> Result<f64, NetError> {
        let places: Vec<&str> = self.places.iter().map(String::as_str).collect();
        let reward = Reward::parse(expression, &places)?;
        let mut mean = 0.0;
        for (marking, probability) in self.markings.iter().zip(of.probabilities()) {
            mean += reward.of(marking, &self.places)? * probability;
        }
        Ok(mean)
    }
}

/// An expression that has to have a value.
struct Reward<'a> {
    text: &'a str,
    expression: Expression,
}

impl<'a> Reward<'a> {
    fn parse(text: &'a str, places: &[&str]) -> Result<Self, NetError> {
        let expression = Expression::parse(text, places)
            .map_err(|cause| NetError::Reward { expression: text.to_owned(), cause })?;
        Ok(Self { text, expression })
    }

    fn of(&self, marking: &[u32], places: &[String]) -> Result<f64, NetError> {
        let value = self.expression.value(&values(marking));
        if value.is_finite() {
            return Ok(value);
        }
        let (expression, marking) = (self.text.to_owned(), named(places, marking));
        Err(NetError::RewardValue { expression, marking })
    }
}

fn values(marking: &[u32]) -> Vec<f64> {
    marking.iter().map(|tokens| f64::from(*tokens)).collect()
}

/// A marking in words: places with their tokens, unless they have none.
fn named(places: &[String], marking: &[u32]) -> String {
    let words: Vec<String> = places
        .iter()
        .zip(marking)
        .filter(|(_, tokens)| **tokens > 0)
        .map(|(place, tokens)| match tokens {
            1 => place.clone(),
            _ => format!("{tokens}*{place}"),
        })
        .collect();
    if words.is_empty() { "no tokens".to_owned() } else { words.join(" ") }
}

/// Markings while they are found.
struct Explored {
    markings: Vec<Vec<u32>>,
    /// In which of them time goes by.
    tangible: Vec<bool>,
    numbers: HashMap<Vec<u32>, usize>,
    /// Rates from markings in which time goes by, and shares from the others; one more marking,
    /// behind all others, stands for what was before the beginning.
    edges: Vec<(usize, usize, f64)>,
    waiting: VecDeque<usize>,
    /// How many markings there are in which time goes by.
    lasting: usize,
}

impl Explored {
    fn of(net: &Net) -> Result<Self, NetError> {
        let (markings, tangible, edges) = (Vec::new(), Vec::new(), Vec::new());
        let (numbers, waiting) = (HashMap::new(), VecDeque::new());
        let mut found = Self { markings, tangible, numbers, edges, waiting, lasting: 0 };
        let first = found.number(net.tokens.clone(), net)?;
        while let Some(from) = found.waiting.pop_front() {
            let marking = found.markings.get(from).cloned().unwrap_or_default();
            for (transition, after) in possible(net, &marking)? {
                let to = found.number(after, net)?;
                let weight = match transition.kind {
                    Kind::Timed { rate } => rate,
                    Kind::Immediate { weight, .. } => weight,
                };
                found.edges.push((from, to, weight));
            }
        }
        found.edges.push((found.markings.len(), first, 1.0));
        Ok(found)
    }

    /// The number of a marking, which is looked at later if it is new.
    fn number(&mut self, marking: Vec<u32>, net: &Net) -> Result<usize, NetError> {
        if let Some(number) = self.numbers.get(&marking) {
            return Ok(*number);
        }
        let immediate = |transition: &Compiled| matches!(transition.kind, Kind::Immediate { .. });
        let mut ways = possible(net, &marking)?.into_iter();
        let tangible = !ways.next().is_some_and(|(transition, _)| immediate(transition));
        let number = self.markings.len();
        self.tangible.push(tangible);
        self.lasting += usize::from(tangible);
        let vanishing = self.tangible.len() - self.lasting;
        let (alike, most) =
            if tangible { (self.lasting, MOST_STATES) } else { (vanishing, MOST_VANISHING) };
        if alike > most {
            let most_tokens = marking.iter().zip(&net.places).max();
            let (tokens, place) =
                most_tokens.map_or((0, String::new()), |(n, place)| (*n, place.clone()));
            return Err(NetError::TooManyMarkings { most, place, tokens });
        }
        self.numbers.insert(marking.clone(), number);
        self.markings.push(marking);
        self.waiting.push_back(number);
        Ok(number)
    }

    /// Refuses a net in which markings that are left at once lead to none but each other.
    fn all_end(&self, edges: &[(usize, usize, f64)], net: &Net) -> Result<(), NetError> {
        let numbers = || self.tangible.iter().enumerate();
        let tangible = numbers().filter(|(_, is_tangible)| **is_tangible).map(|(at, _)| at);
        let mut back = edges.iter().map(|(from, to, _)| (*to, *from));
        let ends = reached(self.markings.len() + 1, &mut back, tangible);
        let mut transitions: Vec<String> = Vec::new();
        for (at, marking) in self.markings.iter().enumerate() {
            if ends.get(at).copied().unwrap_or(true) {
                continue;
            }
            for (transition, _) in possible(net, marking)? {
                if !transitions.contains(&transition.name) {
                    transitions.push(transition.name.clone());
                }
            }
        }
        if transitions.is_empty() { Ok(()) } else { Err(NetError::Loop { transitions }) }
    }
}

/// The transitions that may go next, with the markings behind them: immediate ones of the highest
/// priority that there is, or else timed ones.
fn possible<'a>(net: &'a Net, marking: &[u32]) -> Result<Vec<(&'a Compiled, Vec<u32>)>, NetError> {
    let values = values(marking);
    let mut highest = None;
    let mut ways = Vec::new();
    for transition in &net.transitions {
        let level = match transition.kind {
            Kind::Timed { .. } => None,
            Kind::Immediate { priority, .. } => Some(priority),
        };
        if level < highest {
            continue;
        }
        let after = transition.after(marking, &values).map_err(|()| NetError::GuardValue {
            transition: transition.name.clone(),
            marking: named(&net.places, marking),
        })?;
        let Some(after) = after else { continue };
        if level > highest {
            highest = level;
            ways.clear();
        }
        ways.push((transition, after));
    }
    Ok(ways)
}

#[cfg(test)]
mod tests {
    use super::super::net::Transition;
    use super::*;

    fn net(places: &[(&str, u32)], transitions: impl IntoIterator<Item = Transition>) -> Net {
        let net = places
            .iter()
            .try_fold(Net::new(), |net, (name, tokens)| net.with_place(*name, *tokens));
        transitions.into_iter().try_fold(net.unwrap(), Net::with_transition).unwrap()
    }

    fn timed(name: &str, rate: f64, from: &str, to: &str) -> Transition {
        Transition::at_rate(name, rate).taking(from, 1).giving(to, 1)
    }

    fn at_once(name: &str, from: &str, to: &str) -> Transition {
        Transition::immediate(name).taking(from, 1).giving(to, 1)
    }

    /// From the choice a third goes on, and the rest round and back to it.
    #[test]
    fn loops_that_end_are_taken_out_exactly() {
        let places = [("on", 1), ("choice", 0), ("round", 0), ("x", 0), ("y", 0)];
        let net = net(
            &places,
            [
                timed("leave", 3.0, "on", "choice"),
                at_once("again", "choice", "round").with_weight(5.0),
                at_once("back", "round", "choice"),
                at_once("to_x", "choice", "x"),
                at_once("to_y", "choice", "y").with_weight(4.0),
                timed("x_back", 1.0, "x", "on"),
                timed("y_back", 2.0, "y", "on"),
            ],
        );
        let reached = net.explore("on > 0").unwrap();
        assert_eq!((reached.markings(), reached.vanishing()), (3, 2));
        let rates: Vec<_> = reached.chain().rates().collect();
        let close = |at: usize, wanted: f64| assert!((rates[at].2 - wanted).abs() < 1e-15);
        close(0, 3.0 / 5.0);
        close(1, 3.0 * 4.0 / 5.0);
        assert_eq!((rates[0].0, rates[0].1, rates[1].1), ("on", "x", "y"));
        assert_eq!(reached.beginning().collect::<Vec<_>>(), [("on", 1.0)]);
    }

    #[test]
    fn the_beginning_may_be_left_at_once() {
        let net = net(
            &[("choice", 1), ("x", 0), ("y", 0)],
            [
                at_once("to_x", "choice", "x"),
                at_once("to_y", "choice", "y").with_weight(3.0),
                timed("x_y", 1.0, "x", "y"),
                timed("y_x", 1.0, "y", "x"),
            ],
        );
        let reached = net.explore("x").unwrap();
        assert_eq!(reached.beginning().collect::<Vec<_>>(), [("x", 0.25), ("y", 0.75)]);
        let now = reached.chain().transient(0.0, reached.beginning()).unwrap();
        assert_eq!(reached.mean(&now, "2 * y").unwrap(), 1.5);
        assert_eq!(now.reward(), 0.25);
    }

    #[test]
    fn priorities_go_before_weights() {
        let net = net(
            &[("a", 1), ("b", 0), ("c", 0)],
            [
                timed("never", 1e6, "b", "a"),
                timed("a_b", 1.0, "a", "b"),
                timed("c_a", 1.0, "c", "a"),
                at_once("b_a", "b", "a").with_weight(1e6),
                at_once("b_c", "b", "c").with_priority(1),
            ],
        );
        let reached = net.explore("a").unwrap();
        let rates: Vec<_> = reached.chain().rates().collect();
        assert_eq!(rates, [("a", "c", 1.0), ("c", "a", 1.0)]);
    }

    #[test]
    fn nets_without_an_end() {
        let told = |net: Net, up: &str| net.explore(up).unwrap_err().to_string();
        let round = net(
            &[("a", 1), ("b", 0), ("c", 0)],
            [timed("a_b", 1.0, "a", "b"), at_once("there", "b", "c"), at_once("back", "c", "b")],
        );
        assert_eq!(
            told(round, "a"),
            "immediate transitions go round without an end: 'there' and 'back'; give one of them a \
             guard, or a time"
        );
        let grows = net(&[("a", 0)], [Transition::at_rate("more", 1.0).giving("a", 1)]);
        let error = told(grows, "a");
        assert!(error.contains("more than 10000 markings") && error.contains("'a'"), "{error}");
        let grows = net(&[("a", 0)], [Transition::immediate("more").giving("a", 1)]);
        assert!(told(grows, "a").contains("more than 100000 markings"));
        let still = net(&[("a", 1)], []);
        assert_eq!(still.explore("a").unwrap().chain().states()[0].name, "a");
        assert!(told(still.clone(), "b").contains("there is no 'b'"));
        assert_eq!(told(still, "1 / (a - 1)"), "'1 / (a - 1)' is no number where there is 'a'");
        let guard = Transition::at_rate("t", 1.0).guarded("1 / (a - 1) > 0");
        let error = told(net(&[("a", 1)], [guard]), "a");
        assert_eq!(error, "the guard of the transition 't' divides by 0 where there is 'a'");
    }

    #[test]
    fn a_net_may_begin_where_it_never_comes_back_to() {
        let once = |last: &str| {
            net(
                &[("new", 1), ("a", 0), ("b", 0), ("c", 0)],
                [
                    timed("to_a", 1.0, "new", "a"),
                    timed("or_c", 1.0, "new", last),
                    timed("a_b", 1.0, "a", "b"),
                    timed("b_a", 3.0, "b", "a"),
                    timed("c_c", 3.0, "c", "c"),
                ],
            )
        };
        let reached = once("b").explore("a").unwrap();
        assert_eq!(reached.steady_state().unwrap().probabilities(), [0.0, 0.75, 0.25]);
        let strict = reached.chain().steady_state().unwrap_err().to_string();
        assert!(strict.starts_with("the chain does not come back to 'new'"), "{strict}");
        let two = once("c").explore("a").unwrap().steady_state().unwrap_err().to_string();
        assert!(two.starts_with("'c' cannot be left"), "{two}");
    }

    #[test]
    fn what_changes_nothing_is_left_out() {
        let loops = net(
            &[("a", 1), ("b", 0)],
            [timed("a_a", 5.0, "a", "a"), timed("a_b", 1.0, "a", "b"), timed("b_a", 3.0, "b", "a")],
        );
        let long_run = loops.explore("a").unwrap().chain().steady_state().unwrap();
        assert_eq!(long_run.probability("a"), Some(0.75));
        assert_eq!(net(&[], []).explore("1").unwrap().chain().states()[0].name, "no tokens");
    }
}
