//! What several tests need: accounts on test servers, a bare copy loop, small servers that say one thing.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use gatepost_contract::{Secret, Security};
use gatepost_imap::{Account, Credential, GmailLabels, ImapDriver, NetPolicy, Timeouts};
use gatepost_testkit::Dovecot;
use gatepost_transfer::{
    Appended, Destination, Driver, Fault, Flags, FolderPath, Incoming, MessageMeta, Outgoing, RemoteFolder, Source,
    UidSet, Which,
};
use std::{collections::HashMap, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
};

pub const USER: &str = "ana@example.test";
pub const PASSWORD: &str = "s3cret: \"quoted\" \\ pássword";

/// An account on this machine, without TLS.
pub fn account(port: u16, user: &str, password: &str) -> Account {
    Account {
        host: "127.0.0.1".into(),
        port,
        security: Security::Plain,
        insecure_tls: false,
        ca_file: None,
        user: user.into(),
        authz: None,
        secret: Credential::Password(Secret(password.into())),
        gmail_labels: Some(GmailLabels::Each),
        policy: NetPolicy {
            timeouts: Timeouts {
                connect: Duration::from_secs(60),
                read: Duration::from_secs(60),
                write: Duration::from_secs(60),
                // Some tests change files afterwards, which no session may have open.
                goodbye: Duration::from_secs(60),
            },
            ..NetPolicy::default()
        },
    }
}

/// The same with time-outs short enough to wait for.
pub fn impatient(mut account: Account) -> Account {
    let short = Duration::from_millis(1500);
    account.policy.timeouts = Timeouts { connect: short, read: short, write: short, goodbye: short };
    account
}

pub fn dovecot_account(server: &Dovecot) -> Account {
    account(server.imap_port(), USER, PASSWORD)
}

pub fn driver(server: &Dovecot) -> ImapDriver {
    ImapDriver::new(dovecot_account(server))
}

/// The fault of something that must not work.
pub fn fault<T>(result: Result<T, Fault>) -> Fault {
    match result {
        Ok(_) => panic!("this worked, and should not have"),
        Err(fault) => fault,
    }
}

/// Fetches messages into memory: their bytes, or `None` where they are gone.
pub async fn fetch(source: &mut dyn Source, uids: &UidSet) -> (Vec<(u32, Option<Vec<u8>>)>, Result<(), Fault>) {
    let (out, mut incoming) = mpsc::channel(4);
    let collect = async {
        let mut messages = Vec::new();
        let mut current: Option<(u32, u64, Vec<u8>)> = None;
        while let Some(event) = incoming.recv().await {
            match event {
                Incoming::Begin { uid, size } => {
                    assert!(current.is_none(), "messages are interleaved");
                    current = Some((uid, size, Vec::new()));
                }
                Incoming::Data(data) => {
                    assert!(data.len() <= 64 << 10);
                    current.as_mut().expect("data without a message").2.extend_from_slice(&data);
                }
                Incoming::End => {
                    let (uid, size, bytes) = current.take().expect("an end without a message");
                    assert_eq!(size, bytes.len() as u64);
                    messages.push((uid, Some(bytes)));
                }
                Incoming::Gone { uid } => messages.push((uid, None)),
                // Told from a body by its beginning.
                Incoming::Unreadable { uid, words } => {
                    messages.push((uid, Some(format!("<unreadable> {words}").into())));
                }
            }
        }
        messages
    };
    let (wanted, sets) = mpsc::channel(1);
    wanted.send(uids.clone()).await.unwrap();
    drop(wanted);
    let (result, messages) = tokio::join!(source.fetch(sets, out), collect);
    (messages, result)
}

/// Lists messages into memory, by UID.
pub async fn list<S: Source + ?Sized>(source: &mut S, which: Which) -> Result<Vec<MessageMeta>, Fault> {
    let (out, mut listed) = mpsc::channel(4);
    let collect = async {
        let mut all = Vec::new();
        while let Some(meta) = listed.recv().await {
            all.push(meta);
        }
        all
    };
    let (result, mut all) = tokio::join!(source.list(which, out), collect);
    all.sort_by_key(|meta: &MessageMeta| meta.uid);
    result.map(|()| all)
}

/// Makes one folder.
pub async fn create(destination: &mut dyn Destination, path: &FolderPath) -> Result<RemoteFolder, Fault> {
    destination.create(std::slice::from_ref(path)).await?.remove(0)
}

/// A message to append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub key: u32,
    pub bytes: Vec<u8>,
    pub date: gatepost_transfer::InternalDate,
    pub flags: Flags,
}

/// Appends messages from memory, with a commit at the end.
pub async fn append(
    destination: &mut dyn Destination,
    folder: &RemoteFolder,
    messages: Vec<Message>,
) -> (Vec<Appended>, Result<(), Fault>) {
    append_in(destination, folder, 0, messages, usize::MAX).await
}

