//! Mailboxes from a CSV file: looked at before they are stored, and stored all or none.
//!
//! A file that was looked at is kept, sealed, for an hour, so that it can be stored without being sent again. What is
//! wrong with it is found anew each time, because the job may have changed.

mod file;
mod template;

use crate::{Actor, Error, Gatepost, Result, audit::Entry, clock, jobs::found, mailboxes::open_for_changes, waves};
use file::{Line, Parsed};
use gatepost_contract::{
    FieldError, ImportLine, ImportPreview, Imported, Job, JobId, Mailbox, MailboxId, Proposal, Scope, Tool, WaveMembers,
};
use gatepost_store::{
    Conn,
    import_previews::{self, StoredPreview},
    jobs, mailboxes,
};
use gatepost_vault::Sealed;
use std::collections::{BTreeMap, HashMap};
use time::{Duration, OffsetDateTime};

/// How long a file waits to be stored.
const KEPT: Duration = Duration::hours(1);
/// How many files of one person wait.
const MOST_KEPT: i64 = 10;
/// How many addresses a warning names.
const NAMED: usize = 5;

impl Gatepost {
    /// A CSV file to fill in: the names of the columns, and lines that show how they are meant. Where a proposal for the
    /// old server is given, its settings stand in them.
    pub async fn import_template(&self, actor: &Actor, proposal: Option<&Proposal>) -> Result<String> {
        actor.read(Scope::JobsRead)?;
        Ok(template::template(proposal))
    }

    /// Adds the mailboxes of a CSV file to a job.
    ///
    /// # Errors
    /// [`Error::Invalid`] with an entry for each wrong cell, its field being `line 12: email`.
    pub async fn import_mailboxes(&self, actor: &Actor, job: JobId, csv: &[u8]) -> Result<Imported> {
        actor.manage()?;
        self.store_file(actor, job, csv, None).await
    }

    /// Looks at a CSV file, stores no mailbox, and keeps the file sealed for an hour.
    ///
    /// # Errors
    /// Those of the job. What is wrong with the file is part of the answer.
    pub async fn preview_import(&self, actor: &Actor, job: JobId, csv: &[u8]) -> Result<ImportPreview> {
        actor.manage()?;
        let text = std::str::from_utf8(csv).map_err(|e| Error::field("file", file::not_utf8(&e)))?;
        let id = uuid::Uuid::new_v4().to_string();
        let kept = StoredPreview {
            job_id: job,
            file_blob: self.vault().seal(&Sealed::password(text.to_owned())),
            created_by: actor.label(),
            expires_at: clock::text(OffsetDateTime::now_utc() + KEPT),
        };
        // Others write meanwhile: a large file takes its time.
        let preview = look(&mut *self.store().reader().await?, &id, job, &kept.expires_at, csv).await?;
        let mut tx = self.store().begin().await?;
        import_previews::put(&mut tx, &id, &kept, &clock::now(), MOST_KEPT).await?;
        tx.commit().await?;
        Ok(preview)
    }

    /// Looks once more at a file that was kept.
    pub async fn import_preview(&self, actor: &Actor, job: JobId, id: &str) -> Result<ImportPreview> {
        actor.manage()?;
        let mut conn = self.store().reader().await?;
        let (kept, csv) = self.kept_file(&mut conn, actor, job, id).await?;
        look(&mut conn, id, job, &kept.expires_at, csv.as_bytes()).await
    }

    /// Stores the mailboxes of a file that was kept. Of two who do, one does.
    pub async fn import_previewed(&self, actor: &Actor, job: JobId, id: &str) -> Result<Imported> {
        actor.manage()?;
        let (_, csv) = self.kept_file(&mut *self.store().reader().await?, actor, job, id).await?;
        self.store_file(actor, job, csv.as_bytes(), Some(id)).await
    }

    async fn kept_file(&self, conn: &mut Conn, actor: &Actor, job: JobId, id: &str) -> Result<(StoredPreview, String)> {
        let gone = || Error::NotFound("preview; it is kept for an hour. Send the file again");
        let kept = import_previews::get(conn, id, &clock::now()).await?.ok_or_else(gone)?;
        if kept.job_id != job || kept.created_by != actor.label() {
            return Err(gone());
        }
        // A key that was taken away since: the file has to come again, like the secrets of mailboxes.
        let sealed = self.vault().open(&kept.file_blob).map_err(|_| gone())?;
        let csv = sealed.password.ok_or_else(gone)?.expose().to_owned();
        Ok((kept, csv))
    }

