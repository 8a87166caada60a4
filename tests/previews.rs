//! The small pictures of a day: kept beside the footage, shown to those who may see it, at once where a finger is.

#![expect(clippy::disallowed_methods, reason = "a test looks at files where they are, and measures real time")]

mod household;
mod support;

use std::process::Command;
use std::time::{Duration, Instant};

use hearthwatch::index::segments;
use hearthwatch::record::segment::ClosedSegment;
use hearthwatch::units::UtcMicros;
use household::{Household, JPEG, NURSERY, PORCH, film, minute_of};
use support::browser::Browser;
use support::{Client, Daemon, FakeCamera, within};
use tokio::task::block_in_place;

const LIMIT: Duration = Duration::from_secs(30);

/// The same in the index, and its small pictures: one every ten seconds.
fn minute(household: &Household, id: &str, start: UtcMicros, jpeg: &[u8]) -> ClosedSegment {
    let segment = minute_of(id, start);
    household.keep_previews(&segment, jpeg);
    let row = segment.clone();
    household.writer.write_blocking(move |tx| segments::insert(tx, &row)).expect("written");
    segment
}

/// The moments and pictures of an answer.
fn parse(mut bytes: &[u8]) -> Vec<(f64, Vec<u8>)> {
    let mut found = Vec::new();
    while let Some((at, rest)) = bytes.split_first_chunk::<8>() {
        let (length, rest) = rest.split_first_chunk::<4>().expect("a length");
        let (jpeg, rest) = rest.split_at(usize::try_from(u32::from_le_bytes(*length)).expect("small"));
        found.push((f64::from_le_bytes(*at), jpeg.to_vec()));
        bytes = rest;
    }
    found
}

fn address(id: &str, start: UtcMicros, seconds: u64, most: u32) -> String {
    let (after, before) = (start.as_unix_seconds(), start.plus(Duration::from_secs(seconds)).as_unix_seconds());
    format!("/api/cameras/{id}/previews?after={after}&before={before}&most={most}")
}

#[test]
fn a_stretch_of_small_pictures_comes_in_one_answer_evenly_and_is_one_look() {
    let household = Household::new();
    let start = household.now.minus(Duration::from_secs(3600));
    for n in 0..10 {
        minute(&household, PORCH, start.plus(Duration::from_secs(n * 60)), JPEG);
    }
    let get = |seconds, most| {
        let answer = household.get(&household.gus, &address(PORCH, start, seconds, most));
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/octet-stream")));
        let zero = start.as_unix_seconds();
        parse(&answer.body).into_iter().map(move |(at, jpeg)| ((at - zero).round(), jpeg)).collect::<Vec<_>>()
    };
    let all = get(600, 400);
    assert_eq!(
        all.iter().map(|(at, _)| *at).collect::<Vec<_>>(),
        (0..60).map(|n| f64::from(n) * 10.0).collect::<Vec<_>>()
    );
    assert!(all.iter().all(|(_, jpeg)| jpeg == JPEG));
    assert_eq!(get(600, 5).iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0.0, 120.0, 240.0, 360.0, 480.0]);
    assert_eq!(get(25, 400).len(), 3);
    let looks = household.log().into_iter().filter(|(who, what)| who == "gus" && what == "previews").count();
    assert!((1..=2).contains(&looks), "a finger's sweep is one look, a minute later another: {looks}");

    assert_eq!(household.get(&household.gus, &address(NURSERY, start, 600, 9)).status, 404);
    assert_eq!(household.get(&household.nobody, &address(PORCH, start, 600, 9)).status, 404);
    assert_eq!(household.get(&household.gus, &address(PORCH, start, 26 * 3600, 9)).status, 400);
    assert_eq!(get(600, 0).len(), 1);
    let nothing = household.get(&household.gus, &address(PORCH, start.minus(Duration::from_secs(900)), 600, 9));
    assert_eq!((nothing.status, nothing.body.len()), (200, 0));
}

#[test]
fn a_whole_day_of_small_pictures_is_answered_at_once() {
    let household = Household::new();
    let start = household.now.minus(Duration::from_secs(30 * 3600));
    household.day_of_previews(PORCH, start);
    for (what, seconds, expected) in [("a day", 86_400, 400), ("an hour of it", 3_600, 360)] {
        let mut times: Vec<Duration> = (0..30)
            .map(|_| {
                let began = Instant::now();
                let answer = household.get(&household.anna, &address(PORCH, start, seconds, 400));
                assert_eq!(parse(&answer.body).len(), expected, "{what}");
                began.elapsed()
            })
            .collect();
        times.sort();
        println!("{what}, {expected} small pictures: median {:.1?}, at most {:.1?}", times[15], times[29]);
        assert!(times[15] < Duration::from_secs(3), "{what}: {times:?}");
    }
}

