//! The runner with programs that behave as badly as programs can.

use gatepost_testkit::executable;
use gatepost_tools::{Ended, Exit, Limits, Line, Program, Stop, Stream, ToolError, end_leftovers, run};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// A shell script of a test, as a program.
struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    fn script(&self, text: &str) -> Program {
        fs::create_dir_all(self.work()).expect("a folder");
        let path = self.folder.path().join("script");
        fs::write(&path, text).expect("written");
        Program::new(Path::new("/bin/sh"), [path.as_os_str()], &self.work())
    }

    async fn run(&self, program: Program, cancel: &CancellationToken) -> (Ended, Vec<Line>) {
        let mut lines = Vec::new();
        let ended = run(program, &mut |line| lines.push(line), cancel).await.expect("it runs");
        (ended, lines)
    }

    async fn of(&self, script: &str) -> (Ended, Vec<Line>) {
        self.run(self.script(script), &CancellationToken::new()).await
    }
}

fn text(lines: &[Line], stream: Stream) -> Vec<&str> {
    lines.iter().filter(|l| l.stream == stream).map(|l| l.text.as_str()).collect()
}

fn is_running(pid: &str) -> bool {
    // A process that has ended and waits for its parent has no command line.
    fs::read(format!("/proc/{}/cmdline", pid.trim())).is_ok_and(|line| !line.is_empty())
}

#[tokio::test]
async fn a_program_gives_its_lines_of_both_streams_and_its_code() {
    let bench = Bench::new();
    let (ended, lines) = bench.of("echo one; echo two >&2; printf three; exit 75").await;
    assert_eq!(ended, Ended { exit: Exit::Code(75), stopped: None, left_running: 0 });
    assert_eq!(text(&lines, Stream::Out), ["one", "three"]);
    assert_eq!(text(&lines, Stream::Err), ["two"]);
}

#[tokio::test]
async fn its_environment_is_made_from_nothing() {
    let bench = Bench::new();
    let mut program = bench.script("env; pwd");
    program.environment.push(("COLOUR".to_owned(), "green".into()));
    let (_, lines) = bench.run(program, &CancellationToken::new()).await;
    let out = text(&lines, Stream::Out);
    assert!(out.contains(&"COLOUR=green"), "{out:?}");
    let work = bench.work().display().to_string();
    assert!(out.contains(&work.as_str()) && out.contains(&format!("HOME={work}").as_str()), "{out:?}");
    let known =
        ["COLOUR", "PATH", "HOME", "TMPDIR", "LC_ALL", "TZ", "GATEPOST_TOOL_RUN", "PWD", "OLDPWD", "SHLVL", "_"];
    for line in out.iter().filter_map(|l| l.split_once('=')) {
        assert!(known.contains(&line.0), "{} came from outside", line.0);
    }
}

#[tokio::test]
async fn its_input_is_what_it_is_given_and_ends() {
    let bench = Bench::new();
    let mut program = bench.script("read word; echo \"got $word\"; read more || echo ended");
    program.input = Some(b"sesame\n".to_vec());
    let (_, lines) = bench.run(program, &CancellationToken::new()).await;
    assert_eq!(text(&lines, Stream::Out), ["got sesame", "ended"]);
}

#[tokio::test]
async fn a_program_that_does_not_read_its_input_is_not_waited_for() {
    let bench = Bench::new();
    let mut program = bench.script("echo done");
    program.input = Some(vec![b'x'; 1 << 20]);
    let (ended, lines) = bench.run(program, &CancellationToken::new()).await;
    assert!(ended.is_success());
    assert_eq!(text(&lines, Stream::Out), ["done"]);
}

#[tokio::test]
async fn it_has_no_terminal_to_ask_on() {
    let bench = Bench::new();
    let (_, lines) = bench.of("if (: </dev/tty) 2>/dev/null; then echo terminal; else echo none; fi").await;
    assert_eq!(text(&lines, Stream::Out), ["none"]);
}

