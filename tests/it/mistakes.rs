//! The mistakes that everybody makes at first: what the compiler says to them is part of the library's face.
//!
//! Where the compiler has no words of ours, it shows the line of the bound that was not met: `Server::new` says there what a
//! session function is.

#[test]
fn common_mistakes_are_told_in_words_that_help() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
