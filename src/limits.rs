//! Every bound and timeout of a server, its default and its reason, in one table.
//!
//! A limit is a promise: whatever visitors do, a server stays within these numbers. Change them with
//! [`Server::limits`](crate::Server::limits). What nobody would want to change is a constant where it is used.

use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

macro_rules! limits {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty = $default:expr, $reason:literal;)+) => {
        /// The bounds of a server. Made by [`Server::limits`](crate::Server::limits):
        ///
        /// ```
        /// # use continuity::prelude::*;
        /// # async fn hello(_: Request) -> Result<()> { Ok(()) }
        /// let server = Server::new(hello).limits(|limits| limits.sessions = 5_000);
        /// ```
        #[derive(Debug, Clone)]
        #[non_exhaustive]
        pub struct Limits {
            $($(#[doc = $doc])+ #[doc = ""] #[doc = concat!("Default: `", stringify!($default), "`: ", $reason, ".")]
            pub $name: $type,)+
        }

        impl Default for Limits {
            fn default() -> Self {
                Limits { $($name: $default,)+ }
            }
        }

        impl Limits {
            /// The table as rows of name, default and reason: what the documentation shows.
            pub fn table() -> Vec<(&'static str, String, &'static str)> {
                vec![$((stringify!($name), stringify!($default).replace('_', ","), $reason),)+]
            }
        }
    };
}

