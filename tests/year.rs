//! A year of eight cameras in the index: how long the pages that look into it take at the server.
//!
//! `HEARTHWATCH_SLOW=1` makes it a year; else it is two weeks, to see that it works. The figures are printed; what is asserted is
//! generous, since tests run on machines that do other things too.

#![expect(clippy::disallowed_methods, reason = "a test measures real time")]

mod household;

use std::time::{Duration, Instant};

use hearthwatch::index::rights;
use hearthwatch::units::UtcMicros;
use household::{Household, camera};

const DAY: i64 = 86_400_000_000;
const CAMERAS: usize = 8;

/// What is asked for, by the number of the round.
type Kind<'a> = (&'static str, Box<dyn Fn(i64) -> String + 'a>);

fn id(n: usize) -> String {
    format!("camera-{n}")
}

/// A minute of footage after the other, fifty events a day, some missing time each night.
fn fill(household: &Household, days: i64, first: UtcMicros) {
    for n in 1..=CAMERAS {
        household.writer.write_blocking(move |tx| rights::adopt(tx, &camera(&id(n)))).expect("written");
        for month in 0..=(days - 1).div_euclid(30) {
            let (from, to) = (month * 30, days.min(month * 30 + 30));
            let written = household.writer.write_blocking(move |tx| {
                let span = (id(n), first.0 + from * DAY, (to - from) * 1440);
                tx.execute(
                    "WITH RECURSIVE minutes (m) AS (SELECT 0 UNION ALL SELECT m + 1 FROM minutes WHERE m + 1 < ?3)
                     INSERT INTO segments (id, camera, start_us, end_us, path, size_bytes, pictures, codecs, width, height)
                     SELECT randomblob(8), ?1, ?2 + m * 60000000, ?2 + m * 60000000 + 60000000,
                         'footage/' || ?1 || '/' || (?2 / 60000000 + m) || '.mp4', 15000000, 900, 'avc1.4d401f', 1920, 1080
                     FROM minutes WHERE m % 1440 <> 200",
                    (&span.0, span.1, span.2),
                )?;
                tx.execute(
                    "WITH RECURSIVE seen (m) AS (SELECT 0 UNION ALL SELECT m + 1 FROM seen WHERE m + 1 < ?3)
                     INSERT INTO events (id, camera, start_us, end_us, peak, zones, kept, has_thumbnail)
                     SELECT randomblob(8), ?1, ?2 + m * 1728000000, ?2 + m * 1728000000 + 5000000 + m % 60 * 1000000, 0.1,
                         CASE m % 3 WHEN 0 THEN '[\"path\"]' ELSE '[]' END, m % 500 = 0, 1 FROM seen",
                    (&span.0, span.1, (to - from) * 50),
                )?;
                tx.execute(
                    "WITH RECURSIVE nights (m) AS (SELECT 0 UNION ALL SELECT m + 1 FROM nights WHERE m + 1 < ?3)
                     INSERT INTO gaps (camera, start_us, end_us, cause)
                     SELECT ?1, ?2 + m * 86400000000 + 12000000000, ?2 + m * 86400000000 + 12060000000, 'restart' FROM nights",
                    (&span.0, span.1, to - from),
                )
            });
            written.expect("written");
        }
    }
}

#[test]
fn a_year_of_eight_cameras_is_looked_through_at_once() {
    let is_slow = std::env::var_os("HEARTHWATCH_SLOW").is_some();
    // Requests of each kind: of a hundred, the one in a hundred would be whichever was disturbed most.
    let (days, rounds): (i64, i64) = if is_slow { (365, 1_000) } else { (14, 100) };
    let household = Household::new();
    let first = UtcMicros(household.now.0 - days * DAY);
    let began = Instant::now();
    fill(&household, days, first);
    let scrubbed = UtcMicros(first.0 - 2 * DAY);
    household.day_of_previews(&id(1), scrubbed);
    println!("{days} days of {CAMERAS} cameras, written in {:.0} s", began.elapsed().as_secs_f64());

    let day = |round: i64| {
        let moment = UtcMicros(first.0 + (round * 37 % days) * DAY + DAY / 2);
        moment.to_string().chars().take(10).collect::<String>()
    };
    let whose = |round: i64| id(usize::try_from(round).expect("small") % CAMERAS + 1);
    let before = |round: i64| UtcMicros(first.0 + (round * 31 % days + 1) * DAY).as_unix_seconds();
    let small = |after: i64, length: i64, most: u32| {
        let (after, before) = (UtcMicros(scrubbed.0 + after), UtcMicros(scrubbed.0 + after + length));
        format!(
            "/api/cameras/{}/previews?after={}&before={}&most={most}",
            id(1),
            after.as_unix_seconds(),
            before.as_unix_seconds()
        )
    };
    let kinds: [Kind<'_>; 11] = [
        ("the small pictures of a day", Box::new(|_| small(0, DAY, 144))),
        ("the small pictures of an hour", Box::new(|round| small(round % 24 * DAY / 24, DAY / 24, 400))),
        ("a camera's day", Box::new(|round| format!("/cameras/{}?day={}", whose(round), day(round)))),
        ("the timeline of all", Box::new(|round| format!("/timeline?day={}", day(round)))),
        (
            "a day's recordings",
            Box::new(|round| {
                let end = before(round);
                format!("/api/cameras/{}/recordings?after={}&before={end}", whose(round), end - 86_400.0)
            }),
        ),
        ("newest events", Box::new(|_| "/events".into())),
        ("older events", Box::new(|round| format!("/events?before={}", before(round)))),
        ("events of a zone", Box::new(|round| format!("/events?zone=path&before={}", before(round)))),
        ("events that there are none of", Box::new(|round| format!("/events?longer=9999&before={}", before(round)))),
        ("kept events", Box::new(|_| "/events?show=kept".into())),
        ("live", Box::new(|_| "/".into())),
    ];
    for (name, path) in kinds {
        let mut times: Vec<Duration> = (0..rounds)
            .map(|round| {
                let began = Instant::now();
                let answer = household.get(&household.anna, &path(round));
                assert_eq!(answer.status, 200, "{}", path(round));
                began.elapsed()
            })
            .collect();
        times.sort();
        let at = |part: usize| times[(times.len() * part / 100).min(times.len() - 1)].as_secs_f64() * 1000.0;
        println!("{name}: median {:.1} ms, p99 {:.1} ms", at(50), at(99));
        assert!(at(99) < 2_000.0, "{name} takes too long");
    }
}
