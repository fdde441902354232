//! Chance: where ids, numbers, keys and seeds come from.
//!
//! The operating system gives it. A test may give a server another source, the same numbers each time: see
//! `test/chance.rs`, which no build without the test kit has. Left out is what nobody is ever shown: the names of temporary
//! files, what stands between the ranges of a file, and keys of hashes that no page, token or journal has.

use std::fmt;
use std::sync::Arc;

/// Gives other chance than the operating system's.
pub(crate) trait Source: Send + Sync {
    /// Fills all of it.
    fn fill(&self, bytes: &mut [u8]);
}

/// A server's chance.
#[derive(Clone, Default)]
pub(crate) struct Chance(pub(crate) Option<Arc<dyn Source>>);

impl Chance {
    /// As many bytes as are wanted.
    pub(crate) fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        match &self.0 {
            None => system(&mut bytes),
            Some(source) => source.fill(&mut bytes),
        }
        bytes
    }
}

/// Fills from the operating system's generator.
pub(crate) fn system(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system gives random bytes");
}

impl fmt::Debug for Chance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_none() { "the system's" } else { "a test's" })
    }
}
