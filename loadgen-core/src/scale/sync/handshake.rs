//! Who may come in, and whether this is the host: both sides' part of the proofs, as pure
//! functions of what was said.

use super::error::SyncError;
use super::message::{Message, VERSION, is_plan};
use super::nonce::Nonce;
use super::refusal::Refusal;
use super::token::SyncToken;
use crate::plan::Shard;
use crate::printable::printable;

/// What all who meet must have in common, beside their number of shards.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    plan: String,
    token: SyncToken,
}

impl Terms {
    /// # Errors
    /// [`SyncError::PlanHash`] if the hash cannot stand in a line.
    pub(super) fn new(plan_hash: &str, token: &SyncToken) -> Result<Self, SyncError> {
        if !is_plan(plan_hash) {
            let given: String = plan_hash.chars().take(40).collect();
            return Err(SyncError::PlanHash { given: printable(&given).into_owned() });
        }
        Ok(Self { plan: plan_hash.to_owned(), token: token.clone() })
    }
}

/// Whose proof it is: so that none can be sent back to whom it came from.
#[derive(Debug, Clone, Copy)]
enum Role {
    Host,
    Guest,
}

/// What a proof is made over. No part of it can hold a blank, so no two of them have one text.
fn statement(role: Role, shard: Shard, plan: &str, host: Nonce, guest: Nonce) -> String {
    let role = match role {
        Role::Host => "host",
        Role::Guest => "guest",
    };
    format!("{VERSION} {role} {shard} {plan} {host} {guest}")
}

/// The host's side, for one stranger.
#[derive(Debug)]
pub(super) struct Challenge<'a> {
    terms: &'a Terms,
    of: u32,
    nonce: Nonce,
}

/// Somebody who may come in.
#[derive(Debug)]
pub(super) struct Admitted {
    /// The shard's number.
    pub(super) index: u32,
    /// The host's own proof.
    pub(super) welcome: Message,
}

impl<'a> Challenge<'a> {
    /// The nonce must be a new one.
    pub(super) fn new(terms: &'a Terms, of: u32, nonce: Nonce) -> Self {
        Self { terms, of, nonce }
    }

    /// What the stranger is asked.
    pub(super) fn greeting(&self) -> Message {
        Message::Greeting { nonce: self.nonce }
    }

    /// Judges the answer. Who does not know the token learns nothing but that.
    pub(super) fn judge(&self, said: &Message) -> Result<Admitted, Refusal> {
        let Message::Join { shard, plan, nonce, proof } = said else {
            return Err(Refusal::Garbled);
        };
        let stated = |role| statement(role, *shard, plan, self.nonce, *nonce);
        if !self.terms.token.is_proven(&stated(Role::Guest), proof) {
            return Err(Refusal::Token);
        }
        if shard.of() != self.of {
            return Err(Refusal::Count { of: self.of });
        }
        if *plan != self.terms.plan {
            return Err(Refusal::Plan);
        }
        let proof = self.terms.token.prove(&stated(Role::Host));
        Ok(Admitted { index: shard.index(), welcome: Message::Welcome { proof } })
    }
}

/// The guest's side: who it is, before it was asked.
#[derive(Debug)]
pub(super) struct Caller<'a> {
    terms: &'a Terms,
    shard: Shard,
    nonce: Nonce,
}

/// The guest's side after it said who it is.
#[derive(Debug)]
pub(super) struct Called<'a> {
    caller: Caller<'a>,
    host: Nonce,
}

/// Why a guest is not in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotIn {
    /// The host says so.
    Refused(Refusal),
    /// It is not the host: it does not know the token.
    Impostor,
    /// That was no answer.
    Garbled,
}

impl<'a> Caller<'a> {
    /// The nonce must be a new one.
    pub(super) fn new(terms: &'a Terms, shard: Shard, nonce: Nonce) -> Self {
        Self { terms, shard, nonce }
    }

    /// Answers the greeting.
    pub(super) fn answer(self, greeting: &Message) -> Result<(Called<'a>, Message), NotIn> {
        let host = match greeting {
            Message::Greeting { nonce } => *nonce,
            Message::No(refusal) => return Err(NotIn::Refused(*refusal)),
            _ => return Err(NotIn::Garbled),
        };
        let called = Called { caller: self, host };
        let Caller { terms, shard, nonce } = &called.caller;
        let join = Message::Join {
            shard: *shard,
            plan: terms.plan.clone(),
            nonce: *nonce,
            proof: terms.token.prove(&called.statement(Role::Guest)),
        };
        Ok((called, join))
    }
}

