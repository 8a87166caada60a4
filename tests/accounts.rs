//! Household accounts as their owners use them: people, rights, hours, devices, passwords, tokens.

mod household;

use std::time::Duration;

use argon2::password_hash::{PasswordHasher as _, SaltString};
use hearthwatch::access::{Hours, Right, Rights, Token};
use hearthwatch::index::rights::{self, RightsRow};
use hearthwatch::index::{sessions, users};
use hearthwatch::units::UtcMicros;
use hearthwatch::web::routes::{Audience, Kind, table};
use household::{Answer, Household, NURSERY, PASSWORD, PORCH, camera, cookie, token_of};

const PORCH_PICTURE: &str = "/api/cameras/porch/snapshot.jpg";
const NURSERY_PICTURE: &str = "/api/cameras/nursery/snapshot.jpg";
const NEW_PASSWORD: &str = "a song of four words";

/// The page of the person who was just added.
fn added(answer: &Answer) -> String {
    assert_eq!(answer.status, 303, "{}", answer.text());
    answer.header("location").expect("the person's page").to_owned()
}

fn add_dora(household: &Household, more: &[(&str, &str)]) -> Answer {
    let fields: Vec<_> = [("name", "dora"), ("password", NEW_PASSWORD)].iter().chain(more).copied().collect();
    household.post(&household.anna, "/people", &fields)
}

/// What stands in the one text area of a page that shows a secret.
fn shown_once(page: &Answer) -> String {
    let text = page.text();
    let area = text.split("<textarea").nth(1).expect("a secret");
    let secret = area.split('>').nth(1).and_then(|rest| rest.split('<').next()).expect("within it");
    secret.replace("&#58;", ":").replace("&#47;", "/").replace("&#45;", "-").trim().to_owned()
}

fn bearer(household: &Household, token: &str, path: &str) -> u16 {
    household.ask("GET", path, &[("Authorization", &format!("Bearer {token}"))], b"").status
}

#[test]
fn an_owner_adds_a_guest_who_sees_one_camera() {
    let household = Household::new();
    let page = added(&add_dora(&household, &[("role", "guest"), ("camera-porch", "1")]));
    let dora = household.sign_in("dora", NEW_PASSWORD).expect("signed in");
    assert_eq!(household.get(&dora, PORCH_PICTURE).status, 200);
    assert_eq!(household.get(&dora, NURSERY_PICTURE).status, 404);
    let live_only = household.get(&dora, "/api/me").json();
    assert_eq!(
        live_only["cameras"][PORCH],
        serde_json::json!({"live": true, "history": false, "export": false, "delete": false})
    );
    for closed in ["/people", page.as_str()] {
        assert_eq!(household.get(&dora, closed).status, 403, "{closed}");
        assert_eq!(household.post(&dora, closed, &[("role", "owner")]).status, 403, "{closed}");
    }
    assert_eq!(add_dora(&household, &[("role", "guest")]).status, 400, "the name is taken");
    for (fields, why) in [
        ([("name", "x"), ("password", "short"), ("role", "guest")], "password"),
        ([("name", " "), ("password", NEW_PASSWORD), ("role", "guest")], "name"),
        ([("name", "x"), ("password", NEW_PASSWORD), ("role", "king")], "role"),
    ] {
        assert_eq!(household.post(&household.anna, "/people", &fields).status, 400, "{why}");
    }
    assert!(household.log().contains(&("anna".into(), "user-added".into())));
}

