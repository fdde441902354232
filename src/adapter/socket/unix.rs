//! Unix sockets: made so that nobody gets in whom they are not for, and removed when nobody listens.
//!
//! A socket's file gets its mode between `bind` and `listen`: until then nobody can connect, so that it does not matter
//! what the umask was.

use std::fs::{self, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixSocket, UnixStream};

use super::listener::BACKLOG;
use crate::error::Error;

/// The file of a socket that listens; removed when it does no longer.
#[derive(Debug)]
pub(super) struct Name {
    path: PathBuf,
    /// Device and number of the file: another server may have put its own there meanwhile.
    file: (u64, u64),
}

impl Drop for Name {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|found| number(&found) == self.file) {
            // What cannot be removed is replaced by the next server.
            drop(fs::remove_file(&self.path));
        }
    }
}

/// Listens at this path; only those whom `mode` allows to write can connect.
pub(super) async fn bind(path: PathBuf, mode: u32) -> Result<(UnixListener, Name), Error> {
    make_room(&path).await?;
    let failed = |error| Error::caused(format!("listen on unix:{}", path.display()), error);
    let socket = UnixSocket::new_stream().map_err(failed)?;
    socket.bind(&path).map_err(failed)?;
    let name = set_mode(&path, mode).map(|file| Name { path: path.clone(), file }).map_err(failed)?;
    let listener = socket.listen(BACKLOG).map_err(failed)?;
    Ok((listener, name))
}

/// Removes a socket that nobody listens on: a server that was killed leaves it behind.
async fn make_room(path: &Path) -> Result<(), Error> {
    let Ok(found) = fs::symlink_metadata(path) else { return Ok(()) };
    let told = |says: &str| Error::new(format!("listen on unix:{}: {says}", path.display()));
    if !found.file_type().is_socket() {
        return Err(told(
            "there is a file of that name, and it is no socket; move it away or listen elsewhere",
        ));
    }
    match UnixStream::connect(path).await {
        Ok(_) => Err(told("another program listens there; stop it or listen elsewhere")),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            let failed = |error| Error::caused(format!("remove the old socket {}", path.display()), error);
            fs::remove_file(path).map_err(failed)
        }
        Err(error) => Err(Error::caused(format!("see who listens on unix:{}", path.display()), error)),
    }
}

fn set_mode(path: &Path, mode: u32) -> io::Result<(u64, u64)> {
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    fs::symlink_metadata(path).map(|made| number(&made))
}

fn number(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of this test's own.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("continuity-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).expect("it can be made");
            Folder(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    #[tokio::test]
    async fn a_socket_has_its_mode_and_is_gone_with_its_listener() {
        let folder = Folder::new("mode");
        for mode in [0o600, 0o660, 0o666] {
            let path = folder.0.join("app.sock");
            let listening = bind(path.clone(), mode).await.expect("it can be bound");
            let made = fs::metadata(&path).expect("it is there");
            assert_eq!(made.permissions().mode() & 0o777, mode);
            drop(listening);
            assert!(!path.exists(), "{mode:o}");
        }
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_nothing_else_is() {
        let folder = Folder::new("stale");
        let path = folder.0.join("app.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).expect("a socket"));
        assert!(path.exists(), "the system leaves it");
        let first = bind(path.clone(), 0o600).await.expect("it replaces a stale one");
        let error = bind(path.clone(), 0o600).await.expect_err("somebody listens").to_string();
        assert!(error.contains("another program listens there"), "{error}");
        UnixStream::connect(&path).await.expect("the first one listens on");
        drop(first);
        fs::write(&path, "precious").expect("a file");
        let error = bind(path.clone(), 0o600).await.expect_err("a file is there").to_string();
        assert!(error.contains("it is no socket"), "{error}");
        assert_eq!(fs::read_to_string(&path).expect("it is still there"), "precious");
        let nowhere = bind(folder.0.join("no/app.sock"), 0o600).await.expect_err("no folder").to_string();
        assert!(nowhere.contains("no/app.sock"), "{nowhere}");
    }

    #[tokio::test]
    async fn what_another_server_put_there_stays() {
        let folder = Folder::new("other");
        let path = folder.0.join("app.sock");
        let first = bind(path.clone(), 0o600).await.expect("it can be bound");
        fs::remove_file(&path).expect("somebody removes it");
        let second = bind(path.clone(), 0o600).await.expect("another server");
        drop(first);
        assert!(path.exists());
        drop(second);
        assert!(!path.exists());
    }
}
