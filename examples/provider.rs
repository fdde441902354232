//! A small provider of accounts, as OAuth has them: a page that asks its visitors, and codes that are worth a name once.

use std::collections::HashMap;
use std::sync::Mutex;

use continuity::prelude::*;

#[path = "partner.rs"]
#[allow(clippy::duplicate_mod, reason = "each example that brings another server along has it")]
pub mod partner;

use partner::{Partner, escaped};

/// How the program is started that is the provider.
pub const NAME: &str = "provider";
/// Which program asks, and how it proves that it is the one. A real one has a secret in its configuration.
const CLIENT: (&str, &str) = ("sign_in", "known to both");

/// Codes that are out, each with the name that it is worth and the address that it was made for.
#[derive(Default)]
pub struct Codes(Mutex<HashMap<String, (String, String)>>);

/// Asks the visitor, and sends them back with a code for whoever sent them.
pub async fn authorize(mut req: Request) -> Result<()> {
    let (client, back, state): (String, String, String) =
        (req.param("client_id")?, req.param("redirect_uri")?, req.param("state")?);
    // A real one knows each program's address. To send visitors wherever a link says is a gift to thieves.
    if client != CLIENT.0 || !back.starts_with("http://") {
        req.set_status(400)?.print("Nobody here knows that program.");
        return Ok(());
    }
    let name = req.choose(ask).await?;
    let answer = match name {
        Some(name) => {
            let code = format!("{:032x}", req.rng().random::<u128>());
            let codes = req.app::<Codes>();
            let mut codes = codes.0.lock().map_err(|_| "the codes are broken")?;
            codes.insert(code.clone(), (name, back.clone()));
            format!("code={code}")
        }
        None => "error=access_denied".to_owned(),
    };
    req.leave_for(&format!("{back}?{answer}&state={}", escaped(&state)))?;
    Ok(())
}

fn ask(c: &Choices<'_, Option<String>>) -> Markup {
    html! {
        h1 { "The provider" }
        p { "A program wants to know who you are." }
        @for name in ["ada", "grace"] { (c.button(format!("I am {name}"), Some(name.to_owned()))) }
        (c.button("It need not know", None))
    }
}

/// Takes a code, once, from the program that it was made for.
pub async fn token(mut req: Request) -> Result<()> {
    let (id, secret): (String, String) = (req.param("client_id")?, req.param("client_secret")?);
    let (code, back): (String, String) = (req.param("code")?, req.param("redirect_uri")?);
    let codes = req.app::<Codes>();
    let found = codes.0.lock().map_err(|_| "the codes are broken")?.remove(&code);
    match found.filter(|(_, made_for)| *made_for == back && (&*id, &*secret) == CLIENT) {
        Some((name, _)) => drop(req.send("text/plain", name)?),
        None => drop(req.set_status(400)?.print("invalid_grant")),
    }
    Ok(())
}

/// The provider as a server.
pub fn server() -> Server {
    let token = Flow::new(token).purpose(|_| Purpose::Visit);
    Server::new(authorize).mount("/token", token).app(Codes::default())
}

/// The way to the provider.
pub struct Provider(Partner);

impl Default for Provider {
    fn default() -> Self {
        Provider(Partner::new(NAME))
    }
}

impl Provider {
    /// The one at this address.
    pub fn at(address: String) -> Self {
        Provider(Partner::at(NAME, address))
    }

    /// The page that asks a visitor, and sends them to `back` with what it was told and `state`.
    pub async fn page(&self, back: &str, state: &str) -> Result<String> {
        let (address, client, back) = (self.0.address().await?, CLIENT.0, escaped(back));
        Ok(format!("http://{address}/?client_id={client}&redirect_uri={back}&state={state}"))
    }

    /// Who has brought this code; `None` if it is worth nothing.
    pub async fn name(&self, code: &str, back: &str) -> Result<Option<String>> {
        let fields =
            [("client_id", CLIENT.0), ("client_secret", CLIENT.1), ("code", code), ("redirect_uri", back)];
        let (status, name) = self.0.ask("/token", &fields).await?;
        Ok((status == 200).then_some(name))
    }
}