#[test]
fn each_right_and_its_hours_are_set_on_one_page() {
    let household = Household::new();
    let page = added(&add_dora(&household, &[("role", "guest"), ("camera-porch", "1")]));
    let dora = household.sign_in("dora", NEW_PASSWORD).expect("signed in");
    let thumbnail = format!("/api/events/{}/thumbnail.jpg", household::event_of(NURSERY));
    let save = |fields: &[(&str, &str)]| {
        let fields: Vec<_> = [("role", "guest"), ("until", "")].iter().chain(fields).copied().collect();
        household.post(&household.anna, &page, &fields)
    };
    assert_eq!(save(&[("nursery.history", "1")]).status, 200);
    assert_eq!(household.get(&dora, PORCH_PICTURE).status, 404, "what is not ticked is taken");
    assert_eq!(household.get(&dora, NURSERY_PICTURE).status, 404);
    assert_eq!(household.get(&dora, &thumbnail).status, 200);

    // An hour that begins in two hours, and one around now, by the recorder's clock on the wall.
    let wall = |hours: i64| {
        let moment = UtcMicros(household.now.0 + hours * 3_600_000_000).to_timestamp().expect("a moment");
        moment.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M").to_string()
    };
    for (from, to, status) in [(wall(2), wall(3), 404), (wall(-1), wall(1), 200), (wall(1), wall(-1), 404)] {
        let fields = [("porch.live", "1"), ("porch.from", from.as_str()), ("porch.to", to.as_str())];
        assert_eq!(save(&fields).status, 200, "{from} to {to}");
        assert_eq!(household.get(&dora, PORCH_PICTURE).status, status, "{from} to {to}");
        assert!(household.get(&household.anna, &page).text().contains(&format!("value=\"{from}\"")), "it is shown");
    }
    assert_eq!(save(&[("porch.live", "1"), ("porch.from", "08:00")]).status, 400, "half a span is none");
    let rows = household.get(&household.anna, "/api/audit").json();
    let row = rows.as_array().expect("rows").iter().find(|row| row["action"] == "rights").expect("written down");
    assert!(row["detail"].as_str().is_some_and(|detail| detail.contains("dora: live from")), "{row}");
}

#[test]
fn a_guests_time_ends_what_they_see_and_their_signing_in() {
    let household = Household::new();
    let past = [("role", "guest"), ("camera-porch", "1"), ("until", "2020-01-01T00:00")];
    assert_eq!(add_dora(&household, &past).status, 400, "over before it began");
    assert_eq!(
        add_dora(&household, &[("role", "owner"), ("until", "2099-01-01T00:00")]).status,
        400,
        "an owner's never is"
    );
    let page = added(&add_dora(&household, &[("role", "guest"), ("camera-porch", "1"), ("until", "2099-01-01T00:00")]));
    let dora = household.sign_in("dora", NEW_PASSWORD).expect("signed in");
    assert_eq!(household.get(&dora, PORCH_PICTURE).status, 200);
    let now = household.now;
    let over = household.writer.write_blocking(move |tx| {
        let dora = users::by_name(tx, "dora")?.expect("she exists");
        users::set_expiry(tx, dora.id, Some(now))
    });
    over.expect("written");
    assert_eq!(household.get(&dora, PORCH_PICTURE).status, 401);
    assert!(household.sign_in("dora", NEW_PASSWORD).is_none(), "with the right password too");
    assert!(household.get(&household.anna, "/people").text().contains("time is over"));
    assert_eq!(household.post(&household.anna, &page, &[("role", "member"), ("until", "")]).status, 200);
    assert!(household.sign_in("dora", NEW_PASSWORD).is_some(), "until the owner says otherwise");
}

#[test]
fn the_only_owner_stays_one() {
    let household = Household::new();
    let page = format!("/people/{}", household.users[0].0);
    assert_eq!(household.post(&household.anna, &page, &[("role", "guest")]).status, 400);
    assert_eq!(household.post(&household.anna, &format!("{page}/remove"), &[]).status, 400);
    assert_eq!(household.get(&household.anna, "/api/me").json()["role"], "owner");
    let gus = format!("/people/{}", household.users[1].0);
    assert_eq!(household.post(&household.anna, &format!("{gus}/remove"), &[]).status, 303);
    assert_eq!(household.get(&household.gus, "/api/me").status, 401);
    assert_eq!(household.get(&household.anna, &gus).status, 404);
    assert!(household.log().contains(&("anna".into(), "user-removed".into())));
}

