//! How the service reaches mail without knowing protocols: whoever starts it hands in a maker of drivers.

use crate::{Courier, ExternalTools, NoTools, Outbound};
use gatepost_contract::{Inspection, Secret, Security, SourceType};
use gatepost_discovery::{NoProber, Prober};
use gatepost_transfer::{AccessTokens, Driver, Fault, FixedToken};
use gatepost_web::Web;
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio_util::sync::CancellationToken;

/// A secret, opened for the time of one run.
#[derive(Clone)]
pub enum Credential {
    /// A password.
    Password(Secret),
    /// What gives OAuth 2 access tokens. One is asked for at every connection.
    Oauth(Arc<dyn AccessTokens>),
}

impl Credential {
    /// One token, and no other after it.
    #[must_use]
    pub fn token(token: Secret) -> Self {
        Self::Oauth(Arc::new(FixedToken(token)))
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

/// How often a message of Gmail that has several labels arrives. In either case "All Mail" holds only mail without a
/// label.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GmailLabels {
    /// In the folder of each of its labels.
    #[default]
    Each,
    /// In the first of its folders: INBOX, Sent, Drafts, then the labels by their paths.
    Once,
}

/// Everything that is needed to reach an account on a server.
#[derive(Clone, Debug)]
pub struct Access {
    /// The server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// True: its certificate is not verified.
    pub insecure_tls: bool,
    /// Who logs in.
    pub user: String,
    /// Whose mailbox it is, where an administrator logs in for somebody else.
    pub authz: Option<String>,
    /// The secret.
    pub credential: Credential,
    /// Where a program on the server is run by SSH, where that is known: `USER@HOST:PORT`.
    pub ssh: Option<String>,
    /// Where the server answers HTTPS, where that is not its own name: `https://HOST:PORT`.
    pub web: Option<String>,
    /// How labels of Gmail are read; `None` for an account that is written to.
    pub gmail_labels: Option<GmailLabels>,
    /// Certificates to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Plain connections beyond the loopback addresses.
    pub allow_plaintext: bool,
    /// Hosts that may be used although their addresses are refused otherwise.
    pub allowed_hosts: Vec<String>,
}

impl Access {
    /// Whose mailbox it is.
    #[must_use]
    pub fn owner(&self) -> &str {
        self.authz.as_deref().unwrap_or(&self.user)
    }

    /// Who logs in, and for whom where these are two: `(user, authz)`.
    #[must_use]
    pub fn identities(owner: String, admin: Option<String>) -> (String, Option<String>) {
        match admin {
            Some(admin) if admin != owner => (admin, Some(owner)),
            _ => (owner, None),
        }
    }
}

/// A file of mail that lies on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailFile {
    /// Its number among the files of its mailbox: the upper part of its messages' UIDs.
    pub slot: u8,
    /// Where its bytes lie.
    pub path: PathBuf,
    /// What people call it.
    pub name: String,
    /// What it is.
    pub kind: SourceType,
    /// The SHA-256 of its bytes, in hex, where it is known.
    pub sha256: Option<String>,
    /// Whether it is a file of the server, which its owner may change, and not one that was uploaded.
    pub in_place: bool,
    /// Where what a scan of it found is kept; made again where it is missing or of no use.
    pub catalogue: PathBuf,
    /// Where readpst writes its messages, where their bytes are to be readpst's.
    pub extracted: Option<PathBuf>,
}

/// The files of a mailbox, which are read as one account.
#[derive(Clone, Debug)]
pub struct FileAccess {
    /// The account as people know it: `archive.pst of ana@example.com`.
    pub label: String,
    /// What names the account as long as it lives, whichever files it has at the moment: its messages' numbers hold as
    /// long as this is the same.
    pub seed: String,
    /// Its files, by their numbers.
    pub files: Vec<MailFile>,
    /// A private folder for what must be unpacked to be read.
    pub work: PathBuf,
    /// How many bytes an archive may unpack to.
    pub most_unpacked: u64,
    /// Bytes that must stay free on the disk; `None` for what is usual for its size.
    pub reserve: Option<u64>,
}

/// Makes drivers.
pub trait Drivers: Send + Sync {
    /// A driver for an IMAP account. Nothing is connected yet.
    fn imap(&self, access: Access) -> Arc<dyn Driver>;

    /// A driver for the files of a mailbox. It can be read from only. Nothing is opened yet.
    fn files(&self, access: FileAccess) -> Arc<dyn Driver>;

    /// Reads one file of a mailbox through, named by its number: writes its catalogue, and what is no mail into `items`
    /// where a path is given. Blocks for as long as that takes; tells how many of how many bytes it has gone through.
    ///
    /// # Errors
    /// A fault of the kind `Damaged` or `WrongService` where the file is of no use, `Cancelled`, or `Internal`.
    fn inspect(
        &self,
        access: &FileAccess,
        slot: u8,
        items: Option<&Path>,
        progress: &mut dyn FnMut(u64, u64),
        cancel: &CancellationToken,
    ) -> Result<Inspection, Fault>;

    /// Whether the catalogue that lies there was made by another version, so that its file is to be read through again
    /// before anything is told of it.
    fn is_outdated(&self, _catalogue: &Path) -> bool {
        false
    }

    /// External programs.
    fn tools(&self) -> &dyn ExternalTools {
        &NoTools
    }

    /// What posts to addresses outside. It is made once.
    fn courier(&self, outbound: Outbound) -> Arc<dyn Courier>;

    /// What asks web servers for the protocols on top of HTTP. It is made once.
    fn web(&self, outbound: Outbound) -> Arc<dyn Web>;

    /// What tries servers that strangers have named, without logging in.
    fn prober(&self, _: Outbound) -> Arc<dyn Prober> {
        Arc::new(NoProber)
    }
}
