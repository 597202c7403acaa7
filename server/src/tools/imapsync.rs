//! How accounts are moved by imapsync. It connects to two addresses on this machine: behind the first it can change nothing
//! and finds only what is still to be copied, behind the second it can delete nothing.

use super::{missing, start};
use crate::{config::Tools, drivers::account};
use gatepost_contract::{CauseKind, Level};
use gatepost_core::{EngineFolder, EngineJob, EngineMoved, EngineRefusal, EngineSaid, ToolRun};
use gatepost_imap::{Relay, wire::utf7::encode};
use gatepost_tools::{
    Ended, Exit, Program, find,
    imapsync::{Call, Report, Side, Task, Trouble, ask_to_end, failure, is_known},
};
use gatepost_transfer::{Fault, FaultKind, UidSet};
use serde_json::{Map, Value};
use std::{collections::HashMap, path::PathBuf, time::Duration};
use tokio_util::sync::CancellationToken;

/// How many folders one call is told of: they all stand on its command line.
const FOLDERS: usize = 500;
/// How long it may take to end between two messages after it was asked to.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it may take to have said who it is.
const DEAF: Duration = Duration::from_secs(5);
/// How often it is asked, until it has said who it is.
const ASK_AGAIN: Duration = Duration::from_millis(250);
/// How many complaints get a line each in the run's log; the program's own log has all of them.
const COMPLAINTS_NOTED: usize = 50;

impl Tools {
    /// Where imapsync is.
    #[must_use]
    pub fn find_imapsync(&self) -> Option<PathBuf> {
        find(self.imapsync.as_deref(), self.path.as_deref(), &["imapsync"])
    }
}

/// Lets imapsync copy what is pending.
pub(super) async fn sync(tools: &Tools, job: EngineJob<'_>, run: ToolRun<'_>) -> Result<EngineSaid, Fault> {
    let imapsync = program(tools)?;
    let folders: Vec<Told> = job.folders.iter().map(Told::of).collect();
    let view: HashMap<String, UidSet> =
        folders.iter().map(|told| (told.source.clone(), told.folder.uids.clone())).collect();
    let relays = Relays::open(&job, Some(view)).await?;

    let mut said = EngineSaid::default();
    let mut refused = Vec::new();
    for (number, some) in folders.chunks(FOLDERS).enumerate() {
        let folders: Vec<(String, String)> = some.iter().map(|told| (told.source.clone(), told.dest.clone())).collect();
        let call = Call {
            imapsync: &imapsync,
            task: Task::Copy,
            source: Side { server: relays.source.address(), user: job.source.owner() },
            dest: Side { server: relays.dest.address(), user: job.dest.owner() },
            folders: &folders,
            messages_per_second: job.messages_per_second,
        };
        let natives: HashMap<&str, &str> =
            some.iter().map(|told| (told.source.as_str(), told.folder.source.native.as_str())).collect();
        let (ended, report) = relays.call(&call, number, run, &natives).await?;
        said.exit_code = match ended.exit {
            Exit::Code(code) => Some(code),
            Exit::Signal(_) => None,
        };
        add_figures(&mut said.stats, &report);
        refused.extend(report.refused.iter().filter_map(|complaint| {
            let folder = (*natives.get(complaint.folder.as_str())?).to_owned();
            Some(EngineRefusal {
                folder,
                uid: complaint.uid,
                kind: cause(complaint.trouble)?,
                cause: complaint.words.clone(),
            })
        }));
        for words in report.complaints.iter().take(COMPLAINTS_NOTED) {
            (run.note)(Level::Warn, format!("imapsync: {words}"));
        }
        if let Some(fault) = relays.fault() {
            if report.moved == 0 {
                return Err(fault);
            }
            said.again = fault.is_transient();
            said.failure = Some(fault.sentence);
        } else if let Some(failure) = failure(&ended, &report, Task::Copy) {
            (said.failure, said.again) = (Some(failure.sentence), failure.again);
        }
        if said.failure.is_some() {
            break;
        }
    }
    said.refused = refused;
    Ok(said)
}

