//! The cookie that holds a visitor's id: its name and attributes, over plain HTTP and over https.
//!
//! Over https it is called `__Host-…`: browsers take such a cookie from this very host only, and only over https. The
//! two are different cookies, and each counts where it can be set: nobody on an open line can set the one of https.

use bytes::Bytes;
use http::HeaderValue;

use super::key::WIRE;
use crate::error::Error;

const PREFIX: &str = "__Host-";
const ATTRIBUTES: &str = "; Path=/; HttpOnly; SameSite=Lax";
const HTTPS_ONLY: &str = "; Path=/; HttpOnly; SameSite=Lax; Secure";

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

    /// What it is called at a server whose first address this is: by its port, or by the name of its Unix socket.
    pub(crate) fn name_at(address: &str) -> String {
        let last = address.rsplit([':', '/']).next().unwrap_or_default();
        let stem = last.strip_suffix(".sock").unwrap_or(last);
        ["sid_", &stem.replace(|c| !is_of_name(c), "_")].concat()
    }

    /// Whether a session's cookie can have this name.
    pub(crate) fn check(name: &str) -> Result<(), Error> {
        if name.is_empty() || !name.chars().all(is_of_name) {
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

    /// The `Set-Cookie` field that tells an id, which `sign` adds.
    pub(crate) fn tell(&self, https: bool, sign: impl FnOnce(&mut String)) -> HeaderValue {
        let (name, attributes) = (self.name(https), if https { HTTPS_ONLY } else { ATTRIBUTES });
        let mut cookie = String::with_capacity(name.len() + 1 + WIRE + attributes.len());
        cookie.push_str(name);
        cookie.push('=');
        sign(&mut cookie);
        cookie.push_str(attributes);
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

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_-.".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_without_a_name_has_that_of_its_address() {
        for (address, name) in [
            ("127.0.0.1:8080", "sid_8080"),
            ("[::1]:80", "sid_80"),
            ("unix:/run/shop/app.sock", "sid_app"),
            ("unix:app", "sid_app"),
            ("unix:/run/my shop;é.sock", "sid_my_shop__"),
        ] {
            assert_eq!(SessionCookie::name_at(address), name, "{address}");
            SessionCookie::check(name).expect("it can be one");
        }
    }
}
