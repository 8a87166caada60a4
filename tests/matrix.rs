//! Every route × everybody × every method × every kind of object, made from the table of routes.

#![expect(clippy::disallowed_methods, reason = "a test reads the sources where they are, and measures real time")]

mod household;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use hearthwatch::access::{Rights, Role, Token};
use hearthwatch::index::sessions::{self, SessionKind};
use hearthwatch::index::{events, rights, users};
use hearthwatch::web::routes::{Audience, Kind, Route, table};
use household::{Answer, Household, NURSERY, PORCH, camera, cookie, event_of};

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"];

/// The whole table, to be changed by hand whenever it changes: nobody adds a door without saying for whom.
const DOORS: &str = "\
GET /static/{hash}/{name} Anyone
GET /sign-in Anyone
POST /sign-in Anyone
GET /sign-in/{token} Anyone
POST /sign-in/{token} Anyone
POST /api/login Anyone
GET /claim Anyone
POST /claim Anyone
GET /trust Anyone
GET /trust/{name} Anyone
GET /shared/{link} Link
GET /shared/{link}/clip.mp4 Link
GET /api/health Anyone
GET /metrics LoopbackOrToken
POST /sign-out SignedIn
POST /api/logout SignedIn
GET /api/me SignedIn
GET /account SignedIn
POST /account/password SignedIn
POST /account/sessions SignedIn
POST /account/tokens SignedIn
POST /account/links SignedIn
GET /people Owner
POST /people Owner
GET /people/{user} Owner
POST /people/{user} Owner
POST /people/{user}/password Owner
POST /people/{user}/sign-out Owner
POST /people/{user}/remove Owner
POST /pause SignedIn
POST /resume SignedIn
POST /cameras/{id}/pause Resident
POST /cameras/{id}/resume Resident
GET /cameras/{id}/motion OwnerOf
POST /cameras/{id}/motion OwnerOf
POST /cameras/{id}/motion/trial OwnerOf
POST /cameras/{id}/share Camera(Export)
GET / SignedIn
GET /timeline SignedIn
GET /cameras SignedIn
GET /cameras/{id} Camera(History)
GET /events SignedIn
POST /events SignedIn
GET /events/{event} Event(History)
GET /activity SignedIn
GET /storage Owner
POST /storage Owner
GET /adopt Owner
POST /adopt Owner
POST /adopt/again Owner
POST /adopt/{trial} Owner
GET /adopt/{trial}/picture.jpg Owner
GET /api/cameras SignedIn
GET /api/cameras/{id}/snapshot.jpg Camera(Live)
GET /api/cameras/{id}/live Camera(Live)
GET /api/cameras/{id}/recordings Camera(History)
GET /api/cameras/{id}/clip.mp4 Camera(Export)
GET /api/cameras/{id}/moment.mp4 Camera(History)
GET /api/cameras/{id}/previews Camera(History)
GET /vod/{id}/start/{a}/end/{b}/{file} Camera(History)
GET /api/events SignedIn
GET /api/events/{event} Event(History)
PUT /api/events/{event} Event(Delete)
PUT /api/events/{event}/seen Event(History)
DELETE /api/events/{event} Event(Delete)
GET /api/events/{event}/thumbnail.jpg Event(History)
GET /api/events/{event}/preview.jpg Event(History)
GET /api/events/{event}/clip.mp4 Event(History)
GET /api/audit SignedIn
";

#[test]
fn every_door_is_listed_with_whom_it_is_for() {
    let mut doors = String::new();
    for Route { method, path, audience, .. } in table() {
        writeln!(doors, "{method} {path} {audience:?}").expect("a text grows");
    }
    assert_eq!(doors, DOORS);
    // And there is no door beside the table.
    let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("web/routes.rs") {
                let source = std::fs::read_to_string(&path).unwrap_or_default();
                for way in [".route(", ".nest(", ".route_service(", ".merge(router", "ServeDir"] {
                    assert!(!source.contains(way), "{} adds a route by {way}", path.display());
                }
            }
        }
    }
}

/// Somebody at the door: by which cookie, if any.
struct Somebody {
    who: &'static str,
    token: Option<Token>,
}

