//! Bodies: files that visitors send, what is too large, large pages.

use bytes::Bytes;
use http::Request;
use http::request::Builder;

use super::super::program::{BODY, UPLOAD, sum};
use super::super::visitor::Visitor;
use super::super::{Case, Found};
use super::ensure;

const BOUNDARY: &str = "----door";

/// A form with a field and a file.
fn form(name: &str, file: &[u8]) -> (Builder, Bytes) {
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\n{name}\r\n--{BOUNDARY}\r\n\
         Content-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\nContent-Type: application/x-any\r\n\r\n"
    );
    let tail = format!("\r\n--{BOUNDARY}--\r\n");
    let body = [head.as_bytes(), file, tail.as_bytes()].concat();
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    (Request::post("/upload").header("content-type", kind), body.into())
}

pub(in super::super) async fn files_arrive(case: Case) -> Found {
    let mut visitor = case.open.visitor();
    for bytes in [0, 1, 70_000, UPLOAD - 10_000] {
        let file: Vec<u8> = (0u8..=250).cycle().take(bytes).collect();
        let (request, body) = form("Zoë", &file);
        let page = visitor.send(request, body).await?;
        page.is(200)?.shows(&format!("name=(Zoë) bytes={bytes} sum={}", sum(&file)))?;
    }
    case.open.end().await;
    Ok(())
}

pub(in super::super) async fn large_bodies_are_refused(case: Case) -> Found {
    let mut visitor = case.open.visitor();
    let page = visitor.get("/").await?;
    let plain = Request::post("/echo").header("content-type", "application/x-any");
    refused(&mut case.open.tab(&visitor), (plain, vec![b'x'; 2 * BODY].into())).await?;
    refused(&mut case.open.tab(&visitor), form("large", &vec![b'x'; 2 * UPLOAD])).await?;
    visitor.follow(&page, "++").await?.shows("Count: 1")?;
    case.open.end().await;
    Ok(())
}

async fn refused(visitor: &mut Visitor, (request, body): (Builder, Bytes)) -> Found {
    visitor.send(request, body).await?.is(413)?;
    Ok(())
}

pub(in super::super) async fn large_pages_arrive_whole(case: Case) -> Found {
    let page = case.open.visitor().get("/large").await?;
    let text = page.text();
    ensure((0..100_000).all(|line| line % 997 > 0 || text.contains(&format!("line {line}\n"))), || {
        format!("lines are missing among {} bytes", text.len())
    })?;
    ensure(text.matches("line ").count() == 100_000, || format!("{} lines", text.matches("line ").count()))?;
    case.open.end().await;
    Ok(())
}
