//! What leaves one's own hands: links, the privacy switch, and who is told that one looked.

mod household;

use std::time::Duration;

use hearthwatch::access::{Rights, Token};
use hearthwatch::index::{rights, shares};
use hearthwatch::record::segment::GapCause;
use hearthwatch::units::{UtcMicros, UtcSpan};
use household::{Answer, Household, NURSERY, PORCH, camera, cookie, event_of, film};

fn seconds(moment: UtcMicros) -> String {
    format!("{:.6}", moment.as_unix_seconds())
}

fn share(household: &Household, who: &Token, id: &str, start: UtcMicros, end: UtcMicros) -> Answer {
    let (start, end) = (seconds(start), seconds(end));
    household.post(who, &format!("/cameras/{id}/share"), &[("start", &start), ("end", &end), ("hours", "24")])
}

/// The link's path, from the page that shows it once.
fn link_of(page: &Answer) -> String {
    let text = page.text();
    let at = text.find("/shared/").unwrap_or_else(|| panic!("a link: {text}"));
    text[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || "/-_".contains(*c)).collect()
}

fn stranger(household: &Household, path: &str) -> Answer {
    household.ask("GET", path, &[], b"")
}

#[test]
fn a_link_shows_its_stretch_to_whoever_has_it_until_it_is_taken_back() {
    let household = Household::new();
    let start = household.now.minus(Duration::from_secs(100));
    let end = start.plus(Duration::from_secs(10));
    assert_eq!(share(&household, &household.gus, PORCH, start, end).status, 404, "who may not save may not share");
    assert_eq!(share(&household, &household.anna, PORCH, end, start).status, 400);
    let page = share(&household, &household.anna, PORCH, start, end);
    assert!(page.status == 200 && page.text().contains(&household.origin().replace("http://", "")), "{}", page.text());
    let link = link_of(&page);
    let opened = stranger(&household, &link);
    assert_eq!(opened.status, 200);
    assert!(opened.text().contains("Porch") && opened.text().contains("anna") && !opened.text().contains("Nursery"));
    for nothing_else in ["/", "/events", "/api/cameras", "/api/cameras/porch/snapshot.jpg"] {
        assert_eq!(stranger(&household, nothing_else).status, 401, "{nothing_else}");
    }
    // The token of a link is no session's, however it is brought.
    let token: Token = link.rsplit('/').next().expect("a token").parse().expect("a token");
    assert_eq!(household.get(&token, "/api/me").status, 401);
    let bearer = format!("Bearer {}", token.expose());
    assert_eq!(household.ask("GET", "/api/me", &[("Authorization", &bearer)], b"").status, 401);

    let listed = household.get(&household.anna, "/account").text();
    assert!(listed.contains(&token.hash().handle()) && !listed.contains(&token.expose()), "shown once");
    let handle = token.hash().handle();
    assert_eq!(household.post(&household.gus, "/account/links", &[("handle", &handle)]).status, 404);
    assert_eq!(stranger(&household, &link).status, 200);
    assert_eq!(household.post(&household.anna, "/account/links", &[("handle", &handle)]).status, 303);
    assert_eq!(stranger(&household, &link).status, 404);
    let log = household.log();
    for action in ["share", "share-ended"] {
        assert!(log.contains(&("anna".into(), action.into())), "{action}: {log:?}");
    }
}

