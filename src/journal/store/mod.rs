//! Where a journal is kept: the seam between what is recorded and what keeps it.
//!
//! A store keeps sessions ([`Head`]) and what happened in each ([`Chunk`]s, in order). It is asked by several threads
//! and written to by one; it may block. It knows nothing of hits, verbs or replay: entries are bytes to it.

mod memory;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::fmt;

pub use memory::Memory;
#[cfg(feature = "sqlite")]
pub use sqlite::{CheckReport, DamagedSession, Room, Sqlite};

use crate::error::BoxError;

/// Whom a session belongs to: a keyed hash of the visitor's id. A store never sees an id.
pub type Visitor = [u8; 16];

/// What a store says when it is opened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Opened {
    /// The journal's own number, made with it and the same for ever: keys of effects are derived from it.
    pub journal: [u8; 16],
    /// How often it was opened to be written, this time counted.
    pub epoch: u32,
    /// Seconds of the journal's life, which go on only while it is open to be written. Past every second it has ever
    /// been given by [`Change::Clock`] or as a session's number.
    pub clock: u32,
    /// The secret beside the journal; `None` where the store does not outlive the process.
    pub secret: Option<[u8; 32]>,
    /// Sessions that were being rebuilt when the process died that had it open before: see [`Store::mark`].
    pub marked: Vec<u64>,
}

impl Opened {
    /// What a store says when it is opened.
    pub fn new(journal: [u8; 16], epoch: u32, clock: u32) -> Self {
        Opened { journal, epoch, clock, secret: None, marked: Vec::new() }
    }
}

/// A session as a store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Head {
    /// Its number, unique in the journal. The upper half is the second of the journal's life it was made in.
    pub session: u64,
    /// Whom it belongs to.
    pub visitor: Visitor,
    /// What divides the visitor's sessions.
    pub label: u64,
    /// Where its flow is mounted; empty at the root.
    pub flow: String,
    /// Which of three lives it is in.
    pub state: State,
    /// The number that its next entry will have.
    pub entries: u64,
    /// Bytes of its entries that are kept.
    pub bytes: u64,
    /// The second of the journal's life something is due at: the end of its idle time where it is parked, its purge
    /// where it has ended. `None` while it is in memory.
    pub due: Option<u32>,
    /// When it wants to go on by itself, in seconds since 1970, if it sleeps.
    pub wake: Option<i64>,
    /// How many processes have died while they rebuilt it, since it was last rebuilt well.
    pub deaths: u32,
    /// When its last entry was written, in milliseconds since 1970.
    pub at: i64,
}

impl Head {
    /// A session that begins.
    pub fn new(session: u64, visitor: Visitor, label: u64, flow: &str) -> Self {
        Head {
            session,
            visitor,
            label,
            flow: flow.to_owned(),
            state: State::Live,
            entries: 0,
            bytes: 0,
            due: None,
            wake: None,
            deaths: 0,
            at: 0,
        }
    }
}

/// Which of three lives a session is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It waits: in memory or parked.
    Live,
    /// It has ended, and is kept for a while.
    Ended,
    /// It could not be rebuilt, and is kept for who wants to know why.
    Quarantined,
}

/// Entries of one session that were written together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Whose.
    pub session: u64,
    /// The number of its first entry; the session's first is 0.
    pub first: u64,
    /// How many entries there are.
    pub count: u64,
    /// When it was written, in milliseconds since 1970.
    pub at: i64,
    /// For people who look into the store: what happened, like `GET /cart`.
    pub what: String,
    /// The entries, one after the other, in the format of `docs/journal.md`.
    pub entries: Vec<u8>,
}

/// One thing that changes in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// A session is recorded from here on. Its chunks follow.
    Begin {
        /// Its number.
        session: u64,
        /// Whom it belongs to.
        visitor: Visitor,
        /// What divides the visitor's sessions.
        label: u64,
        /// Where its flow is mounted.
        flow: String,
    },
    /// Something happened in a session.
    Append(Chunk),
    /// The session leaves memory; at this second of the journal's life its idle time is over. This and the two after it
    /// change nothing of a session that is over.
    Park {
        /// Which.
        session: u64,
        /// When.
        due: u32,
    },
    /// The session is in memory again.
    Unpark {
        /// Which.
        session: u64,
    },
    /// The session sleeps until then, in seconds since 1970; `None`: it does not any more.
    Sleep {
        /// Which.
        session: u64,
        /// Until when.
        wake: Option<i64>,
    },
    /// The session is over; at second `due` of the journal's life it can be purged.
    End {
        /// Which.
        session: u64,
        /// [`State::Ended`] or [`State::Quarantined`].
        state: State,
        /// When.
        due: u32,
    },
    /// All sessions of a visitor are another's: the visitor has another id.
    Rename {
        /// Who it was.
        from: Visitor,
        /// Who it is.
        to: Visitor,
    },
    /// Chunks whose entries all have lower numbers than this are not needed any more.
    Trim {
        /// Whose.
        session: u64,
        /// The first number that is needed.
        before: u64,
    },
    /// So many processes have died while they rebuilt the session.
    Deaths {
        /// Which.
        session: u64,
        /// How many.
        count: u32,
    },
    /// Nothing of the session is kept: it is not found any more, and what a store cannot remove at once it removes by and by.
    Forget {
        /// Which.
        session: u64,
    },
    /// The journal's life has come to this second.
    Clock(u32),
}

/// What is known of a visitor under a label.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// Their newest session under the label, in whatever state.
    pub session: Option<Head>,
    /// They have a live session under some label.
    pub known: bool,
}

