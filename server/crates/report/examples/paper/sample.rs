//! A report with something in every section, of any size.

use gatepost_contract::{
    CauseKind, CheckId, CheckStatus, Depth, Fidelity, Gate, MailboxStatus, MessageState, Phase, RunStatus, RunType,
    Security, SourceType, SpecialUse, Tally, Tool,
};
use gatepost_report::*;
use std::collections::BTreeMap;

fn at(day: u32, hour: u32, minute: u32) -> String {
    format!("2026-11-{day:02}T{hour:02}:{minute:02}:07.123Z")
}

/// So many mailboxes, and so many messages that have not arrived as they should.
pub fn rich(mailboxes: usize, residue: usize) -> Report {
    let names = [
        "maria.silva",
        "joão.conceição",
        "info",
        "vendas",
        "faturamento-e-cobrança",
        "אורי",
        "محمد",
        "support",
        "a-very-long-mailbox-name-that-somebody-chose-on-a-bad-day-and-has-kept-ever-since",
        "e\u{301}lise",
    ];
    let folders: [(&str, &str, Option<SpecialUse>, i64, i64); 9] = [
        ("INBOX", "INBOX", Some(SpecialUse::Inbox), 1200, 96_000),
        ("Sent Items", "Sent", Some(SpecialUse::Sent), 610, 140_000),
        ("Archive/2019", "Archive/2019", None, 2100, 71_000),
        ("Archive/2020", "Archive/2020", None, 1800, 88_000),
        ("Projetos/Orçamentos e licitações", "Projetos/Orçamentos e licitações", None, 240, 410_000),
        ("Deleted Items", "Trash", Some(SpecialUse::Trash), 90, 20_000),
        ("Junk E-mail", "Junk", Some(SpecialUse::Junk), 33, 12_000),
        ("דואר/לקוחות", "דואר/לקוחות", None, 77, 54_000),
        ("Drafts", "Drafts", Some(SpecialUse::Drafts), 12, 9_000),
    ];
    let per_mailbox = |n: usize| residue / mailboxes.max(1) + usize::from(n < residue % mailboxes.max(1));
    let mut parts = Vec::new();
    let mut items = Vec::new();
    let mut whole = Tally::default();
    let (mut bytes_all, mut bytes_there, mut changed) = (0, 0, 0);
    for n in 0..mailboxes {
        let name = names[n % names.len()];
        let email = if n < names.len() { format!("{name}@example.org") } else { format!("{name}{n}@example.org") };
        let mut tally = Tally::default();
        let (mut rows, mut bytes) = (Vec::new(), 0);
        let mut left = per_mailbox(n);
        for (m, (source, dest, special_use, messages, size)) in folders.iter().enumerate() {
            let source_count = messages + ((n * 37 + m * 11) % 400) as i64;
            let mut part = Tally { source: source_count, arrived: source_count, ..Tally::default() };
            let mut flaws = 0;
            while left > 0 && (m + 1 == folders.len() || (left + m) % 4 != 0) && part.arrived > 1 {
                let item = missing(&email, source, items.len());
                match item.state {
                    MessageState::Pending => part.pending += 1,
                    MessageState::Quarantined => part.quarantined += 1,
                    MessageState::Waived => part.waived += 1,
                    MessageState::Arrived => flaws += 1,
                }
                part.arrived = part.source - part.pending - part.quarantined - part.waived;
                items.push(item);
                left -= 1;
            }
            changed += flaws;
            bytes += source_count * size;
            tally += part;
            rows.push(FolderPart {
                source_path: (*source).into(),
                dest_path: Some((*dest).into()),
                special_use: *special_use,
                visited: true,
                tally: part,
                bytes_source: Some(source_count * size),
                extra: 0,
                misplaced: 0,
                doubled: 0,
                changed: flaws,
                rewritten: i64::from(m == 2) * 3,
                flags_lost: i64::from(m == 3) * 2,
                bodies_read: 40,
                note: (m == 4).then(|| "The destination keeps no keyword beside its own; 2 were dropped.".into()),
            });
        }
        whole += tally;
        bytes_all += bytes;
        bytes_there += bytes * tally.arrived / tally.source.max(1);
        parts.push(MailboxPart {
            id: n as i64 + 1,
            email,
            source_type: SourceType::Imap,
            tool: Tool::Native,
            source_host: Some("mail.old-provider.example".into()),
            status: if tally.quarantined > 0 { MailboxStatus::Quarantine } else { MailboxStatus::Ok },
            depth: Some(if n % 5 == 0 { Depth::Deep } else { Depth::Standard }),
            read_at: Some(at(20, 22, (n % 60) as u32)),
            ratio: tally.ratio(),
            tally,
            bytes_source: bytes,
            bytes_arrived: bytes,
            last_error: None,
            files: Vec::new(),
            folders: rows,
        });
    }
    let clean = whole.pending + whole.quarantined + whole.waived + changed == 0;
    let worst = parts.iter().min_by(|a, b| a.ratio.total_cmp(&b.ratio));
    Report {
        schema_version: SCHEMA_VERSION,
        edition: Edition::Full,
        generated_at: at(21, 9, 30),
        generator: Generator { name: "Gatepost".into(), version: "0.1.0".into() },
        job: JobPart {
            id: 7,
            domain: "example.org".into(),
            tenant: "Exemplo & Filhos Ltda.".into(),
            ticket_id: Some(41),
            phase: Phase::FinalSync,
            source_label: "mail.old-provider.example".into(),
            dest_host: "imap.new-provider.example".into(),
            dest_port: 993,
            dest_security: Security::Tls,
            dest_insecure_tls: false,
            created_at: at(3, 8, 12),
            dns_cutover_at: (mailboxes > 0).then(|| at(20, 23, 5)),
        },
        summary: Summary {
            evidence_id: (mailboxes > 0).then_some(212),
            evidence_at: (mailboxes > 0).then(|| at(20, 22, 59)),
            mailboxes: mailboxes as i64,
            mailboxes_verified: mailboxes as i64,
            folders: parts.iter().map(|p| p.folders.len() as i64).sum(),
            tally: whole,
            ratio: whole.ratio(),
            worst_ratio: worst.map(|w| w.ratio),
            worst_mailbox: worst.map(|w| w.email.clone()),
            bytes_source: bytes_all,
            bytes_arrived: bytes_there,
            all_arrived: clean && mailboxes > 0,
            all_explained: whole.pending + whole.quarantined + changed == 0 && mailboxes > 0,
            misplaced: 0,
            doubled: 0,
            changed,
            rewritten: mailboxes as i64 * 3,
            flags_lost: mailboxes as i64 * 2,
            bodies_read: mailboxes as i64 * 360,
        },
        gate: gate(residue, mailboxes),
        mailboxes: parts,
        residue: ResiduePart {
            total: items.len() as i64,
            listed: items.len() as i64,
            by_cause: by_cause(&items),
            items,
        },
        waivers: if residue == 0 {
            Vec::new()
        } else {
            vec![WaiverPart {
                actor: "olga.ops@desk.example".into(),
                at: at(20, 15, 2),
                reason: "Agreed with the customer by phone on 20 November: newsletters above 50 MB are kept on a disk."
                    .into(),
                mailbox: "maria.silva@example.org".into(),
                messages: 2,
                expired: 0,
            }]
        },
        runs: runs(mailboxes),
        engines: vec![
            EnginePart {
                tool: Tool::Native,
                version: "0.1.0".into(),
                mailboxes: mailboxes as i64,
                runs: mailboxes as i64 * 3,
                options: BTreeMap::from([
                    ("connections".to_owned(), "4".to_owned()),
                    ("order".to_owned(), "newest first".to_owned()),
                    ("memory budget".to_owned(), "256 MB".to_owned()),
                ]),
            },
            EnginePart {
                tool: Tool::Verify,
                version: "0.1.0".into(),
                mailboxes: mailboxes as i64,
                runs: mailboxes as i64 * 2,
                options: BTreeMap::from([("depth".to_owned(), "standard, deep".to_owned())]),
            },
        ],
        dns: dns(),
        timeline: timeline(),
        audit: audit(),
    }
}

