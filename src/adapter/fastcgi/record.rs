//! Records of FastCGI 1.0: how they lie in bytes, and nothing of what they mean.
//!
//! Lengths are two bytes and one, sums of them fit: nothing here can overflow or ask for more memory than a record has.

use bytes::{Buf, BufMut, Bytes, BytesMut};

const VERSION: u8 = 1;
/// Bytes before a record's content.
const HEADER: usize = 8;
/// Bytes of a stream in one record of ours: a multiple of 8, so that no padding is due.
const PIECE: usize = 32 * 1024;

/// What a record is (8: `FCGI_*`). Those that only come from servers of other roles have no name here.
pub(super) mod kind {
    pub(crate) const BEGIN_REQUEST: u8 = 1;
    pub(crate) const ABORT_REQUEST: u8 = 2;
    pub(crate) const END_REQUEST: u8 = 3;
    pub(crate) const PARAMS: u8 = 4;
    pub(crate) const STDIN: u8 = 5;
    pub(crate) const STDOUT: u8 = 6;
    pub(crate) const GET_VALUES: u8 = 9;
    pub(crate) const GET_VALUES_RESULT: u8 = 10;
    pub(crate) const UNKNOWN_TYPE: u8 = 11;
}

/// How a request ended, as the protocol has it (5.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Status {
    Complete = 0,
    /// This application takes one request at a time on a connection.
    CannotMultiplex = 1,
    Overloaded = 2,
    UnknownRole = 3,
}

/// One record. Of its kind only the reader knows whether it is one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) kind: u8,
    /// The request it belongs to; 0: none.
    pub(super) id: u16,
    pub(super) content: Bytes,
}

/// What came is not FastCGI, or not as its specification has it: nothing after it can be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken(pub(super) &'static str);

/// Takes the first record off what has come, if it is whole.
pub(super) fn take(from: &mut BytesMut) -> Result<Option<Record>, Broken> {
    if from.first().is_some_and(|version| *version != VERSION) {
        return Err(Broken("a record of another version"));
    }
    let Some([_, kind, id @ .., high, low, padding, _]) = from.first_chunk::<HEADER>() else {
        return Ok(None);
    };
    let (kind, id) = (*kind, u16::from_be_bytes(*id));
    let content = usize::from(u16::from_be_bytes([*high, *low]));
    let whole = HEADER + content + usize::from(*padding);
    if from.len() < whole {
        return Ok(None);
    }
    let mut record = from.split_to(whole);
    record.advance(HEADER);
    record.truncate(content);
    Ok(Some(Record { kind, id, content: record.freeze() }))
}

/// Writes one record. What does not fit is a mistake of ours.
pub(super) fn put(to: &mut BytesMut, kind: u8, id: u16, content: &[u8]) {
    let length = u16::try_from(content.len()).expect("contents of ours are cut before");
    to.put_u8(VERSION);
    to.put_u8(kind);
    to.put_u16(id);
    to.put_u16(length);
    to.put_u16(0);
    to.put_slice(content);
}

/// Writes a part of a stream. That it is over is told by an empty record.
pub(super) fn put_stream(to: &mut BytesMut, kind: u8, id: u16, content: &[u8]) {
    content.chunks(PIECE).for_each(|piece| put(to, kind, id, piece));
}

/// Ends a request. `exit` is 0 unless its answer broke off.
pub(super) fn put_end(to: &mut BytesMut, id: u16, exit: u32, status: Status) {
    let [a, b, c, d] = exit.to_be_bytes();
    put(to, kind::END_REQUEST, id, &[a, b, c, d, status as u8, 0, 0, 0]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(mut bytes: BytesMut) -> Result<Vec<Record>, Broken> {
        let mut records = Vec::new();
        while let Some(record) = take(&mut bytes)? {
            records.push(record);
        }
        Ok(records)
    }

    #[test]
    fn a_record_lies_as_the_specification_says() {
        let mut out = BytesMut::new();
        put(&mut out, kind::STDOUT, 0x0102, b"hello");
        assert_eq!(&out[..], b"\x01\x06\x01\x02\x00\x05\x00\x00hello");
        out.clear();
        put_end(&mut out, 1, 0xdead_beef, Status::UnknownRole);
        assert_eq!(&out[..], b"\x01\x03\x00\x01\x00\x08\x00\x00\xde\xad\xbe\xef\x03\x00\x00\x00");
    }

    #[test]
    fn padding_is_no_content() {
        let mut bytes = BytesMut::from(&b"\x01\x05\x00\x07\x00\x02\x03\x2ahixyz\x01"[..]);
        let record = take(&mut bytes).expect("in order").expect("whole");
        assert_eq!(record, Record { kind: kind::STDIN, id: 7, content: Bytes::from_static(b"hi") });
        assert_eq!(&bytes[..], b"\x01");
    }

    #[test]
    fn r53_what_is_not_whole_is_waited_for_and_another_version_is_not() {
        let whole = b"\x01\x05\x00\x07\x00\x02\x03\x00hixyz";
        for end in 0..whole.len() {
            assert_eq!(take(&mut BytesMut::from(&whole[..end])), Ok(None), "{end}");
        }
        // Said at the first byte: nobody waits for the rest of an HTTP request.
        assert!(take(&mut BytesMut::from(&b"G"[..])).is_err());
        assert!(take(&mut BytesMut::from(&b"\x00"[..])).is_err());
    }

    #[test]
    fn the_largest_record_is_one() {
        let mut bytes = BytesMut::from(&b"\x01\x05\xff\xff\xff\xff\xff\x00"[..]);
        bytes.resize(HEADER + 65_535 + 255, 0);
        assert_eq!(take(&mut bytes).expect("in order").expect("whole").content.len(), usize::from(u16::MAX));
        assert!(bytes.is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn what_is_written_is_read(content in proptest::collection::vec(any::<u8>(), 0..3 * PIECE / 2), id: u16) {
            let mut out = BytesMut::new();
            put_stream(&mut out, kind::STDIN, id, &content);
            let records = all(out).expect("in order");
            prop_assert!(records.iter().all(|record| record.id == id && record.kind == kind::STDIN));
            prop_assert!(records.iter().all(|record| !record.content.is_empty()));
            let read: Vec<u8> = records.iter().flat_map(|record| record.content.to_vec()).collect();
            prop_assert_eq!(read, content);
        }
    }
}
