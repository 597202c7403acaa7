//! OAuth 2 (RFC 6749) as mail providers speak it: requests and answers, without a store and without IO of its own.
//!
//! Four ways lead to a token for a mailbox. Its owner consents in a browser ([`authorize_url`], [`exchange`]) or with a
//! code typed in elsewhere ([`device_begin`], [`device_poll`]); or an administrator has consented for a whole domain, and
//! the application asks for itself ([`client_credentials`]) or for one user after another ([`service_account`]). What the
//! owner gave is renewed by [`refresh`] and given back by [`revoke`].
//!
//! Not known here: who asks, where tokens are kept, when to renew them. What is asked goes through
//! [`Web`](gatepost_web::Web).

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

mod answer;
mod app;
mod code;
mod device;
mod error;
mod explain;
mod machine;
mod pkce;
mod provider;
mod renew;
mod tokens;

pub use app::{App, Certificate, Endpoints, Proof, SecretIn};
pub use code::{Callback, authorize_url, exchange};
pub use device::{DeviceCode, device_begin, device_poll};
pub use error::OauthError;
pub use machine::{ServiceAccount, client_credentials, service_account};
pub use pkce::{Pkce, new_state};
pub use provider::{GOOGLE_MAIL_SCOPE, MICROSOFT_APP_SCOPE, MICROSOFT_MAIL_SCOPE, admin_consent_url};
pub use renew::{refresh, revoke};
pub use tokens::{Claims, Tokens};
