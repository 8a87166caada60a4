//! Every template, rendered with names that want to be more than names.

use askama::Template;

use crate::access::Rights;
use crate::camera::identity;
use crate::web::account::{AccountPage, Device, SharedLink, ShownOnce};
use crate::web::activity::{ActivityPage, RowInWords};
use crate::web::adopt::AdoptPage;
use crate::web::calendar::{Calendar, DayOfMonth};
use crate::web::camera_motion::SaidOnDay;
use crate::web::cameras::{CameraInWords, CamerasPage, StreamInWords};
use crate::web::claim::ClaimPage;
use crate::web::day::{DayPage, Days, GapInWords, Mark, Neighbour};
use crate::web::event::EventPage;
use crate::web::events::{Choice, DayOfEvents, EventCard, EventsPage, Listed};
use crate::web::frame::{Alarm, Frame, Place, ViewerName};
use crate::web::keeper::{Candidate, Stranger, Trial};
use crate::web::keeping::KeepingPage;
use crate::web::live::{LivePage, Tile};
use crate::web::message::MessagePage;
use crate::web::motion::MotionPage;
use crate::web::pause::{PauseButton, PauseInWords};
use crate::web::people::{CameraChoice, PeoplePage, Somebody};
use crate::web::person::{CameraRights, PersonPage};
use crate::web::share::SharedPage;
use crate::web::sign_in::{SignInLinkPage, SignInPage};
use crate::web::timeline::{CameraOfDay, TimelinePage};
use crate::web::trust::TrustPage;
use crate::web::vitals::Vital;
use crate::web::wanted::{Field, Value};
use crate::web::watched::Watched;
use crate::web::why::DismissedInWords;

const HOSTILE: &str =
    "</title><script>alert(1)</script><img src=x onerror=alert(2)>\" onfocus=\"alert(3)' `${4}`\u{202e}";

fn hostile() -> String {
    HOSTILE.to_owned()
}

fn frame() -> Frame {
    Frame {
        title: hostile(),
        here: Place::Live,
        assets: "/static/0",
        viewer: Some(ViewerName { name: hostile() }),
        alarms: vec![Alarm { what: hostile(), why: hostile() }],
        news: hostile(),
        over_tls: true,
    }
}

fn card() -> EventCard {
    EventCard {
        url: hostile(),
        start_s: 0.0,
        thumbnail: Some(hostile()),
        preview: Some(hostile()),
        camera_name: hostile(),
        start: "<time></time>".into(),
        length: hostile(),
        zones: hostile(),
        is_kept: true,
        is_going_on: true,
        is_new: true,
    }
}

fn pause_button() -> String {
    PauseButton { camera: hostile(), name: hostile(), is_paused: false, may: true }.render().expect("a button")
}

fn shown_once() -> ShownOnce {
    ShownOnce { frame: frame(), heading: "Heading", lead: hostile(), text: hostile(), back: hostile() }
}

fn shared() -> SharedPage {
    SharedPage {
        frame: frame(),
        camera: hostile(),
        start: "<time></time>".into(),
        length: hostile(),
        by: hostile(),
        until: "<time></time>".into(),
        clip: hostile(),
    }
}

