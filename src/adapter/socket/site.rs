//! Where an adapter listens: how programs say it, and what it means.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::inherited;
use super::listener::Listener;
use crate::error::Error;

/// What a Unix socket's address begins with.
const UNIX: &str = "unix:";
/// What names a socket of systemd's.
const SYSTEMD: &str = "systemd:";
/// Who may connect to a Unix socket: the user whom the server runs as.
const MODE: u32 = 0o600;

/// Where to listen: a port is one of loopback (`8080`; 0 is any free one), an address opens it (`"0.0.0.0:8080"`,
/// `"[::]:8080"`), and a path is a Unix socket (`"unix:/run/app.sock"`). With the feature `systemd`, `"systemd:web"` is the
/// socket that systemd has opened under this name (`FileDescriptorName=`), and `"systemd:0"` its first.
pub trait Address {
    #[doc(hidden)]
    fn to_text(self) -> String;
}

impl Address for u16 {
    fn to_text(self) -> String {
        format!("127.0.0.1:{self}")
    }
}

impl Address for &str {
    fn to_text(self) -> String {
        self.to_owned()
    }
}

impl Address for String {
    fn to_text(self) -> String {
        self
    }
}

impl Address for SocketAddr {
    fn to_text(self) -> String {
        self.to_string()
    }
}

/// Where an adapter was told to listen; nothing is open yet.
#[derive(Debug)]
pub(crate) struct Site {
    text: String,
    mode: u32,
}

/// What the text means.
#[derive(Debug, PartialEq)]
enum Place {
    Tcp(SocketAddr),
    Unix(PathBuf),
    /// This name or number.
    Systemd(String),
}

impl Site {
    pub(crate) fn on(address: impl Address) -> Self {
        Site { text: address.to_text(), mode: MODE }
    }

    /// Who may connect, if it is a Unix socket: the mode of its file.
    pub(crate) fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// Opens it: clients wait in line from here on.
    pub(crate) async fn bind(self) -> Result<Listener, Error> {
        match Place::read(&self.text)? {
            Place::Tcp(address) => {
                Listener::tcp(address).map_err(|error| Error::caused(format!("listen on {address}"), error))
            }
            Place::Unix(path) => Listener::unix(path, self.mode).await,
            Place::Systemd(which) => inherited::take(&which),
        }
    }
}

impl Place {
    fn read(text: &str) -> Result<Place, Error> {
        if let Some(which) = text.strip_prefix(SYSTEMD) {
            return Ok(Place::Systemd(which.to_owned()));
        }
        match text.strip_prefix(UNIX) {
            Some("") => Err(Error::new(format!(
                "listen on {text:?}: a Unix socket has a path, like \"unix:/run/app.sock\""
            ))),
            Some(path) => Ok(Place::Unix(path.into())),
            None => text.parse().map(Place::Tcp).map_err(|error| {
                let like = "neither an address like \"0.0.0.0:8080\" nor a path like \"unix:/run/app.sock\"";
                Error::caused(format!("listen on {text:?}: {like}"), error)
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_one_of_loopback_and_a_path_is_a_unix_socket() {
        let place = |text: String| Place::read(&text).expect("a place");
        assert_eq!(place(8080.to_text()), Place::Tcp(([127, 0, 0, 1], 8080).into()));
        assert_eq!(place("0.0.0.0:80".to_text()), Place::Tcp(([0, 0, 0, 0], 80).into()));
        assert_eq!(place("[::]:80".to_text()), Place::Tcp("[::]:80".parse().expect("an address")));
        assert_eq!(place("unix:/run/app.sock".to_text()), Place::Unix("/run/app.sock".into()));
        assert_eq!(place("systemd:web".to_text()), Place::Systemd("web".to_owned()));
        assert_eq!(place("unix:app.sock".to_text()), Place::Unix("app.sock".into()));
    }

    #[test]
    fn what_is_no_place_is_an_error_that_says_how_one_looks() {
        for text in ["", "8080", "localhost:80", "/run/app.sock", "http://127.0.0.1:80", "unix:"] {
            let error = Place::read(text).expect_err(text).to_string();
            assert!(error.contains(&format!("{text:?}")) && error.contains("unix:/run/app.sock"), "{error}");
        }
    }
}
