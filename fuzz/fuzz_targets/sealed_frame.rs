#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| discobase_core::fuzzing::sealed_frame(bytes));
