//! The page that says one thing.

use askama::Template;

use crate::web::frame::Frame;
use crate::web::texts::filters;

/// One heading, one sentence, one way on.
#[derive(Template)]
#[template(path = "message.html")]
pub(crate) struct MessagePage {
    pub(crate) frame: Frame,
    pub(crate) heading: &'static str,
    pub(crate) text: String,
}
