//! The journal: the record from which a session is rebuilt.

mod store;

pub use store::{
    Change, Chunk, Fault, Found, Head, Memory, Opened, SLOTS, State, Store, StoreError, Visitor,
};
#[cfg(feature = "sqlite")]
pub use store::{CheckReport, DamagedSession, Sqlite};
