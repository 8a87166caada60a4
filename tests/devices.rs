//! What a finger does, what a window of its own shows, and what a tablet on the wall does all day.

mod household;
mod support;

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use household::{Household, NURSERY, PORCH, camera, event_of, film};
use serde_json::json;
use support::browser::Browser;
use support::{Daemon, Demo, FakeCamera};
use tokio::task::block_in_place;

const LIMIT: Duration = Duration::from_secs(40);

async fn sign_in(browser: &Browser, household: &Household) {
    browser.client.goto(&format!("{}/sign-in/{}", household.origin(), household.link.expose())).await.expect("opened");
    let there = "return location.pathname === '/' && document.querySelector('.grid') !== null";
    browser.until(LIMIT, "signed in", there).await;
}

/// A finger that goes down at one place and up at another, as Chromium itself would make it.
async fn swipe(browser: &Browser, from: (u32, u32), to: (u32, u32)) {
    let touch = |kind: &str, points: &[(u32, u32)]| {
        let points: Vec<_> = points.iter().map(|(x, y)| json!({ "x": x, "y": y })).collect();
        json!({ "type": kind, "touchPoints": points })
    };
    let middle = (u32::midpoint(from.0, to.0), u32::midpoint(from.1, to.1));
    for step in
        [touch("touchStart", &[from]), touch("touchMove", &[middle]), touch("touchMove", &[to]), touch("touchEnd", &[])]
    {
        browser.devtools("Input.dispatchTouchEvent", step).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swipe_goes_from_one_event_to_the_next_and_back() {
    let Some(browser) = Browser::start().await else { return };
    let household = block_in_place(Household::new);
    let newest = hearthwatch::units::EventId::from_random([7; 8]);
    block_in_place(|| {
        household.see(PORCH, newest, household.now.minus(Duration::from_secs(30)), Some(5), &[], Some(household::JPEG));
    });
    sign_in(&browser, &household).await;
    browser.be((390, 844), "light").await;
    browser.devtools("Emulation.setTouchEmulationEnabled", json!({ "enabled": true })).await;
    browser.client.goto(&format!("{}/events/{newest}", household.origin())).await.expect("opened");
    let at = |id: hearthwatch::units::EventId| {
        format!(
            "return location.pathname === '/events/{id}' && document.readyState === 'complete' && document.getElementById('event') !== null"
        )
    };
    browser.until(LIMIT, "the newest", &at(newest)).await;
    let older = browser.run("return new URL(document.querySelector('.heading a[rel=next]').href).pathname").await;
    let older: hearthwatch::units::EventId =
        older.as_str().and_then(|path| path.strip_prefix("/events/")).expect("an event").parse().expect("an id");
    assert!([event_of(PORCH), event_of(NURSERY)].contains(&older));
    // Upwards it scrolls, and a hand that trembles goes nowhere.
    swipe(&browser, (200, 600), (190, 300)).await;
    swipe(&browser, (200, 600), (160, 600)).await;
    assert_eq!(browser.run("return location.pathname").await, json!(format!("/events/{newest}")));
    swipe(&browser, (320, 600), (90, 610)).await;
    browser.until(LIMIT, "the next", &at(older)).await;
    swipe(&browser, (90, 600), (320, 590)).await;
    browser.until(LIMIT, "back", &at(newest)).await;
}

#[tokio::test]
async fn the_large_picture_goes_into_a_small_window_of_its_own() {
    let Some(browser) = Browser::start().await else { return };
    let demo = Demo::start(1);
    browser.client.goto(&demo.link).await.expect("the link opens");
    let grid = "const video = document.querySelector('.tile video'); return video !== null && video.readyState >= 2";
    browser.until(LIMIT, "the grid plays", grid).await;
    browser.run("document.querySelector('.tile a.picture').click()").await;
    let large =
        "const video = document.querySelector('#theatre video'); return video.readyState >= 3 && video.currentTime > 0";
    browser.until(LIMIT, "the large picture plays", large).await;
    assert_eq!(
        browser.run("return document.querySelector('#theatre canvas').hidden").await,
        true,
        "the small picture made way for the film"
    );
    let has = browser.run("return document.pictureInPictureEnabled").await == true;
    let offered = browser.run("return !document.getElementById('theatre-small').hidden").await == true;
    assert_eq!(has, offered, "the button is there where the browser can");
    if !has {
        return println!("skipped in part: this Chromium has no picture in picture");
    }
    let press =
        |kind: &'static str, x: f64, y: f64| json!({ "type": kind, "x": x, "y": y, "button": "left", "clickCount": 1 });
    let place = browser
        .run("const { x, y, width, height } = document.getElementById('theatre-small').getBoundingClientRect(); return [x + width / 2, y + height / 2]")
        .await;
    let (x, y) = (place[0].as_f64().expect("a place"), place[1].as_f64().expect("a place"));
    // A person's own click: browsers allow it to nobody else.
    for kind in ["mousePressed", "mouseReleased"] {
        browser.devtools("Input.dispatchMouseEvent", press(kind, x, y)).await;
    }
    let small = "return document.pictureInPictureElement === document.querySelector('#theatre video')";
    browser.until(LIMIT, "it is in a window of its own", small).await;
    let moves = "const video = document.pictureInPictureElement; window.first ??= video.currentTime; return video.currentTime > window.first + 1";
    browser.until(LIMIT, "it moves there", moves).await;
    browser.run("document.getElementById('theatre-close').click()").await;
    let gone = "return document.pictureInPictureElement === null && !document.getElementById('theatre').open";
    browser.until(LIMIT, "it goes with the large picture", gone).await;
}

/// The live page with that camera, called `modern`, whose film this browser cannot play; `None` where it can.
async fn live_without_h265(browser: &Browser, camera: &str) -> Option<Daemon> {
    let daemon = Daemon::start(&format!("[cameras.modern]\n{camera}"));
    let (name, password) = daemon.owner();
    browser.sign_in(&daemon.origin, (&name, &password)).await;
    browser.client.goto(&daemon.origin).await.expect("the grid opens");
    if browser.run("return MediaSource.isTypeSupported('video/mp4; codecs=\"hvc1.1.6.L90.B0\"')").await == true {
        println!("skipped: this Chromium plays H.265");
        return None;
    }
    Some(daemon)
}

#[tokio::test]
async fn where_the_browser_plays_no_h265_it_shows_single_pictures_and_says_so() {
    let Some(browser) = Browser::start().await else { return };
    let modern = FakeCamera::start(&["--codec", "h265", "--size", "640x360", "--fps", "5"]);
    let Some(_daemon) = live_without_h265(&browser, &format!("url = \"{}\"\n", modern.url)).await else { return };
    let pictures = "const tile = document.querySelector('[data-live=modern]');
        const image = tile?.querySelector('img:not(.still)');
        if (!image?.naturalWidth || !tile.innerText.includes('single pictures')) return false;
        (window.seen ??= new Set()).add(image.src);
        return window.seen.size > 3;";
    browser.until(LIMIT, "one picture after the other", pictures).await;
}

#[tokio::test]
async fn where_the_browser_plays_no_h265_the_large_picture_is_the_small_stream_and_it_says_so() {
    let Some(browser) = Browser::start().await else { return };
    let modern = FakeCamera::start(&["--codec", "h265", "--sub-codec", "h264", "--size", "1280x720", "--fps", "5"]);
    let sub = modern.url.replace("/main", "/sub");
    let camera = format!("url = \"{}\"\ndetect_url = \"{sub}\"\n", modern.url);
    let Some(daemon) = live_without_h265(&browser, &camera).await else { return };
    let plays = |place: &str, said: &str| {
        format!(
            "const video = document.querySelector('{place} video');
             const said = document.querySelector('{place} .saying').textContent;
             return video?.readyState >= 3 && video.currentTime > 1 && video.videoWidth === 640 && said === '{said}';"
        )
    };
    browser.until(LIMIT, "the small stream in the grid, as everywhere", &plays(".tile", "")).await;
    browser.run("document.querySelector('.tile a.picture').click()").await;
    let said = "This browser cannot play the large picture: the small one";
    browser.until(LIMIT, "the small stream as the large picture", &plays("#theatre", said)).await;
    browser.run("document.getElementById('theatre-close').click()").await;

    // What was recorded is the large stream: the timeline says what to do with it.
    let recorded = "const now = Date.now() / 1000; return fetch(`/api/cameras/modern/recordings?after=${now - 600}&before=${now}`).then((answer) => answer.json()).then(({ spans }) => spans.length > 0)";
    browser.until(LIMIT, "something is recorded", recorded).await;
    browser.client.goto(&format!("{}/cameras/modern", daemon.origin)).await.expect("opened");
    browser.until(LIMIT, "the day", "return document.getElementById('play') !== null").await;
    browser.run("document.getElementById('play').click()").await;
    let why = "return document.body.innerText.includes('This browser cannot play H.265; save the part you need and open it with another player.')";
    browser.until(LIMIT, "the timeline says why", why).await;
}

/// What a phone has and Chromium on Linux has not: handing a file on to another program.
const PHONE: &str = "navigator.canShare = ({ files }) => files.length === 1;
    navigator.share = async ({ files: [file] }) => {
        window.handed = (window.handed ?? 0) + 1;
        if (window.handed === 1) throw new DOMException('too late after the click', 'NotAllowedError');
        const bytes = new Uint8Array(await file.slice(4, 8).arrayBuffer());
        window.sent = [file.name, file.type, file.size, String.fromCharCode(...bytes)];
    };";

#[tokio::test(flavor = "multi_thread")]
async fn a_clip_is_sent_on_by_the_phones_own_means_and_the_fetching_can_be_stopped() {
    let Some(browser) = Browser::start().await else { return };
    let household = block_in_place(Household::new);
    let clip = block_in_place(|| household.get(&household.anna, &format!("/api/events/{}/clip.mp4", event_of(PORCH))));
    if clip.status != 200 {
        return println!("skipped: there is no footage without FFmpeg's program");
    }
    sign_in(&browser, &household).await;
    let event = format!("{}/events/{}", household.origin(), event_of(PORCH));
    browser.client.goto(&event).await.expect("opened");
    let is_there = "return document.readyState === 'complete' && document.getElementById('send') !== null";
    browser.until(LIMIT, "the event", is_there).await;
    assert_eq!(browser.run("return document.getElementById('send').hidden").await, true, "only where the browser can");

    browser.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": PHONE })).await;
    browser.client.goto(&event).await.expect("opened");
    browser.until(LIMIT, "the button", "return document.getElementById('send')?.hidden === false").await;
    let line = |bytes_a_second: i64| json!({ "offline": false, "latency": 0, "downloadThroughput": bytes_a_second, "uploadThroughput": -1 });
    browser.devtools("Network.emulateNetworkConditions", line(20_000)).await;
    browser.run("document.getElementById('send').click()").await;
    let fetches = "const bar = document.getElementById('send-part'); return !bar.hidden && bar.value > 0 && bar.value < 1 && document.getElementById('send').textContent === 'Stop'";
    browser.until(LIMIT, "one sees how far it is", fetches).await;
    browser.run("document.getElementById('send').click()").await;
    let stopped = "return document.getElementById('send-part').hidden && document.getElementById('send').textContent === 'Send the clip'";
    browser.until(LIMIT, "it is stopped", stopped).await;
    assert_eq!(browser.run("return window.handed === undefined").await, true);

    browser.devtools("Network.emulateNetworkConditions", line(-1)).await;
    browser.run("document.getElementById('send').click()").await;
    let once_more = "return document.getElementById('send-said').textContent.includes('once more')";
    browser.until(LIMIT, "the browser wants another click", once_more).await;
    browser.run("document.getElementById('send').click()").await;
    browser.until(LIMIT, "it is handed on", "return window.sent !== undefined").await;
    let sent = browser.run("return window.sent").await;
    let name = sent[0].as_str().expect("a name");
    assert!(name.starts_with("Porch") && Path::new(name).extension().is_some_and(|it| it == "mp4"), "{sent}");
    assert_eq!((&sent[1], &sent[2], &sent[3]), (&json!("video/mp4"), &json!(clip.body.len()), &json!("ftyp")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tablet_on_the_wall_shows_stills_and_goes_live_where_something_moves() {
    let Some(browser) = Browser::start().await else { return };
    let Some(film) = film(4, "320x180") else { return };
    let household = block_in_place(Household::new);
    for id in [PORCH, NURSERY] {
        household.show(id, &film);
    }
    sign_in(&browser, &household).await;
    let tile = |id: &str, what: &str| {
        format!(
            "const tile = document.querySelector('[data-live={id}]');
             const [video, still] = [tile.querySelector('video'), tile.querySelector('img.still')];
             const [is_film, is_still] = [video.readyState >= 2 && (still === null || still.hidden), still !== null && !still.hidden && still.naturalWidth > 0 && !video.src];
             return {what};"
        )
    };
    browser.until(LIMIT, "the grid is live", &tile(PORCH, "is_film")).await;
    browser.run("document.getElementById('wall').click()").await;
    for id in [PORCH, NURSERY] {
        browser.until(LIMIT, "a still", &tile(id, "is_still && tile.innerText.includes('Still picture')")).await;
    }
    // It is remembered, and asks for no film when it is opened again.
    browser.client.refresh().await.expect("opened");
    for id in [PORCH, NURSERY] {
        browser.until(LIMIT, "a still again", &tile(id, "is_still")).await;
    }
    assert_eq!(browser.run("return document.getElementById('wall').getAttribute('aria-pressed')").await, "true");
    let moves = |moves| {
        let on_board = household.board.get(&camera(PORCH)).expect("it is there");
        on_board.counters.is_moving.store(moves, Ordering::Relaxed);
    };
    moves(true);
    browser.until(LIMIT, "film where something moves", &tile(PORCH, "is_film")).await;
    browser.until(LIMIT, "and nowhere else", &tile(NURSERY, "is_still")).await;
    moves(false);
    browser.until(LIMIT, "a still when it is quiet", &tile(PORCH, "is_still")).await;
    browser.run("document.getElementById('wall').click()").await;
    browser.until(LIMIT, "the grid is live as before", &tile(NURSERY, "is_film")).await;
    // Every still that was fetched is one look at each camera.
    let log = block_in_place(|| household.log());
    let looks = log.iter().filter(|(_, what)| what == "snapshot").count();
    assert!((2..=4).contains(&looks), "{log:?}");
}
