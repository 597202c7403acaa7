//! `initial`, `delta` and `final`: copying. A `final` run proves at its end what it has copied, so that the gate can
//! be judged on it at once.

use super::{Ended, Scene, external, imap_upload, verify};
use crate::ledger::StoredLedger;
use gatepost_contract::{Depth, RunStatus, RunType, Tool};
use gatepost_transfer::{
    Fault, FaultKind, Ledger as _,
    copy::{Copy, CopyOptions, CopyOutcome, CopyState},
};
use serde_json::{Map, Value, json};
use std::time::Instant;

pub(super) async fn run(scene: &Scene) -> Result<Ended, Fault> {
    let began = Instant::now();
    let ledger = StoredLedger { store: scene.gatepost.store().clone(), mailbox: scene.mailbox.id };
    let mut outcome = copy(scene, &ledger).run().await?;
    let tool = scene.mailbox.tool;
    let mut said = None;
    if tool.moves_accounts() && !outcome.cancelled {
        said = external::run(scene, &ledger, &mut outcome).await?;
    }
    if tool == Tool::ImapUpload && !outcome.cancelled {
        imap_upload::run(scene, &ledger, &mut outcome).await?;
        outcome.pending = ledger.standing(None).await?.iter().map(|(_, standing)| standing.pending).sum();
    }
    let mut ended = ended(&outcome, began.elapsed().as_secs_f64());
    if let Some(said) = said {
        external::tell(&mut ended, tool, said, &outcome);
    }
    if scene.resumed {
        ended.stats.insert("resumed".into(), true.into());
    }
    if scene.run_type == RunType::Final && !outcome.cancelled {
        let proof = verify::prove(scene, Depth::Standard, None).await?;
        ended.summary = format!("{} {}", ended.summary, proof.summary);
        ended.stats.insert("proof".into(), Value::Object(proof.stats));
        ended.evidence = proof.evidence;
        if ended.status == RunStatus::Success {
            (ended.status, ended.exit_code) = (proof.status, proof.exit_code);
        }
    }
    Ok(ended)
}

/// The copy of a run. Where another program sends, it only records what there is to send and recognises what has arrived.
pub(super) fn copy<'a>(scene: &'a Scene, ledger: &'a StoredLedger) -> Copy<'a> {
    let tool = scene.mailbox.tool;
    Copy {
        source: &*scene.source,
        dest: &*scene.dest,
        ledger,
        watch: &*scene.watch,
        options: CopyOptions {
            folder_map: scene.mailbox.folder_map.clone(),
            thorough: scene.run_type == RunType::Final,
            // After the cutover the user works at the destination: their flags win.
            carry_flags: scene.job.dns_cutover_at.is_none(),
            record_only: tool == Tool::ImapUpload || tool.moves_accounts(),
            throttle: scene.watch.throttle.clone(),
            ..CopyOptions::default()
        },
        source_budget: scene.source_budget.budget.clone(),
        dest_budget: scene.dest_budget.budget.clone(),
        cancel: scene.cancel.clone(),
        progress: CopyState::default(),
    }
}

fn ended(outcome: &CopyOutcome, seconds: f64) -> Ended {
    let stats = stats(outcome, seconds);
    let mut summary = format!("{} messages copied in {} folders", outcome.transferred, outcome.folders);
    for (count, what) in [
        (outcome.adopted, "recognised at the destination"),
        (outcome.already_there, "there before"),
        (outcome.flags_changed, "with changed flags"),
        (outcome.quarantined, "refused"),
    ] {
        if count > 0 {
            summary.push_str(&format!(", {count} {what}"));
        }
    }
    summary.push('.');
    if outcome.cancelled {
        let fault = Fault::new(FaultKind::Cancelled, format!("Cancelled: {summary} The next run goes on from there."));
        return Ended { stats, ..Ended::failed(&fault) };
    }
    if let Some((folder, why)) = outcome.failed_folders.first() {
        let more = outcome.failed_folders.len() - 1;
        let others = if more > 0 { format!(" And {more} more folders failed.") } else { String::new() };
        let error = format!("{folder}: {why}{others}");
        return Ended::partial(format!("{summary} {error}"), stats, Some(error));
    }
    if outcome.quarantined + outcome.pending > 0 {
        return Ended::partial(summary, stats, None);
    }
    Ended::success(summary, stats)
}

fn stats(outcome: &CopyOutcome, seconds: f64) -> Map<String, Value> {
    let value = json!({
        "transferred": outcome.transferred,
        "errors": outcome.quarantined + outcome.failed_folders.len() as u64,
        "folders": outcome.folders,
        "bytes": outcome.bytes,
        "adopted": outcome.adopted,
        "already_there": outcome.already_there,
        "quarantined": outcome.quarantined,
        "flags_changed": outcome.flags_changed,
        "vanished": outcome.vanished,
        "failed_folders": outcome.failed_folders.len(),
        "seconds": (seconds * 1000.0).round() / 1000.0,
    });
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
