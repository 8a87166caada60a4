use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::detect::why::{How, Place};
use crate::index::testing::{self, camera, span};
use crate::index::{garbage, segments};
use crate::record::segment::ClosedSegment;
use crate::units::{ByteLen, SegmentId};

fn id(n: u8) -> EventId {
    EventId::from_random([n, 0, 0, 0, 0, 0, 0, 1])
}

const WHY: Why = Why { how: How::Grew, place: Place([0.5, 0.25, 0.125, 0.5]), speed: 0.75 };

fn event(n: u8, whose: &str, start: i64, end: Option<i64>) -> MotionEvent {
    MotionEvent {
        id: id(n),
        camera: camera(whose),
        start: UtcMicros(start),
        end: end.map(UtcMicros),
        peak: 0.5,
        zones: vec!["path".to_owned(), "\"quoted\"".to_owned()],
        why: Some(WHY),
        thumbnail: None,
        preview: None,
    }
}

fn all_of(cameras: &[&str]) -> EventFilter {
    EventFilter { cameras: cameras.iter().map(|id| camera(id)).collect(), after: None, before: None, limit: 100 }
}

#[test]
fn an_event_grows_and_keeps_what_the_household_made_of_it() {
    let mut conn = testing::database();
    let tx = conn.transaction().unwrap();
    let begun = MotionEvent { thumbnail: Some(Bytes::from_static(b"jpeg")), ..event(1, "porch", 5, None) };
    upsert(&tx, &begun).unwrap();
    assert_eq!(set(&tx, id(1), Some(true), Some("the fox".to_owned())), Ok(true));
    upsert(&tx, &MotionEvent { peak: 0.75, ..event(1, "porch", 5, Some(9)) }).unwrap();
    let row = EventRow {
        id: id(1),
        camera: camera("porch"),
        start: UtcMicros(5),
        end: Some(UtcMicros(9)),
        peak: 0.75,
        zones: begun.zones,
        kept: true,
        note: "the fox".to_owned(),
        has_thumbnail: true,
        has_preview: false,
        why: Some(WHY),
    };
    assert_eq!(by_id(&tx, id(1)), Ok(Some(row.clone())));
    assert_eq!(set(&tx, id(1), None, Some(String::new())), Ok(true));
    assert_eq!(by_id(&tx, id(1)), Ok(Some(EventRow { note: String::new(), ..row })));
    assert_eq!(set(&tx, id(2), Some(true), None), Ok(false));
    assert!(set(&tx, id(1), None, Some("x".repeat(NOTE_CHARS + 1))).is_err());
}

#[test]
fn an_event_never_moves_to_another_camera() {
    let mut conn = testing::database();
    let tx = conn.transaction().unwrap();
    upsert(&tx, &event(1, "nursery", 5, None)).unwrap();
    assert!(upsert(&tx, &event(1, "porch", 5, Some(9))).is_err());
    let row = by_id(&tx, id(1)).unwrap().unwrap();
    assert_eq!((row.camera, row.end), (camera("nursery"), None));
}

#[test]
fn what_no_clock_and_no_sum_should_yield_is_still_an_event() {
    let mut conn = testing::database();
    let tx = conn.transaction().unwrap();
    for (n, peak, kept) in [(1, f32::NAN, 0.0), (2, 7.0, 1.0), (3, -1.0, 0.0)] {
        upsert(&tx, &MotionEvent { peak, ..event(n, "porch", 50, Some(40)) }).unwrap();
        let row = by_id(&tx, id(n)).unwrap().unwrap();
        assert_eq!((row.peak, row.end), (kept, Some(UtcMicros(50))));
    }
}

#[test]
fn only_the_cameras_asked_for_are_listed_newest_first() {
    let mut conn = testing::database();
    let tx = conn.transaction().unwrap();
    let seen = [(1, "porch", 10), (2, "nursery", 20), (3, "porch", 30), (4, "garden", 40), (5, "porch", 30)];
    for (n, whose, start) in seen {
        upsert(&tx, &event(n, whose, start, Some(start + 5))).unwrap();
    }
    let listed = |filter: &EventFilter| list(&tx, filter).unwrap().iter().map(|row| row.id).collect::<Vec<_>>();
    assert_eq!(listed(&all_of(&["porch", "garden"])), [4, 5, 3, 1].map(id));
    assert_eq!(listed(&all_of(&["porch", "porch"])), [5, 3, 1].map(id));
    assert_eq!(listed(&all_of(&[])), []);
    assert_eq!(listed(&EventFilter { limit: 2, ..all_of(&["porch", "nursery"]) }), [5, 3].map(id));
    assert_eq!(listed(&EventFilter { before: Some(UtcMicros(30)), ..all_of(&["porch", "nursery"]) }), [2, 1].map(id));
    assert_eq!(listed(&EventFilter { after: Some(UtcMicros(30)), ..all_of(&["porch", "garden"]) }), [4, 5, 3].map(id));
}

