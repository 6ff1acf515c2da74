//! The zone of an IPv6 address (RFC 4007): which network interface it is on.

use std::ffi::CString;
use std::io;

use super::url::percent_decoded;
use crate::net::sys;

/// The number of a zone, which is a name of an interface or its number.
pub(super) fn scope(zone: &str) -> io::Result<u32> {
    let name = percent_decoded(zone).unwrap_or_default();
    let shown = String::from_utf8_lossy(&name).into_owned();
    if let Ok(number) = shown.parse::<u32>()
        && number > 0
    {
        return Ok(number);
    }
    let number = CString::new(name).ok().and_then(|name| sys::interface_number(&name));
    number.ok_or_else(|| {
        io::Error::other(format!(
            "this machine has no network interface '{shown}', which is the zone of the address"
        ))
    })
}
