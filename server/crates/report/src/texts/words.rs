//! Headings, labels and sentences.

use super::Lang;

macro_rules! words {
    ($($name:ident: $english:literal, $portuguese:literal;)+) => {
        impl Lang {
            $(pub(crate) fn $name(self) -> &'static str { self.pick($english, $portuguese) })+
        }
    };
}

words! {
    report: "Migration report", "Relatório de migração";
    mail_of: "E-mail migration", "Migração de e-mail";
    customer_edition: "Customer edition", "Edição do cliente";
    page_of: "of", "de";
    from: "from", "de";
    to: "to", "para";
    contents: "Contents", "Sumário";
    old_server: "the old server", "servidor antigo";
    files: "files", "arquivos";
    no_mail: "no mail, saved apart", "itens que não são e-mail, guardados à parte";
    refused_file: "could not be read", "não pôde ser lido";
    deleted_file: "deleted here since", "excluído aqui desde então";

    all_arrived: "All messages have arrived.", "Todas as mensagens chegaram.";
    all_explained: "All messages are accounted for.", "Todas as mensagens estão justificadas.";
    not_all: "Not all messages have arrived.", "Nem todas as mensagens chegaram.";
    not_proved: "Not yet proved.", "Ainda não comprovado.";
    no_mailboxes: "This job has no mailboxes.", "Este trabalho não tem caixas postais.";
    with_flaws: "All messages are there, but not all as they should be.", "Todas as mensagens estão lá, mas nem todas como deveriam.";
    proved_by: "Every one was looked up again at the source and at the new server after the copy, and compared.", "Cada uma foi conferida de novo na origem e no servidor novo após a cópia.";
    unproved_why: "Not every mailbox has been verified on both sides since it was copied.", "Nem toda caixa postal foi verificada dos dois lados desde a cópia.";

    mailboxes: "Mailboxes", "Caixas postais";
    messages: "Messages", "Mensagens";
    volume: "Volume", "Volume";
    arrived: "Arrived", "Entregues";
    pending: "Pending", "Pendentes";
    quarantined: "Quarantined", "Em quarentena";
    waived: "Waived", "Dispensadas";
    source: "Source", "Origem";
    share: "Share", "Parcela";
    arrived_share: "Arrived", "Entregue";
    sum_title: "The sum", "A conta";
    sum_adds_up: "Every message of the source has one place; the four add up.", "Cada mensagem da origem tem um lugar; os quatro somam o total.";
    sum_broken: "The figures do not add up: the ledger is damaged. Verify again before relying on this report.", "Os números não fecham: o registro está danificado. Verifique de novo antes de confiar neste relatório.";
    approved_by: "Approved by", "Aprovado por";
    not_approved: "Not approved", "Não aprovado";
    nobody_approved: "Nobody has approved this gate.", "Ninguém aprovou este portão.";
    overridden: "Opened in spite of failing checks", "Aberto apesar de verificações reprovadas";
    gate_title: "Gate", "Portão";
    mx_changed: "The MX was changed on", "O MX foi alterado em";
    evidence: "Evidence", "Evidência";
    evidence_read: "read", "lida em";
    checks: "Checks", "Verificações";
    bodies_read: "bodies compared", "conteúdos comparados";
    changed_n: "changed", "alteradas";
    rewritten_n: "rewritten by the server", "reescritas pelo servidor";
    flags_n: "lack flags", "sem marcadores";
    misplaced_n: "in another folder", "em outra pasta";
    doubled_n: "doubled", "duplicadas";
    none_of_it: "none", "nenhuma";

    check_label: "Check", "Verificação";
    result: "Result", "Resultado";
    why: "Why", "Por quê";
    checked: "Computed", "Calculada";
    approval: "Approval", "Aprovação";
    verdicts: "Verdicts", "Vereditos";
    verdicts_none: "The verdict has not changed since the job was opened.", "O veredito não mudou desde a abertura do trabalho.";
    when: "When (UTC)", "Quando (UTC)";
    who: "Who", "Quem";
    verdict: "Verdict", "Veredito";

    mailbox: "Mailbox", "Caixa postal";
    total: "Total", "Total";
    mailboxes_intro: "As verification read them at the source and at the new server. The worst mailbox decides the gate, never the average.", "Como a verificação as leu na origem e no servidor novo. A pior caixa decide o portão, nunca a média.";
    last_error: "Last error", "Último erro";

    folders: "Folders", "Pastas";
    folders_intro: "For every folder: arrived + pending + quarantined + waived = source.", "Para cada pasta: entregues + pendentes + em quarentena + dispensadas = origem.";
    folder: "Folder", "Pasta";
    not_mapped: "not mapped", "sem destino";
    not_visited: "could not be read", "não pôde ser lida";
    no_folders: "No folder has been verified yet.", "Nenhuma pasta foi verificada ainda.";
    flaws: "Flaws", "Falhas";
    continued: "continued", "continuação";

    charts: "Charts", "Gráficos";
    chart_volume: "Messages by folder", "Mensagens por pasta";
    chart_volume_intro: "Folders of the same purpose or name, over all mailboxes; the largest first.", "Pastas de mesma finalidade ou nome, em todas as caixas; a maior primeiro.";
    chart_bytes: "Volume by folder", "Volume por pasta";
    chart_progress: "Progress over time", "Progresso ao longo do tempo";
    chart_progress_intro: "Messages copied, summed over all runs.", "Mensagens copiadas, somadas em todas as execuções.";
    chart_causes: "Residue by cause", "Resíduo por causa";
    chart_none: "There is nothing to draw yet.", "Ainda não há nada a desenhar.";
    others: "Others", "Outras";

    residue: "Residue", "Resíduo";
    residue_intro: "Messages that have not arrived as they should, one by one.", "Mensagens que não chegaram como deveriam, uma a uma.";
    residue_none: "Nothing is missing, and nothing has changed on the way.", "Nada falta e nada mudou no caminho.";
    residue_cut: "The list is cut; the JSON form of this report and the Desk have more.", "A lista foi cortada; a forma JSON deste relatório e o Desk têm mais.";
    uid: "UID", "UID";
    message: "Message", "Mensagem";
    size_label: "Size", "Tamanho";
    cause_label: "Cause", "Causa";
    state_label: "State", "Estado";
    no_subject: "(no subject)", "(sem assunto)";

    quarantine: "Quarantine", "Quarentena";
    quarantine_intro: "Messages that a server refused, with its own words.", "Mensagens que um servidor recusou, com as palavras dele.";
    quarantine_none: "The quarantine is empty.", "A quarentena está vazia.";

    waivers: "Waivers", "Dispensas";
    waivers_intro: "Messages given up on purpose: by whom and why.", "Mensagens dispensadas de propósito: por quem e por quê.";
    waivers_none: "Nothing was given up.", "Nada foi dispensado.";
    reason: "Reason", "Motivo";
    expired: "expired", "expiradas";

    dns: "DNS before and after", "DNS antes e depois";
    dns_none: "The domain's DNS has not been read.", "O DNS do domínio não foi consultado.";
    dns_before: "Before", "Antes";
    dns_after: "After", "Depois";
    dns_record: "Record", "Registro";
    dns_same: "unchanged", "sem mudança";
    dns_absent: "not asked", "não consultado";
    dns_ttl: "TTL", "TTL";

    engines: "Engines and options", "Motores e opções";
    engine: "Engine", "Motor";
    version: "Version", "Versão";
    options: "Options", "Opções";
    runs: "Runs", "Execuções";
    usual: "as they are by default", "padrão";
    runs_title: "Latest runs", "Últimas execuções";
    run: "Run", "Execução";
    ended: "Ended (UTC)", "Fim (UTC)";
    copied: "Copied", "Copiadas";

    timeline: "Timeline", "Linha do tempo";
    timeline_none: "Nothing has happened yet.", "Nada aconteceu ainda.";

    audit: "Audit extract", "Extrato da auditoria";
    audit_intro: "The newest rows about this job. Each row's hash covers the one before it.", "As linhas mais novas sobre este trabalho. O hash de cada linha cobre a anterior.";
    audit_head: "Head of the whole log", "Fim do registro inteiro";
    audit_none: "No row of the audit log concerns this job.", "Nenhuma linha da auditoria trata deste trabalho.";
    action: "Action", "Ação";
    subject: "On", "Sobre";
    hash: "Hash", "Hash";

    proof: "How to check this report", "Como conferir este relatório";
    proof_intro: "This paper shows a JSON document of the same moment. The document's digest is signed with the installation's Ed25519 key; the document and its signature are attached to this file.", "Este papel mostra um documento JSON do mesmo momento. O resumo do documento é assinado com a chave Ed25519 da instalação; o documento e a assinatura estão anexados a este arquivo.";
    proof_how: "To check it, take the installation's public key from the Desk, not from this paper:", "Para conferir, obtenha a chave pública da instalação no Desk, não neste papel:";
    proof_openssl: "Or, without Gatepost, with the signature as bytes in report.sig:", "Ou, sem o Gatepost, com a assinatura em bytes em report.sig:";
    digest: "SHA-256 of the document", "SHA-256 do documento";
    signature: "Signature", "Assinatura";
    public_key: "Public key", "Chave pública";
    key_id: "Key", "Chave";

    terms: "Terms", "Termos";
    term_arrived: "found at the new server by reading it again", "encontrada no servidor novo ao relê-lo";
    term_pending: "not copied yet, or found missing", "ainda não copiada, ou não encontrada";
    term_quarantined: "refused by a server, with a cause", "recusada por um servidor, com causa";
    term_waived: "given up on purpose, by whom and why is recorded", "dispensada de propósito, por quem e por quê fica registrado";
    term_gate: "says whether the domain's MX may be changed", "diz se o MX do domínio pode ser alterado";
    term_evidence: "what Gatepost itself read at the source and at the new server", "o que o próprio Gatepost leu na origem e no servidor novo";
}

impl Lang {
    /// That failing checks were overruled, and why where that is known.
    pub(crate) fn overruled(self, reason: &str) -> String {
        if reason.is_empty() { format!("{}.", self.overridden()) } else { format!("{}: {reason}", self.overridden()) }
    }
}
