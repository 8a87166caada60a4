//! What the household sees: pages, the JSON API, and the door in front of them.

pub mod tls;
