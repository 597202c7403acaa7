//! A job's DNS: reading it, keeping what was read, and what it means for the cutover.

use crate::{Actor, Error, Gatepost, Result, audit::Entry, clock, cutover::settings_of, jobs::found, stragglers};
use gatepost_contract::{
    CutoverSettings, CutoverView, DnsMoment, DnsSnapshot, Job, JobId, Phase, RollbackSheet, Scope,
};
use gatepost_dns::{Asked, Dns, Options, Plan, Reading};
use gatepost_store::{Conn, dns_snapshots, jobs, mailboxes};
use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The jobs whose DNS this process is reading.
#[derive(Default)]
pub(crate) struct Readings(Mutex<HashSet<JobId>>);

impl Readings {
    fn jobs(&self) -> MutexGuard<'_, HashSet<JobId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, job: JobId) -> Option<UnderWay<'_>> {
        self.jobs().insert(job).then_some(UnderWay { all: self, job })
    }
}

/// One reading; it ends when this is dropped, even if the one who asked has gone.
struct UnderWay<'a> {
    all: &'a Readings,
    job: JobId,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.all.jobs().remove(&self.job);
    }
}

impl Gatepost {
    /// Reads a job's DNS now and keeps it: before the cutover as the old values, after it as how far the new ones have
    /// spread.
    pub async fn read_dns(&self, actor: &Actor, id: JobId) -> Result<CutoverView> {
        actor.manage()?;
        let job = found(jobs::get(&mut *self.store().reader().await?, id).await?)?;
        if job.phase == Phase::Closed {
            return Err(Error::conflict("closed", "The job is closed. Its DNS is as it was read last."));
        }
        if self.config().dns_resolvers.is_empty() {
            return Err(Error::conflict(
                "no_resolvers",
                "No resolver is known, so the DNS cannot be read. Set GATEPOST_DNS_RESOLVERS to addresses of resolvers.",
            ));
        }
        let moment = if job.dns_cutover_at.is_some() { DnsMoment::After } else { DnsMoment::Before };
        self.take_snapshot(&job, moment, &actor.label()).await?;
        self.cutover(actor, id).await
    }

