//! Reports: what was found and decided, as a signed JSON document and as a PDF that shows it, and both on the ticket.

mod gather;
mod press;
#[cfg(test)]
mod tests;

use crate::{Actor, Error, Gatepost, Result, audit::Entry, clock, gatepost::key_file_text, jobs::found};
use gatepost_contract::{AttachReport, AttachedReport, JobId, Phase, ReportView, Secret, TicketId};
use gatepost_report::{Edition, Lang, Paper, Report, ReportKey, SignatureFile, Signet, canonical, pdf};
use gatepost_store::{Conn, attachments, evidence, jobs, reports};
use press::{PRESS, Turn};
use sha2::{Digest, Sha256};
use std::path::Path;

/// The file below the data path that the signing key is made from.
const KEY_FILE: &str = "report.key";
/// What the key is derived for.
const PURPOSE: &[u8] = b"gatepost report key v1";
/// Who has made a report that was asked for through a link.
const CUSTOMER: &str = "customer";
/// Signatures of so many reports that were only looked at are kept for each edition of a job.
const KEPT: i64 = 200;
/// Files that a ticket may hold for reports to be attached by hand: twenty reports of three files. What Gatepost attaches
/// by itself, once for each evidence, is not held back.
const MOST_FILES: i64 = 60;

/// A report of one moment, signed.
#[derive(Clone, Debug)]
pub struct ReportData {
    /// What it says.
    pub report: Report,
    /// Its canonical bytes: what is signed.
    pub document: Vec<u8>,
    /// The signature over them.
    pub signature: SignatureFile,
}

impl ReportData {
    /// The name of its files, without an ending: `example.org-migration-report-2026-11-21`.
    #[must_use]
    pub fn file_stem(&self) -> String {
        let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') { c } else { '_' };
        let domain: String = self.report.job.domain.chars().take(80).map(safe).collect();
        let day = self.report.generated_at.get(..10).unwrap_or("report");
        format!("{domain}-migration-report-{day}")
    }

    /// On paper. Takes a second or two for thousands of rows; two at a time, others wait.
    pub async fn printed(self, lang: Lang) -> Result<Vec<u8>> {
        let ((_, paper), _turn) = self.print(lang, PRESS.turn().await?).await?;
        Ok(paper)
    }

    async fn print(self, lang: Lang, turn: Turn) -> Result<((Self, Vec<u8>), Turn)> {
        let print = move || {
            let paper = Paper { report: &self.report, document: &self.document, signature: &self.signature };
            let paper = pdf(&paper, lang).map_err(Error::internal)?;
            Ok((self, paper))
        };
        turn.work(print).await
    }
}

/// The public half of the key that this installation signs reports with, where it has signed any.
///
/// # Errors
/// A key file that cannot be read, or that others can read.
pub fn report_key(data_path: &Path) -> Result<Option<ReportKey>> {
    let file = data_path.join(KEY_FILE);
    if !file.exists() {
        return Ok(None);
    }
    Ok(Some(signet(&key_file_text(&file)?).public()))
}

fn signet(text: &Secret) -> Signet {
    let mut seed = Sha256::new();
    seed.update(PURPOSE);
    seed.update(text.0.as_bytes());
    Signet::from_seed(&seed.finalize().into())
}

impl Gatepost {
    fn signet(&self) -> Result<Signet> {
        Ok(signet(&key_file_text(&self.config().data_path.join(KEY_FILE))?))
    }

    /// The public key of this installation's reports. Anybody may know it.
    pub fn report_key(&self) -> Result<ReportKey> {
        Ok(self.signet()?.public())
    }

    /// A job's report as it is now.
    pub async fn report(&self, actor: &Actor, job: JobId) -> Result<ReportData> {
        actor.staff()?;
        Ok(self.issue(job, Edition::Full, &actor.label()).await?.0)
    }

    /// A job's report as it is now, on paper; with the name that its file should have.
    pub async fn report_pdf(&self, actor: &Actor, job: JobId, lang: Lang) -> Result<(String, Vec<u8>)> {
        actor.staff()?;
        self.issue_pdf(job, Edition::Full, &actor.label(), lang).await
    }

    /// The report as a domain's owner may see it. Whoever calls this has made sure that it is theirs: a link's token
    /// was checked.
    pub async fn customer_report(&self, job: JobId) -> Result<ReportData> {
        Ok(self.issue(job, Edition::Customer, CUSTOMER).await?.0)
    }

    /// The same on paper; with the name that its file should have.
    pub async fn customer_report_pdf(&self, job: JobId, lang: Lang) -> Result<(String, Vec<u8>)> {
        self.issue_pdf(job, Edition::Customer, CUSTOMER, lang).await
    }

