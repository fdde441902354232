//! Cookies of your own: one line for the usual, a full [`Cookie`] for the rest.

use cookie::{Cookie, SameSite};
use http::{HeaderValue, header};

use super::Request;
use crate::error::Error;
use crate::mapper::identify::cookies;

impl Request {
    /// The value of a cookie that the client sent.
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.hit(|hit| cookies(hit, name).next().map(str::to_owned))
    }

    /// Sets a cookie for this host: `Path=/; HttpOnly; SameSite=Lax`, over https `Secure`, until the browser closes.
    pub fn set_cookie(&mut self, name: &str, value: &str) -> Result<&mut Self, Error> {
        let cookie = Cookie::build((name.to_owned(), value.to_owned()));
        let mut cookie = cookie.path("/").http_only(true).same_site(SameSite::Lax).build();
        if self.is_https() {
            cookie.set_secure(true);
        }
        self.add_cookie(cookie)
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
            "cookie `{name}`: the value has characters that must be encoded first"
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
