//! Who may see what: users' names, passwords, sessions, roles, rights, and the gate with its proof.
//!
//! Pure: rows and the time go in, a verdict comes out. It asks its rows through [`Records`], keeps none of them, and never
//! does I/O or SQL itself. Whatever cannot be answered is refused ([`Denied::Unavailable`]); nothing here fails open.

mod gate;
pub mod hours;
pub mod password;
mod role;
pub mod throttle;
mod token;
mod user_name;

pub use gate::{
    Denied, Gate, OfCamera, Pass, Records, RecordsError, SessionKind, SessionRow, ShareRow, Viewable, Viewer,
};
pub use hours::Hours;
pub use role::{Right, Rights, Role};
pub use token::{ParseTokenError, Token, TokenHash};
pub use user_name::{ParseUserNameError, UserName};
