//! Which strategy is best, under limits.

use super::figure::{Figure, Limits};
use super::forecast::Forecast;
use super::judged::{Broken, Judged, Unjudged};
use crate::model::strategy::Strategy;

/// How far the best strategy is before the next one.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Lead {
    /// The figure that decides between the two.
    pub figure: Figure,
    /// Of the best.
    pub value: f64,
    /// The next one that holds the limits, too.
    pub next: Strategy,
    /// Of that one; `None`: there are more calls than can be gone through.
    pub next_value: Option<f64>,
}

/// Which strategy is best.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Choice {
    /// The best of those that are known to hold all limits; `None`: none is.
    pub best: Option<Strategy>,
    /// Whether the outage of the best, too, is only known to be no less than it says: there was none
    /// whose outage is known as a whole.
    pub is_least: bool,
    /// Others that are known to hold the limits and may be better: nobody knows, since their outage
    /// is only known to be no less.
    pub maybe_better: Vec<Strategy>,
    /// Why it is better than the next; `None`: no other holds the limits, or they are alike.
    pub lead: Option<Lead>,
    /// Those that hold the limits, and are as good in all that counts, as far as models can tell.
    pub alike: Vec<Strategy>,
    /// Those that do not converge.
    pub endless: Vec<Strategy>,
    /// Those that break limits, and which.
    pub broken: Vec<(Strategy, Vec<Broken>)>,
    /// Those that break none, and may not hold some, and which.
    pub unjudged: Vec<(Strategy, Vec<Unjudged>)>,
}

/// The best of some strategies under limits.
///
/// Those that do not converge or are not known to hold every limit are out. The others are held
/// against each other in the figures of [`Figure::ALL`] that have no limit (a limit says that up to
/// it all is fine), one after the other: whoever is worse than the least by more than a model can
/// tell ([`Figure::tolerance`]) is out, until one is left. Those whose outage is only known to be no
/// less stand back behind the others: they are [named](Choice::maybe_better) as far as they may be
/// better. A limit on calls is judged by what recordings let expect, where there are any.
///
/// ```
/// use loadgen_core::model::Strategy;
/// use loadgen_core::model::migration::{Dirtying, Pattern};
/// use loadgen_core::model::strategies::{Limits, Scenario, choose};
///
/// let dirtying = Dirtying::new(8.0).within(64.0, Pattern::RoundRobin);
/// let scenario = Scenario::new(512.0, 32.0, dirtying).with_device_state(1.0);
/// // The service answers 50 ms after the resume, and 100 ms where memory follows.
/// let forecasts = scenario.with_settle_s(0.05, Some(0.1)).forecasts()?;
/// // By the outage, and then by the time.
/// assert_eq!(choose(&forecasts, &Limits::default()).best, Some(Strategy::PostCopy));
/// // 512 in a second is more than any can send.
/// let mut limits = Limits::default();
/// limits.total_s = Some(1.0);
/// assert_eq!(choose(&forecasts, &limits).best, None);
/// # Ok::<(), loadgen_core::model::ModelError>(())
/// ```
#[must_use]
pub fn choose(forecasts: &[Forecast], limits: &Limits) -> Choice {
    let mut choice = Choice::default();
    let (mut whole, mut bounded) = (Vec::new(), Vec::new());
    for forecast in forecasts {
        let judged = Judged::new(forecast, limits);
        if !forecast.prediction.converges {
            choice.endless.push(forecast.strategy);
        } else if !judged.broken.is_empty() {
            choice.broken.push((forecast.strategy, judged.broken));
        } else if !judged.unjudged.is_empty() {
            choice.unjudged.push((forecast.strategy, judged.unjudged));
        } else if forecast.outage_is_least {
            bounded.push(forecast);
        } else {
            whole.push(forecast);
        }
    }
    let figures: Vec<Figure> =
        Figure::ALL.into_iter().filter(|figure| figure.limit(limits).is_none()).collect();
    if whole.is_empty() {
        // What users feel cannot decide between those.
        let of_machine: Vec<Figure> =
            figures.iter().copied().filter(|figure| !figure.is_of_users()).collect();
        choice.is_least = !bounded.is_empty();
        contest(&mut choice, bounded, &of_machine);
        return choice;
    }
    contest(&mut choice, whole, &figures);
    let best = forecasts.iter().find(|of| Some(of.strategy) == choice.best);
    // Whoever is behind already in what users feel is behind in any case.
    let may_be_better = |of: &&Forecast| {
        let is_behind = |figure: &Figure| {
            let values = figure.of(of).zip(best.and_then(|best| figure.of(best)));
            values.is_some_and(|(v, best)| v - best > figure.tolerance(best))
        };
        !figures.iter().filter(|figure| figure.is_of_users()).any(is_behind)
    };
    let maybe = bounded.into_iter().filter(may_be_better);
    choice.maybe_better = maybe.map(|of| of.strategy).collect();
    choice
}

