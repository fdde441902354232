//! Clients that keep a history: one session of each flow, one hit at a time, each word once.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::checker::{History, Told};
use super::program::FLOWS;

/// Longer than anything takes here, shorter than a test.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the page of a session that cannot be rebuilt says.
const QUARANTINED: &str = "Where you were cannot be restored.";

/// What came of a request.
#[derive(Debug)]
pub enum Came {
    /// A whole answer.
    Answer { status: u16, text: String },
    /// None: nobody knows what became of it.
    Nothing,
}

/// A way to the server: a connection for each hit, or one that is kept, as browsers keep theirs.
#[derive(Default)]
pub struct Line {
    keeps: bool,
    kept: Option<BufReader<TcpStream>>,
}

impl Line {
    pub fn kept() -> Line {
        Line { keeps: true, kept: None }
    }

    /// What is answered; `None` if it does not come or breaks off.
    fn ask(&mut self, address: &str, target: &str, fields: &str) -> Option<String> {
        let stream = self.kept.take().or_else(|| connect(address).map(BufReader::new));
        let mut stream = stream?;
        let close = if self.keeps { "" } else { "Connection: close\r\n" };
        let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{close}{fields}\r\n");
        stream.get_mut().write_all(request.as_bytes()).ok()?;
        let mut answer = Vec::new();
        if self.keeps {
            read_one(&mut stream, &mut answer)?;
            self.kept = Some(stream);
        } else {
            stream.read_to_end(&mut answer).ok()?;
        }
        Some(String::from_utf8_lossy(&answer).into_owned())
    }
}

fn connect(address: &str) -> Option<TcpStream> {
    let stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).and_then(|()| stream.set_nodelay(true)).ok()?;
    Some(stream)
}

/// An answer that says how long it is, and nothing of what comes after it.
fn read_one(stream: &mut BufReader<TcpStream>, answer: &mut Vec<u8>) -> Option<()> {
    while !answer.ends_with(b"\r\n\r\n") {
        let more = stream.read_until(b'\n', answer).ok()?;
        (more > 0).then_some(())?;
    }
    let length = field(&String::from_utf8_lossy(answer), "content-length")?.parse().ok()?;
    stream.take(length).read_to_end(answer).ok().map(drop)
}

/// A field of a head.
fn field(head: &str, name: &str) -> Option<String> {
    let fields = head.lines().filter_map(|line| line.split_once(": "));
    fields.filter(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()).next()
}

/// A visitor: a cookie, and a session of each flow.
pub struct Visitor {
    name: u64,
    cookie: Option<String>,
    pub sessions: Vec<Seen>,
    /// Hits that were answered, that were answered by an error, that were not answered.
    pub counts: [usize; 3],
}

/// A session, as its client knows it.
pub struct Seen {
    flow: &'static str,
    pub history: History,
    /// Words and addresses of the links of the last page.
    links: Vec<(String, String)>,
    next: usize,
    /// How often it was said that it could not be restored.
    pub quarantined: usize,
    /// Where it then begins.
    onward: Option<String>,
    /// The error that was answered last.
    pub error: Option<String>,
}

impl Visitor {
    pub fn new(name: u64) -> Visitor {
        let seen = |flow| Seen {
            flow,
            history: History::default(),
            links: Vec::new(),
            next: 0,
            quarantined: 0,
            onward: None,
            error: None,
        };
        Visitor { name, cookie: None, sessions: FLOWS.map(seen).into(), counts: [0; 3] }
    }

    /// One hit in the session of a flow. `Err` is what is wrong.
    pub fn hit(&mut self, address: &str, flow: usize) -> Result<(), String> {
        self.hit_over(&mut Line::default(), address, flow)
    }

    pub fn hit_over(&mut self, line: &mut Line, address: &str, flow: usize) -> Result<(), String> {
        let (target, word) = self.sessions[flow].choose(self.name);
        if let Some(word) = &word {
            self.sessions[flow].history.sent(word);
        }
        let came = self.get_over(line, address, &target);
        self.sessions[flow].learn(&came, word.is_some()).map_err(|why| format!("{target}: {why}"))
    }

    /// Looks at each session without changing it; all have to answer.
    pub fn look(&mut self, address: &str) -> Result<(), String> {
        for (flow, place) in FLOWS.into_iter().zip(0..) {
            let came = self.get(address, flow);
            if !matches!(came, Came::Answer { status: 200, .. }) {
                return Err(format!("{flow} is not answered: {came:?}"));
            }
            let seen: &mut Seen = &mut self.sessions[place];
            seen.learn(&came, false)?;
        }
        Ok(())
    }

