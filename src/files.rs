//! Static files, by tower-http, and the path guard, once for all adapters.

use std::path::Path;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use tower_http::services::ServeDir;

use crate::engine::{Core, Engine};
use crate::reply::Body;

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

    pub(crate) fn wants(&self, request: &Request<Bytes>) -> bool {
        matches!(*request.method(), Method::GET | Method::HEAD) && (self.is_file)(request.uri().path())
    }

    pub(crate) async fn answer(
        &self,
        request: Request<Bytes>,
        core: &std::sync::Arc<Core>,
    ) -> Response<Body> {
        let missing = || Engine(core.clone()).refusal(StatusCode::NOT_FOUND, "There is no such file.");
        if is_hidden(request.uri().path()) {
            return missing();
        }
        let request = request.map(http_body_util::Full::new);
        match self.folder.clone().try_call(request).await {
            Ok(response) if response.status() == StatusCode::NOT_FOUND => missing(),
            Ok(response) => {
                let mut response = response.map(Body::from);
                let nosniff = http::HeaderValue::from_static("nosniff");
                response.headers_mut().insert(http::header::X_CONTENT_TYPE_OPTIONS, nosniff);
                response
            }
            Err(error) => {
                tracing::error!(%error, "a file could not be read");
                Engine(core.clone()).refusal(StatusCode::INTERNAL_SERVER_ERROR, "The file could not be read.")
            }
        }
    }
}

/// Whether the last segment has a dot in it.
fn has_dot(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|last| last.contains('.'))
}

/// Whether any segment begins with a dot, encoded or not: `..`, `.git`, `.env`.
fn is_hidden(path: &str) -> bool {
    path.split('/').any(|segment| {
        let start = segment.get(..3).unwrap_or(segment);
        (start.starts_with('.') || start.eq_ignore_ascii_case("%2e")) && segment != ".well-known"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_dot_is_a_file_and_what_begins_with_one_is_hidden() {
        assert!(has_dot("/style.css") && has_dot("/a/b.png"));
        assert!(!has_dot("/") && !has_dot("/v1.2/page"));
        for path in ["/.git/config", "/../x.txt", "/%2e%2e/x.txt", "/a/%2Eenv.x", "/.env"] {
            assert!(is_hidden(path), "{path}");
        }
        assert!(!is_hidden("/.well-known/security.txt") && !is_hidden("/a.b/c.d"));
    }
}
