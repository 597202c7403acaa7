//! `verify`: reading both servers again, and keeping what was read as evidence.

use super::{Ended, Scene, internal};
use crate::{clock, ledger::StoredLedger};
use gatepost_contract::{Depth, Tally};
use gatepost_store::evidence;
use gatepost_transfer::{Fault, verify::Verify};
use serde_json::{Map, Value, json};

pub(super) async fn run(scene: &Scene) -> Result<Ended, Fault> {
    let depth =
        scene.params.get("depth").and_then(Value::as_str).and_then(|d| d.parse().ok()).unwrap_or(Depth::Standard);
    prove(scene, depth).await
}

/// Reads both sides and keeps what was read as evidence; with [`Depth::Quick`] only counts.
pub(super) async fn prove(scene: &Scene, depth: Depth) -> Result<Ended, Fault> {
    let _granted = scene.connections().await?;
    let ledger = StoredLedger { store: scene.gatepost.store().clone(), mailbox: scene.mailbox.id };
    let verify = Verify {
        source: &*scene.source,
        dest: &*scene.dest,
        ledger: &ledger,
        watch: &*scene.watch,
        depth,
        cancel: scene.cancel.clone(),
    };
    if depth == Depth::Quick {
        return count(&verify).await;
    }
    let folders = verify.run().await?;
    let mut tally = Tally::default();
    for folder in &folders {
        tally += folder.tally;
    }
    let sum = |f: fn(&gatepost_contract::FolderEvidence) -> i64| folders.iter().map(f).sum::<i64>();
    let (changed, extra, bodies, flags_lost) =
        (sum(|f| f.changed), sum(|f| f.extra), sum(|f| f.bodies_read), sum(|f| f.flags_lost));
    let row = evidence::NewEvidence {
        job_id: scene.job.id,
        mailbox_id: scene.mailbox.id,
        run_id: scene.run,
        replaces: None,
        depth,
        read_at: clock::now(),
        tally,
        folders: folders.clone(),
    };
    let mut tx = scene.gatepost.store().begin().await.map_err(internal)?;
    evidence::add(&mut tx, &row).await.map_err(internal)?;
    tx.commit().await.map_err(internal)?;

    let stats = match json!({
        "source": tally.source, "arrived": tally.arrived, "pending": tally.pending,
        "quarantined": tally.quarantined, "waived": tally.waived, "folders": folders.len(),
        "changed": changed, "extra": extra, "flags_lost": flags_lost, "bodies_read": bodies,
        "errors": tally.pending + changed, "depth": depth,
    }) {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    let summary = format!(
        "{} of {} messages arrived; {} missing, {} refused, {} waived, {changed} changed.",
        tally.arrived, tally.source, tally.pending, tally.quarantined, tally.waived
    );
    if tally.pending + changed > 0 {
        Ok(Ended::partial(summary, stats, None))
    } else {
        Ok(Ended::success(summary, stats))
    }
}

/// `quick`: counts alone. They are shown on the run and are no evidence: a gate cannot be opened or shut by them.
async fn count(verify: &Verify<'_>) -> Result<Ended, Fault> {
    let counts = verify.count().await?;
    let source: u64 = counts.iter().map(|c| u64::from(c.source)).sum();
    let behind: Vec<&str> = counts.iter().filter(|c| c.dest < Some(c.source)).map(|c| c.source_path.as_str()).collect();
    let mut stats = Map::new();
    stats.insert("source".into(), source.into());
    stats.insert("folders".into(), counts.len().into());
    stats.insert("folders_behind".into(), behind.len().into());
    stats.insert("depth".into(), json!(Depth::Quick));
    if behind.is_empty() {
        let summary =
            format!("{source} messages counted; no folder holds fewer at the destination. Counts are no proof.");
        Ok(Ended::success(summary, stats))
    } else {
        let summary = format!("Fewer messages at the destination in: {}. Run a delta sync.", behind.join(", "));
        Ok(Ended::partial(summary, stats, None))
    }
}
