//! How long a person waits: from the click to the first picture, live and at a moment of the day; from what happens before the
//! camera to its picture on the screen; and whether a machine four times slower still does. The figures are printed
//! (`script/viewer` shows them of a release build); what is asserted is generous, for busy machines.

#![expect(clippy::disallowed_methods, reason = "a test measures real time")]

mod support;

use std::time::{Duration, Instant};

use hearthwatch::fake_camera::watermark;
use serde_json::{Value, json};
use support::browser::Browser;
use support::{Daemon, Demo, FakeCamera};

/// Clicks of each kind, and seconds of footage to click into: enough for a median with `HEARTHWATCH_SLOW=1`, else enough to see
/// that it works.
fn extent() -> (usize, u32) {
    if std::env::var_os("HEARTHWATCH_SLOW").is_some() { (15, 40) } else { (3, 12) }
}

fn tell(name: &str, mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    let median = times[times.len() / 2];
    println!("{name}: median {median:.0} ms, from {:.0} to {:.0} ms", times[0], times[times.len() - 1]);
    assert!(median < 10_000.0, "{name}: {times:?}");
    median
}

async fn times(browser: &Browser, script: &str) -> Vec<f64> {
    let mut times = Vec::new();
    for _ in 0..extent().0 {
        let Value::Number(took) = browser.run_async(script).await else { panic!("milliseconds") };
        times.push(took.as_f64().expect("a number"));
    }
    times
}

const GRID_PLAYS: &str = "const all = [...document.querySelectorAll('.tile video')];
    return all.length > 0 && all.every((video) => video.readyState >= 3 && video.currentTime > 0);";

/// The large pictures come later than the small ones where simulated cameras have to be painted first.
const MAIN_STREAMS: &str = "const request = new XMLHttpRequest(); request.open('GET', '/api/cameras', false); request.send();
    return JSON.parse(request.responseText).every(({ state, last_frame_age_s }) => state === 'streaming' && last_frame_age_s !== null);";

const LARGE: &str = "const done = arguments[arguments.length - 1];
    const video = document.querySelector('#theatre video');
    const began = performance.now();
    document.querySelector('.tile a.picture').click();
    video.requestVideoFrameCallback(() => {
        const took = performance.now() - began;
        document.getElementById('theatre-close').click();
        setTimeout(() => done(took), 300);
    });";

const MOMENT: &str = "const done = arguments[arguments.length - 1];
    const bar = document.getElementById('bar');
    const video = document.getElementById('video');
    const footage = bar.querySelector('.bar-footage').getBoundingClientRect();
    // In the other half than before: a click on the moment that is shown brings no new picture.
    window.isLate = !window.isLate;
    const place = (window.isLate ? 0.55 : 0.1) + 0.35 * Math.random();
    const at = { bubbles: true, pointerId: 1, clientX: footage.left + footage.width * place, clientY: footage.top + 5 };
    const [source, before] = [video.src, video.currentTime];
    const began = performance.now();
    bar.dispatchEvent(new PointerEvent('pointerdown', at));
    bar.dispatchEvent(new PointerEvent('pointerup', at));
    // By the picture's own time: `seeking` may still be true when it comes, and no other follows it while the video stands.
    const look = (_now, { mediaTime }) => {
        const isOther = video.src !== source || Math.abs(video.currentTime - before) > 0.01;
        if (isOther && Math.abs(video.currentTime - mediaTime) < 0.2) done(performance.now() - began);
        else video.requestVideoFrameCallback(look);
    };
    video.requestVideoFrameCallback(look);";

/// A camera of the demo. What it is called depends on who else announces one by that name on this machine.
async fn a_camera(browser: &Browser) -> String {
    let known = browser
        .run(
            "const request = new XMLHttpRequest(); request.open('GET', '/api/cameras', false); request.send();
             return JSON.parse(request.responseText)[0].id;",
        )
        .await;
    known.as_str().expect("an id").to_owned()
}