#[test]
fn an_owner_without_a_right_sees_no_picture() {
    let household = Household::new();
    let page = added(&add_dora(&household, &[("role", "owner")]));
    let dora = household.sign_in("dora", NEW_PASSWORD).expect("signed in");
    assert_eq!(household.get(&dora, "/people").status, 200);
    assert_eq!(household.get(&dora, NURSERY_PICTURE).status, 404, "owning is not seeing");
    assert_eq!(household.post(&dora, &page, &[("role", "owner"), ("nursery.live", "1")]).status, 200);
    assert_eq!(household.get(&dora, NURSERY_PICTURE).status, 200);
    let rows = household.get(&household.anna, "/api/audit").json();
    let told = rows.as_array().expect("rows").iter().any(|row| row["action"] == "rights" && row["user"] == "dora");
    assert!(told, "who gives themselves a right is written down");
}

#[test]
fn a_new_password_ends_everything_else() {
    let household = Household::new();
    let [here, there] = [0, 1].map(|_| household.sign_in("anna", PASSWORD).expect("signed in"));
    let change =
        |current: &str, new: &str| household.post(&here, "/account/password", &[("current", current), ("new", new)]);
    assert_eq!(change("not it at all", NEW_PASSWORD).status, 400);
    assert_eq!(change(PASSWORD, "short").status, 400);
    assert_eq!(household.get(&there, "/api/me").status, 200, "nothing happened yet");
    let changed = change(PASSWORD, NEW_PASSWORD);
    assert_eq!(changed.status, 303, "{}", changed.text());
    let fresh = token_of(&changed).expect("this browser goes on");
    assert_eq!(household.get(&fresh, "/api/me").status, 200);
    for ended in [&here, &there, &household.anna] {
        assert_eq!(household.get(ended, "/api/me").status, 401);
    }
    assert_eq!(bearer(&household, &household.api.expose(), "/api/me"), 401, "tokens too");
    assert!(household.sign_in("anna", PASSWORD).is_none() && household.sign_in("anna", NEW_PASSWORD).is_some());
}

#[test]
fn ones_own_devices_are_listed_and_signed_out_and_nobody_elses() {
    let household = Household::new();
    let phone = household.ask(
        "POST",
        "/api/login",
        &[("Content-Type", "application/json"), ("User-Agent", "Mozilla/5.0 (iPhone) Version/18 Mobile Safari/604.1")],
        serde_json::json!({"user": "anna", "password": PASSWORD}).to_string().as_bytes(),
    );
    let phone = token_of(&phone).expect("signed in");
    let page = household.get(&household.anna, "/account").text();
    assert!(page.contains("Safari on iPhone") && page.contains("127.0.0.1") && page.contains("this one"));
    let handle = phone.hash().handle();
    assert!(page.contains(&handle));
    assert_eq!(household.post(&household.gus, "/account/sessions", &[("handle", &handle)]).status, 404);
    assert_eq!(household.get(&phone, "/api/me").status, 200);
    assert_eq!(household.post(&household.anna, "/account/sessions", &[("handle", &handle)]).status, 303);
    assert_eq!(household.get(&phone, "/api/me").status, 401);
    let another = household.sign_in("anna", PASSWORD).expect("signed in");
    assert_eq!(household.post(&household.anna, "/account/sessions", &[("others", "1")]).status, 303);
    assert_eq!(household.get(&another, "/api/me").status, 401);
    assert_eq!(household.get(&household.anna, "/api/me").status, 200);
    assert_eq!(household.get(&household.gus, "/api/me").status, 200);
}

