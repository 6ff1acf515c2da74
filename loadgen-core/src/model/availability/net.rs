//! Stochastic Petri nets.

use super::expression::Expression;
use super::net_error::NetError;

/// Rates and weights with which can be computed.
const SOUND: std::ops::RangeInclusive<f64> = 1e-100..=1e100;

/// A generalised stochastic Petri net (Ajmone Marsan, Conte & Balbo, *ACM TOCS* 2, 1984) with
/// guards: places with tokens, and transitions that take tokens and give others, after a time that
/// follows an exponential law, or at once.
///
/// A timed transition has its rate whatever number of tokens there is (one server). Where an
/// immediate transition is possible, no timed one goes: of those with the highest priority one
/// goes, by their weights.
///
/// ```
/// use loadgen_core::model::availability::{Net, Transition};
///
/// // Two hosts, one of which runs the machine; when it fails, the other one takes over in 30 s.
/// let mut net = Net::new()
///     .with_place("hosts", 2)?
///     .with_place("broken", 0)?
///     .with_place("machine", 1)?
///     .with_place("lost", 0)?;
/// for transition in [
///     Transition::after_mean("fails", 2654.0).taking("hosts", 1).giving("broken", 1)
///         .taking("machine", 1).giving("lost", 1),
///     Transition::after_mean("repaired", 5.0 / 3.0).taking("broken", 1).giving("hosts", 1),
///     Transition::after_mean("starts", 30.0 / 3600.0).taking("lost", 1).giving("machine", 1)
///         .guarded("hosts > 0"),
/// ] {
///     net = net.with_transition(transition)?;
/// }
/// let reached = net.explore("machine > 0")?;
/// let long_run = reached.steady_state()?;
/// assert_eq!(reached.markings(), 5);
/// assert!((long_run.availability().minutes_a_year() - 1.856).abs() < 1e-3);
/// assert!(reached.mean(&long_run, "broken == 2")? < 1e-5);
/// # Ok::<(), loadgen_core::model::availability::NetError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Net {
    pub(super) places: Vec<String>,
    /// Tokens at the beginning.
    pub(super) tokens: Vec<u32>,
    pub(super) transitions: Vec<Compiled>,
}

/// A transition of a net, as it is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Transition {
    name: String,
    kind: Kind,
    takes: Vec<(String, u32)>,
    gives: Vec<(String, u32)>,
    inhibitors: Vec<(String, u32)>,
    guard: Option<String>,
}

/// When a transition goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Timed { rate: f64 },
    Immediate { weight: f64, priority: u32 },
}

/// A transition with numbers for names.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Compiled {
    pub(super) name: String,
    pub(super) kind: Kind,
    takes: Vec<(usize, u32)>,
    gives: Vec<(usize, u32)>,
    inhibitors: Vec<(usize, u32)>,
    guard: Option<Expression>,
}

impl Transition {
    fn new(name: impl Into<String>, kind: Kind) -> Self {
        let (takes, gives, inhibitors) = (Vec::new(), Vec::new(), Vec::new());
        Self { name: name.into(), kind, takes, gives, inhibitors, guard: None }
    }

    /// One that goes at this rate, per unit of time.
    #[must_use]
    pub fn at_rate(name: impl Into<String>, rate: f64) -> Self {
        Self::new(name, Kind::Timed { rate })
    }

    /// One that goes after this time in the mean.
    #[must_use]
    pub fn after_mean(name: impl Into<String>, mean: f64) -> Self {
        Self::at_rate(name, 1.0 / mean)
    }

    /// One that goes at once, with weight 1 and priority 0.
    #[must_use]
    pub fn immediate(name: impl Into<String>) -> Self {
        Self::new(name, Kind::Immediate { weight: 1.0, priority: 0 })
    }

    /// With this weight among immediate ones of the same priority; it makes no difference to a
    /// timed one.
    #[must_use]
    pub fn with_weight(mut self, more: f64) -> Self {
        if let Kind::Immediate { weight, .. } = &mut self.kind {
            *weight = more;
        }
        self
    }

    /// With this priority among immediate ones: the highest that is possible goes. It makes no
    /// difference to a timed one.
    #[must_use]
    pub fn with_priority(mut self, level: u32) -> Self {
        if let Kind::Immediate { priority, .. } = &mut self.kind {
            *priority = level;
        }
        self
    }

    /// It takes tokens from a place, and needs them.
    #[must_use]
    pub fn taking(mut self, place: impl Into<String>, tokens: u32) -> Self {
        self.takes.push((place.into(), tokens));
        self
    }

    /// It gives tokens to a place.
    #[must_use]
    pub fn giving(mut self, place: impl Into<String>, tokens: u32) -> Self {
        self.gives.push((place.into(), tokens));
        self
    }

    /// It is not possible while a place has that many tokens, or more.
    #[must_use]
    pub fn inhibited_by(mut self, place: impl Into<String>, tokens: u32) -> Self {
        self.inhibitors.push((place.into(), tokens));
        self
    }

    /// It is possible only where this [`Expression`](super::Expression) over places holds.
    #[must_use]
    pub fn guarded(mut self, guard: impl Into<String>) -> Self {
        self.guard = Some(guard.into());
        self
    }
}