    async fn take_snapshot(&self, job: &Job, moment: DnsMoment, by: &str) -> Result<()> {
        let Some(_under_way) = self.readings().begin(job.id) else {
            return Err(Error::conflict(
                "already_reading",
                "The DNS is being read already. Look again in half a minute.",
            ));
        };
        let (plan, settings) = {
            let mut conn = self.store().reader().await?;
            let settings = settings_of(&mut conn, job.id).await?;
            (plan(&mut conn, job, &settings).await?, settings)
        };
        let mut new_hosts = vec![plan.new_host];
        new_hosts.extend(plan.new_mx);
        let asked = Asked {
            domain: job.domain.clone(),
            old_hosts: plan.old_hosts,
            new_hosts,
            selectors: settings.dkim_selectors,
        };
        let dns = Dns::new(self.config().dns_resolvers.clone(), Options::default());
        let snapshot = dns.snapshot(&asked, moment, by, &clock::now()).await;
        let ttl = Reading::of(&snapshot).map(|reading| reading.ttl);
        let mut tx = self.store().begin().await?;
        // While it was read, the change may have been recorded: what was read then is not what stood there before.
        let now = found(jobs::get(&mut tx, job.id).await?)?;
        if moment == DnsMoment::Before && now.dns_cutover_at.is_some() {
            return Ok(());
        }
        let id = dns_snapshots::insert(&mut tx, job.id, &snapshot, ttl).await?;
        let first = dns_snapshots::list(&mut tx, job.id).await?.len() == 1;
        if first || moment == DnsMoment::Cutover {
            // What a rollback relies on. Every other reading changes nothing.
            Entry::new(&Actor::Worker, "dns.read", format!("job/{}", job.id))
                .job(job.id)
                .after(&serde_json::json!({"snapshot": id, "moment": moment, "by": by}))
                .write(&mut tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Reads a job's DNS in the background. What cannot be read is logged: nobody waits for it.
    pub(crate) fn read_dns_later(&self, id: JobId, moment: DnsMoment, by: String) {
        if self.config().dns_resolvers.is_empty() {
            return;
        }
        let gatepost = self.clone();
        tokio::spawn(async move {
            let stopping = gatepost.crew().stopping().clone();
            let reading = async {
                let job = found(jobs::get(&mut *gatepost.store().reader().await?, id).await?)?;
                Box::pin(gatepost.take_snapshot(&job, moment, &by)).await
            };
            tokio::select! {
                read = reading => if let Err(error) = read {
                    tracing::warn!(job = %id, %error, "the DNS could not be read");
                },
                () = stopping.cancelled() => {}
            }
        });
    }

    /// Where a job's cutover stands: what was read, what to look at, how far the change has spread, stragglers.
    pub async fn cutover(&self, actor: &Actor, id: JobId) -> Result<CutoverView> {
        actor.read(Scope::JobsRead)?;
        let gate = self.gate_view(actor, id).await?;
        let mut conn = self.store().reader().await?;
        let job = found(jobs::get(&mut conn, id).await?)?;
        let settings = settings_of(&mut conn, id).await?;
        let plan = plan(&mut conn, &job, &settings).await?;
        let latest = dns_snapshots::latest(&mut conn, id).await?;
        let before = kept(&mut conn, id, &plan).await?;
        let readings = readings(&mut conn, id).await?;
        let cutover = job.dns_cutover_at.as_deref().and_then(clock::parse).map(time::OffsetDateTime::unix_timestamp);
        let stragglers = stragglers::view(&mut conn, &job, &settings).await?;
        let findings = latest.as_ref().map(|latest| gatepost_dns::findings(latest, &plan)).unwrap_or_default();
        let propagation = latest.as_ref().map(|latest| gatepost_dns::propagation(latest, before.as_ref(), &plan));
        Ok(CutoverView {
            job_id: id,
            domain: job.domain,
            phase: job.phase,
            gate: gate.gate,
            gate_reason: gate.reason,
            dns_cutover_at: job.dns_cutover_at,
            settings,
            findings,
            propagation: propagation.unwrap_or_default(),
            ttl: gatepost_dns::countdown(&readings, cutover, clock::seconds()),
            stragglers,
            before,
            latest,
        })
    }

    /// How to put the old values back.
    pub async fn rollback_sheet(&self, actor: &Actor, id: JobId) -> Result<RollbackSheet> {
        actor.read(Scope::JobsRead)?;
        let mut conn = self.store().reader().await?;
        let job = found(jobs::get(&mut conn, id).await?)?;
        let settings = settings_of(&mut conn, id).await?;
        let plan = plan(&mut conn, &job, &settings).await?;
        let before =
            kept(&mut conn, id, &plan).await?.ok_or(Error::NotFound("reading of the DNS before the cutover"))?;
        let latest = dns_snapshots::latest(&mut conn, id).await?.filter(|latest| latest.id != before.id);
        Ok(gatepost_dns::rollback(&before, latest.as_ref()))
    }

    /// A job's old DNS values and its newest ones, for reports.
    pub async fn dns_snapshots(&self, actor: &Actor, id: JobId) -> Result<(Option<DnsSnapshot>, Option<DnsSnapshot>)> {
        actor.read(Scope::JobsRead)?;
        let mut conn = self.store().reader().await?;
        let job = found(jobs::get(&mut conn, id).await?)?;
        let settings = settings_of(&mut conn, id).await?;
        let plan = plan(&mut conn, &job, &settings).await?;
        Ok((kept(&mut conn, id, &plan).await?, dns_snapshots::latest(&mut conn, id).await?))
    }
}

async fn plan(conn: &mut Conn, job: &Job, settings: &CutoverSettings) -> Result<Plan> {
    let mut old_hosts: Vec<String> = Vec::new();
    for mailbox in mailboxes::list(conn, job.id).await? {
        if let Some(host) = mailbox.source_host.map(|host| host.to_lowercase())
            && !old_hosts.contains(&host)
        {
            old_hosts.push(host);
        }
    }
    // A domain has one old server, sometimes two: more would be a mistake that is not worth hundreds of questions.
    old_hosts.truncate(8);
    Ok(Plan {
        old_hosts,
        new_host: job.dest_imap_host.to_lowercase(),
        new_mx: settings.new_mx.clone(),
        selectors: settings.dkim_selectors.clone(),
        applied: job.dns_cutover_at.is_some(),
    })
}

/// The old values: the newest reading before the cutover that does not show the new MX already. Where somebody changed
/// the DNS before it was said here, an older one has them.
async fn kept(conn: &mut Conn, job: JobId, plan: &Plan) -> Result<Option<DnsSnapshot>> {
    let mut fallback = None;
    for taken in dns_snapshots::list(conn, job).await?.into_iter().filter(|t| t.moment == DnsMoment::Before) {
        let Some(snapshot) = dns_snapshots::get(conn, taken.id).await? else { continue };
        let hosts = gatepost_dns::mx_hosts(&snapshot);
        let expected = if plan.new_mx.is_empty() { std::slice::from_ref(&plan.new_host) } else { &plan.new_mx[..] };
        if hosts.iter().any(|host| !expected.contains(host)) {
            return Ok(Some(snapshot));
        }
        fallback.get_or_insert(snapshot);
    }
    Ok(fallback)
}

async fn readings(conn: &mut Conn, job: JobId) -> Result<Vec<Reading>> {
    // Oldest first, so that of two in the same second the later counts as such.
    let taken = dns_snapshots::list(conn, job).await?.into_iter().rev().filter(|t| t.moment == DnsMoment::Before);
    let read = taken.filter_map(|t| Some(Reading { at: clock::parse(&t.at)?.unix_timestamp(), ttl: t.mx_ttl? }));
    Ok(read.collect())
}
