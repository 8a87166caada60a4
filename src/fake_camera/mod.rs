//! A simulated camera.