    /// How many of the sessions could not be restored.
    pub fn quarantined(&self) -> usize {
        self.sessions.iter().map(|seen| seen.quarantined).sum()
    }

    pub fn get(&mut self, address: &str, target: &str) -> Came {
        self.get_over(&mut Line::default(), address, target)
    }

    fn get_over(&mut self, line: &mut Line, address: &str, target: &str) -> Came {
        let cookie = self.cookie.as_ref().map(|cookie| format!("Cookie: {cookie}\r\n")).unwrap_or_default();
        let answer = line.ask(address, target, &cookie);
        let came = answer.and_then(|answer| self.read(&answer)).unwrap_or(Came::Nothing);
        self.counts[match &came {
            Came::Answer { status: 200, .. } => 0,
            Came::Answer { .. } => 1,
            Came::Nothing => 2,
        }] += 1;
        came
    }

    /// An answer that is whole.
    fn read(&mut self, answer: &str) -> Option<Came> {
        let (head, text) = answer.split_once("\r\n\r\n")?;
        if field(head, "content-length")?.parse() != Ok(text.len()) {
            return None;
        }
        if let Some(cookie) = field(head, "set-cookie") {
            self.cookie = cookie.split(';').next().map(str::to_owned);
        }
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Came::Answer { status, text: text.to_owned() })
    }
}

impl Seen {
    /// Where to go now, and with which word.
    fn choose(&mut self, visitor: u64) -> (String, Option<String>) {
        self.next += 1;
        if let Some(onward) = self.onward.take() {
            return (onward, None);
        }
        if self.flow != FLOWS[1] {
            // A session begins with its first page.
            if self.history.is_new() && self.next % 2 == 1 {
                return (self.flow.to_owned(), None);
            }
            let word = format!("v{visitor}w{}", self.next);
            return (format!("{}?word={word}", self.flow), Some(word));
        }
        // The same link again until it is answered: it counts once.
        let again = self.history.unknown();
        let link = match again {
            Some(word) => self.links.iter().find(|(of, _)| of == word),
            None => self.links.get(self.next % 2),
        };
        match link {
            Some((word, target)) => (target.clone(), Some(word.clone())),
            None => (self.flow.to_owned(), None),
        }
    }

    fn learn(&mut self, came: &Came, word: bool) -> Result<(), String> {
        let Came::Answer { status, text } = came else { return Ok(()) };
        if text.contains(QUARANTINED) {
            // Explicit: it is over, and another one begins.
            (self.history, self.quarantined) = (History::default(), self.quarantined + 1);
            let onward = text.split_once("<a href=\"").and_then(|(_, rest)| rest.split('"').next());
            self.onward = onward.map(str::to_owned);
            self.links.clear();
            return Ok(());
        }
        let Some((told, mark)) = told(text) else {
            // An error is explicit; nobody knows whether the word is in.
            let explicit = matches!(status, 400.. | 303);
            self.error = Some(format!("{status} {text}"));
            return if explicit { Ok(()) } else { Err(format!("neither page nor error: {status} {text}")) };
        };
        // A newborn that is gone begins anew, and says so.
        let anew = told.n == 0 && self.history.is_new();
        // A link that was tried before may show that it is in, or that it never came.
        let sure = word && !anew && *status == 200 && self.flow != FLOWS[1];
        let explained = self.history.told(told, mark, sure);
        explained.map_err(|why| format!("{why}\n{status} {text}"))?;
        self.links = links(text);
        Ok(())
    }
}

/// What a page tells.
fn told(text: &str) -> Option<(Told, u64)> {
    let mut parts = text.split_once("told=")?.1.split(':');
    let n = parts.next()?.parse().ok()?;
    let chain = u64::from_str_radix(parts.next()?, 16).ok()?;
    Some((Told { n, chain }, parts.next()?.parse().ok()?))
}

/// Texts and addresses of a page's links.
fn links(text: &str) -> Vec<(String, String)> {
    let parts = text.split("<a href=\"").skip(1);
    let link = |part: &str| {
        let (target, rest) = part.split_once('"')?;
        let word = rest.split_once('>')?.1.split('<').next()?;
        word.parse::<u32>().ok()?;
        let target = target.replace("&amp;", "&");
        let target = if target.starts_with('?') { format!("{}{target}", FLOWS[1]) } else { target };
        Some((word.to_owned(), target))
    };
    parts.filter_map(link).collect()
}
