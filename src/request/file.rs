//! Files that came with a form: looked at, read, saved. What a client calls them is data, never a path.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::Request;
use super::form::{Field, Form};
use crate::error::Error;
use crate::intake::spool::{self, Temp};
use crate::intake::store::Content;
use crate::journal::{FileSent, inside};
use crate::wrong::Wrong;

impl Request {
    /// The file that came with the field of this name; `None` if the visitor chose none. Of several, the first.
    ///
    /// Fails if the form sent the file's name only: it needs `enctype="multipart/form-data"`.
    ///
    /// ```
    /// use continuity::prelude::*;
    ///
    /// async fn portrait(mut req: Request) -> Result<()> {
    ///     req.print(html! {
    ///         form method="post" enctype="multipart/form-data" { input type="file" name="photo"; button { "Send" } }
    ///     });
    ///     let photo = req.next().await?.file("photo")?;
    ///     req.print(match &photo {
    ///         Some(photo) => html! { (photo.name()) ", " (photo.len()) " bytes" },
    ///         None => html! { "No photo" },
    ///     });
    ///     Ok(())
    /// }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # #[cfg(feature = "test")] {
    /// # use continuity::test::Browser;
    /// # let mut browser = Browser::new(portrait);
    /// # browser.get("/").await.attach("photo", "cat.png", "meow").submit().await.shows("cat.png, 4 bytes");
    /// # } }
    /// ```
    pub fn file(&self, name: &str) -> Result<Option<UploadedFile>, Error> {
        self.hit(|hit| {
            let Some(files) = hit.files() else {
                // Of a form that has no files, the parameter would be the file's name.
                return match hit.param(name).filter(|value| !value.is_empty()) {
                    None => Ok(None),
                    Some(_) => {
                        let why = "the form needs enctype=\"multipart/form-data\"";
                        Err(Error::unfit(name, Wrong::File, why))
                    }
                };
            };
            Ok(files.iter().find(|file| file.field() == name).cloned())
        })
    }

    /// All files that came, in order.
    pub fn files(&self) -> Vec<UploadedFile> {
        self.hit(|hit| hit.files().unwrap_or_default().to_vec())
    }
}

impl<A> Form<'_, A> {
    /// A file to choose, with its error. What was chosen is [`Request::file`] when the form is right; its name is the
    /// field's value. Where the form is shown again it is kept, unless the visitor chooses another or lets it go: see the
    /// guide, `docs/sessions.md`.
    pub fn file(&self, field: &str) -> Field {
        self.file_input(field, false)
    }

    /// Several files to choose: [`Request::files`]. Where the form is shown again they are kept, and more can be chosen.
    pub fn files(&self, field: &str) -> Field {
        self.file_input(field, true).multiple()
    }

    fn file_input(&self, field: &str, several: bool) -> Field {
        self.has_files.set(true);
        let mut input = self.input(field, "file").attr("value", "");
        input.more = self.submitted.and_then(|hit| self.kept.hold(hit, field, several));
        input
    }
}

/// A file that came with a form. Small ones are in memory, others in a temporary file that is removed when the last
/// clone is dropped; it may be kept in a local as long as you like, and counts among
/// [`upload_files`](crate::Limits::upload_files).
#[derive(Clone)]
pub struct UploadedFile(Arc<Facts>);

struct Facts {
    field: String,
    name: String,
    kind: Option<String>,
    length: u64,
    content: Content,
    /// The server has a journal, and these bytes will not be in it.
    journaled: bool,
}

impl UploadedFile {
    pub(crate) fn new(sent: FileSent, content: Content, journaled: bool) -> Self {
        let FileSent { field, name, kind, bytes: length } = sent;
        UploadedFile(Arc::new(Facts { field, name, kind, length, content, journaled }))
    }

    /// One that came to a process that is gone.
    pub(crate) fn gone(sent: &FileSent) -> Self {
        UploadedFile::new(sent.clone(), Content::Gone, true)
    }

    /// The name of the form's field.
    pub fn field(&self) -> &str {
        &self.0.field
    }

    /// What the client calls the file: any text, with slashes and dots if they like. Show it; build no path of it.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// What the client says that the file is, like `image/png`. Nobody has looked into it.
    pub fn content_type(&self) -> Option<&str> {
        self.0.kind.as_deref()
    }

