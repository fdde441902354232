//! The response that a file is sent in: whole, in part, or not at all. The same for files of a folder and for those a
//! program names.

use std::ops::Range;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use super::body::{FileBody, PIECE, Part};
use super::conditions::{self, Verdict, judge};
use super::open::{self, Opened};
use super::range::Cut;
use crate::body::Body;
use crate::chance;
use crate::reply::Raw;

/// A file as it is offered to a client.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) file: Opened,
    pub(crate) kind: HeaderValue,
}

/// How much of a file is sent.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    status: StatusCode,
    headers: HeaderMap,
    parts: Vec<Part>,
}

impl Offer {
    /// The answer to a request with this method and these header fields. Reads the disk.
    pub(crate) fn answer(self, method: &Method, headers: &HeaderMap) -> std::io::Result<Raw> {
        let plan = self.plan(method, headers);
        self.carry_out(plan, method)
    }

    /// All of it with this status, whatever was asked for. Reads the disk.
    pub(crate) fn whole(self, method: &Method, status: StatusCode) -> std::io::Result<Raw> {
        let plan = Plan { status, ..self.all() };
        self.carry_out(plan, method)
    }

    fn plan(&self, method: &Method, headers: &HeaderMap) -> Plan {
        // Conditions and ranges are about getting a file, not about doing something.
        if !matches!(*method, Method::GET | Method::HEAD) {
            return self.all();
        }
        let ranged = match judge(method, headers, &self.file.stamp) {
            Verdict::Send { ranged } => ranged,
            Verdict::NotModified => return self.none(StatusCode::NOT_MODIFIED),
            Verdict::Failed => {
                return self.refuse(StatusCode::PRECONDITION_FAILED, "The file has changed.\n");
            }
        };
        match conditions::one(headers, header::RANGE).filter(|_| ranged) {
            Some(range) => self.cut(Cut::of(range, self.file.length)),
            None => self.all(),
        }
    }

    fn cut(&self, cut: Cut) -> Plan {
        match cut {
            Cut::Whole => self.all(),
            Cut::Outside => {
                let mut plan = self.refuse(StatusCode::RANGE_NOT_SATISFIABLE, "There are no such bytes.\n");
                let there = text(format!("bytes */{}", self.file.length));
                plan.headers.insert(header::CONTENT_RANGE, there);
                plan
            }
            Cut::Parts(ranges) => match &ranges[..] {
                [range] => self.one_part(range),
                ranges => self.parts(ranges),
            },
        }
    }

    fn all(&self) -> Plan {
        let mut plan = self.none(StatusCode::OK);
        plan.headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        plan.parts = vec![Part::File(0..self.file.length)];
        plan
    }

    fn one_part(&self, range: &Range<u64>) -> Plan {
        let mut plan = Plan { status: StatusCode::PARTIAL_CONTENT, ..self.all() };
        plan.headers.insert(header::CONTENT_RANGE, self.content_range(range));
        plan.parts = vec![Part::File(range.clone())];
        plan
    }

    fn parts(&self, ranges: &[Range<u64>]) -> Plan {
        let mut plan = Plan { status: StatusCode::PARTIAL_CONTENT, ..self.all() };
        let mut bytes = [0; 16];
        chance::system(&mut bytes);
        let boundary = format!("{:032x}", u128::from_le_bytes(bytes));
        let kind = text(format!("multipart/byteranges; boundary={boundary}"));
        plan.headers.insert(header::CONTENT_TYPE, kind);
        plan.parts = Vec::with_capacity(2 * ranges.len() + 1);
        for range in ranges {
            let mut head = format!("\r\n--{boundary}\r\nContent-Type: ").into_bytes();
            head.extend(self.kind.as_bytes());
            head.extend(b"\r\nContent-Range: ");
            head.extend(self.content_range(range).as_bytes());
            head.extend(b"\r\n\r\n");
            plan.parts.extend([Part::Bytes(head.into()), Part::File(range.clone())]);
        }
        plan.parts.push(Part::Bytes(format!("\r\n--{boundary}--\r\n").into()));
        plan
    }

    /// A head with what the file is recognised by.
    fn none(&self, status: StatusCode) -> Plan {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, self.kind.clone());
        if let Some(tag) = &self.file.stamp.tag {
            headers.insert(header::ETAG, text(tag));
        }
        if let Some(modified) = self.file.stamp.modified {
            headers.insert(header::LAST_MODIFIED, text(httpdate::fmt_http_date(modified)));
        }
        Plan { status, headers, parts: Vec::new() }
    }

    fn refuse(&self, status: StatusCode, message: &'static str) -> Plan {
        let fields: [(HeaderName, _); 2] = [
            (header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ];
        Plan {
            status,
            headers: HeaderMap::from_iter(fields),
            parts: vec![Part::Bytes(Bytes::from_static(message.as_bytes()))],
        }
    }

    fn content_range(&self, range: &Range<u64>) -> HeaderValue {
        text(format!("bytes {}-{}/{}", range.start, range.end - 1, self.file.length))
    }

    /// What is small is read at once.
    fn carry_out(self, plan: Plan, method: &Method) -> std::io::Result<Raw> {
        let Plan { status, mut headers, parts } = plan;
        let length = parts.iter().map(Part::length).sum::<u64>();
        if status != StatusCode::NOT_MODIFIED {
            headers.insert(header::CONTENT_LENGTH, length.into());
        }
        let file = &self.file.file;
        let body = match &parts[..] {
            _ if method == Method::HEAD => Body::from(Bytes::new()),
            [] => Body::from(Bytes::new()),
            [Part::Bytes(bytes)] => Body::from(bytes.clone()),
            [Part::File(range)] if length <= PIECE => {
                let bytes = usize::try_from(length).expect("a piece is small");
                Body::from(open::read(file, range.start, bytes)?)
            }
            _ => Body::from(FileBody::new(file.clone(), parts)),
        };
        Ok(Raw { status: Some(status), headers, body })
    }
}

/// A value of a head that we have made.
fn text(value: impl AsRef<str>) -> HeaderValue {
    HeaderValue::from_str(value.as_ref()).expect("letters, digits and signs")
}
