//! What is secret about a plan: a report keeps fingerprints only, so that whoever
//! repeats its plan has to give the values again.

use super::Plan;
use crate::request::{Header, Request};
use crate::secret::{Secret, lines};

impl Plan {
    /// The headers whose values are needed and not there: a report keeps what is
    /// secret as a fingerprint only.
    #[must_use]
    pub fn missing_secrets(&self) -> Vec<String> {
        let own = self.own_requests().flat_map(Request::missing_secrets).map(str::to_owned);
        let heads = self.sessions().into_iter().flat_map(|sessions| {
            let head = &sessions.head;
            let lines = [&head.before_host, &head.after_host].map(|lines| lines::missing(lines));
            let headers = sessions.headers().filter(|header| header.is_missing());
            lines.into_iter().flatten().chain(headers.map(|header| header.name().to_owned()))
        });
        let target = self.target.missing_secrets().map(str::to_owned);
        let mut all = Vec::new();
        for name in own.chain(heads).chain(target) {
            if !all.contains(&name) {
                all.push(name);
            }
        }
        all
    }

    /// Gives the value of a header that [is missing](Self::missing_secrets), and tells
    /// what the report has in its place; `None` if none of this name is.
    pub fn supply_secret(&mut self, name: &str, value: &str) -> Option<Secret> {
        let mut requests = self.own_requests_mut();
        if let Some(stood) = requests.find_map(|request| request.supply_secret(name, value)) {
            return Some(stood);
        }
        drop(requests);
        if let Some(sessions) = &mut self.sessions {
            let head = &mut sessions.head;
            for lines in [&mut head.before_host, &mut head.after_host] {
                if let Some(stood) = lines::supply(&mut lines.0, name, value) {
                    return Some(stood);
                }
            }
            let mut headers = sessions.headers_mut();
            let missing = headers.find(|header| header.is_missing() && header.is_named(name));
            if let Some(stood) = missing.and_then(|header| header.supply(value)) {
                return Some(stood);
            }
        }
        self.target.supply_secret(name, value)
    }

    /// Keeps the values of the headers of this name secret, of the plan's request and of
    /// those of its loads; whether there is one.
    pub fn keep_secret(&mut self, name: &str) -> bool {
        let loads = std::iter::once(&mut self.load)
            .chain(self.beside.iter_mut().map(|beside| &mut beside.load));
        let requests = self.request.iter_mut().chain(loads.filter_map(|l| l.request.as_mut()));
        // All of them, not the first alone.
        requests.filter_map(|request| request.keep_secret(name).then_some(())).count() > 0
    }

    /// All requests that the plan itself has, be it in a list.
    fn own_requests(&self) -> impl Iterator<Item = &Request> {
        let requests = self.request.iter().chain(self.loads().filter_map(|l| l.request.as_ref()));
        let lists = self.requests.iter().chain(self.loads().filter_map(|l| l.requests.as_ref()));
        requests.chain(lists.flat_map(|l| l.given_requests()).map(|listed| &listed.request))
    }

    fn own_requests_mut(&mut self) -> impl Iterator<Item = &mut Request> {
        let beside = self.beside.iter_mut().map(|beside| &mut beside.load);
        let loads = std::iter::once(&mut self.load).chain(beside);
        let of_loads = loads.map(|load| (&mut load.request, &mut load.requests));
        let all = std::iter::once((&mut self.request, &mut self.requests)).chain(of_loads);
        all.flat_map(|(request, list)| {
            let listed = list.iter_mut().flat_map(|list| list.given_requests_mut());
            request.iter_mut().chain(listed.map(|listed| &mut listed.request))
        })
    }

    /// The same plan without what is secret about it, for telling whether two plans
    /// do the same: a token that was renewed makes no other plan.
    pub(crate) fn without_secrets(mut self) -> Self {
        self.target = self.target.without_secrets();
        for request in self.own_requests_mut() {
            *request = request.clone().without_secrets();
        }
        if let Some(sessions) = &mut self.sessions {
            let head = &mut sessions.head;
            for lines in [&mut head.before_host, &mut head.after_host] {
                lines.0 = lines::without_values(&lines.0);
            }
            sessions.headers_mut().for_each(Header::forget);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{RawText, Sessions};
    use crate::{Load, Schedule, Target};

    fn with_token(token: &str) -> Plan {
        let target = Target::parse("http://127.0.0.1/").unwrap();
        let load = Load::established(Schedule::constant(1.0));
        let mut sessions = Sessions::connections(1);
        sessions.head.after_host =
            RawText(format!("Authorization: Bearer {token}\r\nAccept: a\r\n").into_bytes());
        Plan::new(target, load).with_sessions(sessions)
    }

    #[test]
    fn a_token_of_sessions_that_was_renewed_makes_no_other_plan() {
        let (old, new) = (with_token("old").without_secrets(), with_token("new").without_secrets());
        assert_eq!(old, new);
        let head = |plan: &Plan| {
            String::from_utf8_lossy(&plan.sessions().unwrap().head.after_host.0).into_owned()
        };
        assert!(head(&old).contains("Accept: a") && !head(&old).contains("old"), "{}", head(&old));
        assert_ne!(with_token("old"), with_token("new"));
    }
}
