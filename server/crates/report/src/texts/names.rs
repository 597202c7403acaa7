//! The names of states, checks and causes.

use super::Lang;
use crate::model::TimelineKind;
use gatepost_contract::{
    CauseKind, CheckId, CheckStatus, Depth, Gate, MessageState, Phase, RunStatus, RunType, Security, SourceType,
    SpecialUse, Tool,
};

impl Lang {
    pub(crate) fn phase(self, phase: Phase) -> &'static str {
        match phase {
            Phase::Discovered => self.pick("Discovered", "Descoberta"),
            Phase::Preflight => self.pick("Preflight", "Checagem prévia"),
            Phase::InitialSync => self.pick("Initial copy", "Cópia inicial"),
            Phase::DeltaSync => self.pick("Delta copy", "Cópia delta"),
            Phase::CutoverReady => self.pick("Ready for cutover", "Pronto para virada"),
            Phase::DnsCutover => self.pick("DNS cutover", "Virada do DNS"),
            Phase::FinalSync => self.pick("Final copy", "Cópia final"),
            Phase::Verified => self.pick("Verified", "Verificada"),
            Phase::Closed => self.pick("Closed", "Encerrada"),
            Phase::Failed => self.pick("Failed", "Falhou"),
        }
    }

    pub(crate) fn gate(self, gate: Gate) -> &'static str {
        match gate {
            Gate::Blocked => self.pick("Blocked", "Bloqueado"),
            Gate::Warning => self.pick("Warning", "Alerta"),
            Gate::ReadyForDns => self.pick("Ready for DNS", "Pronto para DNS"),
        }
    }

    /// What the verdict allows.
    pub(crate) fn gate_means(self, gate: Gate) -> &'static str {
        match gate {
            Gate::Blocked => self.pick("The MX must not be changed.", "O MX não pode ser alterado."),
            Gate::Warning => self
                .pick("The MX must not be changed before approval.", "O MX não pode ser alterado antes da aprovação."),
            Gate::ReadyForDns => self.pick("The MX may be changed.", "O MX pode ser alterado."),
        }
    }

    pub(crate) fn check(self, check: CheckId) -> &'static str {
        match check {
            CheckId::CountRatio => self.pick("Messages delivered", "Mensagens entregues"),
            CheckId::FolderCoverage => self.pick("Folder coverage", "Cobertura de pastas"),
            CheckId::InboxComplete => self.pick("Inbox complete", "Caixa de entrada completa"),
            CheckId::SentComplete => self.pick("Sent mail complete", "Enviados completos"),
            CheckId::ContentMatch => self.pick("Content matches", "Conteúdo idêntico"),
            CheckId::PstQuarantine => self.pick("Quarantine empty", "Quarentena vazia"),
            CheckId::DeltaPending => self.pick("Delta recent", "Delta recente"),
            CheckId::ManualApproval => self.pick("Manual approval", "Aprovação manual"),
        }
    }

    pub(crate) fn check_status(self, status: CheckStatus) -> &'static str {
        match status {
            CheckStatus::Pass => self.pick("Pass", "Aprovada"),
            CheckStatus::Warn => self.pick("Warning", "Alerta"),
            CheckStatus::Fail => self.pick("Fail", "Reprovada"),
        }
    }

    pub(crate) fn state(self, state: MessageState) -> &'static str {
        match state {
            MessageState::Arrived => self.pick("Arrived", "Entregue"),
            MessageState::Pending => self.pick("Pending", "Pendente"),
            MessageState::Quarantined => self.pick("Quarantined", "Em quarentena"),
            MessageState::Waived => self.pick("Waived", "Dispensada"),
        }
    }

    /// The same in the residue, where what has arrived is there because it has changed.
    pub(crate) fn standing(self, state: MessageState) -> &'static str {
        match state {
            MessageState::Arrived => self.pick("Changed", "Alterada"),
            other => self.state(other),
        }
    }

    pub(crate) fn cause(self, cause: Option<CauseKind>) -> &'static str {
        let Some(cause) = cause else { return self.pick("No cause recorded", "Sem causa registrada") };
        match cause {
            CauseKind::NotCopied => self.pick("Not copied yet", "Ainda não copiada"),
            CauseKind::New => self.pick("New at the source", "Nova na origem"),
            CauseKind::Gone => self.pick("Gone from the destination", "Sumiu do destino"),
            CauseKind::Misplaced => self.pick("In another folder", "Em outra pasta"),
            CauseKind::NoFolder => self.pick("Folder missing", "Pasta ausente"),
            CauseKind::Renumbered => self.pick("Folder renumbered", "Pasta renumerada"),
            CauseKind::Doubled => self.pick("Doubled", "Duplicada"),
            CauseKind::Content => self.pick("Content differs", "Conteúdo diferente"),
            CauseKind::Truncated => self.pick("Cut short", "Truncada"),
            CauseKind::Date => self.pick("Date differs", "Data diferente"),
            CauseKind::TooLarge => self.pick("Too large", "Grande demais"),
            CauseKind::Refused => self.pick("Refused", "Recusada"),
            CauseKind::Unreadable => self.pick("Unreadable at the source", "Ilegível na origem"),
            CauseKind::Disconnects => self.pick("Connection breaks", "Conexão interrompida"),
        }
    }

    pub(crate) fn depth(self, depth: Option<Depth>) -> &'static str {
        match depth {
            Some(Depth::Quick) => self.pick("Quick", "Rápida"),
            Some(Depth::Standard) => self.pick("Standard", "Padrão"),
            Some(Depth::Deep) => self.pick("Deep", "Profunda"),
            None => self.pick("Not verified", "Não verificada"),
        }
    }

    pub(crate) fn special_use(self, used: SpecialUse) -> &'static str {
        match used {
            SpecialUse::Inbox => self.pick("Inbox", "Entrada"),
            SpecialUse::All => self.pick("All mail", "Todos os e-mails"),
            SpecialUse::Archive => self.pick("Archive", "Arquivo"),
            SpecialUse::Drafts => self.pick("Drafts", "Rascunhos"),
            SpecialUse::Flagged => self.pick("Flagged", "Sinalizados"),
            SpecialUse::Junk => self.pick("Junk", "Spam"),
            SpecialUse::Sent => self.pick("Sent", "Enviados"),
            SpecialUse::Trash => self.pick("Trash", "Lixeira"),
        }
    }

    pub(crate) fn run_type(self, run_type: RunType) -> &'static str {
        match run_type {
            RunType::Preflight => self.pick("Preflight", "Checagem prévia"),
            RunType::Initial => self.pick("Initial copy", "Cópia inicial"),
            RunType::Delta => self.pick("Delta copy", "Cópia delta"),
            RunType::Final => self.pick("Final copy", "Cópia final"),
            RunType::Verify => self.pick("Verification", "Verificação"),
            RunType::PstExtract => self.pick("Reading a file", "Leitura de um arquivo"),
            RunType::PstUpload => self.pick("PST upload", "Envio de PST"),
            RunType::TgzExport => self.pick("TGZ export", "Exportação TGZ"),
            RunType::TgzImport => self.pick("TGZ import", "Importação TGZ"),
        }
    }

    pub(crate) fn run_status(self, status: RunStatus) -> &'static str {
        match status {
            RunStatus::Queued => self.pick("Queued", "Na fila"),
            RunStatus::Running => self.pick("Running", "Em execução"),
            RunStatus::Success => self.pick("Success", "Sucesso"),
            RunStatus::Partial => self.pick("Partial", "Parcial"),
            RunStatus::Failed => self.pick("Failed", "Falhou"),
        }
    }

    pub(crate) fn tool(self, tool: Tool) -> &'static str {
        match tool {
            Tool::Native => self.pick("Built-in engine", "Motor interno"),
            Tool::Verify => self.pick("Verification", "Verificação"),
            other => other.as_str(),
        }
    }

    pub(crate) fn source_type(self, source: SourceType) -> &'static str {
        match source {
            SourceType::Imap => "IMAP",
            SourceType::ImapOauth => "IMAP, OAuth 2",
            SourceType::Pst => "PST",
            SourceType::Mbox => "mbox",
            SourceType::Eml => "EML",
            SourceType::Tgz => "TGZ",
            SourceType::Zimbra => "Zimbra",
            SourceType::Dovecot => "Dovecot",
        }
    }

    pub(crate) fn security(self, security: Security) -> &'static str {
        match security {
            Security::Tls => "TLS",
            Security::Starttls => "STARTTLS",
            Security::Plain => self.pick("no encryption", "sem criptografia"),
        }
    }

    pub(crate) fn happened(self, kind: TimelineKind) -> &'static str {
        match kind {
            TimelineKind::Opened => self.pick("Job opened", "Trabalho aberto"),
            TimelineKind::Phase => self.pick("Phase", "Fase"),
            TimelineKind::Gate => self.pick("Gate", "Portão"),
            TimelineKind::Approval => self.pick("Approval", "Aprovação"),
            TimelineKind::Waiver => self.pick("Waiver", "Dispensa"),
            TimelineKind::Cutover => self.pick("MX changed", "MX alterado"),
            TimelineKind::Dns => self.pick("DNS read", "DNS consultado"),
        }
    }

    /// Who did something: a person's address stays as it is.
    pub(crate) fn actor(self, actor: &str) -> String {
        match actor {
            "worker" => "Gatepost".to_owned(),
            "cli" => self.pick("command line", "linha de comando").to_owned(),
            "staff" => self.pick("staff", "equipe").to_owned(),
            "program" => self.pick("a program", "um programa").to_owned(),
            other => other.to_owned(),
        }
    }

    /// A state of the data model by whichever set it belongs to.
    pub(crate) fn state_name(self, name: &str) -> String {
        if let Ok(phase) = name.parse() {
            return self.phase(phase).to_owned();
        }
        if let Ok(gate) = name.parse() {
            return self.gate(gate).to_owned();
        }
        match name {
            "before" => self.pick("before", "antes").to_owned(),
            "cutover" => self.pick("at the cutover", "na virada").to_owned(),
            "after" => self.pick("after", "depois").to_owned(),
            other => other.to_owned(),
        }
    }
}
