//! A real browser of the household, with a hostile page open beside the recorder's.

#![expect(clippy::disallowed_methods, reason = "a test serves the hostile page on a thread")]

mod household;
mod support;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use hearthwatch::access::Role;
use hearthwatch::index::{pauses, users};
use household::{Household, NURSERY, PORCH, event_of, film};
use serde_json::json;
use support::browser::Browser;
use tokio::task::block_in_place;

const LIMIT: Duration = Duration::from_secs(30);

/// Serves this page, whatever is asked for, on a port of its own.
fn hostile_page(html: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream);
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                line.clear();
            }
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                html.len()
            );
            let _ = reader.get_mut().write_all((head + &html).as_bytes());
        }
    });
    address
}

async fn sign_in(browser: &Browser, household: &Household) {
    browser.client.goto(&format!("{}/sign-in/{}", household.origin(), household.link.expose())).await.expect("opened");
    browser
        .until(LIMIT, "signed in", "return location.pathname === '/' && document.querySelector('.grid') !== null")
        .await;
}

/// Everything that a page elsewhere can make a browser do with the household's cookie.
fn attack(recorder: &str, event: &str) -> String {
    format!(
        "<!doctype html><meta charset=utf-8><title>Kittens</title>
<body><img id=embedded src='{recorder}/api/cameras/porch/snapshot.jpg'>
<iframe id=framed name=framed src='{recorder}/'></iframe>
<iframe name=sink></iframe>
<video id=clip src='{recorder}/api/events/{event}/clip.mp4'></video>
<script src='{recorder}/api/me' id=scripted></script>
<script>
window.done = {{}};
const picture = document.getElementById('embedded');
const seen = () => {{ done.image = picture.naturalWidth; }};
if (picture.complete) seen(); else {{ picture.onload = seen; picture.onerror = seen; }}
const post = (path, type, fields) => {{
  const form = Object.assign(document.createElement('form'), {{ method: 'post', action: '{recorder}' + path, enctype: type, target: 'sink' }});
  for (const [name, value] of Object.entries(fields)) form.append(Object.assign(document.createElement('input'), {{ name, value }}));
  document.body.append(form); form.submit();
}};
const tell = (name) => (answer) => {{ done[name] = answer.type === 'opaque' ? 'opaque' : answer.status; }};
const failed = (name) => () => {{ done[name] = 'failed'; }};
const credentials = 'include';
fetch('{recorder}/api/me', {{ credentials }}).then(tell('read'), failed('read'));
fetch('{recorder}/api/me', {{ credentials, mode: 'no-cors' }}).then(tell('blind'), failed('blind'));
fetch('{recorder}/pause', {{ credentials, method: 'POST', mode: 'no-cors', body: new URLSearchParams({{ minutes: '60' }}) }}).then(tell('pause'), failed('pause'));
fetch('{recorder}/api/events/{event}', {{ credentials, method: 'DELETE' }}).then(tell('delete'), failed('delete'));
fetch('{recorder}/api/events/{event}', {{ credentials, method: 'PUT', headers: {{ 'content-type': 'application/json' }}, body: '{{\"kept\":true}}' }}).then(tell('put'), failed('put'));
fetch('{recorder}/people', {{ credentials, method: 'POST', mode: 'no-cors', body: new URLSearchParams({{ name: 'mallory', password: 'mallorymallory', role: 'owner' }}) }}).then(tell('people'), failed('people'));
navigator.sendBeacon('{recorder}/pause', new URLSearchParams({{ minutes: '60' }}));
const socket = new WebSocket('{recorder}'.replace('http', 'ws') + '/api/cameras/porch/live');
socket.onopen = () => {{ done.socket = 'open'; }};
socket.onerror = () => {{ done.socket ??= 'refused'; }};
setTimeout(() => {{
  post('/pause', 'application/x-www-form-urlencoded', {{ minutes: '60' }});
  setTimeout(() => post('/people', 'application/x-www-form-urlencoded', {{ name: 'mallory', password: 'mallorymallory', role: 'owner' }}), 300);
  setTimeout(() => post('/sign-out', 'text/plain', {{}}), 600);
  setTimeout(() => {{ done.forms = true; }}, 1500);
}}, 200);
</script>"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_page_beside_the_recorder_reads_and_changes_nothing() {
    let Some(browser) = Browser::start().await else { return };
    let household = block_in_place(Household::new);
    if let Some(film) = film(4, "320x180") {
        household.show(PORCH, &film);
    }
    sign_in(&browser, &household).await;
    let event = event_of(PORCH).to_string();
    let page = hostile_page(attack(&household.origin(), &event));
    // Another site, and another port of the same site: to that one the browser does send the cookie.
    for elsewhere in [format!("http://localhost:{}/", page.port()), format!("http://127.0.0.1:{}/", page.port())] {
        browser.client.goto(&elsewhere).await.expect("opened");
        let asked = ["image", "read", "blind", "pause", "delete", "put", "people", "socket", "forms"];
        let asked = serde_json::to_string(&asked).expect("JSON");
        browser
            .until(
                LIMIT,
                "every attack was made",
                &format!("return {asked}.every((name) => window.done[name] !== undefined)"),
            )
            .await;
        let done = browser.run("return window.done").await;
        println!("{elsewhere}: {done}");
        assert_eq!(done["image"], 0, "{elsewhere}: a picture was shown to another page");
        for read in ["read", "delete", "put"] {
            assert_eq!(done[read], "failed", "{elsewhere}: {read}");
        }
        assert_eq!(done["socket"], "refused", "{elsewhere}");
        let framed = browser.run("try { return document.getElementById('framed').contentDocument?.body.innerText ?? 'closed' } catch { return 'closed' }").await;
        assert!(framed == json!("closed") || framed == json!(""), "{elsewhere}: {framed}");
        let duration = browser.run("return document.getElementById('clip').readyState").await;
        assert_eq!(duration, 0, "{elsewhere}: footage was loaded");
        let paused = household.writer.write(|tx| pauses::all(tx)).await.expect("read");
        assert_eq!(paused, [], "{elsewhere}: a camera was switched off");
        let people = household.writer.write(|tx| users::list(tx)).await.expect("read");
        assert!(people.iter().all(|user| user.name != "mallory"), "{elsewhere}: somebody was added");
    }
    let event = household.get(&household.anna, &format!("/api/events/{event}"));
    assert_eq!((event.status, &event.json()["kept"]), (200, &false.into()), "the event is as it was");
    browser.client.goto(&household.origin()).await.expect("opened");
    let still = browser.run("return document.querySelector('.who') !== null").await;
    assert_eq!(still, true, "and nobody was signed out");
}

#[tokio::test(flavor = "multi_thread")]
async fn back_after_signing_out_shows_nothing() {
    let Some(browser) = Browser::start().await else { return };
    let household = block_in_place(Household::new);
    sign_in(&browser, &household).await;
    for path in ["/events", "/cameras/porch", "/activity"] {
        browser.client.goto(&format!("{}{path}", household.origin())).await.expect("opened");
    }
    browser.until(LIMIT, "it names the household's cameras", "return document.body.innerText.includes('anna')").await;
    browser.run("document.querySelector('form.who button[type=submit]').click()").await;
    browser.until(LIMIT, "signed out", "return location.pathname === '/sign-in'").await;
    for steps in 1..=3 {
        browser.client.back().await.expect("back");
        browser
            .until(
                LIMIT,
                "what comes back asks to sign in",
                "return document.querySelector('form[action=\"/sign-in\"]') !== null && !document.body.hidden",
            )
            .await;
        let text = browser.run("return document.documentElement.innerText").await.to_string();
        assert!(!text.contains("Porch") && !text.contains("Nursery") && !text.contains("anna"), "{steps} back: {text}");
        let pictures = browser.run("return document.querySelectorAll('video, img[src*=\"/api/\"]').length").await;
        assert_eq!(pictures, 0, "{steps} back");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_of_a_camera_a_person_or_a_zone_runs_as_script() {
    let Some(browser) = Browser::start().await else { return };
    let names = [
        "<img src=x onerror=\"window.pwned=1\"><script>window.pwned=1</script>",
        "\"><svg onload=window.pwned=1>{{7*7}}${window.pwned=1}' onfocus='window.pwned=1' autofocus='",
    ];
    let household = block_in_place(|| Household::with_names(names, ([127, 0, 0, 1], 0).into()));
    let now = household.now;
    let zone = "</strong><img src=x onerror=window.pwned=1>";
    let event = hearthwatch::units::EventId::from_random([5; 8]);
    block_in_place(|| household.see(PORCH, event, now.minus(Duration::from_secs(30)), None, &[zone], None));
    let hash = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA";
    let person = household.writer.write(move |tx| {
        let name = "<script>window.pwned=1</script>\" onload=\"window.pwned=1".parse().expect("a name");
        users::insert(tx, &name, Role::Member, hash)
    });
    let person = person.await.expect("added").0;
    let note =
        json!({"note": "</textarea><script>window.pwned=1</script><img src=x onerror=window.pwned=1>"}).to_string();
    let event = event_of(PORCH);
    let origin = household.origin();
    let cookie = household::cookie(&household.anna);
    let headers = [("Cookie", cookie.as_str()), ("Origin", &origin), ("Content-Type", "application/json")];
    assert_eq!(household.ask("PUT", &format!("/api/events/{event}"), &headers, note.as_bytes()).status, 204);
    sign_in(&browser, &household).await;
    for path in [
        "/".to_owned(),
        "/events".to_owned(),
        format!("/events/{event}"),
        format!("/events/{}", event_of(NURSERY)),
        "/events/0505050505050505".to_owned(),
        "/cameras".to_owned(),
        "/cameras/porch".to_owned(),
        "/cameras/nursery".to_owned(),
        "/activity".to_owned(),
        "/account".to_owned(),
        "/people".to_owned(),
        format!("/people/{person}"),
        "/sign-in?next=\"><script>window.pwned=1</script>".to_owned(),
        "/<script>window.pwned=1</script>".to_owned(),
    ] {
        browser.client.goto(&format!("{origin}{path}")).await.expect("opened");
        browser.until(LIMIT, "it is there", "return document.readyState === 'complete'").await;
        let ran = browser.run("return window.pwned === undefined && document.querySelectorAll('img[src=\"x\"], svg[onload], [onfocus]').length === 0").await;
        assert_eq!(ran, true, "{path}");
    }
    // The large picture writes the camera's name by script.
    browser.client.goto(&origin).await.expect("opened");
    browser.run("document.querySelector('.tile a.picture').click()").await;
    browser.until(LIMIT, "a dialog", "return document.querySelector('dialog[open]') !== null").await;
    assert_eq!(browser.run("return window.pwned === undefined").await, true);
}

/// Pictures of each page for people to look at: on a phone and on a desk, by day and by night.
#[tokio::test(flavor = "multi_thread")]
async fn the_accounts_pages_fit_a_phone_and_a_desk_and_need_no_script() {
    let Some(browser) = Browser::start().await else { return };
    let household = block_in_place(Household::new);
    let Some(film) = film(20, "640x360") else { return };
    let start = household.now.minus(Duration::from_secs(100));
    block_in_place(|| household.record(PORCH, &film, start));
    household.get(&household.anna, &format!("/api/events/{}/clip.mp4", event_of(PORCH)));
    household.post(&household.anna, "/account/tokens", &[("label", "Home Assistant"), ("days", "365")]);
    let (from, to) = (start.as_unix_seconds().to_string(), (start.as_unix_seconds() + 10.0).to_string());
    let shared = household.post(&household.anna, "/cameras/porch/share", &[("start", &from), ("end", &to)]).text();
    let at = shared.find("/shared/").expect("a link");
    let link = shared[at..at + 8 + 43].to_owned();
    household.post(&household.anna, "/cameras/nursery/pause", &[("minutes", "60")]);
    sign_in(&browser, &household).await;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
    std::fs::create_dir_all(&folder).expect("a folder");
    let gus = format!("/people/{}", household.users[1].0);
    let event = format!("/events/{}", event_of(PORCH));
    for (name, path) in [
        ("paused", "/"),
        ("account", "/account"),
        ("people", "/people"),
        ("person", &gus),
        ("event-watched", &event),
        ("activity", "/activity"),
        ("shared", &link),
    ] {
        browser.client.goto(&format!("{}{path}", household.origin())).await.expect("opened");
        for (size, width, height) in [("phone", 390, 844), ("desktop", 1440, 900)] {
            browser.client.set_window_size(width, height).await.expect("a window of that size");
            browser.until(LIMIT, "it is there", "return document.readyState === 'complete'").await;
            let wide = browser.run("return document.documentElement.scrollWidth <= innerWidth + 1").await;
            assert_eq!(wide, true, "{name} is wider than a {size}");
            let unnamed = browser.run(
                "return [...document.querySelectorAll('input:not([type=hidden]):not([hidden]), select, textarea, button')]
                 .filter((control) => !control.labels?.length && !control.textContent.trim() && !control.getAttribute('aria-label'))
                 .map((control) => control.outerHTML)",
            );
            assert_eq!(unnamed.await, json!([]), "{name}: a control without a label");
            let png = browser.client.screenshot().await.expect("a screenshot");
            std::fs::write(folder.join(format!("{name}-{size}.png")), png).expect("written");
        }
    }
}
