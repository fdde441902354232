//! Gopher: what of a door's promises a menu can keep.

use bytes::Bytes;
use continuity::prelude::*;
use continuity::test::door::{Client, Door, Feature, Open, Reading};
use http::{Request, Response, StatusCode, header};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::check;
use super::client::BoxFuture;

struct Menus;

/// Somebody who keeps the id of the menus they got.
struct GopherClient {
    address: String,
}

impl Door for Menus {
    fn name(&self) -> String {
        "gopher".into()
    }

    fn open(&self, server: Server) -> BoxFuture<'static, Result<Open, BoxError>> {
        Box::pin(async move {
            let bound = server.listen(Gopher::on(0)).bind().await?;
            let address = bound.addresses()[0].clone();
            Ok(Open::serving(bound, move || GopherClient { address: address.clone() }))
        })
    }

    fn lacks(&self) -> Vec<(Feature, &'static str)> {
        vec![
            (
                Feature::Forms,
                "the words of a search are one line, and a line's end in a text is a space in a menu",
            ),
            (Feature::Methods, "a selector asks for a page or sends a form"),
            (Feature::Fields, "there are none"),
            (Feature::Targets, "what a query means arrives, some bytes of it are written in another way"),
            (
                Feature::Statuses,
                "lines of type 3 are all that tells an error; redirects are followed by the adapter",
            ),
            (Feature::Questions, "there is one thing to ask"),
            (Feature::Encryption, "nothing is encrypted"),
            (Feature::Sites, "nobody says where they come from: a selector is a bearer token"),
            (Feature::Uploads, "no file can be sent"),
            (Feature::Sizes, "what a form sends fits in a selector of 255 characters"),
            (Feature::Pages, "a page of more than 256 KiB is no menu"),
            (Feature::Flush, "a menu is sent when its page is whole"),
            (Feature::Pressure, "a menu is sent when its page is whole; files are sent as they are read"),
            (Feature::Lines, "nothing says when to come again"),
            (Feature::Heads, "a selector has at most 255 characters; more is told in a line of type 3"),
        ]
    }
}

impl Client for GopherClient {
    fn ask(
        &mut self,
        request: Request<Bytes>,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<Response<Reading>, BoxError>> + Send + '_>> {
        Box::pin(async move {
            let path = request.uri().to_string();
            let id = request
                .headers()
                .get(header::COOKIE)
                .and_then(|field| field.to_str().ok()?.strip_prefix("id="));
            let selector = match (path.strip_prefix("/@"), id) {
                (Some(selector), _) => format!("@{selector}"),
                (None, Some(id)) => format!("@{id}{path}"),
                (None, None) => path,
            };
            let mut stream = TcpStream::connect(&self.address).await?;
            stream.write_all(format!("{selector}\r\n").as_bytes()).await?;
            let mut menu = String::new();
            stream.read_to_string(&mut menu).await?;
            response(menu)
        })
    }

    fn links(&self, page: &str) -> Vec<(String, String)> {
        items(page).map(|(text, selector)| (text.to_owned(), format!("/{selector}"))).collect()
    }
}

/// The menu as a page: it has failed if it says so, and it tells whose it is.
fn response(menu: String) -> Result<Response<Reading>, BoxError> {
    if !menu.ends_with(".\r\n") {
        return Err(format!("no end: {menu:?}").into());
    }
    let failed = menu.lines().any(|line| line.starts_with('3'));
    let status = if failed { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK };
    let mut response = Response::builder().status(status);
    let id = items(&menu).find_map(|(_, selector)| selector.strip_prefix('@')?.split('/').next());
    if let Some(id) = id {
        response = response.header(header::SET_COOKIE, format!("id={id}; Path=/"));
    }
    Ok(response.body(Reading::whole(menu))?)
}

/// Text and selector of what leads to another menu.
fn items(menu: &str) -> impl Iterator<Item = (&str, &str)> {
    menu.lines().filter_map(|line| {
        let mut fields = line.strip_prefix('1')?.split('\t');
        Some((fields.next()?, fields.next()?))
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gopher_keeps_what_menus_can_keep() {
    check(&Menus).await;
}