/// Opens a camera's day as soon as there is enough of it that a click can go somewhere else.
async fn open_day(browser: &Browser, origin: &str, camera: &str) {
    let seconds = extent().1;
    let enough = format!(
        "const request = new XMLHttpRequest(); const now = Date.now() / 1000;
        request.open('GET', `/api/cameras/{camera}/recordings?after=${{now - 3600}}&before=${{now}}`, false); request.send();
        const {{ spans = [] }} = JSON.parse(request.responseText); // a camera that was only just started is not known yet
        return spans.reduce((sum, {{ start, end }}) => sum + end - start, 0) > {seconds};"
    );
    browser.until(Duration::from_secs(120), "enough footage", &enough).await;
    browser.client.goto(&format!("{origin}/cameras/{camera}")).await.expect("the day opens");
    let ready = "const footage = document.querySelector('#bar .bar-footage');
        if (footage === null || document.getElementById('controls').hidden) return false;
        for (let n = 0; n < 3; n += 1) document.getElementById('zoom-in').click();
        document.getElementById('bar').setPointerCapture = () => {};
        return true;";
    browser.until(Duration::from_secs(40), "the bar", ready).await;
}

#[tokio::test]
async fn the_first_picture_is_there_soon_after_the_click() {
    let Some(browser) = Browser::start().await else { return };
    let demo = Demo::start(3);
    browser.client.goto(&demo.link).await.expect("the link opens");
    browser.until(Duration::from_secs(40), "the grid plays", GRID_PLAYS).await;
    browser.until(Duration::from_secs(90), "the large pictures arrive", MAIN_STREAMS).await;
    tell("from the click to a live picture", times(&browser, LARGE).await);
    open_day(&browser, &demo.origin, &a_camera(&browser).await).await;
    tell("from the click on the bar to the picture of that moment", times(&browser, MOMENT).await);
}

/// How old the picture on the screen is when it comes there, in milliseconds, each with the luma of the picture: read later, so
/// that reading delays nothing.
const GLASS: &str = "const done = arguments[arguments.length - 1];
    const video = document.querySelector(arguments[0]);
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [640, 360];
    const pen = canvas.getContext('2d', { willReadFrequently: true });
    const seen = [];
    const look = (now) => {
        const at = performance.timeOrigin + now;
        pen.drawImage(video, 0, 0, 640, 360);
        const rgba = pen.getImageData(0, 0, 640, 360).data;
        let text = '';
        for (let n = 0; n < rgba.length; n += 4) text += String.fromCharCode(rgba[n + 1]);
        seen.push([at, text]);
        if (seen.length < arguments[1]) setTimeout(() => video.requestVideoFrameCallback(look), 370);
        else done(seen);
    };
    video.requestVideoFrameCallback(look);";

/// Hundredths of a second that the number in a picture is older than a moment.
fn age_ms(at_ms: f64, told: u16) -> f64 {
    let now = at_ms / 10.0;
    (now - f64::from(told)).rem_euclid(65_536.0) * 10.0
}

async fn glass_to_glass(browser: &Browser, element: &str) -> Vec<f64> {
    let count = extent().0.max(5);
    let seen = browser.client.execute_async(GLASS, vec![json!(element), json!(count)]).await.expect("pictures");
    let ages = seen.as_array().expect("a list").iter().filter_map(|one| {
        let luma: Vec<u8> = one[1].as_str()?.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(u8::MAX)).collect();
        Some(age_ms(one[0].as_f64()?, watermark::read(&luma, 640, 360, 640)?))
    });
    let ages: Vec<_> = ages.collect();
    assert!(ages.len() * 2 > count, "the time can be read in most pictures: {ages:?}");
    ages
}

