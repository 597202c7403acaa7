//! Which accounts a consent for all mailboxes of a job serves.
//!
//! Such a consent opens accounts whose owners were not asked one by one, and technicians name the accounts. So it serves
//! by itself only what goes from a mailbox's own address to the same address, at the new server that was known when the
//! consent was asked for. Whatever else is named waits for an ops lead or a super admin, who names it or confirms it; a
//! confirmation ends with any change of what was confirmed.

use super::digest;
use crate::{Actor, Error, Gatepost, Result, audit::Entry, clock, jobs::found, work::internal};
use gatepost_contract::{
    Consent, Job, JobId, Mailbox, MailboxId, MailboxSide, SourceType, UnconfirmedAccount, UnconfirmedAccounts,
};
use gatepost_store::{Conn, jobs, mailboxes, oauth_consents};
use gatepost_transfer::{Fault, FaultKind};
use std::collections::HashMap;

/// The log-in name of a mailbox at one of its servers.
pub(super) fn account(mailbox: &Mailbox, side: MailboxSide) -> &str {
    match side {
        MailboxSide::Source => mailbox.source_user.as_deref(),
        MailboxSide::Dest => mailbox.dest_user.as_deref(),
    }
    .unwrap_or(&mailbox.email)
}

/// Whether an account lies in a domain.
pub(super) fn lies_in(account: &str, domain: &str) -> bool {
    account.rsplit_once('@').is_some_and(|(_, of)| of.eq_ignore_ascii_case(domain))
}

/// Whether a mailbox may be opened by a consent at one of its servers.
pub(super) fn opens_by_consent(mailbox: &Mailbox, side: MailboxSide) -> bool {
    side == MailboxSide::Dest || mailbox.source_type == SourceType::ImapOauth
}

/// The new server of a job, as a consent keeps it.
pub(crate) fn dest_of(job: &Job) -> String {
    format!("{}:{}", job.dest_imap_host, job.dest_imap_port)
}

/// Which account goes to which, as it is kept with a confirmation.
fn digest_of(job: &Job, mailbox: &Mailbox) -> String {
    let (source, dest) = (account(mailbox, MailboxSide::Source), account(mailbox, MailboxSide::Dest));
    let admins = [&mailbox.source_admin, &mailbox.dest_admin];
    digest(&serde_json::json!([mailbox.email, source, dest, admins, dest_of(job)]).to_string())
}

/// Whether a consent serves a mailbox without a further word. `known` is the new server that was known when it was asked
/// for.
fn is_plain(mailbox: &Mailbox, side: MailboxSide, job: &Job, known: Option<&str>) -> bool {
    let own = |side| account(mailbox, side).eq_ignore_ascii_case(&mailbox.email);
    let accounts = match side {
        // What is read from an account is written to another.
        MailboxSide::Source => mailbox.source_admin.is_none() && own(MailboxSide::Source) && own(MailboxSide::Dest),
        MailboxSide::Dest => mailbox.dest_admin.is_none() && own(MailboxSide::Dest),
    };
    accounts && known == Some(dest_of(job).as_str())
}

impl Gatepost {
    /// Refuses to serve a mailbox by a consent for all mailboxes of its job where that waits to be confirmed.
    pub(crate) async fn may_serve(
        &self,
        conn: &mut Conn,
        consent: &Consent,
        mailbox: &Mailbox,
    ) -> std::result::Result<(), Fault> {
        let job = jobs::get(conn, mailbox.job_id).await.map_err(internal)?;
        let job = job.ok_or_else(|| internal("the job of a mailbox does not exist"))?;
        let known = oauth_consents::dest(conn, consent.id).await.map_err(internal)?;
        if is_plain(mailbox, consent.side, &job, known.as_deref()) {
            return Ok(());
        }
        let confirmed = oauth_consents::confirmed(conn, mailbox.id).await.map_err(internal)?;
        if confirmed.as_deref() == Some(digest_of(&job, mailbox).as_str()) {
            return Ok(());
        }
        let sentence = format!(
            "The consent for all mailboxes of the job serves {} only once an ops lead or a super admin has confirmed that \
             the mail of {} goes to {} at {}. That is done at {}/jobs/{}/consents; then start the run again.",
            mailbox.email,
            account(mailbox, MailboxSide::Source),
            account(mailbox, MailboxSide::Dest),
            dest_of(&job),
            self.base(None),
            job.id,
        );
        Err(Fault::new(FaultKind::Forbidden, sentence))
    }

