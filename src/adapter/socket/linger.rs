//! The end of a connection whose peer may still be sending: to just close would have the system reset it, and the peer
//! could lose what it has not read yet.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::stream::Stream;

/// How long what the peer still sends is thrown away.
pub(crate) const LINGER: Duration = Duration::from_secs(5);
/// Bytes that are thrown away; who sends more than this sees a reset.
const REST: usize = 16 * 1024 * 1024;

/// Says that nothing more is sent, and throws away what comes until the peer closes too.
pub(crate) async fn linger(mut stream: Stream) {
    let mut left = REST;
    let close = poll_fn(|cx| {
        ready!(Pin::new(&mut stream).poll_shutdown(cx))?;
        let mut bytes = [0; 4096];
        while left > 0 {
            let mut read = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut stream).poll_read(cx, &mut read))?;
            match read.filled().len() {
                0 => break,
                some => left = left.saturating_sub(some),
            }
        }
        Poll::Ready(io::Result::Ok(()))
    });
    drop(tokio::time::timeout(LINGER, close).await);
}