#[test]
fn a_link_plays_no_more_than_it_says_and_is_written_down() {
    let household = Household::new();
    let Some(film) = film(20, "320x180") else { return };
    let start = household.now.minus(Duration::from_secs(100));
    household.record(PORCH, &film, start);
    let (from, to) = (start.plus(Duration::from_secs(4)), start.plus(Duration::from_secs(8)));
    let link = link_of(&share(&household, &household.anna, PORCH, from, to));
    let clip = format!("{link}/clip.mp4");
    let whole = stranger(&household, &clip);
    assert_eq!((whole.status, whole.header("content-type")), (200, Some("video/mp4")));
    let same = format!("/api/cameras/porch/clip.mp4?start={}&end={}", seconds(from), seconds(to));
    assert_eq!(whole.body, household.get(&household.anna, &same).body, "that stretch, to the byte");
    let wider = stranger(&household, &format!("{clip}?start=0&end=99999999999"));
    assert_eq!(wider.body, whole.body, "a query widens nothing");
    let part = household.ask("GET", &clip, &[("Range", "bytes=4-7")], b"");
    assert_eq!((part.status, part.body.as_slice()), (206, b"ftyp".as_slice()));
    let rows = household.get(&household.anna, "/api/audit").json();
    let row = rows.as_array().expect("rows").iter().find(|row| row["action"] == "shared-clip").expect("written down");
    assert_eq!((row["user"].as_str(), row["camera"].as_str()), (Some("somebody with a link of anna"), Some(PORCH)));
    assert!(row["start"].is_number() && row["address"] == "127.0.0.1", "{row}");

    // It ends with its maker's right, and with its time.
    let anna = household.users[0];
    let set = |rights| {
        household.writer.write_blocking(move |tx| rights::grant(tx, anna, &camera(PORCH), rights)).expect("written");
    };
    set(Rights { export: false, ..Rights::ALL });
    assert_eq!(stranger(&household, &clip).status, 404);
    set(Rights::ALL);
    assert_eq!(stranger(&household, &clip).status, 200);
    let (token, now) = (Token::from_random([91; 32]), household.now);
    let (hash, span) = (token.hash(), UtcSpan::new(from, to).expect("a span"));
    let times = (now.minus(Duration::from_secs(9)), now);
    let old = household.writer.write_blocking(move |tx| shares::insert(tx, &hash, anna, &camera(PORCH), span, times));
    old.expect("written");
    assert_eq!(stranger(&household, &format!("/shared/{}", token.expose())).status, 404, "its time is over");
}

#[test]
fn a_paused_camera_shows_nothing_and_everybody_sees_who_paused_it() {
    let household = Household::new();
    let picture = "/api/cameras/porch/snapshot.jpg";
    assert_eq!(household.post(&household.gus, "/cameras/porch/pause", &[]).status, 403, "a guest switches nothing");
    assert_eq!(household.post(&household.nobody, "/cameras/porch/pause", &[]).status, 404);
    assert_eq!(household.post(&household.gus, "/pause", &[]).status, 403);
    assert_eq!(household.get(&household.gus, picture).status, 200);

    assert_eq!(household.post(&household.anna, "/cameras/porch/pause", &[]).status, 303);
    for who in [&household.anna, &household.gus] {
        let refused = household.get(who, picture);
        assert_eq!(refused.status, 503);
        assert!(refused.text().contains("switched this camera off"), "{}", refused.text());
        let live = household.ask(
            "GET",
            "/api/cameras/porch/live",
            &[("Cookie", &cookie(who)), ("Origin", &household.origin())],
            b"",
        );
        assert_eq!(live.status, 503);
        let page = household.get(who, "/").text();
        assert!(page.contains("Switched off by") && page.contains("<strong>anna</strong>"), "everybody sees who");
    }
    assert_eq!(household.get(&household.nobody, picture).status, 404, "to others it is no camera at all");
    assert_eq!(household.get(&household.anna, "/api/cameras/nursery/snapshot.jpg").status, 200);
    let thumbnail = format!("/api/events/{}/thumbnail.jpg", event_of(PORCH));
    assert_eq!(household.get(&household.gus, &thumbnail).status, 200, "what it saw before stays");

    let window = format!(
        "/api/cameras/porch/recordings?after={}&before={}",
        seconds(household.now.minus(Duration::from_secs(60))),
        seconds(household.now.plus(Duration::from_secs(600)))
    );
    let gaps = household.get(&household.gus, &window).json()["gaps"].clone();
    assert_eq!(gaps[0]["cause"], GapCause::Paused.name(), "while it lasts: {gaps}");
    assert_eq!(household.post(&household.gus, "/cameras/porch/resume", &[]).status, 403);
    assert_eq!(household.post(&household.anna, "/cameras/porch/resume", &[]).status, 303);
    assert_eq!(household.get(&household.gus, picture).status, 200);
    let gaps = household.get(&household.gus, &window).json()["gaps"].clone();
    assert_eq!((gaps.as_array().map(Vec::len), &gaps[0]["cause"]), (Some(1), &GapCause::Paused.name().into()));
    let log = household.log();
    assert!(log.contains(&("anna".into(), "pause".into())) && log.contains(&("anna".into(), "resume".into())));
}

