//! "Try on last night": what drawn settings would have made of the events of the last 24 hours, said while it is found out.
//!
//! The recorded footage around each event is looked through once more, in a decoder process of its own that lets everything
//! else go first, by the saved settings and by those that are tried. There is no job to keep: the answer *is* the job, and
//! whoever closes it ends it. One goes on at a time. Nothing is written but that somebody looked.

mod plan;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::access::{Right, Viewable, Viewer};
use crate::detect::looking::FeedError;
use crate::detect::replay::Replay;
use crate::index::audit::Entry;
use crate::index::events::{self, EventRow};
use crate::media::MediaError;
use crate::media::samples::{self, Samples};
use crate::units::{CameraId, UtcMicros, UtcSpan};
use crate::web::form::Form;
use crate::web::gatekeeper::{self, OwnCamera};
use crate::web::refusal::{Refusal, unavailable};
use crate::web::site::{Peer, Site};
use crate::web::texts::{key, say, say_with};
use crate::web::{links, motion, texts, words};

use plan::{Stretch, Tally, Verdict};

/// How often it is said how far it is.
const SAY: Duration = Duration::from_millis(300);

/// One line of the answer, which is JSON.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Line {
    /// How far it is, 0 to 1, and how it stands.
    Progress { part: f64, say: String },
    /// What became of an event.
    Event { id: String, start: String, length: String, verdict: Verdict, has_picture: bool },
    /// What would be an event, and was none.
    New { url: String, start: String, length: String },
    /// The end.
    Done { say: String, besides: Vec<String> },
    /// The end, with nothing found out.
    Failed { say: String },
}

/// `POST /cameras/{id}/motion/trial`, with the fields of the page's form: lines of JSON, as they are found out.
pub(crate) async fn run(
    State(site): State<Arc<Site>>,
    Extension(OwnCamera(camera)): Extension<OwnCamera>,
    Extension(viewer): Extension<Viewer>,
    Extension(peer): Extension<Peer>,
    form: Form,
) -> Result<Response, Refusal> {
    let saved = motion::settings_of(&site, &camera).ok_or(Refusal::NotFound)?;
    let tried = match motion::wanted(&form, &saved)? {
        (_, Some(complaint)) => return Err(Refusal::Bad(complaint)),
        (tried, None) if !tried.enabled => return Err(Refusal::Bad("switch “Look for motion” on to try this")),
        (tried, None) => tried,
    };
    let gate = site.parts.gate.clone();
    let proof = {
        let (viewer, camera) = (viewer.clone(), camera.clone());
        site.blocking(move || gate.viewable(&viewer, &camera, Right::History)).await?
    };
    let turn = Arc::clone(&site.tuning).try_acquire_owned();
    let turn =
        turn.map_err(|_| Refusal::Unavailable("somebody is trying settings already; try again once that is done"))?;
    let now = site.parts.clock.now();
    let span = UtcSpan::starting_at(now.minus(plan::BACK), plan::BACK);
    let asked = camera.clone();
    let mut rows = site.read(move |conn| events::between(conn, &asked, span)).await?;
    rows.sort_by_key(|row| std::cmp::Reverse(row.start));
    let whole = |row: &EventRow| plan::whole(row.start, row.end, now);
    let known: Vec<_> = rows.iter().map(whole).collect();
    rows.retain(|row| plan::is_recorded(whole(row), now));
    let entry = site.entry(&viewer, peer, "motion-tried", String::new());
    site.append(Entry { camera: Some(camera), span: Some(span), ..entry }).await?;
    // Where nothing is changed, one look tells both.
    let settings = if tried == saved { vec![saved] } else { vec![saved, tried] };
    let replay = if rows.is_empty() { None } else { Some(site.parts.keeper.replay(settings)) };
    let broken = key("the decoder process could not be started; the recorder's log says why");
    let replay = replay.transpose().map_err(|error| unavailable(broken)(&error))?;
    let tuning = Tuning::new(Arc::clone(&site), proof, rows, known, now, replay, turn);
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(tuning.lines())).into_response())
}

struct Tuning {
    site: Arc<Site>,
    camera: Viewable<CameraId>,
    /// Newest first; there may be more than are tried.
    rows: Vec<EventRow>,
    /// What of each row is looked at.
    spans: Vec<UtcSpan>,
    /// When something moved, as far as that was noticed.
    known: Vec<UtcSpan>,
    stretches: VecDeque<Stretch>,
    /// The decoder and what it feeds; `None` if there is nothing to look through.
    replay: Option<Replay>,
    /// The footage of the first stretch, once it is begun, and which of its events were seen in it.
    footage: Option<(Samples, Vec<usize>)>,
    tally: Tally,
    /// Footage in all, behind us, and of the first stretch.
    all: Duration,
    done: Duration,
    here: Duration,
    ready: VecDeque<Line>,
    is_over: bool,
    said: Instant,
    ends: Instant,
    _turn: OwnedSemaphorePermit,
}

impl Tuning {
    fn new(
        site: Arc<Site>,
        camera: Viewable<CameraId>,
        rows: Vec<EventRow>,
        known: Vec<UtcSpan>,
        now: UtcMicros,
        replay: Option<Replay>,
        turn: OwnedSemaphorePermit,
    ) -> Self {
        let spans: Vec<_> = rows.iter().map(|row| plan::judged(plan::whole(row.start, row.end, now))).collect();
        let tried = rows.len().min(plan::MOST_EVENTS);
        let stretches: VecDeque<_> = plan::stretches(&spans[..tried]).into();
        let tally = Tally { all: tried, too_many: rows.len() - tried, ..Tally::default() };
        let now = Instant::now();
        Self {
            site,
            camera,
            rows,
            spans,
            known,
            all: stretches.iter().map(|stretch| stretch.span.length()).sum(),
            done: Duration::ZERO,
            here: Duration::ZERO,
            stretches,
            footage: None,
            is_over: false,
            replay,
            tally,
            ready: VecDeque::from([Line::Progress { part: 0.0, say: tally.so_far() }]),
            said: now,
            ends: now + plan::PATIENCE,
            _turn: turn,
        }
    }

