//! Looks at both sides before anything is copied: what there is, where it would go, whether it fits, and how long
//! it may take.
//!
//! Changes nothing: it lists, opens folders read-only and fetches a small sample. It holds one folder's listing at a
//! time. Knows no store; the report is plain data.

mod estimate;
mod present;
mod report;
#[cfg(test)]
mod tests;

use crate::mapping::{self, Mapped, Options, Plan};
use crate::{
    Destination, Fault, FaultKind, Incoming, Limits, MessageMeta, Reader, RemoteFolder, Source, UidSet, Which,
    reading::{fetch_set, list_all},
};
use estimate::Sample;
use gatepost_contract::{Level, SpecialUse};
use present::Held;
pub use report::{
    Capability, Duration, LeftOut, OVERSIZE_LISTED, Oversize, PlannedFolder, PreflightReport, SideReport, Space,
};
use std::{future::Future, time::Instant};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How many messages the sample fetches at most.
const SAMPLE_MESSAGES: u64 = 50;
/// How many of one folder.
const SAMPLE_OF_FOLDER: usize = 20;
/// How many bytes the sample fetches at most.
const SAMPLE_BYTES: u64 = 2 * 1024 * 1024;

/// Takes lines for the run's log.
pub type Note<'a> = &'a mut (dyn FnMut(Level, String) + Send);

/// Where the mail comes from, as far as it matters here.
pub enum Origin<'a> {
    /// An account on a server.
    Server,
    /// Files on this machine. How long they take to copy is up to the destination alone, so that no sample is taken; this
    /// witness of the destination tells which of their messages it holds already.
    Files(&'a mut dyn Reader),
}

/// Looks at both sides and reports. A folder that cannot be read is an error in the report; only a fault that stops
/// all work (a lost connection, a cancelled run) is returned as one.
pub async fn preflight(
    source: &mut dyn Source,
    dest: &mut dyn Destination,
    origin: Origin<'_>,
    options: &Options,
    cancel: &CancellationToken,
    note: Note<'_>,
) -> Result<PreflightReport, Fault> {
    let mut held = match origin {
        Origin::Server => None,
        Origin::Files(reader) => Some(unless(cancel, Held::new(reader)).await?),
    };
    let from_files = held.is_some();
    let source_limits = unless(cancel, source.limits()).await?;
    let dest_limits = unless(cancel, dest.limits()).await?;
    let source_folders = unless(cancel, source.folders()).await?;
    let dest_folders = unless(cancel, dest.folders()).await?;
    note(Level::Info, format!("Source: {}.", server(&source_limits, source_folders.len())));
    note(Level::Info, format!("Destination: {}.", server(&dest_limits, dest_folders.len())));

    let mut report = PreflightReport {
        capabilities: report::capabilities(&source_limits, &dest_limits),
        source: SideReport::new(&source_limits),
        dest: SideReport::new(&dest_limits),
        ..PreflightReport::default()
    };
    let options = &Options { dest_separator: options.dest_separator.or(dest_limits.separator), ..options.clone() };
    let mut to_read = match mapping::plan(&source_folders, &dest_folders, options) {
        Ok(plan) => take_plan(plan, &mut report),
        Err(problems) => {
            report.errors.extend(problems.into_iter().map(|p| p.sentence));
            // Without a plan the counts are still worth having.
            source_folders.into_iter().filter(|f| f.selectable).map(|f| (PlannedFolder::unplaced(&f), f)).collect()
        }
    };

    let mut sample = Sample::default();
    for (planned, folder) in &mut to_read {
        let read = read_folder(source, folder, planned, &dest_limits, &mut report, &mut sample, held.as_mut(), cancel);
        match read.await {
            Ok(()) => {
                let there = match planned.present {
                    Some(present @ 1..) => format!(", {present} of them there already"),
                    _ => String::new(),
                };
                let figures = format!("{}, {}{there}", messages(planned.messages), bytes(planned.bytes));
                note(Level::Debug, format!("\"{}\": {figures}.", folder.path));
            }
            Err(fault) if matches!(fault.kind, FaultKind::FolderGone | FaultKind::Refused) => {
                planned.readable = false;
                report.errors.push(format!(
                    "The source folder \"{}\" cannot be read: {} Give the account the right to read it, or leave it \
                     out with the pattern \"!{}\".",
                    folder.path,
                    sentence(&fault.sentence),
                    folder.path
                ));
            }
            Err(fault) => return Err(fault),
        }
        report.messages += planned.messages;
        report.bytes += planned.bytes;
        report.largest = report.largest.max(planned.largest);
        if let Some(present) = planned.present {
            *report.present.get_or_insert_default() += present;
        }
    }
    report.folders = to_read.into_iter().map(|(planned, _)| planned).collect();
    report.duration = sample.estimate(report.messages, report.bytes);
    judge(&dest_limits, from_files, &mut report);
    report.ok = report.errors.is_empty();

    note(
        Level::Info,
        format!(
            "{} in {} folders, {} in all; the largest has {}.",
            messages(report.messages),
            report.folders.len(),
            bytes(report.bytes),
            bytes(report.largest)
        ),
    );
    if let Some(duration) = &report.duration {
        note(Level::Info, format!("The first copy may take {duration}."));
    }
    for warning in &report.warnings {
        note(Level::Warn, warning.clone());
    }
    for error in &report.errors {
        note(Level::Error, error.clone());
    }
    Ok(report)
}

