//! Opening: regular files only, never waiting, and of a folder only what is inside of it.
//!
//! All here waits for the disk: call it off the runtime's threads.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;

use super::conditions::Stamp;

/// A regular file that is open, and what it was then.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(super) file: Arc<File>,
    pub(super) length: u64,
    pub(super) stamp: Stamp,
}

impl Opened {
    /// Opens the file of this path, wherever links lead.
    pub(crate) fn at(path: &Path) -> io::Result<Opened> {
        // Asked first: opening a device can do something.
        regular(&path.metadata()?)?;
        Opened::of(open(path, 0)?)
    }

    fn of(file: File) -> io::Result<Opened> {
        let is = file.metadata()?;
        regular(&is)?;
        let state = [
            is.dev().cast_signed(),
            is.ino().cast_signed(),
            is.len().cast_signed(),
            is.mtime(),
            is.mtime_nsec(),
            is.ctime(),
            is.ctime_nsec(),
        ];
        let stamp = Stamp::new(is.modified()?, SystemTime::now(), &state);
        Ok(Opened { file: Arc::new(file), length: is.len(), stamp })
    }
}

/// A folder by its real path.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn open(path: &Path) -> io::Result<Folder> {
        let real = path.canonicalize()?;
        if real.is_dir() { Ok(Folder(real)) } else { Err(ErrorKind::NotADirectory.into()) }
    }

    /// Opens a file below the folder. Links are followed as long as they stay inside.
    ///
    /// The path is followed by hand, what it leads to is opened without following another link, and what was opened
    /// has to lie where it was looked for still: so nothing is gained by changing the folder meanwhile.
    pub(super) fn file(&self, relative: &Path) -> io::Result<Opened> {
        let real = self.real(relative)?;
        regular(&real.symlink_metadata()?)?;
        let opened = Opened::of(open(&real, libc::O_NOFOLLOW)?)?;
        let (is, lies) = (opened.file.metadata()?, self.real(relative)?.symlink_metadata()?);
        if (is.dev(), is.ino()) == (lies.dev(), lies.ino()) {
            Ok(opened)
        } else {
            Err(ErrorKind::NotFound.into())
        }
    }

    /// Whether there is such a file, as far as can be told without opening it.
    pub(super) fn has(&self, relative: &Path) -> bool {
        // Mostly there is nothing: that is told by one call.
        let anything = self.0.join(relative).symlink_metadata();
        anything.and_then(|_| self.real(relative)?.symlink_metadata()).is_ok_and(|is| is.is_file())
    }

    fn real(&self, relative: &Path) -> io::Result<PathBuf> {
        let real = self.0.join(relative).canonicalize()?;
        if real.starts_with(&self.0) { Ok(real) } else { Err(ErrorKind::NotFound.into()) }
    }
}

/// A pipe that nobody writes to does not make it wait.
fn open(path: &Path, flags: i32) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | flags).open(path)
}

fn regular(is: &Metadata) -> io::Result<()> {
    if is.is_file() {
        Ok(())
    } else if is.is_dir() {
        Err(ErrorKind::IsADirectory.into())
    } else {
        Err(io::Error::new(ErrorKind::NotFound, "not a regular file"))
    }
}

/// So many bytes from there on; an error if they are not there any more.
pub(super) fn read(file: &File, from: u64, bytes: usize) -> io::Result<Bytes> {
    let mut buffer = vec![0; bytes];
    file.read_exact_at(&mut buffer, from)?;
    Ok(buffer.into())
}

/// Whether an error says that there is no such file, or none for anybody.
pub(super) fn is_missing(error: &io::Error) -> bool {
    use ErrorKind::{InvalidFilename, InvalidInput, IsADirectory, NotADirectory, NotFound, PermissionDenied};
    let kinds = [InvalidFilename, InvalidInput, IsADirectory, NotADirectory, NotFound, PermissionDenied];
    kinds.contains(&error.kind()) || error.raw_os_error() == Some(libc::ELOOP)
}
