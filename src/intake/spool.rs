//! Temporary files of uploads: private, counted, and gone when nobody holds them.
//!
//! Each server has a folder of its own (0700, its files 0600) whose names are random: nothing in a path comes from a
//! client. A lock on the folder says that its server lives, so one that starts can remove what a killed one left. The
//! files have names, and not only descriptors, so that they can be saved without copying. All here blocks.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::chance;
use crate::limits::Limits;

/// What the folders' names begin with.
const PREFIX: &str = "continuity-uploads-";
/// How often another name is tried when a server that starts takes a new folder for a dead one.
const TRIES: usize = 5;

/// The temporary files of a server.
pub(crate) struct Spool {
    parent: PathBuf,
    folder: Mutex<Option<Arc<Folder>>>,
    most_files: usize,
    most_bytes: u64,
    files: AtomicUsize,
    bytes: AtomicU64,
}

/// Why something could not be written.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// There are as many files, or bytes, as there may be.
    Full,
    Disk(io::Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Trouble::Disk(error)
    }
}

impl Spool {
    /// Below `parent`, or where the system keeps temporary files. The folder is made with the first file.
    pub(crate) fn new(parent: Option<PathBuf>, limits: &Limits) -> Arc<Spool> {
        Arc::new(Spool {
            parent: parent.unwrap_or_else(std::env::temp_dir),
            folder: Mutex::default(),
            most_files: limits.upload_files,
            most_bytes: limits.upload_bytes as u64,
            files: AtomicUsize::new(0),
            bytes: AtomicU64::new(0),
        })
    }

