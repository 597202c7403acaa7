//! The residue: what has not arrived as it should, message by message, how it is tried again or given up on purpose.

use crate::{CauseKind, Fidelity, FolderId, MailboxId, MessageId, MessageState, RunId, WaiverId};
use serde::{Deserialize, Serialize};

/// One message that has not arrived as it should.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Residue {
    /// The ledger's row.
    pub message_id: MessageId,
    /// The mailbox.
    pub mailbox_id: MailboxId,
    /// Its address.
    pub email: String,
    /// The folder.
    pub folder_id: FolderId,
    /// Its path at the source.
    pub folder: String,
    /// The UID at the source.
    pub source_uid: i64,
    /// `pending`, `quarantined` or `waived`; `arrived` for one that has changed on the way or lies there twice.
    pub state: MessageState,
    /// How the copy compares, where there is one.
    pub fidelity: Option<Fidelity>,
    /// INTERNALDATE.
    pub internal_date: String,
    /// Bytes.
    pub size: i64,
    /// The Message-Id header.
    pub message_id_header: Option<String>,
    /// The From header, decoded, where it was read.
    #[serde(default)]
    pub from: Option<String>,
    /// The Subject header, decoded, where it was read.
    #[serde(default)]
    pub subject: Option<String>,
    /// The Date header, where it was read.
    #[serde(default)]
    pub date: Option<String>,
    /// Why, for programs.
    #[serde(default)]
    pub cause_kind: Option<CauseKind>,
    /// Why, in one sentence with what to do.
    pub cause: Option<String>,
    /// When it was first listed.
    pub first_seen_at: String,
    /// By whom it was given up, and why.
    #[serde(default)]
    pub waiver: Option<Waiver>,
}

/// A message given up on purpose, as it stands beside the message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Waiver {
    /// Its id.
    pub id: WaiverId,
    /// What it has in common with others that were given at once.
    pub batch: Option<String>,
    /// By whom.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: String,
}

/// One decision to give messages up: one message, or a class of them at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WaiverDecision {
    /// The id of its first waiver.
    pub id: WaiverId,
    /// What its waivers have in common.
    pub batch: Option<String>,
    /// By whom.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: String,
    /// How many messages it was about.
    pub messages: i64,
    /// How many of them it still covers.
    pub standing: i64,
    /// In how many mailboxes they are.
    pub mailboxes: i64,
    /// The mailbox's address, where it is one.
    pub email: Option<String>,
    /// The folder's path at the source, where it is one and the messages are still there.
    pub folder: Option<String>,
    /// The cause, where all have the same.
    pub cause_kind: Option<CauseKind>,
    /// When the last of them expired or was taken back.
    pub expired_at: Option<String>,
    /// Why it did.
    pub expired_why: Option<String>,
}

/// Which residue is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema, utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct ResidueFilter {
    /// Of this mailbox.
    #[serde(default)]
    pub mailbox_id: Option<MailboxId>,
    /// Of this folder.
    #[serde(default)]
    pub folder_id: Option<FolderId>,
    /// In this state.
    #[serde(default)]
    pub state: Option<MessageState>,
    /// For this reason.
    #[serde(default)]
    pub cause_kind: Option<CauseKind>,
    /// With all of these words in sender, subject, Message-Id, folder, address or cause.
    #[serde(default)]
    pub q: Option<String>,
}

/// The messages of a folder that stand in one state for one reason: a class that can be handled at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ResidueClass {
    /// The mailbox.
    pub mailbox_id: MailboxId,
    /// Its address.
    pub email: String,
    /// The folder.
    pub folder_id: FolderId,
    /// Its path at the source.
    pub folder: String,
    /// Where they stand.
    pub state: MessageState,
    /// Why, where that is known.
    pub cause_kind: Option<CauseKind>,
    /// How many they are.
    pub messages: i64,
    /// Their bytes.
    pub bytes: i64,
}

/// Why a message is given up.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WaiveRequest {
    /// 10 to 2,000 characters.
    pub reason: String,
}

/// A class of messages to be given up at once. What is left out does not narrow it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WaiveMany {
    /// Of this mailbox.
    #[serde(default)]
    pub mailbox_id: Option<MailboxId>,
    /// Of this folder.
    #[serde(default)]
    pub folder_id: Option<FolderId>,
    /// In this state; what is waived already is left alone.
    #[serde(default)]
    pub state: Option<MessageState>,
    /// For this reason.
    #[serde(default)]
    pub cause_kind: Option<CauseKind>,
    /// With all of these words in sender, subject, Message-Id, folder, address or cause.
    #[serde(default)]
    pub q: Option<String>,
    /// Only these messages, at most 500.
    #[serde(default)]
    pub message_ids: Vec<MessageId>,
    /// 10 to 2,000 characters.
    pub reason: String,
    /// How many messages were shown; refused when there are more or fewer by now.
    pub expected_count: i64,
}

impl WaiveMany {
    /// Which messages are meant.
    #[must_use]
    pub fn filter(&self) -> ResidueFilter {
        ResidueFilter {
            mailbox_id: self.mailbox_id,
            folder_id: self.folder_id,
            state: self.state,
            cause_kind: self.cause_kind,
            q: self.q.clone(),
        }
    }
}

/// A class of quarantined messages to be tried again at once. What is left out does not narrow it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RetryMany {
    /// Of this mailbox.
    #[serde(default)]
    pub mailbox_id: Option<MailboxId>,
    /// Of this folder.
    #[serde(default)]
    pub folder_id: Option<FolderId>,
    /// For this reason.
    #[serde(default)]
    pub cause_kind: Option<CauseKind>,
    /// With all of these words in sender, subject, Message-Id, folder, address or cause.
    #[serde(default)]
    pub q: Option<String>,
    /// Only these messages, at most 500.
    #[serde(default)]
    pub message_ids: Vec<MessageId>,
    /// How many messages were shown; where given, refused when there are more or fewer by now.
    #[serde(default)]
    pub expected_count: Option<i64>,
}

impl RetryMany {
    /// Which messages are meant.
    #[must_use]
    pub fn filter(&self) -> ResidueFilter {
        ResidueFilter {
            mailbox_id: self.mailbox_id,
            folder_id: self.folder_id,
            state: Some(MessageState::Quarantined),
            cause_kind: self.cause_kind,
            q: self.q.clone(),
        }
    }
}

/// What a retry set off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Retried {
    /// How many messages are pending again.
    pub messages: i64,
    /// The runs that copy them, one for each mailbox.
    pub run_ids: Vec<RunId>,
}

/// The headers of a message as text. Characters that would steer a terminal or a page are made visible.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MessageHeaders {
    /// The ledger's row.
    pub message_id: MessageId,
    /// Line by line, as the source delivered them.
    pub lines: Vec<String>,
    /// Whether there are more than the 64 KiB that are shown.
    pub truncated: bool,
}
