//! The head of a request: its line and its fields (RFC 9112 2 to 6).
//!
//! It is read from left to right and the first fault counts, so that it does not matter in which pieces it comes. What
//! was read is not read again: a head that drips costs no more than one that comes at once.

use super::bytes::{TOKEN, run, run_of_path, run_of_query, run_of_value, trim};
use super::host::{is_host, is_odd_target};
use super::{Body, Bounds, Fault, fault};

/// Bytes of a request's line, whatever the limit for heads: targets that are longer hyper cannot hold.
const LINE: usize = 65_000;
/// How a line ends.
const NEW: &[u8] = b"HTTP/1.1\r\n";

/// A head as far as it has come. Its places count from its first byte.
#[derive(Debug, Default)]
pub(super) struct Head {
    stage: Stage,
    /// What comes before it is in order.
    at: usize,
    /// Where the part that is being read begins.
    mark: usize,
    /// Where the name of the field begins and ends whose value is being read.
    name: (usize, usize),
    /// Where the method begins and ends.
    method: (usize, usize),
    fields: usize,
    old: bool,
    host: bool,
    expects: bool,
    chunked: bool,
    length: Option<u64>,
}

/// What is read next.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum Stage {
    #[default]
    Start,
    StartLf,
    Method,
    Target,
    Path,
    Query,
    Odd,
    Version,
    Field,
    Name,
    Value,
    ValueLf,
    EndLf,
}

/// What a step of reading came to.
enum Step {
    /// Go on with this stage.
    To(Stage),
    /// There is no more yet.
    More,
    Whole(Body),
}

type Stepped = Result<Step, Fault>;

impl Head {
    /// Reads on in all that has come of this head: its length and what body follows when it is whole.
    pub(super) fn read(&mut self, bytes: &[u8], bounds: &Bounds) -> Result<Option<(usize, Body)>, Fault> {
        let bytes = &bytes[..bytes.len().min(bounds.head)];
        let line = &bytes[..bytes.len().min(LINE)];
        loop {
            let step = match self.stage {
                Stage::Start => self.start(line),
                Stage::StartLf => self.start_lf(line),
                Stage::Method => self.method(line),
                Stage::Target => self.target(line),
                Stage::Path => self.path(line),
                Stage::Query => self.query(line),
                Stage::Odd => self.odd(line),
                Stage::Version => self.version(line),
                Stage::Field => self.fields(bytes, bounds),
                Stage::Name => self.name(bytes),
                Stage::Value => self.value(bytes),
                Stage::ValueLf => self.value_lf(bytes, bounds),
                Stage::EndLf => self.end_lf(bytes),
            }?;
            match step {
                Step::To(stage) => self.stage = stage,
                Step::Whole(body) => return Ok(Some((self.at, body))),
                Step::More => return self.more(bytes.len(), bounds),
            }
        }
    }

    /// Whether nothing of a request has come: an empty line before one is none.
    pub(super) fn is_empty(&self) -> bool {
        self.stage == Stage::Start || self.stage == Stage::Method && self.at == self.mark
    }

    /// Whether the request is a HEAD, of which answers have no body.
    pub(super) fn is_for_head(&self, bytes: &[u8]) -> bool {
        bytes.get(self.method.0..self.method.1) == Some(b"HEAD")
    }

    fn more(&self, came: usize, bounds: &Bounds) -> Result<Option<(usize, Body)>, Fault> {
        let in_line = (self.stage as u8) < Stage::Field as u8;
        if in_line && came >= bounds.head.min(LINE) {
            return Err(fault::LONG_LINE);
        }
        if came >= bounds.head { Err(fault::LARGE_HEAD) } else { Ok(None) }
    }

    /// One empty line may come first: old clients sent one after a body.
    fn start(&mut self, bytes: &[u8]) -> Stepped {
        match bytes.first() {
            None => Ok(Step::More),
            Some(b'\r') => self.pass(Stage::StartLf),
            Some(_) => Ok(Step::To(self.line(bytes))),
        }
    }

    /// A whole line as nearly all are, in fewer steps than one that comes in pieces: the method (but CONNECT has no
    /// path), a path, the version. Otherwise the method is read first.
    fn line(&mut self, bytes: &[u8]) -> Stage {
        let method = run(bytes, 0, TOKEN);
        let plain = method > 0 && bytes[0] != b'C';
        if !plain || bytes.get(method..).and_then(|rest| rest.first_chunk()) != Some(b" /") {
            return Stage::Method;
        }
        let mut end = run_of_path(bytes, method + 1);
        if bytes.get(end) == Some(&b'?') {
            end = run_of_query(bytes, end);
        }
        if bytes.get(end..).and_then(|rest| rest.first_chunk()) != Some(b" HTTP/1.1\r\n") {
            return Stage::Method;
        }
        self.method = (0, method);
        self.at = end + NEW.len() + 1;
        Stage::Field
    }

