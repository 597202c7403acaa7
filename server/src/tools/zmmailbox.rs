//! How accounts are moved by zmmailbox: the old server exports a mailbox as an archive and the new one imports it, while it
//! streams through here. Either end is reached by SSH, where zmmailbox is run, or by HTTPS.
//!
//! An archive that breaks off on its way is no success, whatever either end says. Whether its messages have arrived is
//! read by IMAP afterwards, as for every tool.

mod end;
mod flow;
mod web;

use crate::config::Tools;
use end::{End, Outcome};
use flow::{Flowed, Pace};
use gatepost_contract::Level;
use gatepost_core::{EngineJob, EngineSaid, ToolRun};
use gatepost_tools::{tgz::Broken, zmmailbox::Action};
use gatepost_transfer::Fault;
use serde_json::{Map, Value, json};
use std::{
    fs::{self, File, OpenOptions},
    io,
    path::Path,
    time::Instant,
};
use tokio::io::duplex;

/// How much of an archive is on its way between two ends.
const ON_ITS_WAY: usize = 256 << 10;

/// Moves an account.
pub(super) async fn transfer(tools: &Tools, job: EngineJob<'_>, run: ToolRun<'_>) -> Result<EngineSaid, Fault> {
    let (source, dest) = (End::of_source(tools, job.source)?, End::of_dest(tools, job.dest)?);
    source.ready()?;
    dest.ready()?;
    (run.note)(Level::Info, format!("{} exports, {} imports.", source.label(), dest.label()));
    let began = Instant::now();
    let (from, mut exported) = duplex(ON_ITS_WAY);
    let (mut importing, to) = duplex(ON_ITS_WAY);
    let (stop_export, stop_import) = (run.cancel.child_token(), run.cancel.child_token());
    let here = |name: &str| (run.work.join(name), run.work.join(format!("{name}.gz")));
    let (export_work, export_log) = here("export");
    let (import_work, import_log) = here("import");
    let export_run = ToolRun { work: &export_work, log: &export_log, cancel: &stop_export, ..run };
    let import_run = ToolRun { work: &import_work, log: &import_log, cancel: &stop_import, ..run };
    let pace = Pace { throttle: job.throttle, messages_per_second: job.messages_per_second };
    let between = async {
        let flowed = flow::carry(&mut exported, &mut importing, pace, dest.word(), &run).await;
        if !flowed.ended {
            stop_export.cancel();
        }
        if flowed.whole.is_err() {
            // Before its input ends: the end of what was cut short must not look like the end of everything.
            stop_import.cancel();
        }
        drop(exported);
        flowed
    };
    let (export, flowed, import) = tokio::join!(
        source.transfer(Action::Export, from, export_run),
        between,
        dest.transfer(Action::Import, to, import_run)
    );
    drop(importing);
    let logs = join_logs(&[&export_log, &import_log], run.log);
    if let Err(error) = logs {
        tracing::warn!(%error, "the log of zmmailbox could not be kept");
    }
    if run.cancel.is_cancelled() {
        return Err(Fault::cancelled());
    }
    let (export, import) = (export?, import?);
    let seconds = began.elapsed().as_secs_f64();
    let failure = failure((&source, &export), &flowed, (&dest, &import));
    Ok(EngineSaid {
        exit_code: export.exit.filter(|code| *code != 0).or(import.exit),
        stats: stats((&source, &export), &flowed, (&dest, &import), seconds),
        again: failure.as_ref().is_some_and(|(_, again)| *again),
        failure: failure.map(|(sentence, _)| sentence),
        ..EngineSaid::default()
    })
}

/// Tries both ends, and changes nothing.
pub(super) async fn check(tools: &Tools, job: EngineJob<'_>, run: ToolRun<'_>) -> Result<EngineSaid, Fault> {
    let (source, dest) = (End::of_source(tools, job.source)?, End::of_dest(tools, job.dest)?);
    let (mut stats, mut failures) = (Map::new(), Vec::new());
    for (name, end) in [("source", &source), ("destination", &dest)] {
        let outcome = match end.ready() {
            Ok(()) => end.look(run).await?,
            Err(fault) => Outcome::failed(fault.sentence, false),
        };
        let said = match outcome.failure {
            Some((sentence, _)) => {
                failures.push(sentence.clone());
                sentence
            }
            None => format!("{} answers for {}.", end.label(), end.mailbox()),
        };
        if failures.is_empty() {
            (run.note)(Level::Info, said.clone());
        }
        stats.insert(name.to_owned(), said.into());
    }
    let failure = (!failures.is_empty()).then(|| failures.join(" "));
    Ok(EngineSaid { stats, failure, ..EngineSaid::default() })
}

/// What went wrong, and whether another run may go better. What was only stopped because something else had failed is not
/// told.
fn failure(
    (source, export): (&End<'_>, &Outcome),
    flowed: &Flowed,
    (dest, import): (&End<'_>, &Outcome),
) -> Option<(String, bool)> {
    if export.nothing {
        return None;
    }
    if let Some((sentence, again)) = &import.failure
        && !flowed.taken
        && !flowed.stalled
    {
        return Some((sentence.clone(), *again));
    }
    // Where the archive was not taken to its end its sender was stopped: that it minds is no news.
    if let Some((sentence, again)) = &export.failure
        && flowed.ended
    {
        return Some((sentence.clone(), *again));
    }
    if let Err(broken) = &flowed.whole {
        let (mailbox, label) = (source.mailbox(), source.label());
        let again = !matches!(broken, Broken::NoArchive(_));
        let sentence = if flowed.stalled {
            format!(
                "The export of {mailbox} came to a stop: {label} sent nothing more, or {} took nothing.",
                dest.label()
            )
        } else if flowed.taken {
            format!("The export of {mailbox} by {label} is not whole: {broken}. What had come of it was imported.")
        } else {
            format!("{} stopped taking the archive before its end.", dest.label())
        };
        return Some((sentence, again || flowed.stalled));
    }
    import.failure.clone()
}

fn stats(
    (source, export): (&End<'_>, &Outcome),
    flowed: &Flowed,
    (dest, import): (&End<'_>, &Outcome),
    seconds: f64,
) -> Map<String, Value> {
    let contents = &flowed.contents;
    let value = json!({
        "exported_by": source.label(),
        "imported_by": dest.label(),
        "export_exit_code": export.exit,
        "import_exit_code": import.exit,
        "archive_bytes": flowed.bytes,
        "archive_whole": flowed.whole.is_ok(),
        "unpacked_bytes": contents.unpacked,
        "messages": contents.messages,
        "folders": contents.folders,
        "contacts": contents.contacts,
        "calendar": contents.calendar,
        "unreadable": contents.unreadable,
        "seconds": (seconds * 1000.0).round() / 1000.0,
    });
    match value {
        Value::Object(map) => map.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        _ => Map::new(),
    }
}

/// The logs of both ends, one behind the other: gzip allows it (RFC 1952 section 2.2).
fn join_logs(parts: &[&Path], into: &Path) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let there: Vec<&&Path> = parts.iter().filter(|part| part.exists()).collect();
    if there.is_empty() {
        return Ok(());
    }
    let mut whole = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(into)?;
    for part in there {
        io::copy(&mut File::open(part)?, &mut whole)?;
        fs::remove_file(part)?;
    }
    Ok(())
}
