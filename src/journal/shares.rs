//! What each visitor and each network may add to the journal, so that none of them fills it for all.
//!
//! A visitor's share is what all their sessions have in the journal, whatever state they are in. It is known roughly while
//! one of them is in memory: what was added is counted, and asked of the store when it may have come near the bound. A
//! network is what [`address_block`](crate::hit::address_block) says; what its visitors add is counted for an hour, by where
//! they came from when their first session came into memory.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::room::{Bound, Nature};
use super::store::Visitor;
use super::{Submission, Then};
use crate::engine::Core;
use crate::limits::Limits;
use crate::mapper::key::VisitorId;
use crate::reply::Ready;
use crate::session::Session;

/// Seconds for which what comes from a network is counted.
const HOUR: u32 = 3_600;

pub(super) const VISITOR_FULL: &str = "All the room that one visitor has here is used up, so this did not happen. Finish something that \
                            you have begun, or come again another day.";
const NETWORK_FULL: &str =
    "More is sent from your network than can be kept, so this did not happen. Please try again in an hour.";

/// What the sessions of one visitor have in the journal.
#[derive(Debug)]
pub(crate) struct Share {
    /// Bytes, as far as is known here.
    kept: AtomicU64,
    /// With so many the store is asked.
    ask_at: AtomicU64,
    /// What has come from the visitor's network in this hour; `None`: it is exempt, or not known.
    network: Option<Arc<AtomicU64>>,
}

/// What came of adding to a share.
#[derive(Debug, PartialEq, Eq)]
enum Added {
    Taken,
    /// It was taken, and the store is to be asked how much there is.
    Ask,
    Visitor,
    Network,
}

/// All shares that outlive the sessions they belong to, and the bounds.
pub(super) struct Shares {
    visitor: Bound,
    network: Bound,
    /// The store is asked when a share has grown by so much: each session of a visitor may have that unasked.
    step: u64,
    networks: Mutex<HashMap<u64, Arc<AtomicU64>>>,
    /// Those of visitors who have used theirs up.
    full: Mutex<HashMap<Visitor, Arc<Share>>>,
    hour: AtomicU32,
}

impl Shares {
    /// From this second on.
    pub(super) fn new(limits: &Limits, now: u32) -> Self {
        let step = limits.journal_per_visitor / limits.sessions_per_visitor.max(1);
        Shares {
            visitor: Bound(limits.journal_per_visitor as u64),
            network: Bound(limits.journal_per_address as u64),
            step: step as u64,
            networks: Mutex::default(),
            full: Mutex::default(),
            hour: (now / HOUR).into(),
        }
    }

    /// A new hour begins, if it does.
    pub(super) fn renew(&self, now: u32) {
        if self.hour.swap(now / HOUR, Ordering::Relaxed) == now / HOUR {
            return;
        }
        self.full.lock().expect("no code panics while it holds the shares").clear();
        let mut networks = self.networks.lock().expect("no code panics while it holds the networks");
        networks.retain(|_, network| {
            network.store(0, Ordering::Relaxed);
            Arc::strong_count(network) > 1
        });
    }

    /// Whether a visitor of whom so much is kept has room for another session.
    pub(super) fn has_room(&self, bytes: u64) -> bool {
        self.visitor.has_room(bytes)
    }

    fn network(&self, address: u64) -> Arc<AtomicU64> {
        let mut networks = self.networks.lock().expect("no code panics while it holds the networks");
        networks.entry(address).or_default().clone()
    }

    fn full(&self, visitor: &Visitor) -> Option<Arc<Share>> {
        self.full.lock().expect("no code panics while it holds the shares").get(visitor).cloned()
    }

    fn note_full(&self, visitor: Visitor, share: Arc<Share>) {
        self.full.lock().expect("no code panics while it holds the shares").insert(visitor, share);
    }

