//! How the accounts of a mailbox are reached: what is stored of them, with the secret opened for the time of one use.

use crate::{
    Access, Credential, Error, FileAccess, Gatepost, GmailLabels, MailFile, Result as CoreResult,
    budgets::Kept,
    oauth::{Serving, ShownTo, consented},
    uploads::UploadFiles,
    work::internal,
};
use gatepost_contract::{Job, Mailbox, MailboxSide, Secret, SourceType, Tool, UploadOrigin, UploadState};
use gatepost_store::{
    mailboxes::Side,
    uploads::{self, StoredUpload},
};
use gatepost_transfer::{Driver, Fault, FaultKind};
use std::sync::Arc;

/// Where the mail of a mailbox comes from.
#[derive(Clone, Debug)]
pub(crate) enum SourceAccess {
    /// An account on a server.
    Server(Access),
    /// Files on this machine.
    Files(FileAccess),
}

impl SourceAccess {
    /// A driver for it. Nothing is connected or opened yet.
    pub fn driver(self, gatepost: &Gatepost) -> Arc<dyn Driver> {
        match self {
            Self::Server(access) => gatepost.drivers().imap(access),
            Self::Files(access) => gatepost.drivers().files(access),
        }
    }

    /// What may be asked of it.
    pub async fn budget(&self, gatepost: &Gatepost) -> CoreResult<Kept> {
        match self {
            Self::Server(access) => gatepost.budgets().of(gatepost.store(), &access.host, access.owner()).await,
            Self::Files(_) => Ok(Kept::unlimited()),
        }
    }
}

/// How the source of a mailbox is reached.
pub(crate) async fn source_access(
    gatepost: &Gatepost,
    conn: &mut gatepost_store::Conn,
    mailbox: &Mailbox,
) -> Result<SourceAccess, Fault> {
    if mailbox.source_type.is_file() {
        let all = uploads::of_mailbox(conn, mailbox.id).await.map_err(internal)?;
        return ready_files(gatepost, mailbox, &all).map(SourceAccess::Files);
    }
    server_access(gatepost, conn, mailbox).await.map(SourceAccess::Server)
}

/// The files of a mailbox that were read through and can be copied from.
fn ready_files(gatepost: &Gatepost, mailbox: &Mailbox, all: &[StoredUpload]) -> Result<FileAccess, Fault> {
    let ready: Vec<&StoredUpload> = all.iter().filter(|u| u.upload.state == UploadState::Ready).collect();
    if !ready.is_empty() {
        return file_access(gatepost, mailbox, &ready);
    }
    let email = &mailbox.email;
    let of_state = |state| all.iter().map(|u| &u.upload).find(|u| u.state == state);
    let (kind, sentence) = if let Some(refused) = of_state(UploadState::Refused) {
        let why = refused.error.as_deref().unwrap_or("It cannot be read.");
        (FaultKind::Damaged, format!("{} of {email} is of no use: {why}", refused.name))
    } else if let Some(coming) = of_state(UploadState::Receiving) {
        let name = &coming.name;
        (
            FaultKind::WrongService,
            format!("{name} of {email} has not arrived whole yet. Wait for the upload, then start the run again."),
        )
    } else if let Some(gone) = of_state(UploadState::Deleted) {
        let name = &gone.name;
        (
            FaultKind::WrongService,
            format!(
                "{name} of {email} was deleted here, and there is no other file. Upload it again, then start the run again."
            ),
        )
    } else {
        (FaultKind::WrongService, format!("{email} has no file yet. Upload one, then start the run again."))
    };
    Err(Fault::new(kind, sentence))
}

/// Some files of a mailbox as one account.
pub(crate) fn file_access(
    gatepost: &Gatepost,
    mailbox: &Mailbox,
    files: &[&StoredUpload],
) -> Result<FileAccess, Fault> {
    let label = match files {
        [one] => format!("{} of {}", one.upload.name, mailbox.email),
        many => format!("{} files of {}", many.len(), mailbox.email),
    };
    let file = |stored: &&StoredUpload| {
        let on_disk = on_disk(gatepost, stored)?;
        Ok(MailFile {
            slot: u8::try_from(stored.upload.slot).map_err(internal)?,
            path: on_disk.bytes,
            name: stored.upload.name.clone(),
            kind: mailbox.source_type,
            sha256: stored.upload.sha256.clone(),
            in_place: stored.upload.origin == UploadOrigin::Server,
            catalogue: on_disk.catalogue,
            extracted: reads_by_readpst(mailbox).then_some(on_disk.readpst),
        })
    };
    Ok(FileAccess {
        label,
        seed: mailbox.id.to_string(),
        files: files.iter().map(file).collect::<Result<_, Fault>>()?,
        work: gatepost.config().data_path.join("work"),
        most_unpacked: gatepost.config().max_pst_gb.saturating_mul(UNPACKED) << 30,
        reserve: gatepost.config().upload_reserve_mb.map(|mb| mb.saturating_mul(1 << 20)),
    })
}

/// Whether the bytes of a mailbox's messages are those that readpst writes.
pub(crate) fn reads_by_readpst(mailbox: &Mailbox) -> bool {
    mailbox.source_type == SourceType::Pst && matches!(mailbox.tool, Tool::Readpst | Tool::ImapUpload)
}

/// Where a file lies. A file of the server that is not where it was is a fault of that file.
pub(crate) fn on_disk(gatepost: &Gatepost, stored: &StoredUpload) -> Result<UploadFiles, Fault> {
    gatepost.upload_files(stored).map_err(|error| match error {
        error @ Error::Internal(_) => internal(error),
        told => Fault::new(FaultKind::WrongService, told.to_string()),
    })
}

