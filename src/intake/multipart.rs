//! Forms with files: text goes to memory, files above a threshold to disk, while the body comes in.
//!
//! multer takes the parts apart. It looks through all it holds each time it is asked, and has no bound on a part's
//! head, so it is given a small piece of the body, and the next one only when it cannot go on: what it holds stays
//! small, and the time it takes grows with the body and not faster.

use std::hash::Hasher;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::request::Parts as Head;
use http::{Response, StatusCode, header};
use http_body::Frame;
use http_body_util::BodyDataStream;
use multer::{Constraints, Field, Multipart, SizeLimit};
use siphasher::sip::SipHasher13;

use super::Refusal;
use super::arrivals::Place;
use super::disposition::Disposition;
use super::reading::Reading;
use super::store::Store;
use crate::body::Body;
use crate::engine::{Core, Engine};
use crate::error::BoxError;
use crate::hit::{Hit, Via};
use crate::journal::FileSent;
use crate::limits::Limits;
use crate::log::Line;
use crate::mapper::FROM_ELSEWHERE;
use crate::mapper::forwarded::DOUBTFUL;
use crate::reply::{Back, Call, Reply};
use crate::request::file::UploadedFile;

/// Bytes that multer is given at once.
const PIECE: usize = 16 * 1024;
/// Bytes of a part's head, and of what stands before the first part.
const HEAD: usize = 8 * 1024;
/// Bytes of the name of a field or a file.
const NAME: usize = 1024;
/// Characters of a boundary (RFC 2046, 5.1.1).
const BOUNDARY: usize = 70;

impl Refusal {
    const ODD: Refusal = Refusal::new(StatusCode::BAD_REQUEST, "The form could not be read.");
    const MANY_FIELDS: Refusal = Refusal::new(StatusCode::BAD_REQUEST, "The form has too many fields.");
    const MANY_FILES: Refusal = Refusal::new(StatusCode::BAD_REQUEST, "The form has too many files.");
    const BUSY: Refusal =
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "Too many files are being sent at the moment.");
}

/// What a form with files has brought.
#[derive(Default)]
pub(crate) struct Sent {
    /// The name of a file is the value of its field.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) files: Vec<UploadedFile>,
    /// Tells this form from any other, whatever its boundary.
    pub(crate) digest: u64,
}

impl Sent {
    /// As it was written down: without what was in the files.
    pub(crate) fn again(fields: &[(String, String)], files: &[FileSent], digest: u64) -> Sent {
        let files = files.iter().map(UploadedFile::gone).collect();
        Sent { fields: fields.to_vec(), files, digest }
    }
}

/// Whether a body is taken apart here: a form that is sent, not something else with such a type.
pub(crate) fn wants(core: &Core, head: &Head, via: &Via) -> bool {
    let kind = head.headers.get(header::CONTENT_TYPE).map_or(&b""[..], |kind| kind.as_bytes());
    let essence = kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    essence.eq_ignore_ascii_case(b"multipart/form-data")
        && !head.method.is_safe()
        && via.local(head.uri.path()) != core.health
}

/// Reads a form, then brings it to its session.
pub(crate) async fn receive<B>(engine: Engine, head: Head, body: B, via: Via) -> Response<Body>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let core = engine.0.clone();
    let mut hit = core.hit(head, Bytes::new(), via, Back::nowhere());
    match take(&core, &mut hit, body).await {
        Ok(sent) => {
            hit.set_sent(sent);
            let answer = {
                let (call, back) = Call::begin();
                hit.reply = Reply::new(back);
                core.map_checked(hit);
                call.end()
            };
            answer.await
        }
        Err(refusal) => refusal.answer(&engine, hit.version()),
    }
}

impl Core {
    /// Removes the files that were being uploaded to servers that were killed.
    pub(crate) fn tidy_uploads(&self) {
        let spool = self.spool.clone();
        drop(self.runtime.spawn_blocking(move || spool.sweep()));
    }
}

