//! One coroutine: a visitor's running `async fn`, and the door to it.
//!
//! A session is `Arc<Session>` in the [`table`]; its [`queue`] is the only way in, [`drive`] runs it. What the
//! program holds ([`Request`](crate::Request)) and the runner share, the hit in hand, is the queue's talk.

pub(crate) mod addressed;
pub(crate) mod drive;
mod end;
pub(crate) mod kept;
pub(crate) mod queue;
pub(crate) mod table;
pub(crate) mod watch;

use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::engine::Core;
use crate::error::BoxError;
use crate::hit::Hit;
use crate::journal::tape::Tape;
use crate::journal::turning::Branches;
use crate::mapper::key::VisitorId;
use crate::reply::Preface;
use crate::step::{Answered, OldPages};
use queue::{Load, Message, Queue, Sent};

/// A session's running function.
pub(crate) type Task = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

/// What a session's queue carries.
pub(crate) struct Parts;

impl Load for Parts {
    type Hit = Box<Hit>;
    type Task = Task;
    type Talk = Talk;
    type Rare = Rare;

    fn is_spare(rare: &Rare) -> bool {
        let Rare { preface, between, address, tape, shared, branches, old_pages, private } = rare;
        preface.is_none()
            && between.is_empty()
            && address.is_none()
            && tape.is_none()
            && shared.is_empty()
            && branches.is_none()
            && old_pages.is_none()
            && !private
    }

    fn defer(hit: &mut Box<Hit>) {
        hit.reply.defer();
    }

    fn defer_in_hand(talk: &mut Talk) {
        if let Some(hit) = &mut talk.current {
            hit.reply.defer();
        }
    }
}

/// What the program and its runner share about the hit in hand.
pub(crate) struct Talk {
    /// The hit being answered.
    pub(crate) current: Option<Box<Hit>>,
    /// Where in the program's code the last verb stands.
    pub(crate) place: &'static Location<'static>,
    /// The answer that was applied last, if it carried a token and nothing was applied after it.
    pub(crate) applied: Answered,
    /// How many hits were taken.
    pub(crate) step: u32,
    pub(crate) flow: u16,
    /// There is a page in the store of kept pages.
    pub(crate) kept: bool,
    pub(crate) way: Way,
}

/// What is particular to a session that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Ordinary,
    /// It ends when it asks for its second hit.
    Fleeting,
    /// Its page was answered before, on other branches.
    Answered,
}

impl Talk {
    pub(crate) fn new(flow: u16, place: &'static Location<'static>) -> Self {
        let (applied, way) = (Answered::NONE, Way::Ordinary);
        Talk { current: None, place, applied, step: 0, flow, kept: false, way }
    }
}

/// What few sessions need.
#[derive(Default)]
pub(crate) struct Rare {
    /// What was printed and set before the page that is being chosen on.
    pub(crate) preface: Option<Box<Preface>>,
    /// What was printed between two hits: it belongs to the next response.
    pub(crate) between: String,
    /// The address that this newborn counts for.
    pub(crate) address: Option<u64>,
    /// What is recorded, where there is a journal.
    pub(crate) tape: Option<Box<Tape>>,
    /// What the branches of the session share: the last version of each, by its type's name.
    pub(crate) shared: Vec<(String, Vec<u8>)>,
    /// Its branches, if it has more than one.
    pub(crate) branches: Option<Box<Branches>>,
    /// What new answers to the page that is shown do once it is old.
    pub(crate) old_pages: Option<OldPages>,
    /// It has shown what nobody may keep.
    pub(crate) private: bool,
}

/// One running coroutine. About 140 bytes and its future while it waits.
pub(crate) struct Session {
    pub(crate) core: Arc<Core>,
    visitor: [AtomicU64; 2],
    pub(crate) label: u64,
    /// Unique in the process; the upper half is the second of the server's life it was made in.
    pub(crate) serial: u64,
    pub(crate) queue: Queue<Parts>,
}

static SERIAL: AtomicU32 = AtomicU32::new(1);

