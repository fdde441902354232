//! Where requests begin and end in a stream of bytes, and whether they are in order: RFC 9112, read strictly.
//!
//! Whatever two readers could read in two ways is refused: that is what requests are smuggled by. No input or output
//! happens here; how the bytes are cut makes no difference. What the program may refuse (methods, sizes of bodies) is
//! let through.

mod chunks;
mod head;

use super::fault::Fault;
use super::{bytes, fault, host};
use chunks::Chunks;
use head::Head;

/// How large a head may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Bytes of it.
    pub(crate) head: usize,
    /// Fields of it, duplicates counted; of trailers too.
    pub(crate) fields: usize,
}

/// The requests of one connection.
#[derive(Debug)]
pub(crate) struct Framing {
    bounds: Bounds,
    part: Part,
    fault: Option<Fault>,
    for_head: bool,
    /// Heads that were whole; begins anew when it is full.
    heads: u32,
}

/// What is being read.
#[derive(Debug)]
enum Part {
    Head(Head),
    Sized(u64),
    Chunks(Chunks),
}

/// What follows a head.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Body {
    Sized(u64),
    Chunked,
}

impl Framing {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Framing { bounds, part: Part::Head(Head::default()), fault: None, for_head: false, heads: 0 }
    }

    /// Reads on: how many of these bytes are in order and may be passed on.
    ///
    /// The rest is the beginning of a head. It is to be offered again, with what comes after it; if there is a fault,
    /// nothing is.
    pub(crate) fn admit(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() && self.fault.is_none() {
            match self.read(&bytes[at..]) {
                Ok(0) => break,
                Ok(read) => at += read,
                Err((read, fault)) => {
                    self.fault = Some(fault);
                    at += read;
                }
            }
        }
        at
    }

    /// Reads on in the part that is being read; 0 if that needs more.
    fn read(&mut self, bytes: &[u8]) -> Result<usize, (usize, Fault)> {
        match &mut self.part {
            Part::Head(head) => match head.read(bytes, &self.bounds) {
                Ok(None) => Ok(0),
                Ok(Some((length, body))) => {
                    self.part = body.into();
                    self.heads = self.heads.wrapping_add(1);
                    Ok(length)
                }
                Err(fault) => {
                    self.for_head = head.is_for_head(bytes);
                    Err((0, fault))
                }
            },
            Part::Sized(left) => {
                let some = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= some as u64;
                if *left == 0 {
                    self.part = Part::Head(Head::default());
                }
                Ok(some)
            }
            Part::Chunks(chunks) => {
                let (some, over) = chunks.read(bytes, &self.bounds)?;
                if over {
                    self.part = Part::Head(Head::default());
                }
                Ok(some)
            }
        }
    }

    /// What is wrong, if anything is. Nothing is read after it.
    pub(crate) fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// How many requests have begun. Only good to see that there are more.
    pub(crate) fn heads(&self) -> u32 {
        self.heads
    }

    /// Whether a request's head was passed on and its body is not over.
    pub(crate) fn is_in_body(&self) -> bool {
        !matches!(self.part, Part::Head(_))
    }

    /// Whether a request has begun whose head is not whole.
    pub(crate) fn is_in_head(&self) -> bool {
        matches!(&self.part, Part::Head(head) if !head.is_empty())
    }

    /// Whether the request that has the fault is a HEAD, of which answers have no body.
    pub(crate) fn is_for_head(&self) -> bool {
        self.for_head
    }
}

impl From<Body> for Part {
    fn from(body: Body) -> Self {
        match body {
            Body::Sized(0) => Part::Head(Head::default()),
            Body::Sized(length) => Part::Sized(length),
            Body::Chunked => Part::Chunks(Chunks::default()),
        }
    }
}
