//! Mounted in another server, as a tower service: in axum, and in a host that says nothing.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::ConnectInfo;
use continuity::prelude::*;
use continuity::{Body, Mounted, Via};
use http::{Request as HttpRequest, Response, StatusCode, header};
use http_body_util::BodyExt;
use tower_service::Service;

use crate::examples::gallery::shelf::counter::counter;

#[path = "../../examples/in_axum.rs"]
#[expect(dead_code, reason = "an example has a `main` of its own")]
mod in_axum;

/// Says where it is, and waits.
async fn place(mut req: Request) -> Result<()> {
    loop {
        let peer = req.peer().map(|peer| peer.to_string()).unwrap_or_default();
        let (path, mount, uri) = (req.path(), req.mount(), req.uri());
        req.print(html! { "path=" (path) " mount=" (mount) " uri=" (uri) " peer=" (peer) " https=" (req.is_https()) });
        req.next().await?;
    }
}

async fn away(mut req: Request) -> Result<()> {
    let to = req.mount();
    req.redirect(&format!("{to}/there"))?;
    Ok(())
}

fn get(path: &str) -> HttpRequest<String> {
    HttpRequest::get(path).header("host", "shop.example").body(String::new()).expect("a request")
}

/// What a host's service answers.
async fn ask<S, B, C>(service: &mut S, request: HttpRequest<C>) -> Response<String>
where
    S: Service<HttpRequest<C>, Response = Response<B>>,
    S::Error: std::fmt::Debug,
    B: http_body::Body<Data: Send, Error: std::fmt::Debug>,
{
    let (head, body) = service.call(request).await.expect("services of ours do not fail").into_parts();
    let body = body.collect().await.expect("the body comes").to_bytes();
    Response::from_parts(head, String::from_utf8(body.to_vec()).expect("text"))
}

/// A router as axum's server calls it.
struct Host(Router);

impl Service<HttpRequest<String>> for Host {
    type Response = Response<axum::body::Body>;
    type Error = std::convert::Infallible;
    type Future = <Router as Service<HttpRequest<axum::body::Body>>>::Future;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequest<String>) -> Self::Future {
        self.0.call(request.map(axum::body::Body::from))
    }
}

fn nested(server: Server) -> Host {
    Host(Router::new().nest_service("/shop", server.cookie("shop_sid").into_service()))
}

fn cookie<B>(response: &Response<B>) -> String {
    let cookie = response.headers()[header::SET_COOKIE].to_str().expect("text");
    cookie.split(';').next().expect("a pair").to_owned()
}

fn link(page: &str, text: &str) -> String {
    let (before, _) = page.split_once(&format!(">{text}</a>")).unwrap_or_else(|| panic!("no {text}: {page}"));
    let (_, href) = before.rsplit_once("href=\"").expect("a link leads somewhere");
    href.trim_end_matches('"').replace("&amp;", "&")
}

#[tokio::test]
async fn a_session_goes_on_below_a_path_of_axums() {
    let mut host = nested(Server::new(counter));
    let page = ask(&mut host, get("/shop/")).await;
    let cookie = cookie(&page);
    assert!(cookie.starts_with("shop_sid="), "{cookie}");
    let href = link(page.body(), "++");
    let mut request = get(&format!("/shop/{href}"));
    request.headers_mut().insert(header::COOKIE, cookie.parse().expect("a value"));
    let page = ask(&mut host, request).await;
    assert!(page.body().contains("Count: 1"), "{}", page.body());
    assert_eq!(ask(&mut host, get("/elsewhere")).await.status(), StatusCode::NOT_FOUND, "the host's own");
}

