//! A journal's files, damaged: whatever is cut off or flipped, a session goes on from what is whole of it, or its visitor
//! is told, or the file is refused. Nothing panics, and nobody meets a state that never was.

use std::collections::BTreeMap;
use std::fs;
use std::panic;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use continuity::Sqlite;
use continuity::prelude::*;
use continuity::test::Browser;

use crate::folder::Folder;
use crate::progress::Progress;

const FLOWS: [&str; 3] = ["/a", "/b", "/c"];
const WORDS: usize = 6;
/// The journal and what lies beside it, by what is added to its name.
const FILES: [&str; 4] = ["", "-wal", ".key", ".marks"];

async fn list(mut req: Request) -> Result<()> {
    let (mut words, dice): (Vec<String>, u32) = (vec![req.mount()], req.rng().random());
    loop {
        let page = html! { "list=" (words.join(",")) " dice=" (dice) ";" };
        let word: Option<String> = req.print(page).next().await?.param("word")?;
        words.extend(word);
    }
}

fn server(journal: Sqlite) -> Server {
    FLOWS.iter().fold(Server::new(list), |server, flow| server.mount(flow, list)).journal(journal)
}

/// A small journal, whole, and what its visitor knows.
struct Whole {
    folder: Folder,
    files: BTreeMap<&'static str, Vec<u8>>,
    cookie: String,
    /// What each session has told so far, oldest first.
    told: [Vec<String>; 3],
}

/// Goes to a flow, and returns what it tells.
async fn told(browser: &mut Browser, target: &str) -> Option<String> {
    browser.get(target).await;
    let text = browser.text();
    let list = text.split_once("list=")?.1;
    Some(list.split_once(';').expect("it has an end").0.to_owned())
}

impl Whole {
    /// With `closed`, all is in one file; else it is as a crash leaves it.
    async fn new(closed: bool) -> Whole {
        let folder = Folder::in_memory("faults");
        let path = folder.0.join("journal");
        let mut browser = Browser::of(server(Sqlite::open(&path).expect("it opens")));
        let mut all: [Vec<String>; 3] = Default::default();
        for word in 0..=WORDS {
            for (flow, told_so_far) in FLOWS.iter().zip(&mut all) {
                let target = if word == 0 { (*flow).to_owned() } else { format!("{flow}?word={word}") };
                told_so_far.push(told(&mut browser, &target).await.expect("it tells"));
            }
        }
        let cookie = browser.cookie("sid").expect("a visitor has a cookie");
        if closed {
            drop(browser);
            while beside(&path, "-wal").exists() {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        }
        let read = |ending| Some((ending, fs::read(beside(&path, ending)).ok()?));
        let files = FILES.into_iter().filter_map(read).collect();
        Whole { folder, files, cookie, told: all }
    }

    /// The same files with another one in place of this, in a folder of their own.
    fn damaged(&self, ending: &str, bytes: &[u8]) -> PathBuf {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let folder = self.folder.0.join(NEXT.fetch_add(1, Ordering::Relaxed).to_string());
        fs::create_dir(&folder).expect("a folder can be made");
        let path = folder.join("journal");
        for (name, whole) in &self.files {
            let file = beside(&path, name);
            fs::write(&file, if *name == ending { bytes } else { whole }).expect("it is written");
            let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            fs::set_permissions(&file, private).expect("it is ours");
        }
        path
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    PathBuf::from(format!("{}{ending}", path.display()))
}

/// What came of damage, by kind.
#[derive(Default, Debug)]
struct Figures(BTreeMap<&'static str, usize>);

impl Figures {
    fn add(&mut self, kind: &'static str) {
        *self.0.entry(kind).or_default() += 1;
    }
}

/// Opens a damaged journal, looks at each session, and goes on with it.
async fn try_out(whole: &Whole, ending: &str, bytes: &[u8], what: &str, figures: &mut Figures) {
    let path = whole.damaged(ending, bytes);
    let journal = match Sqlite::open(&path) {
        Ok(journal) => journal,
        Err(error) => {
            assert!(error.to_string().contains("journal"), "it is said what is wrong: {error}");
            return figures.add("refused");
        }
    };
    let mut browser = Browser::of(server(journal));
    browser.set_cookie("sid", &whole.cookie);
    for (flow, told_before) in FLOWS.iter().zip(&whole.told) {
        let kind = look(&mut browser, flow, told_before).await;
        figures.add(kind.unwrap_or_else(|why| panic!("{what} of {}: {flow}: {why}", path.display())));
    }
    drop(browser);
    drop(fs::remove_dir_all(path.parent().expect("it is in a folder")));
}

async fn look(browser: &mut Browser, flow: &str, before: &[String]) -> Result<&'static str, String> {
    let Some(now) = told(browser, flow).await else {
        let text = browser.text();
        return match text.as_str() {
            text if text.contains("cannot be restored") => Ok("quarantined"),
            text if text.contains("cannot be looked up") || text.contains("did not happen") => Ok("error"),
            _ => Err(format!("no page of the session, and nothing that says why: {text}")),
        };
    };
    let kind = match before.iter().position(|told| *told == now) {
        Some(place) if place == before.len() - 1 => "as it was",
        Some(_) => "up to what is whole",
        // Chance is another one: it is a new session.
        None if now.starts_with(&format!("{flow} dice=")) => "begun anew",
        None => return Err(format!("{now:?} never was: {before:?}")),
    };
    let more = told(browser, &format!("{flow}?word=x")).await;
    let (list, dice) = now.split_once(' ').expect("two words");
    match more {
        Some(more) if more == format!("{list},x {dice}") => Ok(kind),
        // It could not go on, and says so.
        None => Ok("as it was, then an error"),
        Some(more) => Err(format!("{now:?} is followed by {more:?}")),
    }
}

/// How often the journal's own code has panicked, on whatever thread.
fn panics() -> usize {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let ours = info.location().is_some_and(|place| place.file().contains("src/"));
            let named = std::thread::current().name() == Some("continuity-journal");
            let journal = info.location().is_some_and(|place| place.file().contains("src/journal"));
            COUNT.fetch_add(usize::from(journal || (ours && named)), Ordering::Relaxed);
            before(info);
        }));
    });
    COUNT.load(Ordering::Relaxed)
}