fn missing(email: &str, folder: &str, n: usize) -> ResidueItem {
    let kinds = [
        (
            MessageState::Quarantined,
            CauseKind::TooLarge,
            "The destination refuses messages above 52,428,800 bytes; this one has 61,204,118. Raise its limit, or waive the message. The server said: NO [LIMIT] Message size exceeds fixed maximum message size.",
        ),
        (MessageState::Pending, CauseKind::New, "It came to the source after the last copy. Run a delta."),
        (
            MessageState::Quarantined,
            CauseKind::Refused,
            "The destination refused it: BAD Message contains NUL characters. Retry: the engine mends it.",
        ),
        (MessageState::Waived, CauseKind::TooLarge, "The destination refuses messages above 52,428,800 bytes."),
        (
            MessageState::Arrived,
            CauseKind::Content,
            "Its bytes at the destination are others than at the source. Compare both copies.",
        ),
        (
            MessageState::Pending,
            CauseKind::Gone,
            "It had been copied and is no longer in Archive/2019 at the destination. Run a delta to copy it again.",
        ),
    ];
    let subjects = [
        "Re: Orçamento – revisão final (não responder até segunda-feira)",
        "Fwd: Invoice 2019-11-04 / Rechnung / Fatura nº 118",
        "שלום, הזמנה מספר 4411",
        "مرحبا بكم في النظام الجديد",
        "🎉 Party tonight 🎉 漢字 and e\u{301}a\u{308} combining",
        "\u{202e}gnp.exe live\u{202c}",
        "",
    ];
    let (state, kind, cause) = kinds[n % kinds.len()];
    ResidueItem {
        mailbox: email.into(),
        folder: folder.into(),
        uid: 1000 + n as i64 * 7,
        state,
        fidelity: (state == MessageState::Arrived).then_some(Fidelity::Changed),
        cause_kind: Some(kind),
        cause: Some(cause.into()),
        internal_date: at(1 + (n % 18) as u32, (n % 24) as u32, (n % 60) as u32),
        from: Some(format!("Fornecedor nº {n} <contato{n}@fornecedor.example>")),
        subject: Some(subjects[n % subjects.len()].into()),
        message_id: Some(format!("<{n}.4711@fornecedor.example>")),
        size: 40_000 + n as i64 * 977,
        first_seen_at: at(4, 9, 0),
    }
}

