//! Rehearsals, for tests: every session that waits is replayed beside itself, to see whether it could be rebuilt; and all
//! that was recorded, at the end.

use std::collections::HashMap;
use std::sync::Arc;

use super::ledger::Ledger;
use super::store::{Head, State};
use super::tape::Tape;
use super::tape::tree::Tree;
use crate::engine::Core;
use crate::mapper::key::VisitorId;
use crate::session::Session;

/// How often each session is replayed.
const TIMES: usize = 2;

/// Sessions that are looked up at once.
const A_LOOK: usize = 1_000;

impl Core {
    /// Replays all sessions that wait; the report of the first one that is not what was recorded.
    pub(crate) async fn rehearse(self: &Arc<Self>) -> Result<(), String> {
        self.journal().barrier().await;
        for session in self.table.all() {
            for _ in 0..TIMES {
                self.rehearse_one(&session).await?;
            }
        }
        Ok(())
    }

    /// Replays all that the journal has, up to the last page of each branch; the report of the first session that does not
    /// do what was recorded. What cannot be read is not replayed.
    pub(crate) async fn rehearse_all(self: &Arc<Self>) -> Result<(), String> {
        self.journal().barrier().await;
        let here = self.table.all().into_iter().map(|session| (session.serial, session.visitor()));
        let (here, mut after): (HashMap<_, _>, _) = (here.collect(), 0);
        loop {
            let heads = self.journal().store.list(after, A_LOOK).unwrap_or_default();
            let Some(last) = heads.last() else { return Ok(()) };
            after = last.session;
            for head in heads.iter().filter(|head| head.state != State::Quarantined) {
                // Who has left memory is known by nobody: what is printed may have their id in it, and is not compared.
                let visitor = here.get(&head.session).copied().unwrap_or(VisitorId::NOBODY);
                for _ in 0..TIMES {
                    self.rehearse_recorded(head, visitor).await?;
                }
            }
        }
    }

    async fn rehearse_recorded(self: &Arc<Self>, head: &Head, visitor: VisitorId) -> Result<(), String> {
        let Some(flow) = self.flows.iter().position(|flow| flow.mount() == head.flow) else { return Ok(()) };
        let flow = u16::try_from(flow).expect("counted when the server was built");
        let chunks = self.journal().store.load(head.session).unwrap_or_default();
        for (mut tape, first) in Tree::tapes_to_pages(&chunks, self.journal().build).unwrap_or_default() {
            tape.strict = true;
            let of = (head.session, head.label);
            if let Some(why) = self.rehearse_tape(of, visitor, flow, tape, &first).await {
                return Err(format!("session {:x}: {why}", head.session));
            }
        }
        Ok(())
    }

    async fn rehearse_one(self: &Arc<Self>, session: &Arc<Session>) -> Result<(), String> {
        let at_rest = session.talk(|talk| talk.current.is_none()) && !session.queue.lock().has_ended();
        let peek = |tape: &mut Tape, ledger: &mut Ledger| {
            ledger.is_written().then(|| tape.peek(session.serial)).flatten()
        };
        let Some(Some(fresh)) = session.recorded(peek).filter(|_| at_rest) else { return Ok(()) };
        let mut chunks = self.journal().store.load(session.serial).unwrap_or_default();
        chunks.extend(fresh);
        let (mut tape, first) = Tape::of(&chunks, self.journal().build).map_err(|error| error.to_string())?;
        tape.strict = true;
        let (of, flow) = ((session.serial, session.label), session.talk(|talk| talk.flow));
        self.rehearse_tape(of, session.visitor(), flow, tape, &first).await.map_or(Ok(()), Err)
    }
}
