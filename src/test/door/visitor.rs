//! A visitor behind a door: a client, the cookies that it was given, the page that it has.

use bytes::Bytes;
use http::request::Builder;
use http::{HeaderMap, Request, StatusCode, header};

use super::client::{Client, Reading};
use crate::document::url;
use crate::error::BoxError;
use crate::test::cookies::{Asker, Jar};
use crate::test::place::Place;

/// Where all visitors of a door go.
pub(super) const HOST: &str = "door.test";

/// Somebody with a client of their own.
pub(super) struct Visitor {
    client: Box<dyn Client>,
    jar: Jar,
}

/// A response with its page.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    url: String,
}

/// A response whose page is still to come.
pub(super) struct Coming {
    pub(super) status: StatusCode,
    headers: HeaderMap,
    pub(super) body: Reading,
    url: String,
}

impl Visitor {
    pub(super) fn new(client: Box<dyn Client>) -> Visitor {
        Visitor { client, jar: Jar::default() }
    }

    /// The same visitor with another client, as in another tab.
    pub(super) fn on(&self, client: Box<dyn Client>) -> Visitor {
        Visitor { client, jar: self.jar.clone() }
    }

    pub(super) async fn get(&mut self, url: &str) -> Result<Page, BoxError> {
        self.send(Request::get(url), Bytes::new()).await
    }

    /// The page behind the link with this text.
    pub(super) async fn follow(&mut self, page: &Page, text: &str) -> Result<Page, BoxError> {
        let link = self.link(page, text)?;
        self.get(&link).await
    }

    /// Where the link with this text leads.
    pub(super) fn link(&self, page: &Page, text: &str) -> Result<String, BoxError> {
        let links = self.client.links(&page.text());
        let found = links.iter().find(|(label, _)| label == text);
        let (_, href) = found.ok_or_else(|| format!("no link {text:?} on {page:?}"))?;
        url::resolve(HOST, &page.url, href).ok_or_else(|| format!("{href} leads away").into())
    }

    /// Sends a form.
    pub(super) async fn post(&mut self, url: &str, form: &str) -> Result<Page, BoxError> {
        let request = Request::post(url).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request, Bytes::from(form.to_owned())).await
    }

    /// The whole response.
    pub(super) async fn send(&mut self, request: Builder, body: Bytes) -> Result<Page, BoxError> {
        self.begin(request, body).await?.page().await
    }

    /// The response with its head.
    pub(super) async fn begin(&mut self, request: Builder, body: Bytes) -> Result<Coming, BoxError> {
        let mut request = request.header(header::HOST, HOST).body(body)?;
        let url = request.uri().to_string();
        if let Some(cookies) = self.jar.field(&Place::default(), &url, Asker::OwnPage) {
            request.headers_mut().insert(header::COOKIE, cookies.parse()?);
        }
        let (head, body) = self.client.ask(request).await?.into_parts();
        for field in head.headers.get_all(header::SET_COOKIE) {
            self.jar.keep(field, &Place::default(), &url);
        }
        Ok(Coming { status: head.status, headers: head.headers, body, url })
    }
}

impl Coming {
    /// All of it.
    pub(super) async fn page(mut self) -> Result<Page, BoxError> {
        let body = self.body.rest().await?;
        Ok(Page { status: self.status, headers: self.headers, body, url: self.url })
    }
}

impl Page {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(super) fn shows(&self, text: &str) -> Result<&Self, BoxError> {
        if self.text().contains(text) { Ok(self) } else { Err(format!("no {text:?} on {self:?}").into()) }
    }

    pub(super) fn is(&self, status: u16) -> Result<&Self, BoxError> {
        if self.status == status {
            Ok(self)
        } else {
            Err(format!("{} and not {status}: {self:?}", self.status).into())
        }
    }

    /// The field of this name, as text; empty if there is none.
    pub(super) fn field(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}
