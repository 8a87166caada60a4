//! What the household finds its way with: news, sifting, several events at once, all cameras at the same moment.

mod household;
mod support;

use std::time::Duration;

use hearthwatch::access::{Rights, Token};
use hearthwatch::index::{events, rights};
use hearthwatch::units::EventId;
use household::{Answer, Household, NURSERY, PORCH, camera, cookie, event_of, film};
use serde_json::{Value, json};
use support::browser::Browser;
use tokio::task::block_in_place;

const LIMIT: Duration = Duration::from_secs(30);

fn id(n: u8) -> EventId {
    EventId::from_random([n; 8])
}

/// How often a page says that.
fn count(page: &Answer, what: &str) -> usize {
    page.text().matches(what).count()
}

const NEW: &str = "badge-new";

#[test]
fn what_one_has_seen_is_no_news_any_more() {
    let household = Household::new();
    let later = household.now.minus(Duration::from_secs(60));
    household.see(PORCH, id(7), later, Some(5), &[], None);
    let list = |who: &Token| household.get(who, "/events");
    assert_eq!((count(&list(&household.anna), NEW), count(&list(&household.gus), NEW)), (3, 2));
    assert!(list(&household.anna).text().contains("<strong>3</strong> new since you looked"));
    assert!(household.get(&household.gus, "/").text().contains("<span class=\"count\">2<"), "it stands on every page");

    // Opened, it is seen; the other viewer's news stay, and what is another's cannot be asked about.
    let seen = |who: &Token, event: EventId| household.ask_as(who, "PUT", &format!("/api/events/{event}/seen")).status;
    assert_eq!(seen(&household.anna, id(7)), 204);
    assert_eq!((count(&list(&household.anna), NEW), count(&list(&household.gus), NEW)), (2, 2));
    assert_eq!((seen(&household.gus, event_of(NURSERY)), seen(&household.nobody, id(7))), (404, 404));

    let only_new = household.get(&household.anna, "/events?show=new").text();
    assert!(!only_new.contains(&id(7).to_string()) && only_new.contains(&event_of(PORCH).to_string()), "{only_new}");
    // Everything up to the newest of the list; never the time to come.
    let until = later.0.to_string();
    let answer = household.post(&household.anna, "/events", &[("until", &until), ("back", "/events?show=kept")]);
    assert_eq!((answer.status, answer.header("location")), (303, Some("/events?show=kept")));
    assert_eq!(count(&list(&household.anna), NEW), 0);
    assert!(!list(&household.anna).text().contains("new since you looked"));
    let for_ever = i64::MAX.to_string();
    assert_eq!(household.post(&household.gus, "/events", &[("until", &for_ever)]).status, 303);
    household.see(PORCH, id(8), household.now.plus(Duration::from_secs(3600)), Some(5), &[], None);
    assert_eq!(count(&list(&household.gus), NEW), 1, "what comes is news");
}