fn by_cause(items: &[ResidueItem]) -> Vec<CauseSum> {
    let mut sums: Vec<CauseSum> = Vec::new();
    for item in items {
        match sums.iter_mut().find(|s| s.state == item.state && s.cause_kind == item.cause_kind) {
            Some(sum) => {
                sum.messages += 1;
                sum.bytes += item.size;
            }
            None => {
                sums.push(CauseSum { state: item.state, cause_kind: item.cause_kind, messages: 1, bytes: item.size });
            }
        }
    }
    sums.sort_by_key(|sum| std::cmp::Reverse(sum.messages));
    sums
}

fn gate(residue: usize, mailboxes: usize) -> GatePart {
    let bad = residue > 0;
    let check = |check_id, status, message: &str| CheckPart {
        check_id,
        status,
        message: message.into(),
        checked_at: at(21, 9, 29),
    };
    let (pass, fail) = (CheckStatus::Pass, if bad { CheckStatus::Fail } else { CheckStatus::Pass });
    GatePart {
        gate: if bad || mailboxes == 0 { Gate::Blocked } else { Gate::ReadyForDns },
        reason: if bad {
            "Content matches: 1 message of maria.silva@example.org has another body at the destination. Look at the residue.".into()
        } else {
            "Every check passes, and olga.ops@desk.example has approved.".into()
        },
        checks: vec![
            check(
                CheckId::CountRatio,
                if bad { CheckStatus::Warn } else { pass },
                "The worst mailbox, maria.silva@example.org, has 99.91 % of its messages; 99 % are needed.",
            ),
            check(CheckId::FolderCoverage, pass, "Every source folder was visited and is mapped."),
            check(CheckId::InboxComplete, pass, "Nothing unexplained is missing from any INBOX."),
            check(CheckId::SentComplete, pass, "Nothing unexplained is missing from any folder of sent mail."),
            check(
                CheckId::ContentMatch,
                fail,
                "Re-read messages were compared by content, date, folder and flags. Flags were dropped for 2 messages of Archive/2020.",
            ),
            check(CheckId::PstQuarantine, fail, "The quarantine holds open items: retry or waive them."),
            check(CheckId::DeltaPending, pass, "The last delta ended 3 hours ago and left nothing pending."),
            check(
                CheckId::ManualApproval,
                if bad { CheckStatus::Warn } else { pass },
                "An ops lead must approve this evidence.",
            ),
        ],
        approval: (!bad && mailboxes > 0).then(|| ApprovalPart {
            by: "olga.ops@desk.example".into(),
            at: at(20, 22, 59),
            evidence_id: Some(212),
            override_reason: None,
        }),
        history: vec![
            VerdictPart {
                at: at(4, 9, 0),
                from: Gate::Blocked,
                to: Gate::Warning,
                reason: "Every check passes; the approval is missing.".into(),
                actor: "worker".into(),
            },
            VerdictPart {
                at: at(20, 22, 59),
                from: Gate::Warning,
                to: Gate::ReadyForDns,
                reason: "Approved on evidence 212.".into(),
                actor: "olga.ops@desk.example".into(),
            },
        ],
    }
}

