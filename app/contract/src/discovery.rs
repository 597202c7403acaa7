//! Settings of a mail server that were found from a domain: proposals, never applied by themselves.

use crate::{
    Security, SourceType,
    names::{UnknownName, names},
};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

names! {
    /// Where a proposal comes from.
    "origin of a proposal" ProposalOrigin {
        /// SRV records of the domain (RFC 6186, RFC 8314).
        Srv = "srv",
        /// The domain's own autoconfig file, or that of its mail provider.
        Autoconfig = "autoconfig",
        /// Thunderbird's public database.
        Ispdb = "ispdb",
        /// Autodiscover, as Outlook asks for it.
        Autodiscover = "autodiscover",
        /// The MX belongs to a provider whose settings are known.
        Provider = "provider",
        /// A usual name.
        Guess = "guess",
    }
}

names! {
    /// How sure a proposal is.
    "confidence" Confidence {
        /// Said by who is responsible for it, and an IMAP server with a fitting certificate answers there.
        Sure = "sure",
        /// One of the two.
        Likely = "likely",
        /// Worth a try.
        Possible = "possible",
    }
}

names! {
    /// What one logs in with.
    "form of a log-in name" LoginName {
        /// The whole address.
        Address = "address",
        /// What stands before its `@`.
        Local = "local",
        /// Something else, which only the mailbox's owner or the provider knows.
        Other = "other",
    }
}

names! {
    /// What came of one way of looking for settings.
    "outcome" SearchOutcome {
        /// It gave proposals.
        Found = "found",
        /// There is nothing of the kind.
        Nothing = "nothing",
        /// It could not be found out.
        Failed = "failed",
        /// It was not tried.
        Skipped = "skipped",
    }
}

/// Settings for reaching the mailboxes of a domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Proposal {
    /// The server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// `imap`, or `imap_oauth` where the provider takes no passwords.
    pub source_type: SourceType,
    /// What one logs in with.
    pub login: LoginName,
    /// Who said so, the most trustworthy first.
    pub origins: Vec<ProposalOrigin>,
    /// How sure it is.
    pub confidence: Confidence,
    /// Where it comes from and what came of trying it, in sentences.
    pub why: String,
    /// What has to be done before it works: an app password, IMAP switched on, a consent.
    pub advice: Option<String>,
    /// What the server said of itself when it was tried: its greeting.
    pub greeting: Option<String>,
    /// What it can do, by its own word.
    pub capabilities: Vec<String>,
}

impl Proposal {
    /// `host:port:security`: how a form refers to it.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}:{}:{}", self.host, self.port, self.security)
    }

    /// The log-in name of an address, where it differs from the address.
    #[must_use]
    pub fn user_of(&self, address: &str) -> Option<String> {
        match self.login {
            LoginName::Local => address.rsplit_once('@').map(|(local, _)| local.to_owned()),
            LoginName::Address | LoginName::Other => None,
        }
    }
}

/// One way of looking, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Searched {
    /// Which way.
    pub way: ProposalOrigin,
    /// What came of it.
    pub outcome: SearchOutcome,
    /// The same in a sentence.
    pub sentence: String,
}

/// What was found of a domain's mail servers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Discovery {
    /// The domain, A-labels in lower case.
    pub domain: String,
    /// The MX hosts, the preferred first.
    pub mx: Vec<String>,
    /// Whose the MX is, where it is known.
    pub provider: Option<String>,
    /// Proposals, the surest first.
    pub proposals: Vec<Proposal>,
    /// What was looked for and what came of it.
    pub searched: Vec<Searched>,
    /// What a person should know before anything else: the MX is a filter, the domain takes no mail.
    pub notes: Vec<String>,
}

/// For whom settings are wanted: an address or a domain, one of the two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema, utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct DiscoveryQuery {
    /// A domain.
    #[serde(default)]
    pub domain: Option<String>,
    /// An address in it. Some servers answer only when they are asked for one; it is sent to the domain's own servers
    /// alone, and over verified TLS.
    #[serde(default)]
    pub email: Option<String>,
}
