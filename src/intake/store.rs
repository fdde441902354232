//! Where a file goes that is being uploaded: into memory, or what is too large for that to disk, in batches.

use std::io::ErrorKind;
use std::sync::Arc;

use http::StatusCode;

use super::Refusal;
use super::spool::{Spool, Temp, Trouble, Writing};
use crate::engine::Core;

/// Bytes that are written at once: a thread that may wait for the disk is asked so seldom that it costs little.
const BATCH: usize = 128 * 1024;

/// What came of a file.
pub(crate) enum Content {
    Memory(bytes::Bytes),
    Disk(Temp),
    /// It came to a process that is gone, and was not kept.
    Gone,
}

/// A file while it comes in.
pub(super) struct Store<'a> {
    core: &'a Arc<Core>,
    /// Bytes that may stay in memory.
    memory: usize,
    length: u64,
    /// What is not written yet.
    held: Vec<u8>,
    writing: Option<Writing>,
}

impl<'a> Store<'a> {
    pub(super) fn new(core: &'a Arc<Core>, memory: usize) -> Self {
        Store { core, memory, length: 0, held: Vec::new(), writing: None }
    }

    pub(super) fn len(&self) -> u64 {
        self.length
    }

    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Bytes of it that stay in memory.
    pub(super) fn in_memory(&self) -> usize {
        if self.writing.is_none() { self.held.len() } else { 0 }
    }

    /// Adds what came; waits for the disk if that is where it goes.
    pub(super) async fn add(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        self.length += bytes.len() as u64;
        self.held.extend_from_slice(bytes);
        let most = if self.writing.is_some() { BATCH } else { self.memory };
        if self.held.len() > most { self.write().await } else { Ok(()) }
    }

    pub(super) async fn done(mut self) -> Result<Content, Refusal> {
        if self.writing.is_some() && !self.held.is_empty() {
            self.write().await?;
        }
        Ok(match self.writing {
            None => Content::Memory(self.held.into()),
            Some(writing) => Content::Disk(writing.done()),
        })
    }

    async fn write(&mut self) -> Result<(), Refusal> {
        let (spool, writing) = (self.core.spool.clone(), self.writing.take());
        let bytes = std::mem::take(&mut self.held);
        let written = tokio::task::spawn_blocking(move || write(&spool, writing, bytes)).await;
        let written = written.unwrap_or_else(|error| Err(Trouble::Disk(error.into())));
        let (writing, bytes) = written.map_err(|trouble| self.refusal(&trouble))?;
        (self.writing, self.held) = (Some(writing), bytes);
        Ok(())
    }

    fn refusal(&self, trouble: &Trouble) -> Refusal {
        if let Trouble::Disk(error) = trouble
            && self.core.gate.open()
        {
            tracing::error!(%error, "an upload could not be written");
        }
        Refusal::from(trouble)
    }
}

/// Writes to a file, a new one if there is none; gives back the memory for the next batch.
fn write(
    spool: &Arc<Spool>,
    writing: Option<Writing>,
    mut bytes: Vec<u8>,
) -> Result<(Writing, Vec<u8>), Trouble> {
    let mut writing = match writing {
        Some(writing) => writing,
        None => spool.create()?,
    };
    writing.write(&bytes)?;
    bytes.clear();
    Ok((writing, bytes))
}

impl Refusal {
    const FULL: Refusal =
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "There is no room for more files at the moment.");
    const NO_ROOM: Refusal =
        Refusal::new(StatusCode::INSUFFICIENT_STORAGE, "There is no room for what was sent.");
    const LOST: Refusal =
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "What was sent could not be stored.");
}

impl From<&Trouble> for Refusal {
    fn from(trouble: &Trouble) -> Self {
        match trouble {
            Trouble::Full => Refusal::FULL,
            Trouble::Disk(error) => match error.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                    Refusal::NO_ROOM
                }
                _ => Refusal::LOST,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn r47_a_full_disk_is_507_and_a_broken_one_500() {
        let mut full =
            std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a device that is full");
        let error = full.write_all(b"x").expect_err("it is full");
        assert_eq!(Refusal::from(&Trouble::Disk(error)), Refusal::NO_ROOM);
        let other = std::io::Error::other("broken");
        assert_eq!(Refusal::from(&Trouble::Disk(other)), Refusal::LOST);
        assert_eq!(Refusal::from(&Trouble::Full), Refusal::FULL);
    }
}
