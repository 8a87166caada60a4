//! Whether the recorder does its one job.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::web::forecast;
use crate::web::gatekeeper;
use crate::web::refusal::Refusal;
use crate::web::site::Site;
use crate::web::words;

/// `GET /api/health`: to strangers only whether it lives; to viewers, how the cameras they may see and the disk do.
pub(crate) async fn health(State(site): State<Arc<Site>>, headers: HeaderMap) -> Result<Response, Refusal> {
    // One question to the database and one to the disk: both must answer.
    let database = site.parts.readers.read(|connection| connection.query_row("SELECT 1", [], |_| Ok(()))).await;
    let footage = site.parts.footage.clone();
    let disk = tokio::task::spawn_blocking(move || footage.space().is_ok()).await.unwrap_or(false);
    let is_well = database.is_ok() && disk;
    let status = if is_well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut words = json!({ "status": if is_well { "ok" } else { "failing" } });
    match gatekeeper::viewer(&site, &headers).await {
        Err(Refusal::NotSignedIn) => {}
        // With the database gone nobody can be told from a stranger.
        Err(_) if !is_well => {}
        Err(refusal) => return Err(refusal),
        Ok(viewer) => {
            let now = site.parts.clock.now();
            let mut cameras = serde_json::Map::new();
            for (camera, _) in site.rights(&viewer).await?.into_iter().filter(|(_, rights)| rights.any()) {
                let Some(entry) = site.parts.board.get(&camera) else { continue };
                let status = entry.main.borrow();
                let said = json!({
                    "name": entry.name,
                    "state": status.link.name(),
                    "words": words::state(&status.link),
                    "trouble": words::trouble(&status),
                    "decoding": words::decoding(&entry),
                    "last_frame_age_s": status.last_picture.map(|newest| now.since(newest).as_secs_f64()),
                });
                cameras.insert(camera.into(), said);
            }
            words["cameras"] = Value::Object(cameras);
            let (filling, continuous) =
                (forecast::filling(&site).await, site.parts.settings.borrow().retention.continuous);
            words["storage"] = Value::String(forecast::in_words(filling, continuous));
            words["lan_only"] = site.parts.lan_only.as_json();
            words["forecast"] = forecast::as_json(filling, continuous);
        }
    }
    Ok((status, Json(words)).into_response())
}

/// How full the disk is, and for how long footage can stay on it.
pub(crate) async fn storage_in_words(site: &Site) -> String {
    let continuous = site.parts.settings.borrow().retention.continuous;
    forecast::in_words(forecast::filling(site).await, continuous)
}
