//! All words of the pages are in one place: shown with every text in ⟦brackets⟧, no page has a word outside of them, but for
//! names and what the household wrote. Development builds alone have those brackets.

#![cfg(debug_assertions)]
#![expect(clippy::disallowed_methods, reason = "a test reads the templates")]

mod household;
mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hearthwatch::access::Token;
use hearthwatch::camera::identity::{Mark, Who};
use hearthwatch::camera::session::CameraError;
use hearthwatch::camera::status::Link;
use hearthwatch::config::check;
use hearthwatch::config::settings::Settings;
use hearthwatch::record::segment::GapCause;
use hearthwatch::units::{EventId, UtcSpan};
use hearthwatch::web::routes::{Audience, Kind, table};
use household::{Answer, Household, NURSERY, PORCH, cookie, event_of};
use serde_json::json;
use support::browser::Browser;

/// The language of brackets, which development builds have.
const MARKED: &str = "en-XA";
/// Attributes that are read out or shown.
const READ: [&str; 8] =
    ["alt", "aria-label", "aria-valuetext", "content", "data-broken", "data-stopped", "placeholder", "title"];
/// What stands in these is not said in a language.
const UNREAD: [&str; 5] = ["code", "kbd", "script", "style", "textarea"];
/// What is called the same everywhere, and what the household of these tests is called.
const NAMES: [&str; 22] = [
    "Hearthwatch",
    "ABCD-EFGH-JKLM",
    "Home Assistant",
    "rtsp://192.168.1.20/main",
    "width=device-width, initial-scale=1, viewport-fit=cover",
    "same-origin",
    "light dark",
    "Porch",
    "Nursery",
    "anna",
    "gus",
    "nobody",
    "path",
    "Mbit/s",
    "kbit/s",
    "H.264",
    "GiB",
    "TiB",
    "attic",
    "Chrome",
    "Linux",
    "MiB",
];

/// What a person would read outside of brackets, each with a word of where.
fn outside(html: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut depth = 0_u32;
    let mut unread = Vec::new();
    for part in html.split_inclusive('>') {
        let (text, tag) = part.rsplit_once('<').unwrap_or((part, ""));
        if unread.is_empty() {
            found.extend(words_outside(text, &mut depth).map(|words| format!("{words:?} in the text")));
        }
        let tag = tag.trim_end_matches('>');
        let name = tag.trim_start_matches('/').split_whitespace().next().unwrap_or_default();
        if let Some(at) = UNREAD.iter().position(|unread| *unread == name) {
            if tag.starts_with('/') {
                unread.pop();
            } else {
                unread.push(at);
            }
        }
        for attribute in READ {
            let Some((_, value)) = tag.split_once(&format!(" {attribute}=\"")) else { continue };
            let value = value.split('"').next().unwrap_or_default();
            found.extend(words_outside(value, &mut 0).map(|words| format!("{words:?} as {attribute} of <{tag}>")));
        }
    }
    assert_eq!(depth, 0, "brackets are closed: {html}");
    found
}

/// Letters outside of brackets, if they are of no name.
fn words_outside(text: &str, depth: &mut u32) -> Option<String> {
    let mut rest = String::new();
    for character in text.chars() {
        match character {
            '⟦' => *depth += 1,
            '⟧' => *depth = depth.checked_sub(1).expect("opened before"),
            other if *depth == 0 => rest.push(other),
            _ => {}
        }
    }
    for name in NAMES {
        rest = rest.replace(name, "");
    }
    // Escaped characters are no words.
    let plain: String = rest.split('&').map(|part| part.split_once(';').map_or(part, |(_, after)| after)).collect();
    plain.chars().any(char::is_alphabetic).then(|| rest.trim().to_owned())
}

fn marked(household: &Household, who: &Token, path: &str) -> Answer {
    let headers = [("Cookie", cookie(who)), ("Accept-Language", MARKED.to_owned()), ("Accept", "text/html".to_owned())];
    household.ask("GET", path, &headers.each_ref().map(|(name, value)| (*name, value.as_str())), b"")
}

fn post(household: &Household, who: &Token, path: &str, fields: &[(&str, &str)]) -> Answer {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let (cookie, origin) = (cookie(who), household.origin());
    let headers = [
        ("Cookie", cookie.as_str()),
        ("Origin", &origin),
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Accept-Language", MARKED),
    ];
    household.ask("POST", path, &headers, body.as_bytes())
}

