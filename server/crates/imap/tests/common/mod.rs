//! What several tests need: accounts on test servers, a bare copy loop, small servers that say one thing.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use gatepost_contract::{Secret, Security};
use gatepost_imap::{Account, Credential, ImapDriver, NetPolicy, Timeouts};
use gatepost_testkit::Dovecot;
use gatepost_transfer::{
    Appended, Destination, Driver, Fault, Flags, FolderPath, Incoming, Outgoing, RemoteFolder, Source, UidSet,
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
        policy: NetPolicy {
            timeouts: Timeouts {
                connect: Duration::from_secs(5),
                read: Duration::from_secs(20),
                write: Duration::from_secs(20),
            },
            ..NetPolicy::default()
        },
    }
}

/// The same with time-outs short enough to wait for.
pub fn impatient(mut account: Account) -> Account {
    let short = Duration::from_millis(400);
    account.policy.timeouts = Timeouts { connect: short, read: short, write: short };
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
    let (result, messages) = tokio::join!(source.fetch(uids, out), collect);
    (messages, result)
}

/// A message to append.
#[derive(Clone)]
pub struct Message {
    pub key: u32,
    pub bytes: Vec<u8>,
    pub date: gatepost_transfer::InternalDate,
    pub flags: Flags,
}

/// Appends messages from memory.
pub async fn append(
    destination: &mut dyn Destination,
    folder: &RemoteFolder,
    messages: Vec<Message>,
) -> (Vec<Appended>, Result<(), Fault>) {
    let (input, outgoing) = mpsc::channel(4);
    let (results, mut reported) = mpsc::channel(1);
    let feed = async move {
        for message in messages {
            let begin = Outgoing::Begin {
                key: message.key,
                size: message.bytes.len() as u64,
                internal_date: message.date,
                flags: message.flags,
            };
            let pieces = message.bytes.chunks(64 << 10).map(|c| Outgoing::Data(c.to_vec().into()));
            for piece in std::iter::once(begin).chain(pieces).chain([Outgoing::End]) {
                if input.send(piece).await.is_err() {
                    return;
                }
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
    let (result, (), all) = tokio::join!(destination.append(folder, outgoing, results), feed, collect);
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
    let listed = source.list(1).await.unwrap();
    let metas: HashMap<u32, _> = listed.iter().map(|m| (m.uid, m.clone())).collect();
    let uids: UidSet = listed.iter().map(|m| m.uid).collect();
    let (out, mut incoming) = mpsc::channel(64);
    let (input, outgoing) = mpsc::channel(64);
    let (results, mut reported) = mpsc::channel(64);
    let pump = async move {
        while let Some(event) = incoming.recv().await {
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
        }
    };
    let collect = async {
        let mut all = HashMap::new();
        while let Some(Appended { key, result }) = reported.recv().await {
            all.insert(key, result.unwrap_or_else(|r| panic!("{key} was refused: {}", r.words)));
        }
        all
    };
    let (fetched, (), appended, all) =
        tokio::join!(source.fetch(&uids, out), pump, destination.append(to, outgoing, results), collect);
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
        let made = destination.create(&folder.path).await.unwrap();
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
