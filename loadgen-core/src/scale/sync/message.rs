//! What shards say to each other: a line a message, read and written here alone.

use std::fmt;
use std::str::FromStr;

use super::hex::Hex;
use super::nonce::Nonce;
use super::refusal::Refusal;
use super::token::Proof;
use crate::plan::Shard;
use crate::printable::printable;

/// What is spoken.
pub(super) const VERSION: &str = "loadgen-sync/1";

/// The most bytes of a plan's hash: so that the longest line, `join`, has less than 256.
pub(super) const LONGEST_PLAN: usize = 128;

/// How much of foreign text is shown.
const SHOWN: usize = 60;

/// A line.
#[derive(Debug, Clone)]
pub(super) enum Message {
    Greeting { nonce: Nonce },
    Join { shard: Shard, plan: String, nonce: Nonce, proof: Proof },
    Welcome { proof: Proof },
    No(Refusal),
    Ask { number: u32 },
    Told { number: u32, received_ns: u64, sent_ns: u64 },
    Ready,
    Start { at_ns: u64 },
    End { at_ns: u64 },
    Goodbye,
}

/// What makes no sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Garbled {
    /// Its begin, fit for a terminal.
    pub(super) said: String,
}

impl Garbled {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let begin: String = String::from_utf8_lossy(bytes).chars().take(SHOWN).collect();
        Self { said: printable(begin.trim_end()).into_owned() }
    }
}

impl Message {
    /// With the end of the line.
    pub(super) fn line(&self) -> String {
        format!("{self}\n")
    }
}

/// Whether the hash of a plan can stand in a line.
pub(super) fn is_plan(text: &str) -> bool {
    (1..=LONGEST_PLAN).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Greeting { nonce } => write!(f, "{VERSION} {nonce}"),
            Self::Join { shard, plan, nonce, proof } => {
                write!(f, "join {shard} {plan} {nonce} {proof}")
            }
            Self::Welcome { proof } => write!(f, "welcome {proof}"),
            Self::No(refusal) => write!(f, "no {}", refusal.words()),
            Self::Ask { number } => write!(f, "clock {number}"),
            Self::Told { number, received_ns, sent_ns } => {
                write!(f, "clock {number} {received_ns} {sent_ns}")
            }
            Self::Ready => f.write_str("ready"),
            Self::Start { at_ns } => write!(f, "start {at_ns}"),
            Self::End { at_ns } => write!(f, "end {at_ns}"),
            Self::Goodbye => f.write_str("goodbye"),
        }
    }
}

impl FromStr for Message {
    type Err = Garbled;

    /// Takes what [`Display`](fmt::Display) writes, and nothing else.
    fn from_str(line: &str) -> Result<Self, Garbled> {
        let words: Vec<&str> = line.split(' ').collect();
        let message = match words.as_slice() {
            [VERSION, nonce] => Hex::parse(nonce).map(|nonce| Self::Greeting { nonce }),
            ["join", shard, plan, nonce, proof] => join(shard, plan, nonce, proof),
            ["welcome", proof] => Hex::parse(proof).map(|proof| Self::Welcome { proof }),
            ["no", reason @ ..] => Refusal::of_words(reason).map(Self::No),
            ["clock", asked] => canonical(asked).map(|number| Self::Ask { number }),
            ["clock", asked, received, sent] => told(asked, received, sent),
            ["ready"] => Some(Self::Ready),
            ["start", at] => canonical(at).map(|at_ns| Self::Start { at_ns }),
            ["end", at] => canonical(at).map(|at_ns| Self::End { at_ns }),
            ["goodbye"] => Some(Self::Goodbye),
            _ => None,
        };
        message.ok_or_else(|| Garbled::of(line.as_bytes()))
    }
}

fn join(shard: &str, plan: &str, nonce: &str, proof: &str) -> Option<Message> {
    Some(Message::Join {
        shard: canonical(shard)?,
        plan: is_plan(plan).then(|| plan.to_owned())?,
        nonce: Hex::parse(nonce)?,
        proof: Hex::parse(proof)?,
    })
}

