//! What is needed to connect to an account: where, how protected, as whom, and what the network may be used for.
//! Knows no protocol.

use crate::gmail::GmailLabels;
use gatepost_contract::{Secret, Security};
use gatepost_transfer::{AccessTokens, Fault, FixedToken};
use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

/// What proves who logs in.
#[derive(Clone)]
pub enum Credential {
    /// A password, for AUTHENTICATE PLAIN or LOGIN.
    Password(Secret),
    /// OAuth 2 access tokens, for AUTHENTICATE OAUTHBEARER (RFC 7628) or XOAUTH2. One is asked for at every connection.
    Oauth(Arc<dyn AccessTokens>),
}

/// What a connection logs in with.
#[derive(Clone)]
pub(crate) enum Word {
    /// A password.
    Password(Secret),
    /// An access token.
    Token(Secret),
}

impl Credential {
    /// One token, and no other after it.
    #[must_use]
    pub fn token(token: Secret) -> Self {
        Self::Oauth(Arc::new(FixedToken(token)))
    }

    /// What to log in with now.
    pub(crate) async fn word(&self) -> Result<Word, Fault> {
        Ok(match self {
            Self::Password(password) => Word::Password(password.clone()),
            Self::Oauth(tokens) => Word::Token(tokens.token().await?),
        })
    }

    /// What to log in with after a refusal; `None` where there is nothing else.
    pub(crate) async fn another(&self, refused: &Word) -> Result<Option<Word>, Fault> {
        match (self, refused) {
            (Self::Oauth(tokens), Word::Token(token)) => Ok(tokens.renew(token).await?.map(Word::Token)),
            _ => Ok(None),
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password(_) => "Password([secret])",
            Self::Oauth(_) => "Oauth([secret])",
        })
    }
}

/// How long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection, and again for its TLS handshake.
    pub connect: Duration,
    /// For the next bytes of an answer.
    pub read: Duration,
    /// For the other side to take the next bytes.
    pub write: Duration,
    /// For the answer to a goodbye. Whoever stops a run waits for it.
    pub goodbye: Duration,
}

impl Default for Timeouts {
    /// 20 seconds to connect; 5 minutes for answers, since servers may take that long to open a large folder; 2 seconds
    /// for a goodbye.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(20),
            read: Duration::from_secs(300),
            write: Duration::from_secs(120),
            goodbye: Duration::from_secs(2),
        }
    }
}

/// What the network may be used for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetPolicy {
    /// Whether a connection without TLS may leave this machine.
    pub allow_plaintext_beyond_loopback: bool,
    /// Host names, addresses and CIDR blocks that may be used although their addresses are link-local, metadata
    /// services or otherwise refused.
    pub allowed_hosts: Vec<String>,
    /// Whether only hosts of the internet are connected to, and private and loopback addresses only where the list
    /// above names them: for servers that strangers have named.
    pub public_only: bool,
    /// How long to wait.
    pub timeouts: Timeouts,
}

/// An account on an IMAP server.
#[derive(Clone)]
pub struct Account {
    /// The server's name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// True: the server's certificate is not verified.
    pub insecure_tls: bool,
    /// A file of PEM certificates that are trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Who logs in.
    pub user: String,
    /// Whose mailbox it is, where an administrator logs in for somebody else (the SASL authorization identity).
    pub authz: Option<String>,
    /// What proves it.
    pub secret: Credential,
    /// How often a message with several labels is read from Gmail (X-GM-EXT-1); `None` to read the folders as they are
    /// shown, as of an account that is written to.
    pub gmail_labels: Option<GmailLabels>,
    /// What the network may be used for.
    pub policy: NetPolicy,
}

impl Account {
    /// Whose mailbox it is.
    #[must_use]
    pub fn owner(&self) -> &str {
        self.authz.as_deref().unwrap_or(&self.user)
    }

    /// `host:port`.
    #[must_use]
    pub fn server(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// The account as people know it: `ana@example.com at imap.example.com:993`.
    #[must_use]
    pub fn label(&self) -> String {
        match &self.authz {
            Some(owner) => format!("{owner} at {} (logged in as {})", self.server(), self.user),
            None => format!("{} at {}", self.user, self.server()),
        }
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("security", &self.security)
            .field("insecure_tls", &self.insecure_tls)
            .field("ca_file", &self.ca_file)
            .field("user", &self.user)
            .field("authz", &self.authz)
            .field("secret", &self.secret)
            .field("gmail_labels", &self.gmail_labels)
            .field("policy", &self.policy)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_shows_no_secret() {
        let account = Account {
            host: "imap.example.com".into(),
            port: 993,
            security: Security::Tls,
            insecure_tls: false,
            ca_file: None,
            user: "ana".into(),
            authz: Some("rui".into()),
            secret: Credential::Password(Secret("hunter2".into())),
            gmail_labels: None,
            policy: NetPolicy::default(),
        };
        let shown = format!("{account:?} {:?}", Credential::token(Secret("hunter2".into())));
        assert!(!shown.contains("hunter2"), "{shown}");
        assert_eq!(account.label(), "rui at imap.example.com:993 (logged in as ana)");
    }
}
