//! The addresses to connect from: `--myaddr`.

use std::ffi::OsStr;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs as _};

use super::error::CommandLineError;
use super::options::Options;

/// Most addresses of all ranges together.
const MOST: usize = 65_536;

impl Options {
    /// The addresses to connect from, in turn, in the order given; empty if the
    /// system is to choose. Names are looked up, which may take its time.
    ///
    /// # Errors
    ///
    /// What is neither an address, nor a name with an address, nor a range `A-B`
    /// from A up to B; more than 65536 addresses.
    pub fn source_addresses(&self) -> Result<Vec<IpAddr>, CommandLineError> {
        let mut pool = Vec::new();
        for given in &self.my_addresses {
            self.add_addresses(given, &mut pool)?;
        }
        Ok(pool)
    }

    fn add_addresses(&self, given: &OsStr, pool: &mut Vec<IpAddr>) -> Result<(), CommandLineError> {
        let wrong = |what: &str, text: &[u8]| {
            let what = format!(": invalid {what} ");
            CommandLineError::new(&[&self.program, what.as_bytes(), text])
        };
        let bad_list = || wrong("address list", given.as_encoded_bytes());
        let text = given.to_str().ok_or_else(bad_list)?;
        let Some((first, last)) = range(text) else {
            // A name may have a dash in it, so it is looked up as a whole.
            pool.push(look_up(text).ok_or_else(bad_list)?);
            return Ok(());
        };
        let first = look_up(first).ok_or_else(|| wrong("starting address", first.as_bytes()))?;
        let last = look_up(last).ok_or_else(|| wrong("ending address", last.as_bytes()))?;
        let count = count(first, last).ok_or_else(bad_list)?;
        if pool.len().saturating_add(count) > MOST {
            return Err(bad_list());
        }
        pool.extend((0..count).map(|n| plus(first, n)));
        Ok(())
    }
}

/// The two ends of a range. It is one if an end of it is an address; else it is
/// a name with a dash.
fn range(text: &str) -> Option<(&str, &str)> {
    let is_address = |text: &str| text.parse::<IpAddr>().is_ok();
    let first = text.split_once('-').filter(|(first, _)| is_address(first));
    first.or_else(|| text.rsplit_once('-').filter(|(_, last)| is_address(last)))
}

fn look_up(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    // IPv4 first, like the original, which knows no other.
    let found: Vec<_> = (text, 0).to_socket_addrs().ok()?.map(|a| a.ip()).collect();
    found.iter().find(|a| a.is_ipv4()).or(found.first()).copied()
}

/// How many addresses a range has; `None` if it runs backwards or mixes families.
fn count(first: IpAddr, last: IpAddr) -> Option<usize> {
    let between = match (first, last) {
        (IpAddr::V4(a), IpAddr::V4(b)) => u128::from(b.to_bits().checked_sub(a.to_bits())?),
        (IpAddr::V6(a), IpAddr::V6(b)) => b.to_bits().checked_sub(a.to_bits())?,
        _ => return None,
    };
    usize::try_from(between).ok()?.checked_add(1)
}

fn plus(first: IpAddr, n: usize) -> IpAddr {
    match first {
        IpAddr::V4(a) => Ipv4Addr::from_bits(a.to_bits().wrapping_add(n as u32)).into(),
        IpAddr::V6(a) => Ipv6Addr::from_bits(a.to_bits().wrapping_add(n as u128)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(given: &[&str]) -> Result<Vec<String>, String> {
        let mut options = Options::new(b"httperf");
        options.my_addresses = given.iter().map(Into::into).collect();
        match options.source_addresses() {
            Ok(pool) => Ok(pool.iter().map(ToString::to_string).collect()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn addresses_and_ranges() {
        assert_eq!(addresses(&[]).unwrap(), [""; 0]);
        assert_eq!(
            addresses(&["127.0.0.2-127.0.0.4", "127.0.0.9"]).unwrap(),
            ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.9"]
        );
        assert_eq!(addresses(&["127.0.0.255-127.0.1.0"]).unwrap().len(), 2);
        assert_eq!(addresses(&["::1", "fe80::1-fe80::2"]).unwrap(), ["::1", "fe80::1", "fe80::2"]);
        assert_eq!(addresses(&["localhost"]).unwrap().len(), 1);
    }

    #[test]
    fn messages() {
        for (given, message) in [
            ("127.0.0.2-", "httperf: invalid ending address "),
            ("127.0.0.4-127.0.0.2", "httperf: invalid address list 127.0.0.4-127.0.0.2"),
            ("127.0.0.4-::1", "httperf: invalid address list 127.0.0.4-::1"),
            ("-127.0.0.2", "httperf: invalid starting address "),
            ("10.0.0.0-10.1.0.0", "httperf: invalid address list 10.0.0.0-10.1.0.0"),
            ("::-ffff::", "httperf: invalid address list ::-ffff::"),
            ("", "httperf: invalid address list "),
        ] {
            assert_eq!(addresses(&[given]), Err(message.trim_end().to_owned()), "{given}");
        }
    }
}
