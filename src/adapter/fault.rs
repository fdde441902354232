//! What can be wrong with a request, and what its sender is told. After any of these the connection ends.

/// A status, and a sentence for whoever debugs the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) status: u16,
    pub(crate) says: &'static str,
}

const fn bad(says: &'static str) -> Fault {
    Fault { status: 400, says }
}

pub(crate) const LINE: Fault = bad("The request's first line is malformed.");
pub(crate) const TARGET: Fault = bad("The request's target is malformed.");
pub(crate) const FIELD: Fault = bad("A header field of the request is malformed.");
pub(crate) const HOST: Fault = bad("The request does not name one host.");
pub(crate) const LENGTH: Fault = bad("The request's length is not one number.");
pub(crate) const CODING: Fault = bad("The request's transfer encoding is ambiguous.");
pub(crate) const CHUNK: Fault = bad("A chunk of the request's body is malformed.");
pub(crate) const TRAILER: Fault = bad("The trailers of the request's body are malformed or too large.");
pub(crate) const UNKNOWN_CODING: Fault =
    Fault { status: 501, says: "The request's transfer encoding is unknown." };
pub(crate) const LONG_LINE: Fault = Fault { status: 414, says: "The request's target is too long." };
pub(crate) const EXPECTATION: Fault = Fault { status: 417, says: "What the request expects cannot be met." };
pub(crate) const LARGE_HEAD: Fault = Fault { status: 431, says: "The request's head is too large." };
pub(crate) const MANY_FIELDS: Fault = Fault { status: 431, says: "The request has too many header fields." };
pub(crate) const VERSION: Fault = Fault { status: 505, says: "This server speaks HTTP/1.1." };

/// What is told to a client that speaks HTTP where https is spoken.
pub(crate) const PLAIN: Fault = bad("This port speaks https: begin the address with https://.");
/// What is told to a client whose head does not come to its end.
pub(crate) const SLOW: Fault = Fault { status: 408, says: "The request took too long." };
