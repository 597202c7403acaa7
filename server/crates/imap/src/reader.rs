//! The witness: reads an account with the crate async-imap, which shares no protocol code with the engine. A
//! mistake in the engine's parser, in its pipelining or in its counting cannot repeat itself here.
//!
//! Shared with the engine are the connection ([`crate::net`]), the rules that make a folder's path of its name
//! ([`crate::folders`]) and folders of Gmail's labels ([`crate::gmail`]), and four small formats for which async-imap
//! has no reader or a lossy one: modified UTF-7, INTERNALDATE, NAMESPACE and X-GM-LABELS. Commands are sent through
//! async-imap's `run_command`, because its own fetch takes a NO at the end for success.
//!
//! UTF8=ACCEPT is not enabled here. Memory stays flat: two windows of a listing at a time, one body (`bodies`), and
//! large ones in pieces.

mod bodies;
mod login;
mod totals;
mod values;
mod words;

use crate::{
    account::Account,
    faults,
    folders::{Listed, Namespace, arrange},
    gmail::{self, Labels},
    net::Stream,
    uids::{Portion, Portions},
    wire::{Decoder, Event, Response as WireResponse, Status as WireStatus, utf7},
};
use async_imap::{
    Session,
    error::Error,
    imap_proto::{MailboxDatum, RequestId, Response, Status},
};
use async_trait::async_trait;
use gatepost_transfer::{Digests, Fault, FaultKind, FolderTotals, ReadMessage, Reader, RemoteFolder, UidSet};
use std::collections::{BTreeMap, HashMap, VecDeque};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::mpsc,
};
use values::{attribute, header, message, uid, unescaped};
use words::{fault, words};

// async-imap writes every command, passwords too, to the `log` crate at the level TRACE. The feature that this
// crate sets on `log` compiles that level out of the whole program.
const _: () = assert!(log::STATIC_MAX_LEVEL as usize <= log::LevelFilter::Debug as usize);

/// Messages in a window of a listing, and windows under way.
const WINDOW: u32 = 500;
const WINDOWS_AHEAD: usize = 2;
/// Messages whose headers are read at once, and how many bytes of each.
const HEADS_AT_ONCE: u32 = 100;
const HEAD: usize = 8 << 10;
/// Larger messages are read in pieces of this size.
const PIECE: u64 = 2 << 20;

pub(crate) struct ImapReader {
    session: Option<Session<Stream>>,
    server: String,
    timeouts: crate::account::Timeouts,
    namespace: Option<Namespace>,
    spellings: HashMap<String, String>,
    /// Whether STATUS can come with LIST (RFC 5819), and can tell a folder's size (RFC 8438).
    lists_status: bool,
    tells_size: bool,
    folder: String,
    /// On Gmail, which folder a message belongs into.
    labels: Option<Labels>,
    /// The messages of the open folder that belong into it, where it shows others too.
    belonging: Option<UidSet>,
}

/// A command under way.
struct Begun {
    id: RequestId,
    /// Its beginning, for people.
    shown: String,
}

/// What async-imap has no response for, or no command: asked on its transport, between its commands. Tells whether the
/// answer was OK, and the server's words.
async fn ask(
    stream: &mut Stream,
    server: &str,
    timeouts: crate::account::Timeouts,
    command: &str,
    mut on: impl FnMut(&WireResponse),
) -> Result<(bool, String), Fault> {
    let io = |e| faults::io(server, timeouts, e);
    stream.write_all(format!("RAW {command}\r\n").as_bytes()).await.map_err(io)?;
    stream.flush().await.map_err(io)?;
    let mut decoder = Decoder::new();
    loop {
        match decoder.decode().map_err(|e| faults::wire(server, e))? {
            Some(Event::Response(WireResponse::Status { tag: Some(tag), status, text, .. })) if tag == "RAW" => {
                return Ok((status == WireStatus::Ok, text));
            }
            Some(Event::Response(response)) => on(&response),
            Some(_) => {}
            None => {
                if stream.read_buf(decoder.buffer()).await.map_err(io)? == 0 {
                    return Err(faults::lost(server));
                }
            }
        }
    }
}

