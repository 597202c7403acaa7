//! Signed links to one job: the gate for a ticket of another system, progress and the report for the customer.
//!
//! A token is `<link id>.<nonce>.<signature>`. The signature (HMAC-SHA256 with a key derived from the installation's)
//! is checked before the database is asked, in constant time; the row then says which job, what may be seen, and
//! whether the link was revoked or has expired. Whoever holds a token is nobody else: it opens what its kind allows
//! and no other door. All refusals are alike, so that nothing is learned from them.

use crate::{
    Actor, Error, Gatepost, Result,
    audit::Entry,
    clock,
    jobs::found,
    limits::{Client, Limiter},
    users::checked_page,
    validate::Checker,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use gatepost_contract::{
    Gate, IssuedLink, Job, JobEvidence, JobId, LinkId, LinkKind, NewLink, Page, PageQuery, Phase, Secret, ShareLink,
    SharedGate, SharedProgress, SharedProof, Snippet,
};
use gatepost_store::{evidence, jobs, mailboxes, share_links};
use hmac::{Hmac, Mac};
use rand::RngCore;
use sha2::Sha256;
use std::{net::IpAddr, num::NonZeroU32};

/// What a link's key is derived for; a JWT's key must sign nothing else.
const PURPOSE: &[u8] = b"gatepost share link v1";
/// Days that a link is good for where nothing else is said.
const USUAL_DAYS: u32 = 90;
/// Days that a link is good for at most.
const MAX_DAYS: u32 = 366;
/// Bytes of a nonce.
const NONCE: usize = 16;
/// No token is longer.
const MAX_TOKEN: usize = 100;
/// How many usable links a job may have.
const MAX_LINKS: i64 = 100;
/// Refusals a minute for one client; beyond them the answer says to wait.
const REFUSALS: NonZeroU32 = NonZeroU32::new(30).expect("not zero");
/// How often a minute one link may be opened. A frame asks once a minute: enough for a hundred people who look on.
const OPENINGS: NonZeroU32 = NonZeroU32::new(120).expect("not zero");
/// Reports a minute for one link: each is gathered, signed and printed anew.
const REPORTS: NonZeroU32 = NonZeroU32::new(12).expect("not zero");
/// Pixels: what the small page needs for its lines.
const FRAME: (u32, u32) = (400, 300);

/// A file of the report that a customer's link leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SharedReport {
    /// The paper.
    Pdf,
    /// The document.
    Json,
    /// The signature of the document with this digest; of the one that was asked for last where none is given.
    Signature {
        /// SHA-256 in hexadecimal digits; its beginning is enough.
        digest: Option<String>,
    },
}

/// A file to be handed out.
#[derive(Clone, Debug)]
pub struct SharedFile {
    /// What it should be called.
    pub name: String,
    /// Its media type.
    pub media_type: &'static str,
    /// Its bytes.
    pub content: Vec<u8>,
    /// The signature over them in base64, and the id of its key, where they are signed.
    pub signature: Option<(String, String)>,
}

/// Signs links' tokens, and counts how often they are opened and refused.
pub(crate) struct Signer {
    key: Hmac<Sha256>,
    refused: Limiter<Client>,
    opened: Limiter<LinkId>,
    reports: Limiter<LinkId>,
}

impl Signer {
    pub fn new(installation: &Secret) -> Result<Self> {
        Self::for_purpose(installation, PURPOSE)
    }

    /// The same for links of another purpose: what one has signed, the other does not accept.
    pub fn for_purpose(installation: &Secret, purpose: &[u8]) -> Result<Self> {
        let mut derive = Hmac::<Sha256>::new_from_slice(installation.0.as_bytes()).map_err(Error::internal)?;
        derive.update(purpose);
        let key = Hmac::new_from_slice(&derive.finalize().into_bytes()).map_err(Error::internal)?;
        Ok(Self {
            key,
            refused: Limiter::per_minute(REFUSALS),
            opened: Limiter::per_minute(OPENINGS),
            reports: Limiter::per_minute(REPORTS),
        })
    }

    pub(crate) fn sign(&self, id: LinkId, nonce: &str) -> Secret {
        let named = format!("{id}.{nonce}");
        let signature = self.over(&named).finalize().into_bytes();
        Secret(format!("{named}.{}", BASE64.encode(signature)))
    }

