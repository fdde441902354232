//! The lock the session queue uses; `tests/queue` puts a model checker's in its place.

pub(crate) use std::sync::{Mutex, MutexGuard};
