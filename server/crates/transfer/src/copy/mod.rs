//! Copying a mailbox: connect, plan, then survey and send the folders on as many lanes as there is work for and as the
//! servers grant.
//!
//! What makes it safe to kill at any moment: a message is written into the ledger as *pending* before anything is
//! sent, and as *arrived* only when the destination has acknowledged it. Whatever was in flight is settled by
//! looking at the destination first ([`crate::adopt`]), before anything is sent again.

mod board;
mod lane;
mod stream;
mod survey;

use crate::{
    Budget, Cursor, Destination, Driver, Fault, FaultKind, FolderPath, FolderState, Ledger, Limits, RemoteFolder,
    Source, Standing, Surveyed, Throttle, Watch,
    budget::Granted,
    mapping::{self, Mapped},
};
use board::{Board, NewEntry};
use gatepost_contract::{FolderId, Level};
use lane::{Connected, Lane};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// How many connections to each server are used at most unless told otherwise: four are what a destination's disk can
/// use; far from the servers more of them hide the waiting.
const CONNECTIONS: u32 = 4;
const FAR_CONNECTIONS: u32 = 8;
/// Servers are far when it takes so long to connect and log in, which needs some four round trips.
const FAR: Duration = Duration::from_millis(80);
/// For how many new messages, or how many folders to look into, another lane is worth its log-in.
const MESSAGES_A_LANE: u64 = 250;
const FOLDERS_A_LANE: u64 = 2;

/// After how many lines that broke off without any progress a folder's messages are sent one by one, and after how many
/// that broke off at one message that message is taken for the cause.
const DELICATE: u32 = 2;
const GUILTY: u32 = 3;

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
    /// Bring the ledger up to date with the source and recognise what is at the destination already, but send nothing:
    /// something else does.
    pub record_only: bool,
    /// How many connections to each server are used at most; fewer where there is less work or the server grants less.
    /// `None`: as many as suit the distance.
    pub connections: Option<u32>,
    /// How often a broken connection is tried again without any progress in between.
    pub patience: u32,
    /// The first pause before trying again; it doubles each time, up to a minute.
    pub pause: Duration,
    /// How long a destination folder must stay unchanged before what an interrupted attempt left open is sent again.
    pub settle: Duration,
    /// How fast bytes may pass; without limit where it follows nobody.
    pub throttle: Arc<Throttle>,
}

impl Default for CopyOptions {
    fn default() -> Self {
        Self {
            folder_map: BTreeMap::new(),
            globs: Vec::new(),
            thorough: false,
            carry_flags: true,
            dry_run: false,
            record_only: false,
            connections: None,
            patience: 8,
            pause: Duration::from_secs(1),
            settle: Duration::from_secs(1),
            throttle: Arc::default(),
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
    /// What the source's host may be asked for.
    pub source_budget: Arc<Budget>,
    /// What the destination's host may be asked for.
    pub dest_budget: Arc<Budget>,
    /// Ends the copy cleanly: what is in flight is finished and recorded.
    pub cancel: CancellationToken,
    /// What it has done so far; starts as the default.
    pub progress: CopyState,
}

/// What a copy has done so far, and what it found out about the destination.
#[derive(Debug, Default)]
pub struct CopyState {
    outcome: Mutex<CopyOutcome>,
    append_limit: std::sync::OnceLock<Option<u64>>,
}

/// Both connections.
struct Lines {
    source: Box<dyn Source>,
    dest: Box<dyn Destination>,
}

/// One folder's work.
struct Folder<'p> {
    step: usize,
    id: FolderId,
    mapped: &'p Mapped,
    /// Other source folders that go to the same place.
    siblings: Vec<FolderId>,
    known: Mutex<Known>,
    sent: Mutex<stream::Sent>,
    /// Where lines broke off in it, in this run.
    strikes: Mutex<Strikes>,
}

/// Lines that broke off in a folder since it last got on.
#[derive(Debug, Default)]
struct Strikes {
    in_a_row: u32,
    /// How often that was at this message.
    at: HashMap<u32, u32>,
}

/// What is known of a folder; surveys bring it up to date.
#[derive(Clone, Debug, Default)]
struct Known {
    target: Option<RemoteFolder>,
    dest_epoch: Option<u32>,
    cursor: Option<Cursor>,
    standing: Standing,
}

impl Folder<'_> {
    const fn source(&self) -> &RemoteFolder {
        &self.mapped.source
    }

    const fn path(&self) -> &FolderPath {
        &self.mapped.source.path
    }

    const fn dest(&self) -> &FolderPath {
        &self.mapped.dest
    }

    fn known(&self) -> Known {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn learn(&self, known: Known) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = known;
    }