async fn take<B>(core: &Arc<Core>, hit: &mut Hit, body: B) -> Result<Sent, Refusal>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    // A token in the form may prove it: it is judged again when it is there.
    if hit.is_submit_from_elsewhere() && !hit.hides_origin() {
        return Err(Refusal::new(StatusCode::FORBIDDEN, FROM_ELSEWHERE));
    }
    if hit.is_doubtful() {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, DOUBTFUL));
    }
    let size = body.size_hint();
    if size.lower() > core.limits.upload as u64 {
        return Err(Refusal::LARGE);
    }
    let boundary = boundary(hit).ok_or(Refusal::ODD)?;
    let place = core.arrivals.admit(core.proven(hit), size.exact(), &core.limits).ok_or(Refusal::BUSY)?;
    let mut parts = Parts::new(body, boundary, &place, &core.limits);
    let mut taking = Taking::new(core);
    while let Some(field) = parts.next().await? {
        taking.part(&mut parts, field).await?;
    }
    parts.read_out().await?;
    Ok(taking.sent())
}

fn boundary(hit: &Hit) -> Option<String> {
    let boundary = multer::parse_boundary(hit.header("content-type")?).ok()?;
    (1..=BOUNDARY).contains(&boundary.len()).then_some(boundary)
}

/// What multer reads from: holds one piece, if any.
#[derive(Clone, Default)]
struct Feed(Arc<Mutex<Given>>);

#[derive(Default)]
enum Given {
    #[default]
    Nothing,
    Piece(Bytes),
    End,
}

impl Feed {
    fn give(&self, given: Given) {
        *self.0.lock().expect("no code panics while it holds the feed") = given;
    }
}

impl http_body::Body for Feed {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let mut given = self.0.lock().expect("no code panics while it holds the feed");
        match std::mem::take(&mut *given) {
            // Nobody has to be woken: whoever polls sees that there was nothing, and gives more.
            Given::Nothing => Poll::Pending,
            Given::Piece(piece) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            Given::End => {
                *given = Given::End;
                Poll::Ready(None)
            }
        }
    }
}

/// The parts of a body.
pub(super) struct Parts<B> {
    multipart: Multipart<'static>,
    feed: Feed,
    reading: Reading<B>,
    /// Of the piece that came last, what multer was not given yet.
    rest: Bytes,
    ended: bool,
}

impl<B> Parts<B>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    fn new(body: B, boundary: String, place: &Place, limits: &Limits) -> Self {
        let feed = Feed::default();
        let most = limits.upload as u64;
        let constraints = Constraints::new().size_limit(SizeLimit::new().whole_stream(most).per_field(most));
        let stream = BodyDataStream::new(feed.clone());
        Parts {
            multipart: Multipart::with_constraints(stream, boundary, constraints),
            feed,
            reading: Reading::new(body, place.meter.clone(), limits),
            rest: Bytes::new(),
            ended: false,
        }
    }

    async fn next(&mut self) -> Result<Option<Field<'static>>, Refusal> {
        let mut given = 0;
        loop {
            let polled = self.multipart.poll_next_field(&mut Context::from_waker(Waker::noop()));
            if let Poll::Ready(field) = polled {
                return field.map_err(refusal);
            }
            if given > HEAD {
                return Err(Refusal::ODD);
            }
            given += self.give_more().await?;
        }
    }

    /// More of a part's content; `None` at its end.
    async fn chunk(&mut self, field: &mut Field<'static>) -> Result<Option<Bytes>, Refusal> {
        loop {
            let polled = pin!(field.chunk()).poll(&mut Context::from_waker(Waker::noop()));
            if let Poll::Ready(chunk) = polled {
                return chunk.map_err(refusal);
            }
            self.give_more().await?;
        }
    }

    /// Gives multer the next piece of the body; how many bytes it has.
    async fn give_more(&mut self) -> Result<usize, Refusal> {
        if self.rest.is_empty() {
            match self.reading.piece().await? {
                Some(piece) => self.rest = piece,
                None if self.ended => return Err(Refusal::ODD),
                None => {
                    self.ended = true;
                    self.feed.give(Given::End);
                    return Ok(0);
                }
            }
        }
        let piece = self.rest.split_to(self.rest.len().min(PIECE));
        let bytes = piece.len();
        self.feed.give(Given::Piece(piece));
        Ok(bytes)
    }

    /// What stands after the last part means nothing, but the next request begins behind it.
    async fn read_out(&mut self) -> Result<(), Refusal> {
        while !self.ended && self.reading.piece().await?.is_some() {}
        Ok(())
    }
}

