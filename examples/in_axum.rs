//! Mounted in axum: the login is axum's own, and behind it a cart is a session. Try `ada` and `sesame`.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::{Form, Request as Hit, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::{Router, routing::get};
use continuity::prelude::*;

#[path = "port.rs"]
#[expect(dead_code, reason = "axum runs this one")]
mod port;

/// What the guard writes, and nobody else: it overwrites what clients send.
const USER: &str = "x-user";

pub async fn cart(mut req: Request) -> Result<()> {
    let (user, mut cart) = (req.header(USER).unwrap_or_default(), Vec::new());
    loop {
        let item: String = req
            .choose(|c| {
                html! {
                    h1 { "The cart of " (user) }
                    ul { @for item in &cart { li { (item) } } }
                    p { (c.link("Tea", "tea".to_owned())) " " (c.link("Scones", "scones".to_owned())) }
                    p { a href="/login" { "Somebody else" } }
                }
            })
            .await?;
        cart.push(item);
    }
}

/// Who is logged in, by the value of their cookie. A real program keeps this in a database.
type Doors = Arc<Mutex<HashMap<String, String>>>;

pub fn app(doors: Doors, shop: continuity::Mounted) -> Router {
    let inside = Router::new().nest_service("/shop", shop).layer(from_fn_with_state(doors.clone(), guard));
    let login = get(Html(
        "<form method=post>Name <input name=name> Password <input name=password type=password> <button>Log in",
    ));
    let start = get(Redirect::to("/shop/"));
    Router::new().route("/", start).route("/login", login.post(enter)).with_state(doors).merge(inside)
}

async fn guard(State(doors): State<Doors>, mut hit: Hit, next: Next) -> Response {
    let user = user(&doors, hit.headers());
    match user.and_then(|user| HeaderValue::try_from(user).ok()) {
        None => Redirect::to("/login").into_response(),
        Some(user) => {
            hit.headers_mut().insert(USER, user);
            next.run(hit).await
        }
    }
}

fn user(doors: &Doors, headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get(header::COOKIE)?.to_str().ok()?;
    let door = Cookie::split_parse(cookies).flatten().find(|cookie| cookie.name() == "door")?;
    doors.lock().ok()?.get(door.value()).cloned()
}

async fn enter(State(doors): State<Doors>, Form(login): Form<HashMap<String, String>>) -> Response {
    let said = |name: &str| login.get(name).map_or("", String::as_str);
    if (said("name"), said("password")) != ("ada", "sesame") {
        return Redirect::to("/login").into_response();
    }
    let random = || getrandom::u64().expect("the system has random numbers");
    let key = format!("{:016x}{:016x}", random(), random());
    doors.lock().expect("nobody panics with it").insert(key.clone(), said("name").to_owned());
    let cookie = format!("door={key}; Path=/; HttpOnly; SameSite=Lax");
    ([(header::SET_COOKIE, cookie)], Redirect::to("/shop/")).into_response()
}

/// A session for each user: who logs in after another has a cart of their own.
pub fn shop() -> Server {
    Server::new(Flow::new(cart).map(Map::by_cookie().header(USER))).cookie("shop_sid")
}

#[tokio::main]
async fn main() -> Result<()> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port::port()?)).await?;
    println!("Please contact me at: http://{}/", listener.local_addr()?);
    let shop = shop().into_service();
    let app = app(Doors::default(), shop.clone()).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app).with_graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) }).await?;
    shop.close().await;
    Ok(())
}
