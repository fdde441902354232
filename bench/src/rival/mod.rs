//! The parts every rival is built from, so that rivals differ in how they keep sessions and in nothing else.
//!
//! - [`serve`]: the runtime, the socket, and the one place with the settings of hyper;
//! - [`page`]: the counter page, its headers, the session's cookie and id;
//! - [`head`]: what is checked of a request's head before a session may see it.

pub mod head;
pub mod page;
pub mod serve;
