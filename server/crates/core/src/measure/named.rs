//! What the dashboard shows by name (waves, jobs, hosts) for Prometheus, as text of its exposition format 0.0.4.
//!
//! It is drawn up afresh each time it is read: what has gone, or is of yesterday, is not there any more. A recorder of
//! measurements would show it for as long as the process lives. Labels are bounded: so many waves, jobs and hosts and no
//! more; no address of a mailbox is one.

#[cfg(test)]
mod tests;

use crate::{
    Actor, Gatepost, Result,
    dashboard::{self, Ahead},
};
use gatepost_contract::{DashboardRange, Forecast, HostLoad, JobForecast};
use gatepost_store::budgets;
use std::{
    cmp::Reverse,
    collections::HashMap,
    fmt::{Display, Write as _},
};
use time::OffsetDateTime;

/// So many waves are shown: those that end last.
const WAVES: usize = 200;
/// So many jobs are shown: those that move now, the busiest first, before those that stand still.
const JOBS: usize = 200;
/// So many hosts are shown with what was spent today of their budgets.
const HOSTS: usize = 50;

/// A figure of a forecast: the end of its name, what it means, and how it is read; none is not shown.
type Figure = (&'static str, &'static str, fn(&Forecast) -> Option<f64>);

/// What there is still to copy, alike for all, for each wave and for each job.
const FIGURES: [Figure; 7] = [
    ("messages_source", "Messages at the sources, by the last count", |f| Some(f.messages_source as f64)),
    ("messages_arrived", "Messages that have arrived", |f| Some(f.messages_dest as f64)),
    ("messages_waived", "Messages given up on purpose", |f| Some(f.messages_waived as f64)),
    ("messages_left", "Messages still to arrive", |f| Some(f.messages_left() as f64)),
    ("bytes_left", "Bytes still to arrive", |f| Some(f.bytes_left() as f64)),
    ("bytes_per_second", "Bytes in a second, of all runs at work together", |f| Some(f.bytes_per_second)),
    ("eta_seconds", "Seconds to go at this rate; absent while nothing moves", |f| f.eta_seconds.map(|eta| eta as f64)),
];

impl Gatepost {
    /// What there is still to copy, in all, by wave and by job, and what hosts have moved: the figures of the dashboard
    /// that go by a name, as Prometheus reads them.
    pub async fn named_measurements(&self, now: OffsetDateTime) -> Result<String> {
        let Ahead { all, mut waves, mut jobs } = self.ahead(&Actor::Worker, now).await?;
        let (moved, spent) = {
            let mut conn = self.store().reader().await?;
            let moved = dashboard::busiest(&mut conn, dashboard::begins(DashboardRange::Day, now)).await?;
            (moved, budgets::usage_of_day(&mut conn, &now.date().to_string()).await?)
        };
        waves.truncate(WAVES);
        jobs.sort_by(busiest_first);
        jobs.truncate(JOBS);

        let mut text = String::new();
        let of_waves: Vec<_> = waves.iter().map(|wave| (wave.wave_id, wave.name.as_str(), &wave.forecast)).collect();
        let of_jobs: Vec<_> = jobs.iter().map(|job| (job.job_id.0, job.domain.as_str(), &job.forecast)).collect();
        for (end, meaning, read) in FIGURES {
            let mut one = Gauge::new(&mut text, format!("gatepost_all_{end}"), &format!("{meaning}: all open jobs."));
            one.show(&[], read(&all));
            for (what, label, rows) in [("wave", "name", &of_waves), ("job", "domain", &of_jobs)] {
                let help = format!("{meaning}: by {what}, at most 200.");
                let mut each = Gauge::new(&mut text, format!("gatepost_{what}_{end}"), &help);
                for (id, name, forecast) in rows {
                    each.show(&[(what, id), (label, name)], read(forecast));
                }
            }
        }
        show_hosts(
            &mut text,
            "gatepost_host_bytes_day",
            "Bytes moved in the last 24 hours, by host and direction; the twenty busiest hosts.",
            &moved,
        );
        let spent = by_host(spent.into_iter().map(|(host, usage)| (host, [usage.downloaded, usage.uploaded])));
        show_hosts(
            &mut text,
            "gatepost_host_bytes_today",
            "Bytes of today (UTC) of hosts that have a budget, by direction; the fifty busiest hosts.",
            &spent,
        );
        Ok(text)
    }
}

/// What moves, the fastest first; behind it what stands still, the most to copy first.
fn busiest_first(a: &JobForecast, b: &JobForecast) -> std::cmp::Ordering {
    let moves = |job: &JobForecast| job.forecast.running > 0;
    (moves(b).cmp(&moves(a)))
        .then_with(|| b.forecast.bytes_per_second.total_cmp(&a.forecast.bytes_per_second))
        .then_with(|| b.forecast.bytes_left().cmp(&a.forecast.bytes_left()))
        .then_with(|| a.job_id.cmp(&b.job_id))
}

/// By host alone: behind a blank stands the account, for hosts that give each a budget of its own.
fn by_host(spent: impl Iterator<Item = (String, [i64; 2])>) -> Vec<HostLoad> {
    let mut hosts: HashMap<String, [i64; 2]> = HashMap::new();
    for (key, [down, up]) in spent {
        let host = key.split(' ').next().unwrap_or_default().to_owned();
        let sum = hosts.entry(host).or_default();
        *sum = [sum[0].saturating_add(down), sum[1].saturating_add(up)];
    }
    let load = |(host, [bytes_read, bytes_written]): (String, [i64; 2])| HostLoad { host, bytes_read, bytes_written };
    let mut hosts: Vec<HostLoad> = hosts.into_iter().map(load).collect();
    hosts.sort_by_key(|h| (Reverse(h.bytes_read.saturating_add(h.bytes_written)), h.host.clone()));
    hosts.truncate(HOSTS);
    hosts
}

fn show_hosts(text: &mut String, name: &str, help: &str, hosts: &[HostLoad]) {
    let mut gauge = Gauge::new(text, name.to_owned(), help);
    for host in hosts {
        for (direction, bytes) in [("read", host.bytes_read), ("written", host.bytes_written)] {
            gauge.show(&[("host", &host.host), ("direction", &direction)], Some(bytes as f64));
        }
    }
}

/// One measurement with all its labels, as the exposition format wants it: together, below its text and its kind.
struct Gauge<'a> {
    text: &'a mut String,
    name: String,
}

impl<'a> Gauge<'a> {
    fn new(text: &'a mut String, name: String, help: &str) -> Self {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
        Self { text, name }
    }

    fn show(&mut self, labels: &[(&str, &dyn Display)], value: Option<f64>) {
        let Some(value) = value else { return };
        self.text.push_str(&self.name);
        for (n, (label, of)) in labels.iter().enumerate() {
            let before = if n == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{before}{label}=\"{}\"", escaped(&of.to_string()));
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{end} {value}");
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}
