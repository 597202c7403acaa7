//! What becomes of running programs when the process that runs them is killed.
//!
//! Two of the processes are this test program once more: the one that runs programs, and its guard. Each is told its part
//! by its environment.

use gatepost_tools::{Program, guard_by, run, stand_guard};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    collections::HashSet,
    env, fs,
    io::{BufRead as _, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

const PART: &str = "GUARD_TEST_PART";
const STAGE: &str = "a_process_of_these_tests_plays_the_part_that_it_is_told";
/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Starts a grandchild in a session of its own, says who all of them are and which run they belong to, and stays.
const STAYS: &str = "
    setsid sh -c 'echo $$ >far.new; mv far.new far; sleep 1000; :' &
    until [ -e far ]; do sleep 0.01; done
    echo $GATEPOST_TOOL_RUN >mark
    echo $$ >near.new; mv near.new near
    sleep 1000
    :";
const ENDS: &str = "echo $GATEPOST_TOOL_RUN >mark; echo done";

#[test]
fn a_process_of_these_tests_plays_the_part_that_it_is_told() {
    match env::var(PART).as_deref() {
        Ok("guard") => stand_guard(std::io::stdin().lock(), std::io::stdout()).expect("it stands guard"),
        Ok("gatepost") => play_gatepost(),
        _ => {}
    }
}

fn this_program(part: &str) -> Command {
    // By env(1): whoever starts a guard clears its environment.
    let mut command = Command::new("/usr/bin/env");
    command.arg(format!("{PART}={part}")).arg(env::current_exe().expect("a path"));
    // With one thread the harness would begin a line of its own before the test.
    command.args(["--exact", STAGE, "--nocapture", "--test-threads=2"]);
    command
}

/// Runs a program in each directory that its standard input names, and says what becomes of each; at the end of its input
/// it ends as any process does.
#[tokio::main]
async fn play_gatepost() {
    guard_by(|| this_program("guard"));
    let mut running = tokio::task::JoinSet::new();
    let (line, mut lines) = tokio::sync::mpsc::unbounded_channel();
    thread::spawn(move || {
        std::io::stdin().lock().lines().map_while(Result::ok).for_each(|text| drop(line.send(text)));
    });
    while let Some(work) = lines.recv().await {
        running.spawn(async move {
            let work = PathBuf::from(work);
            let script = work.join("script");
            let program = Program::new(Path::new("/bin/sh"), [script], &work);
            let ended = run(program, &mut |_| {}, &CancellationToken::new()).await.expect("it runs");
            fs::write(work.join("ended"), ended.exit.to_string()).expect("written");
        });
    }
}

/// The process that runs programs.
struct Gatepost {
    process: Child,
    orders: Option<ChildStdin>,
    folder: TempDir,
}

/// A program that is run: its directory, and the processes of it.
struct Running {
    work: PathBuf,
    pids: Vec<u32>,
}

impl Gatepost {
    fn start() -> Self {
        let mut process =
            this_program("gatepost").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts");
        let orders = process.stdin.take();
        Self { process, orders, folder: tempfile::tempdir().expect("a folder") }
    }

    fn order(&mut self, name: &str, script: &str) -> PathBuf {
        let work = self.folder.path().join(name);
        fs::DirBuilder::new().mode(0o700).create(&work).expect("a folder");
        fs::write(work.join("script"), script).expect("written");
        writeln!(self.orders.as_ref().expect("it listens"), "{}", work.display()).expect("told");
        work
    }

    /// Has it run a program that stays, and waits until all of it is there.
    fn run(&mut self, name: &str) -> Running {
        let work = self.order(name, STAYS);
        let pids = ["near", "far"].map(|file| wait_for(file, || number(&work.join(file)))).to_vec();
        assert!(pids.iter().all(|pid| is_running(*pid)));
        Running { work, pids }
    }

    /// Its guards: the children that lead a group of their own and play that part.
    fn guards(&self) -> Vec<u32> {
        children(self.process.id())
            .into_iter()
            .filter(|pid| environment(*pid).contains(&format!("{PART}=guard")))
            .collect()
    }

    fn guard(&self) -> u32 {
        let guard = wait_for("the guard", || self.guards().first().copied());
        // From here on nothing but SIGKILL ends it.
        let kept_off = [1, 2, 3, 15].iter().fold(0_u64, |mask, signal| mask | 1 << (signal - 1));
        wait_for("the guard's composure", || (caught(guard)? & kept_off == kept_off).then_some(()));
        guard
    }

    fn kill(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it ends");
    }
}

impl Drop for Gatepost {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn gone(what: &str, pids: &[u32]) {
    wait_for(what, || pids.iter().all(|pid| !is_running(*pid)).then_some(()));
}

fn number(file: &Path) -> Option<u32> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// One that has ended and waits for its parent has no command line.
fn is_running(pid: u32) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

fn environment(pid: u32) -> HashSet<String> {
    let all = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    all.split(|byte| *byte == 0).filter(|v| !v.is_empty()).map(|v| String::from_utf8_lossy(v).into_owned()).collect()
}

/// The signals that a process catches, as a mask.
fn caught(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    u64::from_str_radix(status.lines().find_map(|line| line.strip_prefix("SigCgt:"))?.trim(), 16).ok()
}

fn children(parent: u32) -> Vec<u32> {
    let pids = fs::read_dir("/proc").expect("it reads").flatten().filter_map(|e| e.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &u32| stat(*pid).is_some_and(|stat| stat[1] == parent)).collect()
}

/// A process's state is left out; its parent, its group and its session follow.
fn stat(pid: u32) -> Option<Vec<u32>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything.
    let fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some(fields.take(4).map(|field| field.parse().unwrap_or_default()).collect())
}

fn send(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process");
    kill_process(pid, signal).expect("it is there");
}

#[test]
fn what_a_killed_process_ran_ends_without_any_new_start_also_what_left_its_session() {
    let mut gatepost = Gatepost::start();
    let first = gatepost.run("first");
    let second = gatepost.run("second");
    let guard = gatepost.guard();
    assert_eq!(gatepost.guards(), [guard], "one guard for all programs");
    gatepost.kill();
    gone("the end of both programs", &[first.pids, second.pids].concat());
    gone("the end of the guard", &[guard]);
    // Nobody has tidied: what ends here is the processes, by what the guard was told.
    assert!(first.work.join("running").exists());
}

#[test]
fn a_guard_stands_apart_and_is_ended_by_no_signal_that_asks() {
    let mut gatepost = Gatepost::start();
    let running = gatepost.run("program");
    let guard = gatepost.guard();
    let group = stat(guard).expect("it runs")[2];
    assert_eq!(group, guard, "it leads a group of its own");
    assert_eq!(environment(guard), HashSet::from([format!("{PART}=guard")]), "it knows nothing of its parent's");
    let mark = fs::read_to_string(running.work.join("mark")).expect("a mark");
    assert!(environment(running.pids[1]).contains(&format!("GATEPOST_TOOL_RUN={}", mark.trim())));
    for signal in [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM] {
        send(guard, signal);
    }
    gatepost.kill();
    gone("the end of the program", &running.pids);
    gone("the end of the guard", &[guard]);
}

#[test]
fn a_guard_ends_with_the_process_that_started_it_and_has_no_targets_left() {
    let mut gatepost = Gatepost::start();
    let work = gatepost.order("program", ENDS);
    wait_for("its end", || fs::read_to_string(work.join("ended")).ok().filter(|exit| exit == "exit code 0"));
    let guard = gatepost.guard();
    // It carries the mark of a run that has ended: nobody's target any more.
    let mark = fs::read_to_string(work.join("mark")).expect("a mark");
    let mut bystander = Command::new("sleep").arg("1000").env("GATEPOST_TOOL_RUN", mark.trim()).spawn().expect("sleep");
    let marked = format!("GATEPOST_TOOL_RUN={}", mark.trim());
    wait_for("the mark", || environment(bystander.id()).contains(&marked).then_some(()));
    drop(gatepost.orders.take());
    assert!(gatepost.process.wait().expect("it ends").success());
    gone("the end of the guard", &[guard]);
    assert!(bystander.try_wait().expect("asked").is_none(), "what is not at work was ended");
    bystander.kill().expect("it runs");
    bystander.wait().expect("it ends");
}

#[test]
fn a_guard_that_was_killed_is_replaced_with_the_next_program_and_the_new_one_knows_of_all() {
    let mut gatepost = Gatepost::start();
    let before = gatepost.run("before");
    let first = gatepost.guard();
    send(first, Signal::KILL);
    gone("the end of the first guard", &[first]);
    assert!(before.pids.iter().all(|pid| is_running(*pid)), "its end ends nothing");
    let after = gatepost.run("after");
    let second = gatepost.guard();
    assert_ne!(first, second);
    gatepost.kill();
    gone("the end of both programs", &[before.pids, after.pids].concat());
    gone("the end of the second guard", &[second]);
}
