//! Attacks by what a request says: names, paths, ranges, headers, sizes.

#![expect(clippy::disallowed_methods, reason = "a test plants files, and measures real time")]

mod household;

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use hearthwatch::access::Token;
use hearthwatch::web::routes::table;
use household::{Answer, Household, NURSERY, PASSWORD, PORCH, cookie, event_of, film};

#[test]
fn dns_rebinding_finds_nobody_at_home() {
    let household = Household::new();
    let cookie = cookie(&household.anna);
    for hosts in [
        "",
        "Host: evil.example\r\n",
        "Host: localhost.\r\n",
        "Host: localhost.evil.example\r\n",
        "Host: user@localhost\r\n",
        "Host: localhost\r\nHost: localhost\r\n",
        "Host: localhost\r\nHost: evil.example\r\n",
        "Host: localhost, evil.example\r\n",
        "Host: evil.example\r\nX-Forwarded-Host: localhost\r\n",
        "Host: evil.example\r\nForwarded: host=localhost\r\n",
        "Host: evil.example\r\nX-Original-Host: localhost\r\nX-Host: localhost\r\n",
        "Host: 127.0.0.1.evil.example\r\n",
        "Host: 0x7f000001\r\n",
        "Host: localhost:99999\r\n",
    ] {
        for path in
            ["/api/me", "/", "/claim", "/sign-in", "/api/login", "/trust", "/api/health", "/metrics", "/nothing"]
        {
            let request = format!("GET {path} HTTP/1.1\r\n{hosts}Cookie: {cookie}\r\nConnection: close\r\n\r\n");
            let answer = household.send(&request, b"");
            assert!(
                matches!(answer.status, 421 | 400) && answer.body.is_empty(),
                "{hosts:?} {path}: {}",
                answer.status
            );
        }
    }
    let absolute = format!(
        "GET http://evil.example/api/me HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(household.send(&absolute, b"").status, 421, "the request line contradicts");
}

#[test]
fn only_a_configured_proxy_is_believed_about_the_caller() {
    let household = Household::new();
    let ask = |more: &str| {
        let request =
            format!("GET /metrics HTTP/1.1\r\nHost: {}\r\n{more}Connection: close\r\n\r\n", household.address);
        household.send(&request, b"").status
    };
    assert_eq!(ask(""), 200, "this machine itself");
    assert_eq!(ask("X-Forwarded-For: 192.168.1.9\r\n"), 401, "somebody passed it on: not this machine itself");
    assert_eq!(ask("Forwarded: for=192.168.1.9\r\n"), 401);
    household.settings.send_modify(|settings| {
        let mut new = (**settings).clone();
        new.web.proxies = vec![[127, 0, 0, 1].into()];
        *settings = new.into();
    });
    assert_eq!(ask("X-Forwarded-For: 8.8.8.8\r\n"), 403, "the proxy says: from outside the house");
    assert_eq!(ask("X-Forwarded-For: 127.0.0.1, 8.8.8.8\r\n"), 403, "whatever the caller wrote before it");
    assert_eq!(ask("X-Forwarded-For: nonsense\r\n"), 403);
    let through = |headers: &[(&str, &str)]| household.ask("POST", "/account/links", headers, b"").status;
    let cookie = cookie(&household.anna);
    let by = [("Cookie", cookie.as_str()), ("X-Forwarded-Host", "nvr.home.arpa"), ("X-Forwarded-Proto", "https")];
    assert_eq!(
        through(&[&by[..], &[("Origin", "https://nvr.home.arpa")]].concat()),
        404,
        "let in; there is no such link"
    );
    assert_eq!(through(&[&by[..], &[("Origin", "http://nvr.home.arpa")]].concat()), 403);
    let evil = [("Cookie", cookie.as_str()), ("X-Forwarded-Host", "evil.example"), ("Origin", "http://evil.example")];
    assert_eq!(through(&evil), 421, "a proxy's word for the name is judged too");
}

#[test]
fn a_path_that_climbs_opens_nothing() {
    let household = Household::new();
    let secret = "hearthwatch.db";
    let climbs = [
        "../",
        "..%2f",
        "%2e%2e/",
        "%2e%2e%2f",
        "..%5c",
        "..\\",
        "....//",
        "%252e%252e%252f",
        "..%c0%af",
        "%00",
        "/",
        "//",
        "~/",
        "./",
    ];
    for climb in climbs {
        for depth in [1, 3, 8] {
            let up = climb.repeat(depth);
            for path in [
                format!("/static/0/{up}{secret}"),
                format!("/static/{up}{secret}"),
                format!("/trust/{up}{secret}"),
                format!("/vod/porch/start/1/end/2/{up}{secret}"),
                format!("/vod/{up}{secret}/start/1/end/2/index.m3u8"),
                format!("/api/cameras/{up}{secret}/snapshot.jpg"),
                format!("/api/events/{up}{secret}/thumbnail.jpg"),
                format!("/shared/{up}{secret}"),
                format!("/sign-in/{up}{secret}"),
                format!("/{up}etc/passwd"),
            ] {
                let answer = household.get(&household.anna, &path);
                assert!(matches!(answer.status, 400 | 404 | 405), "{path}: {}", answer.status);
                let text = answer.text();
                assert!(!text.contains("SQLite format") && !text.contains("root:"), "{path}");
            }
        }
    }
}

#[test]
fn a_planted_symlink_shows_nothing() {
    let household = Household::new();
    let thumbnail = |id: &str| household.folder().join(format!("thumbnails/{id}/{}.jpg", event_of(id)));
    let asked = format!("/api/events/{}/thumbnail.jpg", event_of(PORCH));
    assert_eq!(household.get(&household.gus, &asked).status, 200);
    let outside = household.folder().join("outside.jpg");
    std::fs::write(&outside, household::JPEG).expect("written");
    for target in [thumbnail(NURSERY), outside, "/etc/passwd".into(), household.folder().join("hearthwatch.db")] {
        std::fs::remove_file(thumbnail(PORCH)).expect("removed");
        symlink(&target, thumbnail(PORCH)).expect("planted");
        let answer = household.get(&household.gus, &asked);
        assert!(
            answer.status >= 400 && !answer.body.starts_with(&[0xff, 0xd8]),
            "{}: {}",
            target.display(),
            answer.status
        );
        assert!(!answer.text().contains("root:"), "{}", target.display());
    }
    std::fs::remove_file(thumbnail(PORCH)).expect("removed");
    std::fs::hard_link(thumbnail(NURSERY), thumbnail(PORCH)).expect("linked");
    let answer = household.get(&household.gus, &asked);
    assert!(answer.status >= 400, "another camera's picture under this one's name: {}", answer.status);
    // A whole folder in another's place.
    let folders = household.folder().join("thumbnails");
    std::fs::rename(folders.join(PORCH), folders.join("aside")).expect("moved");
    symlink(folders.join(NURSERY), folders.join(PORCH)).expect("planted");
    assert!(household.get(&household.gus, &asked).status >= 400);
}

#[test]
fn a_footage_file_in_anothers_place_shows_nothing() {
    let household = Household::new();
    let Some(film) = film(4, "320x180") else { return };
    let start = household.now.minus(Duration::from_secs(60));
    let length = household.record(PORCH, &film, start);
    household.record(NURSERY, &film, start);
    let files = |id: &str| {
        let day = std::fs::read_dir(household.folder().join("footage").join(id)).expect("a folder").next();
        let day = day.expect("a day").expect("readable").path();
        std::fs::read_dir(day).expect("a folder").next().expect("a file").expect("readable").path()
    };
    let (porch, nursery) = (files(PORCH), files(NURSERY));
    let (from, to) = (start.as_unix_seconds(), start.plus(length).as_unix_seconds());
    let list = household.get(&household.gus, &format!("/vod/porch/start/{from}/end/{to}/index.m3u8")).text();
    let segment = list.lines().find(|line| !line.is_empty() && !line.starts_with('#')).expect("a segment").to_owned();
    let asked = format!("/vod/porch/start/{from}/end/{to}/{segment}");
    assert_eq!(household.get(&household.gus, &asked).status, 200);
    for plant in [0, 1] {
        std::fs::remove_file(&porch).expect("removed");
        if plant == 0 {
            symlink(&nursery, &porch).expect("planted");
        } else {
            std::fs::hard_link(&nursery, &porch).expect("planted");
        }
        let answer = household.get(&household.gus, &asked);
        assert!(answer.status >= 400, "{plant}: {}", answer.status);
        assert!(!answer.body.windows(4).any(|four| four == b"moof"), "{plant}: footage went out");
    }
}

#[test]
fn etags_and_ranges_tell_nothing_of_what_one_may_not_see() {
    let household = Household::new();
    let Some(film) = film(4, "320x180") else { return };
    let start = household.now.minus(Duration::from_secs(60));
    let length = household.record(NURSERY, &film, start);
    let window = format!("start={}&end={}", start.as_unix_seconds(), start.plus(length).as_unix_seconds());
    let own = household.get(&household.anna, &format!("/api/cameras/nursery/clip.mp4?{window}"));
    let etag = own.header("etag").expect("an ETag, for whom it is").to_owned();
    for (name, value) in [
        ("If-None-Match", etag.as_str()),
        ("If-Match", etag.as_str()),
        ("If-Range", etag.as_str()),
        ("Range", "bytes=0-0"),
        ("Range", "bytes=99999999999-"),
        ("If-Modified-Since", "Thu, 01 Jan 2099 00:00:00 GMT"),
    ] {
        let cookie = cookie(&household.gus);
        let bare = |path: &str| {
            let headers = [("Cookie", cookie.as_str()), (name, value), ("Range", "bytes=0-9")];
            let mut answer = household.ask("GET", path, &headers, b"");
            answer.headers.retain(|(name, _)| name != "date");
            (answer.status, answer.headers, answer.body)
        };
        let foreign = bare(&format!("/api/cameras/nursery/clip.mp4?{window}"));
        assert!(foreign == bare(&format!("/api/cameras/no-such/clip.mp4?{window}")), "{name}: {value}");
        assert_eq!(foreign.0, 404);
        assert!(
            foreign
                .1
                .iter()
                .all(|(name, _)| !["etag", "content-range", "accept-ranges", "last-modified"].contains(&name.as_str()))
        );
    }
}

#[test]
fn no_name_adds_a_header() {
    let name = "Porch\r\nSet-Cookie: hearthwatch=evil\r\n\r\n<script>\u{202e}\"; filename=\"x.exe";
    let household = Household::with_names([name, "Nursery"], SocketAddr::from(([127, 0, 0, 1], 0)));
    if let Some(film) = film(4, "320x180") {
        let start = household.now.minus(Duration::from_secs(60));
        let length = household.record(PORCH, &film, start);
        let window = format!("start={}&end={}", start.as_unix_seconds(), start.plus(length).as_unix_seconds());
        let clip = household.get(&household.anna, &format!("/api/cameras/porch/clip.mp4?{window}"));
        assert_eq!((clip.status, clip.header("set-cookie")), (200, None));
        let said = clip.header("content-disposition").expect("a name");
        assert!(said.matches('"').count() == 2 && !said.contains("evil\r") && said.is_ascii(), "{said}");
    }
    for next in
        ["/%0d%0aSet-Cookie:%20x=y", "//evil.example", "/\\evil.example", "https://evil.example", "/a%20b\r\nX: y"]
    {
        let body = format!("user=anna&password={}&next={next}", PASSWORD.replace(' ', "+"));
        let origin = household.origin();
        let headers = [("Content-Type", "application/x-www-form-urlencoded"), ("Origin", origin.as_str())];
        let answer = household.ask("POST", "/sign-in", &headers, body.as_bytes());
        assert_eq!((answer.status, answer.header("location")), (303, Some("/")), "{next:?}");
        assert_eq!(answer.headers.iter().filter(|(name, _)| name == "set-cookie").count(), 1);
    }
}

#[test]
fn an_oversized_body_is_refused_unread() {
    let household = Household::new();
    let origin = household.origin();
    let json = [("Content-Type", "application/json"), ("Origin", origin.as_str())];
    let big = vec![b'a'; 10 << 20];
    for path in ["/api/login", "/sign-in", "/claim", "/account/password", "/people"] {
        let start = Instant::now();
        let cookie = cookie(&household.anna);
        let headers = [&json[..], &[("Cookie", cookie.as_str())]].concat();
        // Refused while it is still being sent; the connection may be closed under it.
        let mut stream = TcpStream::connect(household.address).expect("connected");
        let mut head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n",
            household.address,
            big.len()
        );
        for (name, value) in headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        stream.write_all((head + "\r\n").as_bytes()).expect("sent");
        let _ = stream.write_all(&big);
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        let answer = household::parse(&bytes);
        assert!(matches!(answer.status, 413 | 400 | 404 | 0), "{path}: {}", answer.status);
        assert!(start.elapsed() < Duration::from_secs(20), "{path}");
    }
    // Chunks without an end.
    let mut stream = TcpStream::connect(household.address).expect("connected");
    let head = format!(
        "POST /api/login HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
        household.address
    );
    stream.write_all(head.as_bytes()).expect("sent");
    let chunk = [b"10000\r\n".as_slice(), &vec![b' '; 0x10000], b"\r\n"].concat();
    let sent = (0..2_000).take_while(|_| stream.write_all(&chunk).is_ok()).count();
    assert!(sent < 2_000, "it took {sent} chunks of 64 KiB");
    // A head without an end.
    let mut stream = TcpStream::connect(household.address).expect("connected");
    let lines = format!("GET / HTTP/1.1\r\nHost: {}\r\n", household.address);
    stream.write_all(lines.as_bytes()).expect("sent");
    let sent = (0..100_000)
        .take_while(|n| stream.write_all(format!("X-{n}: {}\r\n", "a".repeat(100)).as_bytes()).is_ok())
        .count();
    assert!(sent < 100_000, "it took {sent} header lines");
    assert_eq!(household.get(&household.anna, "/api/me").status, 200);
}

