//! The sealed secrets of a mailbox, one for each of its servers.

use crate::{Error, Gatepost, Result, clock};
use gatepost_contract::{MailboxId, Secret, SecretInput};
use gatepost_store::{
    Conn, credentials,
    mailboxes::{self, MailboxRefs, Side},
};
use gatepost_vault::{Sealed, SecretText};

impl Gatepost {
    /// Seals a secret and takes the place of the one before.
    pub(super) async fn seal(&self, tx: &mut Conn, mailbox: MailboxId, side: Side, secret: &SecretInput) -> Result<()> {
        let text = |s: &Option<Secret>| s.as_ref().map(|s| SecretText::new(s.0.clone()));
        let sealed = Sealed { password: text(&secret.password), oauth_token: text(&secret.oauth_token) };
        let id = uuid::Uuid::new_v4().to_string();
        let blob = self.vault().seal(&sealed);
        let old = mailboxes::refs(tx, mailbox).await?.and_then(|refs| reference(refs, side));
        let now = clock::now();
        credentials::put(tx, &id, mailbox, &blob, None, &now).await?;
        mailboxes::set_credentials(tx, mailbox, side, Some(&id), &now).await?;
        if let Some(old) = old {
            credentials::delete(tx, &old).await?;
        }
        Ok(())
    }

    /// Opens a mailbox's secret for the time of a run.
    pub(crate) async fn unseal(&self, conn: &mut Conn, mailbox: MailboxId, side: Side) -> Result<Option<Sealed>> {
        let Some(id) = mailboxes::refs(conn, mailbox).await?.and_then(|refs| reference(refs, side)) else {
            return Ok(None);
        };
        let Some(blob) = credentials::get(conn, &id).await? else { return Ok(None) };
        self.vault().open(&blob).map(Some).map_err(|e| Error::conflict("vault", e.to_string()))
    }

    /// Drops a stored secret.
    pub(crate) async fn forget(&self, tx: &mut Conn, mailbox: MailboxId, side: Side) -> Result<()> {
        if let Some(old) = mailboxes::refs(tx, mailbox).await?.and_then(|refs| reference(refs, side)) {
            mailboxes::set_credentials(tx, mailbox, side, None, &clock::now()).await?;
            credentials::delete(tx, &old).await?;
        }
        Ok(())
    }
}

fn reference(refs: MailboxRefs, side: Side) -> Option<String> {
    match side {
        Side::Source => refs.source_credentials,
        Side::Dest => refs.dest_credentials,
    }
}
