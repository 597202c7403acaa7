//! The dashboard: samples over time, what is at work, and when it will be done.

use crate::{Actor, Gatepost, Result, clock, meter::Name};
use gatepost_contract::{
    Dashboard, DashboardNow, DashboardPoint, DashboardQuery, DashboardRange, DashboardTotals, Forecast, HostLoad,
    JobForecast, RunStatus, WaveForecast, WaveSummary,
};
use gatepost_store::{Conn, figures, metric_samples};
use std::{cmp::Reverse, collections::BTreeMap};
use time::{Duration, OffsetDateTime};

/// How many waves and jobs are told of.
const MOST: usize = 50;
/// How many hosts.
const HOSTS: i64 = 20;
/// A forecast beyond this is none.
const FURTHEST: i64 = 10 * 365 * 86_400;

impl Gatepost {
    /// What was done over a time, and what there is to do.
    pub async fn dashboard(&self, actor: &Actor, query: DashboardQuery) -> Result<Dashboard> {
        self.dashboard_at(actor, query, OffsetDateTime::now_utc()).await
    }

    /// The same as of a moment.
    pub async fn dashboard_at(&self, actor: &Actor, query: DashboardQuery, now: OffsetDateTime) -> Result<Dashboard> {
        actor.staff()?;
        let range = query.range.unwrap_or(DashboardRange::Day);
        let from = begins(range, now);
        let Ahead { all, mut waves, mut jobs } = self.ahead(actor, now).await?;
        waves.truncate(MOST);
        jobs.truncate(MOST);
        let mut conn = self.store().reader().await?;
        let samples = metric_samples::since(&mut conn, from).await?;
        let hosts = busiest(&mut conn, from).await?;
        let figures = figures::all(&mut conn, &clock::text(now)).await?;
        drop(conn);

        let (points, totals) = points(&samples, from, range);
        let of = |status: RunStatus| {
            figures.runs.iter().filter(|(name, _)| name == status.as_str()).map(|(_, n)| *n).sum::<i64>()
        };
        let present = DashboardNow {
            queued: of(RunStatus::Queued),
            running: of(RunStatus::Running),
            waiting: figures.waiting,
            forecast: all,
        };
        Ok(Dashboard {
            range,
            from: text(from),
            to: clock::text(now),
            step_seconds: range.step_seconds(),
            points,
            totals,
            now: present,
            waves,
            jobs,
            hosts,
        })
    }

    /// What there is still to copy, and when that ends.
    pub(crate) async fn ahead(&self, actor: &Actor, now: OffsetDateTime) -> Result<Ahead> {
        let waves = self.waves(actor).await?.waves;
        let jobs = figures::to_copy(&mut *self.store().reader().await?).await?;
        let all = jobs.iter().fold(Forecast::default(), |sum, job| plus(sum, &job.forecast));
        Ok(Ahead { all: foretold(all, now), waves: waves_ahead(waves), jobs: jobs_ahead(jobs, now) })
    }
}

/// What is still to be copied.
pub(crate) struct Ahead {
    /// By all open jobs together.
    pub all: Forecast,
    /// By waves that are not complete, those that end last first.
    pub waves: Vec<WaveForecast>,
    /// By jobs that have something to copy, those that end last first.
    pub jobs: Vec<JobForecast>,
}

/// The second at which the first point of a range begins. The last point is the one that is still going on.
pub(crate) fn begins(range: DashboardRange, now: OffsetDateTime) -> i64 {
    let (step, seconds) = (range.step_seconds(), now.unix_timestamp());
    seconds - seconds.rem_euclid(step) - (range.points() - 1) * step
}

/// The hosts that moved most since a second, the busiest first.
pub(crate) async fn busiest(conn: &mut Conn, from: i64) -> Result<Vec<HostLoad>> {
    let read = metric_samples::by_label(conn, from, Name::BytesRead.as_str(), HOSTS).await?;
    let written = metric_samples::by_label(conn, from, Name::BytesWritten.as_str(), HOSTS).await?;
    Ok(hosts(read, written))
}

/// Jobs that have something to copy, those that end last first.
fn jobs_ahead(jobs: Vec<JobForecast>, now: OffsetDateTime) -> Vec<JobForecast> {
    let mut ahead: Vec<JobForecast> = jobs
        .into_iter()
        .filter(|job| job.forecast.messages_left() > 0)
        .map(|job| JobForecast { forecast: foretold(job.forecast, now), ..job })
        .collect();
    ahead.sort_by(|a, b| last_first(&a.forecast, &b.forecast).then_with(|| a.domain.cmp(&b.domain)));
    ahead
}