impl ImapReader {
    /// Connects and logs in.
    pub(crate) async fn connect(account: &Account) -> Result<Self, Fault> {
        let word = account.secret.word().await?;
        let session = match login::log_in(account, &word).await {
            Err(fault) if fault.kind == FaultKind::Login => match account.secret.another(&word).await? {
                Some(another) => login::log_in(account, &another).await?,
                None => return Err(fault),
            },
            other => other?,
        };
        let mut reader = Self {
            session: Some(session),
            server: account.server(),
            timeouts: account.policy.timeouts,
            namespace: None,
            spellings: HashMap::new(),
            lists_status: false,
            tells_size: false,
            folder: String::new(),
            labels: None,
            belonging: None,
        };
        reader.look_round(account).await?;
        Ok(reader)
    }

    async fn look_round(&mut self, account: &Account) -> Result<(), Fault> {
        let capabilities = self.session()?.capabilities().await;
        let capabilities = capabilities.map_err(|e| self.fault("CAPABILITY", e))?;
        if capabilities.has_str("NAMESPACE") {
            let mut namespace = Namespace::default();
            self.ask("NAMESPACE", |response| match response {
                WireResponse::Data { name, values, .. } if name == "NAMESPACE" => {
                    namespace = Namespace::read(values);
                }
                _ => {}
            })
            .await?;
            self.namespace = Some(namespace);
        }
        self.lists_status = capabilities.has_str("LIST-STATUS");
        self.tells_size = capabilities.has_str("STATUS=SIZE");
        if capabilities.has_str(gmail::CAPABILITY) {
            self.labels = account.gmail_labels.map(Labels::new);
        }
        Ok(())
    }

    fn session(&mut self) -> Result<&mut Session<Stream>, Fault> {
        let lost = faults::lost(&self.server);
        self.session.as_mut().ok_or(lost)
    }

    fn fault(&self, command: &str, error: Error) -> Fault {
        fault(&self.server, self.timeouts, command, error)
    }

    /// Asks what async-imap cannot.
    async fn ask(&mut self, command: &str, on: impl FnMut(&WireResponse)) -> Result<(bool, String), Fault> {
        let (server, timeouts) = (self.server.clone(), self.timeouts);
        ask(self.session()?.get_mut(), &server, timeouts, command, on).await
    }