fn take_plan(plan: Plan, report: &mut PreflightReport) -> Vec<(PlannedFolder, RemoteFolder)> {
    report.warnings.extend(plan.warnings);
    report.left = plan.left.into_iter().map(|l| LeftOut { source: l.source.path, reason: l.reason }).collect();
    plan.folders
        .into_iter()
        .map(|mapped| {
            let planned = PlannedFolder::of(&mapped);
            let Mapped { source, .. } = mapped;
            (planned, source)
        })
        .collect()
}

/// Opens and lists a folder, counts it, and fetches its part of the sample, or looks which of its messages are `held`.
#[allow(clippy::too_many_arguments)] // the state of one loop
async fn read_folder(
    source: &mut dyn Source,
    folder: &RemoteFolder,
    planned: &mut PlannedFolder,
    dest: &Limits,
    report: &mut PreflightReport,
    sample: &mut Sample,
    held: Option<&mut Held<'_>>,
    cancel: &CancellationToken,
) -> Result<(), Fault> {
    unless(cancel, source.open(folder)).await?;
    let listing = unless(cancel, list_all(source, Which::From(1))).await?;
    for message in &listing {
        planned.messages += 1;
        planned.bytes = planned.bytes.saturating_add(message.size);
        planned.largest = planned.largest.max(message.size);
        if dest.append_limit.is_some_and(|limit| message.size > limit) {
            report.oversize_total += 1;
            if report.oversize.len() < OVERSIZE_LISTED {
                report.oversize.push(Oversize { folder: folder.path.clone(), uid: message.uid, size: message.size });
            }
        }
    }
    if let Some(held) = held {
        if let Some(dest) = &planned.dest {
            planned.present = Some(unless(cancel, held.count(source, &listing, dest)).await?);
        }
        return Ok(());
    }
    let chosen = choose(&listing, sample);
    drop(listing);
    if !chosen.is_empty() {
        unless(cancel, fetch(source, &chosen, sample)).await?;
    }
    Ok(())
}

/// Messages for the sample, spread evenly over the folder, within what is left of the sample's size.
fn choose(listing: &[MessageMeta], sample: &Sample) -> UidSet {
    let mut room = SAMPLE_BYTES.saturating_sub(sample.bytes);
    let many = usize::try_from(SAMPLE_MESSAGES.saturating_sub(sample.messages)).unwrap_or(0).min(SAMPLE_OF_FOLDER);
    if many == 0 {
        return UidSet::default();
    }
    let step = listing.len().div_ceil(many).max(1);
    let fits = |m: &&MessageMeta| {
        let fits = m.size <= room;
        room -= if fits { m.size } else { 0 };
        fits
    };
    listing.iter().step_by(step).filter(fits).map(|m| m.uid).collect()
}