#[test]
fn a_small_picture_is_shown_only_from_a_file_that_says_itself_that_it_is_this_cameras() {
    let household = Household::new();
    let start = household.now.minus(Duration::from_secs(3600));
    let porch = minute(&household, PORCH, start, JPEG);
    let nursery = minute(&household, NURSERY, start.plus(Duration::from_secs(60)), JPEG);
    let file = |segment: &ClosedSegment| {
        let path = segment.path.to_str().expect("UTF-8").replace("footage/", "previews/").replace(".mp4", ".pictures");
        household.folder().join(path)
    };
    let count = || parse(&household.get(&household.gus, &address(PORCH, start, 600, 400)).body).len();
    assert_eq!(count(), 6);
    std::fs::copy(file(&nursery), file(&porch)).expect("swapped");
    assert_eq!(count(), 0, "the nursery's pictures in the porch's place");
    household.keep_previews(&porch, JPEG);
    assert_eq!(count(), 6);
    // Torn in the middle of the fourth picture, and what is behind it never written.
    let whole = std::fs::read(file(&porch)).expect("read");
    let torn = whole.len() - 2 * JPEG.len() - 3;
    std::fs::write(file(&porch), &whole[..torn]).expect("written");
    assert_eq!(count(), 3);
    std::fs::write(file(&porch), [&whole[..torn], &vec![0; whole.len() - torn]].concat()).expect("written");
    assert_eq!(count(), 3);
    std::fs::write(file(&porch), []).expect("written");
    assert_eq!(count(), 0);
    std::fs::remove_file(file(&porch)).expect("removed");
    std::os::unix::fs::symlink(file(&nursery), file(&porch)).expect("linked");
    assert_eq!(count(), 0, "never through a link");
}

const EVERY_TEN_SECONDS: &str = "segment_seconds = 10";

/// How many small pictures there are of what a camera recorded within the last ten minutes.
fn kept(client: &Client, id: &str) -> Vec<(f64, Vec<u8>)> {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_secs_f64();
    let (status, body) = client.get(&format!("/api/cameras/{id}/previews?after={}&before={now}", now - 600.0));
    assert_eq!(status, 200);
    parse(&body)
}

#[test]
fn what_the_decoder_saw_is_there_small_as_soon_as_its_footage_is_whole() {
    let camera = FakeCamera::start(&["--scene", "walker", "--size", "640x360", "--fps", "10"]);
    let url = &camera.url;
    let cameras = format!(
        "[cameras.porch]\nurl = \"{url}\"\n[cameras.still]\nurl = \"{url}\"\n[cameras.still.motion]\nenabled = false\n\
         [cameras.unrecorded]\nurl = \"{url}\"\nrecord = \"off\""
    );
    let daemon = Daemon::start_with(EVERY_TEN_SECONDS, &cameras);
    let client = Client::by_password(&daemon.origin, &daemon.owner());
    let pictures =
        within(Duration::from_secs(90), "small pictures", || Some(kept(&client, "porch")).filter(|all| all.len() >= 2));
    for (_, jpeg) in &pictures {
        assert!(jpeg.starts_with(&[0xff, 0xd8, 0xff]) && jpeg.ends_with(&[0xff, 0xd9]), "a JPEG");
        assert!((500..12_000).contains(&jpeg.len()), "{} bytes", jpeg.len());
    }
    let apart = pictures[1].0 - pictures[0].0;
    assert!(apart > 9.0, "{apart} seconds apart");
    println!("{} bytes a picture", pictures.iter().map(|(_, jpeg)| jpeg.len()).sum::<usize>() / pictures.len());
    assert!(!daemon.storage().join("previews/still").exists(), "where motion is not looked for, nothing is decoded");
    assert!(!daemon.storage().join("previews/unrecorded").exists(), "what is not recorded is not kept small either");
}

