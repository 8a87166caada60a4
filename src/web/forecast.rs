//! For how long footage can stay on the disk, at the rate of the last day. The arithmetic is pure.

use std::fmt::Display;
use std::time::Duration;

use serde_json::{Value, json};

use crate::disk::Space;
use crate::index::{cameras, segments};
use crate::units::{ByteLen, UtcMicros};
use crate::web::site::Site;
use crate::web::texts::{say, say_with};
use crate::web::words;

/// What was recorded within that time tells the rate.
const WINDOW: Duration = Duration::from_secs(24 * 3600);
/// Less than this tells nothing of a rate.
const LEAST: Duration = Duration::from_secs(10 * 60);

/// What the disk holds and gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Filling {
    /// The disk.
    space: Space,
    /// What is to stay free of it.
    keep_free: ByteLen,
    /// What our own footage takes: its room is given again to what comes.
    footage: ByteLen,
    /// What was filed of late …
    filed: ByteLen,
    /// … within that time.
    within: Duration,
}

impl Filling {
    /// For how long footage can stay, whatever the rules about days say; `None` before the rate is known.
    pub(crate) fn room_for(&self) -> Option<Duration> {
        if self.within < LEAST || self.filed == ByteLen(0) {
            return None;
        }
        let free = self.space.free.0.saturating_sub(self.keep_free.0);
        let short = self.keep_free.0.saturating_sub(self.space.free.0);
        let room = free.saturating_add(self.footage.0).saturating_sub(short);
        let seconds = u128::from(room) * u128::from(self.within.as_secs()) / u128::from(self.filed.0);
        Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(u64::MAX)))
    }
}

/// Looks at the disk and the index; `None` if one of them does not answer.
pub(crate) async fn filling(site: &Site) -> Option<Filling> {
    let (footage, now) = (site.parts.footage.clone(), site.parts.clock.now());
    let space = tokio::task::spawn_blocking(move || footage.space()).await.ok()?.ok()?;
    let of_all = site.parts.readers.read(move |conn| {
        let (mut size, mut filed, mut since) = (0_u64, 0_u64, now);
        for camera in cameras::list(conn)? {
            size = size.saturating_add(segments::totals(conn, &camera.id)?.size.0);
            let (first, some) = segments::filed_since(conn, &camera.id, now.minus(WINDOW))?;
            filed = filed.saturating_add(some.0);
            since = first.map_or(since, |first: UtcMicros| first.min(since));
        }
        Ok((ByteLen(size), ByteLen(filed), now.since(since)))
    });
    let (footage, filed, within) = of_all.await.ok()?;
    let keep_free = site.parts.settings.borrow().storage.keep_free.of(space.total);
    Some(Filling { space, keep_free, footage, filed, within })
}

/// For the API: `days` is null before the rate is known; `limited_by` says what ends footage first.
pub(crate) fn as_json(filling: Option<Filling>, continuous: Duration) -> Value {
    let room = filling.and_then(|filling| filling.room_for());
    let days = room.map(|room| (room.as_secs_f64() / 8640.0).round() / 10.0);
    let limited_by = room.map(|room| if room < continuous { "space" } else { "days" });
    json!({ "days": days, "limited_by": limited_by })
}

/// How full the disk is and what that means, in words.
pub(crate) fn in_words(filling: Option<Filling>, continuous: Duration) -> String {
    let Some(filling) = filling else { return say("The recorder's disk does not answer.").into() };
    let Space { total, free } = filling.space;
    let full = say_with("{free} of {total} are free on the recorder's disk.", &[("free", &free), ("total", &total)]);
    match filling.room_for() {
        None => full,
        Some(room) => {
            let (length, wanted) = (words::length(room), words::length(continuous));
            let places: [(&str, &dyn Display); 2] = [("length", &length), ("wanted", &wanted)];
            let rate = if room < continuous {
                say_with(
                    "At this rate there is room for about {length}, less than the {wanted} that were asked for.",
                    &places,
                )
            } else {
                say_with(
                    "At this rate there is room for about {length}; what shows no motion goes after {wanted}.",
                    &places,
                )
            };
            format!("{full} {rate}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn filling(free: u64, footage: u64, filed: u64, within: Duration) -> Filling {
        let space = Space { total: ByteLen(1000 << 30), free: ByteLen(free << 30) };
        let keep_free = ByteLen(100 << 30);
        Filling { space, keep_free, footage: ByteLen(footage << 30), filed: ByteLen(filed << 30), within }
    }

    #[test]
    fn room_is_what_is_free_above_the_mark_and_what_footage_gives_back() {
        assert_eq!(filling(300, 40, 20, DAY).room_for(), Some(DAY * 12));
        assert_eq!(filling(100, 240, 10, DAY / 2).room_for(), Some(DAY * 12), "a full disk has its footage's room");
        assert_eq!(filling(60, 100, 10, DAY).room_for(), Some(DAY * 6), "below the mark some of it must go");
        assert_eq!(filling(0, 10, 10, DAY).room_for(), Some(Duration::ZERO));
        assert_eq!(filling(300, 1, 1, Duration::from_secs(60)).room_for(), None, "a minute is no rate");
        assert_eq!(filling(300, 1, 0, DAY).room_for(), None);
    }

    #[test]
    fn the_household_hears_what_it_means() {
        let words = in_words(Some(filling(300, 40, 20, DAY)), DAY * 7);
        assert!(words.contains("room for about 12 days;"), "{words}");
        let words = in_words(Some(filling(300, 40, 20, DAY)), DAY * 30);
        assert!(words.contains("about 12 days, less than the 30 days"), "{words}");
        assert_eq!(as_json(Some(filling(300, 40, 20, DAY)), DAY * 30), json!({"days": 12.0, "limited_by": "space"}));
        assert_eq!(as_json(None, DAY), json!({"days": null, "limited_by": null}));
    }
}
