//! States, roles, checks and the like, in the language of the request.

use gatepost_contract::{
    CheckId, CheckStatus, Depth, Fidelity, Gate, Level, MailboxStatus, MessageState, Phase, Role, RunStatus, RunType,
    Scope, Security, SourceType, SpecialUse, Tool,
};

/// Where a job stands.
pub fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Discovered => t!(phase.discovered),
        Phase::Preflight => t!(phase.preflight),
        Phase::InitialSync => t!(phase.initial_sync),
        Phase::DeltaSync => t!(phase.delta_sync),
        Phase::CutoverReady => t!(phase.cutover_ready),
        Phase::DnsCutover => t!(phase.dns_cutover),
        Phase::FinalSync => t!(phase.final_sync),
        Phase::Verified => t!(phase.verified),
        Phase::Closed => t!(phase.closed),
        Phase::Failed => t!(phase.failed),
    }
}

/// The verdict.
pub fn gate(gate: Gate) -> &'static str {
    match gate {
        Gate::Blocked => t!(gate.blocked),
        Gate::Warning => t!(gate.warning),
        Gate::ReadyForDns => t!(gate.ready_for_dns),
    }
}

/// A check.
pub fn check(check: CheckId) -> &'static str {
    match check {
        CheckId::CountRatio => t!(check.count_ratio),
        CheckId::FolderCoverage => t!(check.folder_coverage),
        CheckId::InboxComplete => t!(check.inbox_complete),
        CheckId::SentComplete => t!(check.sent_complete),
        CheckId::ContentMatch => t!(check.content_match),
        CheckId::PstQuarantine => t!(check.pst_quarantine),
        CheckId::DeltaPending => t!(check.delta_pending),
        CheckId::ManualApproval => t!(check.manual_approval),
    }
}

/// How a check came out.
pub fn check_status(status: CheckStatus) -> &'static str {
    match status {
        CheckStatus::Pass => t!(check_status.pass),
        CheckStatus::Warn => t!(check_status.warn),
        CheckStatus::Fail => t!(check_status.fail),
    }
}

/// A role.
pub fn role(role: Role) -> &'static str {
    match role {
        Role::Technician => t!(role.technician),
        Role::OpsLead => t!(role.ops_lead),
        Role::SuperAdmin => t!(role.super_admin),
    }
}

/// What a service token may do.
pub fn scope(scope: Scope) -> &'static str {
    match scope {
        Scope::GateRead => t!(scope.gate_read),
        Scope::DnsWrite => t!(scope.dns_write),
        Scope::JobsRead => t!(scope.jobs_read),
    }
}

/// What a run does.
pub fn run_type(run_type: RunType) -> &'static str {
    match run_type {
        RunType::Preflight => t!(run_type.preflight),
        RunType::Initial => t!(run_type.initial),
        RunType::Delta => t!(run_type.delta),
        RunType::Final => t!(run_type.final_),
        RunType::Verify => t!(run_type.verify),
        RunType::PstExtract => t!(run_type.pst_extract),
        RunType::PstUpload => t!(run_type.pst_upload),
        RunType::TgzExport => t!(run_type.tgz_export),
        RunType::TgzImport => t!(run_type.tgz_import),
    }
}

/// How a run stands.
pub fn run_status(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Queued => t!(run_status.queued),
        RunStatus::Running => t!(run_status.running),
        RunStatus::Success => t!(run_status.success),
        RunStatus::Partial => t!(run_status.partial),
        RunStatus::Failed => t!(run_status.failed),
    }
}

/// How a mailbox stands.
pub fn mailbox_status(status: MailboxStatus) -> &'static str {
    match status {
        MailboxStatus::Pending => t!(mailbox_status.pending),
        MailboxStatus::Syncing => t!(mailbox_status.syncing),
        MailboxStatus::Ok => t!(mailbox_status.ok),
        MailboxStatus::Error => t!(mailbox_status.error),
        MailboxStatus::Quarantine => t!(mailbox_status.quarantine),
    }
}

/// Where a message stands.
pub fn message_state(state: MessageState) -> &'static str {
    match state {
        MessageState::Arrived => t!(message_state.arrived),
        MessageState::Pending => t!(message_state.pending),
        MessageState::Quarantined => t!(message_state.quarantined),
        MessageState::Waived => t!(message_state.waived),
    }
}

/// How a copy compares with its source.
pub fn fidelity(fidelity: Fidelity) -> &'static str {
    match fidelity {
        Fidelity::Identical => t!(fidelity.identical),
        Fidelity::Equivalent => t!(fidelity.equivalent),
        Fidelity::Rewritten => t!(fidelity.rewritten),
        Fidelity::Changed => t!(fidelity.changed),
    }
}

/// How thoroughly a verification reads.
pub fn depth(depth: Depth) -> &'static str {
    match depth {
        Depth::Quick => t!(depth.quick),
        Depth::Standard => t!(depth.standard),
        Depth::Deep => t!(depth.deep),
    }
}

/// What a folder is for.
pub fn special_use(special_use: SpecialUse) -> &'static str {
    match special_use {
        SpecialUse::Inbox => t!(special_use.inbox),
        SpecialUse::All => t!(special_use.all),
        SpecialUse::Archive => t!(special_use.archive),
        SpecialUse::Drafts => t!(special_use.drafts),
        SpecialUse::Flagged => t!(special_use.flagged),
        SpecialUse::Junk => t!(special_use.junk),
        SpecialUse::Sent => t!(special_use.sent),
        SpecialUse::Trash => t!(special_use.trash),
    }
}

/// How loud a log line is.
pub fn level(level: Level) -> &'static str {
    match level {
        Level::Debug => t!(level.debug),
        Level::Info => t!(level.info),
        Level::Warn => t!(level.warn),
        Level::Error => t!(level.error),
    }
}

/// How a connection is protected.
pub fn security(security: Security) -> &'static str {
    match security {
        Security::Tls => t!(security.tls),
        Security::Starttls => t!(security.starttls),
        Security::Plain => t!(security.plain),
    }
}

/// Where mail comes from.
pub fn source_type(source_type: SourceType) -> &'static str {
    match source_type {
        SourceType::Imap => t!(source_type.imap),
        SourceType::ImapOauth => t!(source_type.imap_oauth),
        SourceType::Pst => t!(source_type.pst),
        SourceType::Mbox => t!(source_type.mbox),
        SourceType::Eml => t!(source_type.eml),
        SourceType::Tgz => t!(source_type.tgz),
        SourceType::Zimbra => t!(source_type.zimbra),
        SourceType::Dovecot => t!(source_type.dovecot),
    }
}

/// What does the work.
pub fn tool(tool: Tool) -> &'static str {
    match tool {
        Tool::Native => t!(tool.native),
        Tool::Verify => t!(tool.verify),
        // Names of programs are the same in every language.
        Tool::Imapsync | Tool::Readpst | Tool::ImapUpload | Tool::Zmmailbox | Tool::Doveadm => tool.as_str(),
    }
}
