//! What must hold of every plan.

use proptest::prelude::*;

use super::some::{MIB, small};
use super::*;
use crate::model::migration::Dirtying;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// What is found holds all limits, and is not below the bound.
    #[test]
    fn a_plan_that_is_found_holds(seed: u64) {
        let evacuation = small(seed);
        let planned = evacuation.plan().unwrap();
        if let Some(plan) = planned.plan() {
            let simulation = evacuation.simulate(plan).unwrap();
            prop_assert_eq!(simulation.violations, []);
            prop_assert!(plan.empty_s >= planned.lower_bound.s * (1.0 - 1e-9));
            prop_assert!((simulation.empty_s - plan.empty_s).abs() < 1e-9);
        } else if let Outcome::NotFound { best: Some(_), violations } = &planned.outcome {
            // The small ones have limits on neither.
            prop_assert!(false, "{:?}", violations);
        }
    }

    /// A machine that writes faster than any link, everywhere in its memory, is always told.
    #[test]
    fn what_cannot_converge_is_told(seed: u64, which in 0..2_usize) {
        let mut evacuation = small(seed);
        let machine = &mut evacuation.machines[which];
        machine.dirtying = Dirtying::new(1000.0 * MIB).within(machine.memory * 4.0, Default::default());
        machine.strategies = Strategies::PreCopy;
        machine.outage_s = Some(0.2);
        let name = machine.name.clone();
        let planned = evacuation.plan().unwrap();
        let is_told = |reason: &Reason| match reason {
            Reason::Outage { machine, .. } | Reason::NoTarget { machine, .. } => *machine == name,
            _ => false,
        };
        prop_assert!(planned.reasons().iter().any(is_told), "{:?}", planned);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// More bandwidth and longer outages never make the bound longer, nor a reason where none was.
    #[test]
    fn bounds_are_monotone(seed: u64, faster in 1.0..4.0_f64, longer in 1.0..4.0_f64) {
        let before = small(seed);
        let bound = before.lower_bound().unwrap().s;
        let mut fast = before.clone();
        fast.hosts.iter_mut().for_each(|host| host.link *= faster);
        fast.network = fast.network.map(|network| network * faster);
        let mut lax = before.clone();
        lax.limits.outage_s = lax.limits.outage_s.map(|limit| limit * longer);
        for later in [&fast, &lax] {
            let later = later.lower_bound().unwrap().s;
            prop_assert!(later <= bound * (1.0 + 1e-9), "{} {}", bound, later);
        }
        let is_told = |of: &Evacuation| -> bool {
            let problem = problem::Problem::of(of).unwrap();
            let bound = LowerBound::of(&problem, of);
            !proofs::reasons(&problem, of, &bound).is_empty()
        };
        if !is_told(&before) {
            prop_assert!(!is_told(&lax) && !is_told(&fast));
        }
    }
}
