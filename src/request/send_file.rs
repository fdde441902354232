//! `send_file`: a file of the program's choice as the response, and the name it is saved under.

use std::io;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use http::header::{self, HeaderValue};
use http::{HeaderMap, Method, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::Request;
use crate::error::Error;
use crate::files::kind;
use crate::files::offer::Offer;
use crate::files::open::Opened;
use crate::reply::Raw;

/// What may stand in an extended value as it is (RFC 8187, `attr-char`).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

impl Request {
    /// Makes a file the response: await it. It is read while it is sent, and can be larger than memory.
    ///
    /// The program names the file, so it can be any: never make a path of what visitors send. The response is completed
    /// as any other, and its other header fields and cookies are yours; what is printed is not sent with it. Conditions and ranges of the hit in hand are
    /// honoured, so that a download that broke off goes on. The type is that of the file's name, unless
    /// [`content_type`](Self::content_type) was called before. With a status other than 200 set before, all of the file
    /// is sent with that.
    ///
    /// Fails if it is no regular file or cannot be read, between hits, and when the response has begun. What visitors
    /// then see does not name the file; the log does.
    ///
    /// ```
    /// use continuity::prelude::*;
    ///
    /// async fn report(mut req: Request) -> Result<()> {
    ///     req.send_file("Cargo.toml").as_download("Bericht für März.toml").await?;
    ///     Ok(())
    /// }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # #[cfg(feature = "test")] {
    /// # use continuity::test::Browser;
    /// # let mut browser = Browser::new(report);
    /// # assert!(browser.get("/").await.html().contains("[package]"));
    /// # } }
    /// ```
    #[track_caller]
    pub fn send_file(&mut self, path: impl AsRef<Path>) -> SendFile<'_> {
        self.stand_at(Location::caller());
        SendFile { req: self, path: path.as_ref().to_owned(), download: None }
    }
}

/// A file on its way into the response: await it.
#[must_use = "a file is sent when this is awaited"]
pub struct SendFile<'r> {
    req: &'r mut Request,
    path: PathBuf,
    download: Option<String>,
}

/// What a file's answer depends on, of the hit in hand.
struct Asked {
    method: Method,
    headers: HeaderMap,
    status: StatusCode,
    kind: Option<HeaderValue>,
}

impl SendFile<'_> {
    /// Browsers save it under this name and do not show it. A name with a slash, a backslash or a control character is
    /// an error.
    pub fn as_download(mut self, name: impl Into<String>) -> Self {
        self.download = Some(name.into());
        self
    }

    async fn send(self) -> Result<(), Error> {
        let SendFile { req, path, download } = self;
        req.before_head("send_file")?;
        let disposition = download.map(|name| attachment(&name)).transpose()?;
        let asked = req.asked();
        let file = path.clone();
        let read = tokio::task::spawn_blocking(move || read(&file, asked)).await;
        let read = read.unwrap_or_else(|error| Err(io::Error::other(error)));
        let mut raw = read.map_err(|error| Error::caused(format!("send_file {path:?}"), error))?;
        if let Some(disposition) = disposition {
            raw.headers.insert(header::CONTENT_DISPOSITION, disposition);
        }
        req.reply(|hit| {
            let rare = hit.reply.rare();
            rare.content_type = None;
            rare.raw = Some(Box::new(raw));
        });
        Ok(())
    }
}

impl<'r> IntoFuture for SendFile<'r> {
    type Output = Result<(), Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'r>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl std::fmt::Debug for SendFile<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SendFile").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Request {
    fn asked(&mut self) -> Asked {
        let (status, kind) = self.session.talk(|talk| {
            let reply = talk.current.as_ref().map(|hit| &hit.reply);
            reply.map_or_else(Default::default, |reply| (reply.status, reply.content_type().cloned()))
        });
        Asked { method: self.method(), headers: self.headers(), status, kind }
    }
}

fn read(path: &Path, asked: Asked) -> io::Result<Raw> {
    let kind = asked.kind.unwrap_or_else(|| kind::of(path));
    let offer = Offer { file: Opened::at(path)?, kind };
    match asked.status {
        StatusCode::OK => offer.answer(&asked.method, &asked.headers),
        status => offer.whole(&asked.method, status),
    }
}

/// `Content-Disposition` for a name (RFC 6266): in ASCII for old programs, and whole where that is not all of it.
fn attachment(name: &str) -> Result<HeaderValue, Error> {
    if name.is_empty() || name.contains(|c: char| c.is_control() || matches!(c, '/' | '\\')) {
        return Err(Error::new(format!("as_download: {name:?} is not a file's name")));
    }
    // Quotes and percent signs are read in different ways by different programs.
    let plain = |c: char| (c.is_ascii_graphic() || c == ' ') && !matches!(c, '"' | '%');
    let ascii: String = name.chars().map(|c| if plain(c) { c } else { '_' }).collect();
    let mut field = format!("attachment; filename=\"{ascii}\"");
    if ascii != name {
        field.push_str("; filename*=UTF-8''");
        field.extend(utf8_percent_encode(name, ENCODED));
    }
    HeaderValue::try_from(field).map_err(|error| Error::caused("as_download", error))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_told_in_ascii_and_whole() {
        for (name, field) in [
            ("report.pdf", "attachment; filename=\"report.pdf\""),
            ("my report; v=2.pdf", "attachment; filename=\"my report; v=2.pdf\""),
            ("März.pdf", "attachment; filename=\"M_rz.pdf\"; filename*=UTF-8''M%C3%A4rz.pdf"),
            ("a\"b.pdf", "attachment; filename=\"a_b.pdf\"; filename*=UTF-8''a%22b.pdf"),
            ("100%.pdf", "attachment; filename=\"100_.pdf\"; filename*=UTF-8''100%25.pdf"),
            (
                "€ (1)'.txt",
                "attachment; filename=\"_ (1)'.txt\"; filename*=UTF-8''%E2%82%AC%20%281%29%27.txt",
            ),
        ] {
            assert_eq!(attachment(name).expect(name), field);
        }
        for wrong in ["", "a\r\nSet-Cookie: x=y", "a\0b", "a\nb", "../etc/passwd", "a\\b", "\u{85}", "\x7f"] {
            assert!(attachment(wrong).is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_the_name_it_cannot_leave_its_quotes(name in "\\PC{0,20}|[ -~]{0,20}") {
            if let Ok(field) = attachment(&name) {
                let field = field.to_str().expect("ASCII");
                let inside = field.strip_prefix("attachment; filename=\"").expect("it begins so");
                let (_, after) = inside.split_once('"').expect("it ends");
                prop_assert!(after.is_empty() || after.starts_with("; filename*=UTF-8''"), "{field}");
                prop_assert!(!after.contains('"'));
            }
        }
    }
}