    /// What a token names, if the signature is ours.
    pub(crate) fn open<'t>(&self, token: &'t str) -> Option<(LinkId, &'t str)> {
        if token.len() > MAX_TOKEN {
            return None;
        }
        let (named, signature) = token.rsplit_once('.')?;
        let (id, nonce) = named.split_once('.')?;
        let signature = BASE64.decode(signature).ok()?;
        self.over(named).verify_slice(&signature).ok()?;
        Some((id.parse().ok()?, nonce))
    }

    fn over(&self, named: &str) -> Hmac<Sha256> {
        let mut mac = self.key.clone();
        mac.update(named.as_bytes());
        mac
    }

    /// The refusal of a token, or that there were too many of them from this client.
    pub(crate) fn refusal(&self, client: IpAddr) -> Error {
        match self.refused.check(&client.into()) {
            Ok(()) => Error::Forbidden(
                "This link is not valid: it was withdrawn, has expired, or was not copied whole. Ask for a new one."
                    .into(),
            ),
            Err(too_many) => too_many,
        }
    }

    /// Whether a link may ask for another report.
    fn report(&self, link: LinkId) -> Result<()> {
        self.reports.check(&link)
    }
}

impl Gatepost {
    /// Makes a link. Its token is in the answer and nowhere else. `host` is where the caller reached the Desk, for
    /// addresses where no public URL is configured.
    ///
    /// # Errors
    /// Wrong fields, an unknown job, or more than a hundred usable links for it.
    pub async fn create_link(&self, actor: &Actor, job: JobId, new: NewLink, host: Option<&str>) -> Result<IssuedLink> {
        actor.manage()?;
        let mut checker = Checker::new();
        let label = checker.text("label", &new.label, 0..=200, false);
        let days = new.days.unwrap_or(USUAL_DAYS);
        if !(1..=MAX_DAYS).contains(&days) {
            checker.error("days", format!("must be between 1 and {MAX_DAYS}"));
        }
        checker.finish()?;
        let mut nonce = [0u8; NONCE];
        rand::rng().fill_bytes(&mut nonce);
        let nonce = BASE64.encode(nonce);
        let now = clock::now();
        let expires = clock::text(time::OffsetDateTime::now_utc() + time::Duration::days(days.into()));

        let mut tx = self.store().begin().await?;
        let job = found(jobs::get(&mut tx, job).await?)?;
        if share_links::usable(&mut tx, job.id, &now).await? >= MAX_LINKS {
            return Err(Error::conflict(
                "too_many_links",
                format!("The job has {MAX_LINKS} links that can be used. Revoke those that are not needed any more."),
            ));
        }
        let row = share_links::NewShareLink {
            job_id: job.id,
            kind: new.kind,
            label: &label,
            nonce: &nonce,
            created_by: &actor.label(),
            expires_at: &expires,
        };
        let id = share_links::insert(&mut tx, &row, &now).await?;
        let link = share_links::get(&mut tx, id, &clock::now()).await?.ok_or(Error::NotFound("link"))?;
        Entry::new(actor, "link.create", format!("link/{id}")).job(job.id).after(&link).write(&mut tx).await?;
        tx.commit().await?;

        let token = self.signer().sign(id, &nonce);
        let (url, snippets) = addresses(&self.base(host), &job, new.kind, &token);
        Ok(IssuedLink { link, token, url, snippets })
    }

    /// Lists a job's links.
    pub async fn list_links(&self, actor: &Actor, job: JobId, page: PageQuery) -> Result<Page<ShareLink>> {
        actor.staff()?;
        let mut conn = self.store().reader().await?;
        found(jobs::get(&mut conn, job).await?)?;
        Ok(share_links::list(&mut conn, job, &checked_page(page)?, &clock::now()).await?)
    }

