//! States taken out of a chain, one by one, without a subtraction.

/// What remains of a chain from which states are taken out: weights from each state to others.
/// What led through a state that is gone leads on to where it led.
///
/// This is the elimination of Grassmann, Taksar & Heyman, *Operations Research* 33 (1985): a state
/// is left as often as it is entered, so that its diagonal is a sum of the other weights and never
/// a difference. All numbers are positive, and every result has nearly all of its digits, however
/// far the weights lie apart (O'Cinneide, *Numer. Math.* 65, 1993).
#[derive(Debug)]
pub(super) struct Elimination {
    /// Weights of each state that remains, by the number of the other one.
    out: Vec<Vec<(usize, f64)>>,
    /// From which states there are weights, in no order.
    into: Vec<Vec<usize>>,
    stored: usize,
}

/// A state that was taken out.
#[derive(Debug)]
pub(super) struct Gone {
    /// Its number.
    pub(super) state: usize,
    /// From where it was entered, and by how much of a visit there, in its own time.
    pub(super) from: Vec<(usize, f64)>,
}

impl Elimination {
    /// Weights between `n` states; those between the same two add up, and those from a state to
    /// itself change nothing.
    pub(super) fn new(n: usize, weights: impl IntoIterator<Item = (usize, usize, f64)>) -> Self {
        let mut rows: Vec<Vec<(usize, f64)>> = vec![Vec::new(); n];
        for (from, to, weight) in weights {
            if from != to
                && let Some(row) = rows.get_mut(from)
            {
                row.push((to, weight));
            }
        }
        let mut into = vec![Vec::new(); n];
        let mut stored = 0;
        for (from, row) in rows.iter_mut().enumerate() {
            row.sort_by_key(|(to, _)| *to);
            row.dedup_by(|later, kept| {
                let same = later.0 == kept.0;
                if same {
                    kept.1 += later.1;
                }
                same
            });
            stored += row.len();
            for (to, _) in row {
                if let Some(into) = into.get_mut(*to) {
                    into.push(from);
                }
            }
        }
        Self { out: rows, into, stored }
    }

    /// Weights that are kept.
    pub(super) fn stored(&self) -> usize {
        self.stored
    }

    /// Where a state leads to.
    pub(super) fn out(&self, state: usize) -> &[(usize, f64)] {
        self.out.get(state).map_or(&[], Vec::as_slice)
    }

    /// From where it is entered.
    pub(super) fn entered_from(&self, state: usize) -> &[usize] {
        self.into.get(state).map_or(&[], Vec::as_slice)
    }

    /// How many weights may come of it when this state goes (Markowitz, *Management Sci.* 3, 1957).
    pub(super) fn cost(&self, state: usize) -> usize {
        self.out(state).len() * self.entered_from(state).len()
    }

    /// Takes a state out. `None` if it leads nowhere, or its numbers are too small or too large.
    pub(super) fn take(&mut self, state: usize) -> Option<Gone> {
        let mut row = std::mem::take(self.out.get_mut(state)?);
        let before = std::mem::take(self.into.get_mut(state)?);
        let exit: f64 = row.iter().map(|(_, weight)| weight).sum();
        if !exit.is_normal() {
            return None;
        }
        self.stored -= row.len();
        for (to, weight) in &mut row {
            // What share of its visits leads there: at most 1, so that nothing overflows.
            *weight /= exit;
            let into = self.into.get_mut(*to)?;
            if let Some(at) = into.iter().position(|from| *from == state) {
                into.swap_remove(at);
            }
        }
        let mut from = Vec::with_capacity(before.len());
        for other in before {
            let own = self.out.get_mut(other)?;
            let at = own.binary_search_by_key(&state, |(to, _)| *to).ok()?;
            let (_, weight) = own.remove(at);
            self.stored -= 1;
            let visits = weight / exit;
            if !visits.is_finite() {
                return None;
            }
            from.push((other, visits));
            self.lead_on(other, weight, &row)?;
        }
        Some(Gone { state, from })
    }

    /// Adds to the weights of a state what led to another one, whose shares are these.
    fn lead_on(&mut self, state: usize, weight: f64, shares: &[(usize, f64)]) -> Option<()> {
        let own = std::mem::take(self.out.get_mut(state)?);
        let mut joined = Vec::with_capacity(own.len() + shares.len());
        let mut old = own.into_iter().peekable();
        for &(to, share) in shares.iter().filter(|(to, _)| *to != state) {
            while let Some(kept) = old.next_if(|kept| kept.0 < to) {
                joined.push(kept);
            }
            let more = weight * share;
            match old.next_if(|kept| kept.0 == to) {
                Some((_, kept)) => joined.push((to, kept + more)),
                None => {
                    joined.push((to, more));
                    self.into.get_mut(to)?.push(state);
                    self.stored += 1;
                }
            }
        }
        joined.extend(old);
        *self.out.get_mut(state)? = joined;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_led_through_a_state_leads_on() {
        // 0 -> 1 at 2; from 1 a quarter goes back, and the rest to 2.
        let edges = [(0, 1, 2.0), (1, 0, 1.0), (1, 2, 3.0), (2, 0, 5.0), (1, 1, 9.0)];
        let mut left = Elimination::new(3, edges);
        assert_eq!((left.stored(), left.cost(1)), (4, 2));
        let gone = left.take(1).unwrap();
        assert_eq!((gone.state, gone.from), (1, vec![(0, 0.5)]));
        assert_eq!(left.out(0), [(2, 1.5)]);
        assert_eq!((left.entered_from(0), left.entered_from(2)), (&[2][..], &[0][..]));
        assert_eq!(left.stored(), 2);
        let mut trap = Elimination::new(2, [(0, 1, 1.0)]);
        assert!(trap.take(1).is_none(), "it leads nowhere");
    }
}
