//! The outsider: a crate as a user has it, built outside the workspace from `tests/outsider` and the README's programs.
//!
//! It is put together below the target directory, so that the checkout stays as it is.

use std::fs;
use std::path::Path;

use crate::cargo::Workspace;
use crate::readme;
use crate::run;

/// Where `tests/outsider/Cargo.toml` finds the library.
const LIBRARY: &str = "path = \"../..\"";

/// Builds all programs; says how many the README has.
pub(crate) fn build(workspace: &Workspace) -> Result<String, String> {
    let shown = put_together(workspace)?;
    let manifest = workspace.target.join("outsider/Cargo.toml");
    let mut build = workspace.cargo("build");
    build.arg("--bins").arg("--manifest-path").arg(manifest);
    // As in the workspace: what is built already need not be built again.
    build.env("CARGO_PROFILE_DEV_DEBUG", "1").env("CARGO_TERM_QUIET", "true");
    run::quietly(build)?;
    Ok(format!("{shown} of the README and those of tests/outsider"))
}

fn put_together(workspace: &Workspace) -> Result<usize, String> {
    let programs = readme::programs(&workspace.read("README.md")?);
    if programs.is_empty() {
        return Err("README.md shows no program: no ```rust block in it has a `fn main`".to_owned());
    }
    let (from, to) = (workspace.root.join("tests/outsider"), workspace.target.join("outsider"));
    let bins = to.join("src/bin");
    remove(&bins)?;
    copy_files(&from.join("src/bin"), &bins)?;
    for program in &programs {
        write(&bins.join(format!("readme_line_{}.rs", program.line)), &program.code)?;
    }
    let library = format!("path = {:?}", workspace.root);
    write(&to.join("Cargo.toml"), &workspace.read("tests/outsider/Cargo.toml")?.replace(LIBRARY, &library))?;
    // The workspace's own versions, for the same reason.
    write(&to.join("Cargo.lock"), &workspace.read("Cargo.lock")?)?;
    Ok(programs.len())
}

fn remove(folder: &Path) -> Result<(), String> {
    if folder.exists() { fs::remove_dir_all(folder).map_err(|error| named(folder, &error)) } else { Ok(()) }
}

fn copy_files(from: &Path, to: &Path) -> Result<(), String> {
    fs::create_dir_all(to).map_err(|error| named(to, &error))?;
    for entry in fs::read_dir(from).map_err(|error| named(from, &error))? {
        let entry = entry.map_err(|error| named(from, &error))?;
        fs::copy(entry.path(), to.join(entry.file_name())).map_err(|error| named(&entry.path(), &error))?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| named(path, &error))
}

fn named(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}
