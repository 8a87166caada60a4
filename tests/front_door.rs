//! The front door as a browser, a script and a page elsewhere find it.

mod household;

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt as _;
use hearthwatch::access::Token;
use hearthwatch::index::sessions;
use household::{Answer, Household, NURSERY, PASSWORD, PORCH, cookie, event_of, film};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};

const JSON: (&str, &str) = ("Content-Type", "application/json");

fn login(household: &Household, user: &str, password: &str, extra: &[(&str, &str)]) -> Answer {
    let body = serde_json::json!({ "user": user, "password": password }).to_string();
    let headers: Vec<_> = extra.iter().copied().chain([JSON]).collect();
    household.ask("POST", "/api/login", &headers, body.as_bytes())
}

/// The token of an answer that signs in.
fn token_of(answer: &Answer) -> Token {
    let cookie = answer.header("set-cookie").expect("a cookie");
    assert!(
        cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Lax") && cookie.contains("; Path=/"),
        "{cookie}"
    );
    let value = cookie.strip_prefix("hearthwatch=").and_then(|rest| rest.split(';').next()).expect("our cookie");
    value.parse().expect("a token")
}

#[test]
fn name_and_password_open_and_signing_out_closes() {
    let household = Household::new();
    let answer = login(&household, "Anna", PASSWORD, &[]);
    assert_eq!((answer.status, answer.body.as_slice()), (204, b"".as_slice()));
    let token = token_of(&answer);
    let me = household.get(&token, "/api/me").json();
    assert_eq!((me["user"].as_str(), me["role"].as_str()), (Some("anna"), Some("owner")));
    assert_eq!(me["cameras"][NURSERY]["history"], true);
    assert_eq!(household.ask_as(&token, "POST", "/api/logout").status, 204);
    assert_eq!(household.get(&token, "/api/me").status, 401);
}

#[test]
fn a_wrong_name_and_a_wrong_password_are_told_alike_and_slow_down() {
    let household = Household::new();
    let wrong = login(&household, "anna", "not it at all", &[]);
    let unknown = login(&household, "ghost", PASSWORD, &[]);
    assert_eq!((wrong.status, &wrong.body), (401, &unknown.body));
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(login(&household, "anna", "not it at all", &[]).status);
    }
    assert_eq!(statuses.last(), Some(&429));
}

#[test]
fn the_form_signs_in_without_script_and_leads_back_to_the_page() {
    let household = Household::new();
    let body = format!("user=anna&password={}&next=%2Fevents", PASSWORD.replace(' ', "+"));
    let origin = household.origin();
    let headers = [("Content-Type", "application/x-www-form-urlencoded"), ("Origin", origin.as_str())];
    let answer = household.ask("POST", "/sign-in", &headers, body.as_bytes());
    assert_eq!((answer.status, answer.header("location")), (303, Some("/events")));
    assert_eq!(household.get(&token_of(&answer), "/events").status, 200);
}

#[test]
fn a_link_signs_in_once_and_looking_at_it_does_not_use_it_up() {
    let household = Household::new();
    let path = format!("/sign-in/{}", household.link.expose());
    for _ in 0..2 {
        let page = household.ask("GET", &path, &[("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")], b"");
        assert!(page.status == 200 && page.header("set-cookie").is_none() && page.text().contains("<button"));
    }
    let origin = household.origin();
    let answer = household.ask("POST", &path, &[("Origin", &origin)], b"");
    assert_eq!((answer.status, answer.header("location")), (303, Some("/")));
    assert_eq!(household.get(&token_of(&answer), "/").status, 200);
    assert_eq!(household.ask("POST", &path, &[("Origin", &origin)], b"").status, 401);
}

#[test]
fn a_program_is_signed_in_by_opening_the_link_once() {
    let household = Household::new();
    let path = format!("/sign-in/{}", household.link.expose());
    assert!(household.ask("HEAD", &path, &[], b"").header("set-cookie").is_none(), "HEAD uses nothing up");
    let answer = household.ask("GET", &path, &[("Accept", "*/*")], b"");
    assert_eq!((answer.status, answer.header("location")), (303, Some("/")));
    assert_eq!(household.get(&token_of(&answer), "/").status, 200);
    assert_eq!(household.ask("GET", &path, &[("Accept", "*/*")], b"").status, 401);
}

#[test]
fn another_name_is_misdirected_before_anything_else() {
    let household = Household::new();
    let cookie = cookie(&household.anna);
    for hosts in [
        "Host: evil.example\r\n",
        "",
        "Host: localhost\r\nHost: localhost\r\n",
        "Host: evil.example\r\nX-Forwarded-Host: localhost\r\n",
    ] {
        let request = format!("GET /api/me HTTP/1.1\r\n{hosts}Cookie: {cookie}\r\nConnection: close\r\n\r\n");
        let answer = household.send(&request, b"");
        assert!(matches!(answer.status, 421 | 400) && answer.body.is_empty(), "{hosts:?}: {}", answer.status);
    }
    for host in ["localhost", "nvr.home.arpa:1234", "hearthwatch.local", "192.168.1.5:8443"] {
        let request = format!("GET /api/me HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n");
        assert_eq!(household.send(&request, b"").status, 200, "{host}");
    }
}