/// What a store keeps of one visitor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Share {
    /// Their live sessions, in memory or not, in any order.
    pub live: Vec<u64>,
    /// Bytes of the entries of all their sessions, those that are over too.
    pub bytes: u64,
}

impl Share {
    /// Counts one session of theirs.
    pub fn add(&mut self, head: &Head) {
        self.live.extend((head.state == State::Live).then_some(head.session));
        self.bytes = self.bytes.saturating_add(head.bytes);
    }
}

/// A session's entries, to be played again, or why they cannot be had.
pub type Recalled = Result<Vec<Chunk>, StoreError>;

/// Sessions that are asked for at once.
const PAGE: usize = 1_000;

/// Keeps a journal. What [`Server::journal`](crate::Server::journal) is given.
///
/// All methods may block. [`write`](Store::write) is called by one thread at a time, the others by several, also
/// meanwhile.
pub trait Store: Send + Sync + 'static {
    /// What was found when it was opened: asked once.
    fn opened(&self) -> Opened;

    /// Writes all changes, in this order, or none. When it returns, they survive the loss of power, if the store is one
    /// that does; and all other methods see them.
    ///
    /// A change to a session that is not there changes nothing, but [`Change::Append`]: that fails, as it does where
    /// the chunk's first entry is not the session's next one.
    fn write(&self, changes: &[Change]) -> Result<(), StoreError>;

    /// What is known of a visitor.
    fn find(&self, visitor: &Visitor, label: u64) -> Result<Found, StoreError>;

    /// What is kept of a visitor. Goes through all sessions where the store has no better way.
    fn share(&self, visitor: &Visitor) -> Result<Share, StoreError> {
        let (mut share, mut after) = (Share::default(), 0);
        loop {
            let some = self.list(after, PAGE)?;
            let Some(last) = some.last() else { return Ok(share) };
            after = last.session;
            some.iter().filter(|head| head.visitor == *visitor).for_each(|head| share.add(head));
        }
    }

    /// A session.
    fn head(&self, session: u64) -> Result<Option<Head>, StoreError>;

    /// What has happened in a session, in order; without what was trimmed. Fails with [`Fault::Damaged`] if something of
    /// it is missing or not as it was written.
    fn load(&self, session: u64) -> Result<Vec<Chunk>, StoreError>;

    /// The same entries, to be played again: in as few chunks as is good for the store, which may keep a copy for it. If that
    /// is as it was written, what it was made of need not be.
    fn recall(&self, session: u64) -> Result<Vec<Chunk>, StoreError> {
        self.load(session)
    }

    /// What is known of a visitor, as [`find`](Store::find) says; and if their session is live and wanted, what
    /// [`recall`](Store::recall) says of it, from a look that is not older than the question whether it is wanted.
    fn find_to_play(
        &self,
        visitor: &Visitor,
        label: u64,
        wanted: &mut dyn FnMut(u64) -> bool,
    ) -> Result<(Found, Option<Recalled>), StoreError> {
        let found = self.find(visitor, label)?;
        let live = found.session.as_ref().filter(|head| head.state == State::Live).map(|head| head.session);
        let recalled = live.filter(|session| wanted(*session)).map(|session| self.recall(session));
        Ok((found, recalled))
    }

    /// Called by who calls [`write`](Store::write) when there is nothing to be written: time for some milliseconds of what can
    /// wait. Whether something of it is left.
    fn rest(&self) -> bool {
        false
    }

    /// Called by who calls [`write`](Store::write) when there is hardly any room left: gives back what can be had at once, so
    /// that [`bytes`](Store::bytes) says less.
    fn make_room(&self) {}

    /// At most `limit` sessions for which something is due at second `now` of the journal's life, or which want to go on
    /// at `wall` seconds since 1970, the earliest first.
    fn due(&self, now: u32, wall: i64, limit: usize) -> Result<Vec<Head>, StoreError>;

    /// At most `limit` sessions with numbers above `after`, in order.
    fn list(&self, after: u64, limit: usize) -> Result<Vec<Head>, StoreError>;

    /// Bytes that it takes, without those that are free for what is written next.
    fn bytes(&self) -> u64;

    /// Whether [`write`](Store::write) may wait, as for a disk: then a thread of its own calls it. Else it is called at
    /// once, wherever something is to be written.
    fn waits(&self) -> bool {
        true
    }

    /// Notes that a session is being rebuilt, or that in this slot none is any more. Survives the death of the process,
    /// if the store does, and need not survive the loss of power. Slots are below [`SLOTS`].
    fn mark(&self, slot: usize, session: Option<u64>);
}

/// Sessions that are rebuilt at once.
pub const SLOTS: usize = 8;

/// What a store can fail with.
#[derive(Debug)]
pub struct StoreError {
    fault: Fault,
    what: String,
    source: Option<BoxError>,
}

/// What kind of failure it is: what follows from it is different.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// There is no room. Nothing was written; it can be tried again.
    Full,
    /// Nothing was written; it can be tried again.
    Failed,
    /// What was written may be lost, and the store cannot know: it takes and tells nothing more until it is opened
    /// again.
    Stopped,
    /// What is there is not what was written.
    Damaged,
}

impl StoreError {
    /// A failure: what was to be done, in a few words.
    pub fn new(fault: Fault, what: impl Into<String>) -> Self {
        StoreError { fault, what: what.into(), source: None }
    }

    /// A failure with its cause.
    pub fn caused(fault: Fault, what: impl Into<String>, source: impl Into<BoxError>) -> Self {
        StoreError { fault, what: what.into(), source: Some(source.into()) }
    }

    /// What kind it is.
    pub fn fault(&self) -> Fault {
        self.fault
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
