//! Whatever comes: cuts make no difference, and hyper reads what is let through as it was checked.

use proptest::prelude::*;

use super::*;
use crate::adapter::http::fuzz::hyper_reads;

/// Right requests, to be made wrong.
const SEEDS: [&str; 8] = [
    "GET /a/b?c=d&e HTTP/1.1\r\nHost: localhost:8080\r\nCookie: a=b; c=d\r\n\r\n",
    "GET / HTTP/1.0\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: [::1]:1\r\nAccept: */*\r\n\r\n",
    "GET http://a.b:80/c?d HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n1;c=\"d\"\r\n!\r\n0\r\nT: t\r\n\r\n",
    "PUT /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
    "\r\nHEAD / HTTP/1.1\r\nHost: a\r\nX: \u{fc}\ty\r\n\r\n",
];
/// Bytes that mean something somewhere.
const BYTES: &[u8] = b"\r\n :;,=\"\\0159aFx/?#*@[]%\t\0\x7f\xe9Tt";

/// Some requests, of which some bytes are changed, doubled, or gone.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let change = (0usize..400, 0..4u8, prop::sample::select(BYTES));
    (prop::collection::vec(prop::sample::select(&SEEDS[..]), 1..4), prop::collection::vec(change, 0..3))
        .prop_map(|(seeds, changes)| {
            let mut bytes = seeds.concat().into_bytes();
            for (at, how, byte) in changes {
                let at = at % bytes.len().max(1);
                match how {
                    0 if at < bytes.len() => bytes[at] = byte,
                    1 if at < bytes.len() => drop(bytes.remove(at)),
                    2 if at < bytes.len() => bytes.insert(at, bytes[at]),
                    _ => bytes.insert(at, byte),
                }
            }
            bytes
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_same_bytes_in_any_pieces_are_judged_alike(bytes in streams(), cuts in prop::collection::vec(0usize..400, 0..6)) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
        cuts.sort_unstable();
        cuts.insert(0, 0);
        cuts.push(bytes.len());
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        let whole = judge([&*bytes]);
        prop_assert_eq!(judge(pieces), whole);
        prop_assert_eq!(judge(single), whole);
    }

    #[test]
    fn hyper_reads_what_is_passed_on_and_finds_as_many_requests(bytes in streams()) {
        let (passed, requests, fault) = judge([&*bytes]);
        let mut framing = Framing::new(BOUNDS);
        framing.admit(&bytes);
        // What is cut off in a body is no request to hyper, and what follows a `Connection: close` is none at all.
        if framing.is_in_body() || fault.is_some() {
            return Ok(());
        }
        let old = bytes.windows(8).any(|some| some == b"HTTP/1.0");
        let (read, refused) = hyper_reads(&bytes[..passed]);
        prop_assert_eq!(refused, 0, "{:?}", String::from_utf8_lossy(&bytes));
        if !old {
            prop_assert_eq!(read, requests as usize, "{:?}", String::from_utf8_lossy(&bytes));
        }
    }
}
