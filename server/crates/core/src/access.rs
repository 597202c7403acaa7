//! How the accounts of a mailbox are reached: what is stored of them, with the secret opened for the time of one use.

use crate::{Access, Credential, Error, Gatepost, GmailLabels, work::internal};
use gatepost_contract::{Job, Mailbox, Secret, SourceType};
use gatepost_store::mailboxes::Side;
use gatepost_transfer::{Fault, FaultKind};

/// How the source of a mailbox is reached.
pub(crate) async fn source_access(
    gatepost: &Gatepost,
    conn: &mut gatepost_store::Conn,
    mailbox: &Mailbox,
) -> Result<Access, Fault> {
    let credential = credential(gatepost, conn, mailbox, Side::Source).await?;
    if mailbox.source_type == SourceType::ImapOauth && matches!(credential, Credential::Password(_)) {
        return Err(missing(mailbox, "OAuth token for the old server"));
    }
    let host = mailbox.source_host.clone().ok_or_else(|| missing(mailbox, "name of the old server"))?;
    let security = mailbox.source_security.unwrap_or(gatepost_contract::Security::Tls);
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
    let (user, authz) = Access::identities(owner, mailbox.dest_admin.clone());
    Ok(Access {
        host: job.dest_imap_host.clone(),
        port: job.dest_imap_port,
        security: job.dest_imap_security,
        insecure_tls: job.dest_insecure_tls,
        user,
        authz,
        credential: credential(gatepost, conn, mailbox, Side::Dest).await?,
        gmail_labels: None,
        ca_file: gatepost.config().ca_file.clone(),
        allow_plaintext: gatepost.config().allow_plaintext,
        allowed_hosts: gatepost.config().allowed_hosts.clone(),
    })
}

async fn credential(
    gatepost: &Gatepost,
    conn: &mut gatepost_store::Conn,
    mailbox: &Mailbox,
    side: Side,
) -> Result<Credential, Fault> {
    let what = match side {
        Side::Source => "password for the old server",
        Side::Dest => "password for the new server",
    };
    let sealed = gatepost.unseal(conn, mailbox.id, side).await.map_err(|e| match e {
        Error::Conflict { detail, .. } => Fault::new(FaultKind::Internal, detail),
        other => internal(other),
    })?;
    match sealed {
        Some(s) if s.password.is_some() => {
            Ok(Credential::Password(Secret(s.password.as_ref().map(|p| p.expose().to_owned()).unwrap_or_default())))
        }
        Some(s) if s.oauth_token.is_some() => Ok(Credential::OauthToken(Secret(
            s.oauth_token.as_ref().map(|t| t.expose().to_owned()).unwrap_or_default(),
        ))),
        _ => Err(missing(mailbox, what)),
    }
}

fn missing(mailbox: &Mailbox, what: &str) -> Fault {
    let sentence = format!("{} has no {what}. Add it to the mailbox, then start the run again.", mailbox.email);
    Fault::new(FaultKind::Login, sentence)
}