#[test]
fn a_page_elsewhere_changes_nothing() {
    let household = Household::new();
    let path = format!("/api/events/{}", event_of(PORCH));
    let cookie = cookie(&household.anna);
    let cookie = ("Cookie", cookie.as_str());
    let origin = household.origin();
    for foreign in [
        vec![],
        vec![("Origin", "null")],
        vec![("Origin", "https://evil.example")],
        vec![("Sec-Fetch-Site", "same-site")],
    ] {
        let headers: Vec<_> = foreign.iter().copied().chain([cookie, JSON]).collect();
        assert_eq!(household.ask("PUT", &path, &headers, b"{\"kept\":true}").status, 403, "{foreign:?}");
        assert_eq!(household.ask("DELETE", &path, &headers, b"").status, 403, "{foreign:?}");
        assert_eq!(household.ask("POST", "/api/logout", &headers, b"").status, 403, "{foreign:?}");
    }
    let plain = [cookie, ("Origin", origin.as_str()), ("Content-Type", "text/plain")];
    assert_eq!(household.ask("PUT", &path, &plain, b"{\"kept\":true}").status, 400);
    assert_eq!(login(&household, "anna", PASSWORD, &[("Origin", "https://evil.example")]).status, 403);
    assert_eq!(household.get(&household.anna, &path).json()["kept"], false);
    let own = [cookie, ("Origin", origin.as_str()), JSON];
    assert_eq!(household.ask("PUT", &path, &own, b"{\"kept\":true,\"note\":\"the <b>cat</b>\"}").status, 204);
    let event = household.get(&household.anna, &path).json();
    assert_eq!((event["kept"].as_bool(), event["note"].as_str()), (Some(true), Some("the <b>cat</b>")));
}

#[test]
fn a_token_in_the_header_needs_no_page() {
    let household = Household::new();
    let bearer = format!("Bearer {}", household.api.expose());
    let path = format!("/api/events/{}", event_of(PORCH));
    assert_eq!(household.ask("DELETE", &path, &[("Authorization", &bearer)], b"").status, 204);
    assert_eq!(household.get(&household.anna, &path).status, 404);
    assert_eq!(household.get(&household.anna, &format!("{path}/thumbnail.jpg")).status, 404);
}

#[test]
fn every_answer_carries_its_headers_and_only_assets_may_be_kept() {
    let household = Household::new();
    let page = household.get(&household.anna, "/").text();
    let sheet = page.split('"').find(|part| part.ends_with("site.css")).expect("a stylesheet").to_owned();
    let thumbnail = format!("/api/events/{}/thumbnail.jpg", event_of(PORCH));
    for path in ["/", "/events", "/sign-in", "/api/me", "/api/health", "/nothing", thumbnail.as_str(), sheet.as_str()] {
        let answer = household.get(&household.anna, path);
        let policy = answer.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{path}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
        assert_eq!(answer.header("access-control-allow-origin"), None);
        let kept = if path == sheet { "public, max-age=31536000, immutable" } else { "no-store, private" };
        assert_eq!(answer.header("cache-control"), Some(kept), "{path}");
    }
}

#[test]
fn what_one_may_not_see_is_in_no_list_and_every_look_is_written_down() {
    let household =
        Household::with_names(["Porch", "<script>alert(1)</script>"], SocketAddr::from(([127, 0, 0, 1], 0)));
    for path in
        ["/", "/events", "/cameras", "/activity", "/api/cameras", "/api/events", "/api/me", "/api/health", "/api/audit"]
    {
        let seen = household.get(&household.gus, path);
        assert_eq!(seen.status, 200, "{path}");
        assert!(!seen.text().contains(NURSERY) && !seen.text().contains("alert(1)"), "{path}");
        let all = household.get(&household.anna, path);
        let is_page = all.header("content-type").is_some_and(|media_type| media_type.starts_with("text/html"));
        assert!(!is_page || !all.text().contains("<script>alert"), "{path}");
    }
    let foreign = household.get(&household.gus, &format!("/api/events?camera={NURSERY}")).json();
    assert_eq!(foreign, serde_json::json!([]));
    household.get(&household.gus, "/api/cameras/porch/snapshot.jpg");
    let audit = household.get(&household.anna, "/api/audit").json();
    let row =
        audit.as_array().and_then(|rows| rows.iter().find(|row| row["action"] == "snapshot")).expect("a row").clone();
    assert_eq!(
        (row["user"].as_str(), row["camera"].as_str(), row["address"].as_str()),
        (Some("gus"), Some(PORCH), Some("127.0.0.1"))
    );
}

