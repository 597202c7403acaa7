//! Who is asking, and the contexts that the HTTP server provides for every page and server function.
//!
//! - [`gatepost_core::Gatepost`], the service;
//! - [`CurrentActor`];
//! - [`Flash`](crate::Flash) (or `Option<Flash>`), present when a form was refused just before;
//! - `Arc<dyn `[`SessionPort`]`>`, for logging in and out.
//!
//! How a session is stored is not known here.

use gatepost_contract::{Problem, UserId};
use gatepost_core::Actor;
use std::{future::Future, net::IpAddr, pin::Pin};

/// Who is asking; none before a log-in.
#[derive(Clone, Debug)]
pub struct CurrentActor(pub Option<Actor>);

/// What a [`SessionPort`] answers.
pub type SessionFuture<'a> = Pin<Box<dyn Future<Output = Result<(), Problem>> + Send + 'a>>;

/// The session of the request at hand.
pub trait SessionPort: Send + Sync {
    /// Binds the session to a user, under a new session id.
    fn log_in(&self, user: UserId) -> SessionFuture<'_>;
    /// Ends the session.
    fn log_out(&self) -> SessionFuture<'_>;
    /// Where the request comes from, for the rate limit.
    fn client_ip(&self) -> IpAddr;
}