#[test]
fn several_events_are_changed_at_once_by_those_who_may_and_it_is_written_down() {
    let household = Household::new();
    household.see(PORCH, id(7), household.now.minus(Duration::from_secs(60)), Some(5), &[], None);
    let [seven, porch, nursery] = [id(7), event_of(PORCH), event_of(NURSERY)].map(|id| id.to_string());
    let change = |who: &Token, wish: &str, ids: &[&String]| {
        let fields: Vec<_> = ids.iter().map(|id| ("event", id.as_str())).chain([("do", wish)]).collect();
        household.post(who, "/events", &fields).status
    };
    let is_kept = |id: &str| household.get(&household.anna, &format!("/api/events/{id}")).json()["kept"] == true;
    assert_eq!(change(&household.gus, "keep", &[&seven]), 404, "who may only look changes nothing");
    assert_eq!(change(&household.anna, "keep", &[&seven, &porch]), 303);
    assert!(is_kept(&seven) && is_kept(&porch) && !is_kept(&nursery));
    assert_eq!(count(&household.get(&household.anna, "/events?show=kept"), "class=\"event card\""), 2);
    assert_eq!(change(&household.anna, "let-go", &[&porch]), 303);
    assert!(is_kept(&seven) && !is_kept(&porch));
    assert_eq!(change(&household.gus, "seen", &[&seven, &porch]), 303);
    assert_eq!(change(&household.gus, "seen", &[&seven, &nursery]), 404);
    assert_eq!(change(&household.anna, "paint", &[&seven]), 400);
    assert_eq!(change(&household.anna, "keep", &[&"no id".to_owned()]), 404);

    // One of them is another's: then none is touched.
    let gus = household.users[1];
    let may_delete = Rights { history: true, delete: true, ..Rights::NONE };
    let granted = household.writer.write_blocking(move |tx| rights::grant(tx, gus, &camera(PORCH), may_delete));
    granted.expect("written");
    assert_eq!(change(&household.gus, "delete", &[&porch, &nursery]), 404);
    assert_eq!(household.get(&household.anna, &format!("/api/events/{porch}")).status, 200);
    assert_eq!(change(&household.gus, "delete", &[&porch, &seven]), 303);
    for id in [&porch, &seven] {
        assert_eq!(household.get(&household.anna, &format!("/api/events/{id}")).status, 404);
    }
    assert_eq!(household.get(&household.anna, &format!("/api/events/{nursery}")).status, 200);
    let log = household.log();
    let times = |who: &str, what: &str| log.iter().filter(|(user, action)| user == who && action == what).count();
    assert_eq!((times("anna", "event-changed"), times("gus", "event-deleted")), (3, 2), "{log:?}");
}

