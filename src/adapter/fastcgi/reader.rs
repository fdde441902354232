//! What the records of a connection say of its requests: no input or output, no answers, no time.
//!
//! Streams are put together here, parameters up to their limit. Records of requests that are not open are passed over,
//! as the specification has it (3.3); what no web server sends by the specification ends the connection.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};

use super::record::{self, Broken, Record, kind};

/// The role of who is given a request and answers it (6.1).
const RESPONDER: u16 = 1;
/// Of a request's flags: the web server will use the connection again.
const KEEP_CONN: u8 = 1;

/// All that came on a connection.
#[derive(Debug)]
pub(super) struct Reader {
    came: BytesMut,
    /// Bytes that the parameters of a request may have.
    head: usize,
    open: BTreeMap<u16, Stream>,
}

/// Which stream of a request comes next.
#[derive(Debug)]
enum Stream {
    Params(BytesMut),
    /// There are too many of them.
    Excess,
    Stdin,
    Over,
}

/// What a record, or the last of some, comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The web server asks for values: names without any.
    Asked(Bytes),
    /// A management record of a kind that we do not know.
    Unknown(u8),
    /// A request begins.
    Begin { id: u16, keep: bool, role: Role },
    /// Its parameters are there; `None` if they are more than there may be.
    Head { id: u16, params: Option<Bytes> },
    /// More of its body.
    Body { id: u16, bytes: Bytes },
    /// Its body is over.
    End { id: u16 },
    /// The web server does not want the answer any more.
    Abort { id: u16 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Responder,
    Other,
}

impl Reader {
    pub(super) fn new(head: usize) -> Self {
        Reader { came: BytesMut::new(), head, open: BTreeMap::new() }
    }

    /// More came.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.came.extend_from_slice(bytes);
    }

    /// What the next records come to; `None` if more has to come first.
    pub(super) fn next(&mut self) -> Result<Option<Event>, Broken> {
        while let Some(record) = record::take(&mut self.came)? {
            if let Some(event) = self.read(record)? {
                return Ok(Some(event));
            }
        }
        if self.came.is_empty() {
            // A connection that rests has no memory.
            self.came = BytesMut::new();
        }
        Ok(None)
    }

    /// The request is refused: nothing of it is needed, but its number is not free.
    pub(super) fn refuse(&mut self, id: u16) {
        self.open.insert(id, Stream::Excess);
    }

    /// The request is answered: what still comes of it is passed over. Whether nothing will.
    pub(super) fn end(&mut self, id: u16) -> bool {
        matches!(self.open.remove(&id), Some(Stream::Over))
    }

    fn read(&mut self, record: Record) -> Result<Option<Event>, Broken> {
        let Record { kind, id, content } = record;
        if id == 0 {
            let asked = kind == kind::GET_VALUES;
            return Ok(Some(if asked { Event::Asked(content) } else { Event::Unknown(kind) }));
        }
        if kind == kind::BEGIN_REQUEST {
            return self.begin(id, &content).map(Some);
        }
        let Some(stream) = self.open.get_mut(&id) else { return Ok(None) };
        match kind {
            kind::PARAMS => Ok(stream.params(id, &content, self.head)),
            kind::STDIN => stream.stdin(id, content),
            kind::ABORT_REQUEST => {
                self.end(id);
                Ok(Some(Event::Abort { id }))
            }
            // Streams of other roles, and kinds that belong to no role.
            _ => Ok(None),
        }
    }

    fn begin(&mut self, id: u16, content: &[u8]) -> Result<Event, Broken> {
        let [high, low, flags, ..] = *content else {
            return Err(Broken("a request begins without its role"));
        };
        if self.open.insert(id, Stream::Params(BytesMut::new())).is_some() {
            return Err(Broken("a request begins whose number another has that is not over"));
        }
        let role = if u16::from_be_bytes([high, low]) == RESPONDER { Role::Responder } else { Role::Other };
        Ok(Event::Begin { id, keep: flags & KEEP_CONN != 0, role })
    }
}

impl Stream {
    fn params(&mut self, id: u16, content: &[u8], limit: usize) -> Option<Event> {
        let Stream::Params(params) = self else { return None };
        if content.is_empty() {
            let params = std::mem::take(params).freeze();
            *self = Stream::Stdin;
            return Some(Event::Head { id, params: Some(params) });
        }
        if content.len() > limit - params.len() {
            *self = Stream::Excess;
            return Some(Event::Head { id, params: None });
        }
        params.extend_from_slice(content);
        None
    }

