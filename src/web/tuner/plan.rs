//! Which footage is looked through for which events, and what became of each. Pure.

use std::time::Duration;

use serde::Serialize;

use crate::units::{UtcMicros, UtcSpan};
use crate::web::texts::{many, say, say_with};

/// How far back "last night" reaches.
pub(super) const BACK: Duration = Duration::from_secs(24 * 60 * 60);
/// The newest of them. More thumbnails than these nobody looks at.
pub(super) const MOST_EVENTS: usize = 100;
/// Footage before an event, from which the usual picture is learnt. The model believes nothing that moves in its first six
/// seconds, knows how much each place wavers after twelve, and counts for twenty what rain or leaves bring forth: with all of
/// these behind it, it stands where the one that watched stood.
const LEAD: Duration = Duration::from_secs(20);
/// Footage after an event: what moved is confirmed a second later at most, and the decoder may hold some pictures back.
const TAIL: Duration = Duration::from_secs(3);
/// What is looked at of a long event: what nobody would miss in two minutes, nobody misses.
const LONGEST_EVENT: Duration = Duration::from_secs(120);
/// Events that follow each other closely are looked through in one go, up to this length: what is newest comes first.
const LONGEST_STRETCH: Duration = Duration::from_secs(300);
/// An event was told by when its pictures arrived, the recording by when they were taken: this much is the same moment.
const SLACK: Duration = Duration::from_secs(1);

/// Pictures are on the disk after so long, and can be looked through: what goes on now is not tried.
const ON_DISK: Duration = Duration::from_secs(4);

/// A stretch of footage to be looked through in one go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) span: UtcSpan,
    /// The events in it: their places in the list, oldest first.
    pub(super) events: Vec<usize>,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// The settings that are tried find it.
    Stays,
    /// The saved ones find it again, and those that are tried do not.
    Goes,
    /// Neither finds it again.
    Unsure,
    /// There is no footage of it.
    Missing,
}

/// An event's time; `end`: `None` while it goes on.
pub(super) fn whole(start: UtcMicros, end: Option<UtcMicros>, now: UtcMicros) -> UtcSpan {
    UtcSpan::new(start, end.unwrap_or(now)).unwrap_or(UtcSpan::starting_at(start, Duration::ZERO))
}

/// What of an event is looked at.
pub(super) fn judged(event: UtcSpan) -> UtcSpan {
    UtcSpan::starting_at(event.start(), event.length().min(LONGEST_EVENT))
}

/// Whether all that is looked at of it can be read by now.
pub(super) fn is_recorded(event: UtcSpan, now: UtcMicros) -> bool {
    judged(event).end().plus(ON_DISK) <= now
}

/// The footage that is needed for these events, the newest stretch first. What stands close together is one stretch, so that
/// nothing is decoded twice.
pub(super) fn stretches(events: &[UtcSpan]) -> Vec<Stretch> {
    let mut order: Vec<usize> = (0..events.len()).collect();
    order.sort_by_key(|event| events[*event].start());
    let mut stretches: Vec<Stretch> = Vec::new();
    for event in order {
        let (start, end) = (events[event].start().minus(LEAD), events[event].end().plus(TAIL));
        let Some(span) = UtcSpan::new(start, end) else { continue };
        if let Some(last) = stretches.last_mut()
            && start <= last.span.end()
            && let Some(both) = UtcSpan::new(last.span.start(), end.max(last.span.end()))
            && both.length() <= LONGEST_STRETCH
        {
            last.span = both;
            last.events.push(event);
        } else {
            stretches.push(Stretch { span, events: vec![event] });
        }
    }
    stretches.reverse();
    stretches
}

/// Whether a picture of that moment is one of the event.
pub(super) fn shows(event: UtcSpan, at: UtcMicros) -> bool {
    event.start().minus(SLACK) <= at && at <= event.end().plus(SLACK)
}

/// What becomes of an event of which there is footage.
pub(super) fn verdict(event: UtcSpan, by_saved: &[UtcSpan], by_tried: &[UtcSpan]) -> Verdict {
    let found = |spans: &[UtcSpan]| spans.iter().any(|span| touch(event, *span));
    if found(by_tried) {
        Verdict::Stays
    } else if found(by_saved) {
        Verdict::Goes
    } else {
        Verdict::Unsure
    }
}

