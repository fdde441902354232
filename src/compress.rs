//! Pages get smaller on their way out, for clients that ask: brotli, zstd or gzip, whole, after the session has answered.
//!
//! What is streamed, short, no text, sensitive, encoded already or not to be transformed is left as it is. Files are left
//! to the proxy in front.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use tokio::runtime::Handle;

use crate::accept::Accepted;
use crate::body::Body;
use crate::reply::Answer;

/// Shorter pages fit into one packet as they are.
const SMALL: usize = 1024;
/// Longer ones take more than half a millisecond: not on a thread that serves others.
const LARGE: usize = 64 * 1024;
/// What costs about as much as making the page: brotli at 4 with 256 KiB of memory, gzip at 5.
const BROTLI: (i32, i32) = (4, 18);
const GZIP: u32 = 5;
const ZSTD: i32 = 3;
/// Types that are text and do not say so.
const TEXTS: [&str; 4] = ["application/javascript", "application/json", "application/xml", "image/svg+xml"];

/// Said of a response whose length would tell what is in it.
#[derive(Debug, Clone)]
pub(crate) struct Secret;

/// A way to make a page smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Brotli,
    Zstd,
    Gzip,
}

/// What the client likes best of what we can, by `Accept-Encoding`; `None` if that is the page as it is.
pub(crate) fn wanted(headers: &HeaderMap) -> Option<Coding> {
    // Of those that are liked alike, the one that makes pages smallest.
    let codings = [Coding::Brotli, Coding::Zstd, Coding::Gzip];
    let best = Accepted::of(headers).best(codings.iter().map(|coding| coding.name()))?;
    codings.into_iter().find(|coding| coding.name() == best)
}

/// Compresses what is answered, if it can be.
pub(crate) fn on_its_way(mut answer: Answer, wanted: Option<Coding>, runtime: &Handle) -> Answer {
    let runtime = runtime.clone();
    match answer.at_once() {
        Some(mut response) => match prepare(&mut response, wanted) {
            None => Answer::now(response),
            Some((page, coding)) if page.len() <= LARGE => {
                let packed = coding.pack(&page);
                Answer::now(replace(response, packed, coding))
            }
            Some((page, coding)) => Answer::aside(pack_elsewhere(response, page, coding, runtime)),
        },
        None => Answer::aside(async move {
            let mut response = answer.await;
            match prepare(&mut response, wanted) {
                None => response,
                Some((page, coding)) => pack_elsewhere(response, page, coding, runtime).await,
            }
        }),
    }
}

async fn pack_elsewhere(
    response: Response<Body>,
    page: Bytes,
    coding: Coding,
    runtime: Handle,
) -> Response<Body> {
    let packed = if page.len() <= LARGE {
        coding.pack(&page)
    } else {
        // A runtime that stops takes no more work: the page goes as it is.
        runtime.spawn_blocking(move || coding.pack(&page)).await.unwrap_or_default()
    };
    replace(response, packed, coding)
}

/// Says that the response varies, if it does. Returns its page if it is to be made smaller.
fn prepare(response: &mut Response<Body>, wanted: Option<Coding>) -> Option<(Bytes, Coding)> {
    let page = response.body().whole().filter(|page| page.len() >= SMALL)?;
    let secret = response.extensions().get::<Secret>().is_some();
    if secret || !may_be_packed(response.status(), response.headers()) {
        return None;
    }
    let headers = response.headers_mut();
    if !has_word(headers, header::VARY, &["accept-encoding", "*"]) {
        headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    }
    Some((page, wanted?))
}

fn may_be_packed(status: StatusCode, headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    is_text(kind)
        && status != StatusCode::PARTIAL_CONTENT
        && !headers.contains_key(header::CONTENT_ENCODING)
        && !headers.contains_key(header::CONTENT_RANGE)
        && !has_word(headers, header::CACHE_CONTROL, &["no-transform"])
}

fn is_text(kind: &str) -> bool {
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.starts_with("text/")
        || TEXTS.contains(&&*essence)
        || essence.ends_with("+json")
        || essence.ends_with("+xml")
}

/// Whether one of these words is in the lists of this name.
fn has_word(headers: &HeaderMap, name: header::HeaderName, words: &[&str]) -> bool {
    let lists = headers.get_all(name).into_iter().filter_map(|list| list.to_str().ok());
    let mut said = lists.flat_map(|list| list.split(',')).map(str::trim);
    said.any(|said| words.iter().any(|word| said.eq_ignore_ascii_case(word)))
}

