//! Opening what commands work on, naming sessions, and what is said when something fails.

use std::error::Error;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::str::FromStr;

use continuity::Sqlite;
use continuity::journal::{Change, Chunk, Export, Fault, Head, State, Store, StoreError};

/// Sessions that are asked for at once.
const PAGE: usize = 500;
/// Enough of a file to tell what it is.
const BEGINNING: u64 = 64;

/// A session's number as people write it: in hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number(pub(crate) u64);

impl FromStr for Number {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        let number = u64::from_str_radix(digits, 16).map(Number);
        number.map_err(|_| "a session's number is up to 16 hexadecimal digits, as `list` says it")
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

/// Why a command could not be done.
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    broken_pipe: bool,
}

impl Failure {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Failure { what: what.into(), broken_pipe: false }
    }

    /// It failed at this path.
    pub(crate) fn at(path: &Path, error: &dyn Error) -> Self {
        Failure::new(format!("{}: {}", path.display(), chain(error)))
    }

    pub(crate) fn is_broken_pipe(&self) -> bool {
        self.broken_pipe
    }
}

/// An error with all its causes.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let broken_pipe = error.kind() == io::ErrorKind::BrokenPipe;
        Failure { what: format!("cannot write: {error}"), broken_pipe }
    }
}

impl From<continuity::Error> for Failure {
    fn from(error: continuity::Error) -> Self {
        Failure::new(chain(&error))
    }
}

/// Where sessions are looked up.
pub(crate) enum Source {
    Journal(Box<Sqlite>),
    Export(Export),
}

impl Source {
    /// A journal, also one that a server has open, or an export.
    pub(crate) fn open(path: &Path) -> Result<Source, Failure> {
        let mut beginning = Vec::new();
        let read = File::open(path).and_then(|file| file.take(BEGINNING).read_to_end(&mut beginning));
        read.map_err(|error| no_journal(path, &error))?;
        if !Export::is_one(&beginning) {
            return to_read(path).map(|journal| Source::Journal(Box::new(journal)));
        }
        let bytes = std::fs::read(path).map_err(|error| Failure::at(path, &error))?;
        Export::read(&bytes).map(Source::Export).map_err(|error| Failure::at(path, &error))
    }

    /// Calls `see` with each session, in order.
    pub(crate) fn each(
        &self,
        path: &Path,
        see: &mut dyn FnMut(Head) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        match self {
            Source::Journal(journal) => each(journal, path, see),
            Source::Export(export) => export.sessions().try_for_each(|(head, _)| see(head.clone())),
        }
    }

    /// A session, with its chunks as far as they are whole; and what is wrong with the rest.
    pub(crate) fn session(&self, path: &Path, Number(number): Number) -> Result<Session, Failure> {
        let missing = || Failure::new(format!("there is no session {number:x} in {}", path.display()));
        match self {
            Source::Journal(journal) => {
                let head = journal.head(number).map_err(|error| damaged_at(path, &error))?;
                let head = head.ok_or_else(missing)?;
                let (chunks, damage) = chunks(journal, number).map_err(|error| Failure::at(path, &error))?;
                Ok(Session { head, chunks, damage })
            }
            Source::Export(export) => {
                let found = export.sessions().find(|(head, _)| head.session == number);
                let (head, chunks) = found.ok_or_else(missing)?;
                Ok(Session { head: head.clone(), chunks: chunks.to_vec(), damage: None })
            }
        }
    }
}

/// A session as far as it is whole.
pub(crate) struct Session {
    pub(crate) head: Head,
    pub(crate) chunks: Vec<Chunk>,
    pub(crate) damage: Option<String>,
}

fn chunks(journal: &Sqlite, session: u64) -> Result<(Vec<Chunk>, Option<String>), StoreError> {
    match journal.load(session) {
        Ok(chunks) => Ok((chunks, None)),
        Err(error) if error.fault() == Fault::Damaged => {
            Ok((journal.load_prefix(session)?, Some(chain(&error))))
        }
        Err(error) => Err(error),
    }
}

/// A journal, also one that a server has open.
pub(crate) fn to_read(path: &Path) -> Result<Sqlite, Failure> {
    File::open(path).map_err(|error| no_journal(path, &error))?;
    Ok(Sqlite::open_to_read(path)?)
}

/// A journal that no server has open.
pub(crate) fn to_write(path: &Path) -> Result<Sqlite, Failure> {
    // To be written it would be made.
    File::open(path).map_err(|error| no_journal(path, &error))?;
    let journal = Sqlite::open(path)
        .map_err(|error| Failure::new(format!("{} cannot be changed: {}", path.display(), chain(&error))))?;
    let mut changes = Vec::new();
    // Whoever opens a journal is told once during whose rebuilding the server died, and has to note it.
    for session in journal.opened().marked {
        if let Ok(Some(head)) = journal.head(session) {
            changes.push(Change::Deaths { session, count: head.deaths + 1 });
        }
    }
    journal.write(&changes).map_err(|error| Failure::at(path, &error))?;
    Ok(journal)
}

/// Calls `see` with each session of a journal, in order.
pub(crate) fn each(
    journal: &Sqlite,
    path: &Path,
    see: &mut dyn FnMut(Head) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut after = 0;
    loop {
        let heads = journal.list(after, PAGE).map_err(|error| damaged_at(path, &error))?;
        let Some(last) = heads.last() else { return Ok(()) };
        after = last.session;
        heads.into_iter().try_for_each(&mut *see)?;
    }
}

fn no_journal(path: &Path, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::NotFound => Failure::new(format!("there is no journal at {}", path.display())),
        _ => Failure::at(path, error),
    }
}

/// What could not be read; and what to do where that is damage.
fn damaged_at(path: &Path, error: &StoreError) -> Failure {
    let mut failure = Failure::at(path, error);
    if error.fault() == Fault::Damaged {
        let name = path.display();
        failure.what.push_str(&format!("; `continuity journal check {name}` says what can be saved"));
    }
    failure
}

/// In which life a session is.
pub(crate) fn state(state: State) -> &'static str {
    match state {
        State::Live => "live",
        State::Ended => "ended",
        State::Quarantined => "quarantined",
    }
}

/// Where a flow is mounted.
pub(crate) fn flow(head: &Head) -> String {
    if head.flow.is_empty() { "/".to_owned() } else { head.flow.escape_debug().to_string() }
}
