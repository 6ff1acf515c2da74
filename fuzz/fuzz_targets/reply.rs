//! The reply parser: any split of any bytes gives the same outcome, nothing is
//! consumed behind the end, and httparse agrees on the heads that it takes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| loadgen_core::fuzzing::check_reply(data));
