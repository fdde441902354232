//! The response: printed piece by piece, shown as a whole, sent as it is made.

use bytes::Bytes;
use http::StatusCode;
use http::header::{self, HeaderName, HeaderValue};
use maud::Render;

use super::{Request, parts, printed};
use crate::error::Error;
use crate::hit::Hit;
use crate::journal::inside::Inside;
use crate::session::Session;

impl Request {
    /// Adds to the response. Text is escaped, markup is not. Between two hits it is kept for the next response.
    pub fn print(&mut self, content: impl Render) -> &mut Self {
        self.add(content.render().into_string());
        self
    }

    /// Makes this the page, in place of what was printed so far.
    pub fn show(&mut self, content: impl Render) -> &mut Self {
        let text = content.render().into_string();
        if let Some(scope) = parts::here() {
            scope.unprint();
        } else {
            let mut state = self.session.queue.lock();
            if let Some(tape) = state.peek_extra().and_then(|extra| extra.tape.as_mut()) {
                tape.unprint();
            }
            match &mut state.talk.current {
                Some(hit) => hit.reply.out.clear(),
                None => state.extra().between.clear(),
            }
        }
        self.add(text);
        self
    }

    fn add(&mut self, text: String) {
        match parts::here() {
            None => add(&self.session, text),
            Some(scope) => {
                self.session.tape(|tape| tape.print(&text));
                scope.print(&text, self.session.core.limits.page);
            }
        }
    }

    /// Sends what was printed so far; waits while the client is slow to take it. The response stays open.
    ///
    /// A client that went away is not an error: the session goes on.
    pub async fn flush(&mut self) -> Result<(), Error> {
        parts::outside("flush", "it is shown with the page that it is on, when all parts wait")?;
        if self.session.core.journal.is_some() && !self.session.may_flush().await {
            // It was sent then. The page of the last step is whole, for who asks for it again.
            if self.session.tape(|tape| tape.is_hushed()) == Some(true) {
                self.reply(|hit| hit.reply.out.clear());
            }
            return Ok(());
        }
        let frames = &self.session.core.frames;
        // A layout is the program's code: it does not run under the session's lock.
        let Some(mut hit) = self.session.talk(|talk| talk.current.take()) else { return Ok(()) };
        printed::seal_forms(&self.session, &mut hit, true);
        let (chunks, chunk) = hit.flush(frames);
        self.session.talk(|talk| talk.current = Some(hit));
        if !chunk.is_empty() {
            drop(Inside::new(self.session.clone(), chunks.send(chunk)).await);
        }
        Ok(())
    }

    /// The page's title, for the layout.
    pub fn title(&mut self, title: impl Into<String>) -> &mut Self {
        let title = title.into();
        self.reply(|hit| hit.reply.rare().title = Some(title));
        self
    }

    /// The response's status. Fails on a number that is none, between hits and when the response has begun.
    pub fn set_status(&mut self, status: u16) -> Result<&mut Self, Error> {
        let status = StatusCode::from_u16(status).ok().filter(|status| !status.is_informational());
        let status = status.ok_or_else(|| Error::new("set_status: a status is a number from 200 to 999"))?;
        self.before_head("set_status")?;
        self.reply(|hit| hit.reply.status = status);
        Ok(self)
    }

    /// Sets a header field of the response. Fails if the name or the value cannot stand in a head.
    pub fn set_header(&mut self, name: &str, value: &str) -> Result<&mut Self, Error> {
        let field = HeaderName::try_from(name);
        let field = field.map_err(|error| Error::caused(format!("set_header: the name {name:?}"), error))?;
        if matches!(field, header::CONTENT_LENGTH | header::TRANSFER_ENCODING | header::CONNECTION) {
            return Err(Error::new(format!("set_header: `{field}` is the server's")));
        }
        let value = HeaderValue::try_from(value);
        let value =
            value.map_err(|error| Error::caused(format!("set_header: the value of `{field}`"), error))?;
        self.before_head("set_header")?;
        if field == header::CONTENT_TYPE {
            self.reply(|hit| hit.reply.rare().content_type = Some(value));
        } else {
            self.reply(|hit| drop(hit.reply.rare().headers.insert(field, value)));
        }
        Ok(self)
    }

