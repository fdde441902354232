//! What a response is on the wire: a menu, a text, or bytes as they are.

use http::{Response, header};
use http_body_util::{BodyExt, Limited};
use maud::{DOCTYPE, html};
use tokio::time::timeout;

use super::kind::Kind;
use super::menu::layout::{self, Here, elsewhere};
use super::menu::{Item, Leads, Menu, Place};
use super::selector::Selector;
use super::visit::Visited;
use super::{PAGE, WHOLE};
use crate::body::Body;
use crate::document::parse::parse;

/// What is sent.
#[derive(Debug)]
pub(super) enum Answer {
    Whole(Vec<u8>),
    /// Sent as it comes, by the rules for text.
    Text(Body),
    /// Sent as it comes.
    Raw(Body),
}

impl Answer {
    pub(super) async fn of(visited: Visited, place: &Place) -> Answer {
        match visited {
            Visited::Away(url) => Answer::Whole(away(&url).write(place)),
            Visited::Here(selector, response) => answer(selector, *response, place).await,
        }
    }

    pub(super) fn error(text: &str, place: &Place) -> Answer {
        Answer::Whole(Menu::error(text).write(place))
    }
}

async fn answer(selector: Selector, response: Response<Body>, place: &Place) -> Answer {
    let content_type = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let content_type = content_type.unwrap_or("text/plain").to_owned();
    let (expected, found) = (selector.expects(), Kind::of_type(&content_type));
    if expected.is_raw() && (found.is_raw() || response.status().is_success()) {
        return Answer::Raw(response.into_body());
    }
    match (expected, found) {
        (Kind::Text, Kind::Text) => Answer::Text(response.into_body()),
        (Kind::Text, Kind::Menu) => match page(&selector, response, place).await {
            Ok(menu) | Err(menu) => Answer::Whole(menu.write_text()),
        },
        (_, Kind::Menu) => match page(&selector, response, place).await {
            Ok(menu) | Err(menu) => Answer::Whole(menu.write(place)),
        },
        (_, Kind::Text) => match plain(response).await {
            Ok(menu) | Err(menu) => Answer::Whole(menu.write(place)),
        },
        _ => Answer::Whole(download(selector, found, &content_type).write(place)),
    }
}

/// The menu of a page.
async fn page(selector: &Selector, response: Response<Body>, place: &Place) -> Result<Menu, Menu> {
    let status = response.status();
    let html = whole(response).await?;
    let here = Here { place, url: &selector.url, visitor: selector.visitor.as_deref() };
    let mut menu = layout::menu(&parse(&html), &here);
    // On the web a visitor whose page has no link asks for it again: the cookie is theirs already.
    if selector.visitor.is_some() && !menu.leads_on() {
        menu.go_on(Selector::get(here.visitor, selector.path().to_owned()));
    }
    menu.is_error = status.is_client_error() || status.is_server_error();
    Ok(menu)
}

/// The menu of a text that came where a menu was expected.
async fn plain(response: Response<Body>) -> Result<Menu, Menu> {
    let status = response.status();
    let mut menu = Menu::of_text(&whole(response).await?);
    menu.is_error = status.is_client_error() || status.is_server_error();
    Ok(menu)
}

/// A menu is sent when its page is whole; else a menu that says why there is none.
async fn whole(response: Response<Body>) -> Result<String, Menu> {
    let body = Limited::new(response.into_body(), PAGE).collect();
    match timeout(WHOLE, body).await {
        Ok(Ok(body)) => Ok(String::from_utf8_lossy(&body.to_bytes()).into_owned()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            Err(Menu::error("This page is too large for a menu."))
        }
        Ok(Err(_)) => Err(Menu::error("This page broke off. Please try again in a moment.")),
        Err(_) => Err(Menu::error("This page goes on and on: gopher needs pages that end.")),
    }
}

/// A way to get what came where a menu was expected: the same again, as what it is.
fn download(selector: Selector, kind: Kind, content_type: &str) -> Menu {
    let mut menu = Menu::default();
    let text = format!("Get it ({content_type})");
    menu.item(Item { kind, text, leads: Leads::Here(Selector { kind: Some(kind), ..selector }) });
    menu
}

fn away(url: &str) -> Menu {
    let Some((kind, leads)) = elsewhere(url) else {
        return Menu::error("This leads to where gopher cannot go.");
    };
    let mut menu = Menu::default();
    menu.text("This goes on elsewhere:");
    menu.item(Item { kind, text: url.to_owned(), leads });
    menu
}

/// The page that leads a browser on, for a selector that begins with `URL:`.
pub(super) fn onward(url: &[u8], place: &Place) -> Answer {
    let url = String::from_utf8_lossy(url);
    if elsewhere(&url).is_none() || url.contains(char::is_control) {
        return Answer::error("This leads to where gopher cannot go.", place);
    }
    let page = html! {
        (DOCTYPE)
        meta charset="utf-8";
        meta http-equiv="refresh" content={ "0; url=" (url) };
        title { "On the web" }
        a href=(url) { (url) }
    };
    Answer::Whole(page.into_string().into_bytes())
}
