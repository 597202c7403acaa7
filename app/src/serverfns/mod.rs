//! What the Desk's forms post to: `/api/fn/<verb>_<noun>`.
//!
//! Each function reads who is asking, makes one call into core, and says where to go next. A refusal is a
//! [`Problem`](gatepost_contract::Problem); for a form that was posted without JavaScript the HTTP server keeps it
//! for the page that is shown again. All fields arrive as text, so that an empty field is empty and not malformed.

// `#[server]` makes a struct of each function's arguments, and its fields cannot carry documentation.
#![allow(missing_docs)]

pub mod cutover;
pub mod gate;
pub mod import;
pub mod job;
pub mod link;
pub mod login_check;
pub mod mailbox;
pub mod oauth;
pub mod pause;
pub mod preferences;
pub mod report;
pub mod residue;
pub mod run;
pub mod schedule;
pub mod session;
pub mod tenant;
pub mod ticket;
pub mod token;
pub mod upload;
pub mod user;
pub mod wave;
pub mod webhook;

#[cfg(feature = "ssr")]
mod input;
#[cfg(feature = "ssr")]
pub mod once;