/// For so many sessions memory is asked for at once, and about what they and their futures take.
const AT_ONCE: u32 = 128;
const ROOM: usize = 40 * 1024;

/// Has the allocator lengthen its heap by more than a page: glibc's asks the system for each page that a thread's heap
/// grows by, which is each 14 sessions, when nothing larger is wanted.
#[cold]
fn make_room() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(ROOM)));
}

impl Session {
    /// One with its first hit in hand: whoever makes it is its runner, and [begins](Self::begin) it.
    #[track_caller]
    pub(crate) fn new(
        core: Arc<Core>,
        visitor: VisitorId,
        label: u64,
        (flow, way): (u16, Way),
        first: Box<Hit>,
    ) -> Arc<Session> {
        let (made, number) = (u64::from(core.clock.now()), SERIAL.fetch_add(1, Ordering::Relaxed));
        if number.is_multiple_of(AT_ONCE) {
            make_room();
        }
        let talk = Talk { current: Some(first), step: 1, way, ..Talk::new(flow, Location::caller()) };
        Arc::new(Session {
            visitor: visitor.0.map(AtomicU64::new),
            label,
            serial: made << 32 | u64::from(number),
            queue: Queue::begun(talk),
            core,
        })
    }

    /// One that is to be rebuilt; what is sent to it waits until then.
    #[track_caller]
    pub(crate) fn parked(
        core: Arc<Core>,
        visitor: VisitorId,
        label: u64,
        serial: u64,
        flow: u16,
    ) -> Arc<Session> {
        Arc::new(Session {
            visitor: visitor.0.map(AtomicU64::new),
            label,
            serial,
            queue: Queue::running(Talk::new(flow, Location::caller())),
            core,
        })
    }

    /// Whom it belongs to. Changes only under the table's locks.
    pub(crate) fn visitor(&self) -> VisitorId {
        VisitorId([0, 1].map(|half| self.visitor[half].load(Ordering::Relaxed)))
    }

    fn set_visitor(&self, visitor: VisitorId) {
        for (half, value) in self.visitor.iter().zip(visitor.0) {
            half.store(value, Ordering::Relaxed);
        }
    }

    /// The second of the server's life it was made in.
    pub(crate) fn made(&self) -> u32 {
        u32::try_from(self.serial >> 32).expect("32 bits are left")
    }

    /// What logs call it: enough to find it, not enough to be it.
    pub(crate) fn name(&self) -> impl std::fmt::Display {
        let serial = self.serial;
        std::fmt::from_fn(move |f| write!(f, "{serial:x}"))
    }

    /// Whether it has a hit in hand; if so, its idle time runs from the answer.
    pub(crate) fn is_at_work(&self) -> bool {
        self.talk(|talk| {
            if let Some(hit) = &mut talk.current {
                hit.overtime = true;
            }
            talk.current.is_some()
        })
    }

    /// Nothing is in hand, and nothing was taken.
    pub(crate) fn blank_talk(&self) {
        self.talk(|talk| *talk = Talk::new(talk.flow, talk.place));
    }

    /// What tokens of the page that is shown say of answers to it once it is old.
    pub(crate) fn old_bits(&self) -> u32 {
        OldPages::bits(self.queue.lock().peek_extra().and_then(|extra| extra.old_pages))
    }

    pub(crate) fn send(&self, message: Message<Box<Hit>>) -> Sent<Parts> {
        self.queue.send(message, self.core.limits.queue)
    }

    /// Looks at or changes what program and runner share. `look` runs under the session's lock: no code of others.
    pub(crate) fn talk<R>(&self, look: impl FnOnce(&mut Talk) -> R) -> R {
        look(&mut self.queue.lock().talk)
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("serial", &self.serial)
            .field("queue", &self.queue)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_fits_in_136_bytes() {
        // 16 bytes of counts in front and 8 of the allocator's make 160 - 8; the memory budget stands on it.
        assert!(size_of::<Session>() + 16 <= 136, "{} bytes", size_of::<Session>());
    }
}
