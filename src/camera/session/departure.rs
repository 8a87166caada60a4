//! Taking leave of cameras: they refuse the next session while they think that the one before is open.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};
use std::time::Duration;

use retina::client::SessionGroup;

use crate::units::CameraId;

/// How long a camera gets to take our leave, when we stop and before we come again.
const LEAVE: Duration = Duration::from_secs(2);

/// By whose stream, and at which server.
type Groups = HashMap<(CameraId, String), Weak<SessionGroup>>;

/// Sessions that a camera may still think are open, per server: a busy camera refuses the next one until it forgot them.
/// Whoever gets a camera's address after it knows nothing of them, and is not waited for.
pub(crate) fn group_of(camera: &CameraId, server: &str) -> Arc<SessionGroup> {
    static GROUPS: LazyLock<Mutex<Groups>> = LazyLock::new(Mutex::default);
    let mut groups = GROUPS.lock().unwrap_or_else(PoisonError::into_inner);
    let server = (camera.clone(), server.to_owned());
    if let Some(group) = groups.get(&server).and_then(Weak::upgrade) {
        return group;
    }
    groups.retain(|_, group| group.strong_count() > 0);
    let group = Arc::new(SessionGroup::default());
    groups.insert(server, Arc::downgrade(&group));
    group
}

/// Waits until no session of the group is left open at the camera, but not for long.
pub(crate) async fn leave(group: &SessionGroup) {
    let stale = group.stale_sessions();
    if stale.num_sessions > 0 {
        let _ = tokio::time::timeout(LEAVE, group.await_stale_sessions(&stale)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_of_one_camera_share_what_is_still_open_there() {
        let (porch, garden) = ("porch".parse().expect("an id"), "garden".parse().expect("an id"));
        let one = group_of(&porch, "192.168.1.20:554");
        assert!(Arc::ptr_eq(&one, &group_of(&porch, "192.168.1.20:554")));
        assert!(!Arc::ptr_eq(&one, &group_of(&porch, "192.168.1.21:554")));
        assert!(!Arc::ptr_eq(&one, &group_of(&garden, "192.168.1.20:554")));
    }
}