type Rendered = (&'static str, askama::Result<String>);

fn accounts() -> [Rendered; 3] {
    let device = || Device {
        handle: hostile(),
        label: hostile(),
        since: "<time></time>".into(),
        until: "<time></time>".into(),
        address: Some(hostile()),
        is_this: false,
    };
    let link = SharedLink {
        handle: hostile(),
        camera: hostile(),
        from: "<time></time>".into(),
        until: "<time></time>".into(),
    };
    let account = AccountPage {
        frame: frame(),
        name: hostile(),
        role: "owner",
        is_owner: true,
        error: Some(hostile()),
        said: Some("said"),
        devices: vec![device(), device()],
        tokens: vec![device()],
        links: vec![link],
        lengths: [(1, "a day"), (2, "two days"), (3, "three days")],
    };
    let somebody = Somebody {
        url: hostile(),
        name: hostile(),
        role: "guest",
        cameras: hostile(),
        until: Some("<time></time>".into()),
        is_over: true,
    };
    let people = PeoplePage {
        frame: frame(),
        people: vec![somebody],
        cameras: vec![CameraChoice { id: hostile(), name: hostile() }],
        error: Some(hostile()),
        name: hostile(),
        until: hostile(),
    };
    let rights = CameraRights { id: hostile(), name: hostile(), rights: Rights::ALL, from: hostile(), to: hostile() };
    let person = PersonPage {
        frame: frame(),
        url: hostile(),
        name: hostile(),
        role: "guest",
        until: hostile(),
        cameras: vec![rights],
        devices: 2,
        is_self: false,
        error: Some(hostile()),
        said: Some("said"),
    };
    [("account", account.render()), ("people", people.render()), ("person", person.render())]
}

fn choice() -> Choice {
    Choice { name: hostile(), url: hostile(), is_chosen: true }
}

fn neighbour() -> Neighbour {
    Neighbour { url: hostile(), date: hostile(), words: hostile() }
}

fn days() -> Days {
    Days {
        span: crate::units::UtcSpan::starting_at(crate::units::UtcMicros(0), std::time::Duration::from_secs(1)),
        date: hostile(),
        words: hostile(),
        before: Some(neighbour()),
        after: Some(neighbour()),
        start: 0.0,
        end: 1.0,
        at: hostile(),
    }
}

fn calendar() -> Calendar {
    let day = DayOfMonth { number: 1, words: hostile(), url: Some(hostile()), is_here: true };
    Calendar { month: hostile(), before: hostile(), after: Some(hostile()), weeks: vec![vec![None, Some(day)]] }
}

fn timeline() -> TimelinePage {
    let mark = Mark { class: "bar-gap", x: 0.0, width: 1.0, y: 0, height: 1, words: hostile() };
    let camera = CameraOfDay { id: hostile(), name: hostile(), url: hostile(), marks: vec![mark], may_export: true };
    let calendar = calendar().render().expect("a month");
    let (days, cameras) = (days(), vec![camera]);
    TimelinePage { frame: frame(), days, cameras, calendar, may_export: true, has_camera_motion: true }
}

fn keeping() -> KeepingPage {
    KeepingPage {
        frame: frame(),
        storage: hostile(),
        continuous_days: hostile(),
        motion_days: hostile(),
        error: Some(hostile()),
        said: Some("said"),
    }
}

fn motion() -> MotionPage {
    MotionPage {
        frame: frame(),
        id: hostile(),
        name: hostile(),
        enabled: true,
        sensitivity: 50,
        least: 0.5,
        may_try: true,
        drawn: hostile(),
        error: Some(hostile()),
        said: Some("said"),
    }
}

/// Every page there is, with what strangers, cameras and the household may write into it.
fn pages() -> Vec<(&'static str, String)> {
    let rendered_card = || card().render().expect("a card");
    let live = LivePage {
        frame: frame(),
        cameras: vec![Tile {
            id: hostile(),
            name: hostile(),
            url: hostile(),
            state: "streaming",
            words: "Live",
            has_history: true,
            pause: Some(PauseInWords { who: hostile(), since: "<time></time>".into(), until: None }),
            button: pause_button(),
        }],
        may_pause: true,
        some_on: true,
        some_off: true,
    };
    let cameras = CamerasPage {
        frame: frame(),
        storage: hostile(),
        lan_only: "",
        cameras: vec![CameraInWords {
            name: hostile(),
            url: hostile(),
            state: "waiting",
            words: "Waiting",
            error: Some(hostile()),
            advice: "",
            since: None,
            newest: None,
            notices: vec![hostile()],
            stranger: Some(Stranger {
                expected: identity::Who::With(identity::Mark::OnvifId, hostile()),
                found: identity::Who::With(identity::Mark::SerialNumber, hostile()),
                address: hostile(),
            }),
            id: hostile(),
            streams: vec![StreamInWords { name: "Main stream", words: hostile() }],
            vitals: vec![Vital { name: "Connection", words: hostile() }],
            known_by: Some(hostile()),
            recording: "off",
            motion: "off",
            blind: Some(hostile()),
            decoding: None,
            tips: vec![hostile()],
            dismissed: vec![DismissedInWords { when: "<time></time>".into(), what: hostile() }],
        }],
        may_add: true,
        now_s: 0.0,
    };
    let candidate =
        Candidate { key: hostile(), name: hostile(), address: hostile(), evidence: hostile(), how: "ONVIF" };
    let trial =
        Trial { id: hostile(), name: hostile(), facts: vec![hostile()], advice: vec![hostile()], has_picture: true };
    let adopt = AdoptPage { frame: frame(), found: vec![candidate], error: Some(hostile()), trial: None };
    let tried = AdoptPage { frame: frame(), found: Vec::new(), error: None, trial: Some(trial) };
    let value = Value { key: hostile(), name: hostile(), is_chosen: true };
    let events = EventsPage {
        frame: frame(),
        choices: vec![choice(), choice(), choice()],
        camera: hostile(),
        fields: vec![Field { name: "zone", label: "Zone", any: "anywhere", values: vec![value] }],
        is_sifted: true,
        unsifted: hostile(),
        days: vec![DayOfEvents {
            name: "<time></time>".into(),
            events: vec![Listed { id: hostile(), words: hostile(), card: rendered_card() }],
        }],
        until_us: Some(0),
        here: hostile(),
        newest: Some(hostile()),
        older: Some(hostile()),
        is_cut_short: true,
        may_change: true,
    };
    let event = EventPage {
        frame: frame(),
        id: hostile(),
        camera_name: hostile(),
        start: "<time></time>".into(),
        length: hostile(),
        zones: hostile(),
        peak: hostile(),
        why: Some(hostile()),
        camera_motion: Some("<time></time>".into()),
        is_kept: false,
        note: hostile(),
        clip: hostile(),
        file_name: hostile(),
        thumbnail: Some(hostile()),
        day: hostile(),
        newer: Some(hostile()),
        older: Some(hostile()),
        watched: vec![Watched { who: hostile(), at: "<time></time>".into() }],
        camera: hostile(),
        share: Some((0.0, 1.0)),
        may_change: true,
        may_delete: true,
    };
    let day = DayPage {
        frame: frame(),
        camera: hostile(),
        name: hostile(),
        others: vec![choice(), choice()],
        days: days(),
        calendar: calendar().render().expect("a month"),
        marks: vec![Mark { class: "bar-gap", x: 0.0, width: 1.0, y: 0, height: 1, words: hostile() }],
        events: vec![rendered_card()],
        camera_motion: Some(SaidOnDay { spans: vec!["<time></time>".into()], more: 1 }),
        has_camera_motion: true,
        gaps: vec![GapInWords { from: "<time></time>".into(), to: "<time></time>".into(), why: "why" }],
        watched: vec![Watched { who: hostile(), at: "<time></time>".into() }],
        may_export: true,
        save_start: 0.0,
        save_end: 1.0,
    };
    let row = RowInWords { who: hostile(), what: hostile(), at: "<time></time>".into(), address: Some(hostile()) };
    let activity = ActivityPage { frame: frame(), rows: vec![row], older: Some(hostile()) };
    let sign_in = SignInPage { frame: frame(), next: hostile(), user: hostile(), error: Some(hostile()) };
    let link = SignInLinkPage { frame: frame(), token: hostile() };
    let message = MessagePage { frame: frame(), heading: "Heading", text: hostile() };
    let [account, people, person] = accounts();
    vec![
        account,
        people,
        person,
        ("claim", ClaimPage { frame: frame(), code: hostile(), name: hostile(), error: Some(hostile()) }.render()),
        ("shown_once", shown_once().render()),
        ("shared", shared().render()),
        ("trust", TrustPage { fingerprint: hostile() }.render()),
        ("pause_button", Ok(pause_button())),
        ("live", live.render()),
        ("cameras", cameras.render()),
        ("adopt", adopt.render().and_then(|list| Ok(list + &tried.render()?))),
        ("events", events.render()),
        ("event", event.render()),
        ("event_card", card().render()),
        ("day", day.render()),
        ("keeping", keeping().render()),
        ("motion", motion().render()),
        ("calendar", calendar().render()),
        ("timeline", timeline().render()),
        ("activity", activity.render()),
        ("sign_in", sign_in.render()),
        ("sign_in_link", link.render()),
        ("message", message.render()),
    ]
    .into_iter()
    .map(|(name, html)| (name, html.expect("rendered")))
    .collect()
}

#[test]
fn no_page_lets_a_name_become_markup() {
    for (name, html) in pages() {
        assert!(!html.contains("<script>"), "{name}");
        assert!(!html.contains("<img src=x"), "{name}");
        assert!(!html.contains("\" onfocus"), "{name}");
        assert!(html.contains("&#60;script&#62;"), "{name} shows no name at all");
    }
}

#[test]
fn no_page_has_script_or_style_within_it() {
    for (name, html) in pages() {
        assert_eq!(
            html.matches("<script").count(),
            html.matches("<script type=\"module\" src=\"/static/0/").count(),
            "{name}"
        );
        assert!(!html.contains("<style") && !html.contains(" style="), "{name}");
        assert!(!html.contains("http://") && !html.contains("https://"), "{name} leads out of the house");
    }
}

#[test]
fn every_template_is_rendered_here() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("a folder")
        .filter_map(|file| file.expect("a file").file_name().to_str()?.strip_suffix(".html").map(str::to_owned))
        .filter(|name| name != "base")
        .collect();
    let mut rendered: Vec<_> = pages().into_iter().map(|(name, _)| name.to_owned()).collect();
    files.sort();
    rendered.sort();
    assert_eq!(files, rendered);
}
