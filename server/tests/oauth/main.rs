//! OAuth 2 in the Desk over HTTP: consents in all ways, tokens that end and are revoked, and what may go wrong, with a
//! real authorization server and Dovecots that ask it about each token.

#[path = "../common/mod.rs"]
mod common;

mod accounts;
mod answers;
mod applications;
mod engines;
mod hostile;
mod pages;
mod renewal;
mod revocation;
mod scene;
mod ways;
