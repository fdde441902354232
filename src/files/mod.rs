//! Static files, once for all adapters, and the files that programs send. Start at [`Served::answer`].
//!
//! The parts are pure but for two: `open.rs` waits for the disk, `body.rs` reads on while the client takes.

pub(crate) mod body;
mod conditions;
#[cfg(all(any(test, continuity_fuzz), feature = "http", feature = "multipart"))]
pub(crate) mod fuzz;
pub(crate) mod kind;
pub(crate) mod offer;
pub(crate) mod open;
mod path;
mod range;

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};

use crate::accept::Accepted;
use crate::body::Body;
use crate::engine::Engine;
use crate::error::Error;
use crate::hit::Via;
use crate::log::Line;
use crate::reply::{Answer, Raw};
use crate::session::watch;
use offer::Offer;
use open::{Folder, Opened};
use path::Name;

/// Forms of a file that were made before, the smallest first: the name's end, and what it is called in a head.
const CODINGS: [(&str, &str); 3] = [(".br", "br"), (".zst", "zstd"), (".gz", "gzip")];
/// What is shown of a folder.
const INDEX: &str = "index.html";
/// What may be done with a file.
const ALLOW: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");

/// A folder whose files are served: [`Server::files`](crate::Server::files). A path is one, with all defaults.
///
/// ```
/// use continuity::prelude::*;
/// use continuity::Files;
/// # async fn hello(_: Request) -> Result<()> { Ok(()) }
///
/// let files = Files::of("public")
///     .only(|path| path.starts_with("/assets/") || path == "/favicon.ico")
///     .cache(|path| if path.starts_with("/assets/") { "public, max-age=31536000, immutable" } else { Files::REVALIDATE });
/// let server = Server::new(hello).files(files);
/// ```
#[must_use = "files are served by `Server::files`"]
pub struct Files {
    folder: PathBuf,
    is_file: Box<dyn Fn(&str) -> bool + Send + Sync>,
    is_shown: Box<dyn Fn(&str) -> bool + Send + Sync>,
    cache: Box<dyn Fn(&str) -> &'static str + Send + Sync>,
}

impl Files {
    /// The default for `Cache-Control`: everybody may keep it, and asks each time whether it has changed.
    pub const REVALIDATE: &str = "public, max-age=0, must-revalidate";

    /// The files of a folder.
    pub fn of(folder: impl AsRef<Path>) -> Files {
        Files {
            folder: folder.as_ref().to_owned(),
            is_file: Box::new(has_dot),
            is_shown: Box::new(|name| name == ".well-known"),
            cache: Box::new(|_| Files::REVALIDATE),
        }
    }

    /// Which paths are files and no session's, as they came (not decoded). Default: those whose last segment has a dot
    /// in it.
    ///
    /// A path that ends with a slash is then the folder's `index.html`, and one of such a folder without its slash is
    /// redirected.
    pub fn only(mut self, is_file: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.is_file = Box::new(move |path| {
            let _watched = watch::outside();
            is_file(path)
        });
        self
    }

    /// Which names that begin with a dot, of files and folders, are served all the same. Default: `.well-known`.
    pub fn show(mut self, is_shown: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.is_shown = Box::new(is_shown);
        self
    }

    /// `Cache-Control` by path. Default: [`REVALIDATE`](Self::REVALIDATE) for all.
    pub fn cache(mut self, cache: impl Fn(&str) -> &'static str + Send + Sync + 'static) -> Self {
        self.cache = Box::new(cache);
        self
    }

    /// Finds the folder: from here on it is this one, wherever links lead later.
    pub(crate) fn serve(self) -> Result<Arc<Served>, Error> {
        let folder = Folder::open(&self.folder);
        let folder = folder.map_err(|error| Error::caused(format!("files of {:?}", self.folder), error))?;
        Ok(Arc::new(Served { folder, rules: self }))
    }
}

impl<P: AsRef<Path>> From<P> for Files {
    fn from(folder: P) -> Self {
        Files::of(folder)
    }
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Files").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// A folder that is served.
pub(crate) struct Served {
    folder: Folder,
    rules: Files,
}

impl Served {
    /// Whether this path is a file's and no session's.
    pub(crate) fn wants(&self, path: &str) -> bool {
        (self.rules.is_file)(path)
    }

    /// Answers with the file, or with a page that says there is none. Other methods are the sessions' where there is no
    /// such file.
    #[inline(never)]
    pub(crate) fn answer(self: &Arc<Self>, head: Parts, body: Bytes, via: Via, engine: Engine) -> Answer {
        let files = self.clone();
        let get = matches!(head.method, Method::GET | Method::HEAD);
        Answer::aside(async move {
            let look = move || {
                let found = if get { files.find(&head, &via) } else { files.refuse(&head, &via) };
                (found, head)
            };
            match tokio::task::spawn_blocking(look).await {
                Ok((Ok(raw), _)) => raw.into_response(),
                Ok((Err(error), _)) if get && open::is_missing(&error) => {
                    engine.refusal(StatusCode::NOT_FOUND, "There is no such file.")
                }
                Ok((Err(_), head)) if !get => engine.bring(head, body, via).await,
                Ok((Err(error), head)) => unreadable(&engine, head.uri.path(), &error),
                Err(error) => unreadable(&engine, "", &error),
            }
        })
    }

