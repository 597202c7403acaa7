//! Measurements: what Prometheus is shown, with its texts, and the samples that the database keeps over time. What is
//! shown by the name of a wave, a job or a host is in [`named`].

mod named;

use crate::{Gatepost, Result, clock, meter::Name};
use gatepost_contract::{DeliveryStatus, Gate, MailboxStatus, Phase, RunStatus, UploadState};
use gatepost_store::{
    figures::{self, Counts, Figures},
    metric_samples::{self, FINE, Sample},
};
use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use std::{collections::HashMap, time::Duration};
use time::OffsetDateTime;

/// How often samples are written and gauges are read.
const TICK: Duration = Duration::from_secs(15);
/// Stretches of five minutes older than this are folded into hours.
const KEEP_FINE: i64 = 2 * 86_400;
/// What is older is forgotten.
const KEEP: i64 = 91 * 86_400;

/// Names every measurement, its unit and what it means. To be called once, before anything is measured.
pub fn describe() {
    describe_gauge!("gatepost_build_info", "1, with the version of the program.");
    describe_gauge!("gatepost_jobs", "Jobs by phase.");
    describe_gauge!("gatepost_open_jobs", "Jobs that are not closed, by the verdict of their gate.");
    describe_gauge!("gatepost_mailboxes", "Mailboxes by status.");
    describe_gauge!(
        "gatepost_runs",
        "Runs that have not ended: queued, running, and of those running the waiting ones."
    );
    describe_gauge!("gatepost_pauses", "Pauses that last, by what they hold.");
    describe_gauge!(
        "gatepost_schedule_moments_day",
        "Moments of schedules of the last 24 hours by what became of them."
    );
    describe_gauge!("gatepost_uploads", "Files of mail by state.");
    describe_gauge!("gatepost_upload_bytes", Unit::Bytes, "Bytes of files of mail that are kept.");
    describe_gauge!("gatepost_oauth_consents", "OAuth consents by state.");
    describe_gauge!("gatepost_database_bytes", Unit::Bytes, "Size of the database.");
    describe_gauge!("gatepost_disk_free_bytes", Unit::Bytes, "Free space where the data lies.");
    describe_counter!("gatepost_runs_total", "Runs that ended, by type, tool and status.");
    describe_histogram!("gatepost_run_duration_seconds", Unit::Seconds, "How long copying runs took, by type.");
    describe_counter!("gatepost_messages_copied_total", "Messages copied by this process.");
    describe_counter!("gatepost_bytes_copied_total", Unit::Bytes, "Bytes copied by this process, by direction.");
    describe_counter!("gatepost_errors_total", "Messages that were quarantined and runs that failed.");
    describe_counter!("gatepost_gate_asked_total", "Answers about the gate, by verdict.");
    describe_counter!("gatepost_webhook_attempts_total", "Attempts to deliver a webhook, by result.");
    describe_counter!("gatepost_oauth_consents_total", "Consents that were granted or refused, by provider.");
    describe_counter!("gatepost_oauth_renewals_total", "Renewals of OAuth tokens, by provider and result.");
    describe_counter!("gatepost_schedule_moments_total", "Moments of schedules, by what became of them.");
    describe_counter!("gatepost_http_requests_total", "Requests answered, by method, route and status.");
    describe_histogram!(
        "gatepost_http_request_duration_seconds",
        Unit::Seconds,
        "How long answers took, by method and route."
    );
}

impl Gatepost {
    /// Writes samples and reads gauges now and then, until the process ends.
    pub(crate) async fn keep_measuring(&self) {
        let stopping = self.crew().stopping().clone();
        start_at_zero();
        loop {
            let ending = tokio::select! {
                () = tokio::time::sleep(TICK) => false,
                () = stopping.cancelled() => true,
            };
            if let Err(error) = self.measure(OffsetDateTime::now_utc()).await {
                tracing::warn!(%error, "measurements could not be written");
            }
            if ending {
                return;
            }
        }
    }

    /// Writes what was counted as of a moment, and reads how much there is of everything.
    pub async fn measure(&self, now: OffsetDateTime) -> Result<()> {
        let since = clock::text(now - time::Duration::days(1));
        let figures = figures::all(&mut *self.store().reader().await?, &since).await?;
        show(&figures);
        if let Ok(free) = gatepost_free(&self.config().data_path) {
            metrics::gauge!("gatepost_disk_free_bytes").set(free as f64);
        }
        let counted = self.meter().take();
        if let Err(error) = self.write_samples(&counted, &figures, now.unix_timestamp()).await {
            self.meter().give_back(counted);
            return Err(error);
        }
        Ok(())
    }

