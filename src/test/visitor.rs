//! Who the visitor is: address, headers, cookies, and the site they come from.

use std::net::{IpAddr, SocketAddr};

use http::HeaderValue;
use http::header::HeaderName;

use super::browser::Browser;
use super::client::PORT;

/// Who the visitor is.
impl Browser {
    /// Sends this header field with all requests of this tab from now on, in place of any other of its name.
    ///
    /// # Panics
    /// If it cannot be one.
    #[track_caller]
    pub fn header(&mut self, name: &str, value: &str) -> &mut Self {
        let field = (HeaderName::try_from(name), HeaderValue::from_bytes(value.as_bytes()));
        let (Ok(field), Ok(text)) = field else {
            panic!("`{name}: {value}` cannot be a header field");
        };
        self.client.headers.insert(field, text);
        self
    }

    /// The visitor's address from now on, with or without a port. Default: loopback.
    ///
    /// # Panics
    /// If it is none.
    #[track_caller]
    pub fn address(&mut self, address: &str) -> &mut Self {
        match (address.parse::<SocketAddr>(), address.parse::<IpAddr>()) {
            (Ok(address), _) => self.client.address = address,
            (_, Ok(ip)) => self.client.address = SocketAddr::new(ip, PORT),
            _ => panic!("{address:?} is no address: write one like \"192.0.2.7\" or \"[2001:db8::1]:80\""),
        }
        self
    }

    /// Makes the next navigation one from a page of another site, given by its origin. Cookies stay behind or go
    /// along as their `SameSite` says.
    ///
    /// ```
    /// # use continuity::prelude::*;
    /// # use continuity::test::Browser;
    /// async fn flow(mut req: Request) -> Result<()> {
    ///     req.print(req.header("sec-fetch-site").unwrap_or_default());
    ///     Ok(())
    /// }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let mut browser = Browser::new(flow);
    /// browser.from_site("https://elsewhere.test").get("/").await.shows("cross-site");
    /// browser.get("/").await.shows("none");
    /// # }
    /// ```
    ///
    /// # Panics
    /// If the origin cannot be said in a header field.
    #[track_caller]
    pub fn from_site(&mut self, origin: &str) -> &mut Self {
        assert!(HeaderValue::try_from(origin).is_ok(), "{origin:?} cannot be an origin");
        self.elsewhere = Some(origin.to_owned());
        self
    }

    /// The value of the cookie of this name.
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.client.jar().get(name)
    }

    /// Sets a cookie as if the server had done so, for all paths.
    ///
    /// # Panics
    /// If it cannot be one.
    #[track_caller]
    pub fn set_cookie(&mut self, name: &str, value: &str) -> &mut Self {
        let cookie = format!("{name}={value}");
        let fits = !cookie.contains(';') && HeaderValue::try_from(cookie.as_str()).is_ok();
        assert!(fits, "`{cookie}` cannot be a cookie");
        self.client.jar().set(name, value);
        self
    }

    /// Forgets all cookies, in all tabs.
    pub fn clear_cookies(&mut self) -> &mut Self {
        self.client.jar().clear();
        self
    }
}
