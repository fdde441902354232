//! Entries: what is written down of a session, in order; versioned, and documented in `docs/journal.md`.
//!
//! An entry is one item of CBOR (RFC 8949): a map of one pair, the kind and its fields by name. Readers skip fields they
//! do not know and refuse kinds they do not know; nothing that was written is ever written again, so no writer drops a
//! field.

pub(super) mod plain;
mod text;

use std::fmt;
use std::net::SocketAddr;

use serde::de::{DeserializeOwned, Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::cbor;
use crate::error::BoxError;
use crate::hit::Via;

use super::store::{Chunk, Fault, StoreError};
pub(crate) use text::Text;

/// The format's version; a session that says a higher one is refused.
pub(crate) const FORMAT: u32 = 3;

/// For how many entries there is room at once, whatever a chunk says of their count.
const ROOM: usize = 1_000;

/// One thing that happened in a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Entry {
    /// Which program writes from here on.
    Program {
        /// [`FORMAT`].
        format: u32,
        /// Tells one build from another.
        build: u64,
    },
    /// A hit was taken by the verb that asked for it.
    Hit(Box<Taken>),
    /// A verb asked for a hit: the step before is complete.
    Asked {
        verb: Verb,
        /// What it asks for: a type's name.
        #[serde(default, skip_serializing_if = "Text::is_empty")]
        of: Text,
        /// A hash of what was printed in the step; 0: nothing was.
        #[serde(default, skip_serializing_if = "is_zero")]
        printed: u64,
        /// Where it stands in the program: for people.
        #[serde(default, skip_serializing_if = "Text::is_empty")]
        place: Text,
    },
    /// The outside was observed.
    Read {
        name: String,
        result: Outcome,
        at: i64,
        /// The component that observed it.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        scope: String,
    },
    /// An effect is about to be tried.
    Intent { effect: Effect, once: bool },
    /// An effect was tried, or had been done before.
    Done { effect: Effect, result: Outcome, at: i64 },
    /// Chance was asked for.
    Entropy { seed: Blob },
    /// The session sleeps, until so many microseconds since 1970.
    Sleep { until: i64 },
    /// What the session's branches share was changed.
    Shared { name: String, version: Blob },
    /// What another branch had made of it was looked at.
    Saw { name: String, version: Blob },
    /// The session can be rebuilt from here.
    Checkpoint {
        /// Which it is, from 1 on: the same each time that its step is tried.
        #[serde(default)]
        nth: u64,
        state: Blob,
        hit: Option<Box<Taken>>,
        shared: Vec<(String, Blob)>,
    },
    /// The session goes on from the page of an earlier step: what follows is another branch.
    Turned { to: u32 },
    /// Nobody goes back to what was before this.
    Commit,
    /// The program was past this change of its code when it came here.
    Patched { name: String },
    /// The session was told to end.
    Told,
    /// What was written from entry `to` on is no part of the past: its step failed, or cannot be replayed.
    Cut { to: u64, why: String },
    /// The session waited for something that is no verb: it cannot be replayed past this step.
    Strayed { place: String },
    /// The session is over.
    End { how: Ending },
}

/// A verb that asks for a hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Verb {
    Next,
    Choose,
    Ask,
    Callbacks,
    /// All components of a page.
    Parts,
}

/// How a session came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Ending {
    Returned,
    Failed,
    Closed,
    Killed,
}

/// What tells an effect from any other of its session.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Effect {
    pub(crate) name: String,
    /// A hash of its arguments.
    pub(crate) args: u64,
    /// How many such came before it, since the last checkpoint.
    pub(crate) nth: u32,
    /// Which checkpoint that was; 0: there was none.
    pub(crate) since: u64,
    /// The component that does it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) scope: String,
}

/// What came of an observation or an effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Outcome {
    /// The value, in CBOR.
    Ok(Blob),
    /// The error, as text.
    Err(String),
}

/// A hit as it was taken.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Taken {
    /// When, in microseconds since 1970.
    pub(crate) at: i64,
    /// The session's step that it began.
    pub(crate) step: u32,
    #[serde(default = "get", skip_serializing_if = "is_get")]
    pub(crate) method: Text,
    pub(crate) path: Text,
    /// As it came, without tokens, visitors' ids and secrets.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) query: String,
    #[serde(default, skip_serializing_if = "Blob::is_empty")]
    pub(crate) body: Blob,
    /// Of a form with files: its fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fields: Option<Vec<(String, String)>>,
    /// Of a form with files: what they were, not what was in them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) files: Vec<FileSent>,
    /// Names of parameters that were secrets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) secrets: Vec<String>,
    #[serde(default, skip_serializing_if = "Headers::is_same")]
    pub(crate) headers: Headers,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) peer: Option<SocketAddr>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) https: bool,
    /// Bytes of the path that lead to the server through another one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) prefix: u16,
    /// The host that was asked, where a proxy says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) host: Option<String>,
    /// Tells the answer from any other: repeats of it are recognised.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) answer: u64,
    /// The value that was chosen, in CBOR.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<Blob>,
    /// The callback that was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) part: Option<u32>,
    /// It came by a URL of `return_url`; whether it brought what names the visitor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) returned: Option<bool>,
    /// The component that took it: its path on the page.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) scope: String,
}

