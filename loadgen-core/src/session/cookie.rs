//! Stub until the real one lands.
use super::Notice;

#[derive(Debug, Default)]
pub(crate) struct CookieJar;

impl CookieJar {
    pub(crate) fn take(&mut self, _line: &[u8]) -> Option<Notice<'static>> {
        None
    }
    pub(crate) fn text(&self) -> Option<&[u8]> {
        None
    }
}
