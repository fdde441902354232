//! nginx in front of a server of the library's, by HTTP or by FastCGI: one process, on the server's core.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use crate::machine::Pins;
use crate::process::{Server, pinned};

/// nginx that takes longer to listen does not.
const PATIENCE: Duration = Duration::from_secs(10);

/// How nginx speaks to the server behind it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum By {
    Http,
    FastCgi,
}

/// Where nginx is, if it is.
pub(crate) fn nginx() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    folders.map(|folder| folder.join("nginx")).find(|path| path.is_file())
}

/// Puts nginx in front of a server that is started for it; its files go into this folder.
pub(crate) fn before(server: Server, by: By, pins: Option<Pins>, folder: &Path) -> Result<Server, String> {
    let failed = |what: &str, error: std::io::Error| format!("nginx: {what}: {error}");
    let nginx = nginx().ok_or("nginx is not installed")?;
    fs::create_dir_all(folder).map_err(|error| failed("make its folder", error))?;
    let free = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    let address = free.map_err(|error| failed("find a port", error))?;
    let config = folder.join("conf");
    fs::write(&config, configuration(by, folder, &address.to_string(), &server.address.to_string()))
        .map_err(|error| failed("write its configuration", error))?;
    let mut command = pinned(pins, &nginx);
    command.arg("-p").arg(folder).arg("-c").arg(config).args(["-e", "stderr"]);
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let fronted = server.behind(child.map_err(|error| failed("start it", error))?, address);
    let begun = Instant::now();
    while TcpStream::connect(address).is_err() {
        if begun.elapsed() > PATIENCE {
            return Err("nginx does not listen".to_owned());
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(fronted)
}

/// The two differ in how nginx speaks to the server, and in nothing else.
fn configuration(by: By, folder: &Path, address: &str, server: &str) -> String {
    let here = folder.display();
    let location = match by {
        By::Http => {
            "proxy_pass http://server; proxy_http_version 1.1; proxy_set_header Connection \"\";\n\
             proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $remote_addr;\n\
             proxy_set_header X-Forwarded-Proto $scheme;"
        }
        By::FastCgi => {
            "fastcgi_pass server; fastcgi_keep_conn on;\n\
             fastcgi_param REQUEST_METHOD $request_method; fastcgi_param REQUEST_URI $request_uri;\n\
             fastcgi_param SERVER_PROTOCOL $server_protocol; fastcgi_param CONTENT_TYPE $content_type;\n\
             fastcgi_param CONTENT_LENGTH $content_length; fastcgi_param REMOTE_ADDR $remote_addr;\n\
             fastcgi_param REMOTE_PORT $remote_port; fastcgi_param HTTPS $https if_not_empty;"
        }
    };
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|what| format!("{what}_temp_path {here}/{what};\n"))
        .collect();
    format!(
        "daemon off;\nmaster_process off;\npid {here}/pid;\nerror_log stderr;\n\
         events {{ worker_connections 4096; }}\nhttp {{\naccess_log off;\nkeepalive_requests 100000000;\n{temporary}\
         upstream server {{ server {server}; keepalive 256; keepalive_requests 100000000; }}\n\
         server {{ listen {address};\nlocation / {{\n{location}\n}} }} }}\n"
    )
}