fn told(asked: &str, received: &str, sent: &str) -> Option<Message> {
    Some(Message::Told {
        number: canonical(asked)?,
        received_ns: canonical(received)?,
        sent_ns: canonical(sent)?,
    })
}

/// Reads what is written in the one way in which it would be written here.
fn canonical<T: FromStr + fmt::Display>(text: &str) -> Option<T> {
    let value: T = text.parse().ok()?;
    (value.to_string() == text).then_some(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refusal() -> impl Strategy<Value = Refusal> {
        prop_oneof![
            Just(Refusal::Token),
            Just(Refusal::Plan),
            any::<u32>().prop_map(|of| Refusal::Count { of }),
            Just(Refusal::Taken),
            Just(Refusal::Begun),
            Just(Refusal::Missing),
            Just(Refusal::Slow),
            Just(Refusal::Garbled),
        ]
    }

    fn joined() -> impl Strategy<Value = Message> {
        let shard = (1..=Shard::MOST).prop_flat_map(|of| (0..of, Just(of)));
        (shard, "[!-~]{1,128}", any::<[u8; 16]>(), any::<[u8; 32]>()).prop_map(
            |((index, of), plan, nonce, proof)| Message::Join {
                shard: Shard::new(index, of).unwrap(),
                plan,
                nonce: Hex(nonce),
                proof: Hex(proof),
            },
        )
    }

    fn message() -> impl Strategy<Value = Message> {
        prop_oneof![
            any::<[u8; 16]>().prop_map(|nonce| Message::Greeting { nonce: Hex(nonce) }),
            joined(),
            any::<[u8; 32]>().prop_map(|proof| Message::Welcome { proof: Hex(proof) }),
            refusal().prop_map(Message::No),
            any::<u32>().prop_map(|number| Message::Ask { number }),
            any::<(u32, u64, u64)>().prop_map(|(number, received_ns, sent_ns)| Message::Told {
                number,
                received_ns,
                sent_ns,
            }),
            Just(Message::Ready),
            any::<u64>().prop_map(|at_ns| Message::Start { at_ns }),
            any::<u64>().prop_map(|at_ns| Message::End { at_ns }),
            Just(Message::Goodbye),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn messages_come_through_as_they_are(message in message()) {
            let line = message.line();
            prop_assert!(line.len() <= 256 && line.is_ascii(), "{}", line);
            let read: Message = line.trim_end_matches('\n').parse().unwrap();
            prop_assert_eq!(format!("{read:?}"), format!("{message:?}"));
        }

        #[test]
        fn whatever_is_read_is_written_so(
            line in "(join|clock|no|start|end|ready|welcome|count|[ -~]| |[0-9]|/){0,12}|\\PC*",
        ) {
            if let Ok(message) = line.parse::<Message>() {
                prop_assert_eq!(message.to_string(), line);
            }
        }
    }

    #[test]
    fn there_is_one_way_to_write_each() {
        for line in [
            "",
            " ready",
            "ready ",
            "READY",
            "start",
            "start 01",
            "start +1",
            "start -1",
            "start 18446744073709551616",
            "clock 1 2",
            "clock 4294967296",
            "loadgen-sync/1",
            "loadgen-sync/2 00000000000000000000000000000000",
            "no",
            "no idea",
            "welcome 00",
            "goodbye\r",
        ] {
            assert!(line.parse::<Message>().is_err(), "{line}");
        }
        let rest = format!("{} {}", Hex([0; 16]), Hex([0; 32]));
        assert!(format!("join 1/2 p {rest}").parse::<Message>().is_ok());
        for begin in ["join 2/2 p", "join 01/2 p", "join 1/2 ", "join 1/2 p p", "join 1/2 é"] {
            assert!(format!("{begin} {rest}").parse::<Message>().is_err(), "{begin}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_shown_and_does_nothing() {
        let garbled = Garbled::of(b"SSH-2.0-\x1b[2J\xff\r");
        assert_eq!(garbled.said, "SSH-2.0-\\u{1b}[2J\u{fffd}");
        assert_eq!(Garbled::of(&[b'a'; 1000]).said.len(), SHOWN);
    }
}
