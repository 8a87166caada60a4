//! An owner draws on a camera's picture where to look for motion, and the configuration says so.

#![expect(clippy::disallowed_methods, reason = "a test of a real process reads its configuration where it is")]

mod support;

use std::time::Duration;

use serde_json::json;
use support::browser::Browser;
use support::{Daemon, FakeCamera};

const SOON: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_that_is_drawn_is_written_into_the_file_and_counts_without_a_restart() {
    let Some(browser) = Browser::start().await else { return };
    let camera = FakeCamera::start(&["--scene", "walker", "--size", "320x180", "--fps", "10"]);
    let daemon = Daemon::start(&format!(
        "[cameras.porch] # ours since May\nurl = \"{}\"\n[cameras.porch.motion]\nsensitivity = 0.4 # the tree!",
        camera.url
    ));
    let owner = daemon.owner();
    daemon.user("mia", "another fine password", &["--role", "member", "--cameras", "porch"]);
    browser.sign_in(&daemon.origin, (&owner.0, &owner.1)).await;
    let page = format!("{}/cameras/porch/motion", daemon.origin);
    let is_drawn_on = "const picture = document.getElementById('picture');
        if (picture?.naturalWidth === 320 && document.getElementById('tools').hidden === false) return true;
        if (picture?.complete) location.reload();
        return false;";
    browser.client.goto(&page).await.expect("opened");
    browser.until(SOON, "the picture to draw on", is_drawn_on).await;
    browser
        .run(
            "document.getElementById('add-zone').click();
             const name = document.querySelector('#areas-list input');
             name.value = 'Front path'; name.dispatchEvent(new Event('input')); name.dispatchEvent(new Event('change'));
             const box = document.getElementById('areas').getBoundingClientRect();
             const corner = document.querySelectorAll('#areas .corner')[0];
             corner.setPointerCapture = () => {};
             const at = (kind, x, y) => corner.dispatchEvent(new PointerEvent(kind, { bubbles: true, cancelable: true, pointerId: 1,
                 clientX: box.left + box.width * x, clientY: box.top + box.height * y }));
             at('pointerdown', 0.35, 0.35); at('pointermove', 0.1, 0.2); at('pointerup', 0.1, 0.2);",
        )
        .await;
    let drawn = browser.run("return JSON.parse(document.getElementById('drawn').value).zones").await;
    assert_eq!(
        drawn,
        json!([{"name": "front-path", "area": [[0.1, 0.2], [0.65, 0.35], [0.65, 0.65], [0.35, 0.65]], "sensitivity": null}])
    );
    // By keys as well: the second corner a hundredth to the right.
    browser
        .run(
            "const corner = document.querySelectorAll('#areas .corner')[1];
             corner.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true, cancelable: true }));
             document.getElementById('sensitivity').value = '70';
             document.getElementById('least').value = '1.5';
             document.getElementById('motion').requestSubmit();",
        )
        .await;
    browser.until(SOON, "it says that it is saved", "return document.querySelector('.done') !== null").await;
    let text = std::fs::read_to_string(daemon.config()).expect("the configuration");
    for part in [
        "# ours since May",
        "# the tree!",
        "sensitivity = 0.7",
        "min_seconds = 1.5",
        "zones.front-path]",
        "[0.66, 0.35]",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    // The recorder took it up: the page shows it anew, and the list of events offers the zone.
    browser.client.goto(&format!("{}/events", daemon.origin)).await.expect("opened");
    let offered = "if (document.querySelector('option[value=\"front-path\"]') !== null) return true; location.reload(); return false;";
    browser.until(SOON, "the zone can be chosen", offered).await;

    // A place without anything in it would be a file that the recorder does not start with.
    browser.client.goto(&page).await.expect("opened");
    browser
        .run(
            "document.getElementById('drawn').value = JSON.stringify({masks: [[[0.1, 0.1], [0.5, 0.5], [0.9, 0.9]]], zones: []});
             document.getElementById('motion').submit();",
        )
        .await;
    browser
        .until(SOON, "it says what is wrong", "return document.body.textContent.includes('has nothing in it')")
        .await;
    assert_eq!(std::fs::read_to_string(daemon.config()).expect("the configuration"), text, "nothing was written");

    // How long footage stays, the same way.
    browser.client.goto(&format!("{}/storage", daemon.origin)).await.expect("opened");
    browser
        .run("document.getElementById('motion_days').value = '45'; document.querySelector('form.fields').requestSubmit();")
        .await;
    browser.until(SOON, "it says that it is saved", "return document.querySelector('.done') !== null").await;
    let text = std::fs::read_to_string(daemon.config()).expect("the configuration");
    assert!(
        text.contains("motion_days = 45") && text.contains("# the tree!") && !text.contains("continuous_days"),
        "{text}"
    );

    browser.client.delete_all_cookies().await.expect("signed out");
    browser.sign_in(&daemon.origin, ("mia", "another fine password")).await;
    let status = browser
        .run("const request = new XMLHttpRequest(); request.open('GET', '/cameras/porch/motion', false); request.send(); return request.status;")
        .await;
    assert_eq!(status, 403, "who lives here looks, and an owner sets");
}
