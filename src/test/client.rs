//! A browser's way to the server: adds what belongs to the browser, hands the request in, keeps the cookies.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::panic::Location;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard};

use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body_util::BodyExt;

use super::cookies::Jar;
use super::navigation::Navigation;
use super::page::Page;
use super::place::Place;
use super::served::Served;
use crate::body::Body;
use crate::engine::Core;
use crate::mapper::pace::Leap;
use crate::server::Server;

/// Redirects followed in a row.
const REDIRECTS: usize = 10;
/// A port as clients have them.
pub(super) const PORT: u16 = 49152;

/// Cheap to clone: the server and the cookies are shared.
#[derive(Clone)]
pub(super) struct Client {
    server: Arc<Mutex<Option<Arc<Served>>>>,
    jar: Arc<Mutex<Jar>>,
    /// What goes with every request.
    pub(super) headers: HeaderMap,
    pub(super) address: SocketAddr,
    /// Where the server is.
    pub(super) place: Place,
    /// After each page all sessions are replayed.
    pub(super) rehearses: bool,
}

impl Client {
    #[track_caller]
    pub(super) fn new(server: Server) -> Self {
        Self::of(start(server))
    }

    /// Another server in the place of this one, for all who are its clients.
    #[track_caller]
    pub(super) fn restart(&mut self, mut server: Server) {
        // Time that was passed by `wait` has passed for the next one too.
        server.wall = Some(self.core().clock.micros());
        let mut slot = self.slot();
        // The one that was there has written all it had, if nobody else holds it.
        let differs = slot.take().is_some_and(|before| before.differs.load(Ordering::Relaxed));
        let server = start(server);
        server.differs.store(differs, Ordering::Relaxed);
        *slot = Some(server);
    }

    pub(super) fn sessions(&self) -> usize {
        self.server().0.sessions()
    }

    /// Lets time pass at once, if it does, until what comes of this is dropped.
    pub(super) fn leap(&self) -> Leap {
        Leap::begin(self.core())
    }

    /// What the parts of the server share.
    pub(super) fn core(&self) -> Arc<Core> {
        self.server().0.0.clone()
    }

    fn slot(&self) -> MutexGuard<'_, Option<Arc<Served>>> {
        self.server.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn server(&self) -> Arc<Served> {
        self.slot().clone().expect("a server that cannot start fails its test")
    }

    /// Another visitor of the same server.
    pub(super) fn other(&self) -> Self {
        let (server, place) = (self.server.clone(), self.place.clone());
        Client { rehearses: self.rehearses, server, place, ..Self::of(self.server()) }
    }

    fn of(server: Arc<Served>) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
        Client {
            server: Arc::new(Mutex::new(Some(server))),
            jar: Arc::default(),
            headers: HeaderMap::new(),
            address,
            place: Place::default(),
            rehearses: false,
        }
    }

    pub(super) fn jar(&self) -> MutexGuard<'_, Jar> {
        self.jar.lock().expect("no code panics while it holds the cookies")
    }

    /// The page that a navigation leads to, at the end of all redirects if they are followed.
    pub(super) async fn visit(&self, first: Navigation, place: &Location<'_>) -> Page {
        let mut navigation = first;
        for _ in 0..=REDIRECTS {
            let (head, body) = self.exchange(&navigation).await.into_parts();
            let body = body.collect().await.unwrap_or_else(|error| {
                panic!("the body of {} broke off: {error}\n(asked for at {place})", navigation.url)
            });
            match navigation.redirected(&self.place, head.status, &head.headers) {
                Some(next) => navigation = next,
                None => {
                    self.rehearse(&navigation, place).await;
                    return Page::new(navigation, head.status, head.headers, body.to_bytes());
                }
            }
        }
        panic!("more than {REDIRECTS} redirects, the last one to {}\n(asked for at {place})", navigation.url);
    }

    /// What is recorded is not replayed when the server goes.
    pub(super) fn differs(&self) {
        self.server().differs.store(true, Ordering::Relaxed);
    }

    async fn rehearse(&self, navigation: &Navigation, place: &Location<'_>) {
        if self.rehearses
            && let Err(report) = self.server().0.0.rehearse().await
        {
            panic!("after {} a session does not replay: {report}\n(asked for at {place})", navigation.url);
        }
    }

    /// One request and the head of its response.
    pub(super) async fn exchange(&self, navigation: &Navigation) -> Response<Body> {
        let server = self.server();
        server.0.0.stir();
        let response = server.0.answer(self.request(navigation), self.place.via(self.address)).await;
        server.0.0.stir();
        let mut jar = self.jar();
        for cookie in response.headers().get_all(header::SET_COOKIE) {
            jar.keep(cookie, &self.place, &navigation.url);
        }
        drop(jar);
        response
    }

    fn request(&self, navigation: &Navigation) -> Request<bytes::Bytes> {
        let Ok(url) = navigation.url.parse() else { panic!("{} cannot be asked for", navigation.url) };
        let mut request = Request::new(navigation.body.clone());
        *request.method_mut() = navigation.method.clone();
        *request.uri_mut() = url;
        *request.headers_mut() = navigation.fields(&self.place);
        let headers = request.headers_mut();
        if !headers.contains_key(header::COOKIE)
            && let Some(cookies) = self.jar().field(&self.place, &navigation.url, navigation.asker())
        {
            let cookies = HeaderValue::try_from(cookies).expect("cookies came in a header, or were checked");
            headers.insert(header::COOKIE, cookies);
        }
        headers.extend(self.headers.clone());
        request
    }
}

#[track_caller]
fn start(server: Server) -> Arc<Served> {
    if tokio::runtime::Handle::try_current().is_err() {
        panic!("a Browser needs a tokio runtime: write `#[tokio::test] async fn …`");
    }
    match server.into_engine() {
        Ok(server) => Arc::new(Served::new(server)),
        Err(error) => panic!("the server cannot start: {error}"),
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("address", &self.address).finish_non_exhaustive()
    }
}