    /// Adds to a share, unless there is no room in it.
    fn add(&self, share: &Share, nature: Nature, bytes: u64) -> Added {
        if let Some(network) = &share.network {
            let before = network.fetch_add(bytes, Ordering::Relaxed);
            if !self.network.takes(before, nature) {
                network.fetch_sub(bytes, Ordering::Relaxed);
                return Added::Network;
            }
        }
        let before = share.kept.fetch_add(bytes, Ordering::Relaxed);
        if !self.visitor.takes(before, nature) {
            share.kept.fetch_sub(bytes, Ordering::Relaxed);
            return Added::Visitor;
        }
        if before + bytes >= share.ask_at.load(Ordering::Relaxed) { Added::Ask } else { Added::Taken }
    }
}

impl Session {
    /// Counts what is to be written for the session's visitor. If there is no room for it: why, for them to read.
    pub(super) fn charge(self: &Arc<Self>, submission: &Submission) -> Option<&'static str> {
        let (nature, bytes) = Nature::of(&submission.changes);
        if nature == Nature::Bare {
            return None;
        }
        let shares = &self.core.journal().shares;
        let add = |share: &Arc<Share>| shares.add(share, nature, bytes);
        let added = self.queue.lock().peek_extra().and_then(|extra| extra.share.as_ref().map(add));
        let added = match added {
            Some(added) => added,
            None => add(&self.take_share(submission)?),
        };
        if added == Added::Taken { None } else { self.charged(&added) }
    }

    #[cold]
    fn charged(self: &Arc<Self>, added: &Added) -> Option<&'static str> {
        let core = &self.core;
        let share = self.queue.lock().peek_extra().and_then(|extra| extra.share.clone())?;
        let visitor = core.journal().visitor(self.visitor());
        match added {
            Added::Taken => None,
            Added::Network => Some(NETWORK_FULL),
            Added::Ask => {
                core.ask_share(visitor, share);
                None
            }
            Added::Visitor => {
                core.journal().shares.note_full(visitor, share.clone());
                // What has been let go meanwhile is known the next time.
                core.ask_share(visitor, share);
                Some(VISITOR_FULL)
            }
        }
    }

    /// The share of the session's visitor, from here on at hand. Of a session that was woken by itself nobody knows whose
    /// it is.
    #[cold]
    fn take_share(self: &Arc<Self>, submission: &Submission) -> Option<Arc<Share>> {
        let (core, visitor) = (&self.core, self.visitor());
        if visitor == VisitorId::NOBODY {
            return None;
        }
        let shares = &core.journal().shares;
        let others = core.table.of_visitor(visitor);
        let share_of = |other: &Arc<Session>| other.queue.lock().peek_extra()?.share.clone();
        let known = others.iter().find_map(share_of);
        let known = known.or_else(|| shares.full(&core.journal().visitor(visitor)));
        let share = known.unwrap_or_else(|| {
            let kept = self.tape(|tape| tape.written()).unwrap_or_default() as u64;
            let network = self.comes_from(submission).map(|address| shares.network(address));
            Arc::new(Share { kept: kept.into(), ask_at: shares.step.into(), network })
        });
        self.queue.lock().extra().share = Some(share.clone());
        Some(share)
    }

    /// The network that the hit in hand has come from.
    fn comes_from(&self, submission: &Submission) -> Option<u64> {
        match &submission.then {
            Then::Answer(Ready::Whole(hit)) => self.core.counted_as(hit),
            _ => self.talk(|talk| talk.current.as_deref().and_then(|hit| self.core.counted_as(hit))),
        }
    }
}

impl Core {
    /// Asks the store how much there is of a visitor; once at a time.
    fn ask_share(self: &Arc<Self>, visitor: Visitor, share: Arc<Share>) {
        if share.ask_at.swap(u64::MAX, Ordering::Relaxed) == u64::MAX {
            return;
        }
        let core = self.clone();
        self.runtime.spawn(async move {
            let (asked, before) = (core.clone(), share.kept.load(Ordering::Relaxed));
            let found = core.look(move || asked.journal().store.share(&visitor)).await;
            if let Ok(found) = found {
                // What was added meanwhile stays added.
                share.kept.fetch_add(found.bytes.wrapping_sub(before), Ordering::Relaxed);
            }
            let kept = share.kept.load(Ordering::Relaxed);
            share.ask_at.store(kept.saturating_add(core.journal().shares.step), Ordering::Relaxed);
        });
    }
}