/// A house in which much is to be said.
fn eventful() -> Household {
    let household = Household::new();
    let written = "[storage]\npath = \"/footage\"\n[cameras.porch]\nurl = \"rtsp://192.168.1.20/main\"\n\
                   [cameras.nursery]\nurl = \"rtsp://192.168.1.21/main\"";
    let cameras = check(written, |_| Ok(String::new())).expect("a configuration").settings.cameras;
    household.settings.send_modify(|settings| *settings = Arc::new(Settings { cameras, ..(**settings).clone() }));
    let ago = |seconds| household.now.minus(Duration::from_secs(seconds));
    household.see(PORCH, EventId::from_random([7; 8]), ago(20), None, &[], None);
    household.see(NURSERY, EventId::from_random([8; 8]), ago(3 * 86_400), Some(200), &["path"], None);
    household.lose(PORCH, UtcSpan::starting_at(ago(60), Duration::from_secs(20)), GapCause::CameraStalled);
    let nursery = &household.statuses[NURSERY];
    nursery.send_modify(|status| {
        let card = |last| Who::With(Mark::MacAddress, format!("02:00:00:00:00:{last}"));
        status.link = Link::Refused;
        status.error = Some(CameraError::NotTheCamera { expected: card("01"), found: card("02") });
        status.last_picture = Some(ago(90));
        (status.reconnects, status.lost_packets) = (3, 1);
        status.key_frame_interval = Some(Duration::from_secs(8));
    });
    household.statuses[PORCH].send_modify(|status| status.key_frame_interval = Some(Duration::from_secs(8)));
    assert_eq!(household.get(&household.gus, &format!("/api/events/{}/thumbnail.jpg", event_of(PORCH))).status, 200);
    household
}

