//! The calls of each engine with stand-ins that behave as badly as programs can: what becomes of them, and what people
//! read of it.

use gatepost_testkit::executable;
use gatepost_tools::{
    Ended, Limits, Line, Piped, Program, Stop, ToolError,
    doveadm::{self, Doveadm, From},
    imapsync, run, run_piped,
    ssh::{Destination, KnownHosts, Said, Ssh},
    zmmailbox::{self, Action},
};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use tempfile::TempDir;
use tokio::io::sink;
use tokio_util::sync::CancellationToken;

/// Says that it is there, and nothing more.
const HANGS: &str = "echo ready >&2; exec sleep 1000";
/// Prints on and on, also where nobody takes its standard output for words.
const FLOODS: &str = "exec yes 'doveadm(u): Error: 0123456789' >&2";
const MUTE: &str = "exec sleep 1000";
/// Is stopped by a person as soon as it has said so.
const CANCELS: &str = "echo 'cancel me' >&2; exec sleep 1000";
const DIES: &str = "echo 'half a word' >&2; kill -SEGV $$";

/// A folder with a stand-in for a program.
struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new(script: &str) -> Self {
        let bench = Self { folder: tempfile::tempdir().expect("a folder") };
        executable::install(&bench.tool(), format!("#!/bin/sh\n{script}\n")).expect("written");
        bench
    }

    fn tool(&self) -> PathBuf {
        self.folder.path().join("tool")
    }

    fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    fn doveadm(&self) -> Program {
        let (tool, work) = (self.tool(), self.work());
        Doveadm { program: &tool, settings: Path::new("/nowhere/settings"), user: "ana@b.example", work: &work }
            .fill("INBOX", &From::Imapc)
    }

    fn imapsync(&self) -> Program {
        let side = |port| imapsync::Side { server: ([127, 0, 0, 1], port).into(), user: "ana@b.example" };
        let (tool, folders) = (self.tool(), [("INBOX".to_owned(), "INBOX".to_owned())]);
        let call = imapsync::Call {
            imapsync: &tool,
            task: imapsync::Task::Copy,
            source: side(1),
            dest: side(2),
            folders: &folders,
            messages_per_second: None,
        };
        call.program(["open", "sesame"], &self.work()).expect("written")
    }

    /// An ssh that is the stand-in.
    fn ssh(&self) -> Ssh {
        let known_hosts = KnownHosts::at(self.folder.path().join("known_hosts"));
        Ssh { program: self.tool(), key: "/nowhere/key".into(), known_hosts }
    }

    /// Runs zmmailbox by it, and tells how that ended.
    async fn zmmailbox(&self, limits: impl FnOnce(&mut Limits), cancel: &CancellationToken) -> (Ended, Told) {
        let (ssh, to) = (self.ssh(), "root@mail.b.example".parse::<Destination>().expect("a destination"));
        let call = zmmailbox::Call { ssh: &ssh, to: &to, user: None, mailbox: "ana@b.example", action: Action::Export };
        let mut program = call.program(&self.work()).expect("it can be quoted");
        limits(&mut program.limits);
        let (mut said, mut bytes) = (Said::default(), 0);
        let mut on_line = |line: Line| {
            bytes += line.text.len() as u64;
            said.take(&line);
            cancel_when_asked(&line, cancel);
        };
        let piped = Piped { input: None, output: Some(Box::new(sink())) };
        let ended = run_piped(program, piped, &mut on_line, cancel).await.expect("it starts");
        let (sentence, again) = zmmailbox::failure(&ended, &said, &call).expect("a failure");
        (ended, Told { sentence, again, bytes })
    }
}

/// What people read, and how many bytes had come.
#[derive(Debug)]
struct Told {
    sentence: String,
    again: bool,
    bytes: u64,
}

fn cancel_when_asked(line: &Line, cancel: &CancellationToken) {
    if line.text == "cancel me" {
        cancel.cancel();
    }
}

async fn of_doveadm(script: &str, limits: impl FnOnce(&mut Limits)) -> (Ended, doveadm::End, u64) {
    let (bench, cancel) = (Bench::new(script), CancellationToken::new());
    let mut program = bench.doveadm();
    limits(&mut program.limits);
    let (mut report, mut bytes) = (doveadm::Report::default(), 0);
    let mut on_line = |line: Line| {
        bytes += line.text.len() as u64;
        report.take(&line);
        cancel_when_asked(&line, &cancel);
    };
    let ended = run(program, &mut on_line, &cancel).await.expect("it starts");
    let end = doveadm::End::of(&ended, &report);
    (ended, end, bytes)
}

async fn of_imapsync(script: &str, limits: impl FnOnce(&mut Limits)) -> (Ended, imapsync::Failure, u64) {
    let (bench, cancel) = (Bench::new(script), CancellationToken::new());
    let mut program = bench.imapsync();
    limits(&mut program.limits);
    let (mut report, mut bytes) = (imapsync::Report::default(), 0);
    let mut on_line = |line: Line| {
        bytes += line.text.len() as u64;
        report.take(&line);
        cancel_when_asked(&line, &cancel);
    };
    let ended = run(program, &mut on_line, &cancel).await.expect("it starts");
    let failure = imapsync::failure(&ended, &report, imapsync::Task::Copy).expect("a failure");
    (ended, failure, bytes)
}

fn soon(limits: &mut Limits) {
    limits.time = Duration::from_millis(300);
}

fn little(limits: &mut Limits) {
    limits.output = 300_000;
}

/// What is printed beyond a limit while the program is stopped is not heard.
const HEARD: u64 = 400_000;

