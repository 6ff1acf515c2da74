//! A plan as it stands in reports: what does not apply is `null` there, and what was
//! left to the defaults is told.

use std::collections::BTreeSet;

use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::questions::DEFAULT_TIMEOUT_S;
use super::{CallLimit, Load, NamedLoad, PROBE, Plan, Precision, Shard};
use crate::abort::AbortRule;
use crate::check::NamedCheck;
use crate::expectation::Expectation;
use crate::later_version::{self, Unreadable};
use crate::net::tls::Tls;
use crate::printable::printable;
use crate::request::Request;
use crate::session::Sessions;
use crate::target::Target;
use crate::workload_file::RequestList;

/// The JSON of a [`Plan`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    target: Target,
    /// Left out where it does not apply, or is left to the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tls: Option<Tls>,
    /// `None` with sessions unless a probe makes it, and so is the timeout; the drain, unless
    /// sessions are to be waited for.
    request: Option<Request>,
    load: Load,
    probe: Option<Load>,
    /// Further loads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    loads: Vec<NamedLoad>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sessions: Option<Box<Sessions>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    requests: Option<RequestList>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    expect: Vec<Expectation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    check: Option<NamedCheck>,
    duration_s: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    calls: Option<CallLimit>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    abort_if: Vec<AbortRule>,
    warmup_s: f64,
    timeout_s: Option<f64>,
    deadline_s: Option<f64>,
    drain_s: Option<f64>,
    threads: u32,
    /// Left out of a whole plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shard: Option<Shard>,
    precision: Precision,
    seed: u64,
    call_log: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    kernel_timestamps: bool,
    /// What an earlier reader did not know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unknown_settings: Vec<String>,
}

impl From<Plan> for Document {
    fn from(mut plan: Plan) -> Self {
        let probe = plan.beside.iter().position(|beside| beside.name == PROBE);
        let probe = probe.map(|place| plan.beside.remove(place).load);
        let (timeout_s, drain_s) = match plan.sessions {
            None => (Some(plan.timeout_s()), Some(plan.drain_s())),
            Some(_) => (plan.timeout_s, plan.drain_s),
        };
        let default = plan.sessions.is_none().then(Request::get);
        Self {
            request: plan.request.or(default),
            timeout_s,
            drain_s,
            target: plan.target,
            tls: plan.tls,
            load: plan.load,
            probe,
            loads: plan.beside,
            sessions: plan.sessions,
            requests: plan.requests,
            expect: plan.expect,
            check: plan.check,
            duration_s: plan.duration_s,
            calls: plan.calls,
            abort_if: plan.abort_if,
            warmup_s: plan.warmup_s,
            deadline_s: plan.deadline_s,
            threads: plan.threads,
            shard: plan.shard,
            precision: plan.precision,
            seed: plan.seed,
            call_log: plan.call_log,
            kernel_timestamps: plan.kernel_timestamps,
            unknown_settings: plan.unknown_settings,
        }
    }
}

impl TryFrom<Document> for Plan {
    type Error = &'static str;

    fn try_from(told: Document) -> Result<Self, Self::Error> {
        let mut plan = Self {
            target: told.target,
            tls: told.tls,
            request: told.request,
            load: told.load,
            beside: told.loads,
            sessions: told.sessions,
            requests: told.requests,
            expect: told.expect,
            check: told.check,
            duration_s: told.duration_s,
            calls: told.calls,
            abort_if: told.abort_if,
            warmup_s: told.warmup_s,
            timeout_s: told.timeout_s,
            deadline_s: told.deadline_s,
            drain_s: told.drain_s,
            threads: told.threads,
            shard: told.shard,
            precision: told.precision,
            seed: told.seed,
            call_log: told.call_log,
            kernel_timestamps: told.kernel_timestamps,
            unknown_settings: kept(told.unknown_settings),
        };
        if let Some(probe) = told.probe {
            plan = plan.with_probe(probe);
        }
        if let Some(sessions) = &mut plan.sessions {
            plan.tls = plan.tls.or(sessions.old_tls.take());
        }
        if plan.sessions.is_none() {
            let whole =
                plan.request.is_some() && plan.timeout_s.is_some() && plan.drain_s.is_some();
            return whole.then_some(plan).ok_or(
                "a plan without sessions has a request, a timeout_s and a drain_s that are not null",
            );
        }
        // Plans of sessions, which had no probe, used to be written with these defaults,
        // which nobody had asked for. Anything else somebody did.
        if plan.beside.is_empty() && plan.request.is_some() {
            plan.request = plan.request.filter(|request| *request != Request::get());
            for limit in [&mut plan.timeout_s, &mut plan.drain_s] {
                *limit = limit.filter(|seconds| *seconds != DEFAULT_TIMEOUT_S);
            }
        }
        Ok(plan)
    }
}

impl Plan {
    /// The settings that the plan had in the document that it was read from, and that this version
    /// does not know, by their paths, such as `load.shape`: a later version wrote it. A plan that
    /// has some can be shown, and is not carried out.
    #[must_use]
    pub fn unknown_settings(&self) -> &[String] {
        &self.unknown_settings
    }
}