#[test]
fn recording_does_not_notice_that_small_pictures_cannot_be_kept() {
    let camera = FakeCamera::start(&["--scene", "walker", "--size", "320x180", "--fps", "10"]);
    let daemon = Daemon::start_with(EVERY_TEN_SECONDS, "");
    std::fs::write(daemon.storage().join("previews"), "in the way").expect("written");
    let text = std::fs::read_to_string(daemon.config()).expect("a file");
    std::fs::write(daemon.config(), format!("{text}\n[cameras.porch]\nurl = \"{}\"\n", camera.url)).expect("written");
    let client = Client::by_password(&daemon.origin, &daemon.owner());
    let spans = within(Duration::from_secs(90), "three segments", || {
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_secs_f64();
        let (status, body) = client.get(&format!("/api/cameras/porch/recordings?after={}&before={now}", now - 600.0));
        let known: serde_json::Value = serde_json::from_slice(&body).ok().filter(|_| status == 200)?;
        let span = known["spans"].get(0)?;
        let recorded = span["end"].as_f64()? - span["start"].as_f64()?;
        (recorded > 25.0).then_some(known)
    });
    assert_eq!(spans["spans"].as_array().map(Vec::len), Some(1), "without a hole: {spans}");
    assert_eq!(spans["gaps"].as_array().map(Vec::len), Some(0), "{spans}");
    assert!(kept(&client, "porch").is_empty());
}

/// A JPEG of one colour; `None`, with a printed word, where there is no FFmpeg.
fn coloured(colour: &str) -> Option<Vec<u8>> {
    let source = format!("color={colour}:size=240x136");
    let made = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", &source, "-frames:v", "1", "-f", "mjpeg", "-"])
        .output()
        .ok()?;
    made.status.success().then_some(made.stdout)
}

/// What the bubble shows: the middle of its canvas as `r g b`, or what it shows instead.
const SHOWN: &str = "
    const bubble = document.getElementById('scrub');
    if (bubble.hidden) return 'hidden';
    if (bubble.dataset.shows !== 'small') return bubble.dataset.shows;
    const canvas = bubble.querySelector('canvas');
    const [r, g, b] = canvas.getContext('2d').getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data;
    return r > 150 && g < 100 ? 'red' : b > 150 && r < 100 ? 'blue' : `${r} ${g} ${b}`;";

/// A pointer's events on the bar of a camera, at a moment, as a hand on that device makes them.
async fn hand(browser: &Browser, id: &str) {
    let script = format!(
        "const bar = document.querySelector('[data-bar={id}]');
         bar.setPointerCapture = () => {{}};
         window.hand = (kind, device, moment) => {{
             const box = bar.getBoundingClientRect();
             const [year, month, day] = document.getElementById('day').dataset.date.split('-').map(Number);
             const start = new Date(year, month - 1, day).getTime() / 1000;
             const end = new Date(year, month - 1, day + 1).getTime() / 1000;
             bar.dispatchEvent(new PointerEvent(kind, {{ bubbles: true, pointerId: 1, pointerType: device,
                 clientX: box.left + box.width * (moment - start) / (end - start), clientY: box.top + 20 }}));
         }};"
    );
    browser.run(&script).await;
}

/// A moment well within the day's last full hours, so that an hour before it is on the same day.
fn of_one_day(household: &Household) -> UtcMicros {
    let now = household.now.to_string();
    let hour: u64 = now[11..13].parse().expect("an hour");
    household.now.minus(Duration::from_secs(if hour < 3 { (hour + 2) * 3600 } else { 2 * 3600 }))
}

