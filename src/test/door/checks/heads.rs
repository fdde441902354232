//! Heads: methods, fields, targets, statuses, and what they say of where a request comes from.

use bytes::Bytes;
use http::Request;

use super::super::program::sum;
use super::super::{Case, Found};
use super::ensure;

pub(in super::super) async fn methods_and_bodies_arrive(case: Case) -> Found {
    let mut visitor = case.open.visitor();
    let body: Vec<u8> = (0..=255).cycle().take(20_000).collect();
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let request = Request::builder().method(method).uri("/echo");
        let page =
            visitor.send(request.header("content-type", "application/x-any"), body.clone().into()).await?;
        let says = format!("bytes={} sum={} ", body.len(), sum(&body));
        page.is(200)?.shows(&format!("method={method} "))?.shows(&says)?;
    }
    visitor.get("/echo").await?.shows("method=GET ")?.shows(" bytes=0 ")?;
    let empty = visitor.send(Request::post("/echo"), Bytes::new()).await?;
    empty.is(200)?.shows("method=POST ")?.shows(" bytes=0 ")?;
    case.open.end().await;
    Ok(())
}

pub(in super::super) async fn fields_arrive_both_ways(case: Case) -> Found {
    let mut visitor = case.open.visitor();
    let value = "a; b=\"c, d\" (e) %20 ~";
    let page = visitor.send(Request::get("/echo").header("x-one", value), Bytes::new()).await?;
    page.shows("one=(a; b=&quot;c, d&quot; (e) %20 ~)")?;
    let page = visitor.get("/reply").await?;
    ensure(page.field("x-reply") == "yes, \"it\" is", || format!("x-reply of {page:?}"))?;
    let cookies: Vec<_> = page.headers.get_all("set-cookie").iter().collect();
    for name in ["tea=green", "milk=no", "door="] {
        let is_there = cookies.iter().any(|cookie| String::from_utf8_lossy(cookie.as_bytes()).contains(name));
        ensure(is_there, || format!("no cookie {name} in {cookies:?}"))?;
    }
    ensure(page.field("content-type") == "text/html; charset=utf-8", || format!("the type of {page:?}"))?;
    case.open.end().await;
    Ok(())
}

pub(in super::super) async fn targets_arrive_as_they_were_sent(case: Case) -> Found {
    let mut visitor = case.open.visitor();
    for target in [
        "/echo/a%20b/%C3%A4",
        "/echo/x?a=1&b=%20c+d&&=",
        "/echo?",
        "/echo/(1);v=2/~x?y=/?",
        "/echo?q=%0d%0aX:%201",
    ] {
        let shown = target.trim_end_matches("echo?").replace('&', "&amp;");
        let shown = if target == "/echo?" { "/echo".to_owned() } else { shown };
        visitor.get(target).await?.is(200)?.shows(&format!(" uri={shown} "))?;
    }
    case.open.end().await;
    Ok(())
}

pub(in super::super) async fn statuses_arrive(case: Case) -> Found {
    let mut visitor = case.open.visitor();
    for status in [200, 202, 404, 418, 503] {
        visitor.get(&format!("/reply?status={status}")).await?.is(status)?.shows("Here it is.")?;
    }
    let sent = visitor.get("/reply/elsewhere").await?;
    sent.is(303)?;
    let to = sent.field("location").to_owned();
    ensure(to.ends_with("/form/"), || format!("Location: {to}"))?;
    visitor.get("/form/").await?.is(200)?.shows("Words")?;
    case.open.end().await;
    Ok(())
}

pub(in super::super) async fn questions_resume_nothing(case: Case) -> Found {
    let mut visitor = case.open.visitor();
    let page = visitor.get("/").await?;
    let link = visitor.link(&page, "++")?;
    let head = visitor.send(Request::head(&*link), Bytes::new()).await?;
    head.is(200)?;
    ensure(head.body.is_empty(), || format!("HEAD has a body: {head:?}"))?;
    let options = visitor.send(Request::options(&*link), Bytes::new()).await?;
    options.is(204)?;
    ensure(options.field("allow").contains("GET"), || format!("Allow of {options:?}"))?;
    visitor.get("/").await?.shows("Count: 0")?;
    visitor.get(&link).await?.shows("Count: 1")?;
    case.open.end().await;
    Ok(())
}

pub(in super::super) async fn the_address_is_the_clients(case: Case) -> Found {
    let page = case.open.visitor().get("/echo").await?;
    ensure(["127.0.0.1", "::1"].iter().any(|ip| page.text().contains(&format!("peer=({ip})"))), || {
        format!("clients of these tests are on loopback: {page:?}")
    })?;
    case.open.end().await;
    Ok(())
}

pub(in super::super) async fn what_comes_encrypted_is_known_to(case: Case) -> Found {
    let page = case.open.visitor().get("/echo").await?;
    page.shows("https=true")?;
    let cookie = page.field("set-cookie");
    ensure(cookie.starts_with("__Host-door=") && cookie.contains("; Secure"), || {
        format!("the cookie is {cookie}")
    })?;
    case.open.end().await;
    Ok(())
}

pub(in super::super) async fn other_sites_answer_nothing(case: Case) -> Found {
    let mut visitor = case.open.visitor();
    let page = visitor.get("/").await?;
    let link = visitor.link(&page, "++")?;
    for (name, value) in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")] {
        let form = Request::post(&*link).header(name, value);
        visitor.send(form, Bytes::from_static(b"x=1")).await?.is(403)?;
        visitor.send(Request::get(&*link).header(name, value), Bytes::new()).await?.shows("Count: 0")?;
    }
    visitor.get(&link).await?.shows("Count: 1")?;
    case.open.end().await;
    Ok(())
}

pub(in super::super) async fn large_heads_are_refused(case: Case) -> Found {
    let mut visitor = case.open.visitor();
    let page = visitor.get("/").await?;
    let many = (0..120).fold(Request::get("/"), |request, nth| request.header(format!("x-{nth}"), "1"));
    let long = Request::get("/").header("x-long", "x".repeat(80 * 1024));
    for request in [many, long] {
        // A front may have a smaller limit, and a word of its own for it; or it hangs up on who goes on.
        if let Ok(refused) = visitor.send(request, Bytes::new()).await {
            ensure([400, 431].contains(&refused.status.as_u16()), || format!("{refused:?}"))?;
        }
        visitor = case.open.tab(&visitor);
    }
    visitor.follow(&page, "++").await?.shows("Count: 1")?;
    case.open.end().await;
    Ok(())
}
