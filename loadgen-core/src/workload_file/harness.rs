//! What no bytes may make the readers do, for the fuzzer.

use std::path::Path;

use super::entry::{Base, ListedRequest};
use super::template::Table;
use super::{access_log, json_lines, urls};
use crate::error::WorkloadFileError;
use crate::request::Request;
use crate::target::Target;

/// Gives bytes of a fuzzer to all readers: what they take can be sent, and times are in order.
///
/// # Panics
/// A reader broke that promise.
pub(crate) fn check_readers(bytes: &[u8], target: &Target) {
    let request = Request::get();
    let base = Base { request: &request, target };
    let file = Path::new("f");
    let mut take = |line: u64, listed: ListedRequest| {
        let valid = listed.validate();
        valid.map_err(|error| WorkloadFileError::content(file, Some(line), error.to_string()))
    };
    let _ = urls::lines(bytes, file, &base, &mut take);
    let _ = urls::wlog(bytes, &base, &mut take);
    let _ = json_lines::read(bytes, file, &base, &mut take);
    let mut taken = 0;
    let mut take = |_: u64, listed: ListedRequest| {
        taken += 1;
        // Nobody can mend the lines of a log: what cannot be sent is left out before.
        assert!(listed.validate().is_ok(), "{listed:?}");
        Ok(())
    };
    if let Ok(replayed) = access_log::read(bytes, file, &base, true, &mut take) {
        assert!(replayed.times.is_sorted());
        assert_eq!(replayed.times.len(), taken);
    }
    let _ = Table::read(bytes, file);
}
