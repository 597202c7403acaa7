//! The closed sets of names that the data model fixes.

use crate::names::{UnknownName, names};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

names! {
    /// Where a job stands. The table of possible transitions lives in the gate crate.
    "phase" Phase {
        /// The job exists, nothing was looked at yet.
        Discovered = "discovered",
        /// Both servers are being, or were, looked at.
        Preflight = "preflight",
        /// The first copy.
        InitialSync = "initial_sync",
        /// Copies of what is new since.
        DeltaSync = "delta_sync",
        /// The gate is open; the MX may be changed.
        CutoverReady = "cutover_ready",
        /// The MX was changed.
        DnsCutover = "dns_cutover",
        /// Stragglers are fetched from the old server.
        FinalSync = "final_sync",
        /// The last verification found everything.
        Verified = "verified",
        /// Done.
        Closed = "closed",
        /// Every mailbox of the last start failed; a retry returns to the phase that failed.
        Failed = "failed",
    }
}

names! {
    /// The verdict on a job.
    "gate" Gate {
        /// A check fails: the MX must not be changed.
        Blocked = "blocked",
        /// No check fails, but one warns or the approval is missing.
        Warning = "warning",
        /// Approved on evidence: the MX may be changed.
        ReadyForDns = "ready_for_dns",
    }
}

impl Gate {
    /// Whether the MX may be changed.
    #[must_use]
    pub const fn dns_allowed(self) -> bool {
        matches!(self, Self::ReadyForDns)
    }
}

names! {
    /// The result of one check.
    "check status" CheckStatus {
        /// In order.
        Pass = "pass",
        /// A person should look.
        Warn = "warn",
        /// The gate stays shut.
        Fail = "fail",
    }
}

names! {
    /// What the gate looks at.
    "check" CheckId {
        /// Arrived ÷ source, of the worst mailbox.
        CountRatio = "count_ratio",
        /// Every source folder was visited and is mapped.
        FolderCoverage = "folder_coverage",
        /// Nothing unexplained is missing from any INBOX.
        InboxComplete = "inbox_complete",
        /// The same for the folder of sent mail.
        SentComplete = "sent_complete",
        /// What was re-read carries the same content, date, folder and flags.
        ContentMatch = "content_match",
        /// No open quarantine item.
        PstQuarantine = "pst_quarantine",
        /// The last delta is recent, ended well and left nothing pending.
        DeltaPending = "delta_pending",
        /// An ops lead or super admin approved this evidence.
        ManualApproval = "manual_approval",
    }
}

impl CheckId {
    /// What the check is called where people read it, in English.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::CountRatio => "Messages arrived",
            Self::FolderCoverage => "Folders covered",
            Self::InboxComplete => "Inbox complete",
            Self::SentComplete => "Sent mail complete",
            Self::ContentMatch => "Content identical",
            Self::PstQuarantine => "Quarantine empty",
            Self::DeltaPending => "Delta recent",
            Self::ManualApproval => "Approved by a person",
        }
    }
}

names! {
    /// What a person may do.
    "role" Role {
        /// Opens jobs and runs them.
        Technician = "technician",
        /// Approves the gate, waives messages.
        OpsLead = "ops_lead",
        /// Users, tokens, overrides.
        SuperAdmin = "super_admin",
    }
}

names! {
    /// What a service token may do.
    "scope" Scope {
        /// Ask the gate.
        GateRead = "gate:read",
        /// Report that the MX was changed.
        DnsWrite = "dns:write",
        /// Read jobs, runs and evidence.
        JobsRead = "jobs:read",
        /// Read the measurements for Prometheus.
        MetricsRead = "metrics:read",
    }
}

names! {
    /// Where a mailbox's mail comes from.
    "source type" SourceType {
        /// An IMAP server with a password.
        Imap = "imap",
        /// An IMAP server with an OAuth 2 token.
        ImapOauth = "imap_oauth",
        /// An Outlook file.
        Pst = "pst",
        /// An mbox file.
        Mbox = "mbox",
        /// A folder or zip of messages.
        Eml = "eml",
        /// A Zimbra export.
        Tgz = "tgz",
        /// A Zimbra server.
        Zimbra = "zimbra",
        /// A Dovecot server.
        Dovecot = "dovecot",
    }
}

impl SourceType {
    /// Whether the mail comes from files that are uploaded, and not from a server.
    #[must_use]
    pub const fn is_file(self) -> bool {
        matches!(self, Self::Pst | Self::Mbox | Self::Eml | Self::Tgz)
    }
}

names! {
    /// How a connection is protected.
    "security" Security {
        /// TLS from the first byte (port 993).
        Tls = "tls",
        /// STARTTLS on the plain port (143).
        Starttls = "starttls",
        /// None: loopback addresses only, unless the configuration allows it.
        Plain = "plain",
    }
}

impl Security {
    /// The port that the protocol assigns.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Tls => 993,
            Self::Starttls | Self::Plain => 143,
        }
    }
}

names! {
    /// How a mailbox stands.
    "mailbox status" MailboxStatus {
        /// Nothing has run yet.
        Pending = "pending",
        /// A run is at work.
        Syncing = "syncing",
        /// The last run ended well.
        Ok = "ok",
        /// The last run failed; `last_error` says why.
        Error = "error",
        /// Messages wait in quarantine.
        Quarantine = "quarantine",
    }
}

