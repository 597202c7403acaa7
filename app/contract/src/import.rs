//! Mailboxes from a file: what it holds, before anything is stored.

use crate::{FieldError, JobId, Security, SourceType, Tool};
use serde::{Deserialize, Serialize};

/// A line of a file that would become a mailbox. Its secrets are not shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ImportLine {
    /// Its number in the file.
    pub line: i64,
    /// The address.
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
    /// The log-in name there, where it is not the address.
    pub source_user: Option<String>,
    /// Who logs in there for that user.
    pub source_admin: Option<String>,
    /// The log-in name at the new server, where it is not the address.
    pub dest_user: Option<String>,
    /// Who logs in there for that user.
    pub dest_admin: Option<String>,
    /// Whether the file has a secret for the old server.
    pub has_source_secret: bool,
    /// Whether the file has a secret for the new server.
    pub has_dest_secret: bool,
    /// How many folders are told where to go.
    pub mapped_folders: i64,
    /// The wave that the mailbox joins.
    pub wave: Option<String>,
}

/// What a file holds. Nothing of it is stored as mailboxes yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ImportPreview {
    /// Names it until it is stored or has expired.
    pub id: String,
    /// The job that it is for.
    pub job_id: JobId,
    /// Lines with a mailbox, the wrong ones included.
    pub lines: i64,
    /// The mailboxes in the order of the lines, without the wrong lines.
    pub mailboxes: Vec<ImportLine>,
    /// What is wrong; nothing is stored while there is anything. The field is `line 12: email`.
    pub errors: Vec<FieldError>,
    /// What should be looked at: mailboxes without a secret, of another domain.
    pub warnings: Vec<String>,
    /// When it is forgotten.
    pub expires_at: String,
}
