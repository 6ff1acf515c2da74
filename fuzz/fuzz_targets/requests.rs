//! The readers of lists of requests, access logs and data: no bytes make them panic, and what
//! they take can be sent.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| loadgen_core::fuzzing::check_requests(data));