#[tokio::test]
async fn what_happens_is_on_the_screen_soon_after() {
    let Some(browser) = Browser::start().await else { return };
    let camera = FakeCamera::start(&["--scene", "clock", "--size", "1280x720", "--fps", "15"]);
    let sub = camera.url.replace("/main", "/sub");
    let daemon = Daemon::start(&format!("[cameras.porch]\nurl = \"{}\"\ndetect_url = \"{sub}\"\n", camera.url));
    let (name, password) = daemon.owner();
    browser.sign_in(&daemon.origin, (&name, &password)).await;
    browser.client.goto(&daemon.origin).await.expect("the grid opens");
    browser.until(Duration::from_secs(40), "the grid plays", GRID_PLAYS).await;
    browser.until(Duration::from_secs(90), "the large picture arrives", MAIN_STREAMS).await;
    // The place in the group of pictures at which it began has been made up for by then.
    tokio::time::sleep(Duration::from_secs(4)).await;
    tell("from the camera's glass to the grid, 8 pictures a second", glass_to_glass(&browser, ".tile video").await);
    browser.run("document.querySelector('.tile a.picture').click()").await;
    let large =
        "const video = document.querySelector('#theatre video'); return video.readyState >= 3 && video.currentTime > 0";
    browser.until(Duration::from_secs(40), "the large picture", large).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    tell(
        "from the camera's glass to the large picture, 15 pictures a second",
        glass_to_glass(&browser, "#theatre video").await,
    );
}

#[tokio::test]
async fn a_machine_four_times_slower_shows_everything() {
    let Some(browser) = Browser::start().await else { return };
    let demo = Demo::start(3);
    browser.client.goto(&demo.link).await.expect("the link opens");
    browser.devtools("Emulation.setCPUThrottlingRate", json!({ "rate": 4 })).await;
    let patience = Duration::from_secs(60);
    let began = Instant::now();
    browser.client.goto(&demo.origin).await.expect("the grid opens");
    browser.until(patience, "the grid plays", GRID_PLAYS).await;
    println!("four times slower, the grid plays after {:.1} s", began.elapsed().as_secs_f64());
    browser.until(Duration::from_secs(90), "the large pictures arrive", MAIN_STREAMS).await;
    tell("four times slower, from the click to a live picture", times(&browser, LARGE).await);
    let done = "const request = new XMLHttpRequest(); request.open('GET', '/api/events', false); request.send();
        const event = JSON.parse(request.responseText).find(({ end }) => end !== null); window.event_id = event?.id; return event !== undefined;";
    browser.until(Duration::from_secs(90), "an event that is over", done).await;
    let id = browser.run("return window.event_id").await;
    open_day(&browser, &demo.origin, &a_camera(&browser).await).await;
    tell("four times slower, from the click on the bar to the picture of that moment", times(&browser, MOMENT).await);
    let began = Instant::now();
    browser.client.goto(&format!("{}/timeline", demo.origin)).await.expect("the timeline opens");
    let ready =
        "const play = document.getElementById('play'); if (document.getElementById('controls')?.hidden !== false
            || document.querySelector('.bar .bar-footage') === null) return false;
        play.click(); return true;";
    browser.until(patience, "the timeline", ready).await;
    let plays = "const all = [...document.querySelectorAll('.screen video')]; return all.length === 3 && all.every((video) => video.readyState >= 2);";
    browser.until(patience, "all cameras show the moment", plays).await;
    println!(
        "four times slower, the timeline of three cameras shows a moment after {:.1} s",
        began.elapsed().as_secs_f64()
    );
    let began = Instant::now();
    let event = format!("{}/events/{}", demo.origin, id.as_str().expect("an id"));
    browser.client.goto(&event).await.expect("the event opens");
    let plays = "const video = document.querySelector('video'); if (video.paused) video.play(); return video.readyState >= 3 && video.currentTime > 0.5;";
    browser.until(patience, "the event plays", plays).await;
    println!("four times slower, an event plays after {:.1} s", began.elapsed().as_secs_f64());
}
