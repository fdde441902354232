//! Sockets that systemd has opened and handed on (`LISTEN_FDS`): by name, or by number.
//!
//! They are the process's, and each can be taken once. What they are is looked at: TCP or a Unix socket. The file of a
//! Unix socket is systemd's and stays.

use std::io;
use std::sync::{LazyLock, Mutex};

use listenfd::ListenFd;

use super::listener::Listener;
use crate::error::Error;

/// What was handed on, with the names that the units gave (`FileDescriptorName=`).
struct Handed {
    sockets: ListenFd,
    names: Vec<String>,
}

/// Read once: what reads it takes it out of the environment, so that no child thinks that it is meant.
static HANDED: LazyLock<Mutex<Handed>> = LazyLock::new(|| {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let names = names.split(':').map(str::to_owned).collect();
    Mutex::new(Handed { sockets: ListenFd::from_env(), names })
});

/// The socket of this name or number.
pub(super) fn take(which: &str) -> Result<Listener, Error> {
    let mut handed = HANDED.lock().expect("no code panics while it holds the sockets");
    let told = |says: &str| Error::new(format!("listen on \"systemd:{which}\": {says}"));
    let count = handed.sockets.len();
    if count == 0 {
        return Err(told(
            "systemd has handed on no socket; start the .socket unit, not the service by itself",
        ));
    }
    let place = find(which, &handed.names, count);
    let place = place.ok_or_else(|| told(&lacking(count, &handed.names)))?;
    let failed = |error| Error::caused(format!("listen on \"systemd:{which}\""), error);
    handed.listener(place).map_err(failed)?.ok_or_else(|| told("it is taken already"))
}

/// Its number: 0 is the first. A name counts before a number.
fn find(which: &str, names: &[String], count: usize) -> Option<usize> {
    let named = names.iter().position(|name| name == which);
    named.or_else(|| which.parse().ok()).filter(|place| *place < count)
}

fn lacking(count: usize, names: &[String]) -> String {
    format!("there is none of that name or number; there are {count}, called {}", names.join(", "))
}

impl Handed {
    /// `None` if it was taken.
    fn listener(&mut self, place: usize) -> io::Result<Option<Listener>> {
        match self.sockets.take_tcp_listener(place) {
            Ok(Some(tcp)) => Listener::of_tcp(tcp).map(Some),
            Ok(None) => Ok(None),
            // It is none of TCP.
            Err(_) => self.sockets.take_unix_listener(place)?.map(Listener::of_unix).transpose(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_found_by_its_name_or_its_number() {
        let names = ["web", "fcgi", "1"].map(str::to_owned);
        for (which, place) in [
            ("web", Some(0)),
            ("fcgi", Some(1)),
            ("0", Some(0)),
            ("1", Some(2)),
            ("2", Some(2)),
            ("3", None),
            ("", None),
            ("Web", None),
        ] {
            assert_eq!(find(which, &names, 3), place, "{which}");
        }
        assert_eq!(find("fcgi", &names, 1), None, "more names than sockets");
    }
}
