//! `initial`, `delta` and `final`: copying. A `final` run proves at its end what it has copied, so that the gate can
//! be judged on it at once.

use super::{Ended, Scene, archive, external, imap_upload, verify};
use crate::ledger::StoredLedger;
use gatepost_contract::{Depth, Level, RunStatus, RunType, Tool};
use gatepost_transfer::{
    Fault, FaultKind, Ledger as _, Watch as _,
    copy::{Copy, CopyOptions, CopyOutcome, CopyState},
};
use serde_json::{Map, Value, json};
use std::time::Instant;

pub(super) async fn run(scene: &Scene) -> Result<Ended, Fault> {
    let began = Instant::now();
    let ledger = StoredLedger { store: scene.gatepost.store().clone(), mailbox: scene.mailbox.id };
    let tool = scene.mailbox.tool;
    if archive::is_whole(tool) || archive::broke_off(scene).await? {
        archive::quiet(scene, &ledger).await?;
    }
    let (mut outcome, native) = if archive::is_whole(tool) {
        record_or_copy(scene, &ledger).await?
    } else {
        (copy(scene, &ledger).run().await?, false)
    };
    let mut said = None;
    if tool.moves_accounts() && !native && !outcome.cancelled {
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

/// Records what there is to copy for a program that moves a mailbox as a whole. Where that is not right any more the
/// built-in engine copies it at once; gives whether it did.
async fn record_or_copy(scene: &Scene, ledger: &StoredLedger) -> Result<(CopyOutcome, bool), Fault> {
    let mut before = CopyOutcome::default();
    let mut why = archive::not_any_more(scene, ledger).await?;
    if why.is_none() {
        before = copy(scene, ledger).run().await?;
        if before.cancelled {
            return Ok((before, false));
        }
        // What an interrupted import has left there is known by now.
        why = archive::not_any_more(scene, ledger).await?;
    }
    let Some(why) = why else {
        archive::same_folders(scene, ledger).await?;
        return Ok((before, false));
    };
    scene.watch.note(Level::Info, scene.mailbox.tool.as_str(), why);
    let mut rest = copy(scene, ledger);
    rest.options.record_only = false;
    let mut outcome = rest.run().await?;
    outcome.adopted += before.adopted;
    outcome.already_there = outcome.already_there.saturating_sub(before.adopted);
    outcome.quarantined += before.quarantined;
    outcome.vanished += before.vanished;
    outcome.flags_changed += before.flags_changed;
    Ok((outcome, true))
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
