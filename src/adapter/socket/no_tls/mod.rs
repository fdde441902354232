//! What stands in for TLS when it is not built: nothing is ever sealed.

mod sealed;

use std::io;

use super::Stream;
use crate::error::Error;
pub(crate) use sealed::Sealed;

/// What a program wants: nothing.
#[derive(Debug)]
pub(crate) enum Wanted {}

impl Wanted {
    pub(crate) fn terms(self, _: &[&[u8]]) -> Result<Terms, Error> {
        match self {}
    }
}

/// How connections are sealed: none are.
#[derive(Debug)]
pub(crate) enum Terms {}

/// A connection that is sealed, and what was agreed to speak on it.
pub(crate) struct Agreed {
    pub(crate) stream: Stream,
    pub(crate) protocol: Option<Vec<u8>>,
}

impl Terms {
    pub(crate) async fn agree(&self, _: Stream) -> io::Result<Agreed> {
        match *self {}
    }

    pub(crate) async fn watch(&self) {
        match *self {}
    }
}
