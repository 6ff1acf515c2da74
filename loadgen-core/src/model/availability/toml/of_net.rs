//! A net of a file.

use super::document::{Arcs, NetTable};
use super::of_chain::Misplaced;
use super::timing::{Around, Timing, Told};
use crate::model::availability::expression::Expression;
use crate::model::availability::net::{Net, Transition};
use crate::printable::printable;

pub(super) fn net(table: &NetTable, around: Around<'_>) -> Result<Net, Misplaced> {
    let mut net = Net::new();
    // In the order of the file, which is that of names in markings.
    let mut places: Vec<_> = table.places.iter().collect();
    places.sort_by_key(|(_, tokens)| tokens.span().start);
    for (name, tokens) in places {
        let at = Some(tokens.span().start);
        let with = net.with_place(name.as_str(), *tokens.get_ref());
        net = with
            .map_err(|error| (at, format!("net.places.{}", printable(name)), error.to_string()))?;
    }
    for spanned in &table.timed {
        let at = Some(spanned.span().start);
        let one = spanned.get_ref();
        let key = |key: &str| format!("net.timed '{}'{key}", printable(&one.name));
        let told = Told {
            mean: one.mean.as_ref(),
            rate: one.rate.as_ref(),
            from_trials: one.from_trials.as_deref(),
            ..Told::default()
        };
        let timing = told.timing("mean, rate and from_trials", around);
        let transition = match timing {
            Ok(Timing::Rate(rate)) => Transition::at_rate(&one.name, rate),
            Ok(Timing::Mean(mean)) => Transition::after_mean(&one.name, mean),
            // It has no keys for clocks.
            Ok(Timing::Clock(_)) => continue,
            Err((of, reason)) => {
                let of = if of.is_empty() { String::new() } else { format!(": {of}") };
                return Err((at, key(&of), reason));
            }
        };
        let transition = with(transition, [&one.takes, &one.gives, &one.inhibitors], &one.guard);
        let with = net.with_transition(transition);
        net = with.map_err(|error| (at, key(""), error.to_string()))?;
    }
    for spanned in &table.immediate {
        let at = Some(spanned.span().start);
        let one = spanned.get_ref();
        let transition = Transition::immediate(&one.name)
            .with_weight(one.weight.unwrap_or(1.0))
            .with_priority(one.priority.unwrap_or(0));
        let transition = with(transition, [&one.takes, &one.gives, &one.inhibitors], &one.guard);
        let with = net.with_transition(transition);
        let key = || format!("net.immediate '{}'", printable(&one.name));
        net = with.map_err(|error| (at, key(), error.to_string()))?;
    }
    let up = ("net.up".to_owned(), &table.up);
    let rewards = table.rewards.iter();
    let rewards = rewards.map(|(name, text)| (format!("net.rewards.{}", printable(name)), text));
    for (key, text) in std::iter::once(up).chain(rewards) {
        let read = Expression::parse(text.get_ref(), &net.names());
        read.map_err(|error| (Some(text.span().start), key, error.to_string()))?;
    }
    Ok(net)
}

fn with(transition: Transition, arcs: [&Arcs; 3], guard: &Option<String>) -> Transition {
    let [takes, gives, inhibitors] = arcs;
    let transition = takes.iter().fold(transition, |all, (place, n)| all.taking(place, *n));
    let transition = gives.iter().fold(transition, |all, (place, n)| all.giving(place, *n));
    let transition =
        inhibitors.iter().fold(transition, |all, (place, n)| all.inhibited_by(place, *n));
    match guard {
        Some(guard) => transition.guarded(guard),
        None => transition,
    }
}
