//! Says hello over https: cookies are `Secure` then, and nobody on the way reads or changes anything.
//!
//! The certificate beside this file is for `localhost`, and nobody vouches for it: browsers warn. It was made by
//! ```sh
//! openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 36500 -subj /CN=localhost \
//!     -addext basicConstraints=critical,CA:FALSE -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
//!     -keyout localhost.key.pem -out localhost.pem
//! ```
//! A real one is for your host's name, from an authority like Let's Encrypt: `certbot certonly --standalone -d shop.example`
//! writes `fullchain.pem` and `privkey.pem`. Name them in `CERTIFICATE` and `KEY`; after a renewal send SIGHUP.

use continuity::prelude::*;

pub async fn hello(mut req: Request) -> Result<()> {
    req.print(html! { p { "Hello, " (way(&req)) "!" } a href="?" { "Hello!" } });
    req.next().await?;
    req.print(html! { p { "Hello to you too, " (way(&req)) "!" } a href="?" { "Again" } });
    Ok(())
}

fn way(req: &Request) -> &'static str {
    if req.is_https() { "unheard by others" } else { "and whoever else listens" }
}

#[tokio::main]
async fn main() -> Result<()> {
    let port: u16 = std::env::var("PORT").map_or(Ok(8443), |port| port.parse())?;
    let file = |variable, name| std::env::var(variable).unwrap_or_else(|_| format!("{HERE}/{name}"));
    let https = Http::on(port).tls(file("CERTIFICATE", "localhost.pem"), file("KEY", "localhost.key.pem"));
    let bound = Server::new(hello).listen(https).bind().await?;
    println!("Please contact me at: https://{}/", bound.addresses()[0]);
    bound.run().await
}

/// Where this file is.
const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
