//! Programs on another machine, by a real sshd: names, bytes both ways, and who is not connected to.

use gatepost_testkit::Sshd;
use gatepost_tools::{
    Ended, Line, Piped, Program, run, run_piped,
    ssh::{Destination, KnownHosts, Said, Ssh, Trouble, scan},
};
use std::path::Path;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio_util::sync::CancellationToken;

struct Machine {
    sshd: Sshd,
    ssh: Ssh,
    to: Destination,
    work: TempDir,
}

impl Machine {
    /// One that nobody has confirmed yet.
    fn unknown() -> Self {
        let sshd = Sshd::start(&[]).expect("a server");
        let work = tempfile::tempdir().expect("a folder");
        let known_hosts = KnownHosts::at(work.path().join("ssh folder/known_hosts"));
        let ssh = Ssh { program: "/usr/bin/ssh".into(), key: sshd.client_key(), known_hosts };
        let to = sshd.address().parse().expect("a destination");
        Self { sshd, ssh, to, work }
    }

    async fn trusted() -> Self {
        let machine = Self::unknown();
        let keys =
            scan(Path::new("/usr/bin/ssh-keyscan"), &machine.to, &machine.folder("scan")).await.expect("it runs");
        assert_eq!(keys[0].fingerprint(), machine.sshd.fingerprint().expect("a fingerprint"));
        machine.ssh.known_hosts.trust(&machine.to, &keys).expect("stored");
        machine
    }

    fn folder(&self, name: &str) -> std::path::PathBuf {
        self.work.path().join(name)
    }

    fn program(&self, words: &[&str]) -> Program {
        self.ssh.command(&self.to, words.iter().copied(), &self.folder("run")).expect("it can be quoted")
    }

    async fn run(&self, words: &[&str]) -> (Ended, Said, Vec<String>) {
        let (mut said, mut lines) = (Said::default(), Vec::new());
        let mut take = |line: Line| {
            said.take(&line);
            lines.push(line.text);
        };
        let ended = run(self.program(words), &mut take, &CancellationToken::new()).await.expect("it starts");
        (ended, said, lines)
    }

    async fn trouble(&self) -> Trouble {
        let (ended, said, _) = self.run(&["true"]).await;
        said.trouble(&ended, &self.to, &self.ssh.known_hosts).unwrap_or_else(|| panic!("{ended:?} {said:?}"))
    }
}

#[tokio::test]
async fn arguments_arrive_as_they_were_and_exit_codes_come_back() {
    let machine = Machine::trusted().await;
    machine.ssh.ready(&machine.to).expect("it was confirmed");
    for word in ["ana@example.com", "d'or $(id) `id`", "José \"Zé\"", "-rf", "a;b&c|d >e", "", "!x ~ * ?", "\\'"] {
        let (ended, _, lines) = machine.run(&["printf", "<%s>", word]).await;
        assert_eq!((ended.is_success(), lines), (true, vec![format!("<{word}>")]), "{word}");
    }
    let (ended, said, _) = machine.run(&["sh", "-c", "echo sorry >&2; exit 7"]).await;
    assert_eq!((ended.exit.to_string().as_str(), said.last()), ("exit code 7", Some("sorry")));
    assert_eq!(said.trouble(&ended, &machine.to, &machine.ssh.known_hosts), None);
}

#[tokio::test]
async fn bytes_flow_both_ways_at_the_speed_of_whoever_is_slower() {
    const LENGTH: usize = 3_000_000;
    let machine = Machine::trusted().await;
    let (mut feed, input) = duplex(1000);
    let (output, mut taken) = duplex(1000);
    let bytes: Vec<u8> = (0..LENGTH).map(|n| u8::try_from(n % 251).expect("small")).collect();
    let sent = bytes.clone();
    let feeding = tokio::spawn(async move {
        feed.write_all(&sent).await.expect("taken");
    });
    let taking = tokio::spawn(async move {
        let mut all = Vec::new();
        taken.read_to_end(&mut all).await.expect("read");
        all
    });
    let piped = Piped { input: Some(Box::new(input)), output: Some(Box::new(output)) };
    let ended = run_piped(machine.program(&["cat"]), piped, &mut |_| {}, &CancellationToken::new()).await;
    assert!(ended.expect("it starts").is_success());
    feeding.await.expect("it was fed");
    assert!(taking.await.expect("it was taken") == bytes, "the bytes are others");
}

#[tokio::test]
async fn whoever_feeds_a_program_learns_that_it_has_gone() {
    let machine = Machine::trusted().await;
    let (mut feed, input) = duplex(1000);
    let feeding = tokio::spawn(async move {
        let piece = vec![0; 10_000];
        while feed.write_all(&piece).await.is_ok() {}
    });
    let piped = Piped { input: Some(Box::new(input)), output: None };
    let ended =
        run_piped(machine.program(&["sh", "-c", "exit 3"]), piped, &mut |_| {}, &CancellationToken::new()).await;
    assert_eq!(ended.expect("it starts").exit.to_string(), "exit code 3");
    feeding.await.expect("it ends by itself");
}

#[tokio::test]
async fn a_machine_that_was_not_confirmed_gets_no_connection_that_logs_in() {
    let machine = Machine::unknown();
    assert_eq!(machine.ssh.ready(&machine.to), Err(Trouble::UnknownHost { host: machine.sshd.host() }));
    // And ssh itself would not go on either.
    assert_eq!(machine.trouble().await, Trouble::UnknownHost { host: machine.sshd.host() });
    assert!(!machine.sshd.log().contains("Accepted publickey"), "{}", machine.sshd.log());
}

#[tokio::test]
async fn a_machine_with_another_key_than_was_confirmed_is_told_with_both() {
    let mut machine = Machine::trusted().await;
    let before = machine.sshd.fingerprint().expect("a fingerprint");
    machine.sshd.change_host_key().expect("it starts again");
    let after = machine.sshd.fingerprint().expect("a fingerprint");
    let trouble = machine.trouble().await;
    let Trouble::ChangedKey { known, shown, .. } = &trouble else { panic!("{trouble:?}") };
    assert_eq!(
        (known.as_slice(), shown.as_deref()),
        ([format!("{before} (ED25519)")].as_slice(), Some(after.as_str()))
    );
    assert!(!machine.sshd.log().contains("Accepted publickey"), "{}", machine.sshd.log());
}

#[tokio::test]
async fn a_key_that_is_not_let_in_and_a_machine_that_is_not_there_are_told_apart() {
    let mut machine = Machine::trusted().await;
    machine.sshd.refuse_everybody().expect("written");
    let trouble = machine.trouble().await;
    assert!(matches!(trouble, Trouble::Denied { .. }) && !trouble.passes(), "{trouble:?}");
    machine.sshd.stop();
    let trouble = machine.trouble().await;
    assert!(matches!(trouble, Trouble::Unreachable { .. }) && trouble.passes(), "{trouble:?}");
}