/// The same with a commit after each so many messages, for an epoch of UIDs.
pub async fn append_in(
    destination: &mut dyn Destination,
    folder: &RemoteFolder,
    uid_validity: u32,
    messages: Vec<Message>,
    portion: usize,
) -> (Vec<Appended>, Result<(), Fault>) {
    let (input, outgoing) = mpsc::channel(4);
    let (results, mut reported) = mpsc::channel(1);
    let feed = async move {
        for portion in messages.chunks(portion) {
            for message in portion {
                let begin = Outgoing::Begin {
                    key: message.key,
                    size: message.bytes.len() as u64,
                    internal_date: message.date,
                    flags: message.flags.clone(),
                };
                let pieces = message.bytes.chunks(64 << 10).map(|c| Outgoing::Data(c.to_vec().into()));
                for piece in std::iter::once(begin).chain(pieces).chain([Outgoing::End]) {
                    if input.send(piece).await.is_err() {
                        return;
                    }
                }
            }
            if input.send(Outgoing::Commit).await.is_err() {
                return;
            }
        }
    };
    let collect = async {
        let mut all = Vec::new();
        while let Some(one) = reported.recv().await {
            all.push(one);
        }
        all
    };
    let (result, (), all) = tokio::join!(destination.append(folder, uid_validity, outgoing, results), feed, collect);
    (all, result)
}

/// Copies one folder as it streams, and returns UIDs at the source with those at the destination.
pub async fn copy_folder(
    source: &mut dyn Source,
    from: &RemoteFolder,
    destination: &mut dyn Destination,
    to: &RemoteFolder,
) -> HashMap<u32, Option<u32>> {
    source.open(from).await.unwrap();
    let state = destination.open(to).await.unwrap();
    let listed = list(source, Which::From(1)).await.unwrap();
    let metas: HashMap<u32, _> = listed.iter().map(|m| (m.uid, m.clone())).collect();
    let uids: UidSet = listed.iter().map(|m| m.uid).collect();
    let (out, mut incoming) = mpsc::channel(64);
    let (input, outgoing) = mpsc::channel(64);
    let (results, mut reported) = mpsc::channel(64);
    let (wanted, sets) = mpsc::channel(1);
    let ask = async {
        // Several sets, so that they follow each other within one call.
        let half = uids.ranges().len().div_ceil(2);
        for ranges in uids.ranges().chunks(half.max(1)) {
            wanted.send(UidSet::from_ranges(ranges.iter().copied())).await.unwrap();
        }
        drop(wanted);
    };
    let uid_validity = state.uid_validity;
    let pump = async move {
        let mut sent = 0;
        while let Some(event) = incoming.recv().await {
            let ended = event == Incoming::End;
            let event = match event {
                Incoming::Begin { uid, size } => {
                    let meta = &metas[&uid];
                    let (flags, _) = meta.flags.split_by(&state);
                    Outgoing::Begin { key: uid, size, internal_date: meta.internal_date, flags }
                }
                Incoming::Data(data) => Outgoing::Data(data),
                Incoming::End => Outgoing::End,
                Incoming::Gone { uid } => panic!("{uid} is gone"),
                Incoming::Unreadable { uid, words } => panic!("{uid} is not delivered: {words}"),
            };
            input.send(event).await.unwrap();
            sent += u32::from(ended);
            if ended && sent.is_multiple_of(50) {
                input.send(Outgoing::Commit).await.unwrap();
            }
        }
        input.send(Outgoing::Commit).await.unwrap();
    };
    let collect = async {
        let mut all = HashMap::new();
        while let Some(Appended { key, result }) = reported.recv().await {
            all.insert(key, result.unwrap_or_else(|r| panic!("{key} was refused: {}", r.words)));
        }
        all
    };
    let (fetched, (), (), appended, all) = tokio::join!(
        source.fetch(sets, out),
        ask,
        pump,
        destination.append(to, uid_validity, outgoing, results),
        collect
    );
    fetched.unwrap();
    appended.unwrap();
    assert_eq!(all.len() as u64, uids.len());
    all
}

/// Copies every folder that can be opened.
pub async fn copy_all(from: &ImapDriver, to: &ImapDriver) -> usize {
    let mut source = from.source().await.unwrap();
    let mut destination = to.destination().await.unwrap();
    let mut copied = 0;
    for folder in source.folders().await.unwrap().into_iter().filter(|f| f.selectable) {
        let made = create(destination.as_mut(), &folder.path).await.unwrap();
        copied += copy_folder(source.as_mut(), &folder, destination.as_mut(), &made).await.len();
    }
    source.close().await;
    destination.close().await;
    copied
}

pub fn inbox() -> RemoteFolder {
    RemoteFolder { path: FolderPath::inbox(), native: "INBOX".into(), special_use: None, selectable: true }
}

/// A server that says these bytes to everybody who connects, and then waits for them to go. Its port.
pub async fn says(bytes: &'static [u8]) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.write_all(bytes).await;
                let mut sink = [0; 1024];
                while stream.read(&mut sink).await.is_ok_and(|n| n > 0) {}
            });
        }
    });
    port
}