#[test]
fn one_tap_switches_every_camera_off_and_on() {
    let household = Household::new();
    assert_eq!(household.post(&household.anna, "/pause", &[("minutes", "60")]).status, 303);
    for id in [PORCH, NURSERY] {
        assert_eq!(household.get(&household.anna, &format!("/api/cameras/{id}/snapshot.jpg")).status, 503, "{id}");
    }
    assert!(household.get(&household.anna, "/").text().contains("until"), "and until when");
    assert_eq!(household.post(&household.anna, "/pause", &[("minutes", "0")]).status, 400);
    assert_eq!(household.post(&household.anna, "/resume", &[]).status, 303);
    for id in [PORCH, NURSERY] {
        assert_eq!(household.get(&household.anna, &format!("/api/cameras/{id}/snapshot.jpg")).status, 200, "{id}");
    }
}

#[test]
fn next_to_the_footage_stands_who_watched_it() {
    let household = Household::new();
    let event = event_of(PORCH);
    let (page, clip) = (format!("/events/{event}"), format!("/api/events/{event}/clip.mp4"));
    assert!(!household.get(&household.gus, &page).text().contains("Watched by"));
    // There is no footage to it, and yet the wish to see it is written down before that is found out.
    household.get(&household.anna, &clip);
    let told = household.get(&household.gus, &page).text();
    assert!(told.contains("Watched by") && told.contains("<strong>anna</strong>"), "{told}");
    let day = household.get(&household.gus, "/cameras/porch").text();
    assert!(day.contains("Watched by") && day.contains("<strong>anna</strong>"));
    let other = format!("/events/{}", event_of(NURSERY));
    assert!(!household.get(&household.anna, &other).text().contains("Watched by"));
    // Two events within the same minute are two looks.
    household.get(&household.anna, &format!("/api/events/{}/clip.mp4", event_of(NURSERY)));
    let looks = household.log().into_iter().filter(|(_, action)| action == "event-clip").count();
    assert_eq!(looks, 2);
}

#[test]
fn what_was_refused_is_written_down_once_a_minute() {
    let household = Household::new();
    for _ in 0..3 {
        assert_eq!(household.get(&household.gus, "/api/cameras/nursery/snapshot.jpg").status, 404);
    }
    assert_eq!(household.get(&household.gus, "/api/cameras/attic/snapshot.jpg").status, 404);
    let rows = household.get(&household.anna, "/api/audit").json();
    let refused: Vec<_> = rows.as_array().expect("rows").iter().filter(|row| row["action"] == "refused").collect();
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert!(refused.iter().all(|row| row["user"] == "gus" && row["address"] == "127.0.0.1"));
    assert_eq!((&refused[1]["camera"], &refused[0]["camera"]), (&"nursery".into(), &"attic".into()));
    for n in 0..100 {
        household.get(&household.gus, &format!("/api/cameras/guess-{n}/snapshot.jpg"));
    }
    let rows = household.get(&household.anna, "/api/audit?limit=1000").json();
    let refused = rows.as_array().expect("rows").iter().filter(|row| row["action"] == "refused").count();
    assert!(refused <= 122, "a script that guesses does not fill the log: {refused}");
}