/// Everybody who may see nothing of the nursery, each for another reason.
fn everybody(household: &Household) -> (Vec<Somebody>, Vec<Somebody>) {
    let now = household.now;
    let [expired, deleted, live_only, owner] = [31, 32, 33, 34].map(|byte| Token::from_random([byte; 32]));
    let hashes = [&expired, &deleted, &live_only, &owner].map(Token::hash);
    let made = household.writer.write_blocking(move |tx| {
        let phc = users::list(tx)?[0].password_hash.clone();
        let before = now.minus(Duration::from_secs(60));
        let later = now.plus(Duration::from_secs(3600));
        for (hash, name, role) in [
            (&hashes[0], "expired", Role::Owner),
            (&hashes[1], "deleted", Role::Owner),
            (&hashes[2], "live only", Role::Member),
            (&hashes[3], "second owner", Role::Owner),
        ] {
            let user = users::insert(tx, &name.parse().expect("a name"), role, &phc)?;
            let ends = if name == "expired" { now } else { later };
            sessions::insert(tx, hash, user, before, ends, SessionKind::Cookie)?;
            match name {
                "live only" => rights::grant(tx, user, &camera(PORCH), Rights { live: true, ..Rights::NONE })?,
                "second owner" => {}
                _ => rights::grant(tx, user, &camera(NURSERY), Rights::ALL)?,
            }
            if name == "deleted" {
                let _ = users::remove(tx, user)?;
            }
        }
        Ok(())
    });
    made.expect("written");
    let is_out = vec![
        Somebody { who: "nobody at all", token: None },
        Somebody { who: "a forged cookie", token: Some(Token::from_random([99; 32])) },
        Somebody { who: "an expired session", token: Some(expired) },
        Somebody { who: "a deleted user", token: Some(deleted) },
    ];
    let is_in = vec![
        Somebody { who: "a guest without any right", token: Some(household.nobody.clone()) },
        Somebody { who: "another camera's viewer", token: Some(household.gus.clone()) },
        Somebody { who: "live pictures of another camera only", token: Some(live_only) },
        Somebody { who: "an owner without a right", token: Some(owner) },
    ];
    (is_out, is_in)
}

fn ask(household: &Household, who: &Somebody, method: &str, path: &str, extra: (&str, &str)) -> Answer {
    let origin = household.origin();
    let cookie = who.token.as_ref().map(cookie);
    let mut headers = vec![("Origin", origin.as_str()), extra];
    headers.extend(cookie.as_deref().map(|cookie| ("Cookie", cookie)));
    let mut answer = household.ask(method, path, &headers, b"");
    // The sign-in page leads back to what was asked for: that much it may repeat.
    let is_sign_in =
        answer.status == 401 && answer.header("content-type").is_some_and(|kind| kind.starts_with("text/html"));
    if is_sign_in {
        answer.body = answer.text().replace(path, "WANTED").into_bytes();
    }
    answer.headers.retain(|(name, _)| name != "date" && !(is_sign_in && name == "content-length"));
    answer
}

fn path(route: &Route, camera: &str, event: &str) -> String {
    let path =
        route.path.replace("{id}", camera).replace("{event}", event).replace("{user}", "1").replace("{trial}", "0");
    let path = path.replace("{a}", "1").replace("{b}", "2").replace("{file}", "index.m3u8");
    path.replace("{hash}", "0")
        .replace("{name}", "site.css")
        .replace("{token}", &"A".repeat(43))
        .replace("{link}", &"A".repeat(43))
}

