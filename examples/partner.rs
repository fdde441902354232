//! Another server that an example brings along, as a process of its own: this very program, started once more.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use continuity::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;

/// If the program was started as `… name`: is that server, until its input ends, as it does with whoever started it.
pub async fn be_it_if_asked(name: &str, server: impl FnOnce() -> Server) -> Result<()> {
    if std::env::args().nth(1).as_deref() == Some(name) {
        let bound = server().listen(Http::on(0)).bind().await?;
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

/// The way to it: to the one that a variable of its name in capitals says, or to one that is started when it is needed.
pub struct Partner {
    name: &'static str,
    running: OnceCell<Running>,
}

struct Running {
    address: String,
    /// Its input ends when this is dropped, and when this process dies.
    _child: Option<Child>,
}

impl Partner {
    pub fn new(name: &'static str) -> Self {
        Partner { name, running: OnceCell::new() }
    }

    /// The one at this address.
    pub fn at(name: &'static str, address: String) -> Self {
        Partner { name, running: OnceCell::new_with(Some(Running { address, _child: None })) }
    }

    /// Where it is.
    pub async fn address(&self) -> Result<&str> {
        let name = self.name;
        let start = async || tokio::task::spawn_blocking(move || Running::start(name)).await?;
        Ok(&self.running.get_or_try_init(start).await?.address)
    }

    /// Sends it a form; the status and the text that it answers.
    pub async fn ask(&self, path: &str, fields: &[(&str, &str)]) -> Result<(u16, String)> {
        let address = self.address().await?;
        let form: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        let form = form.join("&");
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}",
            form.len()
        );
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let (head, text) = answer.split_once("\r\n\r\n").ok_or("it hung up")?;
        Ok((head.get(9..12).ok_or("it says no status")?.parse()?, text.to_owned()))
    }
}

/// A text as it can stand in a parameter.
pub fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

impl Running {
    fn start(name: &str) -> Result<Running> {
        if let Ok(address) = std::env::var(name.to_uppercase()) {
            return Ok(Running { address, _child: None });
        }
        let mut this = Command::new(std::env::current_exe()?);
        let mut child = this.arg(name).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut address = String::new();
        BufReader::new(child.stdout.take().ok_or("it is piped")?).read_line(&mut address)?;
        Ok(Running { address: address.trim_end().to_owned(), _child: Some(child) })
    }
}
