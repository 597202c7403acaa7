//! The Desk: what people see of Gatepost.
//!
//! Every page is rendered on the server and works without JavaScript; forms are plain HTML forms that post to the
//! server functions in [`serverfns`]. Only the few parts in [`islands`] are compiled for the browser as well, so the
//! browser loads little. Nothing here knows SQL, HTTP routing or how a session is stored: pages and server functions
//! read who is asking, make calls into `gatepost_core`, and show what comes back. The HTTP server provides the
//! contexts described in [`session`].

// A `Problem` is made once for a request, and server functions need it as it is.
#![allow(clippy::result_large_err)]
// Views are deeply nested types.
#![recursion_limit = "256"]

// First, so that its macro is known in all that follows.
#[cfg(feature = "ssr")]
#[macro_use]
mod i18n;

pub mod islands;
pub mod numbers;
pub mod phrases;
pub mod serverfns;

#[cfg(feature = "ssr")]
pub mod app;
#[cfg(feature = "ssr")]
mod components;
#[cfg(feature = "ssr")]
mod context;
#[cfg(feature = "ssr")]
pub mod flash;
#[cfg(feature = "ssr")]
mod pages;
#[cfg(feature = "ssr")]
pub mod session;
#[cfg(feature = "ssr")]
pub mod shared;
#[cfg(feature = "ssr")]
pub mod shell;

#[cfg(feature = "ssr")]
pub use {
    flash::Flash,
    session::{CurrentActor, SessionPort},
};

/// Called once by the browser when the wasm module is there; the islands of the page come alive after it.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    leptos::mount::hydrate_islands();
}
