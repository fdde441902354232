//! Ends what is over: sessions nobody comes back to, newborns above their cap, and the grace of those that were told.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::engine::Core;
use crate::session::Session;

/// How often the reaper looks: the grain of all clocks.
pub(crate) const TICK: Duration = Duration::from_secs(1);

/// Sessions that were told to end, in the order their grace is over.
#[derive(Default)]
pub(crate) struct Dying(Mutex<VecDeque<(u32, Arc<Session>)>>);

/// Newborn sessions by address block.
#[derive(Default)]
pub(crate) struct Addresses(Mutex<HashMap<u64, usize>>);

impl Addresses {
    /// Counts one more, unless that is more than `cap`. No address is exempt.
    pub(crate) fn count(&self, address: Option<u64>, cap: usize) -> bool {
        let Some(address) = address else { return true };
        let mut counts = self.0.lock().expect("no code panics while it holds the counts");
        let count = counts.entry(address).or_default();
        let room = *count < cap;
        *count += usize::from(room);
        room
    }

    pub(crate) fn release(&self, address: Option<u64>) {
        let Some(address) = address else { return };
        let mut counts = self.0.lock().expect("no code panics while it holds the counts");
        if let Some(count) = counts.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&address);
            }
        }
    }
}

impl Dying {
    /// When the grace of the first is over.
    pub(super) fn next_due(&self) -> Option<u32> {
        let dying = self.0.lock().expect("no code panics while it holds the dying");
        dying.front().map(|(due, _)| *due)
    }
}

impl Core {
    /// Runs until the server is gone.
    pub(crate) fn start_reaper(self: &Arc<Self>) {
        let (server, pace) = (Arc::downgrade(self), self.pace.clone());
        self.runtime.spawn(async move {
            let mut next = tokio::time::Instant::now();
            loop {
                let comes = pace.comes(next).await;
                let Some(server) = server.upgrade() else { return };
                if comes {
                    server.reap().await;
                }
                next = server.next_look();
            }
        });
    }

    async fn reap(self: &Arc<Self>) {
        let now = self.clock.tick();
        self.tend_journal(now);
        let unsaid = self.gate.next_second();
        if unsaid > 0 {
            tracing::error!(count = unsaid, "more sessions failed in one second than the log takes");
        }
        self.finish_dying(now);
        self.rotated.forget_until(now.saturating_sub(seconds(self.limits.linger)));
        for shard in 0..self.table.shards() {
            let over = self.table.expire(shard, now, &self.limits);
            if !over.is_empty() {
                self.tell(over);
                tokio::task::yield_now().await;
            }
        }
    }

    /// Tells sessions to end, and remembers to see to it.
    pub(crate) fn tell(self: &Arc<Self>, sessions: Vec<Arc<Session>>) {
        let due = self.clock.now() + seconds(self.limits.grace);
        for session in sessions {
            self.release_address(&session);
            session.die_soon();
            if !session.queue.lock().has_ended() {
                self.dying
                    .0
                    .lock()
                    .expect("no code panics while it holds the dying")
                    .push_back((due, session));
            }
        }
    }

    fn finish_dying(self: &Arc<Self>, now: u32) {
        loop {
            let mut dying = self.dying.0.lock().expect("no code panics while it holds the dying");
            match dying.pop_front_if(|(due, _)| *due <= now) {
                Some((_, session)) => {
                    drop(dying);
                    session.die_now();
                }
                None => return,
            }
        }
    }

    /// Whether a session that was told to end is still at it.
    pub(crate) fn anyone_dying(&self) -> bool {
        let mut dying = self.dying.0.lock().expect("no code panics while it holds the dying");
        dying.retain(|(_, session)| !session.queue.lock().has_ended());
        !dying.is_empty()
    }

    /// Ends all sessions where they stand.
    pub(crate) fn end_all(self: &Arc<Self>) {
        let dying =
            std::mem::take(&mut *self.dying.0.lock().expect("no code panics while it holds the dying"));
        let dying = dying.into_iter().map(|(_, session)| session);
        for session in self.table.drain().into_iter().chain(dying) {
            // With a journal it is not over: it is dropped, and what was written of it stays.
            session.tape(|tape| tape.stays = true);
            session.die_now();
        }
        if let Some(journal) = &self.journal {
            journal.close();
        }
    }

    /// Keeps the newborns within their cap: the oldest go, at once and untold, for there may be very many.
    pub(crate) fn shed_newborns(self: &Arc<Self>) {
        for session in self.table.shed(self.limits.newborns) {
            self.release_address(&session);
            session.die_now();
        }
    }
}

/// Whole seconds, rounded up.
pub(crate) fn seconds(duration: Duration) -> u32 {
    let whole = duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0));
    u32::try_from(whole).unwrap_or(u32::MAX).min(u32::MAX / 8)
}