/// Holds strategies against each other in these figures, one after the other.
fn contest(choice: &mut Choice, mut left: Vec<&Forecast>, figures: &[Figure]) {
    // Who went out last, and by which figure.
    let mut last: Option<(Figure, &Forecast)> = None;
    for &figure in figures {
        let of = |forecast: &Forecast| figure.of(forecast);
        let Some(least) = left.iter().filter_map(|one| of(one)).min_by(f64::total_cmp) else {
            continue;
        };
        let is_out = |one: &&Forecast| match of(one) {
            Some(value) => value - least > figure.tolerance(least),
            // More calls than can be gone through.
            None => figure.is_of_users() && one.unfelt.is_some(),
        };
        let mut out: Vec<&Forecast> = left.iter().copied().filter(is_out).collect();
        let or_endless = |one: &Forecast| of(one).unwrap_or(f64::INFINITY);
        out.sort_by(|a, b| or_endless(a).total_cmp(&or_endless(b)));
        if let Some(next) = out.first() {
            last = Some((figure, *next));
        }
        left.retain(|one| !is_out(one));
    }
    // Of those that models cannot tell apart the one that they say is better.
    let better = |a: &&Forecast, b: &&Forecast| {
        let of = |of: &Forecast, figure: Figure| figure.of(of).unwrap_or(f64::INFINITY);
        let each = Figure::ALL.into_iter().map(|figure| of(a, figure).total_cmp(&of(b, figure)));
        each.reduce(std::cmp::Ordering::then).unwrap_or(std::cmp::Ordering::Equal)
    };
    left.sort_by(better);
    choice.best = left.first().map(|forecast| forecast.strategy);
    choice.alike = left.iter().skip(1).map(|forecast| forecast.strategy).collect();
    if let (Some(best), Some((figure, next)), true) = (left.first(), last, left.len() == 1)
        && let Some(value) = figure.of(best)
    {
        choice.lead =
            Some(Lead { figure, value, next: next.strategy, next_value: figure.of(next) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::migration::{Dirtying, Pattern};
    use crate::model::strategies::{Population, Scenario};
    use crate::model::users::{Connections, Users};

    fn forecasts(rate: f64) -> Vec<Forecast> {
        let dirtying = Dirtying::new(rate).within(64.0, Pattern::RoundRobin);
        let users = Users::new(100.0, Connections::Fresh).with_timeout_s(5.0);
        let scenario = Scenario::new(512.0, 32.0, dirtying).with_device_state(1.0);
        // Nobody waits for the first pages.
        let scenario = scenario.with_settle_s(0.0, Some(0.0));
        scenario.with_population(Population::new("fresh", users)).forecasts().unwrap()
    }

    #[test]
    fn a_limit_takes_its_figure_out_of_the_contest() {
        let mut limits = Limits { lost_calls: Some(0.0), ..Limits::default() };
        let choice = choose(&forecasts(8.0), &limits);
        // 16 s are too long for all; the others lose none, and pre-copy makes more calls late. Then
        // post-copy is shorter than hybrid.
        assert_eq!(choice.best, Some(Strategy::PostCopy));
        let lead = choice.lead.unwrap();
        assert_eq!((lead.figure, lead.next), (Figure::Total, Strategy::Hybrid));
        assert_eq!(choice.broken[0].0, Strategy::StopAndCopy);
        assert_eq!(choice.broken[0].1[0].figure, Figure::LostCalls);
        limits.late_calls = Some(200.0);
        (limits.outage_s, limits.downtime_s) = (Some(0.4), Some(0.4));
        // By the time alone.
        assert_eq!(choose(&forecasts(8.0), &limits).best, Some(Strategy::PostCopy));
    }

    /// What models cannot tell apart is told as alike.
    #[test]
    fn small_differences_decide_nothing() {
        let mut all = forecasts(8.0);
        all.retain(|of| of.strategy == Strategy::PostCopy);
        let mut other = all[0].clone();
        other.strategy = Strategy::Hybrid;
        other.prediction.total_s *= 1.05;
        other.outage_s += 0.015;
        other.felt[0].felt.late += 4;
        all.push(other);
        let choice = choose(&all, &Limits::default());
        assert_eq!((choice.best, choice.lead), (Some(Strategy::PostCopy), None));
        assert_eq!(choice.alike, [Strategy::Hybrid]);
    }

    /// Of recordings limits are judged by what they let expect; what was not recorded has no
    /// advantage from that.
    #[test]
    fn what_was_not_recorded_holds_no_limit_on_calls_by_its_outage_alone() {
        let mut all = forecasts(8.0);
        all.retain(|of| [Strategy::PostCopy, Strategy::Hybrid].contains(&of.strategy));
        let limits = Limits { lost_calls: Some(2.0), ..Limits::default() };
        assert_eq!(choose(&all, &limits).best, Some(Strategy::PostCopy));
        let post_copy = all.iter_mut().find(|of| of.strategy == Strategy::PostCopy).unwrap();
        post_copy.expected_lost = Some(3.0);
        let hybrid = all.iter_mut().find(|of| of.strategy == Strategy::Hybrid).unwrap();
        hybrid.calls_are_least = true;
        let choice = choose(&all, &limits);
        assert_eq!((choice.best, choice.broken[0].0), (None, Strategy::PostCopy));
        let (strategy, of) = &choice.unjudged[0];
        assert_eq!((*strategy, of[0].least), (Strategy::Hybrid, Some(0.0)));
        for of in &mut all {
            (of.expected_lost, of.calls_are_least) = (Some(1.0), false);
        }
        assert_eq!(choose(&all, &limits).best, Some(Strategy::PostCopy));
        // Beyond the limit by its outage alone, and so beyond it in any case.
        let hybrid = all.iter_mut().find(|of| of.strategy == Strategy::Hybrid).unwrap();
        (hybrid.expected_lost, hybrid.calls_are_least) = (None, true);
        hybrid.felt[0].felt.failed = 7;
        let choice = choose(&all, &limits);
        assert_eq!((choice.broken[0].0, choice.broken[0].1[0].value), (Strategy::Hybrid, 7.0));
    }

    /// An outage that nobody saw the end of holds no limit, breaks those that it is beyond, and wins
    /// no contest.
    #[test]
    fn the_least_that_it_can_be_holds_no_limit() {
        let mut all = forecasts(8.0);
        all.retain(|of| [Strategy::PostCopy, Strategy::PreCopy].contains(&of.strategy));
        let (pre, post) = (0, 1);
        (all[pre].outage_s, all[post].outage_s) = (0.4, 0.1);
        (all[post].outage_is_least, all[post].calls_are_least) = (true, true);
        let limits = Limits { outage_s: Some(0.5), ..Limits::default() };
        let choice = choose(&all, &limits);
        assert_eq!(choice.best, Some(Strategy::PreCopy));
        let (strategy, of) = &choice.unjudged[0];
        assert_eq!(
            (*strategy, of[0].figure, of[0].least),
            (Strategy::PostCopy, Figure::Outage, Some(0.1))
        );
        let limits = Limits { lost_calls: Some(9.0), ..Limits::default() };
        assert_eq!(choose(&all, &limits).unjudged[0].0, Strategy::PostCopy);
        let limits = Limits { outage_s: Some(0.05), ..Limits::default() };
        assert_eq!(choose(&all, &limits).broken.len(), 2);
        // It stands back, and is named as long as it may be better.
        let choice = choose(&all, &Limits::default());
        assert_eq!((choice.best, choice.is_least), (Some(Strategy::PreCopy), false));
        assert_eq!((choice.lead, choice.maybe_better), (None, vec![Strategy::PostCopy]));
        all[post].outage_s = 3.0;
        assert!(choose(&all, &Limits::default()).maybe_better.is_empty());
        // By itself it is the best that there is, and that says so.
        let choice = choose(&all[post..], &Limits::default());
        assert_eq!((choice.best, choice.is_least), (Some(Strategy::PostCopy), true));
    }

    /// More calls than can be gone through are more than any that can.
    #[test]
    fn users_that_cannot_be_told_win_nothing() {
        let mut all = forecasts(8.0);
        all.retain(|of| [Strategy::StopAndCopy, Strategy::PreCopy].contains(&of.strategy));
        assert_eq!(all[0].strategy, Strategy::StopAndCopy);
        all[0].felt.clear();
        all[0].unfelt = Some("too many".to_owned());
        let limits = Limits { outage_s: Some(99.0), downtime_s: Some(99.0), ..Limits::default() };
        let choice = choose(&all, &limits);
        assert_eq!(choice.best, Some(Strategy::PreCopy));
        let lead = choice.lead.unwrap();
        assert_eq!((lead.figure, lead.next_value), (Figure::LostCalls, None));
    }

    #[test]
    fn what_does_not_end_is_not_chosen() {
        let limits = Limits { total_s: Some(17.0), ..Limits::default() };
        let choice = choose(&forecasts(200.0), &limits);
        assert_eq!(choice.endless, [Strategy::PreCopy]);
        assert_ne!(choice.best, Some(Strategy::PreCopy));
        assert!(choose(&[], &limits).best.is_none());
    }

    #[test]
    fn what_nobody_knows_holds_no_limit_and_decides_nothing() {
        let dirtying = Dirtying::new(1.0);
        let forecasts = Scenario::new(64.0, 32.0, dirtying).forecasts().unwrap();
        let limits = Limits { lost_calls: Some(0.0), ..Limits::default() };
        let choice = choose(&forecasts, &limits);
        assert_eq!((choice.best, choice.unjudged.len()), (None, 4));
        assert!(choice.unjudged.iter().all(|(_, of)| of[0].least.is_none()));
        let choice = choose(&forecasts, &Limits::default());
        // Of post-copy and hybrid nobody knows how long they wait for the first pages.
        assert_eq!(choice.best, Some(Strategy::PreCopy));
        assert_eq!(choice.maybe_better, [Strategy::Hybrid, Strategy::PostCopy]);
    }
}
