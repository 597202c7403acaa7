//! The REST API on a real server: the binary itself, on a free port, with a data path of its own.

mod auth;
mod cli;
mod csrf;
mod documents;
mod input;
#[allow(dead_code, reason = "other test programs use the rest")]
mod kit;
mod links;
mod report;
mod roles;
mod settings;
mod webhooks;
