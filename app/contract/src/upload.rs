//! Files that are sources of a mailbox: how they come, what is in them.

use crate::{JobId, MailboxId, RunId, SpecialUse, UploadOrigin, UploadState};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A file of a mailbox, from its first byte to its deletion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Upload {
    /// Its id: a UUID, which is also its name on disk.
    pub id: String,
    /// The mailbox whose mail it holds.
    pub mailbox_id: MailboxId,
    /// That mailbox's job.
    pub job_id: JobId,
    /// Its number among the files of the mailbox, from 0; never given twice.
    pub slot: u32,
    /// What it was called where it came from.
    pub name: String,
    /// How it came.
    pub origin: UploadOrigin,
    /// Where it stands.
    pub state: UploadState,
    /// Bytes that it has in all.
    pub bytes: i64,
    /// Bytes that have arrived.
    pub received: i64,
    /// The SHA-256 of its bytes, in hex, once all are there.
    pub sha256: Option<String>,
    /// The run that reads it through, or did.
    pub run_id: Option<RunId>,
    /// What is in it, once it was read through.
    pub inspection: Option<Inspection>,
    /// Why it cannot be used, and what to do.
    pub error: Option<String>,
    /// Who brought it.
    pub created_by: String,
    /// When.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
    /// An unfinished upload is removed then; a finished one by the rule of retention.
    pub expires_at: Option<String>,
    /// Since when its bytes are gone.
    pub deleted_at: Option<String>,
}

/// A file that is to come by tus or in parts.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewUpload {
    /// The mailbox whose mail it holds; its source type is pst, mbox, eml or tgz.
    pub mailbox_id: MailboxId,
    /// What it is called; only for people.
    pub name: String,
    /// Bytes that will come.
    pub bytes: i64,
    /// The SHA-256 of all of it, in hex, where the sender knows it.
    #[serde(default)]
    pub sha256: Option<String>,
    /// What the sender tells of it, as it was written (tus: `Upload-Metadata`); given back as it came.
    #[serde(default)]
    pub metadata: Option<String>,
}

/// A file or folder that lies on the server already.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServerFile {
    /// Its path below the allowed folder (`GATEPOST_IMPORT_PATH`).
    pub path: String,
}

/// A piece of an upload as it arrived: what a browser compares before it goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UploadPiece {
    /// Where it begins.
    pub offset: i64,
    /// Its bytes.
    pub bytes: i64,
    /// Their SHA-256, in hex.
    pub sha256: String,
}

/// What reading a file through found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Inspection {
    /// What it is: `PST, Unicode`.
    pub format: String,
    /// How its bytes are encoded, where that is a question.
    pub encoding: Option<String>,
    /// Its folders, in their order.
    pub folders: Vec<InspectedFolder>,
    /// Messages in all.
    pub messages: u64,
    /// Their bytes, as messages.
    pub bytes: u64,
    /// The largest of them.
    pub largest: u64,
    /// Everything that the file holds, mail or not.
    pub items: u64,
    /// What is no mail, by kind: contacts, appointments, …
    pub others: BTreeMap<String, u64>,
    /// Messages that are known to be there and cannot be read.
    pub unreadable: u64,
    /// Messages that were found beside the file's own index, after damage.
    pub salvaged: u64,
    /// Messages that are in the file more than once, in the same folder with the same bytes: how many beyond the first.
    pub repeated: u64,
    /// Messages that an earlier file of this mailbox holds in the same folder: they are copied once.
    pub overlapping: u64,
    /// Sentences about content that is missing: a part that is cut off, a folder that cannot be read, more declared than
    /// found.
    #[serde(default)]
    pub losses: Vec<String>,
    /// Sentences about damage that cost nothing, and about what was left out on purpose.
    pub damage: Vec<String>,
    /// Whether what is no mail can be downloaded.
    pub has_items: bool,
}

/// A folder of a file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InspectedFolder {
    /// Its path, `/` between levels.
    pub path: String,
    /// What it is for, where the file says so.
    pub special_use: Option<SpecialUse>,
    /// Items of any class.
    pub items: u64,
    /// Items by class: `IPM.Note`.
    pub classes: BTreeMap<String, u64>,
    /// Messages.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When the oldest was received.
    pub oldest: Option<String>,
    /// When the newest was received.
    pub newest: Option<String>,
    /// Some of them.
    pub samples: Vec<SampleMessage>,
}

/// A message by the headers that a person knows it by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SampleMessage {
    /// From.
    pub from: String,
    /// Subject.
    pub subject: String,
    /// When it was received.
    pub date: String,
    /// Its bytes.
    pub size: u64,
    /// What a person should know of it.
    pub note: Option<String>,
}
