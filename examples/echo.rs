//! Sends back the body it got; `/json` tells all that was received. Any method is a visit here, even HEAD.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use continuity::prelude::*;

#[path = "port.rs"]
mod port;

pub async fn echo(mut req: Request) -> Result<()> {
    if req.path() == "/json" {
        let received = serde_json::to_vec(&Received::of(&req))?;
        req.send("application/json", received)?;
    } else {
        let body = req.body();
        req.send("text/plain; charset=utf-8", body)?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Received {
    method: String,
    uri: String,
    version: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Received {
    fn of(req: &Request) -> Self {
        let headers = req.headers();
        Received {
            method: req.method().to_string(),
            uri: req.uri(),
            version: format!("{:?}", req.version()),
            headers: headers
                .iter()
                .map(|(name, value)| (name.to_string(), latin1(value.as_bytes())))
                .collect(),
            body: STANDARD.encode(req.body()),
        }
    }
}

/// Header values are bytes; this way each is a letter and none is lost.
fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

pub fn flow() -> Flow {
    Flow::new(echo).purpose(|_| Purpose::Visit)
}

#[tokio::main]
async fn main() -> Result<()> {
    port::run(Server::new(flow())).await
}