/// Lets imapsync log in on both sides and tell how large the accounts are.
pub(super) async fn check(tools: &Tools, job: EngineJob<'_>, run: ToolRun<'_>) -> Result<EngineSaid, Fault> {
    let imapsync = program(tools)?;
    let relays = Relays::open(&job, None).await?;
    let mut said = EngineSaid::default();
    for (number, task) in [Task::Login, Task::Sizes].into_iter().enumerate() {
        let call = Call {
            imapsync: &imapsync,
            task,
            source: Side { server: relays.source.address(), user: job.source.owner() },
            dest: Side { server: relays.dest.address(), user: job.dest.owner() },
            folders: &[],
            messages_per_second: None,
        };
        let (ended, report) = relays.call(&call, number, run, &HashMap::new()).await?;
        if let Some(fault) = relays.fault() {
            return Err(fault);
        }
        if let Some(version) = &report.version {
            said.stats.insert("version".into(), version.as_str().into());
        }
        if let Some(failure) = failure(&ended, &report, task) {
            (said.failure, said.again) = (Some(failure.sentence), failure.again);
            return Ok(said);
        }
        match task {
            Task::Login => (run.note)(Level::Info, "imapsync logs in on both sides.".to_owned()),
            Task::Sizes | Task::Copy => {
                let sizes = serde_json::to_value(report.sizes).unwrap_or_default();
                said.stats.insert("sizes".into(), sizes);
                if let (Some(folders), Some(messages)) = (report.sizes.folders_source, report.sizes.messages_source) {
                    let sentence = format!("imapsync finds {messages} messages in {folders} folders at the source.");
                    (run.note)(Level::Info, sentence);
                }
            }
        }
    }
    Ok(said)
}

fn program(tools: &Tools) -> Result<PathBuf, Fault> {
    tools
        .find_imapsync()
        .ok_or_else(|| missing("imapsync", "MIGRATION_IMAPSYNC_BIN", "fetch it from imapsync.lamiral.info"))
}

/// A folder by the names that imapsync meets: modified UTF-7 (RFC 3501 section 5.1.3), for it knows no other.
struct Told<'a> {
    folder: &'a EngineFolder,
    source: String,
    dest: String,
}

impl<'a> Told<'a> {
    fn of(folder: &'a EngineFolder) -> Self {
        Self { folder, source: encode(&folder.source.native), dest: encode(&folder.dest.native) }
    }
}

/// Where imapsync connects.
struct Relays {
    source: Relay,
    dest: Relay,
}

impl Relays {
    async fn open(job: &EngineJob<'_>, view: Option<HashMap<String, UidSet>>) -> Result<Self, Fault> {
        let source = Relay::paced(account(job.source.clone()), view, job.throttle.clone()).await?;
        let dest = Relay::open(account(job.dest.clone())).await?;
        Ok(Self { source, dest })
    }

    fn fault(&self) -> Option<Fault> {
        self.source.fault().or_else(|| self.dest.fault())
    }

    /// Runs imapsync to its end, however that is. A person's wish to stop is a fault of its own.
    async fn call(
        &self,
        call: &Call<'_>,
        number: usize,
        run: ToolRun<'_>,
        natives: &HashMap<&str, &str>,
    ) -> Result<(Ended, Report), Fault> {
        let program = call.program([&self.source.word().0, &self.dest.word().0], run.work).map_err(|error| {
            Fault::new(FaultKind::Internal, "imapsync's folder could not be made ready.").because(error)
        })?;
        let log = if number == 0 { run.log.to_owned() } else { run.log.with_extension(format!("{number}.gz")) };
        let program = Program { log: Some(log), ..program };
        let mut report = Report::default();
        let mut on_line = |line: gatepost_tools::Line| {
            let known = report.version.is_some();
            if let Some(moved) = report.take(&line) {
                let folder = natives.get(moved.folder.as_str()).copied();
                let uids = &[(moved.uid, moved.uid)];
                (run.moved)(EngineMoved { folder, messages: 1, bytes: moved.bytes, uids });
            }
            if let Some(version) = report.version.as_deref().filter(|_| !known) {
                note_version(version, run);
            }
        };
        let gone = CancellationToken::new();
        let asked = async {
            run.cancel.cancelled().await;
            let asking = async {
                while !ask_to_end(run.work) {
                    tokio::time::sleep(ASK_AGAIN).await;
                }
            };
            // One that does not even say who it is will not listen either.
            if tokio::time::timeout(DEAF, asking).await.is_ok() {
                tokio::time::sleep(PATIENCE).await;
            }
            gone.cancel();
            std::future::pending::<()>().await;
        };
        let ended = {
            let running = start(program, ToolRun { cancel: &gone, ..run }, &mut on_line);
            tokio::select! {
                ended = running => ended?,
                () = asked => return Err(Fault::cancelled()),
            }
        };
        if run.cancel.is_cancelled() { Err(Fault::cancelled()) } else { Ok((ended, report)) }
    }
}

