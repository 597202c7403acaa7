//! Mailboxes of a job.

use crate::{FolderId, JobId, MailboxId, MailboxStatus, Secret, Security, SourceType, SpecialUse, Tool};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A mailbox, without its secrets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Mailbox {
    /// Its id.
    pub id: MailboxId,
    /// The job it belongs to.
    pub job_id: JobId,
    /// Its address.
    pub email: String,
    /// Where its mail comes from.
    pub source_type: SourceType,
    /// What does the copying.
    pub tool: Tool,
    /// The old server.
    pub source_host: Option<String>,
    /// Its port.
    pub source_port: Option<u16>,
    /// How the connection to it is protected.
    pub source_security: Option<Security>,
    /// True: the old server's certificate is not verified. Shown as a warning.
    pub source_insecure_tls: bool,
    /// The log-in name there; the address where left out.
    pub source_user: Option<String>,
    /// Who logs in there for that user, by SASL PLAIN (RFC 4616); the user where left out.
    pub source_admin: Option<String>,
    /// Where a program on the old server is run by SSH, `USER@HOST:PORT`: zmmailbox, or doveadm.
    #[serde(default)]
    pub source_ssh: Option<String>,
    /// The old server's web address, `https://HOST:PORT`, where Zimbra exports from; `https://` and the old server
    /// where left out.
    #[serde(default)]
    pub source_web: Option<String>,
    /// The log-in name at the new server; the address where left out.
    pub dest_user: Option<String>,
    /// Who logs in there for that user; the user where left out.
    pub dest_admin: Option<String>,
    /// Whether a secret for the old server is stored.
    pub has_source_secret: bool,
    /// Whether a secret for the new server is stored.
    pub has_dest_secret: bool,
    /// Where folders go that shall not go where the mapping would put them.
    pub folder_map: BTreeMap<String, String>,
    /// Messages at the source, by the last count.
    pub messages_source: i64,
    /// Messages that have arrived.
    pub messages_dest: i64,
    /// Bytes at the source.
    pub bytes_source: i64,
    /// Bytes that have arrived.
    pub bytes_dest: i64,
    /// Arrived ÷ source, 0 to 100.
    pub sync_percent: f64,
    /// Why the last run failed, and what to do.
    pub last_error: Option<String>,
    /// How it stands.
    pub status: MailboxStatus,
    /// When it was added.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
}

/// A secret for one side: exactly one of the two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SecretInput {
    /// A password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// An OAuth 2 access token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oauth_token: Option<Secret>,
}

/// A new mailbox.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewMailbox {
    /// Its address, in the job's domain or any other.
    pub email: String,
    /// Where its mail comes from.
    pub source_type: SourceType,
    /// `native` where left out.
    #[serde(default)]
    pub tool: Option<Tool>,
    /// The old server.
    #[serde(default)]
    pub source_host: Option<String>,
    /// Its port; the one of the security where left out.
    #[serde(default)]
    pub source_port: Option<u16>,
    /// `tls` where left out.
    #[serde(default)]
    pub source_security: Option<Security>,
    /// True: do not verify the old server's certificate.
    #[serde(default)]
    pub source_insecure_tls: bool,
    /// The log-in name there; the address where left out.
    #[serde(default)]
    pub source_user: Option<String>,
    /// An administrator who logs in there for that user; the secret is the administrator's then.
    #[serde(default)]
    pub source_admin: Option<String>,
    /// Where a program on the old server is run by SSH, `USER@HOST:PORT`; for zimbra and dovecot. An ops_lead or
    /// super_admin sets it, because that program asks for no mailbox's password.
    #[serde(default)]
    pub source_ssh: Option<String>,
    /// The old server's web address, `https://HOST:PORT`; for zimbra.
    #[serde(default)]
    pub source_web: Option<String>,
    /// The secret for the old server.
    #[serde(default)]
    pub source_secret: Option<SecretInput>,
    /// The log-in name at the new server; the address where left out.
    #[serde(default)]
    pub dest_user: Option<String>,
    /// An administrator who logs in there for that user; the secret is the administrator's then.
    #[serde(default)]
    pub dest_admin: Option<String>,
    /// The secret for the new server.
    #[serde(default)]
    pub dest_secret: Option<SecretInput>,
    /// Where folders go that shall not go where the mapping would put them.
    #[serde(default)]
    pub folder_map: BTreeMap<String, String>,
}

/// What changes about a mailbox; what is left out stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MailboxPatch {
    /// Another engine.
    #[serde(default)]
    pub tool: Option<Tool>,
    /// Another old server.
    #[serde(default)]
    pub source_host: Option<String>,
    /// Its port.
    #[serde(default)]
    pub source_port: Option<u16>,
    /// How the connection to it is protected.
    #[serde(default)]
    pub source_security: Option<Security>,
    /// Whether its certificate goes unverified.
    #[serde(default)]
    pub source_insecure_tls: Option<bool>,
    /// Another log-in name there.
    #[serde(default)]
    pub source_user: Option<String>,
    /// Another administrator who logs in there; empty for none.
    #[serde(default)]
    pub source_admin: Option<String>,
    /// Another place where a program on the old server is run by SSH; empty for none. It is forgotten when the old server
    /// changes.
    #[serde(default)]
    pub source_ssh: Option<String>,
    /// Another web address of the old server; empty for none.
    #[serde(default)]
    pub source_web: Option<String>,
    /// A new secret for the old server.
    #[serde(default)]
    pub source_secret: Option<SecretInput>,
    /// Another log-in name at the new server.
    #[serde(default)]
    pub dest_user: Option<String>,
    /// Another administrator who logs in there; empty for none.
    #[serde(default)]
    pub dest_admin: Option<String>,
    /// A new secret for the new server.
    #[serde(default)]
    pub dest_secret: Option<SecretInput>,
    /// A new folder map; it replaces the old one whole.
    #[serde(default)]
    pub folder_map: Option<BTreeMap<String, String>>,
}

/// A folder of a mailbox and what the ledger holds of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Folder {
    /// Its id.
    pub id: FolderId,
    /// Its path at the source, `/` between levels, decoded.
    pub source_path: String,
    /// Where it goes.
    pub dest_path: String,
    /// What it is for.
    pub special_use: Option<SpecialUse>,
    /// Messages that the source held at the last listing.
    pub messages: i64,
    /// Their bytes.
    pub bytes: i64,
    /// How many of them have arrived.
    pub arrived: i64,
    /// Not yet.
    pub pending: i64,
    /// Refused.
    pub quarantined: i64,
    /// Given up on purpose.
    pub waived: i64,
    /// When a run last listed it.
    pub visited_at: Option<String>,
}

/// What an import of mailboxes stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Imported {
    /// The new mailboxes, in the order of the lines.
    pub mailbox_ids: Vec<MailboxId>,
}
