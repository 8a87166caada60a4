//! The pages of a running demo, in a real browser.

#![expect(clippy::disallowed_methods, reason = "a test measures real time")]

mod support;

use std::path::Path;
use std::time::Duration;

use hearthwatch::fake_camera::watermark;
use serde_json::Value;
use support::browser::Browser;
use support::{Daemon, Demo, FakeCamera};

/// Draws what `element` shows into a canvas and returns its brightness: 640×360, row-major, one byte a pixel.
async fn luma(browser: &Browser, element: &str) -> Vec<u8> {
    let script = format!(
        "const shown = {element};
         const canvas = document.createElement('canvas');
         canvas.width = 640; canvas.height = 360;
         const context = canvas.getContext('2d');
         context.drawImage(shown, 0, 0, 640, 360);
         const rgba = context.getImageData(0, 0, 640, 360).data;
         let text = '';
         for (let at = 0; at < rgba.length; at += 4)
             text += String.fromCharCode(Math.round(0.299 * rgba[at] + 0.587 * rgba[at + 1] + 0.114 * rgba[at + 2]));
         return text;"
    );
    let Value::String(text) = browser.run(&script).await else { panic!("a text of pixels") };
    text.chars().map(|c| u8::try_from(u32::from(c)).expect("one byte a pixel")).collect()
}

async fn watermark_of(browser: &Browser, element: &str) -> Option<u16> {
    watermark::read(&luma(browser, element).await, 640, 360, 640)
}

/// Pictures of a page on a phone and on a desk, by day and by night, for people to look at.
async fn screenshots(browser: &Browser, name: &str) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
    std::fs::create_dir_all(&folder).expect("a folder");
    for (size, width, height) in [("phone", 390, 844), ("desktop", 1440, 900)] {
        browser.client.set_window_size(width, height).await.expect("a window of that size");
        let png = browser.client.screenshot().await.expect("a screenshot");
        std::fs::write(folder.join(format!("{name}-{size}.png")), png).expect("a written file");
    }
}

#[tokio::test]
async fn a_household_signs_in_watches_live_and_plays_an_event() {
    let Some(browser) = Browser::start().await else { return };
    let demo = Demo::start(3);
    browser.client.goto(&demo.link).await.expect("the link opens");

    browser
        .until(
            Duration::from_secs(40),
            "three pictures move in the live grid",
            "const all = [...document.querySelectorAll('.tile video')];
             window.seen ??= new Map();
             const moving = all.filter(video => {
                 const first = window.seen.get(video);
                 if (first === undefined && video.currentTime > 0) window.seen.set(video, video.currentTime);
                 return first !== undefined && video.currentTime > first + 1 && !video.paused;
             });
             return moving.length === 3;",
        )
        .await;

    // Every picture in the grid is the picture of the camera that its tile names.
    let cameras =
        browser.run("return [...document.querySelectorAll('[data-live]')].map(tile => tile.dataset.live)").await;
    let cameras: Vec<String> = serde_json::from_value(cameras).expect("a list of ids");
    assert_eq!(cameras.len(), 3, "{cameras:?}");
    let mut numbers = std::collections::BTreeMap::new();
    for camera in &cameras {
        let tile = format!("document.querySelector('[data-live=\"{camera}\"] video')");
        let number =
            watermark_of(&browser, &tile).await.unwrap_or_else(|| panic!("a readable watermark in {camera}'s tile"));
        numbers.insert(camera.clone(), number);
    }
    let mut distinct: Vec<_> = numbers.values().collect();
    distinct.dedup();
    assert_eq!(distinct.len(), 3, "three cameras, three numbers: {numbers:?}");
    screenshots(&browser, "live").await;

    let event = browser.ended_event(Duration::from_secs(40)).await;
    let (id, camera) = (event["id"].as_str().expect("an id"), event["camera"].as_str().expect("a camera"));

    browser.client.goto(&format!("{}/events", demo.origin)).await.expect("the list of events opens");
    let picture = format!("document.querySelector('img[src*=\"{id}\"]')");
    browser
        .until(
            Duration::from_secs(10),
            "the thumbnail is loaded",
            &format!(
                "const picture = {picture}; return picture !== null && picture.complete && picture.naturalWidth > 0;"
            ),
        )
        .await;
    assert_eq!(watermark_of(&browser, &picture).await, Some(numbers[camera]), "the thumbnail is {camera}'s");
    screenshots(&browser, "events").await;
    browser
        .until(
            Duration::from_secs(20),
            "the event moves while its card has the keyboard",
            &format!(
                "const card = {picture}.closest('a'); if (document.activeElement !== card) card.focus();
                 const canvas = card.querySelector('canvas');
                 if (canvas === null || canvas.hidden) return false;
                 window.shown ??= new Set(); window.shown.add(canvas.toDataURL());
                 return window.shown.size > 2;"
            ),
        )
        .await;

    browser.client.goto(&format!("{}/events/{id}", demo.origin)).await.expect("the event's page opens");
    browser
        .until(
            Duration::from_secs(60),
            "the clip plays to its end",
            "const video = document.querySelector('video');
             if (video.paused && !video.ended) video.play();
             return video.ended && video.duration > 3 && Math.abs(video.currentTime - video.duration) < 0.2;",
        )
        .await;
    assert_eq!(
        watermark_of(&browser, "document.querySelector('video')").await,
        Some(numbers[camera]),
        "the clip is {camera}'s"
    );
    screenshots(&browser, "event").await;

    browser.client.goto(&format!("{}/cameras/{camera}", demo.origin)).await.expect("the camera's day opens");
    browser
        .until(
            Duration::from_secs(10),
            "the bar shows what is recorded",
            "const play = document.getElementById('play');
             const ready = play !== null && play.offsetParent !== null && document.querySelector('#bar rect') !== null;
             if (ready) play.click();
             return ready;",
        )
        .await;
    browser
        .until(
            Duration::from_secs(20),
            "the day's recording plays",
            "const video = document.querySelector('video');
             return video !== null && video.readyState >= 2 && video.currentTime > 1;",
        )
        .await;
    assert_eq!(
        watermark_of(&browser, "document.querySelector('video')").await,
        Some(numbers[camera]),
        "the recording is {camera}'s"
    );
    screenshots(&browser, "day").await;
    browser.client.goto(&format!("{}/cameras", demo.origin)).await.expect("the list of cameras opens");
    screenshots(&browser, "cameras").await;

    let (code, _dir) = demo.stop();
    assert_eq!(code, Some(0), "Ctrl-C is a clean end");
}