#[test]
fn every_page_says_all_its_words_from_the_list() {
    let household = eventful();
    let end = household.now.as_unix_seconds();
    let (start, end) = ((end - 60.0).to_string(), end.to_string());
    let span = [("start", start.as_str()), ("end", &end), ("hours", "24")];
    let link = household.post(&household.anna, "/cameras/porch/share", &span).text();
    let link = link.split("/shared/").nth(1).and_then(|rest| rest.get(..43)).expect("a link").to_owned();
    assert_eq!(household.post(&household.anna, "/account/tokens", &[("label", "Home Assistant")]).status, 200);
    let mut complaints: Vec<String> = Vec::new();
    let mut judge = |what: &str, answer: &Answer| {
        assert!((200..500).contains(&answer.status), "{what}: {}", answer.status);
        let html = answer.text();
        assert!(html.contains(&format!("<html lang=\"{MARKED}\">")), "{what}: {html}");
        for words in outside(&html) {
            complaints.push(format!("{what} ({}): {words}", answer.status));
        }
    };
    let mut pages = 0;
    for route in table().iter().filter(|route| route.method == "GET" && route.kind == Kind::Page) {
        let event = event_of(PORCH).to_string();
        for camera in [PORCH, NURSERY] {
            let path = route.path.replace("{id}", camera).replace("{event}", &event).replace("{user}", "2");
            let path = path.replace("{link}", &link).replace("{token}", &"A".repeat(43));
            let answer = marked(&household, &household.anna, &path);
            judge(&path, &answer);
            let is_there = answer.status == 200 || matches!(route.path, "/claim" | "/trust");
            assert!(is_there, "{path} is not what is to be judged: {}", answer.status);
            if route.audience != Audience::Anyone {
                judge(&format!("{path}, for a guest"), &marked(&household, &household.nobody, &path));
            }
            pages += 1;
        }
    }
    assert!(pages > 30, "{pages}");
    for path in [
        "/events?show=new&hours=06:00-12:00&longer=30&zone=path",
        "/events?zone=attic&before=1",
        "/events/0707070707070707",
        "/timeline?day=2020-01-01",
        "/timeline?day=nonsense",
        "/no-such-page",
    ] {
        judge(path, &marked(&household, &household.anna, path));
    }
    let anna = &household.anna;
    for (path, fields) in [
        ("/sign-in", &[("user", "anna"), ("password", "wrong")][..]),
        ("/people", &[("name", ""), ("role", "guest")]),
        ("/people", &[("name", "eve"), ("role", "guest"), ("password", "short")]),
        ("/people/2", &[("role", "nothing")]),
        ("/people/2/password", &[("new", "long enough")]),
        ("/people/2/sign-out", &[]),
        ("/people/1/remove", &[]),
        ("/account/password", &[("current", "wrong"), ("new", "long enough")]),
        ("/account/tokens", &[("label", "")]),
        ("/account/tokens", &[("label", "Home Assistant"), ("days", "30")]),
        ("/account/links", &[("handle", "0")]),
        ("/cameras/porch/share", &span),
        ("/cameras/porch/share", &[("start", "x")]),
        ("/cameras/porch/motion", &[("drawn", "x")]),
        ("/storage", &[("motion_days", "1"), ("continuous_days", "2")]),
        ("/events", &[("do", "paint")]),
    ] {
        judge(&format!("POST {path} {fields:?}"), &post(&household, anna, path, fields));
    }
    assert_eq!(post(&household, anna, "/pause", &[("minutes", "60")]).status, 303);
    for path in ["/", "/cameras", "/activity"] {
        judge(&format!("{path}, paused"), &marked(&household, anna, path));
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn no_template_has_words_of_its_own() {
    let mut complaints: Vec<String> = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("templates")];
    let mut templates: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "html") {
                templates.push(path);
            }
        }
    }
    assert!(templates.len() > 25, "{}", templates.len());
    for path in templates {
        let mut html = std::fs::read_to_string(&path).expect("a template");
        for (opens, closes) in [("{{", "}}"), ("{%", "%}")] {
            while let Some((before, rest)) = html.split_once(opens) {
                let (_, after) = rest.split_once(closes).expect("closed");
                html = format!("{before}{after}");
            }
        }
        for words in outside(&html) {
            complaints.push(format!("{}: {words}", path.display()));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn who_wants_no_language_that_is_there_reads_english() {
    let household = Household::new();
    let page = |accepted: &str| {
        household.ask("GET", "/", &[("Cookie", &cookie(&household.anna)), ("Accept-Language", accepted)], b"").text()
    };
    for accepted in ["", "en", "en-GB,en;q=0.9,de;q=0.1", "tlh", "*", ";;q=,\"<script>", &"en-XA;q=0,".repeat(40)] {
        let page = page(accepted);
        assert!(page.contains("<html lang=\"en\">") && page.contains("Skip to the content"), "{accepted}");
        assert!(!page.contains("application/json") && !page.contains('⟦'), "{accepted}");
    }
    let page = page("tlh, en-xa;q=0.4");
    let (_, texts) = page.split_once("<script type=\"application/json\" id=\"texts\">").expect("texts for modules");
    let (texts, _) = texts.split_once("</script>").expect("an end");
    let texts: serde_json::Value = serde_json::from_str(texts).expect("an object");
    assert_eq!(texts["Play"], "⟦Play⟧");
}

#[test]
fn programs_are_told_in_the_language_they_ask_for() {
    let household = Household::new();
    let error = |headers: &[(&str, &str)]| household.ask("GET", "/api/me", headers, b"").json()["error"].clone();
    assert_eq!(error(&[]), "sign in first");
    assert_eq!(error(&[("Accept-Language", MARKED)]), "⟦sign in first⟧");
}

/// The same as [`outside`], of a page as its modules left it. Times are the browser's.
const OUTSIDE: &str = "
    const found = [];
    let depth = 0;
    const outside = (text) => {
        let rest = '';
        for (const one of text) {
            if (one === '⟦') depth += 1;
            else if (one === '⟧') depth -= 1;
            else if (depth === 0) rest += one;
        }
        for (const name of NAMES) rest = rest.replaceAll(name, '');
        return /\\p{L}/u.test(rest);
    };
    for (const element of document.querySelectorAll('body *')) {
        if (element.closest('time')) continue;
        for (const name of ['alt', 'aria-label', 'placeholder', 'title']) {
            if (outside(element.getAttribute(name) ?? '')) found.push(`${name} of ${element.outerHTML.slice(0, 200)}`);
        }
    }
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT, (node) =>
        node instanceof Element && node.matches('code, kbd, noscript, script, textarea, time, output, #hours')
            ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT);
    while (walker.nextNode()) {
        const node = walker.currentNode;
        if (node instanceof Text && outside(node.data)) found.push(node.data.trim());
    }
    return found;";

#[tokio::test(flavor = "multi_thread")]
async fn modules_say_all_their_words_from_the_list_and_long_words_fit_a_phone() {
    let Some(browser) = Browser::start().await else { return };
    let household = tokio::task::block_in_place(eventful);
    browser.sign_in(&household.origin(), ("anna", household::PASSWORD)).await;
    browser.be((390, 844), "light").await;
    let outside = OUTSIDE.replace("NAMES", &json!(NAMES).to_string());
    let event = format!("/events/{}", event_of(PORCH));
    let mut complaints: Vec<String> = Vec::new();
    for language in [MARKED, "de"] {
        let spoken = json!({"userAgent": "", "acceptLanguage": language});
        browser.devtools("Emulation.setUserAgentOverride", spoken).await;
        for (path, act) in [
            ("/", "document.querySelector('.tile a.picture').click()"),
            ("/timeline", "document.getElementById('on-event').click()"),
            ("/cameras/porch", "document.getElementById('save-still').click()"),
            (
                "/cameras/porch/motion",
                "document.getElementById('add-zone').click(); document.getElementById('add-mask').click()",
            ),
            ("/events", "for (const tick of document.querySelectorAll('.tick input')) tick.click()"),
            (&event, "document.getElementById('kept').click()"),
            ("/cameras", ""),
            ("/account", ""),
            ("/people", ""),
            ("/people/2", ""),
            ("/activity", ""),
            ("/adopt", ""),
            ("/storage", ""),
        ] {
            browser.client.goto(&format!("{}{path}", household.origin())).await.expect("a page");
            let is_there =
                format!("return document.readyState === 'complete' && document.documentElement.lang === '{language}'");
            browser.until(Duration::from_secs(40), "it is there in its language", &is_there).await;
            browser.run(act).await;
            let wide = browser.run("return document.documentElement.scrollWidth - 390").await;
            if wide.as_i64().expect("a number") > 1 {
                complaints.push(format!("{path} in {language}: {wide} pixels wider than a phone"));
            }
            if language == MARKED {
                for words in browser.run(&outside).await.as_array().expect("a list") {
                    complaints.push(format!("{path}: {words}"));
                }
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