fn runs(mailboxes: usize) -> Vec<RunPart> {
    let mut runs = Vec::new();
    for (round, (run_type, day, hour)) in
        [(RunType::Initial, 3_u32, 9_u32), (RunType::Delta, 12, 6), (RunType::Verify, 20, 21)].into_iter().enumerate()
    {
        for n in 0..mailboxes {
            let copied = run_type != RunType::Verify;
            let (day, hour) = (day + (n / 24 % 6) as u32, (hour + n as u32) % 24);
            runs.push(RunPart {
                id: runs.len() as i64 + 1,
                mailbox: Some(format!("mailbox{n}@example.org")),
                run_type,
                tool: if copied { Tool::Native } else { Tool::Verify },
                status: [RunStatus::Success, RunStatus::Partial, RunStatus::Success][n % 3],
                started_at: Some(at(day, hour, 0)),
                finished_at: Some(at(day, hour, 51)),
                messages: if copied { 6000 / (1 + round as i64 * 20) + n as i64 % 17 * 30 } else { 0 },
                bytes: if copied { 700_000_000 } else { 0 },
            });
        }
    }
    runs.sort_by(|a, b| a.finished_at.cmp(&b.finished_at));
    runs
}

fn dns() -> Vec<DnsPart> {
    let record = |name: &str, kind: &str, values: &[&str], ttl| DnsRecordPart {
        name: name.into(),
        record_type: kind.into(),
        values: values.iter().map(|v| (*v).to_owned()).collect(),
        ttl,
        resolvers: vec!["192.0.2.53".into(), "198.51.100.53".into()],
    };
    vec![
        DnsPart {
            moment: "before".into(),
            taken_at: at(3, 8, 15),
            records: vec![
                record("example.org", "MX", &["10 mail.old-provider.example"], Some(3600)),
                record("example.org", "TXT", &["v=spf1 include:_spf.old-provider.example -all"], Some(3600)),
                record("autodiscover.example.org", "CNAME", &["autodiscover.old-provider.example"], Some(86400)),
                record(
                    "_dmarc.example.org",
                    "TXT",
                    &["v=DMARC1; p=quarantine; rua=mailto:dmarc@example.org"],
                    Some(3600),
                ),
            ],
        },
        DnsPart {
            moment: "after".into(),
            taken_at: at(20, 23, 40),
            records: vec![
                record("example.org", "MX", &["10 mx1.new-provider.example", "20 mx2.new-provider.example"], Some(300)),
                record("example.org", "TXT", &["v=spf1 include:_spf.new-provider.example -all"], Some(300)),
                record("autodiscover.example.org", "CNAME", &["NXDOMAIN"], None),
                record(
                    "_dmarc.example.org",
                    "TXT",
                    &["v=DMARC1; p=quarantine; rua=mailto:dmarc@example.org"],
                    Some(3600),
                ),
            ],
        },
    ]
}

