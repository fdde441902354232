//! Where journals lie while they are measured: a folder on a disk and one in memory, and how fast each is by itself.
//!
//! All that is made there is removed at the end; a run that is broken off leaves its folder behind.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::time::{Duration, Instant};

use super::Bench;
use crate::report;

pub(crate) const DISK: &str = "disk";
pub(crate) const RAM: &str = "RAM disk";
/// A file system in memory that every Linux has.
const RAM_FOLDER: &str = "/dev/shm";
/// The file of a journal in its folder.
const JOURNAL: &str = "sessions.journal";
/// How long a disk is asked what it can do.
const PROBE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) name: &'static str,
    /// How often a second it makes 4 KiB durable.
    pub(crate) syncs: f64,
    folder: PathBuf,
}

impl Place {
    /// The disk, and the RAM disk if there is one.
    pub(crate) fn all(bench: &Bench) -> Result<Vec<Place>, String> {
        let disk = match &bench.options.journal_dir {
            Some(folder) => folder.clone(),
            None => report::default_path().with_file_name(""),
        };
        let mut places = vec![Place::at(DISK, &disk)?];
        if Path::new(RAM_FOLDER).is_dir() {
            places.push(Place::at(RAM, Path::new(RAM_FOLDER))?);
        }
        Ok(places)
    }

    fn at(name: &'static str, folder: &Path) -> Result<Place, String> {
        let folder = folder.join(format!("continuity-bench-{}", process::id()));
        fs::create_dir_all(&folder).map_err(|error| told(&folder, &error))?;
        let mut place = Place { name, syncs: 0.0, folder };
        place.syncs = syncs(&place.folder.join("probe")).map_err(|error| told(&place.folder, &error))?;
        Ok(place)
    }

    /// The path of a journal that is not there yet; one of this name that was there is removed.
    pub(crate) fn fresh(&self, name: &str) -> Result<PathBuf, String> {
        let folder = self.folder.join(name);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(told(&folder, &error)),
            _ => fs::create_dir(&folder).map_err(|error| told(&folder, &error))?,
        }
        Ok(folder.join(JOURNAL))
    }

    /// A durable copy of a journal that no server has open.
    pub(crate) fn copy(&self, journal: &Path, name: &str) -> Result<PathBuf, String> {
        let copy = self.fresh(name)?;
        let (from, to) = (journal.with_file_name(""), copy.with_file_name(""));
        copy_files(&from, &to).map_err(|error| told(&from, &error))?;
        Ok(copy)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("bench: {}", told(&self.folder, &error));
        }
    }
}

fn told(path: &Path, error: &io::Error) -> String {
    format!("journals at {}: {error}", path.display())
}

fn copy_files(from: &Path, to: &Path) -> io::Result<()> {
    for file in fs::read_dir(from)? {
        let file = file?;
        let copy = to.join(file.file_name());
        fs::copy(file.path(), &copy)?;
        File::options().write(true).open(&copy)?.sync_all()?;
    }
    Ok(())
}

/// How often a second 4 KiB at the end of a file become durable.
fn syncs(path: &Path) -> io::Result<f64> {
    let mut file = File::create(path)?;
    let (begin, mut count) = (Instant::now(), 0u32);
    while begin.elapsed() < PROBE {
        file.write_all(&[0x5a; 4096])?;
        file.sync_data()?;
        count += 1;
    }
    let rate = f64::from(count) / begin.elapsed().as_secs_f64();
    fs::remove_file(path)?;
    Ok(rate)
}