    /// How many bytes it has.
    pub fn len(&self) -> u64 {
        self.0.length
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of it.
    pub async fn bytes(&self) -> Result<Bytes, Error> {
        self.check_open()?;
        let Content::Disk(temp) = &self.0.content else { return Ok(self.in_memory()) };
        let (path, held) = (temp.path().to_owned(), self.clone());
        let read = blocking(move || {
            let read = fs::read(path);
            drop(held);
            read
        });
        read.await.map(Bytes::from).map_err(|error| Error::caused("read an uploaded file", error))
    }

    /// Saves it under this path, where nothing may be yet: what is there is not overwritten, and is an error. The whole
    /// file appears at once, and is on the disk when this returns. It can be read by its owner only (0600).
    ///
    /// In the file system of the temporary files ([`Server::upload_dir`](crate::Server::upload_dir)) nothing is
    /// copied. Never make a path of [`name`](Self::name).
    pub async fn save_to(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        self.save(path.as_ref(), publish_new).await
    }

    /// Like [`save_to`](Self::save_to), in place of what may be there.
    pub async fn save_over(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        self.save(path.as_ref(), |made, path| fs::rename(made, path)).await
    }

    async fn save(
        &self,
        path: &Path,
        publish: impl FnOnce(&Path, &Path) -> io::Result<()> + Send + 'static,
    ) -> Result<(), Error> {
        self.check_open()?;
        let (file, target) = (self.clone(), path.to_owned());
        let saved = blocking(move || {
            let beside = Beside::of(&target);
            lay(&file.0.content, &beside.0)?;
            publish(&beside.0, &target)
        });
        saved
            .await
            .map_err(|error| Error::caused(format!("save an uploaded file to {}", path.display()), error))
    }

    /// How many of its bytes are in memory.
    pub(super) fn bytes_in_memory(&self) -> u64 {
        if let Content::Memory(bytes) = &self.0.content { bytes.len() as u64 } else { 0 }
    }

    fn in_memory(&self) -> Bytes {
        match &self.0.content {
            Content::Memory(bytes) => bytes.clone(),
            Content::Disk(_) | Content::Gone => Bytes::new(),
        }
    }

    /// Fails where what is in it cannot be had, or would be missing when the session is rebuilt.
    fn check_open(&self) -> Result<(), Error> {
        if matches!(self.0.content, Content::Gone) {
            return Err(Error::new(
                "the file is gone with the process that got it: have the visitor send it again",
            ));
        }
        if self.0.journaled && !inside::is_inside() {
            return Err(Error::new(
                "with a journal an uploaded file opens inside `once` or `read`, and nowhere else",
            ));
        }
        Ok(())
    }
}

/// Runs what waits for the disk where that holds nobody up.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(error.into()))
}

/// Puts the content, durable, under a name that is free.
fn lay(content: &Content, path: &Path) -> io::Result<()> {
    match content {
        Content::Disk(temp) => link(temp, path).or_else(|_| copy(&mut File::open(temp.path())?, path)),
        Content::Memory(bytes) => copy(&mut &**bytes, path),
        Content::Gone => Err(ErrorKind::NotFound.into()),
    }
}

/// Another name for the same file: where that can be done, nothing is copied.
fn link(temp: &Temp, path: &Path) -> io::Result<()> {
    File::open(temp.path())?.sync_all()?;
    fs::hard_link(temp.path(), path)
}

fn copy(from: &mut impl io::Read, path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    io::copy(from, &mut file)?;
    file.flush()?;
    file.sync_all()
}

/// Unlike a rename, a link never replaces what is there.
fn publish_new(made: &Path, path: &Path) -> io::Result<()> {
    fs::hard_link(made, path)
}

/// A name beside a path, for what will be there. Removed when it is dropped, if it is still there.
struct Beside(PathBuf);

impl Beside {
    fn of(path: &Path) -> Beside {
        Beside(path.with_file_name(format!(".{}.upload", spool::name())))
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0)
            && error.kind() != ErrorKind::NotFound
        {
            tracing::warn!(%error, "what was made to be saved could not be removed");
        }
    }
}

impl std::fmt::Debug for UploadedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UploadedFile")
            .field("field", &self.field())
            .field("name", &self.name())
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
