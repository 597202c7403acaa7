//! Asking a web server, with the few redirections that settings are usually found behind.

use gatepost_web::{Web, WebReply, WebRequest};
use url::Url;

/// The most redirections that are followed.
const MOST_REDIRECTIONS: usize = 3;

/// What came of asking.
pub enum Asked {
    /// An answer with status 200.
    Got(Vec<u8>),
    /// Another status: there is nothing of the kind.
    Nothing,
    /// No answer.
    Failed(String),
}

/// Sends a request and follows redirections, from TLS to TLS only. Each is a request like the first, so that addresses
/// are judged and certificates verified anew.
pub async fn ask(web: &dyn Web, mut request: WebRequest) -> Asked {
    for _ in 0..=MOST_REDIRECTIONS {
        let reply: WebReply = match web.ask(&request).await {
            Ok(reply) => reply,
            Err(error) => return Asked::Failed(error.0),
        };
        match reply.status {
            200 => return Asked::Got(reply.body),
            301 | 302 | 303 | 307 | 308 => {
                let next = reply.location.and_then(|location| {
                    let base = Url::parse(&request.url).ok()?;
                    base.join(&location).ok().filter(|url| url.scheme() == "https" && url.host_str().is_some())
                });
                let Some(next) = next else { return Asked::Nothing };
                request.url = next.into();
            }
            _ => return Asked::Nothing,
        }
    }
    Asked::Failed("It redirects without end.".to_owned())
}
