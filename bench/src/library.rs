//! Starts the library's own servers on the bench's runtime, with the caps raised that a million sessions would meet.
//!
//! The caps' checks stay on; nothing else differs from what a user gets by default. With `JOURNAL` in the environment
//! the sessions are journaled in the file it names; with `BRANCHES`, at most so many branches of each are in memory; where
//! `DOOR` is `fastcgi` they speak that in place of HTTP.

use continuity::Sqlite;
use continuity::prelude::*;

use crate::rival::serve::{announce, port, runtime};

/// More sessions than any measurement makes.
const SESSIONS: usize = 2_000_000;

/// Serves `flow` on loopback until the process is killed; the first line printed says where.
///
/// # Errors
/// Returns why the runtime, the socket or the journal could not be had.
pub fn run(flow: impl Into<Flow>) -> Result<()> {
    runtime()?.block_on(async {
        let mut server = Server::new(flow).limits(raise);
        server = match std::env::var("DOOR").as_deref() {
            Ok("fastcgi") => server.listen(FastCgi::on(port())),
            _ => server.listen(Http::on(port())),
        };
        if let Some(path) = std::env::var_os("JOURNAL") {
            server = server.journal(Sqlite::open(path)?);
        }
        let bound = server.bind().await?;
        announce(&bound.addresses()[0])?;
        bound.run().await
    })
}

fn raise(limits: &mut Limits) {
    limits.sessions = SESSIONS;
    limits.newborns = SESSIONS;
    limits.newborns_per_address = SESSIONS;
    let branches = std::env::var("BRANCHES").ok().and_then(|number| number.parse().ok());
    limits.branches = branches.unwrap_or(limits.branches);
}
