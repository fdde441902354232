//! What the machine does besides the bench, and who runs on which core.
//!
//! Linux only: it reads `/proc` and calls `taskset`. Where they are missing it says so and measures unpinned.

use std::fs;
use std::path::PathBuf;
use std::process::{self, Command, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// `/proc/stat` counts in hundredths of a second on every architecture that Rust's Linux targets have.
const TICK: Duration = Duration::from_millis(10);

/// Which core serves and which one asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pins {
    pub(crate) server: usize,
    pub(crate) generator: usize,
}

/// Where and how a report was made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Setting {
    pub(crate) cores: usize,
    pub(crate) pinned: bool,
    /// What a reader must know before believing the figures.
    pub(crate) notes: Vec<String>,
}

/// Pins this process, and finds the core for servers; `None` with a note if it cannot be done.
pub(crate) fn pin() -> (Option<Pins>, Setting) {
    let cores = allowed_cores();
    let mut notes = Vec::new();
    let pins = match cores[..] {
        [server, generator, ..] => Some(Pins { server, generator }),
        _ => {
            notes.push("fewer than two cores: server and generator share one, unpinned".to_owned());
            None
        }
    };
    let pins = pins.filter(|pins| {
        let done = pin_self(pins.generator);
        if !done {
            notes.push("taskset could not pin: nothing is pinned".to_owned());
        }
        done
    });
    if pins.is_some_and(|pins| siblings(pins.server).contains(&pins.generator)) {
        notes.push("the two cores are hardware threads of one: they slow each other".to_owned());
    }
    (pins, Setting { cores: cores.len(), pinned: pins.is_some(), notes })
}

fn pin_self(core: usize) -> bool {
    let mut taskset = Command::new("taskset");
    taskset.args(["-a", "-c", "-p", &core.to_string(), &process::id().to_string()]);
    taskset.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Pins one thread; whether that could be done.
pub(crate) fn pin_thread(thread: u32, core: usize) -> bool {
    let mut taskset = Command::new("taskset");
    taskset.args(["-c", "-p", &core.to_string(), &thread.to_string()]);
    taskset.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// The thread of a process that has this name.
pub(crate) fn thread_named(pid: u32, name: &str) -> Option<u32> {
    let mut tasks = fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten();
    let named =
        |path: PathBuf| fs::read_to_string(path.join("comm")).is_ok_and(|comm| comm.trim_end() == name);
    tasks.find(|task| named(task.path()))?.file_name().to_str()?.parse().ok()
}

fn allowed_cores() -> Vec<usize> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    cores_in(list.unwrap_or_default())
}

fn siblings(core: usize) -> Vec<usize> {
    let path = format!("/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list");
    cores_in(&fs::read_to_string(path).unwrap_or_default())
}

/// The cores in a list such as `0-2,5`.
fn cores_in(list: &str) -> Vec<usize> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse::<usize>().ok()?..=last.parse::<usize>().ok()?)
    };
    list.trim().split(',').filter_map(range).flatten().collect()
}

/// Watches how much of the machine others use while the bench runs.
#[derive(Debug)]
pub(crate) struct Watch {
    begin: Instant,
    busy: Duration,
    ours: Duration,
}

impl Watch {
    /// Begins now; `servers` is the CPU time that the servers of the bench have used so far.
    pub(crate) fn begin(servers: Duration) -> Self {
        Self { begin: Instant::now(), busy: machine_busy(), ours: own_cpu() + servers }
    }

    /// How many cores others kept busy since the beginning, stolen time of a virtual machine included.
    pub(crate) fn others(&self, servers: Duration) -> f64 {
        let busy = machine_busy().saturating_sub(self.busy);
        let ours = (own_cpu() + servers).saturating_sub(self.ours);
        busy.saturating_sub(ours).as_secs_f64() / self.begin.elapsed().as_secs_f64()
    }
}

fn machine_busy() -> Duration {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    stat.lines().next().map_or(Duration::ZERO, busy_in)
}

/// The busy time in the `cpu` line: user, nice, system, irq, softirq and steal; not idle, not waiting for disks.
fn busy_in(line: &str) -> Duration {
    let ticks: Vec<u32> = line.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
    let busy: u32 =
        ticks.iter().take(8).enumerate().filter(|(at, _)| !matches!(at, 3 | 4)).map(|(_, n)| n).sum();
    TICK * busy
}

/// The CPU time that all threads of this process have used.
fn own_cpu() -> Duration {
    cpu_of(process::id())
}

/// The CPU time that the living threads of a process have used: exact where the kernel keeps schedstat, else in ticks.
pub(crate) fn cpu_of(pid: u32) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let exact: u64 = tasks
        .filter_map(|task| fs::read_to_string(task.path().join("schedstat")).ok())
        .filter_map(|stat| stat.split_whitespace().next()?.parse::<u64>().ok())
        .sum();
    if exact > 0 { Duration::from_nanos(exact) } else { ticks_of(pid) }
}

fn ticks_of(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name stands in parentheses and may hold spaces; user and system time are the 12th and 13th after it.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
    TICK * fields.skip(11).take(2).filter_map(|field| field.parse::<u32>().ok()).sum()
}

/// The memory of a process that is in RAM, in bytes.
pub(crate) fn resident(pid: u32) -> Result<u64, String> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).map_err(|error| format!("read {path}: {error}"))?;
    resident_in(&status).ok_or_else(|| format!("read {path}: no VmRSS"))
}

fn resident_in(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cores_are_read() {
        assert_eq!(cores_in("0-2,5\n"), [0, 1, 2, 5]);
        assert!(cores_in("").is_empty());
    }

    #[test]
    fn busy_is_what_is_not_idle() {
        assert_eq!(busy_in("cpu  1 2 4 100 200 8 16 32 64 0"), TICK * 63);
    }

    #[test]
    fn resident_memory_is_in_bytes() {
        assert_eq!(resident_in("VmHWM: 9 kB\nVmRSS:\t  12 kB\n"), Some(12 * 1024));
    }
}