    fn start_lf(&mut self, bytes: &[u8]) -> Stepped {
        self.lf(bytes, Stage::Method)
    }

    fn method(&mut self, bytes: &[u8]) -> Stepped {
        self.at = run(bytes, self.at, TOKEN);
        match bytes.get(self.at) {
            None => Ok(Step::More),
            Some(b' ') if self.at > self.mark => {
                self.method = (self.mark, self.at);
                self.pass(Stage::Target)
            }
            Some(_) => Err(fault::LINE),
        }
    }

    fn target(&mut self, bytes: &[u8]) -> Stepped {
        Ok(match bytes.get(self.at) {
            None => Step::More,
            Some(b'/') => Step::To(Stage::Path),
            Some(_) => Step::To(Stage::Odd),
        })
    }

    fn path(&mut self, bytes: &[u8]) -> Stepped {
        self.at = run_of_path(bytes, self.at);
        match bytes.get(self.at) {
            None => Ok(Step::More),
            Some(b' ') => self.targeted(bytes, true),
            Some(b'?') => Ok(Step::To(Stage::Query)),
            Some(_) => Err(fault::TARGET),
        }
    }

    fn query(&mut self, bytes: &[u8]) -> Stepped {
        self.at = run_of_query(bytes, self.at);
        match bytes.get(self.at) {
            None => Ok(Step::More),
            Some(b' ') => self.targeted(bytes, true),
            Some(_) => Err(fault::TARGET),
        }
    }

    fn odd(&mut self, bytes: &[u8]) -> Stepped {
        self.at = run_of_query(bytes, self.at);
        match bytes.get(self.at) {
            None => Ok(Step::More),
            Some(b' ') => self.targeted(bytes, false),
            Some(_) => Err(fault::TARGET),
        }
    }

    fn targeted(&mut self, bytes: &[u8], is_path: bool) -> Stepped {
        let method = &bytes[self.method.0..self.method.1];
        // The first byte is a comparison less for all other methods.
        let connects = method[0] == b'C' && method == b"CONNECT";
        let fits = if is_path { !connects } else { is_odd_target(method, &bytes[self.mark..self.at]) };
        if !fits {
            return Err(fault::TARGET);
        }
        self.pass(Stage::Version)
    }

    fn version(&mut self, bytes: &[u8]) -> Stepped {
        while let Some(byte) = bytes.get(self.at) {
            match (self.at - self.mark, byte) {
                (7, b'0') => self.old = true,
                (place, byte) if *byte == NEW[place] => {}
                (5 | 7, b'0'..=b'9') => return Err(fault::VERSION),
                _ => return Err(fault::LINE),
            }
            self.at += 1;
            if self.at - self.mark == NEW.len() {
                return Ok(Step::To(Stage::Field));
            }
        }
        Ok(Step::More)
    }

    /// Whole fields at once, in fewer steps than those that come in pieces.
    fn fields(&mut self, bytes: &[u8], bounds: &Bounds) -> Stepped {
        loop {
            self.mark = self.at;
            let colon = run(bytes, self.at, TOKEN);
            if colon == self.at || bytes.get(colon) != Some(&b':') {
                return self.field(bytes);
            }
            let end = run_of_value(bytes, colon + 1);
            if bytes.get(end..).and_then(|rest| rest.first_chunk()) != Some(b"\r\n") {
                return self.field(bytes);
            }
            self.take(&bytes[self.mark..colon], &bytes[colon + 1..end], bounds)?;
            self.at = end + 2;
        }
    }

    fn field(&mut self, bytes: &[u8]) -> Stepped {
        match bytes.get(self.at) {
            None => Ok(Step::More),
            Some(b'\r') => self.pass(Stage::EndLf),
            Some(_) => Ok(Step::To(Stage::Name)),
        }
    }

    fn name(&mut self, bytes: &[u8]) -> Stepped {
        self.at = run(bytes, self.at, TOKEN);
        match bytes.get(self.at) {
            None => Ok(Step::More),
            Some(b':') if self.at > self.mark => {
                self.name = (self.mark, self.at);
                self.pass(Stage::Value)
            }
            Some(_) => Err(fault::FIELD),
        }
    }