/// How many times the largest upload an archive may unpack to.
const UNPACKED: u64 = 4;

async fn server_access(
    gatepost: &Gatepost,
    conn: &mut gatepost_store::Conn,
    mailbox: &Mailbox,
) -> Result<Access, Fault> {
    let host = mailbox.source_host.clone().ok_or_else(|| missing(mailbox, "name of the old server"))?;
    let account = mailbox.source_user.as_deref().unwrap_or(&mailbox.email);
    let security = mailbox.source_security.unwrap_or(gatepost_contract::Security::Tls);
    let server = ShownTo {
        host: &host,
        port: mailbox.source_port.unwrap_or(security.default_port()),
        security,
        insecure_tls: mailbox.source_insecure_tls,
        account,
    };
    let credential = credential(gatepost, conn, mailbox, Side::Source, &server).await?;
    if mailbox.source_type == SourceType::ImapOauth && matches!(credential, Credential::Password(_)) {
        return Err(unconsented(gatepost, mailbox));
    }
    let owner = mailbox.source_user.clone().unwrap_or_else(|| mailbox.email.clone());
    let (user, authz) = Access::identities(owner, mailbox.source_admin.clone());
    Ok(Access {
        host,
        port: mailbox.source_port.unwrap_or(security.default_port()),
        security,
        insecure_tls: mailbox.source_insecure_tls,
        user,
        authz,
        credential,
        ssh: mailbox.source_ssh.clone(),
        web: mailbox.source_web.clone(),
        gmail_labels: Some(GmailLabels::Each),
        ca_file: gatepost.config().ca_file.clone(),
        allow_plaintext: gatepost.config().allow_plaintext,
        allowed_hosts: gatepost.config().allowed_hosts.clone(),
    })
}

/// How the destination of a mailbox is reached.
pub(crate) async fn dest_access(
    gatepost: &Gatepost,
    conn: &mut gatepost_store::Conn,
    job: &Job,
    mailbox: &Mailbox,
) -> Result<Access, Fault> {
    let owner = mailbox.dest_user.clone().unwrap_or_else(|| mailbox.email.clone());
    let server = ShownTo {
        host: &job.dest_imap_host,
        port: job.dest_imap_port,
        security: job.dest_imap_security,
        insecure_tls: job.dest_insecure_tls,
        account: &owner,
    };
    let credential = credential(gatepost, conn, mailbox, Side::Dest, &server).await?;
    let (user, authz) = Access::identities(owner, mailbox.dest_admin.clone());
    Ok(Access {
        host: job.dest_imap_host.clone(),
        port: job.dest_imap_port,
        security: job.dest_imap_security,
        insecure_tls: job.dest_insecure_tls,
        user,
        authz,
        credential,
        // The program knows the destination's by its settings.
        ssh: None,
        web: None,
        gmail_labels: None,
        ca_file: gatepost.config().ca_file.clone(),
        allow_plaintext: gatepost.config().allow_plaintext,
        allowed_hosts: gatepost.config().allowed_hosts.clone(),
    })
}

/// What opens an account: the owner's consent, a password of the mailbox, the consent for all mailboxes of the job, a token
/// that was typed in. The last is the weakest, because it ends within the hour.
async fn credential(
    gatepost: &Gatepost,
    conn: &mut gatepost_store::Conn,
    mailbox: &Mailbox,
    side: Side,
    server: &ShownTo<'_>,
) -> Result<Credential, Fault> {
    let (what, of) = match side {
        Side::Source => ("password for the old server", MailboxSide::Source),
        Side::Dest => ("password for the new server", MailboxSide::Dest),
    };
    let serving = Serving::of(conn, mailbox, of).await?;
    if let Some(consent) = serving.own {
        return consented(gatepost, conn, &consent, server).await.map(Credential::Oauth);
    }
    let sealed = gatepost.unseal(conn, mailbox.id, side).await.map_err(|e| match e {
        Error::Conflict { detail, .. } => Fault::new(FaultKind::Internal, detail),
        other => internal(other),
    })?;
    let (password, token) = sealed.map(|sealed| (sealed.password, sealed.oauth_token)).unwrap_or_default();
    match (password, serving.for_all, token) {
        (Some(password), ..) => Ok(Credential::Password(Secret(password.expose().to_owned()))),
        (None, Some(consent), _) => {
            gatepost.may_serve(conn, &consent, mailbox).await?;
            consented(gatepost, conn, &consent, server).await.map(Credential::Oauth)
        }
        (None, None, Some(token)) => Ok(Credential::token(Secret(token.expose().to_owned()))),
        (None, None, None) if of == MailboxSide::Source && mailbox.source_type == SourceType::ImapOauth => {
            Err(unconsented(gatepost, mailbox))
        }
        (None, None, None) => Err(missing(mailbox, what)),
    }
}

/// Nobody has been asked for the mail of a source that wants OAuth.
fn unconsented(gatepost: &Gatepost, mailbox: &Mailbox) -> Fault {
    let (email, id, base) = (&mailbox.email, mailbox.id, gatepost.base(None));
    let sentence = format!(
        "{email} has neither a consent nor an OAuth token for the old server. Ask for the consent at \
         {base}/mailboxes/{id}/consent, then start the run again."
    );
    Fault::new(FaultKind::Login, sentence)
}

fn missing(mailbox: &Mailbox, what: &str) -> Fault {
    let sentence = format!("{} has no {what}. Add it to the mailbox, then start the run again.", mailbox.email);
    Fault::new(FaultKind::Login, sentence)
}
