//! Any bytes as `regex`: no record panics, vanishes, comes twice, or depends on where the input is cut.
#![no_main]

#[path = "../../../inputs/tests/check/mod.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check::check("regex", bytes));
