//! `continuity journal …`: looks into journals, takes sessions out of them, and keeps them in order.
//!
//! Whom a session belongs to is never said: the journal knows visitors by a hash, and that stays in it.

mod keep;
mod look;
mod open;
mod take;

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use open::{Failure, Number};

/// What scripts go by.
const CODES: &str = "\
Exit codes:
  0  done
  1  damage was found; all else was done
  2  the command was not understood
  3  it could not be done: the error says why";

#[derive(Parser)]
#[command(name = "continuity", version, about = "Looks after what continuity keeps", after_help = CODES)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Looks into the journal of a server, and takes sessions out of it
    #[command(subcommand, after_help = CODES)]
    Journal(Journal),
}

#[derive(Subcommand)]
enum Journal {
    /// Lists the sessions. Works while a server runs
    #[command(after_help = CODES)]
    List {
        /// The journal, or an export
        path: PathBuf,
        /// Say where each session waits in the program, too
        #[arg(long)]
        long: bool,
        /// As JSON: a list of objects
        #[arg(long)]
        json: bool,
    },
    /// Shows all that is written of a session, a line each. Works while a server runs
    #[command(after_help = CODES)]
    Show {
        /// The journal, or an export
        path: PathBuf,
        /// The session's number, as `list` says it
        session: Number,
    },
    /// Writes sessions to a file: to send it on, or to replay it in a test. Works while a server runs
    #[command(after_help = CODES)]
    Export {
        /// The journal
        path: PathBuf,
        /// The sessions' numbers, as `list` says them
        #[arg(required = true)]
        sessions: Vec<Number>,
        /// Where to write; standard output if it is not said
        #[arg(short, long)]
        output: Option<PathBuf>,
    },
    /// Puts exported sessions into a journal, quarantined: to be looked at. Stop the server first
    #[command(after_help = CODES)]
    Import {
        /// The journal
        path: PathBuf,
        /// The export
        file: PathBuf,
    },
    /// Forgets a session for good. Stop the server first
    #[command(after_help = CODES)]
    Forget {
        /// The journal
        path: PathBuf,
        /// The session's number, as `list` says it
        session: Number,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Forgets sessions that have ended, or could not be rebuilt, some days ago. Stop the server first
    #[command(after_help = CODES)]
    Prune {
        /// The journal
        path: PathBuf,
        /// How long ago they were last used
        #[arg(long, value_name = "DAYS", default_value_t = 7)]
        older_than: u32,
    },
    /// Says what a journal takes on its disk, and what for. Works while a server runs
    #[command(after_help = CODES)]
    Room {
        /// The journal
        path: PathBuf,
    },
    /// Gives the room that a journal does not use back to its disk. Stop the server first
    #[command(after_help = CODES)]
    Compact {
        /// The journal
        path: PathBuf,
    },
    /// Copies a journal and its secret. Works while a server runs
    #[command(after_help = CODES)]
    Backup {
        /// The journal
        path: PathBuf,
        /// Where the copy goes; nothing is overwritten
        to: PathBuf,
    },
    /// Reads all of a journal, runs nothing, and says what is not as it was written. Works while a server runs
    #[command(after_help = CODES)]
    Check {
        /// The journal
        path: PathBuf,
        /// Write all that is whole to a new journal; nothing is overwritten
        #[arg(long, value_name = "TO")]
        save: Option<PathBuf>,
    },
}

/// What was found along the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Whole,
    Damage,
}

fn main() -> ExitCode {
    let Command::Journal(command) = Args::parse().command;
    let mut out = BufWriter::new(io::stdout().lock());
    let done = run(command, &mut out).and_then(|found| Ok(out.flush().map(|()| found)?));
    match done {
        Ok(Found::Whole) => ExitCode::SUCCESS,
        Ok(Found::Damage) => ExitCode::from(1),
        // Whoever reads has read enough.
        Err(failure) if failure.is_broken_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            drop(out.flush());
            eprintln!("error: {failure}");
            ExitCode::from(3)
        }
    }
}

fn run(command: Journal, out: &mut dyn Write) -> Result<Found, Failure> {
    match command {
        Journal::List { path, long, json } => look::list(&path, long, json, out),
        Journal::Show { path, session } => look::show(&path, session, out),
        Journal::Export { path, sessions, output } => take::export(&path, &sessions, output.as_deref(), out),
        Journal::Import { path, file } => take::import(&path, &file, out),
        Journal::Forget { path, session, yes } => keep::forget(&path, session, yes, out),
        Journal::Prune { path, older_than } => keep::prune(&path, older_than, out),
        Journal::Room { path } => look::room(&path, out),
        Journal::Compact { path } => keep::compact(&path, out),
        Journal::Backup { path, to } => keep::backup(&path, &to, out),
        Journal::Check { path, save } => keep::check(&path, save.as_deref(), out),
    }
}
