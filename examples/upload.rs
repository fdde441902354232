//! Takes several files, and shows how far they are while they come in; without a script.

use continuity::prelude::*;

#[path = "port.rs"]
mod port;

/// Each path is a session of its own: the page with the form, and the frame on it that shows what is on its way.
pub async fn upload(req: Request) -> Result<()> {
    if req.path() == "/progress" { progress(req).await } else { files(req).await }
}

#[derive(Deserialize)]
struct Note {
    note: String,
}

async fn files(mut req: Request) -> Result<()> {
    let frame = [&*req.mount(), "/progress"].concat();
    let mut came: Vec<UploadedFile> = Vec::new();
    loop {
        let Note { note } = req
            .ask(|f| {
                html! {
                    h1 { "Files: " (came.len()) }
                    ul { @for file in &came { li { (file.name()) ", " (kind(file)) ", " (file.len()) " bytes" } } }
                    (f.files("files")) (f.text("note")) button { "Send" }
                    iframe src=(frame) title="Progress" style="border: 0; width: 100%; height: 5rem" {}
                }
            })
            .await?;
        // They are removed with this session: `file.save_to(…)` keeps one.
        came.extend(req.files());
        req.inform(html! { "Thank you" @if !note.is_empty() { ": " (note) } }).await?;
    }
}

fn kind(file: &UploadedFile) -> &str {
    file.content_type().unwrap_or("of no type")
}

async fn progress(mut req: Request) -> Result<()> {
    // A document of its own: no layout around it. It has no links: whoever comes again is shown it anew.
    let page = |c: &Choices<'_, ()>| {
        html! {
            html {
                head { title { "Progress" } meta http-equiv="refresh" content="1"; }
                body {
                    @for upload in c.uploads() {
                        p { progress value=(upload.received) max=[upload.total] {} " " (upload.received / 1024) " KiB" }
                    }
                }
            }
        }
    };
    Ok(req.choose(page).await?)
}

pub fn flow() -> Flow {
    Flow::new(upload).map(Map::by_cookie().path())
}

#[tokio::main]
async fn main() -> Result<()> {
    port::run(Server::new(flow())).await
}
