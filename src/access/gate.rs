//! The gate: the one place where it is decided who sees which camera, and the proof that it was asked.

use std::fmt;
use std::sync::Arc;

use crate::access::{Right, Rights, Role, Token, TokenHash};
use crate::units::{CameraId, Clock, UserId, UtcMicros, UtcSpan};

/// The rows that the gate asks. Implemented by the index; blocking; every call goes to the database, none is answered from
/// memory, because a household that takes a right away means now.
pub trait Records: Send + Sync + 'static {
    /// The session behind a cookie or an API token; `None` if it is unknown, ended or expired at `now`.
    fn session(&self, token: &TokenHash, now: UtcMicros) -> Result<Option<SessionRow>, RecordsError>;

    /// What the user may do with the camera at `now`; [`Rights::NONE`] where there is no row or it has expired.
    fn rights(&self, user: UserId, camera: &CameraId, now: UtcMicros) -> Result<Rights, RecordsError>;

    /// Every camera on which the user has any right at `now`, by id.
    fn cameras(&self, user: UserId, now: UtcMicros) -> Result<Vec<(CameraId, Rights)>, RecordsError>;

    /// What the link shows; `None` if it is unknown, taken back or expired at `now`.
    fn share(&self, link: &TokenHash, now: UtcMicros) -> Result<Option<ShareRow>, RecordsError>;

    /// Whether the household switched the camera off for a while.
    fn is_paused(&self, camera: &CameraId) -> Result<bool, RecordsError>;
}

/// The rows could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("could not ask the database who may see this: {0}")]
pub struct RecordsError(String);

impl RecordsError {
    /// From whatever went wrong; the words are for the log, not for the caller at the other end.
    pub fn new(why: impl fmt::Display) -> Self {
        Self(why.to_string())
    }
}

/// A session that holds, joined with its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// Who signed in.
    pub user: UserId,
    /// By which name.
    pub name: String,
    /// What the user is.
    pub role: Role,
    /// When the session ends by itself; excluded.
    pub expires: UtcMicros,
    /// What holds the token.
    pub kind: SessionKind,
}

/// What holds a session's token. One is never taken for the other: a page elsewhere can make a browser send its cookie, but
/// never a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionKind {
    /// A browser, in its cookie.
    Cookie,
    /// A program, in `Authorization: Bearer`.
    Api,
}

/// What a viewer showed at the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// A session of one's own.
    Session(SessionKind),
    /// A link that somebody handed on.
    Link,
}

/// One stretch of one camera, shown to whoever has the link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareRow {
    /// Whose pictures.
    pub camera: CameraId,
    /// Of which time.
    pub span: UtcSpan,
    /// When the link ends by itself; excluded.
    pub expires: UtcMicros,
    /// Who made it.
    pub by: UserId,
    /// … by which name.
    pub by_name: String,
}

impl OfCamera for ShareRow {
    fn camera(&self) -> &CameraId {
        &self.camera
    }
}

/// Why somebody may not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No session, or not any more: 401.
    #[error("sign in first")]
    NotSignedIn,
    /// Not this camera, or not this right, or no such thing: 404, and the caller never learns which.
    #[error("there is no such thing")]
    NotYours,
    /// The household switched the camera off for a while: 503. Only said to whom the camera may be shown.
    #[error("somebody in the household switched this camera off")]
    Paused,
    /// It could not be found out, so: no. 503.
    #[error(transparent)]
    Unavailable(#[from] RecordsError),
}

/// A thing that belongs to exactly one camera and says which.
pub trait OfCamera {
    /// The camera whose pictures it is, holds or is about.
    fn camera(&self) -> &CameraId;
}

impl OfCamera for CameraId {
    fn camera(&self) -> &CameraId {
        self
    }
}

/// Decides who sees what. Cheap to clone; holds no rows.
///
/// Every function blocks on the database for microseconds; async callers use a blocking task.
#[derive(Clone)]
pub struct Gate {
    records: Arc<dyn Records>,
    clock: Clock,
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gate")
    }
}

impl Gate {
    /// A gate that asks these rows by this clock.
    pub fn new(records: Arc<dyn Records>, clock: Clock) -> Self {
        Self { records, clock }
    }

    /// Who holds this token now.
    pub fn who(&self, token: &Token) -> Result<Viewer, Denied> {
        let token = token.hash();
        let row = self.session(&token)?;
        Ok(Viewer { user: row.user, name: row.name.into(), role: row.role, token, pass: Pass::Session(row.kind) })
    }