    /// The response's type, if it is not a page: what is printed is sent as it is, without a layout.
    pub fn content_type(&mut self, content_type: &str) -> Result<&mut Self, Error> {
        self.set_header("content-type", content_type)
    }

    /// Makes these bytes the response.
    pub fn send(&mut self, content_type: &str, bytes: impl Into<Bytes>) -> Result<&mut Self, Error> {
        self.content_type(content_type)?;
        let bytes = bytes.into();
        self.reply(|hit| hit.reply.rare().raw = Some(bytes.into()));
        Ok(self)
    }

    /// Sends the browser to another page of this server (303): a path that begins with one `/`, or a query.
    ///
    /// The browser's next hit is the next [`next`](Self::next)'s. Other hosts are refused: see
    /// [`leave_for`](Self::leave_for).
    pub fn redirect(&mut self, to: &str) -> Result<&mut Self, Error> {
        let local =
            to.starts_with('?') || (to.starts_with('/') && !to.starts_with("//") && !to.starts_with("/\\"));
        if !local || to.contains(|c: char| c.is_control() || c == '\\') {
            return Err(Error::new(format!(
                "redirect: {to:?} is not a path of this server, like \"/done\"; `leave_for` leads to other sites"
            )));
        }
        self.send_to(to)
    }

    /// Sends the browser to another site (303): an absolute `http` or `https` URL. To let it come back, see
    /// [`return_url`](Self::return_url).
    ///
    /// Never take the URL from what visitors send: whoever made the link would choose where your visitors end up.
    pub fn leave_for(&mut self, url: &str) -> Result<&mut Self, Error> {
        let parsed = url.parse::<http::Uri>().ok();
        let web = parsed.filter(|url| matches!(url.scheme_str(), Some("http" | "https")));
        let host = web.as_ref().and_then(|url| url.authority()).map(|authority| authority.as_str());
        // What stands before an `@` is there to be taken for the host.
        if host.is_none_or(|host| host.contains('@')) || url.contains('\\') {
            return Err(Error::new(format!(
                "leave_for: {url:?} is no address of another site, like \"https://pay.example/7\"; `redirect` stays here"
            )));
        }
        self.send_to(url)
    }

    fn send_to(&mut self, url: &str) -> Result<&mut Self, Error> {
        self.set_header("location", url)?;
        self.reply(|hit| {
            hit.reply.status = StatusCode::SEE_OTHER;
            hit.reply.out.clear();
        });
        Ok(self)
    }

    /// The response holds a secret: nothing on the way keeps it (`no-store`).
    pub fn sensitive(&mut self) -> &mut Self {
        let mut state = self.session.queue.lock();
        if let Some(hit) = &mut state.talk.current {
            hit.reply.sensitive = true;
            state.extra().private = true;
        }
        drop(state);
        self
    }

    /// An error between two hits and when the head is on its way.
    pub(super) fn before_head(&self, verb: &str) -> Result<(), Error> {
        let streaming = self.session.talk(|talk| talk.current.as_ref().map(|hit| hit.reply.is_streaming()));
        match streaming {
            Some(false) => Ok(()),
            Some(true) => Err(Error::new(format!("{verb}: the response's head was sent by `flush`"))),
            None => Err(Error::new(format!("{verb}: there is no response between two hits"))),
        }
    }

    pub(super) fn reply(&mut self, change: impl FnOnce(&mut Hit)) {
        self.session.talk(|talk| {
            if let Some(hit) = &mut talk.current {
                change(hit);
            }
        });
    }
}

/// Adds to the response in hand, or to the next one.
pub(super) fn add(session: &Session, text: String) {
    let limit = session.core.limits.page;
    let mut state = session.queue.lock();
    if let Some(tape) = state.peek_extra().and_then(|extra| extra.tape.as_mut()) {
        tape.print(&text);
        if tape.is_hushed() {
            // Nobody sees it any more, unless it stands before components that outlive the step.
            if let Some(hit) = &mut state.talk.current {
                hit.reply.add_quietly(text, limit);
            }
            return;
        }
    }
    if let Some(hit) = &mut state.talk.current {
        hit.reply.add(text, limit);
        return;
    }
    let between = &mut state.extra().between;
    if between.len() + text.len() <= limit {
        between.push_str(&text);
    } else {
        tracing::warn!(session = %session.name(), "printed more between two hits than a page holds: the rest is lost");
    }
}
