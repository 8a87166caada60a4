//! A restart of the whole recorder while somebody walks through the picture.

#![expect(clippy::disallowed_methods, reason = "a test of a real process looks at its files where they are")]

mod support;

use std::time::Duration;

use hearthwatch::index::Readers;
use hearthwatch::index::events::{self, EventFilter, EventRow};
use support::{Daemon, FakeCamera, within};

/// Generous: the machine may be busy.
const SOON: Duration = Duration::from_secs(90);

fn all_events(daemon: &Daemon) -> Vec<EventRow> {
    let camera = "porch".parse().expect("an id");
    let filter = EventFilter { cameras: vec![camera], after: None, before: None, limit: 100 };
    let readers = Readers::open(&daemon.storage().join("hearthwatch.db")).expect("the index opens");
    let mut events = readers.read_blocking(move |conn| events::list(conn, &filter)).expect("the index answers");
    events.reverse();
    events
}

#[test]
fn a_restart_keeps_what_is_known_of_the_picture_and_invents_no_event() {
    // Its first walk begins 8 s after its start and lasts 5 s; then they come every 20 s.
    let camera = FakeCamera::start(&["--scene", "walker", "--size", "320x180", "--fps", "10"]);
    let mut daemon = Daemon::start(&format!("[cameras.porch]\nurl = \"{}\"\nrecord = \"off\"", camera.url));
    let begun = within(SOON, "somebody is seen", || all_events(&daemon).into_iter().next());
    daemon.end();
    let known = daemon.storage().join("backgrounds/porch.background");
    let before = std::fs::read(&known).expect("what is known was kept");
    assert!(before.starts_with(b"HWBG"));

    daemon.start_again();
    let is_later = |event: &EventRow| event.start.offset_from(begun.start) > 15_000_000;
    within(SOON, "somebody is seen on another walk", || all_events(&daemon).into_iter().find(is_later));
    for event in all_events(&daemon) {
        // Of the walk that was cut in two, there may be an event on either side.
        let since_a_walk = event.start.offset_from(begun.start).rem_euclid(20_000_000);
        let is_in_a_walk = !(7_500_000..=18_500_000).contains(&since_a_walk);
        assert!(is_in_a_walk, "an event {since_a_walk} µs after a walk began: {event:?}");
    }
}