    async fn write_samples(&self, counted: &HashMap<(Name, String), u64>, figures: &Figures, now: i64) -> Result<()> {
        let of = |counts: &Counts, name: &str| counts.iter().filter(|(n, _)| n == name).map(|(_, n)| *n).sum::<i64>();
        let present = [
            (Name::AtWork, 1),
            (Name::Running, of(&figures.runs, RunStatus::Running.as_str())),
            (Name::Queued, of(&figures.runs, RunStatus::Queued.as_str())),
        ];
        let counted = counted.iter().map(|((name, label), value)| (*name, label.as_str(), *value));
        let present = present.into_iter().map(|(name, value)| (name, "", u64::try_from(value).unwrap_or_default()));
        let mut tx = self.store().begin().await?;
        for sample in samples(counted.chain(present), now - now.rem_euclid(FINE)) {
            metric_samples::add(&mut tx, FINE, &sample, Name::fold(&sample.name)).await?;
        }
        // At most an hour at a time: what a long rest left behind is folded little by little.
        metric_samples::fold_oldest(&mut tx, now - now.rem_euclid(3_600) - KEEP_FINE, Name::fold).await?;
        metric_samples::forget_before(&mut tx, now - KEEP).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// What is more than nothing, in the order in which every process writes it: two that hold each other's rows would wait
/// for one another.
fn samples<'a>(values: impl Iterator<Item = (Name, &'a str, u64)>, at: i64) -> Vec<Sample> {
    let mut samples: Vec<Sample> = values
        .filter(|(.., value)| *value > 0)
        .map(|(name, label, value)| Sample {
            at,
            name: name.as_str().to_owned(),
            label: label.to_owned(),
            value: i64::try_from(value).unwrap_or(i64::MAX),
        })
        .collect();
    samples.sort_by(|a, b| (&a.name, &a.label).cmp(&(&b.name, &b.label)));
    samples
}

fn gatepost_free(path: &std::path::Path) -> std::io::Result<u64> {
    let disk = rustix::fs::statvfs(path)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// What only ever grows is shown from the start: a rate over something that appears with its first value misses it.
fn start_at_zero() {
    metrics::gauge!("gatepost_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    metrics::counter!("gatepost_messages_copied_total").increment(0);
    for direction in ["read", "written"] {
        metrics::counter!("gatepost_bytes_copied_total", "direction" => direction).increment(0);
    }
    for kind in ["message", "run"] {
        metrics::counter!("gatepost_errors_total", "kind" => kind).increment(0);
    }
    for gate in Gate::ALL {
        metrics::counter!("gatepost_gate_asked_total", "gate" => gate.as_str()).increment(0);
    }
    for status in DeliveryStatus::ALL {
        metrics::counter!("gatepost_webhook_attempts_total", "status" => status.as_str()).increment(0);
    }
    for state in ["started", "skipped", "missed", "failed"] {
        metrics::counter!("gatepost_schedule_moments_total", "state" => state).increment(0);
    }
}

fn show(figures: &Figures) {
    let names = |all: &[&'static str]| all.to_vec();
    let all = |name: &'static str, label: &'static str, known: Vec<&'static str>, counts: &Counts| {
        for state in known {
            let count = counts.iter().find(|(n, _)| n == state).map_or(0, |(_, n)| *n);
            metrics::gauge!(name, label => state).set(count as f64);
        }
    };
    all("gatepost_jobs", "phase", Phase::ALL.iter().map(|p| p.as_str()).collect(), &figures.jobs_by_phase);
    all("gatepost_open_jobs", "gate", Gate::ALL.iter().map(|g| g.as_str()).collect(), &figures.jobs_by_gate);
    all("gatepost_mailboxes", "status", MailboxStatus::ALL.iter().map(|s| s.as_str()).collect(), &figures.mailboxes);
    all("gatepost_runs", "state", names(&["queued", "running"]), &figures.runs);
    metrics::gauge!("gatepost_runs", "state" => "waiting").set(figures.waiting as f64);
    all("gatepost_pauses", "scope", names(&["everything", "host", "wave", "job"]), &figures.pauses);
    all("gatepost_schedule_moments_day", "state", names(&["started", "skipped", "missed", "failed"]), &figures.moments);
    all("gatepost_uploads", "state", UploadState::ALL.iter().map(|s| s.as_str()).collect(), &figures.uploads);
    all(
        "gatepost_oauth_consents",
        "state",
        names(&["pending", "valid", "expired", "revoked", "failed"]),
        &figures.consents,
    );
    metrics::gauge!("gatepost_upload_bytes").set(figures.upload_bytes as f64);
    metrics::gauge!("gatepost_database_bytes").set(figures.database_bytes as f64);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_written_in_one_order_whatever_the_order_of_counting() {
        let values = [
            (Name::Queued, "", 3),
            (Name::BytesRead, "old.example", 9),
            (Name::BytesRead, "", 9),
            (Name::Messages, "", 0),
            (Name::AtWork, "", 1),
        ];
        let told = |values: &mut dyn Iterator<Item = (Name, &'static str, u64)>| -> Vec<String> {
            samples(values, 300).into_iter().map(|one| format!("{} {}", one.name, one.label)).collect()
        };
        let expect = ["at_work ", "bytes_read ", "bytes_read old.example", "queued "];
        assert_eq!(told(&mut values.into_iter()), expect);
        assert_eq!(told(&mut values.into_iter().rev()), expect);
    }
}
