//! Hearthwatch: a home video recorder that keeps the household's footage in the house.

pub mod units;

pub mod config;

pub mod access;

pub mod disk;

pub mod camera;

pub mod record;

pub mod detect;

pub mod index;

pub mod media;

pub mod web;

pub mod fake_camera;

pub mod app;
