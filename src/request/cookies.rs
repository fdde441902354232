//! Cookies of your own: one line for the usual, a full [`Cookie`] for the rest.

use cookie::time::{Duration, OffsetDateTime};
use cookie::{Cookie, SameSite};
use http::{HeaderValue, header};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use super::Request;
use crate::error::Error;
use crate::mapper::identify::cookies;

/// What cannot stand in a cookie's value (RFC 6265), and what encodes it.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b',').add(b';').add(b'\\').add(b'%');

impl Request {
    /// The value of a cookie that the client sent.
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.hit(|hit| cookies(hit, name).next().map(str::to_owned))
    }

    /// The text of a cookie that was set by [`set_cookie_text`](Self::set_cookie_text), or by whoever encodes as it does.
    pub fn cookie_text(&self, name: &str) -> Option<String> {
        let value = self.cookie(name)?;
        Some(percent_decode_str(&value).decode_utf8_lossy().into_owned())
    }

    /// Sets a cookie for this host: `Path=/; HttpOnly; SameSite=Lax`, over https `Secure`, until the browser closes.
    ///
    /// Fails if the value has characters that cannot stand in a cookie: blanks, `"`, `,`, `;`, `\` and what is no ASCII. For
    /// any text there is [`set_cookie_text`](Self::set_cookie_text).
    pub fn set_cookie(&mut self, name: &str, value: &str) -> Result<&mut Self, Error> {
        let cookie = self.usual(name, value.to_owned());
        self.add_cookie(cookie)
    }

    /// Like [`set_cookie`](Self::set_cookie), for any text: what cannot stand in a cookie is percent-encoded.
    /// [`cookie_text`](Self::cookie_text) reads it.
    ///
    /// ```
    /// use continuity::prelude::*;
    ///
    /// async fn greet(mut req: Request) -> Result<()> {
    ///     match req.cookie_text("name") {
    ///         Some(name) => req.clear_cookie("name")?.print(html! { "Good bye, " (name) }),
    ///         None => req.set_cookie_text("name", "Ada, Countess of Lovelace")?.print("Welcome"),
    ///     };
    ///     Ok(())
    /// }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # #[cfg(feature = "test")] {
    /// # use continuity::test::Browser;
    /// let mut browser = Browser::new(greet);
    /// browser.get("/").await.shows("Welcome");
    /// browser.get("/").await.shows("Good bye, Ada, Countess of Lovelace");
    /// browser.get("/").await.shows("Welcome");
    /// # } }
    /// ```
    pub fn set_cookie_text(&mut self, name: &str, text: &str) -> Result<&mut Self, Error> {
        let cookie = self.usual(name, utf8_percent_encode(text, ENCODED).to_string());
        self.add_cookie(cookie)
    }

    /// Has the browser forget a cookie that [`set_cookie`](Self::set_cookie) or
    /// [`set_cookie_text`](Self::set_cookie_text) has set. One with another path or a domain is another cookie: have it
    /// forgotten by [`add_cookie`](Self::add_cookie) with the same path and domain, and `max_age` zero.
    pub fn clear_cookie(&mut self, name: &str) -> Result<&mut Self, Error> {
        let mut cookie = self.usual(name, String::new());
        cookie.set_max_age(Duration::ZERO);
        // For browsers that do not know `Max-Age`.
        cookie.set_expires(OffsetDateTime::UNIX_EPOCH);
        self.add_cookie(cookie)
    }

    fn usual(&self, name: &str, value: String) -> Cookie<'static> {
        let cookie = Cookie::build((name.to_owned(), value));
        let mut cookie = cookie.path("/").http_only(true).same_site(SameSite::Lax).build();
        if self.is_https() {
            cookie.set_secure(true);
        }
        cookie
    }

    /// Sets a cookie just as it is given. Fails if a part of it cannot stand in a cookie, if it has the name of the
    /// session's own, between hits, and when the response has begun.
    pub fn add_cookie(&mut self, cookie: Cookie<'static>) -> Result<&mut Self, Error> {
        check(&cookie)?;
        if self.session.core.cookie.has_name(cookie.name()) {
            return Err(Error::new(format!("cookie `{}`: the name is the session's own", cookie.name())));
        }
        self.before_head("set_cookie")?;
        let value = HeaderValue::try_from(cookie.to_string());
        let value = value.map_err(|error| Error::caused(format!("cookie `{}`", cookie.name()), error))?;
        self.reply(|hit| _ = hit.reply.rare().headers.append(header::SET_COOKIE, value));
        Ok(self)
    }
}

/// Characters that cannot stand in a cookie are an error here, not a second cookie there.
fn check(cookie: &Cookie<'_>) -> Result<(), Error> {
    let token = |c: char| c.is_ascii_graphic() && !"()<>@,;:\\\"/[]?={}".contains(c);
    let plain = |c: char| c.is_ascii_graphic() && !"\",;\\".contains(c);
    let attribute = |c: char| (c.is_ascii_graphic() || c == ' ') && c != ';';
    let name = cookie.name();
    if name.is_empty() || !name.chars().all(token) {
        return Err(Error::new(format!("cookie {name:?}: the name is not a token")));
    }
    if !cookie.value().chars().all(plain) {
        return Err(Error::new(format!(
            "cookie `{name}`: the value has characters that cannot stand in a cookie; `set_cookie_text` encodes them"
        )));
    }
    let attributes = [cookie.path(), cookie.domain()];
    if !attributes.iter().flatten().all(|text| text.chars().all(attribute)) {
        return Err(Error::new(format!(
            "cookie `{name}`: path or domain have characters that cannot stand there"
        )));
    }
    if name.len() + cookie.value().len() > 4096 {
        return Err(Error::new(format!("cookie `{name}`: browsers keep at most 4096 bytes")));
    }
    Ok(())
}