    async fn store_file(&self, actor: &Actor, job: JobId, csv: &[u8], kept: Option<&str>) -> Result<Imported> {
        let parsed = file::parse(csv);
        let mut tx = self.store().begin().await?;
        let (_, parsed) = judged(&mut tx, job, parsed).await?;
        if !parsed.errors.is_empty() {
            return Err(Error::Invalid(parsed.errors));
        }
        if let Some(id) = kept
            && !import_previews::delete(&mut tx, id).await?
        {
            return Err(Error::conflict("imported", "The file has been imported already."));
        }
        let waves: Vec<Option<String>> = parsed.lines.iter().map(|line| line.wave.clone()).collect();
        let new: Vec<_> = parsed.lines.into_iter().map(|line| line.mailbox).collect();
        let mailbox_ids = self.insert_mailboxes(&mut tx, actor, job, &new).await?;
        join_waves(&mut tx, actor, &mailbox_ids, &waves).await?;
        self.judge_job(&mut tx, actor, job).await?;
        tx.commit().await?;
        Ok(Imported { mailbox_ids })
    }
}

/// Puts mailboxes into the waves that their lines name.
async fn join_waves(tx: &mut Conn, actor: &Actor, ids: &[MailboxId], waves: &[Option<String>]) -> Result<()> {
    let mut joined: BTreeMap<_, Vec<MailboxId>> = BTreeMap::new();
    for (id, wave) in ids.iter().zip(waves) {
        if let Some(name) = wave {
            joined.entry(waves::join_by_name(tx, *id, name).await?).or_default().push(*id);
        }
    }
    for (wave, add_mailboxes) in joined {
        // As by hand: neither into a wave that is everybody's, nor until one is.
        waves::may_change(tx, actor, wave).await?;
        let members = WaveMembers { add_mailboxes, ..WaveMembers::default() };
        Entry::new(actor, "wave.members", format!("wave/{wave}")).after(&members).write(tx).await?;
    }
    Ok(())
}

/// Adds to what is wrong with the lines of a file by themselves what is beside each other and beside what the job has.
async fn judged(conn: &mut Conn, id: JobId, mut parsed: Parsed) -> Result<(Job, Parsed)> {
    let job = found(jobs::get(conn, id).await?)?;
    open_for_changes(&job)?;
    let existing = mailboxes::list(conn, id).await?;
    parsed.errors.extend(taken(&existing, &parsed.lines));
    let mut known: HashMap<String, bool> = HashMap::new();
    for line in &parsed.lines {
        let Some(name) = &line.wave else { continue };
        if !known.contains_key(name) {
            known.insert(name.clone(), gatepost_store::waves::by_name(conn, name).await?.is_some());
        }
        if known.get(name) == Some(&false) {
            // Not the name itself: in a file whose columns have shifted it may be a secret.
            let message = "names no wave; make the wave first, or leave the cell empty".to_owned();
            parsed.errors.push(FieldError { field: format!("line {}: wave", line.number), message });
        }
    }
    parsed.sort();
    Ok((job, parsed))
}

/// Lines whose account at the new server is fed already: by a mailbox of the job, or by a line above.
fn taken(existing: &[Mailbox], lines: &[Line]) -> Vec<FieldError> {
    let mut accounts: HashMap<String, String> = existing
        .iter()
        .map(|m| (m.dest_user.as_deref().unwrap_or(&m.email).to_lowercase(), format!("{} of this job", m.email)))
        .collect();
    let mut errors = Vec::new();
    for line in lines {
        let mailbox = &line.mailbox;
        let user = mailbox.dest_user.as_deref().map(str::trim).filter(|user| !user.is_empty());
        let account = user.unwrap_or(&mailbox.email).to_lowercase();
        if account.is_empty() {
            continue;
        }
        match accounts.get(&account) {
            Some(other) => errors.push(FieldError {
                field: format!("line {}: {}", line.number, if user.is_some() { "dest_user" } else { "email" }),
                message: format!(
                    "goes to an account that {other} goes to already; one mailbox of a job feeds one account"
                ),
            }),
            None => {
                accounts.insert(account, format!("line {}", line.number));
            }
        }
    }
    errors
}