const MOVES: &str = "const video = document.querySelector('.tile video');
    if (video === null || video.paused || video.readyState < 2) { window.first = undefined; return false; }
    window.first ??= video.currentTime;
    return video.currentTime > window.first + 1 && document.querySelector('.tile .saying').textContent === '';";

#[tokio::test(flavor = "multi_thread")]
async fn live_pictures_come_back_by_themselves_after_the_recorder_was_away() {
    let Some(browser) = Browser::start().await else { return };
    let camera = FakeCamera::start(&["--scene", "walker", "--size", "320x180", "--fps", "10"]);
    let mut daemon = Daemon::start(&format!("[cameras.porch]\nurl = \"{}\"", camera.url));
    let (name, password) = daemon.owner();
    browser.sign_in(&daemon.origin, (&name, &password)).await;
    browser.client.goto(&daemon.origin).await.expect("the grid opens");
    browser.until(Duration::from_secs(40), "the picture moves", MOVES).await;

    daemon.kill();
    let says = "return document.querySelector('.tile .saying').textContent.includes('trying again')";
    browser.until(Duration::from_secs(20), "it says that it tries again", says).await;
    daemon.start_again();
    daemon.serves();
    let began = std::time::Instant::now();
    browser.until(Duration::from_secs(60), "the picture moves again", MOVES).await;
    println!("live again {:.1} s after the recorder served, a second of film included", began.elapsed().as_secs_f64());
}

#[tokio::test]
async fn a_line_is_slow_that_hardly_brings_a_picture_in_ten_seconds() {
    let Some(browser) = Browser::start().await else { return };
    let demo = Demo::start(1);
    browser.client.goto(&demo.link).await.expect("the link opens");
    let there = "return document.querySelector('script[src*=\"grid.js\"]') !== null";
    browser.until(Duration::from_secs(20), "the grid", there).await;
    let verdicts = browser
        .run_async(
            "const done = arguments[arguments.length - 1];
             import(document.querySelector('script[src*=\"grid.js\"]').src.replace('grid.js', 'slow.js')).then(({ Slowness }) => {
                 const judge = (pictures, every = 500) => {
                     const slowness = new Slowness();
                     let slow = 0;
                     for (let n = 0; n <= 40; n += 1) slow += slowness.look(n * every, pictures(n)) ? 1 : 0;
                     return slow > 0;
                 };
                 done({
                     film: judge((n) => n * 7), standing: judge(() => 3), one_a_second: judge((n) => Math.floor(n / 2)),
                     one_in_four: judge((n) => Math.floor(n / 8)), asleep: judge(() => 3, 5_000), anew: judge((n) => (n % 10) * 2),
                 });
             });",
        )
        .await;
    let expected = serde_json::json!({
        "film": false, "standing": true, "one_a_second": false, "one_in_four": true, "asleep": false, "anew": false
    });
    assert_eq!(verdicts, expected);
}
