//! The files beside the journal: its secret, the lock that one server holds, and who is being rebuilt.
//!
//! The secret is not in the journal's own file, so that a copy of the one alone opens nothing.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::chance;
use crate::error::Error;
use crate::journal::store::SLOTS;

/// The file of this ending beside the journal.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Takes the lock, which lives as long as the file that is returned.
pub(super) fn lock(path: &Path) -> Result<File, Error> {
    let lock = beside(path, ".lock");
    let cannot = |error| Error::caused(format!("cannot open {}", lock.display()), error);
    let file = options().read(true).truncate(false).open(&lock).map_err(cannot)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::new(format!(
            "the journal {} is open in another server: stop that one first, or give this one a journal of its own",
            path.display()
        ))),
        Err(TryLockError::Error(error)) => {
            Err(Error::caused(format!("cannot lock {}", lock.display()), error))
        }
    }
}

/// The secret: read, or made where there is no journal yet.
pub(super) fn secret(path: &Path) -> Result<[u8; 32], Error> {
    let key = beside(path, ".key");
    match File::open(&key) {
        Ok(file) => read_secret(file, &key),
        Err(error) if error.kind() == ErrorKind::NotFound && is_new(path) => {
            make_secret(&key).map_err(|error| Error::caused(format!("cannot make {}", key.display()), error))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Err(Error::new(format!(
            "the journal {} is there and its secret {} is not: restore it from the backup",
            path.display(),
            key.display()
        ))),
        Err(error) => Err(Error::caused(format!("cannot open {}", key.display()), error)),
    }
}

/// The secret is not the one that the journal was made with.
pub(super) fn wrong_secret(path: &Path) -> Error {
    let (name, key) = (path.display(), beside(path, ".key"));
    Error::new(format!(
        "{} is not the secret of the journal {name}: restore both from a backup",
        key.display()
    ))
}

/// Fails if there was a journal, and its file is gone or empty: a new one would lose all sessions silently. SQLite would
/// also remove what it has not yet brought into the file.
pub(super) fn not_lost(path: &Path) -> Result<(), Error> {
    // They are written when a journal was opened well for the first time.
    let marks = beside(path, ".marks");
    if !is_new(path) || fs::metadata(&marks).map_or(0, |found| found.len()) == 0 {
        return Ok(());
    }
    Err(Error::new(format!(
        "the journal {} is gone or empty, and {} is there: restore it from a backup, or remove all files of its \
         name to begin anew",
        path.display(),
        marks.display()
    )))
}

/// The secret, for who can do without.
pub(super) fn secret_if_there(path: &Path) -> Result<Option<[u8; 32]>, Error> {
    let key = beside(path, ".key");
    match File::open(&key) {
        Ok(file) => read_secret(file, &key).map(Some),
        Err(_) => Ok(None),
    }
}

/// There is no journal, or one whose first opening did not come as far as to write anything.
fn is_new(path: &Path) -> bool {
    match fs::metadata(path) {
        Ok(found) => found.len() == 0,
        Err(error) => error.kind() == ErrorKind::NotFound,
    }
}

fn read_secret(file: File, key: &Path) -> Result<[u8; 32], Error> {
    let name = key.display();
    let cannot = |error| Error::caused(format!("cannot read {name}"), error);
    if is_open_to_others(&file).map_err(cannot)? {
        return Err(Error::new(format!("others than its owner may read {name}: run `chmod 600 {name}`")));
    }
    let mut text = String::new();
    file.take(100).read_to_string(&mut text).map_err(cannot)?;
    let mut secret = [0; 32];
    const_hex::decode_to_slice(text.trim_end(), &mut secret)
        .map_err(|error| Error::caused(format!("{name} is not 64 hexadecimal digits: restore it"), error))?;
    Ok(secret)
}

#[cfg(unix)]
fn is_open_to_others(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    Ok(file.metadata()?.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_: &File) -> io::Result<bool> {
    Ok(false)
}

/// It is whole or not there, also after the loss of power.
fn make_secret(key: &Path) -> io::Result<[u8; 32]> {
    let mut secret = [0; 32];
    chance::system(&mut secret);
    write_whole(key, format!("{}\n", const_hex::encode(secret)).as_bytes())?;
    Ok(secret)
}

/// Writes a file for its owner alone under another name, and gives it its own when it is on the disk.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let part = beside(path, ".part");
    // What an earlier attempt has left may have another mode.
    match fs::remove_file(&part) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = options().open(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&part, path)?;
    sync_folder(path)
}

/// A file that nobody else may read, if it is made.
pub(super) fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Brings the names in a file's folder to the disk, where folders can be opened.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Writes somewhere in a file; nobody else writes to it meanwhile.
#[cfg(unix)]
pub(super) fn write_at(file: &File, place: u64, bytes: &[u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, place)
}

#[cfg(not(unix))]
pub(super) fn write_at(mut file: &File, place: u64, bytes: &[u8]) -> io::Result<()> {
    file.seek(io::SeekFrom::Start(place)).and_then(|_| file.write_all(bytes))
}

/// Who is being rebuilt: 8 numbers in a file, which the system keeps when the process dies.
#[derive(Debug)]
pub(super) struct Marks(Mutex<File>);

impl Marks {
    /// Opens the file; what was marked in it is returned, and marked no more.
    pub(super) fn open(path: &Path) -> Result<(Self, Vec<u64>), Error> {
        let marks = beside(path, ".marks");
        Marks::take(&marks).map_err(|error| Error::caused(format!("cannot open {}", marks.display()), error))
    }

    fn take(marks: &Path) -> io::Result<(Self, Vec<u64>)> {
        let mut file = options().read(true).truncate(false).open(marks)?;
        let mut bytes = Vec::new();
        (&file).take(SLOTS as u64 * 8).read_to_end(&mut bytes)?;
        let numbers = bytes.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes));
        let marked = numbers.filter(|session| *session != 0).collect();
        file.rewind()?;
        file.write_all(&[0; SLOTS * 8])?;
        Ok((Marks(Mutex::new(file)), marked))
    }

    /// Marks a session in a slot, or none.
    pub(super) fn set(&self, slot: usize, session: Option<u64>) {
        assert!(slot < SLOTS, "slots are below {SLOTS}");
        let file = self.0.lock().expect("no code panics while it marks");
        let written = write_at(&file, slot as u64 * 8, &session.unwrap_or(0).to_le_bytes());
        if let Err(error) = written {
            tracing::warn!("cannot note which session is being rebuilt: {error}");
        }
    }
}
