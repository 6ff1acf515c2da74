//! Who was refused, for the message of a host that waited in vain.

/// The most notes.
const MOST: usize = 10;

/// What happened at the door. The same thing again is counted and takes no more room, so that
/// somebody who knocks all day does not hide the others.
#[derive(Debug, Default)]
pub(super) struct Notes {
    kept: Vec<(String, u64)>,
    /// What found no room.
    others: u64,
}

impl Notes {
    /// Notes it. The text must be fit for a terminal.
    pub(super) fn add(&mut self, note: String) {
        if let Some((_, times)) = self.kept.iter_mut().find(|(kept, _)| *kept == note) {
            *times += 1;
        } else if self.kept.len() < MOST {
            self.kept.push((note, 1));
        } else {
            self.others += 1;
        }
    }

    /// Each, and how often.
    pub(super) fn texts(&self) -> Vec<String> {
        let kept = self.kept.iter().map(|(note, times)| match times {
            1 => note.clone(),
            times => format!("{note} ({times} times)"),
        });
        let others = (self.others > 0).then(|| format!("and {} more", self.others));
        kept.chain(others).collect()
    }

    /// As the second part of a sentence: `; at the door: …`, or nothing.
    pub(super) fn told(&self) -> String {
        let texts = self.texts();
        if texts.is_empty() {
            return String::new();
        }
        format!("; at the door: {}", texts.join(", "))
    }
}

/// The shards that a host waited for, in words.
pub(super) fn who(absent: &[u32], unready: &[u32]) -> String {
    let parts = [(absent, "not there"), (unready, "not ready")];
    let told = parts.iter().filter(|(shards, _)| !shards.is_empty());
    let told: Vec<String> = told
        .map(|(shards, what)| match shards {
            [one] => format!("shard {one} was {what}"),
            many => format!("shards {} were {what}", list(many)),
        })
        .collect();
    told.join(" and ")
}

fn list(shards: &[u32]) -> String {
    let shown: Vec<String> = shards.iter().take(MOST).map(u32::to_string).collect();
    let rest = shards.len() - shown.len();
    let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    shown.join(", ") + &rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_take_little_room() {
        let mut notes = Notes::default();
        assert_eq!(notes.told(), "");
        for _ in 0..1000 {
            notes.add("a: x".to_owned());
        }
        assert_eq!(notes.told(), "; at the door: a: x (1000 times)");
        for k in 0..50 {
            notes.add(format!("b: {k}"));
        }
        assert_eq!(notes.texts().len(), MOST + 1);
        assert!(notes.told().ends_with("b: 8, and 41 more"), "{}", notes.told());
    }

    #[test]
    fn shards_are_named() {
        assert_eq!(who(&[3], &[]), "shard 3 was not there");
        assert_eq!(who(&[1, 2], &[4]), "shards 1, 2 were not there and shard 4 was not ready");
        let many: Vec<u32> = (1..14).collect();
        assert_eq!(
            who(&[], &many),
            "shards 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 3 more were not ready"
        );
    }
}
