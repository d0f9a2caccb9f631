//! What the compiler says for the commonest mistakes: the messages are part of the interface.

/// Written anew by `TRYBUILD=overwrite cargo test --test ui`; look at what changed.
#[test]
fn the_compiler_is_kind() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
