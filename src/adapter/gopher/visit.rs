//! A visit: the adapter asks as a browser would, with the visitor's id as their cookie, and goes where redirects lead.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};

use super::menu::Place;
use super::selector::Selector;
use crate::body::Body;
use crate::document::url::resolve;
use crate::engine::Engine;

/// Redirects followed in a row.
const REDIRECTS: usize = 5;
/// What programs see as the browser's name.
const AGENT: HeaderValue = HeaderValue::from_static("gopher");
const ACCEPT: HeaderValue = HeaderValue::from_static("text/html, text/plain;q=0.9, */*;q=0.1");
const URLENCODED: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

/// Where a visit ended.
#[derive(Debug)]
pub(super) enum Visited {
    /// What was asked in the end, with the visitor's id by now, and the response.
    Here(Selector, Box<Response<Body>>),
    /// At another host.
    Away(String),
}

/// Who asks, and under which name of this server.
#[derive(Debug)]
pub(super) struct Asker<'a> {
    pub(super) engine: &'a Engine,
    pub(super) peer: Option<SocketAddr>,
    pub(super) place: &'a Place,
}

impl Asker<'_> {
    pub(super) async fn visit(&self, mut selector: Selector) -> Visited {
        for _ in 0..=REDIRECTS {
            let Some(request) = self.request(&selector) else {
                return self.refuse(selector, StatusCode::BAD_REQUEST, "There is no such path.");
            };
            let response = self.engine.answer(request, self.peer).await;
            if let Some(id) = self.told(response.headers()) {
                selector.visitor = Some(id.to_owned());
            }
            match self.redirected(&selector, &response) {
                None => return Visited::Here(selector, Box::new(response)),
                Some(Ok(next)) => selector = next,
                Some(Err(away)) => return Visited::Away(away),
            }
        }
        self.refuse(selector, StatusCode::LOOP_DETECTED, "This page leads round in circles.")
    }

    fn refuse(&self, selector: Selector, status: StatusCode, message: &str) -> Visited {
        Visited::Here(selector, Box::new(self.engine.refusal(status, message)))
    }

    fn request(&self, selector: &Selector) -> Option<Request<Bytes>> {
        let mut request = Request::new(Bytes::from(selector.form.clone().unwrap_or_default()));
        *request.uri_mut() = Uri::from(selector.url.parse::<http::uri::PathAndQuery>().ok()?);
        let headers = request.headers_mut();
        headers.insert(header::HOST, HeaderValue::try_from(self.place.authority()).ok()?);
        headers.insert(header::USER_AGENT, AGENT);
        headers.insert(header::ACCEPT, ACCEPT);
        if let Some(id) = &selector.visitor {
            let cookie = [self.cookie(), "=", id].concat();
            headers.insert(header::COOKIE, HeaderValue::try_from(cookie).ok()?);
        }
        if selector.form.is_some() {
            headers.insert(header::CONTENT_TYPE, URLENCODED);
            *request.method_mut() = Method::POST;
        }
        Some(request)
    }

    /// The name of the cookie that ids are in.
    fn cookie(&self) -> &str {
        self.engine.0.cookie.name(false)
    }

    /// The id that a response tells the visitor.
    fn told<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        headers.get_all(header::SET_COOKIE).iter().find_map(|field| {
            let value = field.to_str().ok()?.strip_prefix(self.cookie())?.strip_prefix('=')?;
            value.split(';').next()
        })
    }

    /// Where a response sends on to, if it does: what to ask next, or another host.
    fn redirected(&self, asked: &Selector, response: &Response<Body>) -> Option<Result<Selector, String>> {
        let again = matches!(response.status().as_u16(), 307 | 308);
        if !again && !matches!(response.status().as_u16(), 301..=303) {
            return None;
        }
        let location = response.headers().get(header::LOCATION)?.to_str().ok()?;
        Some(match resolve(&self.place.authority(), &asked.url, location) {
            Some(url) => {
                let form = asked.form.clone().filter(|_| again);
                Ok(Selector { url, form, kind: None, visitor: asked.visitor.clone() })
            }
            None => Err(location.to_owned()),
        })
    }
}