    /// A new file, empty.
    pub(crate) fn create(self: &Arc<Self>) -> Result<Writing, Trouble> {
        let take = |files| (files < self.most_files).then_some(files + 1);
        self.files.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).map_err(|_| Trouble::Full)?;
        let mut temp = Temp(Some(Held { path: PathBuf::new(), bytes: 0, folder: None, spool: self.clone() }));
        let mut opened = self.open(&mut temp);
        if opened.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            // Something has tidied up behind us.
            *self.lock() = None;
            opened = self.open(&mut temp);
        }
        Ok(Writing { file: opened?, temp })
    }

    fn open(&self, temp: &mut Temp) -> io::Result<File> {
        let folder = self.folder()?;
        let path = folder.path.join(name());
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let held = temp.held_mut();
        (held.path, held.folder) = (path, Some(folder));
        Ok(file)
    }

    fn folder(&self) -> io::Result<Arc<Folder>> {
        let mut folder = self.lock();
        if let Some(folder) = &*folder {
            return Ok(folder.clone());
        }
        let made = Arc::new(Folder::make(&self.parent)?);
        Ok(folder.insert(made).clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Arc<Folder>>> {
        self.folder.lock().expect("no code panics while it holds the folder")
    }

    /// Removes the folders of servers that were killed.
    pub(crate) fn sweep(&self) {
        let Ok(entries) = fs::read_dir(&self.parent) else { return };
        for path in entries.flatten().map(|entry| entry.path()) {
            let ours =
                path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(PREFIX.as_bytes()));
            match ours.then(|| remove_if_dead(&path)) {
                Some(Ok(true)) => {
                    tracing::info!(folder = %path.display(), "removed what a killed server left")
                }
                Some(Err(error)) => {
                    tracing::debug!(%error, folder = %path.display(), "uploads of a killed server")
                }
                Some(Ok(false)) | None => {}
            }
        }
    }

    /// How many files there are, and how many bytes are in them.
    #[cfg(any(test, continuity_fuzz))]
    pub(crate) fn load(&self) -> (usize, u64) {
        (self.files.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }
}

/// A folder of one server, locked as long as it lives.
struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    fn make(parent: &Path) -> io::Result<Folder> {
        for _ in 0..TRIES {
            let path = parent.join([PREFIX, &name()].concat());
            DirBuilder::new().mode(0o700).create(&path)?;
            // Until it is locked, a server that starts takes it for a dead one's.
            let Ok(lock) = open_folder(&path) else { continue };
            let same = |facts: fs::Metadata| lock.metadata().is_ok_and(|own| own.ino() == facts.ino());
            if lock.try_lock().is_ok() && fs::symlink_metadata(&path).is_ok_and(same) {
                return Ok(Folder { path, _lock: lock });
            }
        }
        Err(io::Error::new(ErrorKind::ResourceBusy, "others remove the folders for uploads"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Empty: whoever had a file in it held the folder too. If not, the next start removes it.
        drop(fs::remove_dir(&self.path));
    }
}

/// Whether a folder was a dead server's, and is gone now.
fn remove_if_dead(path: &Path) -> io::Result<bool> {
    if !fs::symlink_metadata(path)?.is_dir() {
        return Ok(false);
    }
    let lock = open_folder(path)?;
    if lock.try_lock().is_err() {
        return Ok(false);
    }
    fs::remove_dir_all(path).map(|()| true)
}

/// Opens a folder, and nothing else: `.` is in folders only.
fn open_folder(path: &Path) -> io::Result<File> {
    File::open(path.join("."))
}

/// A name that nobody can guess.
pub(crate) fn name() -> String {
    let mut bytes = [0; 16];
    chance::system(&mut bytes);
    const_hex::encode(bytes)
}

/// A file that is being written.
pub(crate) struct Writing {
    file: File,
    temp: Temp,
}

impl Writing {
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        self.temp.grow(bytes.len() as u64)?;
        Ok(self.file.write_all(bytes)?)
    }

    /// Closes it.
    pub(crate) fn done(self) -> Temp {
        self.temp
    }
}

/// A temporary file. It is removed when this is dropped, on a thread that may wait for the disk.
pub(crate) struct Temp(Option<Held>);

/// Its drop removes the file and gives its room back.
struct Held {
    path: PathBuf,
    bytes: u64,
    folder: Option<Arc<Folder>>,
    spool: Arc<Spool>,
}

impl Temp {
    pub(crate) fn path(&self) -> &Path {
        &self.0.as_ref().expect("there until it is dropped").path
    }

    fn held_mut(&mut self) -> &mut Held {
        self.0.as_mut().expect("there until it is dropped")
    }

    /// Takes room for more bytes.
    fn grow(&mut self, more: u64) -> Result<(), Trouble> {
        let held = self.held_mut();
        let most = held.spool.most_bytes;
        let take = |bytes: u64| bytes.checked_add(more).filter(|bytes| *bytes <= most);
        let taken = held.spool.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        taken.map_err(|_| Trouble::Full)?;
        held.bytes += more;
        Ok(())
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        let held = self.0.take();
        // Without a runtime, or with one that is going away, it is dropped here.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || drop(held))),
            Err(_) => drop(held),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.folder.is_some()
            && let Err(error) = fs::remove_file(&self.path)
            && error.kind() != ErrorKind::NotFound
        {
            tracing::warn!(%error, "a temporary file could not be removed");
        }
        self.spool.files.fetch_sub(1, Ordering::Relaxed);
        self.spool.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder for one test, removed with it.
    struct Parent(PathBuf);

    impl Parent {
        fn new() -> Parent {
            let path = std::env::temp_dir().join(format!("continuity-test-{}", name()));
            fs::create_dir(&path).expect("a folder for the test");
            Parent(path)
        }

        fn spool(&self, change: impl FnOnce(&mut Limits)) -> Arc<Spool> {
            let mut limits = Limits::default();
            change(&mut limits);
            Spool::new(Some(self.0.clone()), &limits)
        }

        /// The folders of servers.
        fn folders(&self) -> Vec<PathBuf> {
            let entries = fs::read_dir(&self.0).expect("it is there");
            entries.map(|entry| entry.expect("an entry").path()).collect()
        }
    }

    impl Drop for Parent {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).expect("it is there").mode() & 0o7777
    }

    #[test]
    fn r47_temporary_files_are_private_and_gone_when_dropped() {
        let parent = Parent::new();
        let spool = parent.spool(|_| {});
        assert!(parent.folders().is_empty(), "no folder without a file");
        let mut writing = spool.create().expect("a file");
        writing.write(b"some bytes").expect("room");
        let temp = writing.done();
        assert_eq!(fs::read(temp.path()).expect("it is there"), b"some bytes");
        assert_eq!((mode(&parent.folders()[0]), mode(temp.path())), (0o700, 0o600));
        assert_eq!(spool.load(), (1, 10));
        let path = temp.path().to_owned();
        drop(temp);
        assert!(!path.exists());
        assert_eq!(spool.load(), (0, 0));
        drop(spool);
        assert!(parent.folders().is_empty());
    }

    #[test]
    fn r47_files_and_bytes_are_capped_and_come_back() {
        let parent = Parent::new();
        let spool = parent.spool(|limits| (limits.upload_files, limits.upload_bytes) = (2, 10));
        let mut first = spool.create().expect("a file");
        let mut second = spool.create().expect("a second one");
        assert!(matches!(spool.create(), Err(Trouble::Full)));
        first.write(b"12345678").expect("room");
        assert!(matches!(second.write(b"123"), Err(Trouble::Full)));
        second.write(b"12").expect("this much fits");
        drop(first);
        second.write(b"12345678").expect("there is room again");
        assert!(spool.create().is_ok());
    }

    #[test]
    fn r47_what_a_dead_server_left_is_removed_and_nothing_else() {
        let parent = Parent::new();
        let alive = parent.spool(|_| {});
        let file = alive.create().expect("a file").done();
        let dead = parent.0.join(format!("{PREFIX}dead"));
        fs::create_dir(&dead).expect("made");
        fs::write(dead.join("upload"), b"left").expect("written");
        let others = [parent.0.join("others"), parent.0.join(format!("{PREFIX}file"))];
        fs::create_dir(&others[0]).expect("made");
        fs::write(&others[1], b"a file of that name").expect("written");
        std::os::unix::fs::symlink(&others[0], parent.0.join(format!("{PREFIX}link"))).expect("made");
        parent.spool(|_| {}).sweep();
        assert!(!dead.exists());
        assert!(file.path().exists() && others.iter().all(|path| path.exists()));
    }

    #[test]
    fn a_folder_that_was_tidied_away_is_made_again() {
        let parent = Parent::new();
        let spool = parent.spool(|_| {});
        drop(spool.create().expect("a file"));
        fs::remove_dir_all(&parent.folders()[0]).expect("tidied away");
        let file = spool.create().expect("a file").done();
        assert!(file.path().exists());
    }
}
