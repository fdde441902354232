//! A copy of the journal while it is in use, with its secret.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::Sqlite;
use super::beside::{beside, options, sync_folder, write_whole};
use super::fault::failed;
use crate::error::Error;

impl Sqlite {
    /// Copies the journal and its secret to this path, also while it is written to. Nothing is overwritten.
    ///
    /// The copy is a journal like any other: open it where it lies.
    pub fn backup(&self, to: impl AsRef<Path>) -> Result<(), Error> {
        let to = to.as_ref();
        let cannot = |error: io::Error| Error::caused(format!("cannot write {}", to.display()), error);
        let key = beside(to, ".key");
        for path in [to, &key] {
            if path.try_exists().map_err(cannot)? {
                let name = path.display();
                return Err(Error::new(format!("{name} is there already, and a backup overwrites nothing")));
            }
        }
        let Some(secret) = self.opened.secret else {
            return Err(Error::new(format!(
                "the secret {}.key is not there to be copied",
                self.path.display()
            )));
        };
        let part = beside(to, ".part");
        let copied = self.copy(&part).and_then(|()| {
            write_whole(&key, format!("{}\n", const_hex::encode(secret)).as_bytes()).map_err(cannot)?;
            fs::rename(&part, to).and_then(|()| sync_folder(to)).map_err(cannot)
        });
        // What is half done must not be taken for a backup.
        copied.inspect_err(|_| drop(fs::remove_file(&part)))
    }

    fn copy(&self, part: &Path) -> Result<(), Error> {
        let name = part.display();
        let cannot = |error| Error::caused(format!("cannot write {name}"), error);
        let text = part.to_str();
        let text = text.ok_or_else(|| Error::new(format!("{name}: SQLite needs a path in UTF-8")))?;
        options().truncate(true).open(part).map_err(cannot)?;
        let conn = self.reader.connection();
        let conn = conn.map_err(|error| Error::caused("cannot read the journal", error))?;
        let copied = conn.execute("VACUUM INTO ?1", [text]);
        copied
            .map_err(|error| Error::caused("cannot copy the journal", failed("copy the journal", error)))?;
        File::open(part).and_then(|file| file.sync_all()).map_err(cannot)
    }
}