    /// The signature of a report that was made before: of the one whose digest begins like this, or of the newest.
    pub async fn report_signature(&self, actor: &Actor, job: JobId, digest: Option<&str>) -> Result<SignatureFile> {
        actor.staff()?;
        self.signature_of(job, "full", digest).await
    }

    /// The same for the customer's edition. Whoever calls this has checked a link's token.
    pub async fn customer_report_signature(&self, job: JobId, digest: Option<&str>) -> Result<SignatureFile> {
        self.signature_of(job, "customer", digest).await
    }

    async fn signature_of(&self, job: JobId, edition: &str, digest: Option<&str>) -> Result<SignatureFile> {
        let digest = digest.map(|d| d.strip_prefix("sha256:").unwrap_or(d).to_ascii_lowercase()).unwrap_or_default();
        if digest.len() > 64 || !digest.chars().all(|c| c.is_ascii_hexdigit()) {
            return Err(Error::field("digest", "must be the SHA-256 of the report, in hexadecimal digits"));
        }
        let mut conn = self.store().reader().await?;
        found(jobs::get(&mut conn, job).await?)?;
        let row = reports::find(&mut conn, job, edition, &digest).await?;
        let row = row.ok_or(Error::NotFound("report; download report.json first, this is the signature of it"))?;
        serde_json::from_str(&row.signature).map_err(Error::internal)
    }

    /// Gathers, signs, and notes the signature so that it can be asked for later.
    async fn issue(&self, job: JobId, edition: Edition, made_by: &str) -> Result<(ReportData, Turn)> {
        let (data, turn) = self.signed(job, edition, PRESS.turn().await?).await?;
        let made = row(&data, made_by, None, false)?;
        let mut tx = self.store().begin_recoverable().await?;
        reports::add(&mut tx, job, &made).await?;
        reports::forget(&mut tx, job, &made.edition, KEPT).await?;
        tx.commit().await?;
        Ok((data, turn))
    }

    async fn issue_pdf(&self, job: JobId, edition: Edition, made_by: &str, lang: Lang) -> Result<(String, Vec<u8>)> {
        let (data, turn) = self.issue(job, edition, made_by).await?;
        let ((data, paper), _turn) = data.print(lang, turn).await?;
        Ok((format!("{}.pdf", data.file_stem()), paper))
    }

    async fn signed(&self, job: JobId, edition: Edition, turn: Turn) -> Result<(ReportData, Turn)> {
        let report = self.gathered(job, edition, &turn).await?;
        let signet = self.signet()?;
        turn.work(move || {
            let report = if edition == Edition::Customer { report.for_customer() } else { report };
            let document = canonical(&report).map_err(Error::internal)?;
            let signature = signet.sign(&document);
            Ok(ReportData { report, document, signature })
        })
        .await
    }

    /// What the page of a job's reports shows.
    pub async fn report_view(&self, actor: &Actor, id: JobId) -> Result<ReportView> {
        actor.staff()?;
        let key = self.report_key()?;
        let mut conn = self.store().reader().await?;
        let job = found(jobs::get(&mut conn, id).await?)?;
        Ok(ReportView {
            job_id: id,
            domain: job.domain,
            ticket_id: job.ticket_id,
            evidence_id: evidence::for_job(&mut conn, id).await?.evidence_id,
            attached: reports::attached(&mut conn, id).await?.into_iter().map(attached).collect(),
            key_id: key.key_id,
            public_key: key.public_key,
        })
    }

    /// Makes a report and attaches it to the job's ticket: the document, its signature, and the paper.
    pub async fn attach_report(&self, actor: &Actor, id: JobId, request: AttachReport) -> Result<AttachedReport> {
        actor.manage()?;
        let lang: Lang = match &request.lang {
            Some(tag) => tag.parse().map_err(|why: String| Error::field("lang", why))?,
            None => Lang::default(),
        };
        let ticket = found(jobs::get(&mut *self.store().reader().await?, id).await?)?.ticket_id;
        let ticket = ticket.ok_or_else(no_ticket)?;
        room(&mut *self.store().reader().await?, ticket).await?;
        self.attach(actor, id, ticket, lang, false).await
    }

