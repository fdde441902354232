//! `export` and `import`: sessions out of a journal, and into another.

use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use continuity::journal::Export;

use crate::Found;
use crate::open::{Failure, Number, to_read, to_write};

/// Writes sessions to a file, or to standard output.
pub(crate) fn export(
    path: &Path,
    sessions: &[Number],
    output: Option<&Path>,
    out: &mut dyn Write,
) -> Result<Found, Failure> {
    let journal = to_read(path)?;
    let mut export = Export::default();
    for Number(session) in sessions {
        export.add(&journal, *session).map_err(|error| Failure::at(path, &error))?;
    }
    let Some(file) = output else {
        if io::stdout().is_terminal() {
            return Err(Failure::new("an export is no text: say where it goes, by `-o FILE`"));
        }
        export.write(out)?;
        return Ok(Found::Whole);
    };
    let written = own_file(file).and_then(|to| export.write(io::BufWriter::new(to)));
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            Failure::new(format!("{} is there already, and nothing is overwritten", file.display()))
        }
        _ => Failure::at(file, &error),
    })?;
    writeln!(out, "sessions written to {}: {}", file.display(), sessions.len())?;
    Ok(Found::Whole)
}

/// A new file that nobody else may read: visitors' words are in it.
fn own_file(path: &Path) -> io::Result<std::fs::File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Puts the sessions of a file into a journal, and says their numbers there.
pub(crate) fn import(path: &Path, file: &Path, out: &mut dyn Write) -> Result<Found, Failure> {
    let bytes = std::fs::read(file).map_err(|error| Failure::at(file, &error))?;
    let export = Export::read(&bytes).map_err(|error| Failure::at(file, &error))?;
    let journal = to_write(path)?;
    let numbers = export.import(&journal).map_err(|error| Failure::at(path, &error))?;
    for ((head, _), number) in export.sessions().zip(numbers) {
        writeln!(out, "session {} is session {} here", Number(head.session), Number(number))?;
    }
    Ok(Found::Whole)
}
