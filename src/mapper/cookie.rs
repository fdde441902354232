//! The cookie that holds a visitor's id: its name and attributes, over plain HTTP and over https.
//!
//! Over https it is called `__Host-…`: browsers take such a cookie from this very host only, and only over https. The
//! two are different cookies, and each counts where it can be set: nobody on an open line can set the one of https.

use bytes::Bytes;
use http::HeaderValue;

use crate::error::Error;

const PREFIX: &str = "__Host-";

#[derive(Debug)]
pub(crate) struct SessionCookie {
    /// The name as the program gave it.
    plain: String,
    /// The name with its prefix.
    https: String,
}

impl SessionCookie {
    pub(crate) fn new(name: &str) -> Self {
        SessionCookie { plain: name.to_owned(), https: [PREFIX, name].concat() }
    }

    /// Whether a session's cookie can have this name.
    pub(crate) fn check(name: &str) -> Result<(), Error> {
        let token = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if name.is_empty() || !name.chars().all(token) {
            return Err(Error::new(format!("cookie {name:?}: use letters, digits, `_`, `-` and `.`")));
        }
        let starts =
            |prefix: &str| name.get(..prefix.len()).is_some_and(|at| at.eq_ignore_ascii_case(prefix));
        if starts(PREFIX) || starts("__Secure-") {
            return Err(Error::new(format!(
                "cookie {name:?}: the server puts the prefix there itself, over https"
            )));
        }
        Ok(())
    }

    pub(crate) fn name(&self, https: bool) -> &str {
        if https { &self.https } else { &self.plain }
    }

    /// The `Set-Cookie` field that tells an id.
    pub(crate) fn tell(&self, https: bool, id: &str) -> HeaderValue {
        let secure = if https { "; Secure" } else { "" };
        let cookie = [self.name(https), "=", id, "; Path=/; HttpOnly; SameSite=Lax", secure].concat();
        let value = HeaderValue::from_maybe_shared(Bytes::from(cookie));
        value.expect("the cookie's name was checked at the start")
    }

    /// Whether it is the session's name, with or without the prefix, which browsers read in any case.
    #[cfg(feature = "cookies")]
    pub(crate) fn has_name(&self, name: &str) -> bool {
        let bare = match name.get(..PREFIX.len()) {
            Some(prefix) if prefix.eq_ignore_ascii_case(PREFIX) => &name[PREFIX.len()..],
            _ => name,
        };
        bare == self.plain
    }
}