    fn stands(&self, standing: Standing) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).standing = standing;
    }

    /// Whether lines keep breaking off in it, so that its messages are sent one by one.
    fn is_delicate(&self) -> bool {
        self.strikes.lock().unwrap_or_else(PoisonError::into_inner).in_a_row >= DELICATE
    }

    /// Whether a message is left for the next run.
    fn is_aside(&self, uid: u32) -> bool {
        let strikes = self.strikes.lock().unwrap_or_else(PoisonError::into_inner);
        strikes.at.get(&uid).is_some_and(|count| *count >= GUILTY)
    }

    /// How many messages are left for the next run.
    fn aside(&self) -> u64 {
        let strikes = self.strikes.lock().unwrap_or_else(PoisonError::into_inner);
        strikes.at.values().filter(|count| **count >= GUILTY).count() as u64
    }

    /// A line broke off; `at` is the message that it was busy with. True when it is that message's fault.
    fn strike(&self, at: Option<u32>, got_on: bool) -> bool {
        let mut strikes = self.strikes.lock().unwrap_or_else(PoisonError::into_inner);
        strikes.in_a_row = if got_on { 1 } else { strikes.in_a_row + 1 };
        let Some(uid) = at else { return false };
        let count = strikes.at.entry(uid).or_default();
        *count += 1;
        *count == GUILTY
    }

    fn add_sent(&self, more: stream::Sent) {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.messages += more.messages;
        sent.adopted += more.adopted;
        sent.bytes += more.bytes;
        sent.refused += more.refused;
    }
}

/// A source folder, where it goes, and how both stand.
struct Planned {
    mapped: Mapped,
    source: Option<FolderState>,
    target: Option<Surveyed>,
}