/// What only the settings that are tried would find: neither an event, nor found by the saved ones.
pub(super) fn fresh(by_saved: &[UtcSpan], by_tried: &[UtcSpan], events: &[UtcSpan]) -> Vec<UtcSpan> {
    let known = |span: &UtcSpan| by_saved.iter().chain(events).any(|other| touch(*span, *other));
    by_tried.iter().copied().filter(|span| !known(span)).collect()
}

fn touch(one: UtcSpan, other: UtcSpan) -> bool {
    one.start() <= other.end().plus(SLACK) && other.start() <= one.end().plus(SLACK)
}

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tally {
    /// Events that are tried.
    pub(super) all: usize,
    pub(super) stay: usize,
    pub(super) go: usize,
    pub(super) unsure: usize,
    pub(super) missing: usize,
    /// Older events that are not tried, as there are too many.
    pub(super) too_many: usize,
}

/// After so long it ends with what it has: nobody waits longer.
pub(super) const PATIENCE: Duration = Duration::from_secs(600);

impl Tally {
    pub(super) fn count(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Stays => self.stay += 1,
            Verdict::Goes => self.go += 1,
            Verdict::Unsure => self.unsure += 1,
            Verdict::Missing => self.missing += 1,
        }
    }

    fn judged(&self) -> usize {
        self.stay + self.go + self.unsure
    }

    /// Events that were not come to yet.
    fn left(&self) -> usize {
        self.all.saturating_sub(self.judged() + self.missing)
    }

    /// While it goes on.
    pub(super) fn so_far(&self) -> String {
        match (self.judged(), self.left()) {
            (0, left) => say_with("Looking through the footage of {events}…", &[("events", &events(left))]),
            (judged, 0) => self.keeps(judged),
            (judged, left) => say_with(
                "Keeps {kept} of {events} so far, {left} to go.",
                &[("kept", &self.stay), ("events", &events(judged)), ("left", &left)],
            ),
        }
    }

    /// At the end, in one sentence.
    pub(super) fn result(&self) -> String {
        match self.judged() {
            0 if self.all == 0 => say("There is no event of the last 24 hours to try this on.").to_owned(),
            0 => say("There is no footage to try this on.").to_owned(),
            judged if judged == self.stay && judged > 1 => {
                say_with("Keeps all {events}.", &[("events", &events(judged))])
            }
            judged => self.keeps(judged),
        }
    }

    fn keeps(&self, judged: usize) -> String {
        say_with("Keeps {kept} of {events}.", &[("kept", &self.stay), ("events", &events(judged))])
    }

    /// What else is to be known then, a sentence each.
    pub(super) fn besides(&self) -> Vec<String> {
        let mut said = Vec::new();
        if self.missing > 0 {
            said.push(say_with(
                "Of {events} no footage can be looked through.",
                &[("events", &more(self.missing, self.judged()))],
            ));
        }
        if self.left() > 0 {
            let minutes = PATIENCE.as_secs() / 60;
            said.push(say_with(
                "It stopped after {minutes} minutes; {left} older ones were not looked at.",
                &[("minutes", &minutes), ("left", &self.left())],
            ));
        }
        if self.too_many > 0 {
            said.push(say_with(
                "Only the newest {tried} were tried; there were {more} more.",
                &[("tried", &MOST_EVENTS), ("more", &self.too_many)],
            ));
        }
        said
    }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn events(count: usize) -> String {
    many(number(count), "{count} event", "{count} events")
}