limits! {
    /// Sessions alive at once, over all visitors; more are answered 503.
    sessions: usize = 1_000_000, "about 300 MB of small sessions";
    /// Sessions that have had only their first hit; above it the oldest of them are shed.
    newborns: usize = 100_000, "a flood of first hits costs about 30 MB and nobody's work";
    /// Newborn sessions from one address (IPv6: one /64); more are answered 503. Loopback is exempt.
    newborns_per_address: usize = 1_000, "a school behind one address fits, one machine's flood does not";
    /// Sessions of one visitor; more are answered 503.
    sessions_per_visitor: usize = 32, "many tabs and flows, not a way around the other caps";
    /// Hits that wait while a session is busy; more are answered 503.
    queue: usize = 16, "a browser opens 6 connections; more is a flood";
    /// How long a newborn session waits for its second hit.
    newborn: Duration = 15 * MINUTE, "longer than people read a first page, shorter than a crawl";
    /// How long a session waits between two hits before it is told to end.
    idle: Duration = 30 * MINUTE, "what people expect of a web session kept in memory";
    /// How long a session may live in all.
    lifetime: Duration = 24 * HOUR, "a stolen cookie is worth one day";
    /// With a journal, in place of `idle`: in memory or parked.
    idle_journaled: Duration = 720 * HOUR, "parked sessions cost disk only: 30 days";
    /// With a journal, in place of `lifetime`.
    lifetime_journaled: Duration = 876_000 * HOUR, "100 years: nobody loses their place";
    /// With a journal: how long a session waits in memory before it is parked.
    park: Duration = 5 * MINUTE, "who comes back later waits some milliseconds more";
    /// With a journal: sessions in memory; above it those that were not used for longest are parked.
    in_memory: usize = 250_000, "about 250 MB of small sessions";
    /// With a journal: hits that wait for their sessions to be looked up or rebuilt; more are answered 503.
    rebuilding: usize = 2_000, "one second's work";
    /// With a journal: branches of one session in memory; above it those that were not used for longest are parked.
    branches: usize = 8, "the tabs that people go back and forth between";
    /// With a journal: times in 10 seconds that one visitor's old pages are found by replay; more are answered 503.
    replays: usize = 50, "faster than anyone can click";
    /// With a journal: how long such a replay may take; then it is given up, and answered 503.
    replay: Duration = 10 * SECOND, "a hundred thousand steps";
    /// With a journal: what waits to be written; more is answered 503.
    journal_queue: usize = 20_000, "as many as there are connections";
    /// With a journal: bytes of one session in it; above it the session's steps fail.
    journal_session: usize = 16 * MIB, "tens of thousands of steps; `checkpoint` lets older ones go";
    /// With a journal: bytes of all of it; above it nothing new is recorded, and hits are answered 503.
    journal_bytes: usize = 65_536 * MIB, "64 GiB: a disk of today";
    /// With a journal: how long an ended session is kept in it.
    ended: Duration = 168 * HOUR, "7 days, to look into what went wrong";
    /// How long a session that was told to end may clean up.
    grace: Duration = 5 * SECOND, "time for a last write to a database";
    /// How long an ended session's last page can still be repeated.
    linger: Duration = 10 * MINUTE, "a reload or a flaky network, not an archive";
    /// Ended sessions that linger at once; above it the oldest are forgotten.
    lingering: usize = 100_000, "about 20 MB";
    /// Bytes of one page that is kept for a repeat, or of a form with errors; a larger one is answered with a notice.
    kept_page: usize = 64 * KIB, "nearly all pages people read";
    /// Bytes of all that is kept of pages; above it the oldest are forgotten.
    kept_pages: usize = 64 * MIB, "a thousand large pages or a million small ones";
    /// Bytes of one response held in memory; more is an error that asks for `flush`.
    page: usize = 16 * MIB, "a page nobody scrolls to the end of";
    /// Bytes of one sealed value behind a link.
    token: usize = KIB, "links stay links: proxies and logs cut at about 8 KiB";
    /// Bytes of a request's body; more is answered 413.
    body: usize = MIB, "a long form";
    /// Bytes of a form with files; more is answered 413. The rest of the form is text, within `body`.
    upload: usize = 32 * MIB, "some photos of a phone";
    /// Bytes of the files of one hit that are kept in memory; what does not fit is written to temporary files.
    upload_memory: usize = 64 * KIB, "small files cost no disk, and many uploads little memory";
    /// Bytes a second a form with files may not fall below, after `body_time`; a slower one is answered 408.
    upload_rate: u32 = 4_096, "a bad connection of a phone; the largest upload is over in 3 hours";
    /// Forms with files that come in at once; more are answered 503.
    uploads: usize = 256, "about 100 MB of memory at worst";
    /// Forms with files that come in at once from a visitor we know; more are answered 503.
    uploads_per_visitor: usize = 4, "some tabs";
    /// Files of one hit; more are answered 400.
    files_per_hit: usize = 64, "a folder of pictures";
    /// Temporary files of a server, those that programs keep counted; more are answered 503.
    upload_files: usize = 4_096, "64 visitors with 64 files each";
    /// Bytes in all temporary files; more are answered 503.
    upload_bytes: usize = 1024 * MIB, "the folder may be in memory";
    /// Bytes of a request's head, in FastCGI of its parameters; more is answered 431.
    head: usize = 64 * KIB, "many cookies";
    /// Header fields of a request, duplicates counted; more are answered 431.
    headers: usize = 100, "browsers send about 20";
    /// Parameters of one hit; more are answered 400.
    params: usize = 1_000, "a large table of inputs";
    /// Connections open at once; more wait in the kernel's queue.
    connections: usize = 20_000, "500 MB if all are slow; one of HTTP/2 may hold 5 MB of what it does not read";
    /// Requests of one connection of HTTP/2 or FastCGI that are worked on at once; more are refused.
    streams: usize = 100, "what browsers count on, and RFC 9113 asks for at least";
    /// How long the handshake of a connection of https may take; then it is closed.
    handshake: Duration = 10 * SECOND, "some round trips of a bad line";
    /// How long a new connection may be unused; then it is closed.
    first_byte: Duration = 15 * SECOND, "browsers open connections before they need them";
    /// How long a client may take for a request's head; then it is answered 408.
    head_time: Duration = 30 * SECOND, "slow phones, not slowloris";
    /// How long a client may take for a request's body, then it is answered 408; forms with files may go on at `upload_rate`.
    body_time: Duration = 60 * SECOND, "1 MiB over a slow line";
    /// How long a connection may be unused between two requests; then it is closed.
    keep_alive: Duration = 30 * SECOND, "longer than people look at a page before they click, mostly";
    /// How long a client may read nothing of an answer; then the connection is reset.
    write_time: Duration = 60 * SECOND, "a phone in a tunnel, not a client that never reads";
    /// Bytes a second that a client must send of a body after `head_time`, and read of an answer after `write_time`.
    rate: usize = KIB, "slower than any line, faster than an attacker likes";
    /// How long a stopping server waits for answers in flight.
    drain: Duration = 10 * SECOND, "below the 30 s that service managers wait";
    /// How long a session may run without awaiting before the log names it.
    stuck: Duration = 2 * SECOND, "it holds one of the runtime's threads";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guide_shows_the_table_as_it_is() {
        let guide = include_str!("../docs/sessions.md");
        for (name, default, reason) in Limits::table() {
            let row = format!("| `{name}` | `{default}` | {reason} |");
            assert!(guide.contains(&row), "docs/sessions.md lacks: {row}");
        }
    }
}
