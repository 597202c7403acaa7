//! `preflight`: looking at both sides and changing nothing.

use super::{Ended, Scene};
use crate::ledger::StoredLedger;
use gatepost_transfer::{Fault, Ledger, Watch, mapping::Options, preflight::preflight};
use serde_json::{Map, Value};

pub(super) async fn run(scene: &Scene) -> Result<Ended, Fault> {
    let (mut source, mut dest) = tokio::try_join!(scene.source.source(), scene.dest.destination())?;
    let ledger = StoredLedger { store: scene.gatepost.store().clone(), mailbox: scene.mailbox.id };
    let options = Options {
        folder_map: scene.mailbox.folder_map.clone(),
        placed: ledger.placed().await?.into_iter().map(|p| (p.source, p.dest)).collect(),
        ..Options::default()
    };
    let mut note = |level, message| scene.watch.note(level, "plan", message);
    let report = preflight(&mut *source, &mut *dest, &options, &scene.cancel, &mut note).await?;
    source.close().await;
    dest.close().await;

    let mut stats = Map::new();
    stats.insert("folders".into(), report.folders.len().into());
    stats.insert("messages".into(), report.messages.into());
    stats.insert("bytes".into(), report.bytes.into());
    stats.insert("errors".into(), report.errors.len().into());
    stats.insert("warnings".into(), report.warnings.len().into());
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
