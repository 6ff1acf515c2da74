//! Whether requests name the host, and which.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::RawText;

/// The `Host` line of requests.
///
/// In JSON it is the name, `null` for no line, and left out for the host of the URL.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum HostLine {
    /// Names host and port of the plan's target, or of the server where there are
    /// several ([`Sessions::servers`](super::Sessions::servers)), as RFC 9112 §3.2
    /// wants it. A `Host` line among the other lines of the head replaces it.
    #[default]
    OfTarget,
    /// This name, or that of the server where there are several; no port is added.
    Named(RawText),
    /// No such line: most servers answer HTTP/1.1 requests of that kind with 400.
    Omitted,
}

impl HostLine {
    pub(super) fn is_of_target(&self) -> bool {
        *self == Self::OfTarget
    }
}

impl From<&str> for HostLine {
    fn from(name: &str) -> Self {
        Self::Named(name.into())
    }
}

impl Serialize for HostLine {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            // `Head` leaves it out; `null` would be read as something else.
            Self::OfTarget => {
                Err(serde::ser::Error::custom("the host of the target is told by leaving it out"))
            }
            Self::Named(name) => name.serialize(serializer),
            Self::Omitted => serializer.serialize_none(),
        }
    }
}

impl<'de> Deserialize<'de> for HostLine {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Omitted, Self::Named))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Sessions;
    use super::*;

    #[test]
    fn each_kind_comes_back_from_json() {
        for (line, member) in [
            (HostLine::OfTarget, None),
            (HostLine::Omitted, Some(serde_json::Value::Null)),
            (HostLine::from("h:81"), Some("h:81".into())),
        ] {
            let mut sessions = Sessions::connections(1);
            sessions.head.host = line;
            let json = serde_json::to_value(&sessions).unwrap();
            assert_eq!(json["head"].get("host").cloned(), member);
            assert_eq!(serde_json::from_value::<Sessions>(json).unwrap(), sessions);
        }
    }
}
