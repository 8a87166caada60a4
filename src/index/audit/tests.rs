use proptest::prelude::*;

use super::*;
use crate::index::testing::{self, camera, span};

fn entry(n: i64, whose: Option<&str>) -> Entry {
    Entry {
        at: UtcMicros(n * 10),
        user: Some(UserId(n % 3)),
        user_name: format!("user {n}"),
        action: "clip".to_owned(),
        camera: whose.map(camera),
        span: (n % 2 == 0).then(|| span(n, n + 60)),
        address: Some(if n % 2 == 0 { "192.168.1.7".parse().unwrap() } else { "fd00::7".parse().unwrap() }),
        detail: String::new(),
    }
}

fn filled(rows: i64) -> Connection {
    let mut conn = testing::database();
    let tx = conn.transaction().unwrap();
    for n in 1..=rows {
        let whose = [None, Some("porch"), Some("nursery")][usize::try_from(n % 3).unwrap()];
        assert_eq!(append(&tx, &entry(n, whose)), Ok(n.unsigned_abs()));
    }
    tx.commit().unwrap();
    conn
}

/// What somebody with the file in hand would do first.
fn without_triggers(conn: &Connection) {
    conn.execute_batch("DROP TRIGGER audit_is_not_changed; DROP TRIGGER audit_is_not_removed").unwrap();
}

#[test]
fn an_entry_comes_back_as_it_went_in() {
    let conn = filled(3);
    let all = AuditFilter { cameras: None, after: None, before: None, limit: 10 };
    let rows = list(&conn, &all).unwrap();
    let expected = [(3_u64, None), (2, Some("nursery")), (1, Some("porch"))];
    assert_eq!(rows.len(), 3);
    for (row, (n, whose)) in rows.iter().zip(expected) {
        assert_eq!((row.seq, &row.entry), (n, &entry(n.cast_signed(), whose)));
    }
    assert_eq!(verify(&conn), Ok(Verdict::Intact(Head { seq: 3, hash: rows[0].hash })));
    assert_eq!(verify(&testing::database()), Ok(Verdict::Intact(Head { seq: 0, hash: [0; 32] })));
}

#[test]
fn a_member_reads_only_what_concerns_the_cameras_given() {
    let conn = filled(9);
    let seqs = |filter: AuditFilter| list(&conn, &filter).unwrap().iter().map(|row| row.seq).collect::<Vec<_>>();
    let of = |cameras: &[&str]| AuditFilter {
        cameras: Some(cameras.iter().map(|id| camera(id)).collect()),
        after: None,
        before: None,
        limit: 10,
    };
    assert_eq!(seqs(of(&["porch"])), [7, 4, 1]);
    assert_eq!(seqs(of(&["porch", "nursery", "porch"])), [8, 7, 5, 4, 2, 1]);
    assert_eq!(seqs(of(&[])), [0; 0]);
    let page =
        AuditFilter { after: Some(UtcMicros(20)), before: Some(UtcMicros(70)), limit: 2, ..of(&["porch", "nursery"]) };
    assert_eq!(seqs(page), [5, 4]);
}

#[test]
fn the_log_is_only_appended_to() {
    let conn = filled(3);
    for sql in ["UPDATE audit SET detail = 'x' WHERE seq = 2", "DELETE FROM audit WHERE seq = 3"] {
        assert!(conn.execute_batch(sql).is_err(), "{sql}");
    }
    assert_eq!(verify(&conn).map(|verdict| matches!(verdict, Verdict::Intact(_))), Ok(true));
}

#[test]
fn every_column_is_covered_by_the_hash() {
    let changes = [
        "at_us = at_us + 1",
        "user = 77",
        "user = NULL",
        "user_name = user_name || ' '",
        "action = 'live'",
        "camera = 'garden'",
        "camera = NULL",
        "span_start_us = span_start_us - 1",
        "span_end_us = span_end_us + 1",
        "span_start_us = NULL, span_end_us = NULL",
        "address = '192.168.1.8'",
        "address = NULL",
        "address = 'nonsense'",
        "detail = 'x'",
        "user_name = 'user', detail = ' 4'",
        "hash = zeroblob (32)",
    ];
    for change in changes {
        let conn = filled(6);
        without_triggers(&conn);
        // Row 4 has a camera and a span.
        conn.execute_batch(&format!("UPDATE audit SET {change} WHERE seq = 4")).unwrap();
        assert_eq!(verify(&conn), Ok(Verdict::Changed { seq: 4 }), "{change}");
    }
}

#[test]
fn a_row_that_was_removed_or_put_in_or_moved_is_found() {
    let cases = [
        ("DELETE FROM audit WHERE seq = 1", Verdict::Missing { seq: 1 }),
        ("DELETE FROM audit WHERE seq = 3", Verdict::Missing { seq: 3 }),
        ("DELETE FROM audit WHERE seq = 6", Verdict::Missing { seq: 6 }),
        ("DELETE FROM audit", Verdict::Missing { seq: 1 }),
        ("DELETE FROM audit WHERE seq = 3; UPDATE audit SET seq = seq - 1 WHERE seq > 3", Verdict::Changed { seq: 3 }),
        (
            "UPDATE audit SET seq = 99 WHERE seq = 2; UPDATE audit SET seq = 2 WHERE seq = 3;
             UPDATE audit SET seq = 3 WHERE seq = 99",
            Verdict::Changed { seq: 2 },
        ),
        (
            "INSERT INTO audit SELECT 7, at_us, user, user_name, action, camera, span_start_us, span_end_us, address,
             detail, hash FROM audit WHERE seq = 6",
            Verdict::Changed { seq: 7 },
        ),
        ("UPDATE audit_head SET seq = 5", Verdict::WrongEnd { seq: 6 }),
        ("UPDATE audit_head SET hash = zeroblob (32)", Verdict::WrongEnd { seq: 6 }),
    ];
    for (tampering, verdict) in cases {
        let conn = filled(6);
        without_triggers(&conn);
        conn.execute_batch(tampering).unwrap();
        assert_eq!(verify(&conn), Ok(verdict), "{tampering}");
    }
}

#[test]
fn the_spelling_of_a_row_never_changes() {
    // Computed once by another program; a change here breaks every household's chain.
    let hash = entry(4, Some("porch")).hash(&[0; 32], 1);
    let hex = hash.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    assert_eq!(hex, SPELLING);
}

const SPELLING: &str = "d0d1c4cfaa660fea66cfe696a846135765bace755f3902e62952466672559c47";

#[test]
fn no_question_about_the_log_reads_it_all() {
    testing::assert_no_scan(&[HEAD, SET_HEAD, NEWEST, NEWEST_OF_CAMERA]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_two_entries_share_a_hash(
        a in (".{0,4}", ".{1,4}", ".{0,4}", proptest::option::of(0..3i64)),
        b in (".{0,4}", ".{1,4}", ".{0,4}", proptest::option::of(0..3i64)),
    ) {
        let make = |(user_name, action, detail, user): (String, String, String, Option<i64>)| Entry {
            user_name, action, detail, user: user.map(UserId), ..entry(1, None)
        };
        let (a, b) = (make(a), make(b));
        prop_assert_eq!(a == b, a.hash(&[0; 32], 1) == b.hash(&[0; 32], 1));
    }
}