    /// Notes that whoever named the accounts of a mailbox may confirm them too.
    pub(crate) async fn confirm_by_naming(
        &self,
        tx: &mut Conn,
        actor: &Actor,
        job: &Job,
        mailbox: &Mailbox,
    ) -> Result<()> {
        if actor.approve().is_ok() {
            oauth_consents::confirm(tx, mailbox.id, &digest_of(job, mailbox)).await?;
        }
        Ok(())
    }

    /// The accounts of a job that its consents for all mailboxes do not serve before they are confirmed.
    pub async fn unconfirmed_accounts(&self, actor: &Actor, job: JobId) -> Result<UnconfirmedAccounts> {
        actor.staff()?;
        let mut conn = self.store().reader().await?;
        let job = found(jobs::get(&mut conn, job).await?)?;
        Ok(unconfirmed(&mut conn, &job).await?.0)
    }

    /// Confirms the accounts that were seen. An ops lead or a super admin may.
    ///
    /// # Errors
    /// [`Error::Conflict`] where they have changed since.
    pub async fn confirm_accounts(&self, actor: &Actor, job: JobId, seen: &str) -> Result<UnconfirmedAccounts> {
        actor.approve()?;
        let mut tx = self.store().begin().await?;
        let job = found(jobs::get(&mut tx, job).await?)?;
        crate::mailboxes::open_for_changes(&job)?;
        let (waiting, digests) = unconfirmed(&mut tx, &job).await?;
        if waiting.seen != seen {
            return Err(Error::conflict(
                "changed_meanwhile",
                "The accounts have been changed meanwhile. Look at them again, then confirm them.",
            ));
        }
        if waiting.mailboxes.is_empty() {
            return Ok(waiting);
        }
        for (mailbox, digest) in &digests {
            oauth_consents::confirm(&mut tx, *mailbox, digest).await?;
        }
        oauth_consents::set_dest(&mut tx, job.id, &dest_of(&job)).await?;
        Entry::new(actor, "consent.confirm", format!("job/{}", job.id))
            .job(job.id)
            .after(&waiting.mailboxes)
            .write(&mut tx)
            .await?;
        let (left, _) = unconfirmed(&mut tx, &job).await?;
        tx.commit().await?;
        Ok(left)
    }
}

async fn unconfirmed(conn: &mut Conn, job: &Job) -> Result<(UnconfirmedAccounts, Vec<(MailboxId, String)>)> {
    let all = oauth_consents::of_job(conn, job.id, &clock::now()).await?;
    let (own, for_all): (Vec<_>, Vec<_>) = all.into_iter().partition(|consent| consent.mailbox_id.is_some());
    let mut known = Vec::with_capacity(for_all.len());
    for consent in &for_all {
        known.push((consent.side, oauth_consents::dest(conn, consent.id).await?));
    }
    let confirmed: HashMap<_, _> = oauth_consents::confirmed_of_job(conn, job.id).await?.into_iter().collect();
    let mut waiting = UnconfirmedAccounts::default();
    let mut digests = Vec::new();
    for mailbox in if known.is_empty() { Vec::new() } else { mailboxes::list(conn, job.id).await? } {
        let served = |side| {
            opens_by_consent(&mailbox, side)
                && !own.iter().any(|one| one.mailbox_id == Some(mailbox.id) && one.side == side)
        };
        let waits =
            known.iter().any(|(side, known)| served(*side) && !is_plain(&mailbox, *side, job, known.as_deref()));
        let digest = digest_of(job, &mailbox);
        if !waits || confirmed.get(&mailbox.id) == Some(&digest) {
            continue;
        }
        waiting.mailboxes.push(UnconfirmedAccount {
            mailbox_id: mailbox.id,
            source_account: account(&mailbox, MailboxSide::Source).to_owned(),
            dest_account: account(&mailbox, MailboxSide::Dest).to_owned(),
            admins: [&mailbox.source_admin, &mailbox.dest_admin].into_iter().flatten().cloned().collect(),
            dest: dest_of(job),
            email: mailbox.email,
        });
        digests.push((mailbox.id, digest));
    }
    let lines: Vec<String> = digests.iter().map(|(id, digest)| format!("{id} {digest}")).collect();
    waiting.seen = digest(&lines.join("\n"));
    Ok((waiting, digests))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_lies_in_its_own_domain_and_in_no_other() {
        for (account, domain, lies) in [
            ("ana@example.com", "example.com", true),
            ("ana@EXAMPLE.com", "example.com", true),
            ("a@b@example.com", "example.com", true),
            ("ana@sub.example.com", "example.com", false),
            ("ana@notexample.com", "example.com", false),
            ("ana@example.com.evil.test", "example.com", false),
            ("ana", "example.com", false),
            ("example.com", "example.com", false),
        ] {
            assert_eq!(lies_in(account, domain), lies, "{account} in {domain}");
        }
    }
}