/// Fetches these messages, throws them away and adds what came to the sample.
async fn fetch(source: &mut dyn Source, uids: &UidSet, sample: &mut Sample) -> Result<(), Fault> {
    let (out, mut input) = mpsc::channel(16);
    let started = Instant::now();
    let count = async {
        let (mut whole, mut bytes) = (0u64, 0u64);
        while let Some(piece) = input.recv().await {
            match piece {
                Incoming::Data(data) => bytes += u64::try_from(data.len()).unwrap_or(u64::MAX),
                Incoming::End => whole += 1,
                Incoming::Begin { .. } | Incoming::Gone { .. } | Incoming::Unreadable { .. } => {}
            }
        }
        (whole, bytes)
    };
    let (done, (whole, bytes)) = tokio::join!(fetch_set(source, uids.clone(), out), count);
    done?;
    sample.messages += whole;
    sample.bytes += bytes;
    sample.seconds += started.elapsed().as_secs_f64();
    Ok(())
}

/// What the figures mean for the copy.
fn judge(dest: &Limits, from_files: bool, report: &mut PreflightReport) {
    if let Some(limit) = dest.append_limit
        && report.oversize_total > 0
    {
        report.warnings.push(format!(
            "{} larger than the {} that the destination takes and will be quarantined. Raise the limit at the \
             destination before the first copy, or waive them afterwards.",
            if report.oversize_total == 1 {
                "1 message is".to_owned()
            } else {
                format!("{} messages are", report.oversize_total)
            },
            bytes(limit)
        ));
    }
    if let Some(space) = dest.quota.map(|quota| Space::of(quota, report.bytes)) {
        let (needed, free) = (bytes(space.needed), bytes(space.free));
        // What an earlier run copied is in use there already and is not needed again.
        if report.bytes.saturating_sub(space.used) > space.free {
            report.errors.push(format!(
                "The source holds {needed} and the destination has {free} left. Raise the quota at the destination, \
                 then run the preflight again."
            ));
        } else if space.needed_with_margin > space.free {
            report.warnings.push(format!(
                "The source holds {needed} and the destination has {free} left. That is enough only if part of the \
                 mail is there already; raise the quota at the destination to be safe."
            ));
        }
        report.space = Some(space);
    }
    if !has(dest, "UIDPLUS") {
        report.warnings.push(
            "The destination does not tell the UIDs of new messages (no UIDPLUS); arrivals are found by looking, \
             which takes longer."
                .to_owned(),
        );
    }
    if let Some(present @ 1..) = report.present {
        let are = if present == 1 { "message is" } else { "messages are" };
        report.warnings.push(format!(
            "{present} {are} in the mailbox already, by Message-Id and date. What is the same byte for byte is recognised \
             and not copied again; what was changed on its way there will be in the mailbox twice."
        ));
    }
    let inbox = |f: &PlannedFolder| f.special_use == Some(SpecialUse::Inbox);
    if report.errors.is_empty() && !report.folders.iter().any(inbox) {
        report.warnings.push("No INBOX is in the plan; the gate asks for a complete INBOX.".to_owned());
    }
    if report.errors.is_empty() && report.messages == 0 {
        let sentence = if from_files {
            "The files hold no message. Check that they are the right ones."
        } else {
            "The source holds no message. If people use this account, check that the log-in name is the right one."
        };
        report.warnings.push(sentence.to_owned());
    }
}

fn has(limits: &Limits, capability: &str) -> bool {
    limits.capabilities.iter().any(|c| c.eq_ignore_ascii_case(capability))
}

fn server(limits: &Limits, folders: usize) -> String {
    format!("{}, {folders} folders", limits.server.as_deref().unwrap_or("a server that does not say its name"))
}

fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.ends_with(['.', '!', '?']) { text.to_owned() } else { format!("{text}.") }
}

fn messages(count: u64) -> String {
    if count == 1 { "1 message".to_owned() } else { format!("{count} messages") }
}

/// A size for people: decimal units, one place.
fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if count < 1000 {
        return format!("{count} bytes");
    }
    #[allow(clippy::cast_precision_loss)] // shown to one place
    let mut value = count as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// Does it, unless the run is cancelled first. The connection is of no use after a cancellation.
async fn unless<T>(cancel: &CancellationToken, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    match cancel.run_until_cancelled(work).await {
        Some(done) => done,
        None => Err(Fault::cancelled()),
    }
}
