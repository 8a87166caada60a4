//! Who each camera is.

use std::collections::BTreeMap;
use std::net::IpAddr;

use rusqlite::{Connection, Row, Transaction};

use crate::camera::identity::{Asks, Evidence, Pin};
use crate::index::cameras;
use crate::units::CameraId;

const ALL: &str = "SELECT camera, since_us, address, mac, onvif_id, serial, mdns_name, mdns_id, asks, realm, streams
    FROM pins ORDER BY camera";
const SET: &str = "INSERT INTO pins
    (camera, since_us, address, mac, onvif_id, serial, mdns_name, mdns_id, asks, realm, streams)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
    ON CONFLICT (camera) DO UPDATE SET since_us = excluded.since_us, address = excluded.address, mac = excluded.mac,
        onvif_id = excluded.onvif_id, serial = excluded.serial, mdns_name = excluded.mdns_name,
        mdns_id = excluded.mdns_id, asks = excluded.asks, realm = excluded.realm, streams = excluded.streams";

fn wrong<E: std::error::Error + Send + Sync + 'static>(column: usize) -> impl FnOnce(E) -> rusqlite::Error {
    move |error| rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<(CameraId, Pin)> {
    let text = |column| row.get::<_, Option<String>>(column);
    let address: IpAddr = row.get::<_, String>(2)?.parse().map_err(wrong(2))?;
    let mac = text(3)?.map(TryInto::try_into).transpose();
    let mac = mac.map_err(|why: &str| wrong(3)(std::io::Error::other(why)))?;
    let asks = match (text(8)?.as_deref(), text(9)?) {
        (Some("nothing"), _) => Some(Asks::Nothing),
        (Some("basic"), _) => Some(Asks::Basic),
        (Some(_), Some(realm)) => Some(Asks::Digest(realm)),
        _ => None,
    };
    let streams = serde_json::from_str(&row.get::<_, String>(10)?).map_err(wrong(10))?;
    let evidence = Evidence { mac, uuid: text(4)?, serial: text(5)?, instance: text(6)?, txt: text(7)?, asks, streams };
    Ok((row.get(0)?, Pin { evidence, address, since: row.get(1)? }))
}

/// Every pin, by camera: read once at the start.
pub fn all(conn: &Connection) -> rusqlite::Result<BTreeMap<CameraId, Pin>> {
    conn.prepare_cached(ALL)?.query_map([], from_row)?.collect()
}

/// Writes a camera's pin down, in place of the one before.
pub fn set(tx: &Transaction<'_>, camera: &CameraId, pin: &Pin) -> rusqlite::Result<()> {
    cameras::make(tx, camera)?;
    let Evidence { mac, uuid, serial, instance, txt, asks, streams } = &pin.evidence;
    let (asks, realm) = match asks {
        None => (None, None),
        Some(Asks::Nothing) => (Some("nothing"), None),
        Some(Asks::Basic) => (Some("basic"), None),
        Some(Asks::Digest(realm)) => (Some("digest"), Some(realm)),
    };
    let streams =
        serde_json::to_string(streams).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let row = (
        camera,
        pin.since,
        pin.address.to_string(),
        mac.map(|mac| mac.to_string()),
        uuid,
        serial,
        instance,
        txt,
        asks,
        realm,
        streams,
    );
    tx.prepare_cached(SET)?.execute(row).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::identity::{Mac, StreamShape};
    use crate::index::testing::{self, camera};
    use crate::units::UtcMicros;

    #[test]
    fn a_pin_is_read_as_it_was_written_and_the_newer_one_counts() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        let shape = StreamShape { sdp: "\"Porch\" 00".to_owned(), sets: String::new() };
        let whole = Pin {
            evidence: Evidence {
                mac: Mac::new([2, 0, 0, 0, 0, 1]),
                uuid: Some("u".to_owned()),
                serial: Some("s".to_owned()),
                instance: Some("i".to_owned()),
                txt: Some("id=1".to_owned()),
                asks: Some(Asks::Digest("r".to_owned())),
                streams: [("/main".to_owned(), shape)].into(),
            },
            address: [192, 168, 1, 20].into(),
            since: UtcMicros(7),
        };
        let bare = Pin { evidence: Evidence::default(), address: [0xfd; 16].into(), since: UtcMicros(8) };
        for asks in [Some(Asks::Nothing), Some(Asks::Basic), None] {
            let pin = Pin { evidence: Evidence { asks, ..Evidence::default() }, ..bare.clone() };
            set(&tx, &camera("garden"), &pin).unwrap();
            assert_eq!(all(&tx).unwrap().get(&camera("garden")), Some(&pin));
        }
        set(&tx, &camera("porch"), &bare).unwrap();
        set(&tx, &camera("porch"), &whole).unwrap();
        assert_eq!(all(&tx).unwrap().get(&camera("porch")), Some(&whole));
        assert_eq!(all(&tx).unwrap().len(), 2);
    }
}