/// Takes the settings that are not known out of the JSON of a plan, and leaves their names there.
///
/// # Errors
/// [`Unreadable`] if it is no plan without them, either.
pub(crate) fn pass_over_unknown(plan: &mut Value) -> Result<(), Unreadable> {
    let (mut told, unknown) = later_version::read::<Document>(plan)?;
    if !unknown.is_empty() {
        told.unknown_settings.extend(unknown);
        plan["unknown_settings"] = told.unknown_settings.into();
    }
    Ok(())
}

/// Most settings that are kept by name, and most characters of a name.
const MOST_UNKNOWN: usize = 100;

/// Names of settings as they are kept, whoever wrote them.
fn kept(unknown: Vec<String>) -> Vec<String> {
    let name = |path: &String| printable(path).chars().take(MOST_UNKNOWN).collect();
    let unknown: BTreeSet<String> = unknown.iter().map(name).collect();
    unknown.into_iter().take(MOST_UNKNOWN).collect()
}

impl<'de> Deserialize<'de> for Plan {
    /// Settings of a later version are passed over, and kept by name: the plan can be read, not
    /// carried out.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut plan = Value::deserialize(deserializer)?;
        pass_over_unknown(&mut plan).map_err(|Unreadable { path, reason }| {
            D::Error::custom(if path == "." { reason } else { format!("at {path}: {reason}") })
        })?;
        let told: Document = serde_json::from_value(plan).map_err(D::Error::custom)?;
        Self::try_from(told).map_err(D::Error::custom)
    }
}

impl PartialEq for Plan {
    /// Plans are equal that say the same: a default may have been spelt out.
    fn eq(&self, other: &Self) -> bool {
        Document::from(self.clone()) == Document::from(other.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::schedule::Schedule;

    fn plan() -> Plan {
        let target = Target::parse("http://127.0.0.1/").unwrap();
        Plan::new(target, Load::established(Schedule::constant(100.0)))
    }

    #[test]
    fn repeats_from_its_own_json() {
        let plain = plan()
            .with_probe(Load::fresh(Schedule::poisson(10.0)))
            .with_duration(Duration::from_secs(5))
            .with_request(Request::get().with_method("POST").with_body(vec![0, 255, 7]));
        let sessions = || plan().with_sessions(Sessions::connections(1));
        let drained = sessions().with_drain(Duration::from_secs(10));
        let probed = sessions()
            .with_probe(Load::fresh(Schedule::poisson(10.0)))
            .with_request(Request::get())
            .with_timeout(Duration::from_secs(10));
        for plan in [plain, sessions(), drained, probed] {
            let json = serde_json::to_string(&plan).unwrap();
            assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
        }
        assert_eq!(plan(), plan().with_timeout(Duration::from_secs(10)));
        assert_ne!(plan(), plan().with_timeout(Duration::from_secs(9)));
    }

    #[test]
    fn sessions_are_not_told_what_does_not_apply_to_them() {
        let json = |plan: Plan| serde_json::to_value(plan).unwrap();
        let (plain, sessions) =
            (json(plan()), json(plan().with_sessions(Sessions::connections(1))));
        for key in ["request", "timeout_s", "drain_s"] {
            assert!(!plain[key].is_null(), "{key}");
            assert_eq!(sessions.get(key), Some(&Value::Null), "{key}");
        }
        for key in ["request", "timeout_s", "drain_s"] {
            let mut changed = plain.clone();
            changed[key] = Value::Null;
            assert!(serde_json::from_value::<Plan>(changed).is_err(), "{key}");
        }
    }

    #[test]
    fn old_plans_have_their_tls_among_the_sessions() {
        let target = Target::parse("https://127.0.0.1/").unwrap();
        let plan = Plan { target, ..plan() }
            .with_sessions(Sessions::connections(1))
            .with_tls(Tls { server_name: crate::ServerName::Omitted, ..Tls::unchecked() });
        let new = serde_json::to_value(&plan).unwrap();
        assert!(new["sessions"].get("tls").is_none());
        let mut old = new.clone();
        let tls = old.as_object_mut().unwrap().remove("tls").unwrap();
        old["sessions"]["tls"] = tls;
        assert_eq!(serde_json::from_value::<Plan>(old).unwrap(), plan);
        assert_eq!(serde_json::from_value::<Plan>(new).unwrap(), plan);
    }

    /// As written before: with the defaults of calls, which did not apply.
    #[test]
    fn old_plans_of_sessions_can_be_repeated() {
        let (plain, mut old) =
            (plan(), serde_json::to_value(plan().with_sessions(Sessions::connections(1))).unwrap());
        for (key, value) in [("timeout_s", 10.0), ("drain_s", 10.0)] {
            old[key] = value.into();
        }
        old["request"] = serde_json::to_value(plain.request()).unwrap();
        let read: Plan = serde_json::from_value(old.clone()).unwrap();
        read.validate().unwrap();
        // What somebody set and was ignored is told now.
        old["timeout_s"] = 3.0.into();
        let read: Plan = serde_json::from_value(old).unwrap();
        assert!(read.validate().unwrap_err().to_string().contains("timeout"));
    }
}
