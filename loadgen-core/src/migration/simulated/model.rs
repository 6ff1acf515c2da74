//! How much is sent in which time, by the formulas of the [module](super): pure
//! functions of bytes and seconds.

/// Bytes that become dirty in `seconds`: `min(D·t, W)`.
pub(super) fn dirtied(dirty_per_s: f64, working_set: f64, seconds: f64) -> f64 {
    (dirty_per_s * seconds).min(working_set)
}

/// The rounds of a pre-copy.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PreCopy {
    /// Bytes sent in each round.
    pub(super) rounds: Vec<f64>,
    /// Bytes left for the time when the machine is stopped.
    pub(super) rest: f64,
    /// The rest was still above the limit after the last round allowed.
    pub(super) forced: bool,
}

/// Rounds until what is left takes at most `limit_s` to send, at most `max_rounds`.
pub(super) fn pre_copy(
    memory: f64,
    per_s: f64,
    dirty_per_s: f64,
    working_set: f64,
    limit_s: f64,
    max_rounds: u32,
) -> PreCopy {
    let (mut rounds, mut rest) = (Vec::new(), memory);
    while rest / per_s > limit_s {
        if rounds.len() >= max_rounds as usize {
            return PreCopy { rounds, rest, forced: true };
        }
        rounds.push(rest);
        rest = dirtied(dirty_per_s, working_set, rest / per_s);
    }
    PreCopy { rounds, rest, forced: false }
}

/// A pre-copy that changes to post-copy after `after_s`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PostCopy {
    /// Seconds of the first round; it ends early when all was sent.
    pub(super) pre_s: f64,
    /// Bytes sent in it.
    pub(super) sent: f64,
    /// Bytes to fetch after the switch-over.
    pub(super) rest: f64,
}

/// What is sent before and after the switch-over. Of the bytes that became dirty
/// only those that had been sent need sending again; they are spread evenly.
pub(super) fn post_copy(
    memory: f64,
    per_s: f64,
    dirty_per_s: f64,
    working_set: f64,
    after_s: f64,
) -> PostCopy {
    let pre_s = after_s.min(memory / per_s);
    let sent = per_s * pre_s;
    let again = dirtied(dirty_per_s, working_set, pre_s) * sent / memory;
    PostCopy { pre_s, sent, rest: memory - sent + again }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: f64 = f64::INFINITY;

    /// (rounds, data, total time, downtime) with T_r = 0.02 s, limit as bytes.
    fn figures(v: f64, r: f64, d: f64, theta: f64) -> (usize, f64, f64, f64) {
        let plan = pre_copy(v, r, d, NEVER, theta / r, 30);
        let data = plan.rounds.iter().sum::<f64>() + plan.rest;
        (plan.rounds.len(), data, data / r + 0.02, plan.rest / r + 0.02)
    }

    /// Closed form of the series: `V (1 - λ^(n+1)) / (1 - λ)` (Liu 2011), worked out
    /// apart from this code.
    #[test]
    fn rounds_form_the_geometric_series() {
        for (v, r, d, theta, n, data, total, down) in [
            (512.0, 32.0, 8.0, 1.0, 5, 682.5, 21.34813, 0.035_625),
            (1024.0, 32.0, 8.0, 1.0, 5, 1365.0, 42.67625, 0.05125),
            (2048.0, 32.0, 8.0, 1.0, 6, 2730.5, 85.34813, 0.035_625),
            (1024.0, 119.2, 40.0, 0.2, 8, 1541.089, 12.9486, 0.02138),
            (1024.0, 119.2, 100.0, 1.0, 30, 6329.873, 53.1230, 0.06423),
        ] {
            let got = figures(v, r, d, theta);
            assert_eq!(got.0, n, "{v} {r} {d} {theta}");
            assert!((got.1 - data).abs() < 1e-3, "{got:?}");
            assert!((got.2 - total).abs() < 1e-4, "{got:?}");
            assert!((got.3 - down).abs() < 1e-5, "{got:?}");
        }
    }

    /// A migration that was measured with QEMU, and what the pure model gives.
    #[test]
    fn a_measured_migration_has_the_rounds_of_the_model() {
        let plan = pre_copy(153.8, 32.0, 10.77, NEVER, 0.3, 30);
        let seconds: Vec<f64> = plan.rounds.iter().map(|bytes| bytes / 32.0).collect();
        for (got, expected) in seconds.iter().zip([4.806, 1.618, 0.544]) {
            assert!((got - expected).abs() < 1e-3, "{seconds:?}");
        }
        assert_eq!(seconds.len(), 3);
        assert!((plan.rounds.iter().sum::<f64>() + plan.rest - 228.8).abs() < 0.1);
    }

    #[test]
    fn without_convergence_the_last_round_is_forced() {
        let plan = pre_copy(1024.0, 32.0, 40.0, 1024.0, 1.0 / 32.0, 30);
        assert_eq!((plan.rounds.len(), plan.forced), (30, true));
        assert!((plan.rest - 1024.0).abs() < 1e-9, "memory bounds what is dirty: {}", plan.rest);
        // A working set that cannot be sent within the limit: passes tend to W/R.
        let plan = pre_copy(512.0, 32.0, 60.0, 128.0, 0.3, 30);
        assert!(plan.forced && (plan.rest / 32.0 - 4.0).abs() < 1e-9);
        // One that can: it converges although more becomes dirty than is sent.
        assert!(!pre_copy(512.0, 32.0, 60.0, 8.0, 0.3, 30).forced);
    }

    #[test]
    fn idle_or_small_machines_need_one_round_or_none() {
        let idle = pre_copy(512.0, 32.0, 0.0, NEVER, 0.3, 30);
        assert_eq!((idle.rounds.len(), idle.rest), (1, 0.0));
        let small = pre_copy(5.0, 32.0, 10.0, NEVER, 0.3, 30);
        assert_eq!((small.rounds.len(), small.rest), (0, 5.0));
    }

    /// T = T_prep + V/R (Hines 2009), with T_prep = 0.05 s.
    #[test]
    fn post_copy_sends_each_page_once() {
        for (v, total) in [(512.0, 4.3450), (2048.0, 17.2299)] {
            let plan = post_copy(v, 119.209, 50.0, NEVER, 0.0);
            assert_eq!((plan.pre_s, plan.sent), (0.0, 0.0));
            assert!((0.05 + plan.rest / 119.209 - total).abs() < 1e-4);
        }
    }

    #[test]
    fn post_copy_sends_again_what_became_dirty_before() {
        let plan = post_copy(100.0, 10.0, 4.0, NEVER, 5.0);
        assert_eq!((plan.pre_s, plan.sent, plan.rest), (5.0, 50.0, 60.0));
        let late = post_copy(100.0, 10.0, 4.0, NEVER, 60.0);
        assert_eq!((late.pre_s, late.sent, late.rest), (10.0, 100.0, 40.0));
    }
}
