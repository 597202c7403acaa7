//! A file as a list shows it: with the sums of what was found in it. The folders of a large file are many.

use super::{INSPECTION, read_upload};
use crate::{Error, Result, read::Columns};
use gatepost_contract::{InspectedFolder, Inspection, Upload};
use serde::Deserialize;
use sqlx::any::AnyRow;
use std::collections::BTreeMap;

/// So many sentences about damage are in a list.
const SENTENCES: usize = 20;

/// An inspection read without its folders: they are passed over, not built.
#[derive(Deserialize)]
#[serde(remote = "Inspection")]
struct Sums {
    format: String,
    encoding: Option<String>,
    #[serde(skip)]
    folders: Vec<InspectedFolder>,
    messages: u64,
    bytes: u64,
    largest: u64,
    items: u64,
    others: BTreeMap<String, u64>,
    unreadable: u64,
    salvaged: u64,
    repeated: u64,
    overlapping: u64,
    #[serde(default)]
    losses: Vec<String>,
    damage: Vec<String>,
    has_items: bool,
}

pub(super) fn read(row: &AnyRow) -> Result<Upload> {
    let inspection = row.maybe_text(INSPECTION)?.as_deref().map(sums).transpose()?;
    read_upload(row, inspection)
}

fn sums(text: &str) -> Result<Inspection> {
    let mut found = Sums::deserialize(&mut serde_json::Deserializer::from_str(text))
        .map_err(|e| Error::Corrupt { column: INSPECTION, reason: e.to_string() })?;
    for sentences in [&mut found.losses, &mut found.damage] {
        let more = sentences.len().saturating_sub(SENTENCES);
        if more > 0 {
            sentences.truncate(SENTENCES);
            sentences.push(format!("And {more} more sentences like these."));
        }
    }
    Ok(found)
}