    fn value(&mut self, bytes: &[u8]) -> Stepped {
        self.at = run_of_value(bytes, self.at);
        match bytes.get(self.at) {
            None => Ok(Step::More),
            Some(b'\r') => {
                self.at += 1;
                Ok(Step::To(Stage::ValueLf))
            }
            Some(_) => Err(fault::FIELD),
        }
    }

    fn value_lf(&mut self, bytes: &[u8], bounds: &Bounds) -> Stepped {
        if matches!(bytes.get(self.at), Some(b'\n')) {
            let (name, value) = (&bytes[self.name.0..self.name.1], &bytes[self.mark..self.at - 1]);
            self.take(name, value, bounds)?;
        }
        self.lf(bytes, Stage::Field)
    }

    /// A field is whole.
    #[inline]
    fn take(&mut self, name: &[u8], value: &[u8], bounds: &Bounds) -> Result<(), Fault> {
        self.fields += 1;
        if self.fields > bounds.fields {
            return Err(fault::MANY_FIELDS);
        }
        // Most fields mean nothing here; the length says so soonest.
        if matches!(name.len(), 4 | 6 | 14 | 17) { self.known(name, value) } else { Ok(()) }
    }

    #[inline(never)]
    fn known(&mut self, name: &[u8], value: &[u8]) -> Result<(), Fault> {
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        match name[0] | 0x20 {
            b'h' if is(b"host") => self.host(trim(value)),
            b'e' if is(b"expect") => self.expect(trim(value)),
            b'c' if is(b"content-length") => self.length(trim(value)),
            b't' if is(b"transfer-encoding") => self.coding(trim(value)),
            _ => Ok(()),
        }
    }

    fn host(&mut self, value: &[u8]) -> Result<(), Fault> {
        if self.host || !is_host(value) {
            return Err(fault::HOST);
        }
        self.host = true;
        Ok(())
    }

    fn expect(&mut self, value: &[u8]) -> Result<(), Fault> {
        if self.expects || !value.eq_ignore_ascii_case(b"100-continue") {
            return Err(fault::EXPECTATION);
        }
        self.expects = true;
        Ok(())
    }

    /// Two lengths are refused even if they are equal: who sends them does not know what they do.
    fn length(&mut self, value: &[u8]) -> Result<(), Fault> {
        let mut length = Some(0u64).filter(|_| !value.is_empty() && self.length.is_none());
        for byte in value {
            let digit = Some(byte.wrapping_sub(b'0')).filter(|digit| *digit < 10);
            let more = length
                .zip(digit)
                .and_then(|(length, digit)| length.checked_mul(10)?.checked_add(digit.into()));
            length = more;
        }
        // hyper keeps the largest numbers for itself.
        self.length = Some(length.filter(|length| *length <= i64::MAX as u64).ok_or(fault::LENGTH)?);
        Ok(())
    }

    fn coding(&mut self, value: &[u8]) -> Result<(), Fault> {
        if !self.chunked && value.eq_ignore_ascii_case(b"chunked") {
            self.chunked = true;
            return Ok(());
        }
        let named = value.windows(7).any(|some| some.eq_ignore_ascii_case(b"chunked"));
        Err(if self.chunked || named || value.is_empty() { fault::CODING } else { fault::UNKNOWN_CODING })
    }

    fn end_lf(&mut self, bytes: &[u8]) -> Stepped {
        match bytes.get(self.at) {
            None => return Ok(Step::More),
            Some(b'\n') => self.at += 1,
            Some(_) => return Err(fault::FIELD),
        }
        if !self.host && !self.old {
            return Err(fault::HOST);
        }
        match (self.chunked, self.length) {
            (true, Some(_)) => Err(fault::CODING),
            (true, None) if self.old => Err(fault::CODING),
            (true, None) => Ok(Step::Whole(Body::Chunked)),
            (false, length) => Ok(Step::Whole(Body::Sized(length.unwrap_or(0)))),
        }
    }

    /// Passes a byte, after which another part begins.
    fn pass(&mut self, next: Stage) -> Stepped {
        self.at += 1;
        self.mark = self.at;
        Ok(Step::To(next))
    }

    fn lf(&mut self, bytes: &[u8], next: Stage) -> Stepped {
        match bytes.get(self.at) {
            None => Ok(Step::More),
            Some(b'\n') => self.pass(next),
            Some(_) if next == Stage::Method => Err(fault::LINE),
            Some(_) => Err(fault::FIELD),
        }
    }
}