/// Which share of all places is tried.
struct Share {
    first: usize,
    cut: usize,
    flip: usize,
}

impl Share {
    /// At every byte; where the environment says `PART=2/8`, at the second of each eight.
    fn asked() -> Share {
        let part = std::env::var("PART").unwrap_or("1/1".to_owned());
        let numbers =
            part.split_once('/').and_then(|(part, of)| Some((part.parse().ok()?, of.parse().ok()?)));
        let (part, of): (usize, usize) = numbers.expect("PART is like 2/8");
        assert!((1..=of).contains(&part), "PART={part}/{of} is no part");
        Share { first: part - 1, cut: of, flip: of }
    }

    /// How many places of a file are tried.
    fn count(&self, bytes: &[u8]) -> usize {
        self.of(bytes, self.cut).count() + self.of(bytes, self.flip).count()
    }

    /// Small files whole, large ones by samples.
    fn of(&self, bytes: &[u8], step: usize) -> impl Iterator<Item = usize> + use<> {
        let (first, step) = if bytes.len() < 100 { (0, 1) } else { (self.first, step) };
        (first..used(bytes)).step_by(step)
    }
}

/// How much of a file there is to damage: of the zeros that the log has ahead of it, a few are as good as all.
fn used(bytes: &[u8]) -> usize {
    let last = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0);
    bytes.len().min(last + 1_000)
}

/// Cuts files off and flips bits in them.
async fn damage(closed: bool, share: Share) {
    let whole = Whole::new(closed).await;
    let before = panics();
    for (ending, bytes) in &whole.files {
        let (mut cuts, mut flips) = (Figures::default(), Figures::default());
        let mut progress = Progress::new(format!("journal{ending}, closed: {closed}"), share.count(bytes));
        for end in share.of(bytes, share.cut) {
            try_out(&whole, ending, &bytes[..end], &format!("cut off at {end}"), &mut cuts).await;
            progress.goes_on(1, "what is cut off");
        }
        let mut bytes = bytes.clone();
        for place in share.of(&bytes, share.flip) {
            let bit = 1 << (place % 8);
            bytes[place] ^= bit;
            try_out(&whole, ending, &bytes, &format!("flipped at {place}"), &mut flips).await;
            bytes[place] ^= bit;
            progress.goes_on(1, "what is flipped");
        }
        let took = progress.elapsed();
        println!("`journal{ending}` of {} bytes, closed: {closed}, {took}", used(&bytes));
        println!("  cut off: {:?}\n  flipped: {:?}", cuts.0, flips.0);
    }
    assert_eq!(panics(), before, "the journal panicked");
}

#[tokio::test]
async fn r61_a_damaged_journal_as_a_crash_leaves_it_gives_no_wrong_state() {
    damage(false, Share { first: 0, cut: 701, flip: 307 }).await;
}

#[tokio::test]
async fn r61_a_damaged_journal_that_was_closed_gives_no_wrong_state() {
    damage(true, Share { first: 0, cut: 2_111, flip: 211 }).await;
}

#[tokio::test]
#[ignore = "long: cargo xtask soak --faults"]
async fn soak_damage_at_every_byte_as_a_crash_leaves_it() {
    damage(false, Share::asked()).await;
}

#[tokio::test]
#[ignore = "long: cargo xtask soak --faults"]
async fn soak_damage_at_every_byte_that_was_closed() {
    damage(true, Share::asked()).await;
}
