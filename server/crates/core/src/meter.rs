//! What this process has done: counted as it happens, for Prometheus at once and for the samples in the database a few
//! times a minute. Names of hosts are counted one by one up to a bound; no address of a mailbox is a label anywhere.

use gatepost_contract::{RunStatus, RunType, Tool};
use gatepost_store::metric_samples::Fold;
use serde_json::{Map, Value};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// So many hosts have samples of their own at a time; all others share the empty name's.
const HOSTS: usize = 200;

/// What is sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Name {
    /// A process of Gatepost was at work.
    AtWork,
    /// Messages copied.
    Messages,
    /// Bytes read from source servers; by host too.
    BytesRead,
    /// Bytes written to destination servers; by host too.
    BytesWritten,
    /// Messages quarantined, and runs that failed.
    Errors,
    /// Runs that ended.
    Runs(RunStatus),
    /// The most runs at work at a time.
    Running,
    /// The most runs queued at a time.
    Queued,
}

impl Name {
    /// As the database writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AtWork => "at_work",
            Self::Messages => "messages",
            Self::BytesRead => "bytes_read",
            Self::BytesWritten => "bytes_written",
            Self::Errors => "errors",
            Self::Runs(RunStatus::Success) => "runs_success",
            Self::Runs(RunStatus::Partial) => "runs_partial",
            Self::Runs(_) => "runs_failed",
            Self::Running => "running",
            Self::Queued => "queued",
        }
    }

    /// How values of a name come together.
    pub fn fold(name: &str) -> Fold {
        match name {
            "running" | "queued" | "at_work" => Fold::Highest,
            _ => Fold::Sum,
        }
    }
}

/// Counts what is not yet in the database.
#[derive(Debug, Default)]
pub(crate) struct Meter(Mutex<HashMap<(Name, String), u64>>);

impl Meter {
    /// Counts for a run between these hosts; the source may be files.
    pub fn count(self: &Arc<Self>, source: Option<&str>, dest: &str) -> Count {
        let host = |host: &str| host.trim_end_matches('.').to_lowercase();
        Count { meter: self.clone(), source: source.map(host), dest: host(dest) }
    }

    /// A run has ended.
    pub fn ended(&self, run_type: RunType, tool: Tool, status: RunStatus, stats: &Map<String, Value>) {
        metrics::counter!("gatepost_runs_total", "type" => run_type.as_str(), "tool" => tool.as_str(), "status" => status.as_str())
            .increment(1);
        if let Some(seconds) = stats.get("seconds").and_then(Value::as_f64) {
            metrics::histogram!("gatepost_run_duration_seconds", "type" => run_type.as_str()).record(seconds);
        }
        let refused = stats.get("quarantined").and_then(Value::as_u64).unwrap_or_default();
        let failed = u64::from(status == RunStatus::Failed);
        metrics::counter!("gatepost_errors_total", "kind" => "message").increment(refused);
        metrics::counter!("gatepost_errors_total", "kind" => "run").increment(failed);
        self.add(Name::Errors, "", refused + failed);
        self.add(Name::Runs(status), "", 1);
    }

    fn add(&self, name: Name, label: &str, value: u64) {
        if value == 0 {
            return;
        }
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let full = counts.len() >= 2 * HOSTS && !counts.contains_key(&(name, label.to_owned()));
        // The sum without a name is counted apart, so nothing is lost but the name.
        if !full || label.is_empty() {
            *counts.entry((name, label.to_owned())).or_default() += value;
        }
    }

    /// Takes what was counted.
    pub fn take(&self) -> HashMap<(Name, String), u64> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Gives back what could not be written.
    pub fn give_back(&self, counts: HashMap<(Name, String), u64>) {
        for ((name, label), value) in counts {
            self.add(name, &label, value);
        }
    }
}

/// Counts for one run.
#[derive(Debug)]
pub(crate) struct Count {
    meter: Arc<Meter>,
    source: Option<String>,
    dest: String,
}

impl Count {
    /// So many messages were copied.
    pub fn copied(&self, messages: u64, bytes: u64) {
        metrics::counter!("gatepost_messages_copied_total").increment(messages);
        self.meter.add(Name::Messages, "", messages);
        if let Some(source) = &self.source {
            metrics::counter!("gatepost_bytes_copied_total", "direction" => "read").increment(bytes);
            self.meter.add(Name::BytesRead, "", bytes);
            self.meter.add(Name::BytesRead, source, bytes);
        }
        metrics::counter!("gatepost_bytes_copied_total", "direction" => "written").increment(bytes);
        self.meter.add(Name::BytesWritten, "", bytes);
        self.meter.add(Name::BytesWritten, &self.dest, bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_copied_counts_in_all_and_for_each_host() {
        let meter = Arc::<Meter>::default();
        meter.count(Some("Old.example."), "new.example").copied(2, 10);
        meter.count(None, "new.example").copied(1, 5);
        let taken = meter.take();
        let of = |name, label: &str| taken.get(&(name, label.to_owned())).copied().unwrap_or_default();
        assert_eq!((of(Name::Messages, ""), of(Name::BytesRead, ""), of(Name::BytesWritten, "")), (3, 10, 15));
        assert_eq!((of(Name::BytesRead, "old.example"), of(Name::BytesWritten, "new.example")), (10, 15));
        assert!(meter.take().is_empty());
        meter.give_back(taken);
        assert_eq!(meter.take().len(), 5);
    }

    #[test]
    fn hosts_without_end_take_no_memory_without_end_and_the_sums_stay_right() {
        let meter = Arc::<Meter>::default();
        for n in 0..10_000 {
            meter.count(Some(&format!("host{n}.example")), "new.example").copied(1, 1);
        }
        let taken = meter.take();
        assert!(taken.len() <= 2 * HOSTS + 10, "{}", taken.len());
        assert_eq!(taken.get(&(Name::BytesRead, String::new())), Some(&10_000));
    }

    #[test]
    fn a_run_that_failed_and_messages_that_were_refused_are_errors() {
        let meter = Meter::default();
        let stats = Map::from_iter([("quarantined".to_owned(), 3.into())]);
        meter.ended(RunType::Delta, Tool::Native, RunStatus::Partial, &stats);
        meter.ended(RunType::Delta, Tool::Native, RunStatus::Failed, &Map::new());
        let taken = meter.take();
        assert_eq!(taken.get(&(Name::Errors, String::new())), Some(&4));
        assert_eq!(taken.get(&(Name::Runs(RunStatus::Failed), String::new())), Some(&1));
    }
}
