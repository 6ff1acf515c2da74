//! How the machine's kernel is asked.

use std::fmt;
use std::str::FromStr;

/// How a reach check asks the machine's kernel, as chosen by the user.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReachCheck {
    /// The first of these that is answered before the load: SYNs to a closed port,
    /// ICMP echo, SYNs to the service's port (these at 50/s at most).
    #[default]
    Auto,
    /// SYNs to this port, which is closed: the kernel answers with RST.
    Rst(u16),
    /// ICMP echo: needs `net.ipv4.ping_group_range`, or `CAP_NET_RAW`.
    Icmp,
    /// SYNs to the service's port, reset as soon as they are answered.
    Syn,
    /// None.
    Off,
}

impl FromStr for ReachCheck {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "icmp" => Ok(Self::Icmp),
            "syn" => Ok(Self::Syn),
            "off" => Ok(Self::Off),
            "rst" => Err("'rst' needs a closed port of the machine, such as rst:63113".to_owned()),
            _ => match text.strip_prefix("rst:").map(str::parse) {
                Some(Ok(port)) if port > 0 => Ok(Self::Rst(port)),
                Some(_) => Err(format!("'{text}': rst: wants a port from 1 to 65535")),
                None => Err(format!("'{text}' is none of auto, rst:PORT, icmp, syn, off")),
            },
        }
    }
}

impl fmt::Display for ReachCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Rst(port) => write!(f, "rst:{port}"),
            Self::Icmp => f.write_str("icmp"),
            Self::Syn => f.write_str("syn"),
            Self::Off => f.write_str("off"),
        }
    }
}

/// A way of asking that is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Rst(u16),
    Icmp,
    Syn,
}

impl Method {
    /// Whether a check that got no answer may have arrived all the same: a SYN is
    /// dropped by the machine's own kernel when the service does not accept.
    pub(crate) fn may_be_dropped_by_the_machine(self) -> bool {
        self == Self::Syn
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rst(port) => ReachCheck::Rst(*port),
            Self::Icmp => ReachCheck::Icmp,
            Self::Syn => ReachCheck::Syn,
        }
        .fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_read_as_they_are_written() {
        for text in ["auto", "rst:61234", "icmp", "syn", "off"] {
            assert_eq!(text.parse::<ReachCheck>().unwrap().to_string(), text);
        }
        for text in ["", "rst", "rst:", "rst:0", "rst:65536", "ping", "AUTO"] {
            text.parse::<ReachCheck>().unwrap_err();
        }
    }
}
