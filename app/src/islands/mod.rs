//! The parts of a page that come alive in the browser. Everything here is compiled twice: on the server it renders
//! the same HTML, in the browser it takes that HTML over.
//!
//! Texts arrive as properties, because the browser carries no translation. Each island adds comfort to something
//! that works without it.

// `#[island]` exports a function for each island, which cannot carry documentation.
#![allow(missing_docs)]

#[cfg(feature = "hydrate")]
mod anew;
pub mod copy;
pub mod csv;
pub mod dialog;
pub mod live;
pub mod log;
pub mod logins;
pub mod theme;
pub mod upload;