/// Puts the packed page in place, if there is one. Its bytes are others, so a tag can be but a weak one.
fn replace(mut response: Response<Body>, packed: Option<Bytes>, coding: Coding) -> Response<Body> {
    let Some(packed) = packed else { return response };
    *response.body_mut() = Body::from(packed);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
    if let Some(tag) = headers.get(header::ETAG).filter(|tag| tag.as_bytes().starts_with(b"\""))
        && let Ok(weak) = HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat())
    {
        headers.insert(header::ETAG, weak);
    }
    response
}

impl Coding {
    fn name(self) -> &'static str {
        match self {
            Coding::Brotli => "br",
            Coding::Zstd => "zstd",
            Coding::Gzip => "gzip",
        }
    }

    /// The page, smaller; `None` if it does not get smaller.
    fn pack(self, page: &[u8]) -> Option<Bytes> {
        let mut packed = Vec::with_capacity(page.len() / 4);
        match self {
            Coding::Brotli => {
                let (quality, lgwin) = BROTLI;
                let how = brotli::enc::BrotliEncoderParams {
                    quality,
                    lgwin,
                    size_hint: page.len(),
                    ..Default::default()
                };
                brotli::BrotliCompress(&mut &*page, &mut packed, &how).ok()?;
            }
            Coding::Zstd => packed = zstd::bulk::compress(page, ZSTD).ok()?,
            Coding::Gzip => {
                let mut encoder = GzEncoder::new(&mut packed, Compression::new(GZIP));
                encoder.write_all(page).and_then(|()| encoder.try_finish()).ok()?;
                drop(encoder);
            }
        }
        (packed.len() < page.len()).then(|| packed.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(fields: &[&'static str]) -> Option<Coding> {
        let field = |value: &&'static str| (header::ACCEPT_ENCODING, HeaderValue::from_static(value));
        wanted(&fields.iter().map(field).collect())
    }

    #[test]
    fn the_coding_is_what_the_client_likes_best() {
        use Coding::{Brotli, Gzip, Zstd};
        assert_eq!(asked(&[]), None);
        assert_eq!(asked(&["gzip", "br"]), Some(Brotli), "fields of one name are one list");
        for (said, coding) in [
            ("", None),
            ("gzip, deflate, br, zstd", Some(Brotli)),
            ("gzip, deflate", Some(Gzip)),
            ("X-GZIP", Some(Gzip)),
            ("deflate, zstd", Some(Zstd)),
            ("zstd, gzip", Some(Zstd)),
            ("zstd;q=0.5, gzip", Some(Gzip)),
            ("*", Some(Brotli)),
            ("*;q=0", None),
            ("br;q=0, *", Some(Zstd)),
            ("gzip;q=1.0, br;q=0.9", Some(Gzip)),
            ("br; q=0.001", Some(Brotli)),
            ("br;q=0.000,gzip;q=0", None),
            ("identity", None),
            ("identity;q=0", None),
            ("identity;q=0, gzip;q=0.1", Some(Gzip)),
            ("identity, gzip;q=0.5", None),
            ("identity;q=0.5, gzip", Some(Gzip)),
            ("gzip;q=2", None),
            ("gzip;q=0.1234", None),
            ("gzip;q=x, br;level=3", None),
            ("gzip;Q=0.5", Some(Gzip)),
            (";;,=,q=1", None),
        ] {
            assert_eq!(asked(&[said]), coding, "{said}");
        }
    }

    #[test]
    fn text_is_packed_and_what_is_packed_already_is_not() {
        for text in [
            "text/html; charset=utf-8",
            "TEXT/CSS",
            "application/json",
            "image/svg+xml",
            "application/x+json",
        ] {
            assert!(is_text(text), "{text}");
        }
        for other in ["", "image/png", "application/octet-stream", "application/zip", "textual/html"] {
            assert!(!is_text(other), "{other}");
        }
        let noise: Vec<u8> =
            (0..4096_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        for coding in [Coding::Brotli, Coding::Zstd, Coding::Gzip] {
            assert_eq!(coding.pack(&noise[..64]), None, "{coding:?}");
        }
    }
}
