//! What a fault may cost: every response that a client received is backed by the journal; after any fault each session
//! goes on as if nothing had happened, or its client is told; no hit is applied twice, and none is lost silently.
//!
//! A [`program`] with a journal runs as a process of its own, [`clients`] write down what they saw, and the [`checker`]
//! says whether there is a past that explains it all. Faults are brought about by the kernel, with strace.
//! Tests whose names begin with `soak` take long: `cargo xtask soak --faults` runs them.

mod checker;
mod clients;
mod clocks;
mod crowd;
mod errors;
mod kills;
mod program;
mod promises;
mod run;

/// A repeatable choice out of many: a test that fails can be run again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}