    /// The lines as bytes, until the end or until the viewer may not see the camera any more.
    fn lines(self) -> impl futures_util::Stream<Item = Result<Bytes, Infallible>> + Send + use<> {
        let (site, camera, language) = (Arc::clone(&self.site), self.camera.clone(), texts::readers());
        let revoked: BoxFuture<'static, Refusal> =
            async move { gatekeeper::until_revoked(&site, &camera).await }.boxed();
        futures_util::stream::unfold(Some((self, revoked)), move |going| async move {
            let (mut tuning, mut revoked) = going?;
            let line = tokio::select! {
                biased;
                _ = &mut revoked => return None,
                line = texts::for_reader(language, tuning.line()) => line?,
            };
            let mut bytes = serde_json::to_vec(&line).unwrap_or_default();
            bytes.push(b'\n');
            Some((Ok(Bytes::from(bytes)), Some((tuning, revoked))))
        })
    }

    /// The next line; `None` after the last.
    async fn line(&mut self) -> Option<Line> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Some(line);
            }
            if self.is_over {
                return None;
            }
            if let Err(say) = self.go_on().await {
                self.ready.push_back(Line::Failed { say });
                self.is_over = true;
            }
        }
    }

    /// Looks at some more pictures. An error ends it, and is a sentence for the owner.
    async fn go_on(&mut self) -> Result<(), String> {
        let (Some(stretch), true) = (self.stretches.front(), Instant::now() < self.ends) else {
            self.ready.push_back(Line::Done { say: self.tally.result(), besides: self.tally.besides() });
            self.is_over = true;
            return Ok(());
        };
        let (mut samples, mut seen) = match self.footage.take() {
            Some(footage) => footage,
            None => match self.open(stretch.span).await? {
                Some(samples) => (samples, Vec::new()),
                None => return self.end_stretch(Vec::new()).await,
            },
        };
        let Some((coding, units)) = read(samples.next().await)?.flatten() else {
            return self.end_stretch(seen).await;
        };
        let Some(replay) = &mut self.replay else { return Ok(()) };
        for unit in units {
            let at = UtcMicros(unit.at_us);
            let shown = stretch.events.iter().filter(|event| plan::shows(self.spans[**event], at));
            let unseen: Vec<_> = shown.filter(|event| !seen.contains(*event)).copied().collect();
            seen.extend(unseen);
            self.here = self.here.max(at.since(stretch.span.start()));
            replay.give(&coding, unit).await.map_err(|error| undecodable(&error))?;
        }
        self.footage = Some((samples, seen));
        if self.said.elapsed() >= SAY {
            self.say();
        }
        Ok(())
    }

    /// `None` where it cannot be read.
    async fn open(&self, span: UtcSpan) -> Result<Option<Samples>, String> {
        let parts = &self.site.parts;
        read(samples::open(&self.camera, span, &parts.readers, &parts.footage, &parts.open).await)
    }

    /// Says what became of the first stretch's events, of which those were `seen` in the footage.
    async fn end_stretch(&mut self, seen: Vec<usize>) -> Result<(), String> {
        let (Some(stretch), Some(replay)) = (self.stretches.pop_front(), &mut self.replay) else { return Ok(()) };
        let found = replay.end().await.map_err(|error| undecodable(&error))?;
        let (Some(by_saved), Some(by_tried)) = (found.first(), found.last()) else { return Ok(()) };
        for event in stretch.events.iter().rev() {
            let (row, span) = (&self.rows[*event], self.spans[*event]);
            let verdict = if seen.contains(event) { plan::verdict(span, by_saved, by_tried) } else { Verdict::Missing };
            self.tally.count(verdict);
            self.ready.push_back(Line::Event {
                id: row.id.to_string(),
                start: row.start.to_string(),
                length: words::length(row.end.unwrap_or(span.end()).since(row.start)),
                verdict,
                has_picture: row.has_thumbnail,
            });
        }
        for span in plan::fresh(by_saved, by_tried, &self.known) {
            let day = words::local(span.start(), "%Y-%m-%d");
            self.ready.push_back(Line::New {
                url: links::moment(self.camera.get(), &day, span.start()),
                start: span.start().to_string(),
                length: words::length(span.length()),
            });
        }
        self.done += stretch.span.length();
        self.here = Duration::ZERO;
        self.say();
        Ok(())
    }

    fn say(&mut self) {
        let part = (self.done + self.here).as_secs_f64() / self.all.as_secs_f64().max(1.0);
        self.said = Instant::now();
        self.ready.push_back(Line::Progress { part: part.min(1.0), say: self.tally.so_far() });
    }
}

/// What was read; `None` where that cannot be. An error ends the trial.
fn read<T>(read: Result<T, MediaError>) -> Result<Option<T>, String> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(MediaError::Denied(_)) => Err(say("You may not see the footage of this camera any more.").to_owned()),
        Err(error) => {
            tracing::warn!(%error, "footage could not be looked through once more");
            Ok(None)
        }
    }
}

fn undecodable(error: &FeedError) -> String {
    words::sentence(&say_with("the footage could not be looked through: {error}", &[("error", error)]))
}
