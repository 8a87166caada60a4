//! Who one is, and what one may.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde_json::{Value, json};

use crate::access::Viewer;
use crate::web::refusal::Refusal;
use crate::web::site::Site;

/// `GET /api/me`.
pub(crate) async fn me(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
) -> Result<Json<Value>, Refusal> {
    let cameras: BTreeMap<String, Value> = site
        .rights(&viewer)
        .await?
        .into_iter()
        .map(|(camera, rights)| {
            let rights = json!({
                "live": rights.live, "history": rights.history, "export": rights.export, "delete": rights.delete,
            });
            (camera.into(), rights)
        })
        .collect();
    Ok(Json(json!({ "user": viewer.name(), "role": viewer.role().name(), "cameras": cameras })))
}