#[test]
fn json_that_unfolds_is_refused_quickly() {
    let household = Household::new();
    let cookie = cookie(&household.anna);
    let origin = household.origin();
    let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    let objects = "{\"a\":".repeat(10_000);
    let wide = format!("{{\"user\":\"a\",\"password\":\"b\",\"x\":[{}0]}}", "0,".repeat(30_000));
    let number = format!("{{\"user\":\"a\",\"password\":{}}}", "9".repeat(60_000));
    let escaped = format!("{{\"note\":\"{}\"}}", "\\u0000".repeat(10_000));
    let event = format!("/api/events/{}", event_of(PORCH));
    for bomb in [&deep, &objects, &wide, &number, &escaped] {
        for (method, path) in [("POST", "/api/login"), ("PUT", event.as_str())] {
            let headers =
                [("Content-Type", "application/json"), ("Origin", origin.as_str()), ("Cookie", cookie.as_str())];
            let start = Instant::now();
            let answer = household.ask(method, path, &headers, bomb.as_bytes());
            assert!(matches!(answer.status, 400 | 401 | 413), "{path}: {}", answer.status);
            assert!(start.elapsed() < Duration::from_secs(5), "{path} took {:?}", start.elapsed());
        }
    }
    // Nothing is ever unpacked.
    let headers = [("Content-Type", "application/json"), ("Content-Encoding", "gzip"), ("Origin", origin.as_str())];
    assert_eq!(household.ask("POST", "/api/login", &headers, &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]).status, 400);
}