#[tokio::test]
async fn paths_are_the_programs_and_links_lead_back_through_the_host() {
    let mut host = nested(Server::new(place).mount("/cart", place).mount("/away", away));
    for (target, path, mount) in [
        ("/shop", "/", "/shop"),
        ("/shop/", "/", "/shop"),
        ("/shop/tea?x=1", "/tea", "/shop"),
        ("/shop/cart", "/", "/shop/cart"),
        ("/shop/cart/7", "/7", "/shop/cart"),
    ] {
        let page = ask(&mut host, get(target)).await;
        let says = format!("path={path} mount={mount} uri={target} ");
        assert!(page.body().contains(&says), "{target}: {}", page.body());
    }
    let sent = ask(&mut host, get("/shop/away")).await;
    assert_eq!(sent.headers()[header::LOCATION], "/shop/away/there");
    assert_eq!(ask(&mut host, get("/shop/healthz")).await.body(), "ok\n");
    let expired = ask(&mut host, get("/shop/cart?_t=00000000000000000000000000000000")).await;
    assert_eq!(expired.status(), StatusCode::GONE);
    assert!(expired.body().contains("href=\"/shop/cart\""), "{}", expired.body());
}

#[tokio::test]
async fn a_host_that_says_nothing_is_told_where_it_mounts() {
    let mut service = Server::new(place).cookie("sid").into_service().below("/shop/");
    let page = ask(&mut service, get("/tea")).await;
    assert!(page.body().contains("path=/tea mount=/shop uri=/shop/tea peer= https=false"), "{}", page.body());
    let mut request = get("/");
    let client: SocketAddr = "192.0.2.1:7".parse().expect("an address");
    request.extensions_mut().insert(Via::peer(client).over_https());
    let page = ask(&mut service, request).await;
    assert!(page.body().contains("peer=192.0.2.1:7 https=true"), "{}", page.body());
    assert!(cookie(&page).starts_with("__Host-sid="), "{}", cookie(&page));
}

#[tokio::test]
async fn the_client_is_whom_axum_is_connected_with() {
    let mut host = nested(Server::new(place));
    let mut request = get("/shop");
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([192, 0, 2, 9], 99))));
    let page = ask(&mut host, request).await;
    assert!(page.body().contains("peer=192.0.2.9:99 https=false"), "{}", page.body());
}

