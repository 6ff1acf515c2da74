//! What one population of users feels of an outage: a small simulation of its calls.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::view::{Connections, Felt, Users};
use crate::model::error::ModelError;

impl Users {
    /// What they feel of `outage_s` seconds in which no packet comes through.
    ///
    /// Each packet that is lost is sent again at the steps of its kind; the first one after the
    /// outage comes through. The service takes what comes in the order in which it comes, no faster
    /// than its capacity. A kept-alive connection whose call was given up is closed; the next call
    /// on it opens it again.
    ///
    /// ```
    /// use loadgen_core::model::users::{Connections, Users};
    ///
    /// let fresh = Users::new(100.0, Connections::Fresh).with_timeout_s(5.0);
    /// let felt = fresh.feel(3.2)?;
    /// // All SYNs come through before 5 s are over; on a client with 1, 3, 7 s, 20 do not.
    /// assert_eq!(felt.failed, 0);
    /// let old = fresh.with_steps_s(&[1.0, 3.0, 7.0], &[0.2, 0.4, 0.8]);
    /// assert_eq!(old.feel(3.2)?.failed, 20);
    /// # Ok::<(), loadgen_core::model::ModelError>(())
    /// ```
    ///
    /// # Errors
    /// [`ModelError`] for a number that is out of its range, and for more than 10⁶ calls.
    pub fn feel(&self, outage_s: f64) -> Result<Felt, ModelError> {
        self.check(outage_s)?;
        Ok(World::new(self, outage_s).run())
    }
}

/// What happens next, by time.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Next {
    at: f64,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum What {
    /// The request of a call comes to the service.
    Asked(Call),
    /// A call is answered.
    Answered(Call),
    /// A call is given up.
    GivenUp(Call),
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Call {
    number: u64,
    due: f64,
    sent: f64,
    /// On a kept-alive connection.
    connection: Option<u32>,
}

impl Eq for Next {}

impl PartialOrd for Next {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Next {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let number = |next: &Self| match next.what {
            What::Asked(call) | What::Answered(call) | What::GivenUp(call) => call.number,
        };
        self.at.total_cmp(&other.at).then_with(|| number(self).cmp(&number(other)))
    }
}

/// The users and their service from the begin of an outage.
struct World<'a> {
    users: &'a Users,
    outage_s: f64,
    next: BinaryHeap<Reverse<Next>>,
    /// Kept-alive connections that are free, and whether each is open.
    free: VecDeque<(u32, bool)>,
    /// Calls that wait for one: their numbers and when they were due.
    waiting: VecDeque<(u64, f64)>,
    /// When the service is free again.
    busy_until: f64,
    first_reply: Option<f64>,
    last_late: f64,
    felt: Felt,
}

impl<'a> World<'a> {
    fn new(users: &'a Users, outage_s: f64) -> Self {
        let free = match users.connections {
            Connections::KeptAlive(connections) => (0..connections).map(|c| (c, true)).collect(),
            Connections::Fresh => VecDeque::new(),
        };
        Self {
            users,
            outage_s,
            next: BinaryHeap::new(),
            free,
            waiting: VecDeque::new(),
            busy_until: 0.0,
            first_reply: None,
            last_late: outage_s,
            felt: Felt::default(),
        }
    }

    fn run(mut self) -> Felt {
        let spacing = self.users.rate_per_s.recip();
        // By then all that began in the outage has been answered or given up.
        let most = self.outage_s + 3.0 * self.users.timeout_s + self.drained_s();
        let mut number = 0;
        loop {
            // In the middle of its part of the time, as a mean of all that could be.
            let due = (number as f64 + 0.5) * spacing;
            while self.next.peek().is_some_and(|Reverse(next)| next.at <= due) {
                self.happens();
            }
            if due > most || self.is_over(due) {
                break;
            }
            self.begin(number, due);
            number += 1;
        }
        while !self.next.is_empty() {
            self.happens();
        }
        self.finish()
    }

    /// How long the service needs for what has piled up, at the most.
    fn drained_s(&self) -> f64 {
        let Some(capacity) = self.users.capacity_per_s else { return 0.0 };
        let spare = capacity - self.users.rate_per_s;
        let piled_up = self.users.rate_per_s * (self.outage_s + self.users.timeout_s);
        if spare > 0.0 { (piled_up / spare).min(10.0 * self.users.timeout_s) } else { 0.0 }
    }