#[test]
fn whoever_may_not_is_told_the_same_about_everything() {
    let household = Household::new();
    // An event of the nursery that was, and is no more.
    let gone = hearthwatch::units::EventId::from_random([9; 8]);
    household.see(NURSERY, gone, household.now.minus(Duration::from_secs(300)), Some(5), &[], None);
    let removed = household.writer.write_blocking(move |tx| events::remove(tx, gone));
    removed.expect("removed");
    let (is_out, is_in) = everybody(&household);
    let objects = [
        ("foreign", NURSERY, event_of(NURSERY).to_string()),
        ("deleted", "old-camera", gone.to_string()),
        ("never existed", "no-such-camera", "00000000000000aa".to_owned()),
        ("malformed", "..%2f..%2fetc", "%00".to_owned()),
    ];
    let mut paths: Vec<Route> = table();
    paths.retain(|route| !matches!(route.audience, Audience::Anyone | Audience::LoopbackOrToken | Audience::Link));
    let mut knocks = 0;
    for route in &paths {
        let is_of_something = route.path.contains("{id}") || route.path.contains("{event}");
        for method in METHODS {
            let is_the_doors = route.method == method || (route.method == "GET" && method == "HEAD");
            let is_another_door = table().iter().any(|other| {
                other.path == route.path && (other.method == method || (other.method == "GET" && method == "HEAD"))
            });
            if !is_the_doors && is_another_door {
                continue;
            }
            for (somebody, out) in is_out.iter().map(|one| (one, true)).chain(is_in.iter().map(|one| (one, false))) {
                // What acts on everything one may see is no object's; who is in may do it.
                if !out && !is_of_something && route.audience == Audience::SignedIn {
                    continue;
                }
                let extras =
                    [("X-Nothing", ""), ("Range", "bytes=0-9"), ("If-None-Match", "*"), ("Upgrade", "websocket")];
                for extra in &extras[..if method == "GET" { 4 } else { 1 }] {
                    let answers: Vec<_> = objects
                        .iter()
                        .filter(|(kind, ..)| is_of_something || *kind == "foreign")
                        .map(|(kind, camera, event)| {
                            (kind, ask(&household, somebody, method, &path(route, camera, event), *extra))
                        })
                        .collect();
                    knocks += answers.len();
                    let first = &answers[0].1;
                    let case = format!("{} as {}, {method} {extra:?}", route.path, somebody.who);
                    let owner_of_people =
                        route.audience == Audience::Owner && somebody.who == "an owner without a right";
                    match (is_the_doors, out) {
                        (false, _) => assert!(matches!(first.status, 405 | 401 | 404), "{case}: {}", first.status),
                        (true, true) => assert_eq!(first.status, 401, "{case}"),
                        (true, false) if owner_of_people => {}
                        (true, false) if route.audience == Audience::Owner => assert_eq!(first.status, 403, "{case}"),
                        (true, false) => assert_eq!(first.status, 404, "{case}"),
                    }
                    for (kind, other) in &answers[1..] {
                        assert!(
                            (other.status, &other.headers, &other.body) == (first.status, &first.headers, &first.body),
                            "{case}: {kind} is told apart from foreign: {} and {}",
                            other.status,
                            first.status
                        );
                    }
                }
            }
        }
    }
    println!("{knocks} knocks at {} doors", paths.len());
    assert!(knocks > 3_000, "{knocks}");
}

#[test]
fn what_is_anothers_takes_as_long_as_what_never_was() {
    let household = Household::new();
    let pairs = [
        ("/api/cameras/nursery/snapshot.jpg".to_owned(), "/api/cameras/no-such/snapshot.jpg".to_owned()),
        (format!("/api/events/{}", event_of(NURSERY)), "/api/events/00000000000000aa".to_owned()),
    ];
    for (foreign, never) in pairs {
        let mut times = [Vec::new(), Vec::new()];
        for round in 0..240 {
            // In turns, and each first as often, so that neither is the warmer one.
            for side in [round % 2, (round + 1) % 2] {
                let path = if side == 0 { &foreign } else { &never };
                let start = Instant::now();
                assert_eq!(household.get(&household.gus, path).status, 404);
                times[side].push(start.elapsed());
            }
        }
        let [foreign_time, never_time] = times.map(|mut times| {
            times.sort();
            times[times.len() / 2]
        });
        let ratio = foreign_time.as_secs_f64() / never_time.as_secs_f64();
        println!("{foreign}: median {foreign_time:?}, and {never_time:?} for what never was: ratio {ratio:.3}");
        assert!((0.6..1.6).contains(&ratio), "{foreign}: {foreign_time:?} against {never_time:?}");
    }
}

/// Renames a table, as if it could not be read.
fn lose(household: &Household, table: &str) {
    let sql = format!("ALTER TABLE {table} RENAME TO lost_{table}");
    household.writer.write_blocking(move |tx| tx.execute_batch(&sql)).expect("renamed");
}

#[test]
fn a_database_that_does_not_answer_lets_nobody_in() {
    for table_lost in ["sessions", "rights", "users", "audit", "pauses"] {
        let household = Household::new();
        lose(&household, table_lost);
        for route in table() {
            let shows_pictures = matches!(route.audience, Audience::Camera(_) | Audience::Event(_));
            let path = path(&route, NURSERY, &event_of(NURSERY).to_string());
            let is_live = route.path.ends_with("snapshot.jpg") || route.path.ends_with("/live");
            let must_fail = match table_lost {
                "sessions" | "users" => {
                    !matches!(route.audience, Audience::Anyone | Audience::LoopbackOrToken | Audience::Link)
                }
                "rights" => shows_pictures,
                // What would show something must write it down first.
                "audit" => route.path.ends_with("snapshot.jpg") || route.path.ends_with("thumbnail.jpg"),
                _ => is_live,
            };
            if !must_fail || route.method != "GET" {
                continue;
            }
            let answer = household.get(&household.anna, &path);
            assert!(answer.status >= 400, "{path} without {table_lost}: {}", answer.status);
            let is_page = route.kind == Kind::Page;
            assert!(
                is_page || answer.status == 503 || answer.status == 400,
                "{path} without {table_lost}: {}",
                answer.status
            );
            assert!(!answer.body.starts_with(&[0xff, 0xd8]), "{path}: a picture went out");
        }
    }
}
