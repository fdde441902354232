//! What a request says of where it goes: `Host`, and targets that are no path (RFC 9112 3.2, RFC 9110 4.2).

use std::net::Ipv6Addr;

use super::bytes::{HOST, QUERY, is, run};

/// A host, and perhaps a port. User names have no place here.
pub(crate) fn is_host(value: &[u8]) -> bool {
    if let [b'[', rest @ ..] = value {
        let Some(end) = rest.iter().position(|byte| *byte == b']') else { return false };
        let address = str::from_utf8(&rest[..end]).ok().and_then(|text| text.parse::<Ipv6Addr>().ok());
        return address.is_some() && is_port(&rest[end + 1..]);
    }
    let mut end = run(value, 0, HOST);
    while let [b'%', high, low, ..] = &value[end..] {
        if !high.is_ascii_hexdigit() || !low.is_ascii_hexdigit() {
            return false;
        }
        end = run(value, end + 3, HOST);
    }
    end > 0 && is_port(&value[end..])
}

/// Nothing, or a colon and a number; there may be no digits.
fn is_port(rest: &[u8]) -> bool {
    let [b':', digits @ ..] = rest else { return rest.is_empty() };
    digits.len() <= 5
        && digits.iter().all(u8::is_ascii_digit)
        && digits.iter().fold(0, |port, digit| port * 10 + u32::from(digit - b'0')) <= 65_535
}

/// A target that does not begin with a slash.
pub(crate) fn is_odd_target(method: &[u8], target: &[u8]) -> bool {
    match method {
        b"CONNECT" => is_authority(target) && target.contains(&b':'),
        b"OPTIONS" if target == b"*" => true,
        _ => is_absolute(target),
    }
}

/// A whole URL, as proxies are asked.
fn is_absolute(target: &[u8]) -> bool {
    let Some(scheme) = target.iter().position(|byte| *byte == b':') else { return false };
    let known = [&b"http"[..], b"https"].iter().any(|known| target[..scheme].eq_ignore_ascii_case(known));
    let Some(rest) = target[scheme..].strip_prefix(b"://").filter(|_| known) else { return false };
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let path_ends = path.iter().position(|byte| *byte == b'?').unwrap_or(path.len());
    let (path, query) = path.split_at(path_ends);
    is_authority(authority)
        && path.iter().all(|byte| is(*byte, super::bytes::PATH))
        && query.iter().all(|byte| is(*byte, QUERY))
}

fn is_authority(text: &[u8]) -> bool {
    is_host(text) && !text.contains(&b'%')
}
