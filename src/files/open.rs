//! Opening: regular files only, never waiting, and of a folder only what is inside of it.
//!
//! All here waits for the disk: call it off the runtime's threads.

use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, openat, statat};

use super::conditions::Stamp;

/// A pipe that nobody writes to does not make it wait.
const FILE: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);
/// A folder to go through, not to list where the system knows the difference; never a link to one.
const FOLDER: OFlags = THROUGH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
#[cfg(target_os = "linux")]
const THROUGH: OFlags = OFlags::PATH;
#[cfg(not(target_os = "linux"))]
const THROUGH: OFlags = OFlags::RDONLY;

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
        Opened::of(openat(CWD, path, FILE, Mode::empty())?.into())
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
    pub(super) fn file(&self, relative: &Path) -> io::Result<Opened> {
        let (folder, name) = self.entry(relative)?;
        is_file(&folder, &name)?;
        Opened::of(openat(&folder, &name, FILE | OFlags::NOFOLLOW, Mode::empty())?.into())
    }

    /// Whether there is such a file.
    pub(super) fn has(&self, relative: &Path) -> bool {
        // Mostly there is nothing: that is told by one call.
        let anything = self.0.join(relative).symlink_metadata();
        anything.and_then(|_| self.entry(relative)).and_then(|(folder, name)| is_file(&folder, &name)).is_ok()
    }

    /// The folder in which a file really lies, and its name there.
    ///
    /// Where links lead is found out first. The way that has no links is then gone from folder to folder, and no link is
    /// followed: whoever changes the folder meanwhile can make it lead nowhere, but not outside.
    fn entry(&self, relative: &Path) -> io::Result<(OwnedFd, OsString)> {
        let real = self.0.join(relative).canonicalize()?;
        let inside = real.strip_prefix(&self.0).map_err(|_| ErrorKind::NotFound)?;
        self.walk(inside)
    }

    /// Goes a way of plain names, and follows no link.
    fn walk(&self, inside: &Path) -> io::Result<(OwnedFd, OsString)> {
        let (Some(way), Some(name)) = (inside.parent(), inside.file_name()) else {
            return Err(ErrorKind::IsADirectory.into());
        };
        let mut folder = openat(CWD, &self.0, FOLDER, Mode::empty())?;
        for part in way {
            folder = openat(&folder, part, FOLDER, Mode::empty())?;
        }
        Ok((folder, name.to_owned()))
    }
}

/// Asked before it is opened: opening a device can do something.
fn is_file(folder: &OwnedFd, name: &OsString) -> io::Result<()> {
    match FileType::from_raw_mode(statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode) {
        FileType::RegularFile => Ok(()),
        FileType::Directory => Err(ErrorKind::IsADirectory.into()),
        _ => Err(ErrorKind::NotFound.into()),
    }
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
    kinds.contains(&error.kind()) || error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_with_a_link_leads_nowhere() {
        let here = std::env::temp_dir().join(format!("continuity-open-{}", std::process::id()));
        std::fs::create_dir_all(here.join("inside")).expect("a folder");
        std::fs::write(here.join("inside/x.txt"), "x").expect("a file");
        for (link, to) in [("link", "inside"), ("inside/y.txt", "x.txt")] {
            std::os::unix::fs::symlink(to, here.join(link)).expect("a link");
        }
        let folder = Folder::open(&here).expect("a folder");
        let walked =
            |path: &str| folder.walk(Path::new(path)).and_then(|(folder, name)| is_file(&folder, &name));
        // A link that came after the way was found.
        let found = ["inside/x.txt", "link/x.txt", "inside/y.txt"].map(|path| walked(path).is_ok());
        let followed = ["link/x.txt", "inside/y.txt"].map(|path| folder.file(Path::new(path)).is_ok());
        std::fs::remove_dir_all(&here).expect("it was made above");
        assert_eq!((found, followed), ([true, false, false], [true, true]));
    }
}