names! {
    /// What a run does.
    "run type" RunType {
        /// Looks at both servers, changes nothing.
        Preflight = "preflight",
        /// The first copy.
        Initial = "initial",
        /// What is new since.
        Delta = "delta",
        /// The copy after the MX was changed.
        Final = "final",
        /// Re-reads both servers.
        Verify = "verify",
        /// Takes mail out of a PST file.
        PstExtract = "pst_extract",
        /// Appends mail taken out of a PST file.
        PstUpload = "pst_upload",
        /// Exports a Zimbra mailbox.
        TgzExport = "tgz_export",
        /// Imports a Zimbra mailbox.
        TgzImport = "tgz_import",
    }
}

names! {
    /// What does the work of a run.
    "tool" Tool {
        /// The built-in engine.
        Native = "native",
        /// imapsync.
        Imapsync = "imapsync",
        /// readpst.
        Readpst = "readpst",
        /// imap_upload.py.
        ImapUpload = "imap-upload",
        /// zmmailbox.
        Zmmailbox = "zmmailbox",
        /// doveadm.
        Doveadm = "doveadm",
        /// Gatepost's own verification.
        Verify = "verify",
    }
}

impl Tool {
    /// What can copy a mailbox, in the order in which it is offered.
    pub const ENGINES: [Self; 6] =
        [Self::Native, Self::Imapsync, Self::Doveadm, Self::Zmmailbox, Self::Readpst, Self::ImapUpload];

    /// Whether it can be chosen for mail that comes from there.
    #[must_use]
    pub const fn reads(self, source: SourceType) -> bool {
        match self {
            Self::Native => true,
            Self::Readpst | Self::ImapUpload => matches!(source, SourceType::Pst),
            Self::Imapsync => !source.is_file(),
            Self::Doveadm => matches!(source, SourceType::Dovecot),
            Self::Zmmailbox => matches!(source, SourceType::Zimbra),
            Self::Verify => false,
        }
    }

    /// Whether it moves whole accounts by itself, with a log of its own.
    #[must_use]
    pub const fn moves_accounts(self) -> bool {
        matches!(self, Self::Imapsync | Self::Doveadm | Self::Zmmailbox)
    }
}

names! {
    /// How a run stands.
    "run status" RunStatus {
        /// Waiting for a worker.
        Queued = "queued",
        /// At work.
        Running = "running",
        /// All done.
        Success = "success",
        /// Ended with something left over, or cancelled; safe to run again.
        Partial = "partial",
        /// Could not do its work.
        Failed = "failed",
    }
}

impl RunStatus {
    /// Whether nothing more will happen in the run.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Success | Self::Partial | Self::Failed)
    }
}

names! {
    /// Where a source message stands. The four add up to what the source holds.
    "message state" MessageState {
        /// Its arrival was proved by a verification, or recorded by the engine and not yet disproved.
        Arrived = "arrived",
        /// Not copied yet, or found missing again.
        Pending = "pending",
        /// Refused, with a cause.
        Quarantined = "quarantined",
        /// Given up on purpose: by whom and why is recorded.
        Waived = "waived",
    }
}

names! {
    /// How a message at the destination compares with its source.
    "fidelity" Fidelity {
        /// The same bytes.
        Identical = "identical",
        /// Only line endings or a header that the server adds on delivery differ.
        Equivalent = "equivalent",
        /// The server rebuilt the MIME structure; headers and parts agree.
        Rewritten = "rewritten",
        /// Something else.
        Changed = "changed",
    }
}

names! {
    /// Why a message is not simply *arrived*, for programs; a sentence beside it says it for people.
    "cause" CauseKind {
        /// No run has copied it yet.
        NotCopied = "not_copied",
        /// It came to the source after the last sync.
        New = "new",
        /// It had been copied and is no longer at the destination.
        Gone = "gone",
        /// It lies in another folder of the destination.
        Misplaced = "misplaced",
        /// Its folder is not at the destination.
        NoFolder = "no_folder",
        /// A server has numbered its messages anew (UIDVALIDITY).
        Renumbered = "renumbered",
        /// The destination holds more than one copy of it in its folder.
        Doubled = "doubled",
        /// Its bytes at the destination are others.
        Content = "content",
        /// Its copy is shorter than it, or ends early.
        Truncated = "truncated",
        /// Its date of arrival (INTERNALDATE) at the destination is another.
        Date = "date",
        /// The destination refuses messages of its size.
        TooLarge = "too_large",
        /// The destination refused it for another reason.
        Refused = "refused",
        /// The source could not deliver it.
        Unreadable = "unreadable",
        /// The connection broke at it again and again.
        Disconnects = "disconnects",
    }
}

names! {
    /// How thoroughly a verification reads.
    "depth" Depth {
        /// Counts and sizes of folders.
        Quick = "quick",
        /// Every message on both sides by UID, size, date, flags and Message-Id; bodies in doubt are re-read.
        Standard = "standard",
        /// Bodies too are read again on both sides and compared: a sample of them, or all.
        Deep = "deep",
    }
}

names! {
    /// What a folder is for (RFC 6154), and INBOX.
    "special use" SpecialUse {
        /// The inbox.
        Inbox = "inbox",
        /// A view of all mail.
        All = "all",
        /// Archived mail.
        Archive = "archive",
        /// Drafts.
        Drafts = "drafts",
        /// Flagged mail.
        Flagged = "flagged",
        /// Spam.
        Junk = "junk",
        /// Sent mail.
        Sent = "sent",
        /// Deleted mail.
        Trash = "trash",
    }
}

names! {
    /// How loud a log line is.
    "level" Level {
        /// For those who look closely.
        Debug = "debug",
        /// Progress.
        Info = "info",
        /// Something a person should know.
        Warn = "warn",
        /// Something failed.
        Error = "error",
    }
}
