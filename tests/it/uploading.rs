//! Forms with files as tests make them: whole, or piece by piece; and folders that are gone after the test.

use std::fs;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::Frame;
use tokio::sync::mpsc;

pub const BOUNDARY: &str = "----a-boundary";

/// A form's body.
pub struct Form(Vec<u8>);

impl Form {
    pub fn new() -> Form {
        Form(Vec::new())
    }

    pub fn text(self, name: &str, value: &str) -> Form {
        self.part(&format!("Content-Disposition: form-data; name=\"{name}\""), value)
    }

    pub fn file(self, name: &str, file: &str, content: impl AsRef<[u8]>) -> Form {
        let head = format!("Content-Disposition: form-data; name=\"{name}\"; filename=\"{file}\"");
        self.part(&format!("{head}\r\nContent-Type: image/png"), content)
    }

    /// A part with this head, right or wrong.
    pub fn part(mut self, head: &str, content: impl AsRef<[u8]>) -> Form {
        self.0.extend_from_slice(format!("--{BOUNDARY}\r\n{head}\r\n\r\n").as_bytes());
        self.0.extend_from_slice(content.as_ref());
        self.0.extend_from_slice(b"\r\n");
        self
    }

    pub fn body(mut self) -> Bytes {
        self.0.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        self.0.into()
    }
}

/// A POST of a form, from a page of ours.
pub fn post<B>(url: &str, cookie: Option<&str>, body: B) -> http::Request<B> {
    let mut request = http::Request::post(url)
        .header("content-type", format!("multipart/form-data; boundary={BOUNDARY}"))
        .header("sec-fetch-site", "same-origin");
    if let Some(cookie) = cookie {
        request = request.header("cookie", cookie);
    }
    request.body(body).expect("a request")
}

/// A body that comes when the test sends it.
pub struct Slow {
    pieces: mpsc::UnboundedReceiver<Bytes>,
    taken: Arc<AtomicUsize>,
}

/// Its other end.
pub struct Sender {
    pieces: mpsc::UnboundedSender<Bytes>,
    taken: Arc<AtomicUsize>,
}

pub fn slow() -> (Sender, Slow) {
    let (sender, pieces) = mpsc::unbounded_channel();
    let taken = Arc::new(AtomicUsize::new(0));
    (Sender { pieces: sender, taken: taken.clone() }, Slow { pieces, taken })
}

impl Sender {
    /// Sends on; whether anybody still reads.
    pub fn send(&self, piece: impl Into<Bytes>) -> bool {
        self.pieces.send(piece.into()).is_ok()
    }

    /// Bytes that were read.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }
}

impl http_body::Body for Slow {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.pieces.poll_recv(cx).map(|piece| {
            let piece = piece?;
            self.taken.fetch_add(piece.len(), Ordering::SeqCst);
            Some(Ok(Frame::data(piece)))
        })
    }
}

/// A folder of one test.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("continuity-it-{}-{number}", std::process::id()));
        fs::create_dir(&path).expect("a folder for the test");
        Folder(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// All files in it and below it.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut folders = vec![self.0.clone()];
        while let Some(folder) = folders.pop() {
            // What is being removed meanwhile is not there.
            let Ok(entries) = fs::read_dir(folder) else { continue };
            for path in entries.flatten().map(|entry| entry.path()) {
                if path.is_dir() { folders.push(path) } else { files.push(path) }
            }
        }
        files
    }

    /// Waits until it has so many files.
    pub async fn has(&self, count: usize) {
        let start = Instant::now();
        while self.files().len() != count {
            assert!(start.elapsed() < Duration::from_secs(20), "{:?}", self.files());
            tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(2)))
                .await
                .expect("slept");
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}