impl Taken {
    /// How it came in.
    pub(crate) fn via(&self) -> Via {
        let via = Via::peer(self.peer).below(usize::from(self.prefix));
        if self.https { via.over_https() } else { via }
    }
}

/// A file that came with a form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct FileSent {
    pub(crate) field: String,
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<String>,
    pub(crate) bytes: u64,
}

#[cfg(feature = "multipart")]
impl FileSent {
    pub(crate) fn new(field: &str, name: &str, kind: Option<&str>, bytes: u64) -> Self {
        let (field, name, kind) = (field.to_owned(), name.to_owned(), kind.map(str::to_owned));
        FileSent { field, name, kind, bytes }
    }
}

/// Header fields, by what is different from the hit before.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Headers {
    /// Nothing of the hit before holds.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) all: bool,
    /// Places, in the list of the hit before, of names that are there no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) gone: Vec<usize>,
    /// Fields in place of those of the same name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) set: Vec<(String, Blob)>,
}

impl Headers {
    pub(super) fn is_same(&self) -> bool {
        !self.all && self.gone.is_empty() && self.set.is_empty()
    }
}

/// Bytes.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Blob(pub(crate) Vec<u8>);

impl Blob {
    /// A value in CBOR.
    pub(crate) fn of<T: Serialize + ?Sized>(value: &T) -> Result<Blob, BoxError> {
        Ok(Blob(cbor::to_vec(value)?))
    }

    /// The value again.
    pub(crate) fn open<T: DeserializeOwned>(&self) -> Result<T, BoxError> {
        cbor::from_slice(&self.0)
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn is_zero<N: Default + PartialEq>(number: &N) -> bool {
    *number == N::default()
}

fn get() -> Text {
    "GET".into()
}

fn is_get(method: &str) -> bool {
    method == "GET"
}

impl Entry {
    /// Adds the entry to what is written.
    pub(crate) fn write(&self, to: &mut Vec<u8>) {
        self.serialize(&mut minicbor_serde::Serializer::new(to))
            .expect("an entry has nothing that CBOR lacks, and memory takes all bytes");
    }

    /// Entries, one after the other.
    pub(super) fn read(bytes: &[u8]) -> impl Iterator<Item = Result<Entry, BoxError>> {
        let (mut rest, mut known) = (bytes, plain::Known::default());
        std::iter::from_fn(move || {
            (!rest.is_empty()).then(|| Entry::first(&mut rest, &mut known).inspect_err(|_| rest = &[]))
        })
    }

    fn first(rest: &mut &[u8], known: &mut plain::Known) -> Result<Entry, BoxError> {
        if let Some((entry, size)) = plain::read(rest, known) {
            *rest = &rest[size..];
            return Ok(entry);
        }
        let (entry, size) = Entry::by_serde(rest)?;
        *rest = &rest[size..];
        match entry {
            Entry::Program { format, .. } if format > FORMAT => {
                Err(format!("they are of format {format}, and this program reads up to {FORMAT}").into())
            }
            entry => Ok(entry),
        }
    }

    /// The entry that these bytes begin with, of whatever kind, and how many of them it is.
    fn by_serde(bytes: &[u8]) -> Result<(Entry, usize), BoxError> {
        let mut reader = minicbor_serde::Deserializer::new(bytes);
        let entry = Entry::deserialize(&mut reader)?;
        Ok((entry, reader.decoder().position()))
    }

    /// All entries of a chunk.
    pub(crate) fn read_all(chunk: &Chunk) -> Result<Vec<Entry>, StoreError> {
        let room = usize::try_from(chunk.count).map_or(ROOM, |count| count.min(ROOM));
        let mut entries = Vec::with_capacity(room);
        Entry::each(chunk, |_, entry| entries.push(entry))?;
        Ok(entries)
    }

    /// Hands out the entries of a chunk, with their numbers. If it fails, what was handed out is not all.
    pub(crate) fn each(chunk: &Chunk, mut take: impl FnMut(u64, Entry)) -> Result<(), StoreError> {
        let broken = |why: &dyn fmt::Display| {
            let (session, first) = (chunk.session, chunk.first);
            let what = format!("session {session:x}: the entries from {first} on cannot be read: {why}");
            StoreError::new(Fault::Damaged, what)
        };
        let mut count = 0;
        for (entry, number) in Entry::read(&chunk.entries).zip(chunk.first..) {
            take(number, entry.map_err(|error| broken(&error))?);
            count += 1;
        }
        if count != chunk.count {
            return Err(broken(&format!("there are {count}, not {}", chunk.count)));
        }
        Ok(())
    }
}

/// One line for people.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Entry::Program { format, build } => write!(f, "program {build:016x}, format {format}"),
            Entry::Hit(taken) => taken.fmt(f),
            Entry::Asked { verb, of, place, .. } => write!(f, "waits: {verb:?} {of} at {place}"),
            Entry::Read { name, result, scope, .. } => write!(f, "{}read {name:?}: {result}", Within(scope)),
            Entry::Intent { effect, .. } => write!(f, "tries {effect}"),
            Entry::Done { effect, result, .. } => write!(f, "did {effect}: {result}"),
            Entry::Entropy { .. } => f.write_str("chance"),
            Entry::Sleep { until } => write!(f, "sleeps until {}", Moment(*until)),
            Entry::Shared { name, version } => write!(f, "shared {name}: {version:?}"),
            Entry::Saw { name, version } => write!(f, "looks at the shared {name}: {version:?}"),
            Entry::Checkpoint { state, .. } => write!(f, "checkpoint: {state:?}"),
            Entry::Turned { to } => write!(f, "goes on from the page of step {to}"),
            Entry::Patched { name } => write!(f, "is past the change {name:?}"),
            Entry::Commit => f.write_str("commits: there is no way back"),
            Entry::Told => f.write_str("told to end"),
            Entry::Cut { to, why } => write!(f, "goes back to entry {to}: {why}"),
            Entry::Strayed { place } => write!(f, "waits for something else after {place}"),
            Entry::End { how } => write!(f, "over: {how:?}"),
        }
    }
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} step {}: {} {}", Moment(self.at), self.step, self.method, self.path)?;
        if !self.query.is_empty() {
            write!(f, "?{}", self.query)?;
        }
        if !self.body.is_empty() {
            write!(f, " {}", self.body.0.escape_ascii())?;
        }
        if let Some(fields) = &self.fields {
            write!(f, " {fields:?}")?;
        }
        for file in &self.files {
            write!(f, " file {:?} {:?}, {} bytes", file.field, file.name, file.bytes)?;
        }
        if !self.secrets.is_empty() {
            write!(f, " secret {:?}", self.secrets)?;
        }
        match self.returned {
            Some(true) => f.write_str(" (returned)")?,
            Some(false) => f.write_str(" (returned, without the visitor)")?,
            None => {}
        }
        if !self.scope.is_empty() {
            write!(f, " for {}", self.scope)?;
        }
        if let Some(value) = &self.value {
            write!(f, " → {value:?}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:?} of {:016x} ({})", Within(&self.scope), self.name, self.args, self.nth + 1)
    }
}