#[test]
fn footage_is_played_saved_and_listed() {
    let household = Household::new();
    let Some(film) = film(20, "320x180") else { return };
    let start = household.now.minus(Duration::from_secs(100));
    let length = household.record(PORCH, &film, start);
    let (from, to) = (start.as_unix_seconds(), start.plus(length).as_unix_seconds());
    let overview = household
        .get(&household.gus, &format!("/api/cameras/porch/recordings?after={}&before={}", from - 5.0, to + 5.0));
    assert_eq!(overview.json()["spans"].as_array().map(Vec::len), Some(1));
    let clip = format!("/api/cameras/porch/clip.mp4?start={}&end={}", from + 1.0, from + 5.0);
    assert_eq!(household.get(&household.gus, &clip).status, 404, "a guest takes nothing away");
    let saved = household.get(&household.anna, &clip);
    assert_eq!((saved.status, saved.header("content-type")), (200, Some("video/mp4")));
    assert!(saved.header("content-disposition").is_some_and(|name| name.starts_with("attachment; filename=\"Porch ")));
    let event = format!("/api/events/{}/clip.mp4", event_of(PORCH));
    let cookie = cookie(&household.gus);
    let part = household.ask("GET", &event, &[("Cookie", &cookie), ("Range", "bytes=4-7")], b"");
    assert_eq!((part.status, part.body.as_slice()), (206, b"ftyp".as_slice()));
    let vod = format!("/vod/porch/start/{from}/end/{to}");
    let list = household.get(&household.gus, &format!("{vod}/index.m3u8"));
    assert_eq!(list.header("content-type"), Some("application/vnd.apple.mpegurl"));
    for file in list.text().lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        assert_eq!(household.get(&household.gus, &format!("{vod}/{file}")).status, 200, "{file}");
        assert_eq!(household.get(&household.anna, &format!("/vod/nursery/start/{from}/end/{to}/{file}")).status, 404);
    }
}

/// Asks for the porch's live pictures.
async fn watch(household: &Household, token: &Token, origin: Option<&str>) -> Result<Watching, Box<Error>> {
    let address = format!("ws://{}/api/cameras/{PORCH}/live?stream=sub", household.address);
    let mut request = address.into_client_request().expect("a request");
    request.headers_mut().insert("cookie", cookie(token).parse().expect("a cookie"));
    if let Some(origin) = origin {
        request.headers_mut().insert("origin", origin.parse().expect("an origin"));
    }
    tokio_tungstenite::connect_async(request).await.map(|(socket, _)| socket).map_err(Box::new)
}

type Watching = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

#[test]
fn a_live_picture_ends_with_its_right() {
    let household = Household::new();
    let Some(film) = film(4, "320x180") else { return };
    household.show(PORCH, &film);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(watch_until_taken(&household));
}

async fn watch_until_taken(household: &Household) {
    let origin = household.origin();
    for foreign in [None, Some("https://evil.example"), Some("null")] {
        let Err(refused) = watch(household, &household.gus, foreign).await else { panic!("{foreign:?} was let in") };
        assert!(matches!(&*refused, Error::Http(answer) if answer.status() == 403), "{refused}");
    }
    let mut socket = watch(household, &household.gus, Some(&origin)).await.expect("let in");
    let first = socket.next().await.expect("a message").expect("fine");
    let Message::Text(parameters) = first else { panic!("the first message is text") };
    let parameters: serde_json::Value = serde_json::from_str(&parameters).expect("JSON");
    assert_eq!((parameters["width"].as_u64(), parameters["height"].as_u64()), (Some(320), Some(180)));
    let Some(Ok(Message::Binary(init))) = socket.next().await else { panic!("the second is the init segment") };
    assert_eq!(&init[4..8], b"ftyp");
    let Some(Ok(Message::Binary(picture))) = socket.next().await else { panic!("then pictures") };
    assert_eq!(&picture[4..8], b"moof");

    let hash = household.gus.hash();
    let taken = household.writer.write(move |tx| sessions::remove(tx, &hash)).await;
    assert!(taken.expect("written"));
    let ended = tokio::time::timeout(Duration::from_secs(2), async {
        while let Some(Ok(message)) = socket.next().await {
            if message.is_close() {
                break;
            }
        }
    });
    ended.await.expect("a stream ends within two seconds of its right");
}

#[test]
fn metrics_name_what_the_contract_names() {
    let household = Household::new();
    let text = household.ask("GET", "/metrics", &[], b"").text();
    for name in [
        "recorded_seconds_total{camera=\"porch\"}",
        "lost_seconds_total{camera=\"porch\",cause=\"camera_unreachable\"}",
        "last_frame_age_seconds{camera=\"nursery\"}",
        "storage_free_bytes",
        "viewers",
    ] {
        assert!(text.lines().any(|line| line.starts_with(&format!("hearthwatch_{name}"))), "{name}\n{text}");
    }
}
