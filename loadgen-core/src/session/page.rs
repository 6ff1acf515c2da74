//! Stub until the real one lands.
pub(crate) enum Found<'a> {
    Object(&'a [u8]),
    Foreign(&'a [u8]),
}
#[derive(Debug)]
pub(crate) struct PageScanner;
impl PageScanner {
    pub(crate) fn new(_base: &[u8]) -> Self {
        Self
    }
    pub(crate) fn header(&mut self, _line: &[u8], _found: &mut dyn FnMut(Found<'_>)) {}
    pub(crate) fn scan(&mut self, _bytes: &[u8], found: &mut dyn FnMut(Found<'_>)) {
        let _ = |x| found(Found::Object(x));
        let _ = |x| found(Found::Foreign(x));
    }
}
