//! How long a person waits from the click to the first picture: live, and at a moment of the day. The figures are printed
//! (`script/first-picture` shows them of a release build); what is asserted is generous, for busy machines.

mod support;

use std::time::Duration;

use serde_json::Value;
use support::Demo;
use support::browser::Browser;

/// Clicks of each kind, and seconds of footage to click into: enough for a median with `HEARTHWATCH_SLOW=1`, else enough to see
/// that it works.
fn extent() -> (usize, u32) {
    if std::env::var_os("HEARTHWATCH_SLOW").is_some() { (15, 40) } else { (3, 12) }
}

fn tell(name: &str, mut times: Vec<f64>) {
    times.sort_by(f64::total_cmp);
    let median = times[times.len() / 2];
    println!("{name}: median {median:.0} ms, from {:.0} to {:.0} ms", times[0], times[times.len() - 1]);
    assert!(median < 10_000.0, "{name}: {times:?}");
}

async fn times(browser: &Browser, script: &str) -> Vec<f64> {
    let mut times = Vec::new();
    for _ in 0..extent().0 {
        let Value::Number(took) = browser.run_async(script).await else { panic!("milliseconds") };
        times.push(took.as_f64().expect("a number"));
    }
    times
}

#[tokio::test]
async fn the_first_picture_is_there_soon_after_the_click() {
    let Some(browser) = Browser::start().await else { return };
    let demo = Demo::start(3);
    browser.client.goto(&demo.link).await.expect("the link opens");
    let playing = "const all = [...document.querySelectorAll('.tile video')];
        return all.length === 3 && all.every((video) => video.readyState >= 3 && video.currentTime > 0);";
    browser.until(Duration::from_secs(40), "the grid plays", playing).await;
    let live = times(
        &browser,
        "const done = arguments[arguments.length - 1];
         const video = document.querySelector('#theatre video');
         const began = performance.now();
         document.querySelector('.tile a.picture').click();
         video.requestVideoFrameCallback(() => {
             const took = performance.now() - began;
             document.getElementById('theatre-close').click();
             setTimeout(() => done(took), 300);
         });",
    )
    .await;
    tell("from the click to a live picture", live);

    // Enough of the day that a click can go somewhere else.
    let seconds = extent().1;
    let enough = format!(
        "const request = new XMLHttpRequest(); const now = Date.now() / 1000;
        request.open('GET', `/api/cameras/front-door/recordings?after=${{now - 3600}}&before=${{now}}`, false); request.send();
        const {{ spans }} = JSON.parse(request.responseText);
        return spans.reduce((sum, {{ start, end }}) => sum + end - start, 0) > {seconds};"
    );
    browser.until(Duration::from_secs(120), "enough footage", &enough).await;
    browser.client.goto(&format!("{}/cameras/front-door", demo.origin)).await.expect("the day opens");
    let ready = "const footage = document.querySelector('#bar .bar-footage');
        if (footage === null || document.getElementById('controls').hidden) return false;
        for (let n = 0; n < 3; n += 1) document.getElementById('zoom-in').click();
        document.getElementById('bar').setPointerCapture = () => {};
        return true;";
    browser.until(Duration::from_secs(20), "the bar", ready).await;
    let moments = times(
        &browser,
        "const done = arguments[arguments.length - 1];
         const bar = document.getElementById('bar');
         const video = document.getElementById('video');
         const footage = bar.querySelector('.bar-footage').getBoundingClientRect();
         const at = { bubbles: true, pointerId: 1, clientX: footage.left + footage.width * (0.1 + 0.8 * Math.random()), clientY: footage.top + 5 };
         const before = video.currentTime;
         const began = performance.now();
         bar.dispatchEvent(new PointerEvent('pointerdown', at));
         bar.dispatchEvent(new PointerEvent('pointerup', at));
         const look = () => !video.seeking && Math.abs(video.currentTime - before) > 0.01 && video.readyState >= 2
             ? done(performance.now() - began) : video.requestVideoFrameCallback(look);
         video.requestVideoFrameCallback(look);",
    )
    .await;
    tell("from the click on the bar to the picture of that moment", moments);
}