#[test]
fn the_list_is_sifted_by_zone_length_and_time_of_day() {
    let household = Household::new();
    let at = |seconds| household.now.minus(Duration::from_secs(seconds));
    household.see(PORCH, id(7), at(60), Some(40), &["gate"], None);
    household.see(NURSERY, id(8), at(50), Some(4), &["gate", "path"], None);
    let listed = |query: &str| {
        let events = household.get(&household.anna, &format!("/api/events?{query}")).json();
        events.as_array().expect("a list").iter().map(|event| event["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(listed("zone=gate"), [json!(id(8)), json!(id(7))]);
    assert_eq!(listed("zone=gate&camera=porch"), [json!(id(7))]);
    assert_eq!(listed("zone=attic"), [] as [Value; 0]);
    assert_eq!(listed("longer=30"), [json!(id(7))]);
    assert_eq!(listed("camera=&zone=&longer=&hours=&show=").len(), 4, "a form sends what was not chosen as empty");
    let hours = ["00:00-12:00", "12:00-00:00"].map(|hours| listed(&format!("hours={hours}")).len());
    assert_eq!(hours.iter().sum::<usize>(), 4, "each began in one half of the day: {hours:?}");
    for wrong in ["longer=x", "hours=25:00-26:00", "hours=night"] {
        assert_eq!(household.get(&household.anna, &format!("/events?{wrong}")).status, 400, "{wrong}");
    }
    let page = household.get(&household.gus, "/events?zone=gate&longer=10");
    assert_eq!(count(&page, "class=\"event card\""), 1, "the nursery's is not the guest's");
    assert!(household.get(&household.gus, "/events?zone=attic").text().contains("Nothing of that kind"));
}

#[test]
fn the_timeline_shows_the_cameras_whose_past_one_may_see() {
    let household = Household::new();
    let page = household.get(&household.anna, "/timeline").text();
    assert!(page.contains("data-screen=\"porch\"") && page.contains("data-screen=\"nursery\""));
    let page = household.get(&household.gus, "/timeline").text();
    assert!(page.contains("data-screen=\"porch\"") && !page.contains("ursery"), "{page}");
    assert!(!page.contains("data-save="), "who may not save finds no link to it");
    assert!(household.get(&household.nobody, "/timeline").text().contains("No footage for you"));
    assert_eq!(household.get(&household.anna, "/timeline?day=nonsense").status, 400);
}

#[test]
fn the_picture_of_a_moment_needs_a_look_at_the_past_and_is_written_down_by_the_hour() {
    let household = Household::new();
    let Some(film) = film(20, "320x180") else { return };
    let start = household.now.minus(Duration::from_secs(100));
    household.record(PORCH, &film, start);
    for second in [2.0, 5.0, 9.0] {
        let path = format!("/api/cameras/porch/moment.mp4?t={}", start.as_unix_seconds() + second);
        let answer = household.get(&household.gus, &path);
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("video/mp4")));
        assert!(answer.body.len() < film.len() / 2, "{} of {} bytes", answer.body.len(), film.len());
    }
    let path = format!("/api/cameras/porch/moment.mp4?t={}", start.as_unix_seconds() - 50.0);
    assert_eq!(household.get(&household.gus, &path).status, 404, "nothing was recorded then");
    let looks = household.log().into_iter().filter(|(who, what)| who == "gus" && what == "playback").count();
    assert!((1..=2).contains(&looks), "{looks}");
    let headers = [("Cookie", cookie(&household.nobody)), ("Origin", household.origin())];
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(household.ask("GET", &path, &headers, b"").status, 404);
}

async fn sign_in(browser: &Browser, household: &Household) {
    browser.client.goto(&format!("{}/sign-in/{}", household.origin(), household.link.expose())).await.expect("opened");
    browser
        .until(LIMIT, "signed in", "return location.pathname === '/' && document.querySelector('.grid') !== null")
        .await;
}

/// A key pressed on the page.
async fn press(browser: &Browser, key: &str) {
    let press = format!(
        "document.body.dispatchEvent(new KeyboardEvent('keydown', {{ key: '{key}', bubbles: true, cancelable: true }}))"
    );
    browser.run(&press).await;
}

/// What both cameras show, as one text of brightness each: the films are the same, so in step the pictures are.
const PICTURES: &str = "
    return [...document.querySelectorAll('.screen video')].map((video) => {
        const canvas = document.createElement('canvas');
        [canvas.width, canvas.height] = [64, 36];
        const pen = canvas.getContext('2d');
        pen.drawImage(video, 0, 0, 64, 36);
        return [...pen.getImageData(0, 0, 64, 36).data].join(' ');
    });";

#[tokio::test(flavor = "multi_thread")]
async fn all_cameras_play_in_step_at_the_same_moment() {
    let Some(browser) = Browser::start().await else { return };
    let Some(film) = film(60, "320x180") else { return };
    let household = block_in_place(Household::new);
    let start = household.now.minus(Duration::from_secs(300));
    block_in_place(|| {
        for (id, gap) in [(PORCH, 90), (NURSERY, 60)] {
            household.record(id, &film, start);
            household.record(id, &film, start.plus(Duration::from_secs(gap)));
        }
    });
    sign_in(&browser, &household).await;
    let zero = start.as_unix_seconds();
    browser.client.goto(&format!("{}/timeline?t={}", household.origin(), zero + 5.0)).await.expect("opened");
    let playing = "const videos = [...document.querySelectorAll('.screen video')];
        return videos.length === 2 && videos.every((video) => video.readyState >= 3 && !video.paused && video.playbackRate > 0)";
    browser.until(LIMIT, "both play", playing).await;
    // Both were begun at the same moment, so their own clocks can be held against each other.
    let watched = browser
        .run_async(
            "const done = arguments[arguments.length - 1];
             const [a, b] = document.querySelectorAll('.screen video');
             const [from, apart] = [a.currentTime, []];
             const timer = setInterval(() => {
                 apart.push(Math.abs(a.currentTime - b.currentTime));
                 if (a.currentTime < from + 4) return;
                 clearInterval(timer);
                 apart.sort((x, y) => x - y);
                 done({ median: apart[Math.floor(apart.length / 2)], most: apart.at(-1), looks: apart.length });
             }, 50);",
        )
        .await;
    println!("two cameras apart, in seconds: {watched}");
    assert!(watched["most"].as_f64().expect("a number") < 0.5, "{watched}");
    assert!(watched["median"].as_f64().expect("a number") < 0.15, "{watched}");

    // Standing still they show the very same picture, also one on and one back.
    press(&browser, " ").await;
    let still = "return [...document.querySelectorAll('.screen video')].every((video) => video.paused && !video.seeking && video.readyState >= 2)
        && document.getElementById('play-words').textContent === 'Play'";
    browser.until(LIMIT, "both stand still", still).await;
    let same = format!("const [a, b] = (() => {{ {PICTURES} }})(); return a === b");
    browser.until(LIMIT, "the same picture", &same).await;
    let before = browser.run(PICTURES).await;
    press(&browser, ".").await;
    let other = format!(
        "const [a, b] = (() => {{ {PICTURES} }})(); window.before ??= a; return a === b && a !== {}",
        before[0]
    );
    browser.until(LIMIT, "the next picture, on both", &other).await;
    press(&browser, ",").await;
    browser
        .until(
            LIMIT,
            "and back",
            &format!("const [a, b] = (() => {{ {PICTURES} }})(); return a === b && a === {}", before[0]),
        )
        .await;
    // The address says where one is.
    let at = browser.run("return Number(new URLSearchParams(location.search).get('t'))").await;
    assert!((at.as_f64().expect("a number") - zero - 9.0).abs() < 4.0, "{at} after {zero}");

    // Where one recorded nothing, the other goes on alone.
    browser.client.goto(&format!("{}/timeline?t={}", household.origin(), zero + 70.0)).await.expect("opened");
    browser
        .until(
            LIMIT,
            "the nursery plays and the porch has nothing",
            "const [nursery, porch] = ['nursery', 'porch'].map((id) => document.querySelector(`[data-screen=${id}]`));
             return nursery.querySelector('video').currentTime > 0 && !nursery.querySelector('video').paused
                 && porch.querySelector('.saying').textContent === 'Nothing recorded';",
        )
        .await;
    press(&browser, "+").await;
    press(&browser, "+").await;
    press(&browser, "+").await;
    browser
        .until(
            LIMIT,
            "eight times as fast, soon the porch is there again",
            "return document.getElementById('speed').value === '8'
                 && document.querySelector('[data-screen=porch] .saying').textContent === ''
                 && document.querySelector('[data-screen=porch] video').readyState >= 2;",
        )
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finger_on_the_bar_sees_the_picture_below_it_and_a_part_is_saved() {
    let Some(browser) = Browser::start().await else { return };
    let Some(film) = film(60, "320x180") else { return };
    let household = block_in_place(Household::new);
    let start = household.now.minus(Duration::from_secs(300));
    block_in_place(|| household.record(PORCH, &film, start));
    sign_in(&browser, &household).await;
    browser
        .client
        .goto(&format!("{}/cameras/porch?t={}", household.origin(), start.as_unix_seconds()))
        .await
        .expect("opened");
    let playing = "const video = document.querySelector('#video'); return video.readyState >= 3 && !video.paused";
    browser.until(LIMIT, "it plays", playing).await;
    browser
        .run(
            "for (let n = 0; n < 3; n += 1) document.getElementById('zoom-in').click();
             const bar = document.getElementById('bar');
             const box = bar.getBoundingClientRect();
             const footage = bar.querySelector('.bar-footage').getBoundingClientRect();
             bar.setPointerCapture = () => {};
             window.touch = (kind, part) => bar.dispatchEvent(new PointerEvent(kind, { bubbles: true, pointerId: 1,
                 clientX: footage.left + footage.width * part, clientY: box.top + 20 }));
             touch('pointerdown', 0.3); touch('pointermove', 0.5);",
        )
        .await;
    browser
        .until(
            LIMIT,
            "the picture under the finger",
            "const bubble = document.getElementById('scrub');
             return !bubble.hidden && bubble.querySelector('video').videoWidth === 320 && bubble.querySelector('video').readyState >= 2;",
        )
        .await;
    browser.run("touch('pointerup', 0.5)").await;
    browser.until(LIMIT, "it is gone with the finger", "return document.getElementById('scrub').hidden").await;
    press(&browser, " ").await;
    let stands = "return document.getElementById('play-words').textContent === 'Play'";
    browser.until(LIMIT, "it stands still", stands).await;
    press(&browser, "[").await;
    press(&browser, "ArrowRight").await;
    press(&browser, "]").await;
    let part = browser
        .run(
            "const form = document.getElementById('save');
             return { length: form.elements.end.value - form.elements.start.value, open: form.closest('details').open,
                 marked: document.querySelector('#bar .bar-chosen') !== null,
                 same: document.getElementById('share').elements.start.value === form.elements.start.value };",
        )
        .await;
    assert_eq!((&part["open"], &part["marked"], &part["same"]), (&json!(true), &json!(true), &json!(true)), "{part}");
    assert!((9.0..=11.0).contains(&part["length"].as_f64().expect("a number")), "{part}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_and_an_event_are_gone_through_by_keys() {
    let Some(browser) = Browser::start().await else { return };
    let household = block_in_place(Household::new);
    sign_in(&browser, &household).await;
    press(&browser, "3").await;
    browser
        .until(
            LIMIT,
            "the third page",
            "return location.pathname === '/events' && document.querySelector('#sieve-go')?.hidden",
        )
        .await;
    press(&browser, "?").await;
    assert_eq!(browser.run("return document.getElementById('keys').open").await, true);
    press(&browser, "1").await;
    assert_eq!(browser.run("return location.pathname").await, "/events", "keys of the page wait behind the help");
    browser.run("document.getElementById('keys').close()").await;
    press(&browser, "n").await;
    press(&browser, "n").await;
    press(&browser, "x").await;
    let chosen = browser.run("return [document.getElementById('chosen-count').textContent, getComputedStyle(document.querySelector('.chosen')).display]").await;
    assert_eq!(chosen, json!(["1 chosen", "flex"]));
    browser.run("document.querySelector('[name=do][value=keep]').click()").await;
    browser
        .until(
            LIMIT,
            "one is kept",
            "return document.querySelectorAll('.badge').length > 0 && document.body.innerText.includes('Kept')",
        )
        .await;

    // Each event that is opened is no news any more.
    let open = |id: EventId| format!("{}/events/{id}", household.origin());
    browser.client.goto(&open(event_of(NURSERY))).await.expect("opened");
    browser.until(LIMIT, "its keys", "return document.readyState === 'complete'").await;
    let kept = block_in_place(|| {
        household.writer.write_blocking(|tx| Ok(events::by_id(tx, event_of(NURSERY))?.expect("it is there").kept))
    });
    press(&browser, "k").await;
    browser.until(LIMIT, "it says so", "return document.getElementById('said').textContent !== ''").await;
    let now = block_in_place(|| {
        household.writer.write_blocking(|tx| Ok(events::by_id(tx, event_of(NURSERY))?.expect("it is there").kept))
    });
    assert_ne!(kept.expect("read"), now.expect("read"));
    browser
        .until(
            LIMIT,
            "one of two is new",
            "const request = new XMLHttpRequest(); request.open('GET', '/events', false); request.send();
             return request.responseText.split('badge-new').length === 2;",
        )
        .await;
    // Whoever's keyboard is a voice switches them off.
    browser.run("localStorage.setItem('hearthwatch-keys', 'off')").await;
    press(&browser, "1").await;
    assert_eq!(browser.run("return location.pathname.startsWith('/events/')").await, true);
}
