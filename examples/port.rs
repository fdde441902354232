//! What all examples share: take the port from `PORT` (default 8080, 0 is any free one), say where it is, run. With the
//! argument `--replay-check` say which sessions of the journal this build replays, and run nothing.

use continuity::prelude::*;

pub async fn run(server: Server) -> Result<()> {
    if std::env::args().any(|argument| argument == "--replay-check") {
        let check = server.replay_check().await?;
        println!("{check}");
        return if check.is_clean() { Ok(()) } else { Err("not all sessions replay on this build".into()) };
    }
    let bound = server.listen(Http::on(port()?)).bind().await?;
    let addresses = bound.addresses();
    let (web, gophers) = addresses.split_last().ok_or("no way in")?;
    println!("Please contact me at: http://{web}/");
    gophers.iter().for_each(|gopher| println!("And by gopher at: gopher://{gopher}/"));
    bound.run().await
}

pub fn port() -> Result<u16> {
    match std::env::var("PORT") {
        Ok(port) => Ok(port.parse().map_err(|_| format!("PORT={port:?} is not a port: use 0 to 65535"))?),
        Err(_) => Ok(8080),
    }
}
