//! Static files, by tower-http, and the path guard, once for all adapters.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use tower_http::services::ServeDir;

use crate::body::Body;
use crate::engine::{Core, Engine};
use crate::reply::Answer;

/// Types that are text and do not say so.
const TEXTS: [&str; 4] = ["application/javascript", "application/json", "application/xml", "image/svg+xml"];

/// A folder whose files are served.
pub(crate) struct Files {
    folder: ServeDir,
    is_file: Box<dyn Fn(&str) -> bool + Send + Sync>,
}

impl Files {
    pub(crate) fn new(folder: &Path) -> Self {
        Files {
            folder: ServeDir::new(folder).append_index_html_on_directories(false),
            is_file: Box::new(has_dot),
        }
    }

    pub(crate) fn only(mut self, is_file: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.is_file = Box::new(is_file);
        self
    }

    pub(crate) fn wants(&self, head: &Parts) -> bool {
        matches!(head.method, Method::GET | Method::HEAD) && (self.is_file)(head.uri.path())
    }
}

/// Answers with the file, or with a page that says there is none.
pub(crate) fn answer(request: Request<Bytes>, core: Arc<Core>) -> Answer {
    Answer::aside(async move {
        let engine = Engine(core);
        let missing = || engine.refusal(StatusCode::NOT_FOUND, "There is no such file.");
        let Some(files) = engine.0.files.as_ref().filter(|_| !is_hidden(request.uri().path())) else {
            return missing();
        };
        match files.folder.clone().try_call(request.map(http_body_util::Full::new)).await {
            Ok(response) if response.status() == StatusCode::NOT_FOUND => missing(),
            Ok(response) => {
                let mut response = response.map(Body::from);
                complete(response.headers_mut());
                response
            }
            Err(error) if is_missing(&error) => missing(),
            Err(error) => {
                tracing::error!(%error, "a file could not be read");
                engine.refusal(StatusCode::INTERNAL_SERVER_ERROR, "The file could not be read.")
            }
        }
    })
}

/// Whether the last segment has a dot in it.
fn has_dot(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|last| last.contains('.'))
}

/// Whether any segment begins with a dot, however it is encoded: `..`, `.git`, `.env`.
fn is_hidden(path: &str) -> bool {
    let path: Vec<u8> = percent_encoding::percent_decode_str(path).collect();
    let mut segments = path.split(|byte| matches!(byte, b'/' | b'\\'));
    segments.any(|segment| segment.starts_with(b".") && segment != b".well-known")
}

/// Errors that say there is no such file, or none for anybody.
fn is_missing(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{InvalidFilename, InvalidInput, NotADirectory, NotFound, PermissionDenied};
    matches!(error.kind(), NotFound | NotADirectory | PermissionDenied | InvalidFilename | InvalidInput)
}

/// Fills in what browsers need to take a file for what it is.
fn complete(headers: &mut HeaderMap) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let text = kind.starts_with("text/") || TEXTS.contains(&kind);
    if text && let Ok(with_charset) = HeaderValue::try_from(format!("{kind}; charset=utf-8")) {
        headers.insert(header::CONTENT_TYPE, with_charset);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_dot_is_a_file_and_what_begins_with_one_is_hidden() {
        assert!(has_dot("/style.css") && has_dot("/a/b.png"));
        assert!(!has_dot("/") && !has_dot("/v1.2/page"));
        for path in [
            "/.git/config",
            "/../x.txt",
            "/%2e%2e/x.txt",
            "/a/%2Eenv.x",
            "/.env",
            "/a%2f.env",
            "/a%5c..%5cb.x",
        ] {
            assert!(is_hidden(path), "{path}");
        }
        assert!(!is_hidden("/.well-known/security.txt") && !is_hidden("/a.b/c.d"));
    }
}
