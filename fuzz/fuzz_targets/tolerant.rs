//! The reply reader of sessions: any split of any bytes gives the same lines, body,
//! sizes and notices, and nothing is consumed behind the end.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| loadgen_core::fuzzing::check_tolerant(data));
