//! Pages that are made again by replay: for who asks for an old one, and the last ones of what is over.

use std::sync::Arc;

use super::store::Head;
use super::tape::Tape;
use crate::engine::Core;
use crate::hit::Hit;
use crate::mapper::key::VisitorId;
use crate::reply::Kept;
use crate::session::Session;
use crate::step::Answered;

impl Session {
    /// Keeps a page for who asked for it; gives it back if nobody did.
    pub(crate) fn keep_made(&self, page: Arc<Kept>) -> Option<Arc<Kept>> {
        let mut state = self.queue.lock();
        let Some(extra) = state.peek_extra() else { return Some(page) };
        // Once the answer is taken, the page is that of a new step.
        let seeks = extra.tape.as_ref().is_some_and(|tape| tape.turned.is_some() || tape.rehearses);
        let branches = extra.branches.as_deref_mut().filter(|branches| branches.seeks && seeks);
        let Some(branches) = branches else { return Some(page) };
        branches.made = Some(page);
        None
    }

    /// The page that was made again for who asked for it.
    pub(crate) fn made_page(&self) -> Option<Arc<Kept>> {
        self.branches(|branches| branches.made.clone()).flatten()
    }

    /// What was replayed has come to its end: whoever asks for its last page gets it.
    pub(crate) fn show_end(self: &Arc<Self>) {
        let current = self.talk(|talk| talk.current.take());
        if let Some(hit) = current {
            drop(self.finish(hit, true));
        }
        let hit = self.queue.lock().take_first();
        if let Some(hit) = hit {
            self.core.repeat(self, hit);
        }
        if self.branches(|branches| branches.back.is_some()) == Some(true) {
            return self.go_back_to(None, None);
        }
        self.queue.end();
        if self.tape(|tape| tape.rehearses) == Some(false) {
            // Its other branches could not be gone on from.
            self.core.table.remove(self);
            self.end_late();
        }
    }
}

/// What the last page of a session is asked for by.
enum Asked {
    /// Its address.
    Page(u32),
    /// The answer that led to it, once more.
    Again(Answered),
}

impl Core {
    /// A session that has ended before this process began, or was forgotten since: the repeat of its last answer gets its
    /// last page.
    pub(super) async fn repeat_end(
        self: &Arc<Self>,
        visitor: VisitorId,
        head: Head,
        flow: u16,
        hit: Box<Hit>,
    ) {
        let token = hit.token().and_then(|wire| self.seal.open(head.session, wire));
        let token = token.filter(|_| self.journal().count_replay(visitor, self.limits.replays));
        let asked = token.map(|token| match token.shown() {
            Some(_) => Asked::Page(token.step),
            None => Asked::Again(self.seal.answer(&hit, &token)),
        });
        let wound = match asked {
            Some(asked) => self.last_words(&head, asked).await,
            None => None,
        };
        let Some((tape, first)) = wound else { return self.expire(hit) };
        let ghost = Session::parked(self.clone(), visitor, head.label, head.session, flow);
        {
            let mut state = ghost.queue.lock();
            state.extra().branches.get_or_insert_default().seeks = true;
            state.put_first(hit);
        }
        self.journal().in_place(head.session, ghost.replay(tape, &first)).await;
        let left = ghost.queue.lock().take_first();
        left.into_iter().for_each(|hit| self.expire(hit));
    }

    async fn last_words(self: &Arc<Self>, head: &Head, asked: Asked) -> Option<(Tape, Box<super::Taken>)> {
        let tree = self.tree_of(head.session).await.ok()?;
        let step = tree.last_words().filter(|step| match asked {
            Asked::Page(number) => tree.number(*step) == number,
            Asked::Again(answer) => tree.answer(*step) == answer.number(),
        })?;
        let (mut tape, first) = tree.wind(step, false, self.journal().build)?;
        (tape.stays, tape.rehearses) = (true, true);
        Some((tape, first))
    }
}
