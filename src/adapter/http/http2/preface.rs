//! The first bytes of a connection say which HTTP it speaks (RFC 9113 3.4). No input or output happens here.

/// What a client of HTTP/2 sends first.
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Which HTTP it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    Http1,
    Http2,
    /// It needs more bytes to say.
    Unclear,
}

/// What these first bytes of a connection mean.
pub(super) fn choose(bytes: &[u8]) -> Choice {
    if bytes.starts_with(PREFACE) {
        Choice::Http2
    } else if PREFACE.starts_with(bytes) {
        Choice::Unclear
    } else {
        Choice::Http1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_preface_is_http2() {
        assert_eq!(choose(PREFACE), Choice::Http2);
        assert_eq!(choose(&[PREFACE, b"\0\0"].concat()), Choice::Http2);
        for length in 0..PREFACE.len() {
            assert_eq!(choose(&PREFACE[..length]), Choice::Unclear, "{length}");
            let mut other = PREFACE[..=length].to_vec();
            other[length] ^= 1;
            assert_eq!(choose(&other), Choice::Http1, "{length}");
        }
        for request in ["POST / HTTP/1.1\r\n", "PRI / HTTP/1.1", "GET"] {
            assert_eq!(choose(request.as_bytes()), Choice::Http1);
        }
    }
}
