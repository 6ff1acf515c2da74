//! A chain of a file.

use super::document::{ChainTable, MoveTable};
use super::timing::{Around, Timing, Told, Wrong};
use crate::model::availability::chain::Chain;
use crate::model::availability::clocked::ClockedChain;
use crate::printable::printable;

/// Where it is wrong, in the text; which key; and why.
pub(super) type Misplaced = (Option<usize>, String, String);

pub(super) fn chain(table: &ChainTable, around: Around<'_>) -> Result<ClockedChain, Misplaced> {
    if table.moves.is_empty() {
        let reason = "there is no move: a move is [[chain.move]] with from, to and mean";
        return Err((None, "chain".to_owned(), reason.to_owned()));
    }
    let mut chain = with_states(table)?;
    for (name, reward) in &table.rewards {
        let at = Some(reward.span().start);
        let wrong = |error| (at, format!("chain.rewards.{name}"), format!("{error}"));
        chain = chain.with_reward(name, *reward.get_ref()).map_err(wrong)?;
    }
    let mut clocks = Vec::new();
    for spanned in &table.moves {
        let at = Some(spanned.span().start);
        let one = spanned.get_ref();
        let wrong = |(key, reason): Wrong| {
            let dot = if key.is_empty() { "" } else { "." };
            (at, format!("chain.move{dot}{key}"), reason)
        };
        let timing = told(one).timing("mean, rate, every and from_trials", around);
        let timing = timing.map_err(wrong)?;
        for from in one.from.all() {
            let with = match timing {
                Timing::Rate(rate) => chain.with_rate(from, &one.to, rate),
                Timing::Mean(mean) => chain.with_mean(from, &one.to, mean),
                Timing::Clock(_) => Ok(chain),
            };
            chain = with.map_err(|error| wrong(("", error.to_string())))?;
        }
        if let Timing::Clock(law) = timing {
            clocks.push((one, law, at));
        }
    }
    let mut clocked = ClockedChain::new(chain);
    for (one, law, at) in clocks {
        let from: Vec<&str> = one.from.all().iter().map(String::as_str).collect();
        let with = clocked.with_clock(&from, &one.to, law);
        clocked = with.map_err(|error| (at, "chain.move".to_owned(), error.to_string()))?;
    }
    Ok(clocked)
}

/// The states in the order in which moves name them.
fn with_states(table: &ChainTable) -> Result<Chain, Misplaced> {
    let up = |name: &String| table.up.iter().any(|up| up.get_ref() == name);
    let mut chain = Chain::new();
    let mut known = std::collections::HashSet::new();
    for spanned in &table.moves {
        let one = spanned.get_ref();
        let at = Some(spanned.span().start);
        let wrong = |key: &str, reason: String| (at, format!("chain.move{key}"), reason);
        if one.from.all().is_empty() {
            return Err(wrong(".from", "there is no state in it".to_owned()));
        }
        for name in one.from.all().iter().chain([&one.to]) {
            if known.insert(name) {
                chain = chain
                    .with_state(name.as_str(), up(name))
                    .map_err(|error| wrong("", error.to_string()))?;
            }
        }
    }
    if let Some(unknown) = table.up.iter().find(|name| !known.contains(name.get_ref())) {
        let reason = format!("no move names the state '{}'", printable(unknown.get_ref()));
        return Err((Some(unknown.span().start), "chain.up".to_owned(), reason));
    }
    Ok(chain)
}

fn told(one: &MoveTable) -> Told<'_> {
    Told {
        mean: one.mean.as_ref(),
        rate: one.rate.as_ref(),
        every: one.every.as_ref(),
        stages: one.stages,
        from_trials: one.from_trials.as_deref(),
    }
}
