//! A chat room by long poll: a visitor's page, what they send and what they hear are three sessions, by path.

use std::time::Duration;

use continuity::prelude::*;
use tokio::sync::watch;

#[path = "port.rs"]
mod port;

pub async fn chat(req: Request) -> Result<()> {
    match &*req.path() {
        "/push" => push(req).await,
        "/send" => send(req).await,
        _ => page(req).await,
    }
}

async fn page(mut req: Request) -> Result<()> {
    loop {
        let home = format!("{}/", req.mount());
        if req.uri() == req.mount() {
            req.redirect(&home)?;
        } else {
            let room = req.app::<Room>();
            let lines = req.read("lines", async || room.since(0)).await?;
            req.print(html! {
                ul id="log" aria-live="polite" { (show(&lines)) }
                form id="say" method="post" action="send" {
                    label { "Name " input name="name" value="Anonymous" maxlength=(NAME); } " "
                    label { "Says " input name="text" maxlength=(TEXT) autocomplete="off" autofocus; } " "
                    button { "Send" }
                }
                script { (PreEscaped(SCRIPT)) }
            });
        }
        req.next().await?;
    }
}

async fn send(mut req: Request) -> Result<()> {
    let line = (req.param::<String>("name")?, req.param::<String>("text")?);
    let room = req.app::<Room>();
    req.once("say", &line, async |_key| room.say(&line.0, &line.1)).await?;
    let home = format!("{}/", req.mount());
    req.redirect(&home)?;
    Ok(())
}

/// Answers as soon as there is a line that the page has not seen, and is over: a journal keeps nothing of it. Tabs take
/// turns: each says what it saw.
async fn push(mut req: Request) -> Result<()> {
    let seen: u64 = req.param("seen")?;
    let room = req.app::<Room>();
    let lines = req.read("new lines", async || room.wait(seen).await).await?;
    req.content_type("text/html; charset=utf-8")?.print(show(&lines));
    Ok(())
}

fn show(lines: &[Line]) -> Markup {
    html! { @for line in lines { li data-number=(line.number) { b { (line.name) } ": " (line.text) } } }
}

const SCRIPT: &str = r#"
const log = document.getElementById("log"), say = document.getElementById("say");
say.onsubmit = async event => {
    event.preventDefault();
    const body = new URLSearchParams(new FormData(say));
    say.elements.text.value = "";
    await fetch("send", { method: "POST", body, redirect: "manual" });
};
(async () => {
    for (;;) {
        try {
            const answer = await fetch("push?seen=" + (log.lastElementChild?.dataset.number ?? 0));
            if (!answer.ok) throw answer.status;
            log.insertAdjacentHTML("beforeend", await answer.text());
        } catch {
            await new Promise(resolve => setTimeout(resolve, 2000));
        }
    }
})();
"#;

/// Lines that are kept.
const LINES: usize = 100;
/// Letters of a name.
const NAME: usize = 30;
/// Letters of a line.
const TEXT: usize = 500;
/// How long a poll is held: less than a stopping server waits for its answers.
const HOLD: Duration = Duration::from_secs(8);

#[derive(Clone, Serialize, Deserialize)]
struct Line {
    number: u64,
    name: String,
    text: String,
}

/// What all visitors share: the last lines. They go with the process.
#[derive(Clone, Default)]
pub struct Room(watch::Sender<Vec<Line>>);

impl Room {
    fn say(&self, name: &str, text: &str) -> Result<()> {
        if text.trim().is_empty() {
            return Ok(());
        }
        let (name, text) = (name.chars().take(NAME).collect(), text.chars().take(TEXT).collect());
        self.0.send_modify(|lines| {
            let number = lines.last().map_or(1, |last| last.number + 1);
            lines.drain(..(lines.len() + 1).saturating_sub(LINES));
            lines.push(Line { number, name, text });
        });
        Ok(())
    }

    fn since(&self, seen: u64) -> Result<Vec<Line>> {
        Ok(self.0.borrow().iter().filter(|line| line.number > seen).cloned().collect())
    }

    async fn wait(&self, seen: u64) -> Result<Vec<Line>> {
        let mut news = self.0.subscribe();
        let heard = news.wait_for(|lines| lines.last().is_some_and(|last| last.number > seen));
        drop(tokio::time::timeout(HOLD, heard).await);
        self.since(seen)
    }
}

pub fn flow() -> Flow {
    Flow::new(chat).map(Map::by_cookie().path())
}

#[tokio::main]
async fn main() -> Result<()> {
    port::run(Server::new(flow()).app(Room::default())).await
}
