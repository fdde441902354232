//! What must hold whatever bytes come: a function for each parser, which panics where something does not hold.
//!
//! Only in the library's own tests, which replay `fuzz/corpus`, and with `--cfg continuity_fuzz`, for the programs in
//! `fuzz` that `cargo xtask soak` runs. Not for programs. What is private to a parser is checked beside it.

mod multipart;
mod params;

pub use multipart::multipart;
pub use params::{token, urlencoded};

use crate::{adapter, files, journal, mapper, reply};

/// Panics where something does not hold for these bytes.
pub type Check = fn(&[u8]);

/// All of them, by the names of their programs in `fuzz/targets` and their folders in `fuzz/corpus`.
pub const TARGETS: &[(&str, Check)] = &[
    ("chunks", chunks),
    ("cookie", cookie),
    ("entries", entries),
    #[cfg(feature = "fastcgi")]
    ("fastcgi", fastcgi),
    ("forms", forms),
    ("forwarded", forwarded),
    ("head", head),
    ("menu", menu),
    ("multipart", multipart),
    ("path", path),
    ("range", range),
    ("selector", selector),
    ("token", token),
    ("urlencoded", urlencoded),
];

/// What a client sends on a connection.
pub fn head(bytes: &[u8]) {
    adapter::http::fuzz::stream(bytes);
}

/// What follows the head of a request whose body comes in chunks.
pub fn chunks(bytes: &[u8]) {
    adapter::http::fuzz::chunks(bytes);
}

/// `Cookie` fields, one a line.
pub fn cookie(bytes: &[u8]) {
    mapper::fuzz::cookie(bytes);
}

/// Entries of a journal.
pub fn entries(bytes: &[u8]) {
    journal::fuzz::entries(bytes);
}

/// What a web server sends on a connection of FastCGI.
#[cfg(feature = "fastcgi")]
pub fn fastcgi(bytes: &[u8]) {
    adapter::fastcgi::fuzz::stream(bytes);
}

/// A page that a program prints.
pub fn forms(bytes: &[u8]) {
    reply::fuzz::forms(bytes);
}

/// Fields with their names, one a line.
pub fn forwarded(bytes: &[u8]) {
    mapper::fuzz::forwarded(bytes);
}

/// A page that becomes a menu of Gopher's.
pub fn menu(bytes: &[u8]) {
    adapter::gopher::fuzz::menu(bytes);
}

/// A URL's path.
pub fn path(bytes: &[u8]) {
    files::fuzz::path(bytes);
}

/// A `Range` field, after a byte that says how large the file is.
pub fn range(bytes: &[u8]) {
    files::fuzz::range(bytes);
}

/// What a client of Gopher sends.
pub fn selector(bytes: &[u8]) {
    adapter::gopher::fuzz::selector(bytes);
}

/// Bytes up to the first line's end, and those behind it.
fn line_and_rest(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    (&bytes[..end], bytes.get(end + 1..).unwrap_or_default())
}

/// Lengths to cut bytes by: of their own making, so that the same bytes are always cut alike.
pub(crate) fn pieces(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut left, mut state) = (bytes, bytes.len() as u32);
    std::iter::from_fn(move || {
        let first = *left.first()?;
        state = state.wrapping_mul(1_664_525).wrapping_add(u32::from(first)).wrapping_add(1_013_904_223);
        let (piece, rest) = left.split_at(left.len().min(1 + (state >> 27) as usize));
        left = rest;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    /// What is in a folder of `fuzz`, in order.
    fn entries(folder: &str) -> Vec<PathBuf> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(folder);
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
        paths.sort();
        paths
    }

    fn names(folder: &str) -> Vec<String> {
        let stem = |path: &PathBuf| path.file_stem().expect("a name").to_string_lossy().into_owned();
        entries(folder).iter().map(stem).collect()
    }

    #[test]
    #[cfg(feature = "fastcgi")]
    fn each_target_has_its_program_and_its_corpus() {
        let targets: Vec<_> = TARGETS.iter().map(|(name, _)| *name).collect();
        assert_eq!(names("targets"), targets);
        assert_eq!(names("corpus"), targets);
    }

    #[test]
    fn what_holds_whatever_comes_holds_for_all_of_the_corpus() {
        for (name, check) in TARGETS.iter().copied() {
            let cases = entries(&format!("corpus/{name}"));
            assert!(cases.len() > 5, "{name} has {} cases", cases.len());
            for case in cases {
                let bytes = fs::read(&case).expect("a case");
                assert!(bytes.len() <= 1024, "{} is large", case.display());
                // A failure names its case.
                println!("{}", case.display());
                check(&bytes);
                (0..bytes.len()).for_each(|end| check(&bytes[..end]));
            }
        }
    }

    #[test]
    fn pieces_are_the_whole() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert!(pieces(&bytes).count() > 5);
        assert_eq!(pieces(&bytes).collect::<Vec<_>>().concat(), bytes);
    }
}
