//! Rehearsals, for tests: every session that waits is replayed beside itself, to see whether it could be rebuilt.

use std::sync::Arc;

use super::tape::Tape;
use crate::engine::Core;
use crate::session::Session;

/// How often each session is replayed.
const TIMES: usize = 2;

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

    async fn rehearse_one(self: &Arc<Self>, session: &Arc<Session>) -> Result<(), String> {
        let at_rest = session.talk(|talk| talk.current.is_none()) && !session.queue.lock().has_ended();
        let Some(Some(fresh)) = session.tape(|tape| tape.peek(session.serial)).filter(|_| at_rest) else {
            return Ok(());
        };
        let mut chunks = self.journal().store.load(session.serial).unwrap_or_default();
        chunks.extend(fresh);
        let (mut tape, first) = Tape::of(&chunks, self.journal().build).map_err(|error| error.to_string())?;
        (tape.strict, tape.rehearses) = (true, true);
        let flow = session.talk(|talk| talk.flow);
        self.rehearse_tape(session.visitor(), session.label, flow, tape, &first).await.map_or(Ok(()), Err)
    }
}
