//! States, roles, checks and the like, in the language of the request.

use gatepost_contract::{
    CauseKind, CheckId, CheckStatus, Depth, DnsFindingKind, Fidelity, Gate, Level, LookupStatus, MailboxStatus,
    MessageState, Phase, Role, RunStatus, RunType, Scope, Security, Severity, SourceType, SpecialUse, Spread,
    TimelineKind, Tool, UploadOrigin, UploadState, WebhookEvent,
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
        Scope::MetricsRead => t!(scope.metrics_read),
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

/// Why a message is missing.
pub fn cause(kind: CauseKind) -> &'static str {
    match kind {
        CauseKind::NotCopied => t!(cause.not_copied),
        CauseKind::New => t!(cause.new),
        CauseKind::Gone => t!(cause.gone),
        CauseKind::Misplaced => t!(cause.misplaced),
        CauseKind::NoFolder => t!(cause.no_folder),
        CauseKind::Renumbered => t!(cause.renumbered),
        CauseKind::Doubled => t!(cause.doubled),
        CauseKind::Content => t!(cause.content),
        CauseKind::Truncated => t!(cause.truncated),
        CauseKind::Date => t!(cause.date),
        CauseKind::TooLarge => t!(cause.too_large),
        CauseKind::Refused => t!(cause.refused),
        CauseKind::Unreadable => t!(cause.unreadable),
        CauseKind::Disconnects => t!(cause.disconnects),
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

/// Where a file stands.
pub fn upload_state(state: UploadState) -> &'static str {
    match state {
        UploadState::Receiving => t!(upload_state.receiving),
        UploadState::Stored => t!(upload_state.stored),
        UploadState::Ready => t!(upload_state.ready),
        UploadState::Refused => t!(upload_state.refused),
        UploadState::Deleted => t!(upload_state.deleted),
    }
}

/// How a file came.
pub fn upload_origin(origin: UploadOrigin) -> &'static str {
    match origin {
        UploadOrigin::Tus => t!(upload_origin.tus),
        UploadOrigin::Multipart => t!(upload_origin.multipart),
        UploadOrigin::Server => t!(upload_origin.server),
    }
}

/// What is no mail, by its kind; a kind that is not known here keeps to the general word.
pub fn item_kind(kind: &str) -> &'static str {
    match kind {
        "contact" => t!(inspect.contact),
        "contact_list" => t!(inspect.contact_list),
        "appointment" => t!(inspect.appointment),
        "task" => t!(inspect.task),
        "note" => t!(inspect.note),
        "journal" => t!(inspect.journal),
        _ => t!(inspect.other),
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

/// What a webhook is told of.
pub fn webhook_event(event: WebhookEvent) -> &'static str {
    match event {
        WebhookEvent::GateReady => t!(webhook.event_gate_ready),
        WebhookEvent::GateRevoked => t!(webhook.event_gate_revoked),
        WebhookEvent::RunFinished => t!(webhook.event_run_finished),
        WebhookEvent::PhaseChanged => t!(webhook.event_phase_changed),
        WebhookEvent::Test => t!(webhook.event_test),
    }
}

/// A field of a form by the label that it has there; its own name where it has none.
pub fn field(name: &str) -> String {
    let label = match name {
        "domain" => t!(job.domain),
        "tenant_id" => t!(job.tenant),
        "source_server_label" => t!(job.source_label),
        "dest_imap_host" => t!(job.destination),
        "dest_imap_port" | "source_port" => t!(field.port),
        "notes" => t!(job.notes),
        "email" => t!(user.email),
        "name" => t!(user.name),
        "password" => t!(user.password),
        "role" => t!(user.role),
        "subject" => t!(ticket.subject),
        "body" => t!(ticket.body),
        "source_host" => t!(mailbox.old_server),
        "source_type" => t!(mailbox.source_type),
        "source_user" | "dest_user" => t!(mailbox.user),
        "source_admin" | "dest_admin" => t!(mailbox.admin),
        "source_security" | "dest_imap_security" => t!(server.security),
        "source_insecure_tls" | "dest_insecure_tls" => t!(server.insecure),
        "source_ssh" => t!(ways.ssh),
        "source_web" => t!(ways.web),
        "tool" => t!(run.tool),
        "source_secret" => t!(mailbox.source_secret),
        "dest_secret" => t!(mailbox.dest_secret),
        "folder_map" => t!(mailbox.folder_map),
        "scopes" => t!(token.scopes),
        "url" => t!(webhook.url),
        "description" => t!(webhook.description),
        "events" => t!(webhook.events),
        "expires_in_days" => t!(token.days),
        "label" => t!(links.label),
        "kind" => t!(links.kind),
        "days" => t!(links.days),
        "reason" => t!(approve.reason),
        "note" => t!(approve.note),
        "client_id" => t!(oauth.client_id),
        "client_secret" => t!(oauth.client_secret),
        "certificate" => t!(oauth.certificate),
        "private_key" => t!(oauth.private_key),
        "service_account" => t!(oauth.service_account),
        "directory" => t!(oauth.directory),
        "authorize_url" => t!(oauth.authorize_url),
        "token_url" => t!(oauth.token_url),
        "device_url" => t!(oauth.device_url),
        "revoke_url" => t!(oauth.revoke_url),
        "mail_hosts" => t!(oauth.mail_hosts),
        "secret_expires_on" => t!(oauth.expires_on),
        "choice" | "way" | "app_id" => t!(consent.choice),
        "side" => t!(consent.side),
        "expression" => t!(schedule.expression),
        "time_zone" => t!(schedule.time_zone),
        "window" => t!(schedule.window),
        "jitter_minutes" => t!(schedule.jitter),
        "mailboxes_at_once" => t!(wave.at_once),
        "bytes_per_second" => t!(wave.kilobytes),
        "position" => t!(wave.position),
        "host" => t!(pause.host),
        "job_ids" | "mailbox_ids" | "add_jobs" | "add_mailboxes" => t!(wave.choice),
        other => return other.to_owned(),
    };
    label.to_owned()
}

