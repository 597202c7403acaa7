//! Bearer tokens in SASL: OAUTHBEARER (RFC 7628), and XOAUTH2 as Google and Microsoft had it before.

use crate::{account::Account, wire::printable};
use gatepost_contract::Secret;
use gatepost_transfer::{Fault, FaultKind};

/// How a token is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mechanism {
    /// The standard's.
    OauthBearer,
    /// The older one, which Exchange Online knows only.
    Xoauth2,
}

impl Mechanism {
    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::OauthBearer => "OAUTHBEARER",
            Self::Xoauth2 => "XOAUTH2",
        }
    }

    /// The only response that is no farewell.
    pub(crate) fn response(self, account: &Account, token: &Secret) -> Result<Secret, Fault> {
        let owner = account.owner();
        if owner.contains(|c: char| c.is_ascii_control()) || !token.0.bytes().all(|b| matches!(b, 0x20..=0x7e)) {
            let sentence = "A user name or an access token cannot hold control characters.";
            return Err(Fault::new(FaultKind::Login, sentence));
        }
        Ok(Secret(match self {
            Self::OauthBearer => {
                // The name in a GS2 header writes these two differently (RFC 5801 section 4).
                let name = owner.replace('=', "=3D").replace(',', "=2C");
                let (host, port) = (&account.host, account.port);
                format!("n,a={name},\x01host={host}\x01port={port}\x01auth=Bearer {}\x01\x01", token.0)
            }
            Self::Xoauth2 => format!("user={owner}\x01auth=Bearer {}\x01\x01", token.0),
        }))
    }

    /// What is answered, in base64, to an error that comes as a challenge; then the server says NO.
    pub(crate) const fn farewell(self) -> &'static str {
        match self {
            // One \x01 (RFC 7628 section 3.2.3).
            Self::OauthBearer => "AQ==",
            Self::Xoauth2 => "",
        }
    }
}

/// A refused token, in the server's words and with what they mean.
pub(crate) fn refused(account: &Account, words: &str, challenge: Option<&[u8]>, offered: bool) -> Fault {
    let why =
        challenge.filter(|c| !c.is_empty()).map(|c| format!(" It says: {}.", printable(c, 300))).unwrap_or_default();
    let advice = if offered {
        "The token may have ended, lack the scope for IMAP, or be another user's; or IMAP is switched off for the mailbox."
    } else {
        "It offers neither OAUTHBEARER nor XOAUTH2."
    };
    let (server, owner) = (account.server(), account.owner());
    Fault::new(FaultKind::Login, format!("{server} refused the OAuth token of {owner}: {words:?}.{why} {advice}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Credential, NetPolicy};
    use gatepost_contract::Security;

    fn account(user: &str) -> Account {
        Account {
            host: "imap.example.com".into(),
            port: 993,
            security: Security::Tls,
            insecure_tls: false,
            ca_file: None,
            user: user.into(),
            authz: None,
            secret: Credential::token(Secret(String::new())),
            gmail_labels: None,
            policy: NetPolicy::default(),
        }
    }

    #[test]
    fn responses_are_those_of_the_documents() {
        let token = Secret("vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==".into());
        let bearer = Mechanism::OauthBearer.response(&account("user@example.com"), &token).unwrap();
        // RFC 7628 section 4.1, but for the order of host and port.
        let host = "host=imap.example.com\x01port=993";
        assert_eq!(bearer.0, format!("n,a=user@example.com,\x01{host}\x01auth=Bearer {}\x01\x01", token.0));
        let old = Mechanism::Xoauth2.response(&account("user@example.com"), &token).unwrap();
        assert_eq!(old.0, format!("user=user@example.com\x01auth=Bearer {}\x01\x01", token.0));
        let odd = Mechanism::OauthBearer.response(&account("a,b=c"), &token).unwrap();
        assert!(odd.0.starts_with("n,a=a=2Cb=3Dc,\x01"), "{}", odd.0);
    }

    #[test]
    fn nothing_can_end_a_field_before_its_time() {
        for (user, token) in [("a\x01auth=x", "t"), ("a", "t\x01user=b"), ("a\0", "t"), ("a", "t\r\nx"), ("a", "tö")] {
            let refused = Mechanism::Xoauth2.response(&account(user), &Secret(token.into()));
            assert_eq!(refused.unwrap_err().kind, FaultKind::Login, "{user:?} {token:?}");
        }
    }
}
