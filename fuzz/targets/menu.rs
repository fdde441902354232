//! Runs `continuity::fuzz::menu` on whatever libFuzzer comes up with.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| continuity::fuzz::menu(bytes));
