//! Attacks on who one is: cookies, links, passwords.

#![expect(clippy::disallowed_methods, reason = "a test measures real time")]

mod household;

use std::time::{Duration, Instant};

use hearthwatch::access::Token;
use household::{Household, PASSWORD, PORCH, cookie, token_of};

fn with_cookie(household: &Household, cookie: &str) -> u16 {
    household.ask("GET", "/api/me", &[("Cookie", cookie)], b"").status
}

#[test]
fn a_forged_cookie_opens_nothing() {
    let household = Household::new();
    let real = household.anna.expose();
    assert_eq!(with_cookie(&household, &format!("hearthwatch={real}")), 200);
    let mut forged: Vec<String> = (0..=255_u8)
        .map(|byte| Token::from_random([byte; 32]))
        .filter(|token| {
            ![&household.anna, &household.gus, &household.nobody, &household.api, &household.link].contains(&token)
        })
        .map(|token| token.expose())
        .collect();
    // One character off, at each place.
    for at in 0..real.len() {
        let other = if real.as_bytes()[at] == b'A' { "B" } else { "A" };
        forged.push(format!("{}{other}{}", &real[..at], &real[at + 1..]));
    }
    forged.extend(["", " ", "null", "undefined", "true", "1", "../../etc/passwd"].map(str::to_owned));
    forged.extend([
        format!("{real}="),
        format!("{real}A"),
        real[1..].to_owned(),
        real.to_lowercase(),
        "A".repeat(100_000 / 8),
    ]);
    // What stands in the database is not the token.
    forged.push(household.anna.hash().handle());
    forged.push(Token::from_random(*household.anna.hash().as_bytes()).expose());
    for forged in &forged {
        assert_eq!(with_cookie(&household, &format!("hearthwatch={forged}")), 401, "{forged}");
    }
    // Two of the name: somebody planted one, and it is not known which.
    assert_eq!(with_cookie(&household, &format!("hearthwatch={real}; hearthwatch={real}")), 401);
    assert_eq!(with_cookie(&household, &format!("__Host-hearthwatch={real}")), 401, "the name that TLS alone may set");
}

#[test]
fn a_replayed_cookie_opens_nothing_after_signing_out() {
    let household = Household::new();
    let stolen = household.sign_in("anna", PASSWORD).expect("signed in");
    let out = household.ask_as(&stolen, "POST", "/sign-out");
    assert_eq!((out.status, out.header("clear-site-data")), (303, Some("\"cache\", \"storage\"")));
    assert!(out.header("set-cookie").is_some_and(|cookie| cookie.contains("Max-Age=0")));
    for _ in 0..3 {
        assert_eq!(household.get(&stolen, "/api/me").status, 401);
    }
    let path = format!("/sign-in/{}", household.link.expose());
    let first = household.ask("POST", &path, &[("Origin", &household.origin())], b"");
    assert_eq!(first.status, 303);
    assert_eq!(
        household.ask("POST", &path, &[("Origin", &household.origin())], b"").status,
        401,
        "a one-time link, again"
    );
}

#[test]
fn session_fixation_signs_nobody_into_a_session_that_was_there_before() {
    let household = Household::new();
    let planted = Token::from_random([200; 32]);
    let body = serde_json::json!({"user": "anna", "password": PASSWORD}).to_string();
    let planted_cookie = cookie(&planted);
    for before in [planted_cookie.as_str(), &cookie(&household.gus)] {
        let headers = [("Cookie", before), ("Content-Type", "application/json")];
        let answer = household.ask("POST", "/api/login", &headers, body.as_bytes());
        let fresh = token_of(&answer).expect("a new token");
        assert!(fresh != planted && fresh != household.gus, "the session is a new one");
        assert_eq!(household.get(&planted, "/api/me").status, 401, "the planted one is still worth nothing");
        assert_eq!(household.get(&household.gus, "/api/me").json()["user"], "gus", "a session stays its user's");
    }
}