    /// Runs a command to its end, which must be OK.
    async fn run(&mut self, command: String, on: impl FnMut(&Response<'_>)) -> Result<(), Fault> {
        let begun = self.begin(command).await?;
        self.finish(begun, on).await
    }

    /// Sends a command. Several may be under way; they are finished in the order in which they were begun.
    async fn begin(&mut self, command: String) -> Result<Begun, Fault> {
        let (server, timeouts) = (self.server.clone(), self.timeouts);
        let shown: String = command.chars().take(80).collect();
        let result = self.session()?.run_command(&command).await;
        match result {
            Ok(id) => Ok(Begun { id, shown }),
            Err(error) => {
                self.session = None;
                Err(fault(&server, timeouts, &shown, error))
            }
        }
    }

    /// Reads on to the end of a command, which must be OK.
    async fn finish(&mut self, begun: Begun, mut on: impl FnMut(&Response<'_>)) -> Result<(), Fault> {
        let (server, timeouts) = (self.server.clone(), self.timeouts);
        let Begun { id, shown } = begun;
        let session = self.session()?;
        let result = async {
            loop {
                let Some(response) = session.read_response().await? else { return Err(Error::ConnectionLost) };
                match response.parsed() {
                    Response::Done { tag, status, outcome } if *tag == id => {
                        let words = words(outcome.code.as_ref(), outcome.information.as_deref());
                        return match status {
                            Status::Ok => Ok(()),
                            Status::No => Err(Error::No(words)),
                            _ => Err(Error::Bad(words)),
                        };
                    }
                    Response::Data { status: Status::Bye, outcome } => {
                        return Err(Error::No(format!("BYE {}", outcome.information.as_deref().unwrap_or(""))));
                    }
                    parsed => on(parsed),
                }
            }
        }
        .await;
        result.map_err(|error| {
            self.session = None;
            fault(&server, timeouts, &shown, error)
        })
    }

    /// Every UID of the open folder, ascending.
    async fn all_uids(&mut self) -> Result<UidSet, Fault> {
        let mut uids = Vec::new();
        self.run("UID SEARCH ALL".into(), |response| {
            if let Response::MailboxData(MailboxDatum::Search(found)) = response {
                uids.extend_from_slice(found);
            }
        })
        .await?;
        Ok(uids.into_iter().collect())
    }

    /// A folder's name as its server writes it.
    fn spelled(&self, folder: &RemoteFolder) -> String {
        self.spellings.get(&folder.native).cloned().unwrap_or_else(|| utf7::encode(&folder.native))
    }

    /// Gives a connection up on which answers are still to come that nobody waits for.
    fn abandon(&mut self, unfinished: bool) {
        if unfinished {
            self.session = None;
        }
    }
}

#[async_trait]
impl Reader for ImapReader {
    async fn folders(&mut self) -> Result<Vec<RemoteFolder>, Fault> {
        let mut raw = Vec::new();
        self.run("LIST \"\" \"*\"".into(), |response| {
            if let Response::MailboxData(MailboxDatum::List(list)) = response {
                let attributes = list.name_attributes.iter().map(attribute).collect();
                let separator = list.delimiter.as_deref().and_then(|d| d.chars().next());
                raw.push((list.name.clone().into_owned(), separator, attributes));
            }
        })
        .await?;
        let mut listed = Vec::with_capacity(raw.len());
        for (name, separator, attributes) in raw {
            let name = unescaped(name);
            let native = utf7::decode(name.as_bytes());
            if utf7::encode(&native) != name {
                self.spellings.entry(native.clone()).or_insert(name);
            }
            listed.push(Listed { native, separator, attributes });
        }
        let mut folders = arrange(listed, self.namespace.as_ref());
        if let Some(labels) = &mut self.labels {
            labels.learn(folders.iter_mut());
        }
        Ok(folders)
    }

    async fn open(&mut self, folder: &RemoteFolder) -> Result<(u32, u32), Fault> {
        let name = self.spelled(folder);
        self.folder = folder.path.to_string();
        self.belonging = None;
        if self.labels.as_ref().is_some_and(|labels| labels.needs_folders(folder)) {
            self.folders().await?;
        }
        let opened = self.session()?.examine(&name).await;
        let mailbox = opened.map_err(|e| self.fault(&format!("EXAMINE {:?}", folder.native), e))?;
        let epoch = mailbox.uid_validity.unwrap_or(0);
        let Some(filter) = self.labels.as_ref().and_then(|labels| labels.filter(folder)) else {
            return Ok((epoch, mailbox.exists));
        };
        let mut uids = Vec::new();
        if mailbox.exists > 0 {
            let command = "UID FETCH 1:* (UID X-GM-LABELS)";
            let (ok, words) = self.ask(command, |response| uids.extend(filter.kept_uid(response, false))).await?;
            if !ok {
                return Err(self.fault(command, Error::No(words)));
            }
        }
        let belonging: UidSet = uids.into_iter().collect();
        let count = u32::try_from(belonging.len()).unwrap_or(u32::MAX);
        self.belonging = Some(belonging);
        Ok((epoch, count))
    }

    async fn totals(&mut self, folders: &[&RemoteFolder]) -> Result<Vec<Option<FolderTotals>>, Fault> {
        self.all_totals(folders).await
    }

    async fn read(&mut self, uids: Option<&UidSet>, out: mpsc::Sender<ReadMessage>) -> Result<(), Fault> {
        let all;
        let uids = match uids {
            Some(uids) => uids,
            None => {
                all = match &self.belonging {
                    Some(belonging) => belonging.clone(),
                    None => self.all_uids().await?,
                };
                &all
            }
        };
        let items = "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])";
        let mut portions = Portions::of(uids);
        let mut under_way: VecDeque<(Portion, Begun)> = VecDeque::new();
        // A server may hold back the end of a command while it answers the next: what comes is told by its UID.
        let mut came: BTreeMap<u32, ReadMessage> = BTreeMap::new();
        loop {
            while under_way.len() < WINDOWS_AHEAD
                && let Some(portion) = portions.next(WINDOW)
            {
                let begun = self.begin(format!("UID FETCH {portion} {items}")).await?;
                under_way.push_back((portion, begun));
            }
            let Some((portion, begun)) = under_way.pop_front() else { return Ok(()) };
            let asked = |uid| portion.contains(uid) || under_way.iter().any(|(p, _)| p.contains(uid));
            self.finish(begun, |response| came.extend(message(response).filter(|m| asked(m.uid)).map(|m| (m.uid, m))))
                .await?;
            // Exchange leaves out of its answer what it cannot convert: such a message is there all the same.
            let silent: UidSet = portion.uids().filter(|uid| !came.contains_key(uid)).collect();
            if !silent.is_empty() {
                let mut unfinished = Vec::new();
                while let Some((portion, begun)) = under_way.pop_front() {
                    let asked = |uid| portion.contains(uid) || under_way.iter().any(|(p, _)| p.contains(uid));
                    self.finish(begun, |response| {
                        came.extend(message(response).filter(|m| asked(m.uid)).map(|m| (m.uid, m)));
                    })
                    .await?;
                    unfinished.push(portion);
                }
                let others = unfinished.iter().flat_map(Portion::uids).filter(|uid| !came.contains_key(uid));
                let mut silent = Portions::of(&silent.iter().chain(others).collect());
                while let Some(portion) = silent.next(WINDOW) {
                    let command = format!("UID FETCH {portion} (UID FLAGS INTERNALDATE RFC822.SIZE)");
                    self.run(command, |response| {
                        came.extend(message(response).filter(|m| portion.contains(m.uid)).map(|m| (m.uid, m)));
                    })
                    .await?;
                }
            }
            // All that was asked for up to here is here; what follows belongs to commands under way.
            let after = under_way.front().and_then(|(next, _)| next.uids().next());
            let rest = after.map_or_else(BTreeMap::new, |next| came.split_off(&next));
            for message in std::mem::replace(&mut came, rest).into_values() {
                if out.send(message).await.is_err() {
                    self.abandon(!under_way.is_empty());
                    return Ok(());
                }
            }
        }
    }

    async fn digest(&mut self, wanted: &[(u32, u64)], out: mpsc::Sender<(u32, Digests)>) -> Result<(), Fault> {
        self.digest_all(wanted, &out).await
    }

    async fn heads(&mut self, uids: &UidSet, out: mpsc::Sender<(u32, Vec<u8>)>) -> Result<(), Fault> {
        let mut portions = Portions::of(uids);
        while let Some(portion) = portions.next(HEADS_AT_ONCE) {
            let mut heads = Vec::new();
            let command =
                format!("UID FETCH {portion} (UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID FROM SUBJECT DATE)]<0.{HEAD}>)");
            self.run(command, |response| {
                if let Response::Fetch(_, items) = response
                    && let Some(uid) = uid(items)
                    && let Some(header) = header(items)
                {
                    heads.push((uid, header[..header.len().min(HEAD)].to_vec()));
                }
            })
            .await?;
            for head in heads {
                if out.send(head).await.is_err() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    async fn bytes(&mut self, uid: u32, most: u64) -> Result<Option<Vec<u8>>, Fault> {
        self.whole(uid, most).await
    }

    async fn close(&mut self) {
        if let Some(mut session) = self.session.take() {
            let goodbye = tokio::time::timeout(self.timeouts.goodbye, session.logout()).await;
            if !matches!(goodbye, Ok(Ok(()))) {
                tracing::debug!(server = %self.server, "no answer to LOGOUT");
            }
        }
    }
}
