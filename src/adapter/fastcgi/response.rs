//! A response as FastCGI has it: that of CGI (RFC 3875, 6), for a web server to send on.

use bytes::{BufMut, BytesMut};
use http::header::{self, HeaderName};
use http::{Response, StatusCode};
use http_body::Body as _;

use crate::body::Body;

/// Fields that are not for the web server to send on: it has a connection of its own with the client, and `Status` is
/// what CGI calls the first line.
const LEFT_OUT: [HeaderName; 6] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("status"),
];

/// Writes all that comes before the body.
pub(super) fn put_head(to: &mut BytesMut, response: &Response<Body>) {
    let (status, headers) = (response.status(), response.headers());
    for (name, value) in headers.iter().filter(|(name, _)| !is_left_out(name, status)) {
        put_field(to, name.as_str().as_bytes(), value.as_bytes());
    }
    if let Some(length) = response.body().size_hint().exact()
        && may_have_length(status)
        && !headers.contains_key(header::CONTENT_LENGTH)
    {
        put_field(to, b"content-length", length.to_string().as_bytes());
    }
    // Last: to haproxy a `Location` behind it says 302, whatever it says.
    put_field(
        to,
        b"Status",
        &[status.as_str(), status.canonical_reason().unwrap_or("Other")].join(" ").into_bytes(),
    );
    to.put_slice(b"\r\n");
}

/// A `Location` beside 200 is an order to the web server: to answer with another page of its own (RFC 3875, 6.2.2).
fn is_left_out(name: &HeaderName, status: StatusCode) -> bool {
    LEFT_OUT.contains(name) || *name == header::LOCATION && status == StatusCode::OK
}

fn may_have_length(status: StatusCode) -> bool {
    !status.is_informational() && status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED
}

fn put_field(to: &mut BytesMut, name: &[u8], value: &[u8]) {
    [name, b": ", value, b"\r\n"].iter().for_each(|part| to.put_slice(part));
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderValue;

    use super::*;

    fn written(status: u16, fields: &[(&'static str, &'static str)], body: &'static str) -> String {
        let mut response = Response::new(Body::from(Bytes::from_static(body.as_bytes())));
        *response.status_mut() = StatusCode::from_u16(status).expect("a status");
        for (name, value) in fields {
            response.headers_mut().append(*name, HeaderValue::from_static(value));
        }
        let mut out = BytesMut::new();
        put_head(&mut out, &response);
        String::from_utf8(out.to_vec()).expect("text")
    }

    #[test]
    fn a_head_is_that_of_cgi() {
        let fields = [("content-type", "text/html"), ("set-cookie", "a=1"), ("set-cookie", "b=2")];
        assert_eq!(
            written(404, &fields, "hello"),
            "content-type: text/html\r\nset-cookie: a=1\r\nset-cookie: b=2\r\ncontent-length: 5\r\n\
             Status: 404 Not Found\r\n\r\n"
        );
        assert_eq!(written(299, &[], ""), "content-length: 0\r\nStatus: 299 Other\r\n\r\n");
    }

    #[test]
    fn a_length_is_said_once_and_where_it_means_something() {
        assert_eq!(written(304, &[], ""), "Status: 304 Not Modified\r\n\r\n");
        assert_eq!(written(204, &[], ""), "Status: 204 No Content\r\n\r\n");
        let length = [("content-length", "7")];
        assert_eq!(written(200, &length, ""), "content-length: 7\r\nStatus: 200 OK\r\n\r\n");
    }

    #[test]
    fn a_program_gives_the_web_server_no_orders() {
        let orders = [
            ("status", "500 Oops"),
            ("connection", "close"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("location", "/server-status"),
        ];
        assert_eq!(written(200, &orders, ""), "content-length: 0\r\nStatus: 200 OK\r\n\r\n");
        let sent = written(303, &[("location", "/next")], "");
        assert_eq!(sent, "location: /next\r\ncontent-length: 0\r\nStatus: 303 See Other\r\n\r\n");
    }
}