#[test]
fn two_lengths_smuggle_no_request() {
    let household = Household::new();
    let cookie = cookie(&household.anna);
    let hidden = format!("GET /api/me HTTP/1.1\r\nHost: {}\r\nCookie: {cookie}\r\n\r\n", household.address);
    for framing in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding : chunked\r\n",
    ] {
        let request = format!(
            "POST /api/login HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n{framing}Connection: close\r\n\r\n0\r\n\r\n{hidden}",
            household.address
        );
        let answer = household.send(&request, b"");
        assert!(answer.status >= 400, "{framing}: {}", answer.status);
        assert!(!answer.text().contains("\"user\":\"anna\""), "{framing}");
    }
}

/// A shared cache in front that keeps whatever it may (RFC 9111 § 3), for whoever asks next.
#[derive(Default)]
struct SharedCache(HashMap<(String, Vec<(String, String)>), Answer>);

impl SharedCache {
    fn ask(&mut self, household: &Household, token: &Token, path: &str) -> (Answer, bool) {
        let asked = [("cookie".to_owned(), cookie(token))];
        let hit = self.0.iter().find(|((kept, varied), _)| {
            kept == path && varied.iter().all(|(name, value)| asked.iter().any(|(n, v)| n == name && v == value))
        });
        if let Some((_, answer)) = hit {
            let copy = Answer { status: answer.status, headers: answer.headers.clone(), body: answer.body.clone() };
            return (copy, true);
        }
        let answer = household.get(token, path);
        let control = answer.header("cache-control").unwrap_or_default().to_ascii_lowercase();
        let may_keep = !control.contains("no-store") && !control.contains("private");
        // Without a word a cache may keep by its own guess: so silence counts as a yes here.
        if may_keep {
            let vary = answer.header("vary").unwrap_or_default().to_ascii_lowercase();
            let varied = asked.iter().filter(|(name, _)| vary.split(',').any(|v| v.trim() == name)).cloned().collect();
            let copy = Answer { status: answer.status, headers: answer.headers.clone(), body: answer.body.clone() };
            self.0.insert((path.to_owned(), varied), copy);
        }
        (answer, false)
    }
}

