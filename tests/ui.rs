//! The derives' diagnostics, word for word: `tests/ui/fail` must not compile and say why, `tests/ui/pass` must
//! compile and run.
//!
//! The texts are those of the compiler in `rust-toolchain.toml`; after a change, `TRYBUILD=overwrite cargo test
//! --test ui` writes them anew, to be read before they are committed.

#[test]
fn ui() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/fail/*.rs");
}