#[tokio::test]
async fn what_no_session_may_see_is_refused_as_behind_any_door() {
    let mut host = nested(Server::new(place).limits(|limits| (limits.headers, limits.body) = (4, 10)));
    let with = |fields: &[(&'static str, &'static str)]| {
        let mut request = get("/shop");
        for (name, value) in fields {
            request.headers_mut().append(*name, value.parse().expect("a value"));
        }
        request
    };
    let mut trace = get("/shop");
    *trace.method_mut() = http::Method::TRACE;
    let post = HttpRequest::post("/shop").body("more than ten bytes".to_owned()).expect("a request");
    for (request, status) in [
        (with(&[("x", "1")]), StatusCode::OK),
        (
            with(&[("a", "1"), ("b", "1"), ("c", "1"), ("d", "1")]),
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        ),
        (with(&[("host", "other.example")]), StatusCode::BAD_REQUEST),
        (trace, StatusCode::METHOD_NOT_ALLOWED),
        (post, StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        let described = format!("{request:?}");
        assert_eq!(ask(&mut host, request).await.status(), status, "{described}");
    }
}

#[tokio::test]
async fn cookies_that_http2_takes_apart_are_read() {
    let mut host = nested(Server::new(counter));
    let page = ask(&mut host, get("/shop")).await;
    let mut request = get(&format!("/shop{}", link(page.body(), "++")));
    for crumb in ["theme=dark", &cookie(&page)] {
        request.headers_mut().append(header::COOKIE, crumb.parse().expect("a value"));
    }
    let page = ask(&mut host, request).await;
    assert!(page.body().contains("Count: 1"), "{}", page.body());
}

#[tokio::test]
async fn a_journal_finds_the_flow_again_below_the_path() {
    let journal = continuity::journal::Memory::new();
    let server = || nested(Server::new(place).mount("/cart", counter).journal(journal.clone()));
    let mut host = server();
    let page = ask(&mut host, get("/shop/cart")).await;
    let cookie = cookie(&page);
    let with_cookie = |target: &str| {
        let mut request = get(target);
        request.headers_mut().insert(header::COOKIE, cookie.parse().expect("a value"));
        request
    };
    let page = ask(&mut host, with_cookie(&format!("/shop/cart{}", link(page.body(), "++")))).await;
    assert!(page.body().contains("Count: 1"), "{}", page.body());
    let again = link(page.body(), "++");
    drop(host);
    let mut host = server();
    let page = ask(&mut host, with_cookie(&format!("/shop/cart{again}"))).await;
    assert!(page.body().contains("Count: 2"), "{}", page.body());
}

#[tokio::test(start_paused = true)]
async fn a_host_that_ends_lets_sessions_clean_up() {
    let (told, hears) = std::sync::mpsc::channel();
    let flow = move |mut req: Request| {
        let told = told.clone();
        async move {
            req.print("Hello");
            let ended = req.next().await.is_err_and(|error| error.is_closing());
            told.send(ended).expect("somebody listens");
            Ok::<_, BoxError>(())
        }
    };
    let mut service = Server::new(flow).cookie("sid").into_service();
    ask(&mut service, get("/")).await;
    service.close().await;
    assert_eq!(hears.try_recv(), Ok(true));
}

#[tokio::test]
async fn who_mounts_what_cannot_be_mounted_is_told_why() {
    let fails = |server: Server| server.try_into_service().expect_err("it cannot be mounted").to_string();
    assert!(fails(Server::new(place)).contains(".cookie("));
    let listens = Server::new(place).cookie("sid").listen(Http::on(0));
    assert!(fails(listens).contains("leave out `listen`"));
    let elsewhere = std::thread::spawn(|| Server::new(place).cookie("sid").try_into_service().map(drop));
    let error = elsewhere.join().expect("no panic").expect_err("there is no runtime");
    assert!(error.to_string().contains("on a tokio runtime"), "{error}");
}

/// Any layer and any host may have it.
#[test]
fn it_is_a_service_that_can_be_cloned_and_sent() {
    fn fits<S>()
    where
        S: Service<
                HttpRequest<axum::body::Body>,
                Response = Response<Body>,
                Error = std::convert::Infallible,
            >,
        S: Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
    }
    fits::<Mounted>();
}

mod login_in_front {
    use super::*;

    fn host() -> Host {
        Host(in_axum::app(Default::default(), in_axum::shop().into_service()))
    }

    fn with(mut request: HttpRequest<String>, fields: &[(&'static str, &str)]) -> HttpRequest<String> {
        for (name, value) in fields {
            request.headers_mut().append(*name, value.parse().expect("a value"));
        }
        request
    }

    async fn log_in(host: &mut Host, password: &str) -> Response<String> {
        let form = format!("name=ada&password={password}");
        let post = HttpRequest::post("/login").body(form).expect("a request");
        ask(host, with(post, &[("content-type", "application/x-www-form-urlencoded")])).await
    }

    #[tokio::test]
    async fn nobody_comes_to_a_session_past_the_hosts_login() {
        let mut host = host();
        for request in [get("/shop/"), with(get("/shop/"), &[("x-user", "ada")])] {
            let sent = ask(&mut host, request).await;
            assert_eq!(sent.headers()[header::LOCATION], "/login");
            assert!(!sent.headers().contains_key(header::SET_COOKIE), "no session has begun");
        }
        assert_eq!(log_in(&mut host, "guess").await.headers()[header::LOCATION], "/login");
    }

    #[tokio::test]
    async fn who_is_logged_in_has_a_cart() {
        let mut host = host();
        let door = cookie(&log_in(&mut host, "sesame").await);
        let page = ask(&mut host, with(get("/shop/"), &[("cookie", &door), ("x-user", "eve")])).await;
        assert!(page.body().contains("The cart of ada"), "{}", page.body());
        let cookies = [door, cookie(&page)].join("; ");
        let href = format!("/shop/{}", link(page.body(), "Tea"));
        let page = ask(&mut host, with(get(&href), &[("cookie", &cookies)])).await;
        assert!(page.body().contains("<li>tea</li>"), "{}", page.body());
    }
}