    /// The proof that whoever has this link may see what it shows: as long as its maker may take that away as a file.
    pub fn shared(&self, link: &Token) -> Result<Viewable<ShareRow>, Denied> {
        let token = link.hash();
        let row = self.share(&token)?;
        let name = format!("somebody with a link of {}", row.by_name).into();
        let viewer = Viewer { user: row.by, name, role: Role::Guest, token, pass: Pass::Link };
        self.holds(&viewer, &row.camera, Right::Export)?;
        self.prove(&viewer, row.camera.clone(), Right::Export).narrow(row)
    }

    /// The proof that this viewer may do this with this camera now.
    pub fn viewable(&self, viewer: &Viewer, camera: &CameraId, right: Right) -> Result<Viewable<CameraId>, Denied> {
        self.still_signed_in(viewer)?;
        self.holds(viewer, camera, right)?;
        Ok(self.prove(viewer, camera.clone(), right))
    }

    /// Proofs for every camera with which this viewer may do this now, by id.
    pub fn cameras(&self, viewer: &Viewer, right: Right) -> Result<Vec<Viewable<CameraId>>, Denied> {
        self.still_signed_in(viewer)?;
        let cameras = self.records.cameras(viewer.user, self.clock.now())?;
        let mut proofs = Vec::new();
        for (camera, _) in cameras.into_iter().filter(|(_, rights)| rights.has(right)) {
            if !self.is_off(&camera, right)? {
                proofs.push(self.prove(viewer, camera, right));
            }
        }
        Ok(proofs)
    }

    /// What this viewer may do with each camera now, by id; for showing it, not for deciding by it.
    pub fn rights(&self, viewer: &Viewer) -> Result<Vec<(CameraId, Rights)>, Denied> {
        self.still_signed_in(viewer)?;
        Ok(self.records.cameras(viewer.user, self.clock.now())?)
    }

    fn session(&self, token: &TokenHash) -> Result<SessionRow, Denied> {
        let now = self.clock.now();
        let row = self.records.session(token, now)?.ok_or(Denied::NotSignedIn)?;
        // The rows were asked with `now` already; that one comparison is not left to them alone.
        if row.expires <= now { Err(Denied::NotSignedIn) } else { Ok(row) }
    }

    fn share(&self, link: &TokenHash) -> Result<ShareRow, Denied> {
        let now = self.clock.now();
        let row = self.records.share(link, now)?.ok_or(Denied::NotYours)?;
        if row.expires <= now { Err(Denied::NotYours) } else { Ok(row) }
    }

    fn still_signed_in(&self, viewer: &Viewer) -> Result<(), Denied> {
        if viewer.pass == Pass::Link {
            let row = self.share(&viewer.token)?;
            return if row.by == viewer.user { Ok(()) } else { Err(Denied::NotYours) };
        }
        let row = self.session(&viewer.token)?;
        // A token that has come to mean another user, or a user whose role has changed, is not who was let in.
        if row.user == viewer.user && row.role == viewer.role { Ok(()) } else { Err(Denied::NotSignedIn) }
    }

    fn holds(&self, viewer: &Viewer, camera: &CameraId, right: Right) -> Result<(), Denied> {
        let rights = self.records.rights(viewer.user, camera, self.clock.now())?;
        if !rights.has(right) {
            return Err(Denied::NotYours);
        }
        if self.is_off(camera, right)? { Err(Denied::Paused) } else { Ok(()) }
    }

    /// What a camera saw stays visible while it is paused; what it sees now does not.
    fn is_off(&self, camera: &CameraId, right: Right) -> Result<bool, Denied> {
        Ok(right == Right::Live && self.records.is_paused(camera)?)
    }

    /// Invariant: called only right after the rows said yes.
    fn prove(&self, viewer: &Viewer, camera: CameraId, right: Right) -> Viewable<CameraId> {
        Viewable { thing: camera.clone(), camera, right, viewer: viewer.clone(), gate: self.clone() }
    }
}

/// Somebody who was signed in when the gate was asked. It carries no right; those are asked anew for each thing.
#[derive(Debug, Clone)]
pub struct Viewer {
    user: UserId,
    name: Arc<str>,
    role: Role,
    token: TokenHash,
    pass: Pass,
}

impl Viewer {
    /// The user's row.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// The user's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the user is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// What was shown at the door.
    pub fn pass(&self) -> Pass {
        self.pass
    }

