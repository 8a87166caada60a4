//! Taking leave of cameras: they refuse the next session while they think that the one before is open.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};
use std::time::Duration;

use retina::client::SessionGroup;

/// How long a camera gets to take our leave, when we stop and before we come again.
const LEAVE: Duration = Duration::from_secs(2);

/// Sessions that a camera may still think are open, per server: a busy camera refuses the next one until it forgot them.
pub(crate) fn group_of(server: &str) -> Arc<SessionGroup> {
    static GROUPS: LazyLock<Mutex<HashMap<String, Weak<SessionGroup>>>> = LazyLock::new(Mutex::default);
    let mut groups = GROUPS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(group) = groups.get(server).and_then(Weak::upgrade) {
        return group;
    }
    groups.retain(|_, group| group.strong_count() > 0);
    let group = Arc::new(SessionGroup::default());
    groups.insert(server.to_owned(), Arc::downgrade(&group));
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
    fn sessions_of_one_server_share_what_is_still_open_there() {
        let one = group_of("192.168.1.20:554");
        assert!(Arc::ptr_eq(&one, &group_of("192.168.1.20:554")));
        assert!(!Arc::ptr_eq(&one, &group_of("192.168.1.21:554")));
    }
}