impl Called<'_> {
    fn statement(&self, role: Role) -> String {
        let Caller { terms, shard, nonce } = &self.caller;
        statement(role, *shard, &terms.plan, self.host, *nonce)
    }

    /// Looks at what the host answers.
    pub(super) fn check(&self, answer: &Message) -> Result<(), NotIn> {
        match answer {
            Message::Welcome { proof } => {
                let is_host = self.caller.terms.token.is_proven(&self.statement(Role::Host), proof);
                if is_host { Ok(()) } else { Err(NotIn::Impostor) }
            }
            Message::No(refusal) => Err(NotIn::Refused(*refusal)),
            _ => Err(NotIn::Garbled),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scale::sync::nonce::nonce;

    fn terms(plan: &str, token: &str) -> Terms {
        Terms::new(plan, &SyncToken::new(token).unwrap()).unwrap()
    }

    /// Both sides of it: the host's judgement, or what the guest thinks of the host.
    fn meet(host: &Terms, of: u32, guest: &Terms, shard: Shard) -> Result<u32, NotIn> {
        let challenge = Challenge::new(host, of, nonce().unwrap());
        let caller = Caller::new(guest, shard, nonce().unwrap());
        let (called, join) = caller.answer(&challenge.greeting())?;
        let admitted = challenge.judge(&join).map_err(NotIn::Refused)?;
        called.check(&admitted.welcome)?;
        Ok(admitted.index)
    }

    #[test]
    fn who_has_all_in_common_meets() {
        let ours = terms("p", "0123456789abcdef");
        let shard = Shard::new(2, 4).unwrap();
        assert_eq!(meet(&ours, 4, &ours, shard), Ok(2));
        for (of, guest, refusal) in [
            (4, terms("p", "0123456789abcdeF"), Refusal::Token),
            (4, terms("q", "0123456789abcdef"), Refusal::Plan),
            (5, terms("p", "0123456789abcdef"), Refusal::Count { of: 5 }),
            // Strangers are not told what else is different.
            (5, terms("q", "0123456789abcdeF"), Refusal::Token),
        ] {
            assert_eq!(meet(&ours, of, &guest, shard), Err(NotIn::Refused(refusal)));
        }
    }

    #[test]
    fn no_proof_serves_twice() {
        let ours = terms("p", "0123456789abcdef");
        let shard = Shard::new(1, 2).unwrap();
        let first = Challenge::new(&ours, 2, nonce().unwrap());
        let caller = Caller::new(&ours, shard, nonce().unwrap());
        let (called, join) = caller.answer(&first.greeting()).unwrap();
        assert!(first.judge(&join).is_ok());
        // Overheard, and said again to the same host, or as another shard.
        let second = Challenge::new(&ours, 2, nonce().unwrap());
        assert_eq!(second.judge(&join).unwrap_err(), Refusal::Token);
        let Message::Join { plan, nonce, proof, .. } = join else { panic!() };
        let shard = Shard::new(0, 2).unwrap();
        let other = Message::Join { shard, plan, nonce, proof };
        assert_eq!(first.judge(&other).unwrap_err(), Refusal::Token);
        // A guest's own proof does not make a host.
        assert_eq!(called.check(&Message::Welcome { proof }), Err(NotIn::Impostor));
    }

    #[test]
    fn what_is_out_of_turn_is_no_answer() {
        let ours = terms("p", "0123456789abcdef");
        let challenge = Challenge::new(&ours, 2, nonce().unwrap());
        for message in [Message::Ready, challenge.greeting(), Message::No(Refusal::Plan)] {
            assert_eq!(challenge.judge(&message).unwrap_err(), Refusal::Garbled);
        }
        let caller = || Caller::new(&ours, Shard::new(1, 2).unwrap(), nonce().unwrap());
        assert_eq!(caller().answer(&Message::Goodbye).unwrap_err(), NotIn::Garbled);
        let no = Message::No(Refusal::Begun);
        assert_eq!(caller().answer(&no).unwrap_err(), NotIn::Refused(Refusal::Begun));
        let (called, _) = caller().answer(&challenge.greeting()).unwrap();
        assert_eq!(called.check(&Message::Ready), Err(NotIn::Garbled));
        assert_eq!(called.check(&no), Err(NotIn::Refused(Refusal::Begun)));
    }

    #[test]
    fn a_hash_must_fit_into_a_line() {
        let token = SyncToken::new("0123456789abcdef").unwrap();
        for hash in ["", "a b", "é", "a\n", &"a".repeat(129)] {
            let error = Terms::new(hash, &token).unwrap_err().to_string();
            assert!(error.contains("128"), "{error}");
        }
        assert!(Terms::new(&"a".repeat(128), &token).is_ok());
    }
}
