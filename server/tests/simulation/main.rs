//! Faults by the thousand: pairs of scripted servers with random mail, random extensions and a schedule of faults. A
//! copy is run, killed and run again while faults last; once they have ceased, one more run must complete, and the
//! destination must hold exactly what the source holds.
//!
//! Everything follows from a seed but the scheduling of threads. `GATEPOST_SEEDS=2000` runs more of them,
//! `GATEPOST_SEED=17` runs one and shows what happened.

mod hurried;
#[allow(dead_code, reason = "tests of verification use more of it")]
mod ledger;
mod random;
mod verdict;
mod world;

use gatepost_contract::{Level, MessageState, Secret, Security};
use gatepost_imap::{Account, Credential, ImapDriver, NetPolicy, Timeouts};
use gatepost_testkit::{ScriptedImap, scripted::FaultKind};
use gatepost_transfer::{
    Budget, Fault, FaultKind as Kind, Watch,
    copy::{Copy, CopyOptions, CopyOutcome, CopyState},
};
use hurried::Hurried;
use ledger::MemoryLedger;
use random::Random;
use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;
use world::World;

const SEEDS: u64 = 100;
/// Two processors are what continuous integration has.
const WORKERS: usize = 2;
/// No run may take longer: it hangs.
const DEADLINE: Duration = Duration::from_secs(180);
/// Runs while faults last. They cease after so many at the latest.
const RUNS: usize = 10;

/// What happened, for a seed that failed.
#[derive(Default)]
struct Diary(Mutex<Vec<String>>);

impl Diary {
    fn write(&self, line: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}

impl Watch for Diary {
    fn steps(&self, _: &[String]) {}
    fn expect(&self, _: usize, _: u64) {}
    fn begin(&self, _: usize, _: u64, _: u64) {}
    fn done(&self, _: usize, _: u64, _: u64) {}

    fn end(&self, step: usize, result: Result<Option<String>, String>) {
        self.write(format!("    folder {step}: {result:?}"));
    }

