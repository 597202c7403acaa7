//! Copying a mailbox: connect, plan, then folder by folder list, adopt, stream and record.
//!
//! What makes it safe to kill at any moment: a message is written into the ledger as *pending* before anything is
//! sent, and as *arrived* only when the destination has acknowledged it. Whatever was in flight is settled by
//! looking at the destination first ([`crate::adopt`]), before anything is sent again.

mod folder;
mod stream;

use crate::{
    Destination, Driver, Fault, FaultKind, Ledger, Limits, PlacedFolder, RemoteFolder, Source, Watch,
    mapping::{self, Mapped},
};
use gatepost_contract::Level;
use std::{collections::BTreeMap, time::Duration};
use tokio_util::sync::CancellationToken;

/// How a copy is to be done.
#[derive(Clone, Debug)]
pub struct CopyOptions {
    /// Where folders go that shall not go where the mapping would put them.
    pub folder_map: BTreeMap<String, String>,
    /// Only folders that match one of these; all where empty.
    pub globs: Vec<String>,
    /// List every folder whole, also where the cursor says that nothing is new.
    pub thorough: bool,
    /// Carry flag changes of messages that have arrived before. Off after the cutover: the user owns them then.
    pub carry_flags: bool,
    /// Look and list, but create, append and change nothing at the destination.
    pub dry_run: bool,
    /// How often a broken connection is tried again without any progress in between.
    pub patience: u32,
    /// The first pause before trying again; it doubles each time, up to a minute.
    pub pause: Duration,
    /// How long a destination folder must stay unchanged before what an interrupted attempt left open is sent again.
    pub settle: Duration,
}

impl Default for CopyOptions {
    fn default() -> Self {
        Self {
            folder_map: BTreeMap::new(),
            globs: Vec::new(),
            thorough: false,
            carry_flags: true,
            dry_run: false,
            patience: 6,
            pause: Duration::from_secs(1),
            settle: Duration::from_secs(1),
        }
    }
}

/// What a copy did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CopyOutcome {
    /// Folders that were gone through to the end.
    pub folders: u64,
    /// Messages that were sent.
    pub transferred: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Messages that were found at the destination and taken as arrived after their bytes had been compared.
    pub adopted: u64,
    /// Messages that had arrived before.
    pub already_there: u64,
    /// Messages that were refused in this run.
    pub quarantined: u64,
    /// Messages that were still to be copied when the run ended; in a dry run those that would be.
    pub pending: u64,
    /// Messages that are no longer at the source.
    pub vanished: u64,
    /// Messages whose flags were brought up to date.
    pub flags_changed: u64,
    /// Folders that could not be finished, and why.
    pub failed_folders: Vec<(String, String)>,
    /// Source folders that are left out on purpose, and why.
    pub left_out: Vec<(String, String)>,
    /// Whether a person asked to stop.
    pub cancelled: bool,
}

/// One mailbox to copy.
pub struct Copy<'a> {
    /// Where from.
    pub source: &'a dyn Driver,
    /// Where to.
    pub dest: &'a dyn Driver,
    /// What is known and recorded.
    pub ledger: &'a dyn Ledger,
    /// Who looks on.
    pub watch: &'a dyn Watch,
    /// How.
    pub options: CopyOptions,
    /// Ends the copy cleanly: what is in flight is finished and recorded.
    pub cancel: CancellationToken,
}

/// Both connections.
struct Lines {
    source: Box<dyn Source>,
    dest: Box<dyn Destination>,
    dest_limits: Limits,
}

/// One folder's work.
struct FolderTask<'p> {
    step: usize,
    mapped: &'p Mapped,
    placed: PlacedFolder,
    /// Destination UIDs in the same destination folder that belong to other source folders merged into it.
    siblings: Vec<PlacedFolder>,
}