#[test]
fn a_removed_event_leaves_its_thumbnail_as_garbage() {
    let mut conn = testing::database();
    let tx = conn.transaction().unwrap();
    upsert(&tx, &MotionEvent { thumbnail: Some(Bytes::new()), ..event(1, "porch", 5, Some(9)) }).unwrap();
    upsert(&tx, &event(2, "porch", 5, Some(9))).unwrap();
    assert_eq!((remove(&tx, id(1)), remove(&tx, id(2)), remove(&tx, id(2))), (Ok(true), Ok(true), Ok(false)));
    let pending = garbage::pending(&tx, 9).unwrap();
    assert_eq!(pending.len(), 1);
    assert_eq!(
        (&pending[0].camera, &pending[0].what),
        (&camera("porch"), &garbage::Garbage::Pictures { event: id(1) })
    );
    assert_eq!(list(&tx, &all_of(&["porch"])), Ok(vec![]));
}

#[test]
fn an_event_removed_while_it_went_on_does_not_come_back() {
    let mut conn = testing::database();
    let tx = conn.transaction().unwrap();
    assert_eq!(upsert(&tx, &event(1, "porch", 5, None)), Ok(true));
    assert_eq!(remove(&tx, id(1)), Ok(true));
    for _ in 0..2 {
        let late = MotionEvent { thumbnail: Some(Bytes::new()), ..event(1, "porch", 5, Some(9)) };
        assert_eq!(upsert(&tx, &late), Ok(false));
    }
    assert_eq!(by_id(&tx, id(1)), Ok(None));
    let waiting: Vec<_> = garbage::pending(&tx, 9).unwrap().into_iter().map(|row| row.what).collect();
    assert_eq!(waiting, [garbage::Garbage::Pictures { event: id(1) }]);
    assert_eq!(end_open(&tx, UtcMicros(9)), Ok(0));
    assert_eq!(upsert(&tx, &event(1, "porch", 5, None)), Ok(true), "the list does not grow for ever");
}

#[test]
fn what_a_power_cut_left_open_ends_where_its_footage_ended() {
    let mut conn = testing::database();
    let tx = conn.transaction().unwrap();
    for (n, start, end) in [(1, 0, 60), (2, 60, 120)] {
        let footage = ClosedSegment {
            id: SegmentId::from_random([n; 8]),
            camera: camera("porch"),
            span: span(start, end),
            path: format!("footage/porch/{n}.mp4").into(),
            size: ByteLen(1),
            pictures: 1,
            codecs: String::new(),
            width: 1,
            height: 1,
        };
        segments::insert(&tx, &footage).unwrap();
    }
    upsert(&tx, &event(1, "porch", 50, None)).unwrap();
    upsert(&tx, &event(2, "garden", 50, None)).unwrap();
    upsert(&tx, &event(3, "porch", 10, Some(20))).unwrap();
    upsert(&tx, &event(4, "porch", 110, None)).unwrap();
    assert_eq!(end_open(&tx, UtcMicros(9_999)), Ok(3));
    let end = |n| by_id(&tx, id(n)).unwrap().unwrap().end;
    assert_eq!((end(1), end(2), end(3)), (Some(UtcMicros(120)), Some(UtcMicros(50)), Some(UtcMicros(20))));
    assert_eq!(end(4), Some(UtcMicros(120)), "the segment it began in holds it too");
    assert_eq!(end_open(&tx, UtcMicros(9_999)), Ok(0));
}

#[test]
fn no_question_about_events_reads_them_all() {
    let queries = [IS_REMOVED, NOTE_REMOVED, BY_ID, NEWEST, CLOSED_BETWEEN, OPEN_BETWEEN, SET, TO_GARBAGE, REMOVE];
    testing::assert_no_scan(&queries);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_span_finds_exactly_what_overlaps_it(
        events in proptest::collection::vec((0..200i64, proptest::option::of(0..60i64), any::<bool>()), 0..20),
        asked in (0..200i64, 1..80i64),
    ) {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        let asked = span(asked.0, asked.0 + asked.1);
        let mut expected = Vec::new();
        for (n, (start, length, porch)) in (0..).zip(events) {
            let end = length.map(|length| start + length);
            upsert(&tx, &event(n, if porch { "porch" } else { "nursery" }, start, end)).unwrap();
            if porch && start < asked.end().0 && end.is_none_or(|end| end > asked.start().0) {
                expected.push((start, n));
            }
        }
        expected.sort_unstable();
        let found = between(&tx, &camera("porch"), asked).unwrap();
        prop_assert_eq!(found.iter().map(|row| row.id).collect::<Vec<_>>(), expected.into_iter().map(|(_, n)| id(n)).collect::<Vec<_>>());
    }
}
