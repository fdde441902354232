//! What examples that speak gopher share: take the port from `GOPHER` (0 is any free one), else 7070, or any if that is
//! taken.

use continuity::prelude::*;

pub fn door() -> Result<Gopher> {
    let port = match std::env::var("GOPHER") {
        Ok(port) => port.parse().map_err(|_| format!("GOPHER={port:?} is not a port: use 0 to 65535"))?,
        // Another example may be there.
        Err(_) if std::net::TcpListener::bind(("127.0.0.1", 7070)).is_err() => 0,
        Err(_) => 7070,
    };
    Ok(Gopher::on(port))
}
