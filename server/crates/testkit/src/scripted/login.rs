//! AUTHENTICATE: PLAIN (RFC 4616), OAUTHBEARER (RFC 7628) and XOAUTH2.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::State;
use super::session::Session;

pub(super) const WRONG: &str = "NO [AUTHENTICATIONFAILED] wrong user or password";

impl Session {
    pub(super) fn authenticate(&mut self, state: &mut State, tag: &str, mechanism: &str, data: &[u8]) -> Vec<u8> {
        let refuse = |text: &str| format!("{tag} {text}\r\n").into_bytes();
        if data == b"*" {
            return refuse("BAD cancelled");
        }
        let Some(text) = STANDARD.decode(data).ok().and_then(|bytes| String::from_utf8(bytes).ok()) else {
            // The second, empty line of a client that was told of a failed XOAUTH2.
            return refuse(if data.is_empty() { WRONG } else { "BAD not base64" });
        };
        self.logged_in = match mechanism {
            "PLAIN" => {
                let mut parts = text.split('\0').skip(1).map(str::to_owned);
                let known = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
                state.users.is_empty() || state.users.contains(&known)
            }
            "XOAUTH2" => {
                let mut parts = text.split('\x01');
                let user = parts.next().and_then(|part| part.strip_prefix("user=")).unwrap_or_default();
                let token = parts.next().and_then(|part| part.strip_prefix("auth=Bearer ")).unwrap_or_default();
                state.tokens.contains(&(user.to_owned(), token.to_owned()))
            }
            "OAUTHBEARER" => {
                let mut parts = text.split('\x01');
                let user = parts.next().and_then(|part| part.strip_prefix("n,a=")?.strip_suffix(','));
                let token = parts.find_map(|part| part.strip_prefix("auth=Bearer "));
                match (user, token) {
                    (Some(user), Some(token)) => state.tokens.contains(&(user.to_owned(), token.to_owned())),
                    _ => false,
                }
            }
            _ => return refuse("NO [CANNOT] this mechanism is not known here"),
        };
        if self.logged_in { refuse("OK done") } else { refuse(WRONG) }
    }
}
