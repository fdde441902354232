//! A small payment gateway for the shop: a process of its own, which books what it is told under one key once.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use continuity::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;

/// What it has booked: cents by key.
#[derive(Clone, Default)]
pub struct Books(Arc<Mutex<HashMap<String, u64>>>);

/// How long it takes to say that it took money of the card 2222.
const SLOW: Duration = Duration::from_secs(3);

/// Charges a card, or says how many charges there were.
pub async fn gateway(mut req: Request) -> Result<()> {
    let books = req.app::<Books>().0.clone();
    if req.method() != "POST" {
        let charges = books.lock().map_err(|_| "the books are broken")?.len();
        req.send("text/plain", charges.to_string())?;
        return Ok(());
    }
    let (key, cents, card): (String, u64, String) =
        (req.param("key")?, req.param("cents")?, req.param("card")?);
    if !["1111", "2222", "3333"].contains(&&*card) {
        req.set_status(402)?.print("declined");
        return Ok(());
    }
    let first = books.lock().map_err(|_| "the books are broken")?.insert(key.clone(), cents).is_none();
    match &*card {
        "2222" if first => req.sleep(SLOW).await,
        "3333" if first => return Err("booked, but nobody will know".into()),
        _ => {}
    }
    req.send("text/plain", format!("R-{}", key.get(..6).unwrap_or(&key)))?;
    Ok(())
}

/// The gateway as a server, on any free port.
pub fn server() -> Server {
    Server::new(Flow::new(gateway).purpose(|_| Purpose::Visit)).app(Books::default()).listen(Http::on(0))
}

/// If the program was started as `… gateway`: is the gateway, until its input ends, as it does with whoever started it.
pub async fn be_it_if_asked() -> Result<()> {
    if std::env::args().nth(1).as_deref() == Some("gateway") {
        let bound = server().bind().await?;
        println!("{}", bound.addresses()[0]);
        std::thread::spawn(|| {
            drop(std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
            std::process::exit(0);
        });
        bound.run().await?;
        std::process::exit(0);
    }
    Ok(())
}

/// The way to the gateway: to the one that `GATEWAY` names, or to one that is started when it is needed.
#[derive(Default)]
pub struct Gateway(OnceCell<Running>);

struct Running {
    address: String,
    /// Its input ends when this is dropped, and when this process dies.
    _child: Option<Child>,
}

impl Gateway {
    /// The one at this address.
    pub fn at(address: String) -> Self {
        Gateway(OnceCell::new_with(Some(Running { address, _child: None })))
    }

    /// Charges a card; the receipt, or `None` if the card is declined.
    pub async fn charge(&self, key: &Key, cents: u64, card: &str) -> Result<Option<String>> {
        let card: String = card.chars().filter(char::is_ascii_digit).collect();
        match self.ask("POST", &format!("key={key}&cents={cents}&card={card}")).await? {
            (200, receipt) => Ok(Some(receipt)),
            (402, _) => Ok(None),
            (status, _) => Err(format!("the gateway answered {status}").into()),
        }
    }

    /// How many charges there were.
    pub async fn charges(&self) -> Result<u64> {
        Ok(self.ask("GET", "").await?.1.parse()?)
    }

    async fn ask(&self, method: &str, form: &str) -> Result<(u16, String)> {
        let start = async || tokio::task::spawn_blocking(Running::start).await?;
        let address = &self.0.get_or_try_init(start).await?.address;
        let request = format!(
            "{method} / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}",
            form.len()
        );
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let (head, text) = answer.split_once("\r\n\r\n").ok_or("the gateway hung up")?;
        Ok((head.get(9..12).ok_or("the gateway says no status")?.parse()?, text.to_owned()))
    }
}

impl Running {
    fn start() -> Result<Running> {
        if let Ok(address) = std::env::var("GATEWAY") {
            return Ok(Running { address, _child: None });
        }
        let mut this = Command::new(std::env::current_exe()?);
        let mut child = this.arg("gateway").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut address = String::new();
        BufReader::new(child.stdout.take().ok_or("it is piped")?).read_line(&mut address)?;
        Ok(Running { address: address.trim_end().to_owned(), _child: Some(child) })
    }
}