/// A figure that an approval signs; its own name where it has none.
pub fn figure(name: &str) -> String {
    let label = match name {
        "mailboxes" => t!(figure.mailboxes),
        "source" => t!(figure.source),
        "arrived" => t!(figure.arrived),
        "pending" => t!(figure.pending),
        "quarantined" => t!(figure.quarantined),
        "waived" => t!(figure.waived),
        "changed" => t!(figure.changed),
        "misplaced" => t!(figure.misplaced),
        "doubled" => t!(figure.doubled),
        "rewritten" => t!(figure.rewritten),
        "flags_lost" => t!(figure.flags_lost),
        "worst_ratio" => t!(figure.worst_ratio),
        other => return other.to_owned(),
    };
    label.to_owned()
}

/// A kind of event on a job's timeline.
pub fn timeline_kind(kind: TimelineKind) -> &'static str {
    match kind {
        TimelineKind::Phase => t!(timeline.phase),
        TimelineKind::Gate => t!(timeline.gate),
        TimelineKind::Approval => t!(timeline.approval),
        TimelineKind::Waiver => t!(timeline.waiver),
        TimelineKind::Run => t!(timeline.run),
        TimelineKind::Dns => t!(timeline.dns),
        TimelineKind::Report => t!(timeline.report),
    }
}

/// How grave a finding about the DNS is.
pub fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => t!(severity.info),
        Severity::Warning => t!(severity.warning),
        Severity::Problem => t!(severity.problem),
    }
}

/// Which MX a resolver gives.
pub fn spread(spread: Spread) -> &'static str {
    match spread {
        Spread::New => t!(spread.new),
        Spread::Old => t!(spread.old),
        Spread::Other => t!(spread.other),
        Spread::Unknown => t!(spread.unknown),
    }
}

/// How a question to a resolver ended.
pub fn lookup_status(status: LookupStatus) -> &'static str {
    match status {
        LookupStatus::Answered => t!(lookup.answered),
        LookupStatus::Empty => t!(lookup.empty),
        LookupStatus::Nxdomain => t!(lookup.nxdomain),
        LookupStatus::Servfail => t!(lookup.servfail),
        LookupStatus::Refused => t!(lookup.refused),
        LookupStatus::Timeout => t!(lookup.timeout),
        LookupStatus::Failed => t!(lookup.failed),
    }
}

/// What was found in a domain's DNS.
pub fn dns_finding(kind: DnsFindingKind) -> &'static str {
    match kind {
        DnsFindingKind::MxMissing => t!(dns_finding.mx_missing),
        DnsFindingKind::MxTtl => t!(dns_finding.mx_ttl),
        DnsFindingKind::MxCname => t!(dns_finding.mx_cname),
        DnsFindingKind::MxNoAddress => t!(dns_finding.mx_no_address),
        DnsFindingKind::MxNull => t!(dns_finding.mx_null),
        DnsFindingKind::MxChanged => t!(dns_finding.mx_changed),
        DnsFindingKind::MxMixed => t!(dns_finding.mx_mixed),
        DnsFindingKind::NewHostNoAddress => t!(dns_finding.new_host_no_address),
        DnsFindingKind::OldHostInDomain => t!(dns_finding.old_host_in_domain),
        DnsFindingKind::SpfMissing => t!(dns_finding.spf_missing),
        DnsFindingKind::SpfSeveral => t!(dns_finding.spf_several),
        DnsFindingKind::SpfNewHost => t!(dns_finding.spf_new_host),
        DnsFindingKind::DkimMissing => t!(dns_finding.dkim_missing),
        DnsFindingKind::DkimOld => t!(dns_finding.dkim_old),
        DnsFindingKind::DmarcMissing => t!(dns_finding.dmarc_missing),
        DnsFindingKind::DmarcStrict => t!(dns_finding.dmarc_strict),
        DnsFindingKind::MtaSts => t!(dns_finding.mta_sts),
        DnsFindingKind::ClientsOld => t!(dns_finding.clients_old),
        DnsFindingKind::Disagreement => t!(dns_finding.disagreement),
        DnsFindingKind::ResolverSilent => t!(dns_finding.resolver_silent),
        DnsFindingKind::NoAnswer => t!(dns_finding.no_answer),
    }
}