#[test]
fn a_shared_cache_in_front_never_mixes_two_people() {
    let household = Household::new();
    let mut cache = SharedCache::default();
    let paths: Vec<String> = table()
        .iter()
        .filter(|route| route.method == "GET")
        .map(|route| {
            let path = route.path.replace("{id}", PORCH).replace("{event}", &event_of(PORCH).to_string());
            let path =
                path.replace("{a}", "1").replace("{b}", "2").replace("{file}", "index.m3u8").replace("{user}", "1");
            path.replace("{token}", &"A".repeat(43))
                .replace("{link}", &"A".repeat(43))
                .replace("{hash}", "0")
                .replace("{name}", "site.css")
        })
        .collect();
    for path in &paths {
        cache.ask(&household, &household.anna, path);
    }
    for path in &paths {
        for who in [&household.gus, &household.nobody, &Token::from_random([99; 32])] {
            let (answer, from_cache) = cache.ask(&household, who, path);
            assert!(!from_cache || path.starts_with("/static/"), "{path} came from the cache");
            // The machine itself, as which this test calls, may read the metrics of every camera.
            assert!(path == "/metrics" || !answer.text().contains(NURSERY), "{path}");
        }
    }
    // What may be kept is what is the same for everybody.
    assert!(cache.0.keys().all(|(path, _)| path.starts_with("/static/")), "{:?}", cache.0.keys());
    let page = household.get(&household.anna, "/").text();
    let sheet = page.split('"').find(|part| part.ends_with("site.css")).expect("a stylesheet").to_owned();
    cache.ask(&household, &household.anna, &sheet);
    assert!(cache.ask(&household, &household.gus, &sheet).1, "the cache of this test does keep");
}