impl Copy<'_> {
    /// Copies what is not there yet.
    ///
    /// # Errors
    /// A fault that stops the whole mailbox: no connection, a refused log-in, a full account. Folders that fail on
    /// their own are named in the outcome. What was copied before a fault is recorded.
    pub async fn run(&self) -> Result<CopyOutcome, Fault> {
        let mut outcome = CopyOutcome::default();
        let (mut lines, plan) = self.plan_patiently(&mut outcome).await?;
        let placed = self
            .ledger
            .place(&plan.iter().map(|m| (m.source.path.clone(), m.dest.clone(), m.special_use)).collect::<Vec<_>>())
            .await?;
        self.watch.steps(&plan.iter().map(|m| m.source.path.to_string()).collect::<Vec<_>>());
        for (step, mapped) in plan.iter().enumerate() {
            let Some(own) = placed.iter().find(|p| p.source == mapped.source.path) else { continue };
            let siblings = placed.iter().filter(|p| p.dest == own.dest && p.id != own.id).cloned().collect();
            let task = FolderTask { step, mapped, placed: own.clone(), siblings };
            match self.folder_patiently(&mut lines, task, &mut outcome).await {
                Ok(()) => outcome.folders += 1,
                Err(fault) if fault.kind == FaultKind::Cancelled => {
                    self.watch.end(step, Ok(Some(fault.sentence)));
                    outcome.cancelled = true;
                    break;
                }
                Err(fault) if concerns_folder_alone(&fault) => {
                    self.watch.note(Level::Error, "folder", format!("{}: {}", mapped.source.path, fault.sentence));
                    self.watch.end(step, Err(fault.sentence.clone()));
                    outcome.failed_folders.push((mapped.source.path.to_string(), fault.sentence));
                }
                Err(fault) => {
                    self.watch.end(step, Err(fault.sentence.clone()));
                    return Err(fault);
                }
            }
        }
        lines.source.close().await;
        lines.dest.close().await;
        Ok(outcome)
    }

    async fn plan(&self, lines: &mut Lines, outcome: &mut CopyOutcome) -> Result<Vec<Mapped>, Fault> {
        let source = lines.source.folders().await?;
        let dest = lines.dest.folders().await?;
        let placed = self.ledger.placed().await?.into_iter().map(|p| (p.source, p.dest)).collect();
        let options = mapping::Options {
            folder_map: self.options.folder_map.clone(),
            globs: self.options.globs.clone(),
            dest_separator: lines.dest_limits.separator,
            placed,
        };
        let plan = mapping::plan(&source, &dest, &options).map_err(|problems| mapping_fault(&problems))?;
        for warning in &plan.warnings {
            self.watch.note(Level::Warn, "plan", warning.clone());
        }
        for left in &plan.left {
            self.watch.note(Level::Info, "plan", format!("{} is left out: {}", left.source.path, left.reason));
            outcome.left_out.push((left.source.path.to_string(), left.reason.clone()));
        }
        for mapped in &plan.folders {
            if mapped.source.path != mapped.dest {
                self.watch.note(Level::Info, "plan", format!("{} goes to {}", mapped.source.path, mapped.dest));
            }
        }
        Ok(plan.folders)
    }

    async fn plan_patiently(&self, outcome: &mut CopyOutcome) -> Result<(Lines, Vec<Mapped>), Fault> {
        let mut tries = 0;
        loop {
            let mut lines = self.connect_patiently().await?;
            match self.plan(&mut lines, outcome).await {
                Ok(plan) => return Ok((lines, plan)),
                Err(fault) => self.pause_or_give_up(fault, &mut tries).await?,
            }
        }
    }

    async fn connect(&self) -> Result<Lines, Fault> {
        let (source, dest) = tokio::try_join!(self.source.source(), self.dest.destination())?;
        let mut lines = Lines { source, dest, dest_limits: Limits::default() };
        lines.dest_limits = lines.dest.limits().await?;
        Ok(lines)
    }

    async fn connect_patiently(&self) -> Result<Lines, Fault> {
        let mut tries = 0;
        loop {
            match self.connect().await {
                Ok(lines) => return Ok(lines),
                Err(fault) => self.pause_or_give_up(fault, &mut tries).await?,
            }
        }
    }

    /// Does a folder, and does it again after a broken connection. The ledger makes every repetition start where
    /// the last one ended.
    async fn folder_patiently(
        &self,
        lines: &mut Lines,
        mut task: FolderTask<'_>,
        outcome: &mut CopyOutcome,
    ) -> Result<(), Fault> {
        let mut tries = 0;
        let mut broken = false;
        loop {
            if broken {
                match self.connect().await {
                    Ok(fresh) => *lines = fresh,
                    Err(fault) => {
                        self.pause_or_give_up(fault, &mut tries).await?;
                        continue;
                    }
                }
            }
            let before = outcome.transferred + outcome.adopted;
            match self.folder(lines, &mut task, outcome).await {
                Ok(()) => return Ok(()),
                Err(fault) => {
                    if outcome.transferred + outcome.adopted > before {
                        tries = 0;
                    }
                    // A refusal may have left the line in the middle of an answer: only a new one is sure.
                    broken = true;
                    if concerns_folder_alone(&fault) {
                        *lines = self.connect_patiently().await?;
                        return Err(fault);
                    }
                    self.pause_or_give_up(fault, &mut tries).await?;
                }
            }
        }
    }

    async fn pause_or_give_up(&self, fault: Fault, tries: &mut u32) -> Result<(), Fault> {
        if !fault.is_transient() || *tries >= self.options.patience || self.cancel.is_cancelled() {
            return Err(if self.cancel.is_cancelled() { Fault::cancelled() } else { fault });
        }
        let pause = fault
            .retry_after
            .unwrap_or_else(|| self.options.pause.saturating_mul(1 << (*tries).min(6)))
            .min(Duration::from_secs(60));
        *tries += 1;
        self.watch.note(
            Level::Warn,
            "connection",
            format!(
                "{} Trying again in {:.0} s ({} of {}).",
                fault.sentence,
                pause.as_secs_f64().ceil(),
                tries,
                self.options.patience
            ),
        );
        tokio::select! {
            () = tokio::time::sleep(pause) => Ok(()),
            () = self.cancel.cancelled() => Err(Fault::cancelled()),
        }
    }
}

/// Faults that say nothing about the other folders.
const fn concerns_folder_alone(fault: &Fault) -> bool {
    matches!(fault.kind, FaultKind::FolderGone | FaultKind::Refused | FaultKind::Protocol | FaultKind::Damaged)
}

fn mapping_fault(problems: &[mapping::MappingProblem]) -> Fault {
    let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
    Fault::new(FaultKind::Refused, format!("The folders cannot be mapped. {}", all.join(" ")))
}

/// The folder as it stands at the destination, made if need be.
async fn ready_folder(dest: &mut dyn Destination, mapped: &Mapped) -> Result<RemoteFolder, Fault> {
    let known = dest.folders().await?;
    match known
        .into_iter()
        .find(|f| f.selectable && (f.path == mapped.dest || f.path.is_inbox() && mapped.dest.is_inbox()))
    {
        Some(folder) => Ok(folder),
        None => dest.create(&mapped.dest).await,
    }
}
