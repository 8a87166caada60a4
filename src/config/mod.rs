//! The configuration: the file as written, checked settings or all complaints at once, and hot reload.

pub mod settings;