fn timeline() -> Vec<TimelineEntry> {
    let entry =
        |at: String, kind, actor: &str, from: Option<&str>, to: Option<&str>, reason: Option<&str>| TimelineEntry {
            at,
            kind,
            actor: actor.into(),
            from: from.map(Into::into),
            to: to.map(Into::into),
            reason: reason.map(Into::into),
        };
    let olga = "olga.ops@desk.example";
    vec![
        entry(at(3, 8, 12), TimelineKind::Opened, "tomas@desk.example", None, None, None),
        entry(at(3, 8, 15), TimelineKind::Dns, "worker", None, Some("before"), None),
        entry(
            at(3, 9, 0),
            TimelineKind::Phase,
            "tomas@desk.example",
            Some("discovered"),
            Some("initial_sync"),
            Some("A first copy was started."),
        ),
        entry(
            at(12, 6, 0),
            TimelineKind::Phase,
            "worker",
            Some("initial_sync"),
            Some("delta_sync"),
            Some("Every mailbox has its first copy."),
        ),
        entry(
            at(14, 9, 0),
            TimelineKind::Gate,
            "worker",
            Some("warning"),
            Some("blocked"),
            Some("The quarantine holds open items: retry or waive them."),
        ),
        entry(
            at(20, 15, 2),
            TimelineKind::Waiver,
            olga,
            None,
            None,
            Some("Agreed with the customer by phone on 20 November: newsletters above 50 MB are kept on a disk."),
        ),
        entry(
            at(20, 22, 59),
            TimelineKind::Approval,
            olga,
            None,
            None,
            Some("Looked at the residue with the customer."),
        ),
        entry(at(20, 22, 59), TimelineKind::Gate, olga, Some("warning"), Some("ready_for_dns"), None),
        entry(at(20, 23, 5), TimelineKind::Cutover, "token:wizard", None, None, None),
        entry(
            at(20, 23, 5),
            TimelineKind::Phase,
            "token:wizard",
            Some("cutover_ready"),
            Some("dns_cutover"),
            Some("The set-up wizard said that the MX was changed."),
        ),
        entry(at(20, 23, 40), TimelineKind::Dns, "worker", None, Some("after"), None),
    ]
}

fn audit() -> AuditPart {
    let hash = |n: i64| format!("{:064x}", u128::MAX / (n as u128 + 3));
    AuditPart {
        head_id: Some(1204),
        head_hash: Some(hash(0)),
        total: 212,
        entries: (1..40)
            .map(|n| AuditRow {
                id: 1100 + n,
                at: at(20, 10, (n % 60) as u32),
                actor: ["worker", "olga.ops@desk.example", "cli"][n as usize % 3].into(),
                action: ["job.phase", "gate.approve", "message.waive"][n as usize % 3].into(),
                subject: format!("job/{}", 7),
                reason: (n % 3 == 2).then(|| "Agreed with the customer by phone.".into()),
                hash: hash(n),
            })
            .collect(),
    }
}