impl Copy<'_> {
    /// Copies what is not there yet.
    ///
    /// # Errors
    /// A fault that stops the whole mailbox: no connection, a refused log-in, a full account. Folders that fail on
    /// their own are named in the outcome. What was copied before a fault is recorded.
    pub async fn run(&self) -> Result<CopyOutcome, Fault> {
        let (connected, plan) = self.plan_patiently().await?;
        let far = connected.is_far();
        let placed = self
            .ledger
            .place(
                &plan
                    .iter()
                    .map(|p| (p.mapped.source.path.clone(), p.mapped.dest.clone(), p.mapped.special_use))
                    .collect::<Vec<_>>(),
            )
            .await?;
        let standing: HashMap<FolderId, Standing> = self.ledger.standing(None).await?.into_iter().collect();
        self.watch.steps(&plan.iter().map(|p| p.mapped.source.path.to_string()).collect::<Vec<_>>());
        let mut folders = Vec::with_capacity(plan.len());
        let mut entries = Vec::with_capacity(plan.len());
        let (mut new_messages, mut to_look) = (0, 0);
        for (step, planned) in plan.iter().enumerate() {
            let mapped = &planned.mapped;
            let Some(own) = placed.iter().find(|p| p.source == mapped.source.path) else {
                return Err(Fault::new(
                    FaultKind::Internal,
                    format!("The ledger did not place the folder {}.", mapped.source.path),
                ));
            };
            let place = mapping::folded(&mapped.dest);
            let siblings =
                placed.iter().filter(|p| mapping::folded(&p.dest) == place && p.id != own.id).map(|p| p.id).collect();
            let known = Known {
                target: planned.target.as_ref().map(|t| t.folder.clone()),
                dest_epoch: own.dest_epoch,
                cursor: own.cursor,
                standing: standing.get(&own.id).copied().unwrap_or_default(),
            };
            let done = !self.options.dry_run && !self.options.thorough && unchanged(&known, planned);
            let messages = planned.source.as_ref().map_or(0, |s| u64::from(s.messages));
            let weight = known.standing.pending + messages.saturating_sub(known.standing.messages);
            let folder = Folder {
                step,
                id: own.id,
                mapped,
                siblings,
                known: Mutex::new(known),
                sent: Mutex::default(),
                strikes: Mutex::default(),
            };
            if done {
                self.finished(&folder);
            } else {
                self.watch.expect(step, weight);
                new_messages += weight;
                to_look += 1;
            }
            entries.push(NewEntry { id: own.id, place, weight, done });
            folders.push(folder);
        }
        let lanes = (new_messages / MESSAGES_A_LANE).max(to_look / FOLDERS_A_LANE).max(1);
        let most = self.options.connections.unwrap_or(if far { FAR_CONNECTIONS } else { CONNECTIONS }).max(1);
        let lanes = u32::try_from(lanes).unwrap_or(u32::MAX).min(most);
        let board = Board::new(entries, self.ledger, &self.cancel);
        let mut first = Some(connected);
        let all = (0..lanes).map(|number| {
            board.enter();
            let connected = first.take();
            let proven = connected.is_some();
            Lane {
                number: number as usize,
                copy: self,
                board: &board,
                folders: &folders,
                pace: stream::Pace::default(),
                connected,
                proven,
            }
            .run()
        });
        futures::future::join_all(all).await;
        if let Some(fault) = board.take_fatal() {
            for folder in board.unfinished() {
                self.watch.end(folder, Err(fault.sentence.clone()));
            }
            return Err(fault);
        }
        if self.cancel.is_cancelled() {
            self.count(|outcome| outcome.cancelled = true);
        }
        Ok(self.progress.outcome.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    async fn plan(&self, lines: &mut Lines) -> Result<Vec<Planned>, Fault> {
        let Lines { source, dest } = lines;
        let (at_source, (at_dest, limits)) = tokio::try_join!(source.survey(), async {
            let at_dest = dest.survey().await?;
            Ok((at_dest, dest.limits().await?))
        })?;
        let limits: Limits = limits;
        let _ = self.progress.append_limit.set(limits.append_limit);
        let placed = self.ledger.placed().await?.into_iter().map(|p| (p.source, p.dest)).collect();
        let options = mapping::Options {
            folder_map: self.options.folder_map.clone(),
            globs: self.options.globs.clone(),
            dest_separator: limits.separator,
            placed,
        };
        let bare = |all: &[Surveyed]| all.iter().map(|s| s.folder.clone()).collect::<Vec<_>>();
        let plan =
            mapping::plan(&bare(&at_source), &bare(&at_dest), &options).map_err(|problems| mapping_fault(&problems))?;
        for warning in &plan.warnings {
            self.watch.note(Level::Warn, "plan", warning.clone());
        }
        for left in &plan.left {
            self.watch.note(Level::Info, "plan", format!("{} is left out: {}", left.source.path, left.reason));
            self.count(|outcome| outcome.left_out.push((left.source.path.to_string(), left.reason.clone())));
        }
        let mut planned: Vec<Planned> = Vec::with_capacity(plan.folders.len());
        for mapped in plan.folders {
            if mapped.source.path != mapped.dest {
                self.watch.note(Level::Info, "plan", format!("{} goes to {}", mapped.source.path, mapped.dest));
            }
            let status = at_source.iter().find(|s| s.folder.path == mapped.source.path).and_then(|s| s.status.clone());
            let target = at_dest
                .iter()
                .find(|s| {
                    s.folder.selectable
                        && (s.folder.path == mapped.dest || s.folder.path.is_inbox() && mapped.dest.is_inbox())
                })
                .cloned();
            planned.push(Planned { mapped, source: status, target });
        }
        if !self.options.dry_run {
            self.make_missing(&mut **dest, &mut planned).await?;
        }
        Ok(planned)
    }

    async fn plan_patiently(&self) -> Result<(Connected, Vec<Planned>), Fault> {
        let mut tries = 0;
        loop {
            let fault = match self.connect().await {
                Ok(mut connected) => match self.plan(&mut connected.lines).await {
                    Ok(plan) => return Ok((connected, plan)),
                    Err(fault) => fault,
                },
                Err(fault) => fault,
            };
            self.count(|outcome| outcome.left_out.clear());
            self.pause_or_give_up(fault, &mut tries).await?;
        }
    }

    /// Connects on both sides, waiting for the budget's consent.
    async fn connect(&self) -> Result<Connected, Fault> {
        let note = self.pace_note();
        let granted = tokio::select! {
            granted = Budget::connections(&self.source_budget, &self.dest_budget, &note) => granted,
            () = self.cancel.cancelled() => return Err(Fault::cancelled()),
        };
        self.connect_with(granted).await
    }

    /// The budget's consent to one more connection on each side, if there is one now.
    fn try_connect(&self) -> Option<(Granted, Granted)> {
        Budget::try_connections(&self.source_budget, &self.dest_budget)
    }

    /// Waits until both budgets and the throttle let a message of so many bytes pass. A fault where the budgets do not
    /// soon.
    async fn admit(&self, bytes: u64) -> Result<(), Fault> {
        tokio::select! {
            () = self.options.throttle.pass(bytes) => {}
            () = self.cancel.cancelled() => return Err(Fault::cancelled()),
        }
        if self.source_budget.is_unlimited() && self.dest_budget.is_unlimited() {
            return Ok(());
        }
        tokio::select! {
            passed = Box::pin(Budget::pass(&self.source_budget, &self.dest_budget, bytes)) => passed,
            () = self.cancel.cancelled() => Err(Fault::cancelled()),
        }
    }

    async fn connect_with(&self, granted: (Granted, Granted)) -> Result<Connected, Fault> {
        let began = Instant::now();
        let connect = async { tokio::try_join!(self.source.source(), self.dest.destination()) };
        let (source, dest) = tokio::select! {
            connected = connect => connected?,
            () = self.cancel.cancelled() => return Err(Fault::cancelled()),
        };
        Ok(Connected::new(Lines { source, dest }, granted, began.elapsed()))
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

    /// Changes what the copy has done so far.
    fn count(&self, change: impl FnOnce(&mut CopyOutcome)) {
        change(&mut self.progress.outcome.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn append_limit(&self) -> Option<u64> {
        self.progress.append_limit.get().copied().flatten()
    }

    /// Puts a budget's sentences into the log.
    fn pace_note(&self) -> impl Fn(Level, String) + Send + Sync {
        |level, sentence| self.watch.note(level, "budget", sentence)
    }

    /// A folder is through.
    fn finished(&self, folder: &Folder<'_>) {
        let known = folder.known();
        let sent = *folder.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known.standing.arrived.saturating_sub(sent.messages + sent.adopted);
        self.count(|outcome| {
            outcome.folders += 1;
            outcome.already_there += before;
            outcome.pending += known.standing.pending;
        });
        let mut parts = vec![format!("{} copied", sent.messages)];
        for (count, what) in [(before, "there before"), (sent.adopted, "recognised"), (sent.refused, "refused")] {
            if count > 0 {
                parts.push(format!("{count} {what}"));
            }
        }
        self.watch.end(folder.step, Ok(Some(parts.join(", "))));
    }
}

/// Whether the listing says that nothing has happened in a folder since it was last copied.
fn unchanged(known: &Known, planned: &Planned) -> bool {
    let (Some(cursor), Some(source)) = (known.cursor, &planned.source) else { return false };
    let dest = planned.target.as_ref().and_then(|t| t.status.as_ref());
    dest.is_some_and(|dest| known.dest_epoch == Some(dest.uid_validity))
        && known.standing.pending == 0
        && cursor.epoch == source.uid_validity
        && Some(cursor.next_uid) == source.uid_next
        && cursor.modseq.is_some()
        && cursor.modseq == source.highest_modseq
        && known.standing.messages == u64::from(source.messages)
}

impl Copy<'_> {
    /// Makes the folders that the destination lacks. A name that it refuses twice is tried without the characters that
    /// some servers do not take (one refusal may have had another reason, and the mail would lie there for good); a folder that cannot be made at all is tried again when it is its turn, so that its
    /// fault concerns no other.
    async fn make_missing(&self, dest: &mut dyn Destination, planned: &mut [Planned]) -> Result<(), Fault> {
        let mut missing: Vec<FolderPath> =
            planned.iter().filter(|p| p.target.is_none()).map(|p| p.mapped.dest.clone()).collect();
        missing.sort_unstable();
        missing.dedup();
        for attempt in 0..3 {
            if missing.is_empty() {
                return Ok(());
            }
            let mut refused = Vec::new();
            for (path, made) in missing.iter().zip(dest.create(&missing).await?) {
                match made {
                    Ok(folder) => {
                        for planned in planned.iter_mut().filter(|p| p.mapped.dest == *path) {
                            planned.target = Some(Surveyed { folder: folder.clone(), status: None });
                        }
                    }
                    Err(fault) if fault.kind == FaultKind::Refused && attempt < 2 => {
                        refused.push((path.clone(), fault));
                    }
                    Err(_) => {}
                }
            }
            missing.clear();
            for (path, fault) in refused {
                if attempt == 0 {
                    missing.push(path);
                    continue;
                }
                let plain = mapping::plain(&path);
                let taken = planned.iter().any(|p| mapping::folded(&p.mapped.dest) == mapping::folded(&plain));
                if plain == path || taken {
                    continue;
                }
                self.watch.note(
                    Level::Warn,
                    "plan",
                    format!(
                        "The destination does not take the name {path}; the folder goes to {plain}. {}",
                        fault.sentence
                    ),
                );
                for planned in planned.iter_mut().filter(|p| p.mapped.dest == path) {
                    planned.mapped.dest = plain.clone();
                }
                missing.push(plain);
            }
        }
        Ok(())
    }
}

fn mapping_fault(problems: &[mapping::MappingProblem]) -> Fault {
    let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
    Fault::new(FaultKind::Refused, format!("The folders cannot be mapped. {}", all.join(" ")))
}