    /// The answer to GET and HEAD.
    fn find(&self, head: &Parts, via: &Via) -> io::Result<Raw> {
        let url = via.local(head.uri.path());
        let name = self.name(url)?;
        let path = path_of(&name);
        let file = match self.folder.file(&path) {
            Err(error) if error.kind() == ErrorKind::IsADirectory => {
                return self.to_folder(&name, &path, head, via);
            }
            file => file?,
        };
        let there = self.forms(&path);
        let (file, coding) = self.choose(file, &path, &there, &head.headers);
        let mut raw = Offer { file, kind: kind::of(&path) }.answer(&head.method, &head.headers)?;
        if let Some(coding) = coding
            && raw.status.is_some_and(|status| status.is_success())
        {
            raw.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        if !there.is_empty() {
            raw.headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        }
        raw.headers.entry(header::CACHE_CONTROL).or_insert_with(|| self.cache(url));
        Ok(raw)
    }

    /// The answer to other methods, if there is such a file.
    fn refuse(&self, head: &Parts, via: &Via) -> io::Result<Raw> {
        if !self.folder.has(&path_of(&self.name(via.local(head.uri.path()))?)) {
            return Err(ErrorKind::NotFound.into());
        }
        let options = head.method == Method::OPTIONS;
        let status = if options { StatusCode::NO_CONTENT } else { StatusCode::METHOD_NOT_ALLOWED };
        Ok(Raw {
            status: Some(status),
            headers: HeaderMap::from_iter([(header::ALLOW, ALLOW)]),
            body: Bytes::new().into(),
        })
    }

    /// A folder that has an index is shown where its links work: behind a slash.
    fn to_folder(&self, name: &Name, path: &Path, head: &Parts, via: &Via) -> io::Result<Raw> {
        if name.folder || !self.folder.has(&path.join(INDEX)) {
            return Err(ErrorKind::NotFound.into());
        }
        let query = head.uri.query().map(|query| ["?", query].concat()).unwrap_or_default();
        let (prefix, url) = head.uri.path().split_at(via.prefix(head.uri.path()));
        let to = [prefix, &name.as_folder_url(), &query].concat();
        let to = HeaderValue::try_from(to).map_err(|_| ErrorKind::NotFound)?;
        let headers = [(header::LOCATION, to), (header::CACHE_CONTROL, self.cache(url))];
        Ok(Raw {
            status: Some(StatusCode::PERMANENT_REDIRECT),
            headers: HeaderMap::from_iter(headers),
            body: Bytes::new().into(),
        })
    }

    /// The forms of a file that lie beside it.
    fn forms(&self, path: &Path) -> Vec<&'static str> {
        let there = CODINGS.iter().filter(|(end, _)| self.folder.has(&beside(path, end)));
        there.map(|(_, coding)| *coding).collect()
    }

    /// The form that the client wants most.
    fn choose(
        &self,
        file: Opened,
        path: &Path,
        there: &[&'static str],
        headers: &HeaderMap,
    ) -> (Opened, Option<&'static str>) {
        let best = Accepted::of(headers).best(there.iter().copied());
        let end = CODINGS.iter().find(|(_, coding)| Some(*coding) == best);
        // One that is gone meanwhile is as none.
        match end.map(|(end, coding)| (self.folder.file(&beside(path, end)), *coding)) {
            Some((Ok(form), coding)) => (form, Some(coding)),
            _ => (file, None),
        }
    }

    fn name(&self, url: &str) -> io::Result<Name> {
        Name::of(url, &*self.rules.is_shown).ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn cache(&self, url: &str) -> HeaderValue {
        HeaderValue::try_from((self.rules.cache)(url)).unwrap_or_else(|_| {
            tracing::error!("what `Files::cache` returned cannot stand in a head");
            HeaderValue::from_static(Files::REVALIDATE)
        })
    }
}

impl Raw {
    fn into_response(self) -> Response<Body> {
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status.unwrap_or_default();
        *response.headers_mut() = self.headers;
        response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }
}

fn unreadable(engine: &Engine, path: &str, error: &dyn std::error::Error) -> Response<Body> {
    if engine.0.gate.open() {
        tracing::error!(path = %Line(path), error = %Line(error), "a file could not be read");
    }
    engine.refusal(StatusCode::INTERNAL_SERVER_ERROR, "The file could not be read.")
}

/// Where the file of this name lies: a folder's is its index.
fn path_of(name: &Name) -> PathBuf {
    let path = name.relative();
    if name.folder { path.join(INDEX) } else { path }
}

/// The same path with something behind it.
fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(end);
    name.into()
}

/// Whether the last segment has a dot in it.
fn has_dot(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|last| last.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_dot_is_a_file() {
        assert!(has_dot("/style.css") && has_dot("/a/b.png"));
        assert!(!has_dot("/") && !has_dot("/v1.2/page"));
    }
}