impl Net {
    /// A net without places.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more place, which has so many tokens at the beginning.
    ///
    /// # Errors
    /// If the name is none (letters, digits and `_`, no digit first), or there is one.
    pub fn with_place(mut self, name: impl Into<String>, tokens: u32) -> Result<Self, NetError> {
        let name = name.into();
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !plain || name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(NetError::PlaceName { name });
        }
        if self.places.contains(&name) {
            return Err(NetError::TwoPlaces { name });
        }
        self.places.push(name);
        self.tokens.push(tokens);
        Ok(self)
    }

    /// With one more transition; its places have to be there.
    ///
    /// # Errors
    /// If there is one of that name, a place is unknown, the guard is no expression, or a rate
    /// or weight is no number from 1e-100 to 1e100.
    pub fn with_transition(mut self, transition: Transition) -> Result<Self, NetError> {
        let Transition { name, kind, takes, gives, inhibitors, guard } = transition;
        if self.transitions.iter().any(|other| other.name == name) {
            return Err(NetError::TwoTransitions { name });
        }
        let (what, value) = match kind {
            Kind::Timed { rate } => ("rate", rate),
            Kind::Immediate { weight, .. } => ("weight", weight),
        };
        if !SOUND.contains(&value) {
            return Err(NetError::Rate { transition: name, what, value });
        }
        let takes = self.numbered(&name, takes)?;
        let gives = self.numbered(&name, gives)?;
        let inhibitors = self.numbered(&name, inhibitors)?;
        let names = self.names();
        let guard = guard.map(|guard| Expression::parse(&guard, &names)).transpose();
        let guard = guard.map_err(|cause| NetError::Guard { transition: name.clone(), cause })?;
        self.transitions.push(Compiled { name, kind, takes, gives, inhibitors, guard });
        Ok(self)
    }

    pub(super) fn names(&self) -> Vec<&str> {
        self.places.iter().map(String::as_str).collect()
    }

    fn numbered(
        &self,
        transition: &str,
        arcs: Vec<(String, u32)>,
    ) -> Result<Vec<(usize, u32)>, NetError> {
        let numbered = arcs.into_iter().map(|(place, tokens)| {
            let at = self.places.iter().position(|known| *known == place);
            let at = at.ok_or_else(|| NetError::UnknownPlace {
                transition: transition.to_owned(),
                place,
                places: self.places.clone(),
            })?;
            Ok((at, tokens))
        });
        numbered.collect()
    }
}

impl Compiled {
    /// The marking behind it, if it is possible in this one; `None` within if its guard has
    /// no value.
    pub(super) fn after(&self, marking: &[u32], values: &[f64]) -> Result<Option<Vec<u32>>, ()> {
        let tokens = |at: usize| marking.get(at).copied().unwrap_or(0);
        if self.inhibitors.iter().any(|(at, most)| tokens(*at) >= *most) {
            return Ok(None);
        }
        let mut after = marking.to_vec();
        for (at, taken) in &self.takes {
            let Some(slot) = after.get_mut(*at) else { return Ok(None) };
            let Some(left) = slot.checked_sub(*taken) else { return Ok(None) };
            *slot = left;
        }
        if let Some(guard) = &self.guard {
            let value = guard.value(values);
            if !value.is_finite() {
                return Err(());
            }
            if value == 0.0 {
                return Ok(None);
            }
        }
        for (at, given) in &self.gives {
            if let Some(slot) = after.get_mut(*at) {
                // The number of markings ends it long before.
                *slot = slot.saturating_add(*given);
            }
        }
        Ok(Some(after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_refused() {
        let net = || Net::new().with_place("a", 1).unwrap();
        let told = |net: Result<Net, NetError>| net.unwrap_err().to_string();
        for name in ["", "1a", "a b", "é", "a-b"] {
            assert!(told(net().with_place(name, 0)).contains("letters, digits"), "{name}");
        }
        assert_eq!(told(net().with_place("a", 0)), "there are two places 'a'");
        let one = || Transition::after_mean("t", 2.0);
        assert_eq!(
            told(net().with_transition(one().taking("b", 1))),
            "the transition 't' names the place 'b': there is 'a'"
        );
        assert_eq!(
            told(net().with_transition(one().guarded("a = 1"))),
            "the guard of the transition 't' cannot be read: at character 3: expected '==', and \
             not '='"
        );
        let twice = net().with_transition(one()).unwrap().with_transition(one());
        assert_eq!(told(twice), "there are two transitions 't'");
        for mean in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let error = told(net().with_transition(Transition::after_mean("t", mean)));
            assert!(error.starts_with("the rate of the transition 't' is"), "{error}");
        }
        let error = told(net().with_transition(Transition::immediate("t").with_weight(-1.0)));
        assert!(error.starts_with("the weight of the transition 't' is -1"), "{error}");
    }

    #[test]
    fn transitions_go_where_they_can() {
        let net = Net::new().with_place("a", 2).unwrap().with_place("b", 0).unwrap();
        let net = net
            .with_transition(
                Transition::at_rate("t", 1.0)
                    .taking("a", 2)
                    .giving("b", 3)
                    .inhibited_by("b", 4)
                    .guarded("1 / (b - 1) < 0.4"),
            )
            .unwrap();
        let after = |marking: &[u32]| {
            let values: Vec<f64> = marking.iter().map(|tokens| f64::from(*tokens)).collect();
            net.transitions[0].after(marking, &values)
        };
        assert_eq!(after(&[2, 0]), Ok(Some(vec![0, 3])));
        assert_eq!(after(&[1, 0]), Ok(None), "too few tokens");
        assert_eq!(after(&[2, 4]), Ok(None), "inhibited");
        assert_eq!(after(&[2, 2]), Ok(None), "guarded");
        assert_eq!(after(&[2, 1]), Err(()), "by zero");
    }
}