fn more(count: usize, besides: usize) -> String {
    if besides == 0 { events(count) } else { many(number(count), "{count} more", "{count} more") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn span(start: i64, end: i64) -> UtcSpan {
        UtcSpan::new(UtcMicros(start * 1_000_000), UtcMicros(end * 1_000_000)).expect("ordered")
    }

    #[test]
    fn events_that_follow_each_other_closely_share_a_stretch() {
        let events = [span(1_000, 1_010), span(1_040, 1_050), span(1_032, 1_033), span(2_000, 2_001)];
        let found = stretches(&events);
        let newest = Stretch { span: span(1_980, 2_004), events: vec![3] };
        assert_eq!(found, [newest, Stretch { span: span(980, 1_053), events: vec![0, 2, 1] }]);
        assert!(stretches(&[]).is_empty());
    }

    #[test]
    fn of_a_long_event_and_of_one_that_goes_on_a_part_is_looked_at() {
        let at = |seconds: i64| UtcMicros(seconds * 1_000_000);
        assert_eq!(judged(span(100, 107)), span(100, 107));
        assert_eq!(judged(span(100, 800)), span(100, 220));
        assert_eq!(whole(at(100), Some(at(107)), at(900)), span(100, 107));
        assert_eq!(whole(at(100), None, at(110)), span(100, 110));
        assert!(!is_recorded(span(100, 107), at(110)) && is_recorded(span(100, 107), at(111)));
        assert!(is_recorded(span(100, 300), at(300)), "enough of it");
        assert_eq!(whole(at(100), None, at(50)), span(100, 100), "the clock was set back");
    }

    #[test]
    fn an_event_is_kept_if_anything_that_is_found_overlaps_it() {
        let event = span(100, 110);
        assert_eq!(verdict(event, &[], &[span(50, 60), span(109, 200)]), Verdict::Stays);
        assert_eq!(verdict(event, &[span(100, 110)], &[span(50, 60), span(120, 130)]), Verdict::Goes);
        assert_eq!(verdict(event, &[span(50, 60)], &[]), Verdict::Unsure);
        assert_eq!(verdict(span(100, 100), &[], &[span(99, 99)]), Verdict::Stays, "the two clocks differ a little");
    }

    #[test]
    fn new_is_what_was_no_event_and_is_found_by_the_tried_settings_alone() {
        let (saved, events) = ([span(10, 20)], [span(40, 50)]);
        let tried = [span(12, 15), span(25, 30), span(49, 60)];
        assert_eq!(fresh(&saved, &tried, &events), [span(25, 30)]);
    }

    #[test]
    fn it_is_said_in_plain_words() {
        let mut tally = Tally { all: 61, ..Tally::default() };
        assert_eq!(tally.so_far(), "Looking through the footage of 61 events…");
        (tally.stay, tally.go) = (14, 9);
        assert_eq!(tally.so_far(), "Keeps 14 of 23 events so far, 38 to go.");
        tally.go = 47;
        assert_eq!(
            (tally.so_far(), tally.result()),
            ("Keeps 14 of 61 events.".into(), "Keeps 14 of 61 events.".into())
        );
        assert!(tally.besides().is_empty());
        let all = Tally { all: 5, stay: 4, missing: 1, ..Tally::default() };
        assert_eq!(all.result(), "Keeps all 4 events.");
        assert_eq!(all.besides(), ["Of 1 more no footage can be looked through."]);
        assert_eq!(Tally { all: 1, go: 1, ..Tally::default() }.result(), "Keeps 0 of 1 event.");
        assert!(Tally::default().result().starts_with("There is no event"));
        let stopped = Tally { all: 100, stay: 30, too_many: 7, ..Tally::default() };
        assert_eq!(
            stopped.besides(),
            [
                "It stopped after 10 minutes; 70 older ones were not looked at.",
                "Only the newest 100 were tried; there were 7 more."
            ]
        );
    }

    proptest! {
        #[test]
        fn each_event_is_in_one_stretch_that_holds_all_of_it(
            found in prop::collection::vec((0_i64..2_000_000_000, 0_i64..120_000_000), 0..40)
        ) {
            let events: Vec<_> =
                found.iter().map(|(start, length)| UtcSpan::new(UtcMicros(*start), UtcMicros(start + length)).expect("ordered")).collect();
            let stretches = stretches(&events);
            let mut seen: Vec<_> = stretches.iter().flat_map(|stretch| stretch.events.clone()).collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..events.len()).collect::<Vec<_>>());
            for stretch in &stretches {
                prop_assert!(stretch.span.length() <= LONGEST_STRETCH);
                for event in &stretch.events {
                    prop_assert!(stretch.span.start() <= events[*event].start().minus(LEAD));
                    prop_assert!(stretch.span.end() >= events[*event].end().plus(TAIL));
                }
            }
            prop_assert!(stretches.windows(2).all(|pair| pair[0].span.start() >= pair[1].span.start()));
        }
    }
}