#[tokio::test]
async fn a_missing_program_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    for path in ["/nowhere/imapsync", "surely-not-installed"] {
        let program = Program::new(Path::new(path), [] as [&str; 0], folder.path());
        let error = run(program, &mut |_| {}, &CancellationToken::new()).await;
        // Behind setsid a name that is not found is an exit code of 127.
        match error {
            Err(ToolError::Missing { program }) => assert!(path.ends_with(&program)),
            Ok(ended) => assert_eq!(ended.exit, Exit::Code(127), "{path}"),
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_hanging_program_is_ended_when_its_time_is_over() {
    // More time where a busy machine has not even started the shell.
    for seconds in [5, 120] {
        let bench = Bench::new();
        let mut program = bench.script("echo here; sleep 1000");
        program.limits = Limits { time: Duration::from_secs(seconds), ..Limits::default() };
        let (ended, lines) = bench.run(program, &CancellationToken::new()).await;
        assert_eq!(ended.stopped, Some(Stop::Time));
        if seconds == 120 || !lines.is_empty() {
            return assert_eq!(text(&lines, Stream::Out), ["here"]);
        }
    }
}

#[tokio::test]
async fn a_silent_program_is_ended() {
    let bench = Bench::new();
    let mut program = bench.script("sleep 1000");
    program.limits = Limits { silence: Some(Duration::from_millis(200)), ..Limits::default() };
    assert_eq!(bench.run(program, &CancellationToken::new()).await.0.stopped, Some(Stop::Silence));
}

#[tokio::test]
async fn a_program_that_has_closed_its_streams_can_still_be_stopped() {
    let bench = Bench::new();
    let mut program = bench.script("exec >&- 2>&-; : > closed; sleep 1000");
    program.limits = Limits { time: Duration::from_secs(60), ..Limits::default() };
    let cancel = CancellationToken::new();
    let closed = bench.work().join("closed");
    let stop = async {
        while !closed.exists() {
            tokio::task::yield_now().await;
        }
        cancel.cancel();
    };
    let ((ended, _), ()) = tokio::join!(bench.run(program, &cancel), stop);
    assert_eq!(ended.stopped, Some(Stop::Cancelled));
}

#[tokio::test]
async fn a_flood_is_stopped_and_never_held_in_memory() {
    let bench = Bench::new();
    let mut program = bench.script("yes 0123456789012345678901234567890123456789");
    program.limits = Limits { output: 3_000_000, log: 1_000, ..Limits::default() };
    program.log = Some(bench.folder.path().join("log.gz"));
    let (ended, lines) = bench.run(program, &CancellationToken::new()).await;
    assert_eq!(ended.stopped, Some(Stop::Output));
    let bytes: usize = lines.iter().map(|l| l.text.len() + 1).sum();
    assert!(bytes < 4_000_000, "{bytes}");
    assert!(fs::metadata(bench.folder.path().join("log.gz")).expect("a log").len() < 2_000);
}

#[tokio::test]
async fn binary_output_does_no_harm() {
    let bench = Bench::new();
    let (ended, lines) = bench.of("head -c 200000 /dev/urandom; head -c 200000 /dev/zero; echo; echo end").await;
    assert!(ended.is_success());
    assert_eq!(lines.last().map(|l| l.text.as_str()), Some("end"));
    assert!(lines.iter().all(|l| l.text.chars().all(|c| c == '\t' || !c.is_control())));
}

#[tokio::test]
async fn a_death_by_signal_is_told_as_one() {
    let bench = Bench::new();
    assert_eq!(bench.of("kill -SEGV $$").await.0.exit, Exit::Signal(11));
}

#[tokio::test]
async fn a_person_can_stop_it_and_it_may_say_goodbye() {
    let bench = Bench::new();
    let cancel = CancellationToken::new();
    let program = bench.script("trap 'echo goodbye; exit 7' TERM; echo ready; while :; do sleep 0.05; done");
    let mut lines = Vec::new();
    let ended = run(
        program,
        &mut |line| {
            if line.text == "ready" {
                cancel.cancel();
            }
            lines.push(line);
        },
        &cancel,
    )
    .await
    .expect("it runs");
    assert_eq!((ended.exit, ended.stopped), (Exit::Code(7), Some(Stop::Cancelled)));
    assert_eq!(text(&lines, Stream::Out), ["ready", "goodbye"]);
}

#[tokio::test]
async fn what_it_leaves_running_is_killed_however_it_detached_itself() {
    let bench = Bench::new();
    let (ended, lines) = bench
        .of("setsid sh -c 'echo $$; : >a; exec sleep 1000' & (sh -c 'echo $$; : >b; exec sleep 1000' &)
             until [ -e a ] && [ -e b ]; do :; done; exit 0")
        .await;
    assert!(ended.is_success());
    let pids = text(&lines, Stream::Out);
    assert_eq!(pids.len(), 2, "{lines:?}");
    assert!(ended.left_running >= 2, "{ended:?}");
    assert!(pids.iter().all(|pid| !is_running(pid)), "{pids:?}");
}

#[tokio::test]
async fn dropping_the_run_leaves_nothing() {
    let bench = Bench::new();
    let program = bench.script("echo $$; sleep 1000");
    let (told, mut pid) = tokio::sync::mpsc::unbounded_channel();
    let running = tokio::spawn(async move {
        let mut tell = move |line: Line| {
            let _ = told.send(line.text);
        };
        let _ = run(program, &mut tell, &CancellationToken::new()).await;
    });
    let pid = pid.recv().await.expect("its id");
    assert!(is_running(&pid));
    running.abort();
    let _ = running.await;
    assert!(!is_running(&pid));
}

#[tokio::test]
async fn what_a_crash_left_running_is_ended_at_the_next_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let work = folder.path().join("run-7");
    fs::create_dir_all(&work).expect("a folder");
    fs::write(work.join("running"), "4711-left-by-a-crash\n99\n").expect("written");
    let mut ours =
        Command::new("sleep").arg("1000").env("GATEPOST_TOOL_RUN", "4711-left-by-a-crash").spawn().expect("sleep");
    let mut other = Command::new("sleep").arg("1000").env("GATEPOST_TOOL_RUN", "another").spawn().expect("sleep");
    // The mark is in the environment once the program has begun.
    while !is_running(&ours.id().to_string()) {
        std::thread::yield_now();
    }
    assert_eq!(end_leftovers(folder.path()).expect("looked"), 1);
    assert!(!ours.wait().expect("ended").success());
    assert!(other.try_wait().expect("asked").is_none(), "somebody else's process was killed");
    other.kill().expect("ended");
    other.wait().expect("ended");
    assert!(!work.join("running").exists());
    assert_eq!(end_leftovers(&folder.path().join("missing")).expect("nothing"), 0);
}

#[tokio::test]
async fn what_a_crash_left_running_in_a_directory_is_ended_before_another_program_works_there() {
    let bench = Bench::new();
    fs::create_dir_all(bench.work()).expect("a folder");
    fs::write(bench.work().join("running"), "4712-left-by-a-crash\n99\n").expect("written");
    let mut left =
        Command::new("sleep").arg("1000").env("GATEPOST_TOOL_RUN", "4712-left-by-a-crash").spawn().expect("sleep");
    while !is_running(&left.id().to_string()) {
        std::thread::yield_now();
    }
    let (ended, lines) = bench.of("echo one").await;
    assert!(ended.is_success() && text(&lines, Stream::Out) == ["one"], "{ended:?} {lines:?}");
    // By a signal: had it been left alone, it would end well, after its time.
    assert!(!left.wait().expect("ended").success());
}

#[tokio::test]
async fn what_another_gatepost_runs_is_not_taken_for_left_over() {
    let bench = Bench::new();
    let cancel = CancellationToken::new();
    let program = bench.script("echo ready; while :; do sleep 0.05; done");
    let mut killed = None;
    let ended = run(
        program,
        &mut |line| {
            if line.text == "ready" {
                killed = Some(end_leftovers(bench.folder.path()).expect("looked"));
                cancel.cancel();
            }
        },
        &cancel,
    )
    .await
    .expect("it runs");
    assert_eq!((killed, ended.stopped), (Some(0), Some(Stop::Cancelled)));
}

#[tokio::test]
async fn a_disk_that_runs_full_stops_it() {
    let bench = Bench::new();
    let mut program = bench.script("echo here; sleep 1000");
    // More than any disk has.
    program.room = Some(u64::MAX);
    assert_eq!(bench.run(program, &CancellationToken::new()).await.0.stopped, Some(Stop::Room));
}

#[tokio::test]
async fn files_that_it_writes_are_bounded() {
    let bench = Bench::new();
    let mut program = bench.script("read go; head -c 3000000 /dev/zero >large; wc -c <large");
    program.input = Some(b"go\n".to_vec());
    program.limits = Limits { file: Some(1_000_000), ..Limits::default() };
    let (_, lines) = bench.run(program, &CancellationToken::new()).await;
    assert_eq!(text(&lines, Stream::Out), ["1000000"]);
}

#[tokio::test]
async fn memory_is_bounded() {
    let bench = Bench::new();
    // Its input comes once its limits are set.
    let mut program = bench.script("read go; exec python3 -c 'x = bytearray(2 << 30); print(len(x))'");
    program.input = Some(b"go\n".to_vec());
    program.limits = Limits { memory: Some(512 << 20), ..Limits::default() };
    let (ended, lines) = bench.run(program, &CancellationToken::new()).await;
    assert!(!ended.is_success(), "{lines:?}");
}

#[tokio::test]
async fn one_that_forks_on_and_on_is_ended_with_all_its_children() {
    let bench = Bench::new();
    let cancel = CancellationToken::new();
    let script = "n=0; while [ $n -lt 100 ]; do sleep 1000 & echo $!; n=$((n+1)); done; echo all; while :; do sleep 1000 & wait; done";
    let mut pids = Vec::new();
    let ended = run(
        bench.script(script),
        &mut |line| match line.text.as_str() {
            "all" => cancel.cancel(),
            pid => pids.push(pid.to_owned()),
        },
        &cancel,
    )
    .await
    .expect("it runs");
    assert_eq!((ended.stopped, pids.len()), (Some(Stop::Cancelled), 100));
    assert!(pids.iter().all(|pid| !is_running(pid)), "{ended:?}");
}

#[tokio::test]
async fn a_program_tells_its_version_wherever_it_prints_it_or_it_has_none() {
    let bench = Bench::new();
    let program = |text: &str| {
        let path = bench.folder.path().join("tool");
        executable::install(&path, format!("#!/bin/sh\n{text}\n")).expect("written");
        path
    };
    for (text, version) in [
        ("echo; echo 2.314; echo more", Some("2.314")),
        ("echo 'tool 9.2' >&2", Some("tool 9.2")),
        ("exit 0", None),
        ("kill -KILL $$", None),
    ] {
        let told = gatepost_tools::version(&program(text), "--version", &bench.work()).await;
        assert_eq!(told.as_deref(), version, "{text}");
    }
}
