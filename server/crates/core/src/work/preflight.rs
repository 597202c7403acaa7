//! `preflight`: looking at both sides and changing nothing.

use super::{Ended, Scene, external, internal};
use crate::ledger::StoredLedger;
use gatepost_contract::{Level, Upload, UploadState};
use gatepost_store::uploads;
use gatepost_transfer::{
    Fault, Ledger, Watch,
    mapping::Options,
    preflight::{Origin, preflight},
};
use serde_json::{Map, Value, json};

/// How many of a file's losses are told one by one.
const LOSSES: usize = 20;

pub(super) async fn run(scene: &Scene) -> Result<Ended, Fault> {
    let (mut source, mut dest) = tokio::try_join!(scene.source.source(), scene.dest.destination())?;
    let ledger = StoredLedger { store: scene.gatepost.store().clone(), mailbox: scene.mailbox.id };
    let options = Options {
        folder_map: scene.mailbox.folder_map.clone(),
        placed: ledger.placed().await?.into_iter().map(|p| (p.source, p.dest)).collect(),
        ..Options::default()
    };
    let mut note = |level, message| scene.watch.note(level, "plan", message);
    let files = files(scene).await?;
    let mut witness = match scene.mailbox.source_type.is_file() {
        true => Some(scene.dest.reader().await?),
        false => None,
    };
    let origin = match witness.as_deref_mut() {
        Some(reader) => Origin::Files(reader),
        None => Origin::Server,
    };
    let mut report = preflight(&mut *source, &mut *dest, origin, &options, &scene.cancel, &mut note).await?;
    source.close().await;
    dest.close().await;
    if let Some(mut witness) = witness {
        witness.close().await;
    }
    for warning in files.iter().flat_map(warnings) {
        scene.watch.note(Level::Warn, "plan", warning.clone());
        report.warnings.push(warning);
    }

    let mut stats = Map::new();
    if scene.mailbox.tool.moves_accounts() {
        let tool = scene.mailbox.tool;
        let (said, hindrance) = external::check(scene).await?;
        stats.insert(tool.as_str().to_owned(), Value::Object(said.stats));
        if let Some(hindrance) = hindrance {
            report.errors.push(format!("{tool} cannot do its work: {hindrance}"));
            report.ok = false;
        }
    }
    stats.insert("folders".into(), report.folders.len().into());
    stats.insert("messages".into(), report.messages.into());
    stats.insert("bytes".into(), report.bytes.into());
    stats.insert("errors".into(), report.errors.len().into());
    stats.insert("warnings".into(), report.warnings.len().into());
    if !files.is_empty() {
        stats.insert("files".into(), files.iter().map(figures).collect());
    }
    stats.insert("report".into(), serde_json::to_value(&report).unwrap_or(Value::Null));
    let found = format!("{} messages in {} folders, {} bytes.", report.messages, report.folders.len(), report.bytes);
    if report.ok {
        let warnings = match report.warnings.len() {
            0 => String::new(),
            n => format!(" {n} warnings; see the log."),
        };
        Ok(Ended::success(format!("Ready to copy: {found}{warnings}"), stats))
    } else {
        let error = report.errors.join(" ");
        Ok(Ended {
            status: gatepost_contract::RunStatus::Failed,
            exit_code: 1,
            stats,
            summary: format!("{found} {error}"),
            error: Some(error),
            evidence: None,
        })
    }
}

/// The mailbox's files, but for those that were deleted.
async fn files(scene: &Scene) -> Result<Vec<Upload>, Fault> {
    let mut conn = scene.gatepost.store().reader().await.map_err(internal)?;
    let all = uploads::of_mailbox(&mut conn, scene.mailbox.id).await.map_err(internal)?;
    Ok(all.into_iter().map(|stored| stored.upload).filter(|u| u.state != UploadState::Deleted).collect())
}

/// What a person should know of a file before it is copied from.
fn warnings(file: &Upload) -> Vec<String> {
    let name = &file.name;
    let Some(found) = file.inspection.as_ref().filter(|_| file.state == UploadState::Ready) else {
        let why = match (file.state, file.error.as_deref()) {
            (UploadState::Refused, Some(error)) => format!("could not be read: {error}"),
            (UploadState::Refused, None) => "could not be read.".to_owned(),
            (UploadState::Receiving, _) => "has not arrived whole.".to_owned(),
            _ => "was not read yet.".to_owned(),
        };
        return vec![format!(
            "{name} is left out: it {why} The gate stays shut until it is read and copied, or deleted."
        )];
    };
    let mut warnings = Vec::new();
    let others: u64 = found.others.values().sum();
    if others > 0 {
        let kinds: Vec<String> =
            found.others.iter().map(|(kind, n)| format!("{}: {n}", kind.replace('_', " "))).collect();
        let (are, they) = if others == 1 { ("item is", "it is") } else { ("items are", "they are") };
        warnings.push(format!(
            "{others} {are} no mail in {name} ({}): {they} not copied, but saved for download with the file.",
            kinds.join(", ")
        ));
    }
    if found.unreadable > 0 {
        let messages = if found.unreadable == 1 { "1 message" } else { &format!("{} messages", found.unreadable) };
        warnings.push(format!("{messages} of {name} cannot be read and will be in quarantine, each with its cause."));
    }
    warnings.extend(found.losses.iter().take(LOSSES).map(|loss| format!("{name} has lost content: {loss}")));
    if let Some(more) = found.losses.len().checked_sub(LOSSES).filter(|more| *more > 0) {
        warnings.push(format!("{name} has {more} more losses; the file's page has them all."));
    }
    if let [first, others @ ..] = found.damage.as_slice() {
        let more = match others.len() {
            0 => String::new(),
            more => format!(" And {more} more; the file's page has them all."),
        };
        warnings.push(format!("{name}: {first}{more}"));
    }
    warnings
}

/// A file in the run's figures.
fn figures(file: &Upload) -> Value {
    let found = file.inspection.as_ref();
    json!({
        "id": file.id,
        "name": file.name,
        "state": file.state,
        "bytes": file.bytes,
        "format": found.map(|i| i.format.as_str()),
        "messages": found.map(|i| i.messages),
        "folders": found.map(|i| i.folders.len()),
        "others": found.map(|i| &i.others),
        "unreadable": found.map(|i| i.unreadable),
        "salvaged": found.map(|i| i.salvaged),
        "overlapping": found.map(|i| i.overlapping),
        "losses": found.map(|i| i.losses.len()),
        "damage": found.map(|i| i.damage.len()),
    })
}
