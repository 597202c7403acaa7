//! The pages, one noun a folder.

pub mod audit;
mod dashboard;
pub mod job;
pub mod mailbox;
pub mod oauth;
pub mod overview;
pub mod run;
pub mod schedule;
pub mod session;
pub mod tenant;
pub mod ticket;
pub mod token;
pub mod user;
pub mod wave;
pub mod webhook;

use crate::components::refused;
use gatepost_contract::Problem;
use leptos::prelude::*;

/// What is shown for an address that leads nowhere.
pub fn not_found() -> AnyView {
    refused(Problem::new(404, "not_found", t!(problem.no_such_page)))
}