#[test]
fn guessing_a_share_link_finds_nothing() {
    let household = Household::new();
    let start = household.now.minus(Duration::from_secs(60)).as_unix_seconds().to_string();
    let end = household.now.minus(Duration::from_secs(30)).as_unix_seconds().to_string();
    let page = household.post(&household.anna, "/cameras/porch/share", &[("start", &start), ("end", &end)]).text();
    let at = page.find("/shared/").expect("a link");
    let link: String = page[at + 8..].chars().take(43).collect();
    assert_eq!(household.ask("GET", &format!("/shared/{link}"), &[], b"").status, 200);
    let mut guesses: Vec<String> = (0..200_u8).map(|byte| Token::from_random([byte; 32]).expose()).collect();
    for at in 0..link.len() {
        let other = if link.as_bytes()[at] == b'A' { "B" } else { "A" };
        guesses.push(format!("{}{other}{}", &link[..at], &link[at + 1..]));
    }
    guesses.extend(["1", "porch", "..%2f", "%00", "", "clip.mp4"].map(str::to_owned));
    let bare = |guess: &str| {
        let mut answer = household.ask("GET", &format!("/shared/{guess}"), &[], b"");
        answer.headers.retain(|(name, _)| name != "date");
        (answer.status, answer.headers, answer.body)
    };
    let nothing = bare("nothing-at-all");
    assert_eq!(nothing.0, 404);
    for guess in &guesses {
        assert!(bare(guess) == nothing, "{guess} is told apart");
        assert_eq!(household.ask("GET", &format!("/shared/{guess}/clip.mp4"), &[], b"").status, 404);
    }
}

#[test]
fn brute_force_slows_the_guesser_and_never_the_owner_elsewhere() {
    let household = Household::new();
    let (mut refused, mut hashed) = (0, 0);
    for n in 0..300 {
        match household.try_from([127, 0, 0, 66], "anna", &format!("guess {n}")).status {
            401 => hashed += 1,
            429 => refused += 1,
            other => panic!("{other}"),
        }
    }
    println!("300 guesses: {hashed} hashed, {refused} told to wait");
    assert!(hashed <= 20, "{hashed} were hashed");
    assert_eq!(household.try_from([127, 0, 0, 66], "anna", PASSWORD).status, 429, "the guesser waits, even if right");
    assert_eq!(household.try_from([127, 0, 0, 7], "anna", PASSWORD).status, 204, "the owner at home does not");
    // Many names from one address are slowed as well.
    let tried =
        (0..200).filter(|n| household.try_from([127, 0, 0, 67], &format!("name-{n}"), "x").status == 401).count();
    assert!(tried <= 40, "{tried}");
    assert!(household.log().iter().filter(|(_, action)| action == "sign-in-failed").count() >= 5, "written down");
}

#[test]
fn an_unknown_name_takes_as_long_as_a_wrong_password() {
    let household = Household::new();
    let mut times = [Vec::new(), Vec::new()];
    for n in 0..16_u8 {
        for (side, name) in ["anna", "nobody-of-that-name"].iter().enumerate() {
            let start = Instant::now();
            assert_eq!(
                household.try_from([127, 0, 2, n * 2 + u8::try_from(side).expect("small")], name, "x").status,
                401
            );
            times[side].push(start.elapsed());
        }
    }
    let [known, unknown] = times.map(|mut times| {
        times.sort();
        times[times.len() / 2]
    });
    let ratio = known.as_secs_f64() / unknown.as_secs_f64();
    println!("known {known:?}, unknown {unknown:?}: ratio {ratio:.3}");
    assert!((0.6..1.6).contains(&ratio), "known {known:?}, unknown {unknown:?}");
}

#[test]
fn a_cookie_of_one_never_shows_another() {
    let household = Household::new();
    std::thread::scope(|scope| {
        for (token, name) in [(&household.anna, "anna"), (&household.gus, "gus"), (&household.nobody, "nobody")] {
            let household = &household;
            scope.spawn(move || {
                for _ in 0..60 {
                    assert_eq!(household.get(token, "/api/me").json()["user"], name);
                }
            });
        }
    });
    assert_eq!(household.get(&household.gus, "/api/cameras").json().as_array().map(Vec::len), Some(1));
    assert_eq!(household.get(&household.gus, "/api/cameras").json()[0]["id"], PORCH);
}