async fn look(conn: &mut Conn, id: &str, job_id: JobId, expires_at: &str, csv: &[u8]) -> Result<ImportPreview> {
    let (job, parsed) = judged(conn, job_id, file::parse(csv)).await?;
    let wrong: Vec<&str> = parsed.errors.iter().filter_map(|error| error.field.split(':').next()).collect();
    let fine = |line: &&Line| !wrong.contains(&format!("line {}", line.number).as_str());
    Ok(ImportPreview {
        id: id.to_owned(),
        job_id,
        lines: i64::try_from(parsed.lines.len()).unwrap_or(i64::MAX),
        mailboxes: parsed.lines.iter().filter(fine).map(shown).collect(),
        warnings: warnings(&job, &parsed.lines),
        errors: parsed.errors,
        expires_at: expires_at.to_owned(),
    })
}

fn shown(line: &Line) -> ImportLine {
    let mailbox = &line.mailbox;
    let server = !mailbox.source_type.is_file();
    let security = mailbox.source_security.unwrap_or(gatepost_contract::Security::Tls);
    ImportLine {
        line: line.number,
        email: mailbox.email.clone(),
        source_type: mailbox.source_type,
        tool: mailbox.tool.unwrap_or(Tool::Native),
        source_host: mailbox.source_host.clone(),
        source_port: server.then(|| mailbox.source_port.unwrap_or(security.default_port())),
        source_security: server.then_some(security),
        source_user: mailbox.source_user.clone(),
        source_admin: mailbox.source_admin.clone(),
        dest_user: mailbox.dest_user.clone(),
        dest_admin: mailbox.dest_admin.clone(),
        has_source_secret: mailbox.source_secret.is_some(),
        has_dest_secret: mailbox.dest_secret.is_some(),
        mapped_folders: i64::try_from(mailbox.folder_map.len()).unwrap_or(i64::MAX),
        wave: line.wave.clone(),
    }
}

/// Which lines are meant.
type Fits<'a> = &'a dyn Fn(&Line) -> bool;

/// What is no mistake and may be one.
fn warnings(job: &Job, lines: &[Line]) -> Vec<String> {
    let named = |fits: Fits<'_>| -> Option<(usize, String)> {
        let all: Vec<&str> = lines.iter().filter(|l| fits(l)).map(|l| l.mailbox.email.as_str()).collect();
        let more = all.len().saturating_sub(NAMED);
        let shown = all.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
        let shown = if more > 0 { format!("{shown} and {more} more") } else { shown };
        (!all.is_empty()).then_some((all.len(), shown))
    };
    let elsewhere = |line: &Line| {
        line.mailbox.email.rsplit_once('@').is_some_and(|(_, domain)| !domain.eq_ignore_ascii_case(&job.domain))
    };
    let no_source = |line: &Line| {
        let m = &line.mailbox;
        !m.source_type.is_file()
            && m.source_secret.is_none()
            && m.source_type != gatepost_contract::SourceType::ImapOauth
    };
    let no_dest = |line: &Line| line.mailbox.dest_secret.is_none();
    let unverified = |line: &Line| line.mailbox.source_insecure_tls;
    let plain = |line: &Line| line.mailbox.source_security == Some(gatepost_contract::Security::Plain);
    let told: [(Fits<'_>, String); 5] = [
        (&elsewhere, format!("are not in the domain {}", job.domain)),
        (&no_source, "have no secret for the old server".to_owned()),
        (&no_dest, "have no secret for the new server".to_owned()),
        (&unverified, "go without a check of the old server's certificate".to_owned()),
        (&plain, "send their password to the old server in the clear".to_owned()),
    ];
    told.into_iter()
        .filter_map(|(fits, what)| named(fits).map(|(count, who)| format!("{count} of the mailboxes {what}: {who}.")))
        .collect()
}

#[cfg(test)]
#[path = "import/tests.rs"]
mod tests;
