//! The tasks of this repository, in plain Rust: `cargo xtask test`, which decides whether a change is good, and a few
//! helps beside it.

mod cargo;
mod deny;
mod links;
mod outsider;
mod readme;
mod report;
mod run;
mod soak;
mod test;

use std::process::ExitCode;

use cargo::Workspace;

const HELP: &str = "\
cargo xtask test [step…]         everything that must hold before a change lands, or only the named steps
cargo xtask soak [--minutes N]   looks for bytes that break the parsers
cargo xtask soak --faults        kills, fails, damages and crowds a journal at every point there is, and clicks about
cargo xtask bench [args]         the measurements; the arguments go to the bench program
cargo xtask docs                 the library's documentation, and where it is
cargo xtask help                 this list";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &[String]) -> Result<(), String> {
    let (task, rest) = match args.split_first() {
        Some((task, rest)) => (task.as_str(), rest),
        None => ("help", args),
    };
    match task {
        // The summary, which names what failed, is the last line of all: no error stands below it.
        "test" => test::test(&Workspace::find()?, rest).map(end),
        "soak" => soak::soak(&Workspace::find()?, rest).map(end),
        "bench" => bench(&Workspace::find()?, rest),
        "docs" => docs(&Workspace::find()?),
        "help" | "-h" | "--help" => {
            println!("{HELP}");
            Ok(())
        }
        unknown => Err(format!("there is no task `{unknown}`; there are:\n{HELP}")),
    }
}

fn end(good: bool) {
    if !good {
        std::process::exit(1)
    }
}

/// Builds all that is measured, then measures.
fn bench(workspace: &Workspace, args: &[String]) -> Result<(), String> {
    const PACKAGE: [&str; 3] = ["--release", "-p", "continuity-bench"];
    run::attached(workspace.cargo("build").args(PACKAGE).arg("--bins"))?;
    run::attached(workspace.cargo("run").args(PACKAGE).args(["--bin", "bench", "--"]).args(args))
}

fn docs(workspace: &Workspace) -> Result<(), String> {
    run::attached(workspace.cargo("doc").args(test::DOCS))?;
    println!("{}", workspace.target.join("doc/continuity/index.html").display());
    Ok(())
}