    /// Ends a link.
    pub async fn revoke_link(&self, actor: &Actor, id: LinkId) -> Result<()> {
        actor.manage()?;
        let mut tx = self.store().begin().await?;
        let before = share_links::get(&mut tx, id, &clock::now()).await?.ok_or(Error::NotFound("link"))?;
        if before.revoked_at.is_none() {
            share_links::revoke(&mut tx, id, &clock::now()).await?;
            Entry::new(actor, "link.revoke", format!("link/{id}"))
                .job(before.job_id)
                .before(&before)
                .write(&mut tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// The gate of the job that a badge's link was made for.
    ///
    /// # Errors
    /// One sentence for whatever is wrong with the token; [`Error::TooMany`] after thirty of them a minute from a client,
    /// and where one link is opened more than 120 times a minute.
    pub async fn shared_gate(&self, token: &str, job: JobId, client: IpAddr) -> Result<SharedGate> {
        let (link, job_now) = self.opened(token, LinkKind::Badge, client).await?;
        if link.job_id != job {
            return Err(self.signer().refusal(client));
        }
        let view = self.gate_view(&Actor::Worker, job).await?;
        let failed = job_now.phase == Phase::Failed && job_now.dns_cutover_at.is_none();
        Ok(SharedGate {
            domain: job_now.domain,
            gate: if failed { Gate::Blocked } else { view.gate },
            closed: job_now.phase == Phase::Closed,
            checks: view.checks.iter().map(|check| (check.check_id, check.status)).collect(),
            evidence_at: view.evidence_at,
            approved_at: view.approved_at,
            override_reason: view.override_reason,
            dns_cutover_at: job_now.dns_cutover_at,
        })
    }

    /// What a customer's link shows of its job.
    ///
    /// # Errors
    /// As [`Self::shared_gate`].
    pub async fn shared_progress(&self, token: &str, client: IpAddr) -> Result<SharedProgress> {
        let (link, job) = self.opened(token, LinkKind::Customer, client).await?;
        let mut conn = self.store().reader().await?;
        let read = evidence::for_job(&mut conn, job.id).await?;
        let all = mailboxes::list(&mut conn, job.id).await?;
        let complete =
            read.mailboxes.iter().filter(|m| m.run_id.is_some() && m.tally.pending == 0 && m.tally.quarantined == 0);
        Ok(SharedProgress {
            mailboxes: job.mailboxes,
            mailboxes_complete: i64::try_from(complete.count()).unwrap_or(i64::MAX),
            proof: proof(&read),
            domain: job.domain,
            phase: job.failed_phase.unwrap_or(job.phase),
            failed: job.phase == Phase::Failed,
            at_work: job.active_runs > 0,
            messages_source: job.messages_source,
            messages_dest: job.messages_dest,
            bytes_source: all.iter().map(|m| m.bytes_source).sum(),
            bytes_dest: all.iter().map(|m| m.bytes_dest).sum(),
            percent: job.sync_percent,
            overridden: job.override_reason.is_some(),
            dns_cutover_at: job.dns_cutover_at,
            updated_at: job.updated_at,
            expires_at: link.expires_at,
        })
    }

    /// A file of the job's report as its customer may see it. `lang` is the language of the paper, English where it is
    /// unknown.
    ///
    /// # Errors
    /// As [`Self::shared_gate`]; [`Error::TooMany`] also after twelve files a minute for one link.
    pub async fn shared_report(
        &self,
        token: &str,
        file: SharedReport,
        lang: &str,
        client: IpAddr,
    ) -> Result<SharedFile> {
        let (link, job) = self.opened(token, LinkKind::Customer, client).await?;
        self.signer().report(link.id)?;
        Ok(match file {
            SharedReport::Pdf => {
                let (name, content) = self.customer_report_pdf(job.id, lang.parse().unwrap_or_default()).await?;
                SharedFile { name, media_type: "application/pdf", content, signature: None }
            }
            SharedReport::Json => {
                let data = self.customer_report(job.id).await?;
                let name = format!("{}.json", data.file_stem());
                let signature = Some((data.signature.signature, data.signature.key_id));
                SharedFile { name, media_type: "application/json", content: data.document, signature }
            }
            SharedReport::Signature { digest } => {
                let signature = self.customer_report_signature(job.id, digest.as_deref()).await?;
                let content = serde_json::to_vec(&signature).map_err(Error::internal)?;
                let name = format!("{}.json.sig", job.domain);
                SharedFile { name, media_type: "application/json", content, signature: None }
            }
        })
    }

    /// The link that a token stands for, and its job as it is now.
    async fn opened(&self, token: &str, kind: LinkKind, client: IpAddr) -> Result<(ShareLink, Job)> {
        let refused = || self.signer().refusal(client);
        let (id, nonce) = self.signer().open(token).ok_or_else(refused)?;
        // Before the database is asked. Only ids that we have signed come here: nobody can use up another's count.
        self.signer().opened.check(&id)?;
        let now = clock::now();
        let (link, job) = {
            let mut conn = self.store().reader().await?;
            let link = share_links::by_nonce(&mut conn, id, nonce, &now).await?.ok_or_else(refused)?;
            let job = found(jobs::get(&mut conn, link.job_id).await?)?;
            (link, job)
        };
        if link.kind != kind || !link.usable {
            return Err(refused());
        }
        // To the hour is enough: a frame asks every minute.
        if link.last_used_at.as_deref().is_none_or(|last| last.get(..13) != now.get(..13)) {
            let mut tx = self.store().begin().await?;
            share_links::used(&mut tx, link.id, &now).await?;
            tx.commit().await?;
        }
        Ok((link, job))
    }

    /// Where browsers reach the Desk; nothing where neither the settings nor the request say it.
    pub(crate) fn base(&self, host: Option<&str>) -> String {
        let plain =
            |host: &&str| !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:[]_".contains(&b));
        match &self.config().public_url {
            Some(url) => url.clone(),
            None => host.filter(plain).map(|host| format!("http://{host}")).unwrap_or_default(),
        }
    }
}

/// What was proved, once every mailbox was verified.
fn proof(read: &JobEvidence) -> Option<SharedProof> {
    read.evidence_id?;
    let folders = read.mailboxes.iter().flat_map(|mailbox| &mailbox.folders);
    Some(SharedProof {
        read_at: read.mailboxes.iter().filter_map(|mailbox| mailbox.read_at.clone()).min()?,
        tally: read.totals,
        flawed: folders.map(|folder| folder.changed + folder.misplaced + folder.doubled).sum(),
    })
}

/// The address of a link, and texts with it. A domain has no character that HTML or Markdown would take for its own.
fn addresses(base: &str, job: &Job, kind: LinkKind, token: &Secret) -> (Secret, Vec<Snippet>) {
    let snippet = |kind: &str, text: String| Snippet { kind: kind.to_owned(), text: Secret(text) };
    let (id, domain, token) = (job.id, &job.domain, &token.0);
    match kind {
        LinkKind::Customer => {
            let url = format!("{base}/c/{token}");
            (Secret(url.clone()), vec![snippet("address", url)])
        }
        LinkKind::Badge => {
            let badge = format!("{base}/api/v1/migration/jobs/{id}/badge.svg?token={token}");
            let frame = format!("{base}/embed/gate/{id}?token={token}");
            let (width, height) = FRAME;
            let snippets = vec![
                snippet("image_html", format!("<img src=\"{badge}\" alt=\"{domain}\" referrerpolicy=\"no-referrer\">")),
                snippet("image_markdown", format!("![{domain}]({badge})")),
                snippet(
                    "frame_html",
                    format!(
                        "<iframe src=\"{frame}\" title=\"{domain}\" width=\"{width}\" height=\"{height}\" \
                         referrerpolicy=\"no-referrer\" loading=\"lazy\"></iframe>"
                    ),
                ),
            ];
            (Secret(badge), snippets)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(key: &str) -> Signer {
        Signer::new(&Secret(key.repeat(8))).expect("a key")
    }

    #[test]
    fn a_token_opens_only_as_it_was_signed() {
        let (ours, theirs) = (signer("ours-"), signer("theirs"));
        let token = ours.sign(LinkId(7), "AAAAAAAAAAAAAAAAAAAAAA").0;
        assert_eq!(ours.open(&token), Some((LinkId(7), "AAAAAAAAAAAAAAAAAAAAAA")));
        assert_eq!(theirs.open(&token), None, "another installation's key");
        for place in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[place] = if bytes[place] == b'B' { b'C' } else { b'B' };
            let changed = String::from_utf8(bytes).expect("ASCII");
            assert_eq!(ours.open(&changed), None, "{changed}");
        }
        for wrong in ["", ".", "..", "7", "7.AAAAAAAAAAAAAAAAAAAAAA", "7.AAAAAAAAAAAAAAAAAAAAAA.", &token[1..]] {
            assert_eq!(ours.open(wrong), None, "{wrong}");
        }
        for wrong in [format!("{token}="), format!("{token}A"), format!(" {token}"), "9".repeat(4096)] {
            assert_eq!(ours.open(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_signature_is_not_one_of_the_installations_key_itself() {
        let key = Secret("k".repeat(32));
        let token = Signer::new(&key).expect("a key").sign(LinkId(1), "n").0;
        let mut plain = Hmac::<Sha256>::new_from_slice(key.0.as_bytes()).expect("a key");
        plain.update(b"1.n");
        assert!(!token.ends_with(&BASE64.encode(plain.finalize().into_bytes())));
    }

    #[test]
    fn a_client_that_shows_many_wrong_tokens_is_told_to_wait_and_others_are_not() {
        let signer = signer("ours-");
        let (busy, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        // How many there are until one tells to wait. On a slow machine some of them are forgiven in the meantime.
        let until_told = |from: &dyn Fn(u128) -> IpAddr| {
            let mut refusals = (0..1_000).map(|n| signer.refusal(from(n)));
            refusals.position(|refusal| match refusal {
                Error::Forbidden(_) => false,
                Error::TooMany { retry_after: 1.. } => true,
                other => panic!("{other:?}"),
            })
        };
        let some = REFUSALS.get() as usize;
        assert!(until_told(&|_| busy).is_some_and(|count| count >= some));
        assert!(matches!(signer.refusal(other), Error::Forbidden(_)));
        let within = |n: u128| IpAddr::from((0x2001_0db8_u128 << 96 | n).to_be_bytes());
        assert!(until_told(&within).is_some_and(|count| count >= some), "another address of one's own does not help");
        assert!(matches!(signer.refusal(within(1 << 64)), Error::Forbidden(_)));
    }

    #[test]
    fn an_issued_link_shows_its_token_in_no_debug_output() {
        let token = Secret("1.nonce.signature".into());
        let snippets = vec![Snippet { kind: "address".into(), text: token.clone() }];
        let shown = format!("{token:?} {snippets:?}");
        assert!(!shown.contains("signature"), "{shown}");
    }
}
