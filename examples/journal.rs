//! What the examples with a journal share: it lies where `JOURNAL` says, or beside what was built; `JOURNAL=off` is none.

use std::error::Error as _;
use std::path::{Path, PathBuf};

use continuity::prelude::*;

/// The server with a journal of this name, unless nobody wants one.
pub fn keep(server: Server, name: &str) -> Result<Server> {
    let path = match std::env::var_os("JOURNAL") {
        Some(path) if path.is_empty() || path == "off" => return Ok(server),
        Some(path) => path.into(),
        None => usual(name)?,
    };
    Ok(server.journal(open(&path)?))
}

fn open(path: &Path) -> Result<Sqlite> {
    Sqlite::open(path).map_err(|error| {
        let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        format!("{error}{cause} (JOURNAL=path says where the journal is, JOURNAL=off does without)").into()
    })
}

/// `target/continuity/<name>.db`, wherever `target` is: this program is in one of its profiles.
fn usual(name: &str) -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let folder = program.parent().filter(|folder| !folder.ends_with("examples"));
    let profile = folder.or_else(|| program.ancestors().nth(2));
    let folder = profile.and_then(Path::parent).ok_or("say JOURNAL=path")?.join("continuity");
    std::fs::create_dir_all(&folder)
        .map_err(|error| format!("cannot make {}: {error}; say JOURNAL=path", folder.display()))?;
    Ok(folder.join(format!("{name}.db")))
}