#[tokio::test(flavor = "multi_thread")]
async fn finger_pointer_and_keyboard_see_small_pictures_on_both_timelines_at_once() {
    let Some(browser) = Browser::start().await else { return };
    let (Some(red), Some(blue)) = (coloured("red"), coloured("blue")) else {
        return println!("skipped: no ffmpeg");
    };
    let household = block_in_place(Household::new);
    let start = of_one_day(&household);
    block_in_place(|| {
        for n in 0..30 {
            minute(&household, PORCH, start.plus(Duration::from_secs(n * 60)), &red);
            minute(&household, NURSERY, start.plus(Duration::from_secs(n * 60)), &blue);
        }
    });
    browser.client.goto(&format!("{}/sign-in/{}", household.origin(), household.link.expose())).await.expect("opened");
    browser.until(LIMIT, "signed in", "return location.pathname === '/'").await;
    let day: String = start.to_string().chars().take(10).collect();
    let shows = |colour: &str| format!("return (() => {{ {SHOWN} }})() === '{colour}'");
    let middle = start.plus(Duration::from_secs(900)).as_unix_seconds();
    let ready = "return document.getElementById('controls')?.hidden === false && document.querySelector('.bar .bar-footage') !== null";
    for (path, id, colour) in
        [(format!("/cameras/porch?day={day}"), PORCH, "red"), (format!("/timeline?day={day}"), NURSERY, "blue")]
    {
        browser.client.goto(&format!("{}{path}", household.origin())).await.expect("opened");
        browser.until(LIMIT, "the bars", ready).await;
        hand(&browser, id).await;
        // A pointer, once it rests there.
        browser.run(&format!("hand('pointermove', 'mouse', {middle})")).await;
        browser.until(LIMIT, "the picture under the pointer", &shows(colour)).await;
        browser.run("hand('pointerleave', 'mouse', 0)").await;
        browser.until(LIMIT, "gone with the pointer", &shows("hidden")).await;
        // A finger, over the whole stretch: no request for any of it.
        browser.run("performance.clearResourceTimings()").await;
        browser.run(&format!("hand('pointerdown', 'touch', {middle})")).await;
        for n in 0..20 {
            let at = start.plus(Duration::from_secs(30 + n * 85)).as_unix_seconds();
            browser.run(&format!("hand('pointermove', 'touch', {at})")).await;
            let near = format!(
                "const canvas = document.querySelector('#scrub canvas');
                 return document.getElementById('scrub').dataset.shows === 'small' && Math.abs(Number(canvas.dataset.at) - {at}) <= 12"
            );
            browser.until(LIMIT, "the picture of that moment", &near).await;
        }
        let fetched = browser
            .run("return performance.getEntriesByType('resource').map(({ name }) => name).filter((name) => /previews|moment/.test(name)).length")
            .await;
        assert!(fetched.as_u64().is_some_and(|count| count <= 2), "{fetched} requests for twenty pictures");
        // Where nothing was recorded there is nothing to show.
        let before = start.minus(Duration::from_secs(900)).as_unix_seconds();
        browser.run(&format!("hand('pointermove', 'touch', {before})")).await;
        browser.until(LIMIT, "nothing", &shows("blank")).await;
        browser.run(&format!("hand('pointermove', 'touch', {middle}); hand('pointercancel', 'touch', {middle})")).await;
        browser.until(LIMIT, "gone with the finger", &shows("hidden")).await;
        // The keyboard.
        browser
            .run(&format!(
                "const bar = document.querySelector('[data-bar={id}]'); bar.focus();
                 bar.dispatchEvent(new KeyboardEvent('keydown', {{ key: 'Home', bubbles: true }}));"
            ))
            .await;
        let key = format!(
            "const bar = document.querySelector('[data-bar={id}]');
             bar.dispatchEvent(new KeyboardEvent('keydown', {{ key: 'ArrowRight', bubbles: true }}));
             {SHOWN}"
        );
        browser.until(LIMIT, "the keyboard's moment", &format!("return (() => {{ {key} }})() === '{colour}'")).await;
        browser.until(LIMIT, "it goes by itself", &shows("hidden")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_opens_a_day_has_not_looked_at_anything_yet() {
    let Some(browser) = Browser::start().await else { return };
    let Some(film) = film(20, "320x180") else { return };
    let household = block_in_place(Household::new);
    block_in_place(|| {
        for id in [PORCH, NURSERY] {
            household.record(id, &film, household.now.minus(Duration::from_secs(100)));
        }
    });
    browser.client.goto(&format!("{}/sign-in/{}", household.origin(), household.link.expose())).await.expect("opened");
    browser.until(LIMIT, "signed in", "return location.pathname === '/'").await;
    for path in ["/cameras/porch", "/timeline"] {
        browser.client.goto(&format!("{}{path}", household.origin())).await.expect("opened");
        let ready = "return document.getElementById('controls')?.hidden === false
            && document.querySelector('.bar .bar-footage') !== null && document.getElementById('clock').textContent !== ''";
        browser.until(LIMIT, "the page is ready", ready).await;
    }
    let looks = ["playback", "previews", "clip", "snapshot"];
    let log = block_in_place(|| household.log());
    assert!(!log.iter().any(|(_, what)| looks.contains(&what.as_str())), "{log:?}");
    // Then somebody plays it.
    browser.run("document.getElementById('play').click()").await;
    let plays = "return [...document.querySelectorAll('.screen video')].some((video) => video.readyState >= 2)";
    browser.until(LIMIT, "it plays", plays).await;
    let log = block_in_place(|| household.log());
    assert!(log.iter().any(|(_, what)| what == "playback"), "{log:?}");
}
