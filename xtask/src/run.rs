//! Running commands: without input, their lines kept, and passed on as they come where someone waits for them.
//!
//! Where nobody sits at a terminal a command has a time limit, so that a test that hangs still ends in a report.

use std::io::{self, BufRead, BufReader, IsTerminal, PipeReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// Several times what the longest command, all tests from a cold start, takes on two cores.
const PATIENCE: Duration = Duration::from_secs(20 * 60);

/// How long a command that ended is still listened to: what it started and left running may hold its output for ever.
const QUIET: Duration = Duration::from_secs(1);

/// A command that ended.
pub(crate) struct Ran {
    pub(crate) success: bool,
    pub(crate) output: String,
}

/// Runs a command and keeps what it says; an error is what it said.
pub(crate) fn quietly(command: Command) -> Result<String, String> {
    let ran = run(command, patience(), |_| {})?;
    if ran.success { Ok(ran.output) } else { Err(ran.output) }
}

/// Runs a command and shows what it says while it says it.
pub(crate) fn aloud(command: Command) -> Result<Ran, String> {
    run(command, patience(), |line| print!("{line}"))
}

/// Runs a command that takes no longer than this, and has somebody hear its lines while it says them.
pub(crate) fn watched(command: Command, limit: Duration, hear: impl Fn(&str)) -> Result<Ran, String> {
    run(command, patience().map(|_| limit), hear)
}

/// Runs a command and returns what it printed, without its errors and warnings.
pub(crate) fn printed(mut command: Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| not_run(&command, &error))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// Runs a command on our own terminal.
pub(crate) fn attached(command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|error| not_run(command, &error))?;
    if status.success() { Ok(()) } else { Err(format!("{}: {status}", spoken(command))) }
}

/// The command as one would type it.
pub(crate) fn spoken(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let program = program.rsplit('/').next().unwrap_or_default().to_owned();
    let args = command.get_args().map(|arg| arg.to_string_lossy().into_owned());
    std::iter::once(program).chain(args).collect::<Vec<_>>().join(" ")
}

/// What a command may take: no end where someone can press Ctrl-C.
fn patience() -> Option<Duration> {
    (!io::stdin().is_terminal()).then_some(PATIENCE)
}

fn run(command: Command, limit: Option<Duration>, hear: impl Fn(&str)) -> Result<Ran, String> {
    let (mut child, lines) = start(command, limit.is_some())?;
    let mut output = String::new();
    let mut keep = |line: &str| {
        hear(line);
        output.push_str(line);
    };
    if !listen(&mut child, &lines, limit, &mut keep) {
        keep("stopped: it took too long\n");
        kill(&child);
    }
    let success = child.wait().map_err(|error| format!("wait: {error}"))?.success();
    if limit.is_some() {
        // What it left running.
        kill(&child);
    }
    Ok(Ran { success, output })
}

/// Hears a command until it ends; false if it took too long.
fn listen(
    child: &mut Child,
    lines: &Receiver<String>,
    limit: Option<Duration>,
    hear: &mut impl FnMut(&str),
) -> bool {
    let start = Instant::now();
    let mut ended = false;
    loop {
        match lines.recv_timeout(QUIET) {
            Ok(line) => hear(&line),
            Err(RecvTimeoutError::Disconnected) => return true,
            Err(RecvTimeoutError::Timeout) if ended => return true,
            Err(RecvTimeoutError::Timeout) => ended = matches!(child.try_wait(), Ok(Some(_))),
        }
        if limit.is_some_and(|limit| start.elapsed() > limit) {
            return ended;
        }
    }
}

/// Starts a command. Alone, it is a process group, so that all it started can be ended with it; at a terminal it stays
/// in ours, for Ctrl-C to reach it.
fn start(mut command: Command, alone: bool) -> Result<(Child, Receiver<String>), String> {
    let (reader, writer) = io::pipe().map_err(|error| format!("pipe: {error}"))?;
    let also = writer.try_clone().map_err(|error| format!("pipe: {error}"))?;
    command.stdin(Stdio::null()).stdout(writer).stderr(also);
    if alone {
        command.process_group(0);
    }
    let child = command.spawn().map_err(|error| not_run(&command, &error))?;
    // The command goes here, and our own ends of the pipe with it: else the lines would never end.
    Ok((child, lines(reader)))
}

fn lines(reader: PipeReader) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut reader = BufReader::new(reader);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                break;
            }
            line.clear();
        }
    });
    receiver
}

/// Ends what is left of a process group.
fn kill(leader: &Child) {
    let kill = format!("kill -KILL -{} 2> /dev/null", leader.id());
    let _ = Command::new("sh").args(["-c", &kill]).stdin(Stdio::null()).status();
}

fn not_run(command: &Command, error: &io::Error) -> String {
    format!("run {}: {error}\n", spoken(command))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn output_and_errors_come_in_order() {
        assert_eq!(quietly(shell("echo a; echo b >&2; printf c")).as_deref(), Ok("a\nb\nc"));
        assert_eq!(quietly(shell("echo a; false")), Err("a\n".to_owned()));
    }

    #[test]
    fn printed_is_without_the_errors() {
        assert_eq!(printed(shell("echo a; echo b >&2")).as_deref(), Ok("a\n"));
        assert_eq!(printed(shell("echo a; echo b >&2; false")), Err("b\n".to_owned()));
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let problem = quietly(Command::new("/nowhere/cargo-nothing")).expect_err("there is none");
        assert!(problem.starts_with("run cargo-nothing: "), "{problem}");
    }

    #[test]
    fn what_a_command_leaves_running_holds_nothing_up() {
        let start = Instant::now();
        assert_eq!(quietly(shell("sleep 20 & echo a")).as_deref(), Ok("a\n"));
        assert!(start.elapsed() < Duration::from_secs(15));
    }

    #[test]
    fn a_command_that_takes_too_long_is_stopped_with_all_it_started() {
        let start = Instant::now();
        let ran =
            run(shell("echo a; sleep 20; echo b"), Some(Duration::ZERO), |_| {}).expect("there is a shell");
        assert!(!ran.success && ran.output.ends_with("stopped: it took too long\n"), "{}", ran.output);
        assert!(start.elapsed() < Duration::from_secs(15));
    }
}