    /// Whether all is as usual again.
    fn is_over(&self, now: f64) -> bool {
        let quiet = self.last_late + 10.0 * self.users.usual_s + 2.0 / self.users.rate_per_s;
        now > self.outage_s && self.next.is_empty() && self.waiting.is_empty() && now > quiet
    }

    fn begin(&mut self, number: u64, due: f64) {
        match self.users.connections {
            Connections::Fresh => self.send(number, due, due, None, false),
            Connections::KeptAlive(_) => match self.free.pop_front() {
                Some((connection, is_open)) => {
                    self.send(number, due, due, Some(connection), is_open);
                }
                None => self.waiting.push_back((number, due)),
            },
        }
    }

    fn send(&mut self, number: u64, due: f64, at: f64, connection: Option<u32>, is_open: bool) {
        let call = Call { number, due, sent: at, connection };
        let users = self.users;
        let comes = if is_open {
            users.comes(at, self.outage_s, &users.data_steps_s)
        } else {
            users.comes(at, self.outage_s, &users.syn_steps_s)
        };
        let given_up = at + users.timeout_s;
        match comes.filter(|comes| *comes < given_up) {
            Some(at) => self.next.push(Reverse(Next { at, what: What::Asked(call) })),
            None => self.next.push(Reverse(Next { at: given_up, what: What::GivenUp(call) })),
        }
    }

    fn happens(&mut self) {
        let Some(Reverse(Next { at, what })) = self.next.pop() else { return };
        match what {
            What::Asked(call) => self.serve(call, at),
            What::Answered(call) => {
                let response = at - call.due;
                self.first_reply.get_or_insert(at);
                self.felt.longest_response_s = self.felt.longest_response_s.max(response);
                let usual = self.users.usual_s;
                let late_beyond_s = (2.0 * usual).max(usual + 0.001);
                if response > self.users.late_beyond_s.unwrap_or(late_beyond_s) {
                    self.felt.late += 1;
                    self.last_late = self.last_late.max(at);
                }
                self.release(call, at, true);
            }
            What::GivenUp(call) => {
                self.felt.failed += 1;
                self.last_late = self.last_late.max(at);
                self.release(call, at, false);
            }
        }
    }

    fn serve(&mut self, call: Call, at: f64) {
        let each = self.users.capacity_per_s.map_or(0.0, f64::recip);
        // One begins after the other; where nobody waits, a call takes its usual time.
        let begins = self.busy_until.max(at);
        self.busy_until = begins + each;
        let answered = begins + self.users.usual_s;
        let given_up = call.sent + self.users.timeout_s;
        let next = if answered <= given_up {
            Next { at: answered, what: What::Answered(call) }
        } else {
            Next { at: given_up, what: What::GivenUp(call) }
        };
        self.next.push(Reverse(next));
    }

    fn release(&mut self, call: Call, at: f64, is_open: bool) {
        let Some(connection) = call.connection else { return };
        match self.waiting.pop_front() {
            Some((number, due)) => self.send(number, due, at, Some(connection), is_open),
            None => self.free.push_back((connection, is_open)),
        }
    }

