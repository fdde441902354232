//! The program under test: three flows that keep a list of words, over a journal in a file.
//!
//! It is this very binary, started again with one ignored test and a folder in its environment. It says where it listens
//! by a file in that folder, and logs to its standard error.

use std::fmt::{Debug, Write as _};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use continuity::prelude::*;
use tracing::field::{Field, Visit};

use super::checker::Told;

/// The test to start.
pub const NAME: &str = "crash::program::runs_as_a_process_of_its_own";
/// Names the folder in the environment.
pub const FOLDER: &str = "CRASH_FOLDER";
/// Where the journal is, in the folder: what is there may be a disk of its own.
pub const JOURNAL: &str = "disk/journal";
/// How many sessions may be in memory, and after how many seconds they are parked.
pub const IN_MEMORY: &str = "CRASH_IN_MEMORY";
pub const PARK: &str = "CRASH_PARK";

/// After how many seconds sessions are idle, and how long they are kept then.
pub const IDLE: &str = "CRASH_IDLE";

pub const FLOWS: [&str; 3] = ["/pages", "/links", "/effects"];

impl Render for Told {
    fn render_to(&self, buffer: &mut String) {
        write!(buffer, "<p>told={}:{:016x}:", self.n, self.chain).expect("a string takes all");
    }
}

/// What is on all pages.
fn shown(told: Told, mark: u64) -> Markup {
    html! { (told) (mark) ":" }
}

/// Printed pages, plain parameters.
pub async fn pages(mut req: Request) -> Result<()> {
    let (mut told, mark) = (Told::default(), req.rng().random());
    loop {
        let word: Option<String> = req.print(shown(told, mark)).next().await?.param("word")?;
        told = word.map_or(told, |word| told.with(&word));
    }
}

/// Links whose values are words.
pub async fn links(mut req: Request) -> Result<()> {
    let (mut told, mark) = (Told::default(), req.rng().random());
    loop {
        let words: [u32; 2] = [req.rng().random(), req.rng().random()];
        let word = req
            .choose(|c| html! { (shown(told, mark)) @for word in words { (c.link(word, word.to_string())) } })
            .await?;
        told = told.with(&word);
    }
}

/// An effect for each word: it is noted in a file, with its key.
pub async fn effects(mut req: Request) -> Result<()> {
    let (mut told, mark) = (Told::default(), req.rng().random());
    loop {
        let word: Option<String> = req.print(shown(told, mark)).next().await?.param("word")?;
        let Some(word) = word else { continue };
        let at = req.read_blocking("length", length_of(&req)).await?;
        let (path, noted) = (req.app::<PathBuf>(), word.clone());
        let note = move |key: Key| note(&path, &noted, &key);
        let _: () = req.once_blocking("note", &(at, &word), note).await?;
        told = told.with(&word);
    }
}

fn length_of(req: &Request) -> impl FnOnce() -> Result<u64, std::io::Error> + Send + use<> {
    let path = req.app::<PathBuf>();
    move || Ok(fs::metadata(&*path).map_or(0, |facts| facts.len()))
}

fn note(path: &Path, word: &str, key: &Key) -> Result<(), std::io::Error> {
    let mut file = File::options().append(true).create(true).open(path)?;
    file.write_all(format!("{word} {key}\n").as_bytes())
}

/// Effects in whose middle the process dies, when they are tried for the first time.
async fn dying(mut req: Request) -> Result<()> {
    let path = req.app::<PathBuf>();
    let mut said = "nothing".to_owned();
    loop {
        let word: Option<String> = req.print(html! { "said=" (said) ":" }).next().await?.param("word")?;
        let (path, Some(word)) = (path.clone(), word) else { continue };
        let noted = word.clone();
        let act = async move |key: Key| die(&path, &noted, &key);
        let done: Result<u32, Error> = match word.as_str() {
            "sure" => req.at_most_once("die", &word, act).await,
            _ => req.once("die", &word, act).await,
        };
        said = match done {
            Ok(times) => format!("{word} {times}"),
            Err(error) if error.is_unknown() => format!("{word} unknown"),
            Err(error) => return Err(error.into()),
        };
    }
}

fn die(path: &Path, word: &str, key: &Key) -> Result<u32, std::io::Error> {
    note(path, word, key)?;
    let times = fs::read_to_string(path)?.lines().filter(|line| line.starts_with(word)).count();
    if times == 1 {
        std::process::abort();
    }
    Ok(2)
}

/// How long [`sleepy`] sleeps.
pub const NAP: Duration = Duration::from_secs(2);

async fn sleepy(mut req: Request) -> Result<()> {
    let mut naps = 0;
    loop {
        req.print(html! { "naps=" (naps) ":" }).next().await?;
        req.sleep(NAP).await;
        naps += 1;
    }
}

/// The flows, with this journal; effects go to the file `outside` in the folder.
pub fn server(folder: &Path, journal: Sqlite) -> Server {
    let number = |name: &str| std::env::var(name).ok().and_then(|number| number.parse().ok());
    let server = Server::new(pages).mount(FLOWS[0], pages).mount(FLOWS[1], links).mount(FLOWS[2], effects);
    let server = server.mount("/dying", dying).mount("/sleepy", sleepy);
    // Each life has a port of its own, and the cookie's name would have it too.
    server.app(folder.join("outside")).cookie("sid").journal(journal).limits(|limits| {
        limits.in_memory = number(IN_MEMORY).unwrap_or(limits.in_memory);
        if let Some(idle) = number(IDLE) {
            let idle = Duration::from_secs(idle as u64);
            (limits.idle_journaled, limits.ended, limits.linger) = (idle, idle, idle);
        }
        limits.park = number(PARK).map_or(limits.park, |seconds| Duration::from_secs(seconds as u64));
        limits.grace = Duration::from_secs(1);
    })
}

/// Says errors and warnings to the standard error.
struct Log;

impl tracing::Subscriber for Log {
    fn enabled(&self, about: &tracing::Metadata<'_>) -> bool {
        *about.level() <= tracing::Level::INFO
    }

    fn event(&self, event: &tracing::Event<'_>) {
        struct Text(String);
        impl Visit for Text {
            fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
                write!(self.0, " {field}={value:?}").expect("a string takes all");
            }
        }
        let mut text = Text(event.metadata().level().to_string());
        event.record(&mut text);
        text.0.push('\n');
        // Where the fault that is tried hits the log, the log is not what is tested.
        drop(std::io::stderr().write_all(text.0.as_bytes()));
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

async fn serve(folder: &Path) -> Result<()> {
    let server = server(folder, Sqlite::open(folder.join(JOURNAL))?);
    let bound = server.listen(Http::on("127.0.0.1:0")).bind().await?;
    let said = format!("{} {}", std::process::id(), bound.addresses()[0]);
    fs::write(folder.join("saying"), said).and_then(|()| {
        // It is there as a whole or not.
        fs::rename(folder.join("saying"), folder.join("address"))
    })?;
    bound.run().await
}

#[test]
#[ignore = "other tests start it"]
fn runs_as_a_process_of_its_own() {
    let folder = PathBuf::from(std::env::var_os(FOLDER).expect("other tests start it, with a folder"));
    tracing::subscriber::set_global_default(Log).expect("there is no other");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let served = runtime.block_on(serve(&folder));
    if let Err(error) = served {
        let cause = error.source().map(ToString::to_string).unwrap_or_default();
        eprintln!("REFUSED {error}: {cause}");
        std::process::exit(3);
    }
}