    /// The session, for ending it.
    pub fn session(&self) -> &TokenHash {
        &self.token
    }
}

/// The proof that `viewer` may use `right` on this thing of one camera. Everything that yields pictures takes one.
///
/// Nobody but the gate makes one:
///
/// ```compile_fail,E0451
/// use hearthwatch::access::{Gate, Right, Viewable, Viewer};
/// use hearthwatch::units::CameraId;
/// fn forge(camera: CameraId, viewer: Viewer, gate: Gate) -> Viewable<CameraId> {
///     Viewable { thing: camera.clone(), camera, right: Right::Live, viewer, gate }
/// }
/// ```
///
/// one of another thing is not made from it but by [`Viewable::narrow`]:
///
/// ```compile_fail,E0451
/// use hearthwatch::access::Viewable;
/// use hearthwatch::units::CameraId;
/// fn carry_over(porch: Viewable<CameraId>, nursery: CameraId) -> Viewable<CameraId> {
///     Viewable { thing: nursery, ..porch }
/// }
/// ```
///
/// what it is of cannot be exchanged:
///
/// ```compile_fail,E0594
/// use hearthwatch::access::Viewable;
/// use hearthwatch::units::CameraId;
/// fn exchange(porch: &mut Viewable<CameraId>, nursery: CameraId) {
///     *porch.get() = nursery;
/// }
/// ```
///
/// its right cannot be changed:
///
/// ```compile_fail,E0616
/// use hearthwatch::access::{Right, Viewable};
/// use hearthwatch::units::CameraId;
/// fn promote(mut proof: Viewable<CameraId>) {
///     proof.right = Right::Delete;
/// }
/// ```
///
/// a viewer is not made up either:
///
/// ```compile_fail,E0451
/// use hearthwatch::access::{Pass, Role, SessionKind, TokenHash, Viewer};
/// use hearthwatch::units::UserId;
/// fn pretend() -> Viewer {
///     let (token, pass) = (TokenHash::from_bytes([0; 32]), Pass::Session(SessionKind::Cookie));
///     Viewer { user: UserId(1), name: "anna".into(), role: Role::Owner, token, pass }
/// }
/// ```
///
/// and what takes a proof takes nothing less:
///
/// ```compile_fail,E0308
/// use hearthwatch::access::Viewable;
/// use hearthwatch::units::CameraId;
/// fn show(_: &Viewable<CameraId>) {}
/// fn bypass(camera: CameraId) {
///     show(&camera);
/// }
/// ```
///
/// This is how it is meant:
///
/// ```
/// use hearthwatch::access::{Denied, Gate, OfCamera, Right, Token, Viewable};
/// use hearthwatch::units::CameraId;
/// fn open<U: OfCamera>(gate: &Gate, token: &Token, camera: &CameraId, thing: U) -> Result<Viewable<U>, Denied> {
///     gate.viewable(&gate.who(token)?, camera, Right::History)?.narrow(thing)
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Viewable<T> {
    thing: T,
    camera: CameraId,
    right: Right,
    viewer: Viewer,
    gate: Gate,
}

impl<T> Viewable<T> {
    /// What may be seen.
    pub fn get(&self) -> &T {
        &self.thing
    }

    /// The camera that the rows were asked about.
    pub fn camera(&self) -> &CameraId {
        &self.camera
    }

    /// Who may.
    pub fn viewer(&self) -> &Viewer {
        &self.viewer
    }

    /// By which right.
    pub fn right(&self) -> Right {
        self.right
    }

    /// The same proof for a thing of the same camera; [`Denied::NotYours`] for a thing of any other.
    pub fn narrow<U: OfCamera>(&self, thing: U) -> Result<Viewable<U>, Denied> {
        if thing.camera() != &self.camera {
            return Err(Denied::NotYours);
        }
        let (camera, viewer, gate) = (self.camera.clone(), self.viewer.clone(), self.gate.clone());
        Ok(Viewable { thing, camera, right: self.right, viewer, gate })
    }

    /// Asks the rows again whether the session and the right still hold. Long streams call it each second and end on any
    /// error. Blocking.
    pub fn still_allowed(&self) -> Result<(), Denied> {
        self.gate.still_signed_in(&self.viewer)?;
        self.gate.holds(&self.viewer, &self.camera, self.right)
    }
}

#[cfg(test)]
mod tests;
