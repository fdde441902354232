//! What the server binaries of the bench share: [`rival`] for what Continuity is compared to, [`library`] for its own.
//!
//! The load generator and the orchestrator are not here but in the `bench` binary (`main.rs`), so that
//! a server cannot come to depend on them.

pub mod library;
pub mod rival;