    fn finish(mut self) -> Felt {
        let before = self.users.usual_s - self.users.rate_per_s.recip() / 2.0;
        // The last reply before is that to the last call that was due in time.
        self.felt.outage_s =
            self.first_reply.map(|first| (first - before.min(0.0)).max(self.outage_s));
        let keeps_up = self.users.capacity_per_s.is_none_or(|most| most > self.users.rate_per_s);
        self.felt.recovery_s = keeps_up.then_some(self.last_late - self.outage_s);
        self.felt
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::lost_packets::{CallsInOutage, SYN_STEPS_S};
    use super::*;

    #[test]
    fn no_outage_is_not_felt() {
        for connections in [Connections::Fresh, Connections::KeptAlive(4)] {
            let felt = Users::new(100.0, connections).feel(0.0).unwrap();
            assert_eq!((felt.failed, felt.late), (0, 0), "{felt:?}");
            // The time between two replies.
            assert!((felt.outage_s.unwrap() - 0.01).abs() < 1e-9, "{felt:?}");
            assert_eq!(felt.recovery_s, Some(0.0));
        }
    }

    /// Four connections are soon all waiting for a step; the calls behind them wait for those.
    #[test]
    fn few_connections_make_an_outage_longer() {
        let of = |connections| {
            let users = Users::new(100.0, Connections::KeptAlive(connections));
            users.with_steps_s(&SYN_STEPS_S, &[0.2, 0.4, 0.8, 1.6, 3.2]).feel(1.0).unwrap()
        };
        let (few, many) = (of(4), of(1000));
        // The first four begin up to 35 ms after the stop: their first step after 1 s is that of
        // 1.6 s.
        assert!((few.outage_s.unwrap() - 1.61).abs() < 0.005, "{few:?}");
        // One that began at 0.8 s is sent again 0.2 s later.
        assert!(many.outage_s.unwrap() < 1.02, "{many:?}");
        assert_eq!((few.failed, many.failed), (0, 0));
        assert!(few.longest_response_s > 1.5);
    }

    /// What has piled up is worked off by what the service can do more than it must.
    #[test]
    fn a_queue_drains_at_the_capacity_that_is_left() {
        let users = Users::new(100.0, Connections::Fresh).with_usual_s(0.002);
        // All of them are sent again at one moment.
        let users = users.with_steps_s(&[2.0], &[]).with_timeout_s(30.0);
        let felt = users.clone().with_capacity_per_s(200.0).feel(1.0).unwrap();
        // Until 3 s 100 calls that are late come to 100 that are due in each second, of which 200
        // are answered; so the queue is empty about then.
        assert!((1.9..=2.2).contains(&felt.recovery_s.unwrap()), "{felt:?}");
        assert_eq!(felt.failed, 0);
        let slow = users.with_capacity_per_s(90.0).feel(1.0).unwrap();
        assert_eq!(slow.recovery_s, None);
    }

    proptest! {
        /// With a connection for each call, and a service that keeps up, it is what the steps say.
        #[test]
        fn newcomers_are_the_closed_form(
            rate in 10.0..200.0_f64, outage_s in 0.1..8.0_f64, timeout_s in 0.5..12.0_f64,
        ) {
            let users = Users::new(rate, Connections::Fresh).with_timeout_s(timeout_s);
            let felt = users.feel(outage_s).unwrap();
            let closed = CallsInOutage::new(rate, outage_s, timeout_s, &SYN_STEPS_S)
                .with_usual_s(0.001)
                .predict()
                .unwrap();
            // Calls at whole places, in place of a mean.
            let off = 2.0 + SYN_STEPS_S.len() as f64;
            prop_assert!((felt.failed as f64 - closed.failed).abs() <= off, "{felt:?} {closed:?}");
            prop_assert!((felt.late as f64 - closed.delayed).abs() <= off, "{felt:?} {closed:?}");
            prop_assert!(felt.outage_s.unwrap() >= outage_s);
        }

        /// However few connections and however slow the service, it comes to an end.
        #[test]
        fn it_always_ends(
            rate in 1.0..300.0_f64, outage_s in 0.0..10.0_f64, connections in 1..50_u32,
            capacity in 0.5..500.0_f64, timeout_s in 0.05..5.0_f64,
        ) {
            let users = Users::new(rate, Connections::KeptAlive(connections))
                .with_timeout_s(timeout_s)
                .with_capacity_per_s(capacity);
            let felt = users.feel(outage_s).unwrap();
            prop_assert!(felt.longest_response_s.is_finite());
            prop_assert_eq!(felt.recovery_s.is_none(), capacity <= rate);
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let users = |rate, connections| Users::new(rate, connections).feel(1.0);
        assert!(users(0.0, Connections::Fresh).is_err());
        assert!(users(1.0, Connections::KeptAlive(0)).is_err());
        // 100 calls of 1 s each do not fit into 50 connections.
        let crowded = Users::new(100.0, Connections::KeptAlive(50)).with_usual_s(1.0);
        assert!(crowded.feel(0.0).unwrap_err().to_string().contains("connections"));
        let error = users(1e6, Connections::Fresh).unwrap_err().to_string();
        assert!(error.contains("at most 1,000,000"), "{error}");
    }
}