#[test]
fn an_access_token_is_shown_once_and_is_no_cookie() {
    let household = Household::new();
    let page = household.post(&household.anna, "/account/tokens", &[("label", "Home Assistant"), ("days", "30")]);
    let token = shown_once(&page);
    let parsed: Token = token.parse().unwrap_or_else(|_| panic!("a token, not {token}"));
    assert_eq!(bearer(&household, &token, "/api/me"), 200);
    let listed = household.get(&household.anna, "/account").text();
    assert!(listed.contains("Home Assistant") && !listed.contains(&token));
    assert_eq!(household.get(&parsed, "/api/me").status, 401, "a token in a cookie opens nothing");
    assert_eq!(bearer(&household, &household.anna.expose(), "/api/me"), 401, "a cookie's token in the header neither");
    // Both at once: the header alone counts.
    let wrong = format!("Bearer {}", Token::from_random([77; 32]).expose());
    let both = [("Cookie", cookie(&household.anna)), ("Authorization", wrong)];
    let both: Vec<_> = both.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(household.ask("GET", "/api/me", &both, b"").status, 401);
    // It cannot make itself another, nor change who may what: no page's form takes it.
    let with_token = format!("Bearer {token}");
    let headers = [("Authorization", with_token.as_str()), ("Content-Type", "application/x-www-form-urlencoded")];
    let mut forms = 0;
    for route in table() {
        let is_open = matches!(route.audience, Audience::Anyone | Audience::Link);
        if route.kind == Kind::Page && route.method != "GET" && !is_open {
            let path = route.path.replace("{user}", "2").replace("{id}", "porch").replace("{trial}", "1");
            let answer = household.ask("POST", &path, &headers, b"label=x&days=30&camera=porch&role=guest");
            assert_eq!(answer.status, 403, "{path}");
            forms += 1;
        }
    }
    assert!(forms >= 15, "{forms} forms");
    let handle = parsed.hash().handle();
    assert_eq!(household.post(&household.anna, "/account/sessions", &[("handle", &handle)]).status, 303);
    assert_eq!(bearer(&household, &token, "/api/me"), 401);
}

#[test]
fn signing_in_replaces_a_hash_of_weaker_parameters() {
    let household = Household::new();
    let weak = argon2::Argon2::new(
        argon2::Algorithm::Argon2id,
        argon2::Version::V0x13,
        argon2::Params::new(64, 1, 1, None).expect("parameters"),
    );
    let salt = SaltString::encode_b64(&[5; 16]).expect("a salt");
    let weak = weak.hash_password(PASSWORD.as_bytes(), &salt).expect("a hash").to_string();
    let gus = household.users[1];
    household.writer.write_blocking(move |tx| users::refresh_hash(tx, gus, &weak)).expect("written");
    let hash = || {
        household
            .writer
            .write_blocking(move |tx| Ok(users::by_id(tx, gus)?.expect("he exists").password_hash))
            .expect("read")
    };
    assert!(household.sign_in("gus", "not it at all").is_none());
    assert!(hash().contains("m=64,"), "a wrong password mends nothing");
    assert!(household.sign_in("gus", PASSWORD).is_some());
    assert!(hash().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash());
    assert!(household.sign_in("gus", PASSWORD).is_some());
    assert_eq!(household.get(&household.gus, "/api/me").status, 200, "sessions stay");
}

#[test]
fn rights_with_an_end_of_their_own_keep_it_when_the_page_is_saved() {
    let household = Household::new();
    let gus = household.users[1];
    let until = household.now.plus(Duration::from_secs(3600));
    let row = RightsRow {
        camera: camera(PORCH),
        rights: Rights { live: true, ..Rights::NONE },
        expires: Some(until),
        hours: Hours::new(0, 1439),
    };
    household.writer.write_blocking(move |tx| rights::put(tx, gus, &row)).expect("written");
    let page = format!("/people/{}", gus.0);
    let fields = [("role", "guest"), ("until", ""), ("porch.live", "1"), ("porch.history", "1")];
    assert_eq!(household.post(&household.anna, &page, &fields).status, 200);
    let saved = household.writer.write_blocking(move |tx| rights::of_user(tx, gus)).expect("read");
    assert_eq!(saved.len(), 1);
    assert!(saved[0].expires == Some(until) && saved[0].hours.is_none() && saved[0].rights.has(Right::History));
    let listed = household.writer.write_blocking(move |tx| sessions::of_user(tx, gus)).expect("read");
    assert_eq!(listed.len(), 1);
}