    fn note(&self, _: Level, kind: &str, message: String) {
        self.write(format!("    {kind}: {message}"));
    }
}

/// How a run ends other than by itself.
#[derive(Clone, Copy, Debug)]
enum End {
    ByItself,
    Killed(Duration),
    Cancelled(Duration),
}

fn driver(server: &ScriptedImap, patience: Duration) -> Hurried {
    let driver = ImapDriver::new(Account {
        host: "127.0.0.1".into(),
        port: server.port(),
        security: Security::Plain,
        insecure_tls: false,
        ca_file: None,
        user: world::USER.into(),
        authz: None,
        secret: Credential::Password(Secret(world::PASSWORD.into())),
        gmail_labels: None,
        policy: NetPolicy {
            timeouts: Timeouts { connect: patience, read: patience, write: patience, ..Timeouts::default() },
            ..NetPolicy::default()
        },
    });
    Hurried::new(driver, server.sessions())
}

/// One run on a runtime of its own: where it ends, everything of it ends, as with a killed process.
fn run(world: &World, ledger: &MemoryLedger, diary: &Diary, end: End, patience: Duration) -> Result<Outcome, String> {
    let (source, dest) = (driver(&world.source, patience), driver(&world.dest, patience));
    let cancel = CancellationToken::new();
    let millisecond = Duration::from_millis(1);
    let copy = Copy {
        source: &source,
        dest: &dest,
        ledger,
        watch: diary,
        options: CopyOptions { pause: millisecond, settle: millisecond * 2, patience: 6, ..CopyOptions::default() },
        source_budget: Budget::unlimited(),
        dest_budget: Budget::unlimited(),
        cancel: cancel.clone(),
        progress: CopyState::default(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    let result = runtime.block_on(async {
        let running = async {
            match end {
                End::ByItself => Some(copy.run().await),
                End::Killed(after) => tokio::time::timeout(after, copy.run()).await.ok(),
                End::Cancelled(after) => {
                    let cancelling = async {
                        tokio::time::sleep(after).await;
                        cancel.cancel();
                        std::future::pending::<()>().await;
                    };
                    tokio::select! {
                        result = copy.run() => Some(result),
                        () = cancelling => None,
                    }
                }
            }
        };
        tokio::time::timeout(DEADLINE, running).await
    });
    drop(runtime);
    let result = result.map_err(|_| format!("HUNG: a run ({end:?}) did not end in {DEADLINE:?}"))?;
    for (name, server) in [("source", &world.source), ("destination", &world.dest)] {
        if !server.wait_idle(Duration::from_secs(120)) {
            return Err(format!("HUNG: connections to the {name} stay after a run ({end:?})"));
        }
    }
    diary.write(format!("  {end:?}: {result:?}"));
    match result {
        None => Ok(Outcome::Killed),
        Some(Ok(outcome)) => {
            let untrue = outcome.failed_folders.iter().find(|(_, sentence)| !is_sentence(sentence));
            untrue.map_or(Ok(Outcome::Completed(outcome.clone())), |wrong| Err(format!("NO SENTENCE: {wrong:?}")))
        }
        Some(Err(fault)) if fault.kind == Kind::Internal || !is_sentence(&fault.sentence) => {
            Err(format!("NO TRUE SENTENCE: {:?} {:?}", fault.kind, fault.sentence))
        }
        Some(Err(fault)) => Ok(Outcome::Stopped(fault)),
    }
}

enum Outcome {
    Killed,
    Stopped(Fault),
    Completed(CopyOutcome),
}

/// Something that a person can read, without a secret.
fn is_sentence(text: &str) -> bool {
    text.len() > 10 && text.trim_end().ends_with(['.', '"', ')', ':']) && !text.contains(world::PASSWORD)
}

fn simulate(seed: u64, diary: &Diary) -> (Result<(), String>, BTreeMap<FaultKind, u64>) {
    let world = world::make(seed);
    diary.write(world.shown.clone());
    let result = live_through(&world, seed, diary);
    for (name, server) in [("source", &world.source), ("destination", &world.dest)] {
        let commands = server.commands();
        let last = &commands[commands.len().saturating_sub(400)..];
        diary.write(format!("the {name} heard last:\n    {}", last.join("\n    ")));
    }
    let mut counts = world.source.fault_counts();
    for (kind, count) in world.dest.fault_counts() {
        *counts.entry(kind).or_default() += count;
    }
    (result, counts)
}

fn live_through(world: &World, seed: u64, diary: &Diary) -> Result<(), String> {
    let mut random = Random::new(!seed);
    let ledger = MemoryLedger::default();
    for _ in 0..RUNS {
        let millis = Duration::from_millis(random.below(40) as u64);
        let end = match random.below(4) {
            0 => End::Killed(millis),
            1 => End::Cancelled(millis),
            _ => End::ByItself,
        };
        // Longer than a scripted server takes on a busy machine, shorter than a test may stall.
        run(world, &ledger, diary, end, Duration::from_millis(150))?;
        if random.one_in(3) {
            ledger.retry_quarantined();
        }
        if world.source.faults_are_over() && world.dest.faults_are_over() {
            break;
        }
    }
    world.source.end_faults();
    world.dest.end_faults();
    diary.write("the faults have ceased".into());
    ledger.retry_quarantined();
    match run(world, &ledger, diary, End::ByItself, Duration::from_secs(20))? {
        Outcome::Completed(outcome) if outcome.failed_folders.is_empty() => {}
        Outcome::Completed(outcome) => return Err(format!("NOT COMPLETE: {:?}", outcome.failed_folders)),
        Outcome::Stopped(fault) => return Err(format!("NOT COMPLETE: {:?}: {}", fault.kind, fault.sentence)),
        Outcome::Killed => return Err("nothing kills the last run".into()),
    }
    let unaccounted = ledger.residue().into_iter().find(|(_, _, size, state, cause)| {
        let too_large = world.append_limit.is_some_and(|limit| *size > limit as u64);
        !(too_large && *state == MessageState::Quarantined && is_sentence(cause))
    });
    if let Some(left) = unaccounted {
        return Err(format!("LEFT: {left:?}"));
    }
    let found = verdict::differences(world);
    if !found.is_empty() {
        return Err(found.join("\n  "));
    }
    let changing = world.source.changing_commands();
    if !changing.is_empty() {
        return Err(format!("SOURCE CHANGED: {changing:?}"));
    }
    world.dest.forget_commands();
    match run(world, &ledger, diary, End::ByItself, Duration::from_secs(20))? {
        Outcome::Completed(outcome) if outcome.transferred == 0 && outcome.adopted == 0 => {}
        Outcome::Completed(outcome) => return Err(format!("NOT AT REST: {outcome:?}")),
        Outcome::Killed | Outcome::Stopped(_) => return Err("the run after the last did not complete".into()),
    }
    let changing = world.dest.changing_commands();
    let idle = |command: &String| command.starts_with("SELECT ") || command == "CLOSE";
    match changing.iter().find(|command| !idle(command)) {
        Some(command) => Err(format!("NOT AT REST: {command}")),
        None => Ok(()),
    }
}

/// The seeds to run: the first of them, more, or one.
fn seeds() -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    match number("GATEPOST_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("GATEPOST_SEEDS").unwrap_or(SEEDS),
    }
}

#[test]
fn after_whatever_faults_another_run_completes_and_the_copy_equals_the_source() {
    let seeds = seeds();
    let next = AtomicU64::new(seeds.start);
    let failures: Mutex<BTreeMap<u64, String>> = Mutex::default();
    let counts: Mutex<BTreeMap<FaultKind, u64>> = Mutex::default();
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let diary = Diary::default();
                    let simulated = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| simulate(seed, &diary)));
                    let (result, suffered) =
                        simulated.unwrap_or_else(|_| (Err("PANIC: see above".into()), BTreeMap::new()));
                    for (kind, count) in suffered {
                        *counts.lock().expect("no panic holds it").entry(kind).or_default() += count;
                    }
                    if result.is_err() || seeds.end - seeds.start == 1 {
                        let diary = diary.0.lock().unwrap_or_else(PoisonError::into_inner);
                        eprintln!("GATEPOST_SEED={seed}:\n{}\n", diary.join("\n"));
                    }
                    if let Err(wrong) = result {
                        failures.lock().expect("no panic holds it").insert(seed, wrong);
                    }
                }
            });
        }
    });
    let counts = counts.into_inner().expect("no panic holds it");
    let took = began.elapsed();
    println!("{} seeds in {took:.1?}; faults:", seeds.end - seeds.start);
    for (kind, count) in &counts {
        println!("  {kind:<40} {count:>7}");
    }
    println!("  {:<40} {:>7}", "in all", counts.values().sum::<u64>());
    let failures = failures.into_inner().expect("no panic holds it");
    let shown: Vec<String> =
        failures.iter().take(40).map(|(seed, wrong)| format!("GATEPOST_SEED={seed}: {wrong}")).collect();
    assert!(failures.is_empty(), "{} seeds failed:\n{}", failures.len(), shown.join("\n"));
}