/// Waves with mailboxes that are not complete, those that end last first.
fn waves_ahead(waves: Vec<WaveSummary>) -> Vec<WaveForecast> {
    let mut ahead: Vec<WaveForecast> = waves
        .into_iter()
        .filter(|wave| wave.progress.complete < wave.progress.mailboxes)
        .map(|wave| {
            let p = wave.progress;
            let forecast = Forecast {
                messages_source: p.messages_source,
                messages_dest: p.messages_dest,
                messages_waived: p.messages_waived,
                bytes_source: p.bytes_source,
                bytes_dest: p.bytes_dest,
                bytes_waived: p.bytes_waived,
                running: p.running,
                bytes_per_second: p.bytes_per_second,
                eta_seconds: p.eta_seconds,
                ends_at: p.ends_at,
            };
            WaveForecast { wave_id: wave.wave.id.0, name: wave.wave.name, forecast }
        })
        .collect();
    ahead.sort_by(|a, b| last_first(&a.forecast, &b.forecast).then_with(|| a.name.cmp(&b.name)));
    ahead
}

fn text(seconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp(seconds).map(clock::text).unwrap_or_default()
}

/// Every point of the range, and their sums.
fn points(
    samples: &[metric_samples::Sample],
    from: i64,
    range: DashboardRange,
) -> (Vec<DashboardPoint>, DashboardTotals) {
    let step = range.step_seconds();
    let mut points: Vec<DashboardPoint> = (0..range.points())
        .map(|n| DashboardPoint { at: text(from + n * step), ..DashboardPoint::default() })
        .collect();
    let mut totals = DashboardTotals::default();
    for sample in samples {
        let at = usize::try_from((sample.at - from).div_euclid(step)).ok();
        // A clock that was set back leaves samples of times to come.
        let Some(point) = at.and_then(|at| points.get_mut(at)) else { continue };
        let (sum, total): (&mut i64, Option<&mut i64>) = match sample.name.as_str() {
            "at_work" => {
                point.measured = true;
                continue;
            }
            "running" => {
                point.running = point.running.max(sample.value);
                continue;
            }
            "queued" => {
                point.queued = point.queued.max(sample.value);
                continue;
            }
            "runs_success" => (&mut totals.runs_success, None),
            "runs_partial" => (&mut totals.runs_partial, None),
            "runs_failed" => (&mut totals.runs_failed, None),
            "messages" => (&mut point.messages, Some(&mut totals.messages)),
            "bytes_read" => (&mut point.bytes_read, Some(&mut totals.bytes_read)),
            "bytes_written" => (&mut point.bytes_written, Some(&mut totals.bytes_written)),
            "errors" => (&mut point.errors, Some(&mut totals.errors)),
            // Of a newer version.
            _ => continue,
        };
        *sum = sum.saturating_add(sample.value);
        if let Some(total) = total {
            *total = total.saturating_add(sample.value);
        }
    }
    (points, totals)
}

fn plus(sum: Forecast, more: &Forecast) -> Forecast {
    Forecast {
        messages_source: sum.messages_source.saturating_add(more.messages_source),
        messages_dest: sum.messages_dest.saturating_add(more.messages_dest),
        messages_waived: sum.messages_waived.saturating_add(more.messages_waived),
        bytes_source: sum.bytes_source.saturating_add(more.bytes_source),
        bytes_dest: sum.bytes_dest.saturating_add(more.bytes_dest),
        bytes_waived: sum.bytes_waived.saturating_add(more.bytes_waived),
        running: sum.running + more.running,
        bytes_per_second: sum.bytes_per_second + more.bytes_per_second,
        eta_seconds: None,
        ends_at: None,
    }
}

/// With its end, at the speed of the runs at work.
fn foretold(forecast: Forecast, now: OffsetDateTime) -> Forecast {
    let left = forecast.bytes_left() as f64;
    let eta = (left > 0.0 && forecast.bytes_per_second > 0.0).then(|| (left / forecast.bytes_per_second).ceil() as i64);
    let eta_seconds = eta.filter(|eta| *eta <= FURTHEST);
    let ends_at = eta_seconds.and_then(|eta| now.checked_add(Duration::seconds(eta))).map(clock::text);
    Forecast { eta_seconds, ends_at, ..forecast }
}

/// What ends last first; what nobody can foretell behind it, the most to copy first.
fn last_first(a: &Forecast, b: &Forecast) -> std::cmp::Ordering {
    let key = |f: &Forecast| (Reverse(f.eta_seconds), Reverse(f.bytes_left()));
    key(a).cmp(&key(b))
}

fn hosts(read: Vec<(String, i64)>, written: Vec<(String, i64)>) -> Vec<HostLoad> {
    let mut all: BTreeMap<String, HostLoad> = BTreeMap::new();
    let load = |host: &str| HostLoad { host: host.to_owned(), bytes_read: 0, bytes_written: 0 };
    for (host, bytes) in read {
        all.entry(host.clone()).or_insert_with(|| load(&host)).bytes_read = bytes;
    }
    for (host, bytes) in written {
        all.entry(host.clone()).or_insert_with(|| load(&host)).bytes_written = bytes;
    }
    let mut all: Vec<HostLoad> = all.into_values().collect();
    all.sort_by_key(|host| Reverse(host.bytes_read.saturating_add(host.bytes_written)));
    all.truncate(usize::try_from(HOSTS).unwrap_or(usize::MAX));
    all
}

#[cfg(test)]
mod tests;
