//! The bandwidths that are tried, and the migrations that they give.

use std::collections::HashMap;

use super::course::Course;
use super::problem::Problem;
use crate::model::strategy::Strategy;

/// Into so many equal shares a link is divided at the most.
const MOST_SHARES: usize = 8;

/// Each way in which a kind of machine can go to a host: the bandwidths are the link out, the link
/// in and the network, each divided by 1, 2, … up to the number of machines (8 at the most), as far
/// as both links and the network have them and the limits hold. Post-copy is left to machines that
/// pre-copy brings to an end at none of them.
#[derive(Debug)]
pub(super) struct Ways {
    /// By kind, then by host; from the most bandwidth to the least.
    courses: Vec<Vec<Vec<Course>>>,
}

impl Ways {
    /// With a part of the highest limits on the downtime.
    pub(super) fn of(problem: &Problem, part: f64) -> Self {
        let shares = problem.tasks.len().clamp(1, MOST_SHARES);
        let mut known: HashMap<(usize, u64), Option<Course>> = HashMap::new();
        let mut of_pair = |kind: usize, to: usize| {
            let of = &problem.kinds[kind];
            let whole = problem.between(of.from, to);
            let links = [problem.hosts[of.from].link, problem.hosts[to].link, problem.network];
            let divided = |link: f64| (1..=shares).map(move |by| link / by as f64);
            let mut bandwidths: Vec<f64> = links.into_iter().flat_map(divided).collect();
            bandwidths.retain(|bandwidth| *bandwidth <= whole);
            bandwidths.sort_by(|a, b| b.total_cmp(a));
            bandwidths.dedup_by(|b, a| *b > *a * (1.0 - 1e-9));
            let course = |bandwidth: f64| {
                let new = || of.traits.course(bandwidth, part);
                *known.entry((kind, bandwidth.to_bits())).or_insert_with(new)
            };
            bandwidths.into_iter().filter_map(course).collect::<Vec<Course>>()
        };
        let of_kind = |kind: usize| {
            let targets = &problem.kinds[kind].targets;
            let hosts = 0..problem.hosts.len();
            let each = hosts.map(|to| match targets.contains(&to) {
                true => of_pair(kind, to),
                false => Vec::new(),
            });
            let mut courses: Vec<Vec<Course>> = each.collect();
            // Else a machine would be made so slow that pre-copy fails, to have it by post-copy.
            let by_pre_copy = |course: &Course| course.strategy == Strategy::PreCopy;
            if courses.iter().flatten().any(by_pre_copy) {
                courses.iter_mut().for_each(|of_host| of_host.retain(by_pre_copy));
            }
            courses
        };
        Self { courses: (0..problem.kinds.len()).map(of_kind).collect() }
    }

    /// Of a kind to a host, from the most bandwidth to the least.
    pub(super) fn between(&self, kind: usize, to: usize) -> &[Course] {
        &self.courses[kind][to]
    }

    /// The least of something over all ways of a kind; infinite: there is none.
    pub(super) fn least(&self, kind: usize, of: impl Fn(&Course) -> f64) -> f64 {
        self.courses[kind].iter().flatten().map(of).fold(f64::INFINITY, f64::min)
    }
}