    fn stdin(&mut self, id: u16, content: Bytes) -> Result<Option<Event>, Broken> {
        match self {
            Stream::Params(_) => Err(Broken("a request's body comes before its parameters are over")),
            Stream::Excess | Stream::Over => Ok(None),
            Stream::Stdin if content.is_empty() => {
                *self = Stream::Over;
                Ok(Some(Event::End { id }))
            }
            Stream::Stdin => Ok(Some(Event::Body { id, bytes: content })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP: &[u8] = b"\x00\x01\x01\0\0\0\0\0";

    /// Records of these kinds, requests and contents.
    fn records(records: &[(u8, u16, &[u8])]) -> BytesMut {
        let mut bytes = BytesMut::new();
        records.iter().for_each(|(kind, id, content)| record::put(&mut bytes, *kind, *id, content));
        bytes
    }

    fn events(bytes: &[u8], head: usize) -> (Vec<Event>, Option<Broken>) {
        let (mut reader, mut events) = (Reader::new(head), Vec::new());
        reader.push(bytes);
        loop {
            match reader.next() {
                Ok(Some(event)) => events.push(event),
                Ok(None) => return (events, None),
                Err(broken) => return (events, Some(broken)),
            }
        }
    }

    fn bytes(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    #[test]
    fn r53_two_requests_between_each_other_are_told_apart() {
        let came = records(&[
            (kind::BEGIN_REQUEST, 1, KEEP),
            (kind::PARAMS, 1, b"ab"),
            (kind::BEGIN_REQUEST, 0xfffe, b"\x00\x01\x00\0\0\0\0\0"),
            (kind::PARAMS, 0xfffe, b"x"),
            (kind::PARAMS, 1, b"c"),
            (kind::PARAMS, 1, b""),
            (kind::PARAMS, 0xfffe, b""),
            (kind::STDIN, 0xfffe, b"two"),
            (kind::STDIN, 1, b"one"),
            (kind::STDIN, 1, b""),
            (kind::ABORT_REQUEST, 0xfffe, b""),
            (kind::STDIN, 0xfffe, b"late"),
        ]);
        let role = Role::Responder;
        let expected = [
            Event::Begin { id: 1, keep: true, role },
            Event::Begin { id: 0xfffe, keep: false, role },
            Event::Head { id: 1, params: Some(bytes("abc")) },
            Event::Head { id: 0xfffe, params: Some(bytes("x")) },
            Event::Body { id: 0xfffe, bytes: bytes("two") },
            Event::Body { id: 1, bytes: bytes("one") },
            Event::End { id: 1 },
            Event::Abort { id: 0xfffe },
        ];
        assert_eq!(events(&came, 3), (expected.into(), None));
    }

    #[test]
    fn r53_of_requests_that_are_not_open_nothing_counts() {
        let came = records(&[
            (kind::PARAMS, 1, b"ab"),
            (kind::STDIN, 2, b"ab"),
            (kind::ABORT_REQUEST, 3, b""),
            (kind::UNKNOWN_TYPE, 4, b""),
            (200, 5, b"ab"),
        ]);
        assert_eq!(events(&came, 9), (vec![], None));
    }

    #[test]
    fn r53_records_of_other_roles_and_of_no_kind_mean_nothing_within_a_request() {
        let came = records(&[
            (kind::BEGIN_REQUEST, 1, b"\x00\x03\x00\0\0\0\0\0"),
            (8, 1, b"data"),
            (kind::STDOUT, 1, b"x"),
            (0, 1, b"x"),
            (255, 1, b"x"),
            (kind::PARAMS, 1, b""),
            (kind::PARAMS, 1, b"again"),
            (kind::STDIN, 1, b""),
            (kind::STDIN, 1, b"again"),
        ]);
        let begin = Event::Begin { id: 1, keep: false, role: Role::Other };
        let rest = [Event::Head { id: 1, params: Some(Bytes::new()) }, Event::End { id: 1 }];
        assert_eq!(events(&came, 9), ([begin].into_iter().chain(rest).collect(), None));
    }

    #[test]
    fn r53_management_records_of_any_kind_are_answered_for() {
        let came = records(&[(kind::GET_VALUES, 0, b"x"), (kind::BEGIN_REQUEST, 0, KEEP), (12, 0, b"")]);
        let expected = vec![Event::Asked(bytes("x")), Event::Unknown(1), Event::Unknown(12)];
        assert_eq!(events(&came, 9), (expected, None));
    }

    #[test]
    fn r53_parameters_are_counted_before_they_are_kept() {
        for (sizes, fits) in [(&[5, 5][..], true), (&[5, 6], false), (&[11], false), (&[10], true)] {
            let begin = [(kind::BEGIN_REQUEST, 1, KEEP)].into_iter();
            let params = sizes.iter().map(|size| (kind::PARAMS, 1, &b"0123456789ab"[..*size]));
            let rest = [(kind::PARAMS, 1, &b""[..]), (kind::STDIN, 1, b"x"), (kind::STDIN, 1, b"")];
            let came = records(&begin.chain(params).chain(rest).collect::<Vec<_>>());
            let (events, broken) = events(&came, 10);
            let head = events.iter().find_map(|event| match event {
                Event::Head { params, .. } => Some(params.is_some()),
                _ => None,
            });
            assert_eq!((head, broken), (Some(fits), None), "{sizes:?}");
            // Of a request that is refused nothing more is said.
            assert_eq!(events.len(), if fits { 4 } else { 2 }, "{sizes:?}");
        }
    }

    #[test]
    fn r53_what_no_web_server_sends_ends_the_connection() {
        let begin = (kind::BEGIN_REQUEST, 1, KEEP);
        for came in [
            records(&[begin, begin]),
            records(&[(kind::BEGIN_REQUEST, 1, b"\x00\x01")]),
            records(&[begin, (kind::STDIN, 1, b"early")]),
            records(&[begin, (kind::STDIN, 1, b"")]),
            BytesMut::from(&b"\x02\x01\x00\x01\x00\x00\x00\x00"[..]),
            BytesMut::from(&b"GET / HTTP/1.1\r\n"[..]),
        ] {
            assert!(events(&came, 9).1.is_some(), "{came:?}");
        }
    }

    #[test]
    fn a_number_can_be_used_again() {
        let mut reader = Reader::new(9);
        let begin = records(&[(kind::BEGIN_REQUEST, 1, KEEP)]);
        for _ in 0..3 {
            reader.push(&begin);
            assert!(matches!(reader.next(), Ok(Some(Event::Begin { .. }))));
            reader.end(1);
        }
    }
}