fn refusal(error: multer::Error) -> Refusal {
    tracing::debug!(error = %Line(&error), "a multipart body could not be read");
    match error {
        multer::Error::StreamSizeExceeded { .. } | multer::Error::FieldSizeExceeded { .. } => Refusal::LARGE,
        _ => Refusal::ODD,
    }
}

/// A form as far as it has come.
struct Taking<'a> {
    core: &'a Arc<Core>,
    sent: Sent,
    digest: SipHasher13,
    /// Bytes of text that are still taken.
    text: usize,
    /// Bytes of files that are still kept in memory.
    memory: usize,
}

impl<'a> Taking<'a> {
    fn new(core: &'a Arc<Core>) -> Self {
        let limits = &core.limits;
        let (text, memory) = (limits.body, limits.upload_memory);
        Taking { core, sent: Sent::default(), digest: core.seal.digest(), text, memory }
    }

    async fn part<B>(&mut self, parts: &mut Parts<B>, mut field: Field<'static>) -> Result<(), Refusal>
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
    {
        let limits = &self.core.limits;
        if self.sent.fields.len() >= limits.params {
            return Err(Refusal::MANY_FIELDS);
        }
        let said = field.headers().get(header::CONTENT_DISPOSITION);
        let Disposition { name, file } = Disposition::read(said.map_or(b"", |said| said.as_bytes()));
        if name.len() > NAME || file.as_ref().is_some_and(|file| file.len() > NAME) || head(&field) > HEAD {
            return Err(Refusal::ODD);
        }
        self.note(name.as_bytes());
        self.digest.write_u8(u8::from(file.is_some()));
        self.note(file.as_deref().unwrap_or_default().as_bytes());
        let value = match file {
            None => self.text(parts, &mut field).await?,
            Some(file) => {
                self.file(parts, &mut field, &name, &file).await?;
                file
            }
        };
        self.sent.fields.push((name, value));
        Ok(())
    }

    async fn text<B>(&mut self, parts: &mut Parts<B>, field: &mut Field<'static>) -> Result<String, Refusal>
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
    {
        let mut text = Vec::new();
        while let Some(chunk) = parts.chunk(field).await? {
            self.text = self.text.checked_sub(chunk.len()).ok_or(Refusal::LARGE)?;
            text.extend_from_slice(&chunk);
        }
        self.note(&text);
        Ok(String::from_utf8(text)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    async fn file<B>(
        &mut self,
        parts: &mut Parts<B>,
        field: &mut Field<'static>,
        name: &str,
        file: &str,
    ) -> Result<(), Refusal>
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
    {
        let full = self.sent.files.len() >= self.core.limits.files_per_hit;
        if full && !file.is_empty() {
            return Err(Refusal::MANY_FILES);
        }
        let mut store = Store::new(self.core, self.memory);
        while let Some(chunk) = parts.chunk(field).await? {
            self.digest.write(&chunk);
            store.add(&chunk).await?;
        }
        self.digest.write_u64(store.len());
        // Where no file was chosen, browsers send an empty one without a name.
        if file.is_empty() && store.is_empty() {
            return Ok(());
        }
        if full {
            return Err(Refusal::MANY_FILES);
        }
        self.memory -= store.in_memory();
        let kind = field.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let sent = FileSent::new(name, file, kind, store.len());
        let file = UploadedFile::new(sent, store.done().await?, self.core.journal.is_some());
        self.sent.files.push(file);
        Ok(())
    }

    /// Adds to what tells this form from any other.
    fn note(&mut self, bytes: &[u8]) {
        self.digest.write(bytes);
        self.digest.write_usize(bytes.len());
    }

    fn sent(self) -> Sent {
        Sent { digest: self.digest.finish(), ..self.sent }
    }
}

/// Bytes of a part's head.
fn head(field: &Field<'_>) -> usize {
    field.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_bytes_are_cut_their_digest_is_the_same() {
        let bytes: Vec<u8> = (0..100).collect();
        let digest = |size: usize| {
            let mut digest = SipHasher13::new();
            digest.write_u64(7);
            bytes.chunks(size).for_each(|piece| digest.write(piece));
            digest.write_usize(7);
            digest.finish()
        };
        assert!((1..100).all(|size| digest(size) == digest(100)));
    }
}