#[tokio::test]
async fn a_program_that_is_not_there_is_named_by_each_engine() {
    let bench = Bench::new("exit 0");
    fs::remove_file(bench.tool()).expect("removed");
    let to: Destination = "mail.b.example".parse().expect("a destination");
    let by_ssh = bench.ssh().command(&to, ["true"], &bench.work()).expect("it can be quoted");
    for program in [bench.doveadm(), bench.imapsync(), by_ssh] {
        let error = run(program, &mut |_| {}, &CancellationToken::new()).await.expect_err("it is not there");
        assert!(matches!(&error, ToolError::Missing { program } if program == "tool"), "{error}");
        assert!(error.to_string().contains("gatepost doctor"), "{error}");
    }
}

#[tokio::test]
async fn a_doveadm_that_hangs_floods_or_dies_has_failed_and_says_how() {
    let (ended, end, _) = of_doveadm(HANGS, soon).await;
    assert_eq!(ended.stopped, Some(Stop::Time));
    assert!(matches!(&end, doveadm::End::Failed(s) if s.contains("too long and was stopped")), "{end:?}");
    let (ended, end, bytes) = of_doveadm(FLOODS, little).await;
    assert_eq!(ended.stopped, Some(Stop::Output));
    assert!(bytes < HEARD, "{bytes}");
    assert!(matches!(&end, doveadm::End::Failed(s) if s.contains("was stopped") && s.len() < 2_000), "{end:?}");
    let (ended, end, _) = of_doveadm(CANCELS, |_| {}).await;
    assert_eq!(ended.stopped, Some(Stop::Cancelled));
    assert_eq!(end, doveadm::End::Failed("doveadm was stopped.".to_owned()));
    let (_, end, _) = of_doveadm(DIES, |_| {}).await;
    assert!(matches!(&end, doveadm::End::Failed(s) if s.contains("signal 11")), "{end:?}");
}

#[tokio::test]
async fn an_imapsync_that_hangs_is_mute_or_floods_has_failed_and_says_how() {
    let (ended, failure, _) = of_imapsync(HANGS, soon).await;
    assert_eq!((ended.stopped, failure.again), (Some(Stop::Time), true));
    assert!(failure.sentence.contains("longer than a run may take"), "{failure:?}");
    let mute = |limits: &mut Limits| limits.silence = Some(Duration::from_millis(300));
    let (ended, failure, _) = of_imapsync(MUTE, mute).await;
    assert_eq!((ended.stopped, failure.again), (Some(Stop::Silence), true));
    assert!(failure.sentence.contains("said nothing for too long"), "{failure:?}");
    let (ended, failure, bytes) = of_imapsync(FLOODS, little).await;
    assert_eq!((ended.stopped, failure.again), (Some(Stop::Output), false));
    assert!(bytes < HEARD, "{bytes}");
    assert!(failure.sentence.contains("printed more"), "{failure:?}");
    let (ended, failure, _) = of_imapsync(CANCELS, |_| {}).await;
    assert_eq!((ended.stopped, failure.again), (Some(Stop::Cancelled), true));
    let (_, failure, _) = of_imapsync(DIES, |_| {}).await;
    assert!(failure.again && failure.sentence.contains("signal 11"), "{failure:?}");
}

#[tokio::test]
async fn a_zmmailbox_that_hangs_floods_dies_or_is_missing_there_has_failed_and_says_how() {
    let all = |_: &mut Limits| {};
    let none = CancellationToken::new;
    let (ended, told) = Bench::new(HANGS).zmmailbox(soon, &none()).await;
    assert_eq!((ended.stopped, told.again), (Some(Stop::Time), true));
    assert!(told.sentence.contains("on mail.b.example went on for too long"), "{told:?}");
    let (ended, told) = Bench::new(FLOODS).zmmailbox(little, &none()).await;
    assert_eq!(ended.stopped, Some(Stop::Output));
    assert!(told.bytes < HEARD && told.sentence.contains("was stopped") && told.sentence.len() < 2_000, "{told:?}");
    let (ended, told) = Bench::new(CANCELS).zmmailbox(all, &none()).await;
    assert_eq!((ended.stopped, told.again), (Some(Stop::Cancelled), true));
    // Here ssh dies; there zmmailbox does, which ssh tells by the shell's code.
    let (_, told) = Bench::new(DIES).zmmailbox(all, &none()).await;
    assert!(told.sentence.contains("signal 11") && told.sentence.contains("half a word"), "{told:?}");
    let (_, told) = Bench::new("echo Killed >&2; exit 137").zmmailbox(all, &none()).await;
    assert!(told.sentence.contains("exit code 137") && told.sentence.contains("Killed"), "{told:?}");
    // The line for the other machine, run by the shell of this one: what it says is a shell's own words.
    let (ended, told) = Bench::new("for line; do :; done; exec sh -c \"$line\"").zmmailbox(all, &none()).await;
    assert!(!ended.is_success());
    assert!(told.sentence.contains("There is no zmmailbox on mail.b.example") && !told.again, "{told:?}");
}

#[tokio::test]
async fn the_bound_on_memory_is_that_of_the_process() {
    let bench = Bench::new("read go; ulimit -v");
    let to: Destination = "mail.b.example".parse().expect("a destination");
    let by_ssh = bench.ssh().command(&to, ["true"], &bench.work()).expect("it can be quoted");
    for (program, mib) in [(bench.doveadm(), 4096), (bench.imapsync(), 4096), (by_ssh, 1024)] {
        // Its input comes once its limits are set.
        let program = Program { input: Some(b"go\n".to_vec()), ..program };
        let mut lines = Vec::new();
        let ended = run(program, &mut |line| lines.push(line.text), &CancellationToken::new()).await;
        assert!(ended.expect("it starts").is_success());
        assert_eq!(lines, [(mib * 1024).to_string()]);
    }
}