/// The component that something happens in, if it does in one.
struct Within<'a>(&'a str);

impl fmt::Display for Within<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "{}: ", self.0) }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Ok(value) => write!(f, "{value:?}"),
            Outcome::Err(error) => write!(f, "error {error:?}"),
        }
    }
}

/// Microseconds since 1970 as people write it, in UTC.
pub(crate) struct Moment(pub(crate) i64);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, micros) = (self.0.div_euclid(1_000_000), self.0.rem_euclid(1_000_000));
        let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        // Days to a date by eras of 400 years that begin in March.
        let from_era = days + 719_468;
        let (era, day) = (from_era.div_euclid(146_097), from_era.rem_euclid(146_097));
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let of_year = day - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let (date, month) =
            (of_year - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
        let year = year + era * 400 + i64::from(month <= 2);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{date:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", micros / 1_000)
    }
}

impl fmt::Debug for Blob {
    // A value as JSON, where it is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.open::<serde_json::Value>() {
            Ok(value) => write!(f, "{value}"),
            Err(_) => write!(f, "0x{}", const_hex::encode(&self.0)),
        }
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl<'de> Visitor<'de> for Bytes {
            type Value = Blob;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Blob, E> {
                Ok(Blob(bytes.to_vec()))
            }

            fn visit_byte_buf<E: serde::de::Error>(self, bytes: Vec<u8>) -> Result<Blob, E> {
                Ok(Blob(bytes))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Blob, A::Error> {
                Err(A::Error::custom("bytes are not a list"))
            }
        }
        deserializer.deserialize_byte_buf(Bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_people_do() {
        assert_eq!(Moment(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Moment(951_825_600_000_000).to_string(), "2000-02-29T12:00:00.000Z");
        assert_eq!(Moment(1_795_391_999_123_456).to_string(), "2026-11-22T23:59:59.123Z");
        assert_eq!(Moment(-1_000).to_string(), "1969-12-31T23:59:59.999Z");
    }
}
