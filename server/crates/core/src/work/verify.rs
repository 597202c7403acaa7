//! `verify`: reading both servers again, and keeping what was read as evidence.

use super::{Ended, Scene, internal};
use crate::{clock, ledger::StoredLedger};
use gatepost_contract::{Depth, FolderEvidence, Tally};
use gatepost_store::{evidence, waivers};
use gatepost_transfer::{
    Fault,
    verify::{FolderCount, Sample, Verify},
};
use serde_json::{Map, Value, json};

pub(super) async fn run(scene: &Scene) -> Result<Ended, Fault> {
    let depth =
        scene.params.get("depth").and_then(Value::as_str).and_then(|d| d.parse().ok()).unwrap_or(Depth::Standard);
    let number = |name: &str| scene.params.get(name);
    // Runs of earlier versions say nothing of a sample: they read everything.
    let sample = number("sample_percent").and_then(Value::as_f64).map(|percent| Sample {
        percent,
        at_least: SAMPLE_AT_LEAST,
        seed: number("seed").and_then(Value::as_u64).unwrap_or_default(),
    });
    prove(scene, depth, sample).await
}

/// How many messages of a mailbox a sample holds at least.
const SAMPLE_AT_LEAST: u64 = 200;

/// Reads both sides and hands what was read back as evidence, which is kept when the run ends; with [`Depth::Quick`]
/// only counts.
pub(super) async fn prove(scene: &Scene, depth: Depth, sample: Option<Sample>) -> Result<Ended, Fault> {
    let _granted = scene.connections().await?;
    let ledger = StoredLedger { store: scene.gatepost.store().clone(), mailbox: scene.mailbox.id };
    let verify = Verify {
        source: &*scene.source,
        dest: &*scene.dest,
        ledger: &ledger,
        watch: &*scene.watch,
        depth,
        sample,
        after_cutover: scene.job.dns_cutover_at.is_some(),
        cancel: scene.cancel.clone(),
    };
    if depth == Depth::Quick {
        return count(scene, &verify).await;
    }
    // Waivers of what the last copies found gone or arrived end first: the witness reads the true states.
    let mut tx = scene.gatepost.store().begin().await.map_err(internal)?;
    waivers::settle(&mut tx, scene.mailbox.id, &clock::now()).await.map_err(internal)?;
    tx.commit().await.map_err(internal)?;
    // What came or went while it read, it may not have seen: it proves how things stood when it began.
    let read_at = clock::now();
    let folders = verify.run().await?;
    let mut tally = Tally::default();
    for folder in &folders {
        tally += folder.tally;
    }
    let sum = |f: fn(&FolderEvidence) -> i64| folders.iter().map(f).sum::<i64>();
    let (changed, extra, bodies, flags_lost) =
        (sum(|f| f.changed), sum(|f| f.extra), sum(|f| f.bodies_read), sum(|f| f.flags_lost));
    let (rewritten, misplaced, doubled) = (sum(|f| f.rewritten), sum(|f| f.misplaced), sum(|f| f.doubled));
    let row = evidence::NewEvidence {
        job_id: scene.job.id,
        mailbox_id: scene.mailbox.id,
        run_id: scene.run,
        replaces: None,
        depth,
        read_at,
        tally,
        folders: folders.clone(),
    };

    let mut stats = match json!({
        "source": tally.source, "arrived": tally.arrived, "pending": tally.pending,
        "quarantined": tally.quarantined, "waived": tally.waived, "folders": folders.len(),
        "changed": changed, "rewritten": rewritten, "misplaced": misplaced, "doubled": doubled, "extra": extra,
        "flags_lost": flags_lost, "bodies_read": bodies, "errors": tally.pending + changed + doubled, "depth": depth,
    }) {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    if let Some(sample) = sample {
        stats.insert("sample_percent".into(), sample.percent.into());
        stats.insert("seed".into(), sample.seed.into());
    }
    let mut summary = format!(
        "{} of {} messages arrived; {} missing, {} refused, {} waived, {changed} changed.",
        tally.arrived, tally.source, tally.pending, tally.quarantined, tally.waived
    );
    if misplaced > 0 {
        summary.push_str(&format!(" Of the missing, {misplaced} lie in other folders."));
    }
    if doubled > 0 {
        summary.push_str(&format!(" Of {doubled} the destination holds more than one copy."));
    }
    if depth == Depth::Deep {
        let which = match sample {
            Some(sample) => format!("a sample with seed {}", sample.seed),
            None => "all that can be".to_owned(),
        };
        summary.push_str(&format!(" The bytes of {bodies} were compared: {which}."));
    }
    let ended = if tally.pending + changed + doubled > 0 {
        Ended::partial(summary, stats, None)
    } else {
        Ended::success(summary, stats)
    };
    Ok(Ended { evidence: Some(Box::new(row)), ..ended })
}

/// `quick`: counts alone. They are no evidence, and no gate opens by them; but where they contradict the newest
/// evidence, that proves nothing any more.
async fn count(scene: &Scene, verify: &Verify<'_>) -> Result<Ended, Fault> {
    let counts = verify.count().await?;
    let newest = {
        let mut conn = scene.gatepost.store().reader().await.map_err(internal)?;
        evidence::latest(&mut conn, scene.mailbox.id).await.map_err(internal)?
    };
    let source: u64 = counts.iter().map(|c| c.source.messages).sum();
    let behind: Vec<&str> = counts.iter().filter(|c| c.is_behind()).map(|c| c.source_path.as_str()).collect();
    let contradicted: Vec<&str> = match &newest {
        Some((_, evidence)) => {
            let otherwise = counts.iter().filter(|count| contradicts(count, &evidence.folders, verify.after_cutover));
            otherwise.map(|count| count.source_path.as_str()).collect()
        }
        None => Vec::new(),
    };
    let bytes: Option<u64> = counts.iter().map(|c| c.source.bytes).sum();
    let mut stats = Map::new();
    stats.insert("source".into(), source.into());
    stats.insert("folders".into(), counts.len().into());
    stats.insert("folders_behind".into(), behind.len().into());
    stats.insert("contradicted".into(), contradicted.iter().take(CONTRADICTED_NAMED).copied().collect());
    stats.insert("depth".into(), json!(Depth::Quick));
    if let Some(bytes) = bytes {
        stats.insert("bytes_source".into(), bytes.into());
    }
    if behind.is_empty() && contradicted.is_empty() {
        let summary =
            format!("{source} messages counted; no folder holds fewer at the destination. Counts are no proof.");
        return Ok(Ended::success(summary, stats));
    }
    let mut summary = match behind.as_slice() {
        [] => format!("{source} messages counted; no folder holds fewer at the destination."),
        behind => format!("Fewer messages at the destination in: {}. Run a delta sync.", behind.join(", ")),
    };
    if !contradicted.is_empty() {
        summary.push_str(&format!(
            " The last evidence holds no longer for: {}. Verify again after the delta.",
            contradicted.join(", ")
        ));
    }
    Ok(Ended::partial(summary, stats, None))
}

/// As many folders as a run keeps by name.
const CONTRADICTED_NAMED: usize = 20;

/// Whether the source holds more than it did, or the destination less than had arrived; after the cutover its user may
/// have taken that out.
fn contradicts(count: &FolderCount, evidence: &[FolderEvidence], after_cutover: bool) -> bool {
    let held = |messages: u64| i64::try_from(messages).unwrap_or(i64::MAX);
    let there = count.dest.map(|dest| held(dest.messages));
    match evidence.iter().find(|folder| folder.source_path == count.source_path) {
        None => count.source.messages > 0,
        Some(folder) => {
            held(count.source.messages) > folder.tally.source
                || !after_cutover && there.unwrap_or_default() < folder.tally.arrived
                || folder.visited && there.is_none()
        }
    }
}
