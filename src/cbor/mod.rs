//! Values of programs as they are kept: in CBOR (RFC 8949), and the same value when they come back.
//!
//! What stands behind a link, what `once` and `read` gave, checkpoints and what is shared are written and read here. Serde's
//! data model has two things that CBOR's usual mapping makes one: `None`, and a `Some` around what is nothing itself
//! (`Some(None)`, `Some(())`). Both would be null. So such a `Some` is written down, as the tag [`SOME`] before its content;
//! any other `Some` is its content alone. A unit is null. Journals of formats 1 and 2 have an empty list for a unit and no
//! tag: they are read as they were.
//!
//! Left out: what a type's own `Serialize` leaves out. Whether a value comes back is looked at while a program is made
//! ([`check`]).

mod read;
#[cfg(test)]
mod tests;
mod write;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{BoxError, Error};

/// The tag of a `Some` whose content is null or another such `Some`. From the numbers that are given to whoever asks first.
const SOME: u64 = 0xc0de;

/// A value in CBOR.
pub(crate) fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, BoxError> {
    let mut bytes = Vec::new();
    append(value, &mut bytes)?;
    Ok(bytes)
}

/// Adds a value in CBOR.
pub(crate) fn append<T: Serialize + ?Sized>(value: &T, bytes: &mut Vec<u8>) -> Result<(), BoxError> {
    Ok(value.serialize(write::Writer(&mut minicbor_serde::Serializer::new(bytes)))?)
}

/// Writes a value into this room; how many bytes are left. `None`: it has no room, or cannot be written.
pub(crate) fn fill<T: Serialize + ?Sized>(value: &T, room: &mut [u8]) -> Option<usize> {
    let mut left = room;
    value.serialize(write::Writer(&mut minicbor_serde::Serializer::new(&mut left))).ok()?;
    Some(left.len())
}

/// The value in these bytes.
pub(crate) fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, BoxError> {
    Ok(T::deserialize(&mut read::Reader::new(bytes))?)
}

/// As programs wrote values before there was [`SOME`]: by it their effects are known in sessions that began then.
pub(crate) fn to_vec_before<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, BoxError> {
    Ok(minicbor_serde::to_vec(value)?)
}

/// In a debug build, and so in most tests: an error if the value does not come back as it is.
///
/// What cannot be read back is found, and what is longer or shorter when it is written again. Equal bytes are not asked
/// for: a `HashMap` has another order each time.
pub(crate) fn check<T: Serialize + DeserializeOwned>(value: &T) -> Result<(), Error> {
    if !cfg!(debug_assertions) {
        return Ok(());
    }
    let lost = "the value does not come back as it is: what serde writes of it is not what serde reads";
    let written = to_vec(value).map_err(|error| Error::caused("the value cannot be written", error))?;
    let again: T = from_slice(&written).map_err(|error| Error::caused(lost, error))?;
    let again = to_vec(&again).map_err(|error| Error::caused(lost, error))?;
    if again.len() == written.len() { Ok(()) } else { Err(Error::new(lost)) }
}
