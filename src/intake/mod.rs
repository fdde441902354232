//! Bodies on their way in, once for all adapters: read within their size and time, or refused.
//!
//! A small body is collected in memory. Forms with files are taken apart while they come in: see `multipart`. What is
//! refused is not read to its end, and says in HTTP/1 that the connection closes: nothing after it could be understood.

#[cfg(feature = "multipart")]
pub(crate) mod arrivals;
#[cfg(feature = "multipart")]
mod disposition;
#[cfg(feature = "multipart")]
pub(crate) mod multipart;
#[cfg(feature = "multipart")]
mod reading;
#[cfg(feature = "multipart")]
pub(crate) mod spool;
#[cfg(feature = "multipart")]
pub(crate) mod store;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::body::Body;
use crate::engine::{Access, Engine};
use crate::error::BoxError;
use crate::hit::Via;
use crate::limits::Limits;
use crate::reply::Answer;

impl Engine {
    /// Like [`answer`](Self::answer), for a body that is still on its way: reads it within the server's limits, and
    /// refuses what is too large (413) or too slow (408). Nothing is read before the future is awaited; dropping it
    /// gives the body up.
    ///
    /// A refusal in HTTP/1 says `Connection: close`: the rest of the body was not read.
    pub fn receive<B>(&self, request: Request<B>, via: impl Into<Via>) -> Answer
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let (head, body) = request.into_parts();
        self.receive_parts(head, body, via.into())
    }

    /// [`receive`](Self::receive) for adapters that have the parts: moving them twice costs.
    pub(crate) fn receive_parts<B>(&self, head: Parts, body: B, via: Via) -> Answer
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        if body.is_end_stream() {
            return self.answer_parts(head, Bytes::new(), via);
        }
        let access = Access::of(&head);
        let answer = Answer::aside(receive(self.clone(), head, body, via));
        match access {
            None => answer,
            Some(access) => access.log(answer),
        }
    }
}

async fn receive<B>(engine: Engine, head: Parts, body: B, via: Via) -> Response<Body>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let version = head.version;
    if is_coded(&head.headers) {
        return Refusal::CODED.answer(&engine, version);
    }
    #[cfg(feature = "multipart")]
    if multipart::wants(&engine.0, &head, &via) {
        return multipart::receive(engine, head, body, via).await;
    }
    match whole(body, engine.limits()).await {
        Ok(body) => engine.serve(head, body, via).await,
        Err(refusal) => refusal.answer(&engine, version),
    }
}

/// Whether a body is compressed, or coded in another way than it says by its type. Nobody undoes that here.
pub(crate) fn is_coded(headers: &HeaderMap) -> bool {
    let fields = headers.get_all(header::CONTENT_ENCODING).iter();
    let mut codings = fields.flat_map(|field| field.as_bytes().split(|byte| *byte == b','));
    codings.any(|coding| {
        !matches!(coding.trim_ascii(), b"") && !coding.trim_ascii().eq_ignore_ascii_case(b"identity")
    })
}

/// The whole body, within its size and time.
async fn whole<B>(body: B, limits: &Limits) -> Result<Bytes, Refusal>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    if body.size_hint().lower() > limits.body as u64 {
        return Err(Refusal::LARGE);
    }
    match tokio::time::timeout(limits.body_time, Limited::new(body, limits.body).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::LARGE),
        Ok(Err(error)) if is_late(&*error) => Err(Refusal::SLOW),
        Ok(Err(_)) => Err(Refusal::BROKEN),
        Err(_) => Err(Refusal::SLOW),
    }
}

/// Whether the adapter gave a body up since it came too slowly.
fn is_late(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    let timed_out = |cause: &std::io::Error| cause.kind() == std::io::ErrorKind::TimedOut;
    causes.any(|cause| cause.downcast_ref().is_some_and(timed_out))
}

/// Why a body is not taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    status: StatusCode,
    message: &'static str,
}

impl Refusal {
    const LARGE: Refusal = Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "What was sent is too large.");
    const BROKEN: Refusal = Refusal::new(StatusCode::BAD_REQUEST, "The request's body could not be read.");
    pub(crate) const CODED: Refusal = Refusal::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "What was sent is compressed, and cannot be read here.",
    );
    const SLOW: Refusal = Refusal::new(StatusCode::REQUEST_TIMEOUT, "The request took too long.");

    const fn new(status: StatusCode, message: &'static str) -> Refusal {
        Refusal { status, message }
    }

    pub(crate) fn answer(&self, engine: &Engine, version: Version) -> Response<Body> {
        let mut response = engine.refusal(self.status, self.message);
        let headers = response.headers_mut();
        // From HTTP/2 on it is only the stream that ends.
        if version <= Version::HTTP_11 {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if *self == Refusal::CODED {
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}
