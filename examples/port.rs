//! What all examples share: take the port from `PORT` (default 8080, 0 is any free one), say where it is, run.

use continuity::prelude::*;

pub async fn run(server: Server) -> Result<()> {
    let port: u16 = match std::env::var("PORT") {
        Ok(port) => port.parse().map_err(|_| format!("PORT={port:?} is not a port: use 0 to 65535"))?,
        Err(_) => 8080,
    };
    let bound = server.listen(Http::on(port)).bind().await?;
    println!("Please contact me at: http://{}/", bound.addresses()[0]);
    bound.run().await
}
