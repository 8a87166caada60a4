//! Counters for Prometheus, in its text format 0.0.4.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::index::segments;
use crate::record::segment::GapCause;
use crate::units::{CameraId, UtcMicros};
use crate::web::board::OnBoard;
use crate::web::site::Site;
use crate::web::words;

/// Answered requests by route and status. Routes are rows of the table, so there are few.
#[derive(Default)]
pub(crate) struct Requests(Mutex<BTreeMap<(String, u16), u64>>);

impl Requests {
    /// One more.
    pub(crate) fn count(&self, route: &str, status: StatusCode) {
        let mut requests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry((route.to_owned(), status.as_u16())).or_default() += 1;
    }

    fn all(&self) -> Vec<((String, u16), u64)> {
        let requests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        requests.iter().map(|(key, count)| (key.clone(), *count)).collect()
    }
}

/// One metric family being written. Camera ids and routes need no escaping: they are `a-z 0-9 - / {}` only.
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str, samples: impl IntoIterator<Item = (String, f64)>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "# HELP hearthwatch_{name} {help}\n# TYPE hearthwatch_{name} {kind}");
        for (labels, value) in samples {
            let _ = writeln!(self.0, "hearthwatch_{name}{labels} {value}");
        }
    }
}

fn of(camera: &CameraId) -> String {
    format!("{{camera=\"{camera}\"}}")
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus knows floating point only")]
fn number(count: u64) -> f64 {
    count as f64
}

/// `GET /metrics`.
pub(crate) async fn metrics(State(site): State<Arc<Site>>) -> Response {
    let cameras = site.parts.board.all();
    let now = site.parts.clock.now();
    let mut text = Text(String::new());
    let each = |value: &dyn Fn(&OnBoard) -> Option<f64>| -> Vec<(String, f64)> {
        cameras.iter().filter_map(|(camera, entry)| Some((of(camera), value(entry)?))).collect()
    };
    let counted = |value: &dyn Fn(&OnBoard) -> u64| each(&|entry| Some(number(value(entry))));
    let load = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);

    text.family(
        "recorded_seconds_total",
        "counter",
        "Footage in closed segments.",
        each(&|entry| Some(number(load(&entry.counters.recorded_us)) / 1e6)),
    );
    text.family(
        "lost_seconds_total",
        "counter",
        "Time that should have been recorded and was not.",
        cameras.iter().flat_map(|(camera, entry)| {
            GapCause::ALL.map(|cause| {
                let labels = format!("{{camera=\"{camera}\",cause=\"{}\"}}", cause.name());
                (labels, number(entry.counters.lost_us(cause)) / 1e6)
            })
        }),
    );
    text.family(
        "frames_decoded_total",
        "counter",
        "Pictures decoded to look for motion.",
        counted(&|entry| load(&entry.detection.decoded)),
    );
    text.family(
        "frames_skipped_total",
        "counter",
        "Pictures that detection passed over for want of time.",
        counted(&|entry| load(&entry.detection.skipped)),
    );
    text.family(
        "frames_passed_over_total",
        "counter",
        "Pictures not decoded because the key frames around them show that nothing moves.",
        counted(&|entry| load(&entry.detection.passed_over)),
    );
    text.family(
        "key_frames_only",
        "gauge",
        "1 while only key frames are decoded as long as nothing moves: by choice, or for want of time.",
        each(&|entry| Some(f64::from(u8::from(words::decoding(entry).is_some())))),
    );
    text.family("events_total", "counter", "Motion events.", counted(&|entry| load(&entry.counters.events)));
    text.family(
        "reconnects_total",
        "counter",
        "Connections made after the first.",
        counted(&|entry| entry.main.borrow().reconnects),
    );
    text.family(
        "identity_refusals_total",
        "counter",
        "How often something that was not the pinned camera answered.",
        counted(&|entry| load(&entry.counters.identity_refusals)),
    );
    text.family(
        "last_frame_age_seconds",
        "gauge",
        "Age of the newest picture.",
        each(&|entry| entry.main.borrow().last_picture.map(|newest| now.since(newest).as_secs_f64())),
    );
    let footage = site.parts.footage.clone();
    if let Ok(Ok(space)) = tokio::task::spawn_blocking(move || footage.space()).await {
        let used = space.total.0.saturating_sub(space.free.0);
        text.family(
            "storage_free_bytes",
            "gauge",
            "Free on the footage's disk.",
            [(String::new(), number(space.free.0))],
        );
        text.family("storage_used_bytes", "gauge", "Used on the footage's disk.", [(String::new(), number(used))]);
    }
    let known: Vec<_> = cameras.iter().map(|(camera, _)| camera.clone()).collect();
    let oldest = site.parts.readers.read(move |conn| {
        let oldest = known.into_iter().map(|camera| Ok((segments::oldest_of(conn, &camera)?, camera)));
        oldest.collect::<rusqlite::Result<Vec<_>>>()
    });
    text.family(
        "oldest_footage_age_seconds",
        "gauge",
        "Age of the oldest footage on the disk.",
        oldest.await.unwrap_or_default().into_iter().filter_map(|(oldest, camera)| {
            let oldest: UtcMicros = oldest?;
            Some((of(&camera), now.since(oldest).as_secs_f64()))
        }),
    );
    text.family(
        "viewers",
        "gauge",
        "Streams being watched.",
        [(String::new(), number(u64::try_from(site.viewers()).unwrap_or(u64::MAX)))],
    );
    text.family(
        "http_requests_total",
        "counter",
        "Answered requests.",
        site.requests
            .all()
            .into_iter()
            .map(|((route, status), count)| (format!("{{route=\"{route}\",status=\"{status}\"}}"), number(count))),
    );
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text.0).into_response()
}

/// Never exported by name of a user: the metrics say how the recorder does, not who watches.
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_written_as_prometheus_reads_it() {
        let mut text = Text(String::new());
        text.family("viewers", "gauge", "Streams being watched.", [(String::new(), 2.0)]);
        assert_eq!(
            text.0,
            "# HELP hearthwatch_viewers Streams being watched.\n# TYPE hearthwatch_viewers gauge\nhearthwatch_viewers 2\n"
        );
    }
}