fn note_version(version: &str, run: ToolRun<'_>) {
    if !is_known(version) {
        let sentence = format!(
            "imapsync calls itself version {version}; Gatepost knows the words of 2.229 to 2.314. What it says may be \
             misunderstood; the proof does not rest on it."
        );
        (run.note)(Level::Warn, sentence);
    }
}

/// What the ledger is told of a message. A full account is no fault of the message.
const fn cause(trouble: Trouble) -> Option<CauseKind> {
    match trouble {
        Trouble::Append | Trouble::NoHeaders => Some(CauseKind::Refused),
        Trouble::Size => Some(CauseKind::TooLarge),
        Trouble::Fetch => Some(CauseKind::Unreadable),
        Trouble::Lost => Some(CauseKind::Disconnects),
        Trouble::Quota => None,
    }
}

/// Figures of which the largest counts when there were several calls; a sum of them says nothing.
const LARGEST: [&str; 4] = ["biggest", "memory_mib", "messages_per_second", "kib_per_second"];

/// Adds a call's figures to those of the calls before it.
fn add_figures(stats: &mut Map<String, Value>, report: &Report) {
    let calls = stats.get("calls").and_then(Value::as_u64).unwrap_or_default() + 1;
    stats.insert("calls".into(), calls.into());
    if let Some(version) = &report.version {
        stats.insert("version".into(), version.as_str().into());
    }
    if let Some((_, name)) = &report.exit {
        stats.insert("exit_name".into(), name.as_str().into());
    }
    let Ok(Value::Object(figures)) = serde_json::to_value(report.statistics.clone().unwrap_or_default()) else {
        return;
    };
    for (name, value) in figures {
        let sum = match (stats.get(&name), &value) {
            (_, Value::Null) => continue,
            (Some(Value::Number(before)), Value::Number(now)) if LARGEST.contains(&name.as_str()) => {
                if now.as_f64() > before.as_f64() { value } else { before.clone().into() }
            }
            (Some(Value::Number(before)), Value::Number(now)) => match (before.as_i64(), now.as_i64()) {
                (Some(before), Some(now)) => before.saturating_add(now).into(),
                _ => (before.as_f64().unwrap_or_default() + now.as_f64().unwrap_or_default()).into(),
            },
            (Some(Value::Bool(before)), Value::Bool(now)) => (*before && *now).into(),
            _ => value,
        };
        stats.insert(name, sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepost_tools::imapsync::Statistics;

    #[test]
    fn figures_of_several_calls_are_added_and_of_rates_and_sizes_the_largest_counts() {
        let call = |transferred, rate, biggest, difference| {
            let mut report = Report::default();
            report.statistics.replace(Statistics {
                transferred: Some(transferred),
                seconds: Some(1.5),
                messages_per_second: Some(rate),
                biggest: Some(biggest),
                difference_after: Some(difference),
                ..Statistics::default()
            });
            report
        };
        let mut stats = Map::new();
        add_figures(&mut stats, &call(3, 20.5, 900, -7));
        add_figures(&mut stats, &call(4, 10.5, 1000, -2));
        let expected = serde_json::json!({
            "calls": 2, "transferred": 7, "seconds": 3.0, "messages_per_second": 20.5, "biggest": 1000,
            "difference_after": -9,
        });
        assert_eq!(Value::Object(stats), expected);
    }
}