    async fn attach(
        &self,
        actor: &Actor,
        job: JobId,
        ticket: TicketId,
        lang: Lang,
        automatic: bool,
    ) -> Result<AttachedReport> {
        let (data, turn) = self.signed(job, Edition::Full, PRESS.turn().await?).await?;
        // Until all is written: so long it lies in memory.
        let ((data, paper), _turn) = data.print(lang, turn).await?;
        let signature = serde_json::to_vec(&data.signature).map_err(Error::internal)?;
        let stem = data.file_stem();
        let now = clock::now();
        let made = row(&data, &actor.label(), Some(now.clone()), automatic)?;
        let mut tx = self.store().begin().await?;
        // The ticket may have been changed while the paper was made.
        if found(jobs::get(&mut tx, job).await?)?.ticket_id != Some(ticket) {
            return Err(Error::conflict("ticket_changed", "The job's ticket was changed meanwhile. Try again."));
        }
        if !automatic {
            room(&mut tx, ticket).await?;
        }
        reports::add(&mut tx, job, &made).await?;
        let files: [(String, &str, &[u8]); 3] = [
            (format!("{stem}.pdf"), "application/pdf", &paper),
            (format!("{stem}.json"), "application/json", &data.document),
            (format!("{stem}.json.sig"), "application/json", &signature),
        ];
        for (name, media_type, content) in files {
            let digest = gatepost_report::digest(content);
            let created_by = actor.label();
            let file = attachments::NewAttachment {
                name: &name,
                media_type,
                digest: &digest,
                content,
                created_by: &created_by,
            };
            attachments::add(&mut tx, ticket, &file, &now).await?;
        }
        Entry::new(actor, "report.attach", format!("job/{job}"))
            .job(job)
            .after(&serde_json::json!({
                "ticket_id": ticket,
                "digest": data.signature.digest,
                "key_id": data.signature.key_id,
                "evidence_id": made.evidence_id,
            }))
            .reason(if automatic { "the job was verified" } else { "asked for" })
            .write(&mut tx)
            .await?;
        tx.commit().await?;
        Ok(attached(made))
    }

    /// Attaches the reports of jobs that have been verified and have a ticket, once for each evidence. Called when a run
    /// has ended, outside its transaction; what fails is logged and tried again with the next.
    pub(crate) async fn attach_due_reports(&self) {
        let due = async { Result::Ok(reports::due(&mut *self.store().reader().await?).await?) };
        let due = match due.await {
            Ok(due) => due,
            Err(error) => return tracing::warn!(%error, "the reports that are due could not be listed"),
        };
        for id in due {
            if let Err(error) = self.attach_due_report(id).await {
                tracing::warn!(job = %id, %error, "the report of a verified job could not be attached to its ticket");
            }
        }
    }

    async fn attach_due_report(&self, id: JobId) -> Result<()> {
        let job = found(jobs::get(&mut *self.store().reader().await?, id).await?)?;
        let (Some(ticket), Phase::Verified) = (job.ticket_id, job.phase) else { return Ok(()) };
        match self.attach(&Actor::Worker, id, ticket, Lang::default(), true).await {
            // Another worker was quicker.
            Err(Error::Conflict { code: "exists", .. }) => Ok(()),
            other => other.map(|_| ()),
        }
    }
}

fn no_ticket() -> Error {
    Error::conflict("no_ticket", "The job belongs to no ticket. Attach the job to one first, then its report to that.")
}

/// Refuses a ticket that is full. Nothing takes a file off a ticket again, and a report can have many megabytes.
async fn room(conn: &mut Conn, ticket: TicketId) -> Result<()> {
    let held = attachments::count(conn, ticket).await?;
    if held + 3 <= MOST_FILES {
        return Ok(());
    }
    Err(Error::conflict(
        "ticket_full",
        format!(
            "The ticket holds {held} files already; reports are attached by hand up to {MOST_FILES}. Download the report \
             instead, or attach the job to another ticket."
        ),
    ))
}

fn row(data: &ReportData, made_by: &str, attached_at: Option<String>, automatic: bool) -> Result<reports::ReportRow> {
    Ok(reports::ReportRow {
        generated_at: data.report.generated_at.clone(),
        edition: match data.report.edition {
            Edition::Full => "full".into(),
            Edition::Customer => "customer".into(),
        },
        evidence_id: data.report.summary.evidence_id.map(gatepost_contract::EvidenceId),
        digest: data.signature.digest.clone(),
        signature: serde_json::to_string(&data.signature).map_err(Error::internal)?,
        made_by: made_by.to_owned(),
        attached_at,
        automatic,
    })
}

fn attached(row: reports::ReportRow) -> AttachedReport {
    AttachedReport {
        generated_at: row.generated_at,
        evidence_id: row.evidence_id,
        digest: row.digest,
        made_by: row.made_by,
        automatic: row.automatic,
    }
}
