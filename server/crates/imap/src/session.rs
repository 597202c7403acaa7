//! One connection's state as a protocol: tags, capabilities, commands and their ends. What the server says without
//! being asked is tolerated everywhere; a BYE ends the session with the server's words.

use crate::{
    connection::Connection,
    faults::{self, Done},
    folders::Namespace,
    gmail,
    wire::{Code, Command, Event, Response, Status, command::Part},
};
use gatepost_transfer::{Fault, FolderState, RemoteFolder};
use std::collections::{BTreeSet, HashMap, VecDeque};

/// Up to this size LITERAL- allows literals that need no answer (RFC 7888 section 5).
const LITERAL_MINUS: u64 = 4096;

pub(crate) struct Session {
    pub(crate) connection: Connection,
    /// Upper case.
    pub(crate) capabilities: BTreeSet<String>,
    /// What the server calls itself.
    pub(crate) server_name: Option<String>,
    /// Whether folder names are UTF-8 on this connection (RFC 6855).
    pub(crate) utf8: bool,
    pub(crate) namespace: Option<Namespace>,
    /// Names whose spelling on the wire differs from what our encoder makes of them.
    pub(crate) spellings: HashMap<String, Vec<u8>>,
    /// The separator of folder levels, where a listing told it.
    pub(crate) separator: Option<char>,
    /// Whether all folders were listed on this connection.
    pub(crate) listed: bool,
    /// Whether QRESYNC (RFC 7162) is enabled: the server tells UIDs that have gone.
    pub(crate) qresync: bool,
    /// The folder that is open.
    pub(crate) open: Option<OpenFolder>,
    /// Which of the messages that the open folder shows belong into it; all where there is none.
    pub(crate) filter: Option<gmail::Filter>,
    /// Ends of pipelined commands that came before those of earlier ones.
    early: HashMap<Tag, Done>,
    next_tag: u32,
}

/// The folder that is open, as it was when it was opened.
#[derive(Clone, Debug)]
pub(crate) struct OpenFolder {
    pub(crate) folder: RemoteFolder,
    pub(crate) state: FolderState,
    /// Whether it keeps modification sequences.
    pub(crate) modseqs: bool,
}

/// What a pipelined command waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Tag(u32);

impl std::fmt::Display for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "g{}", self.0)
    }
}

/// What the next event means to somebody who waits for commands to end.
#[derive(Debug)]
pub(crate) enum Heard {
    /// A command ended.
    Done(Tag, Done),
    /// The server waits for the rest of a command.
    Continue(String),
    /// Data, a body's piece or an untagged status.
    Other(Event),
}

impl Session {
    pub(crate) fn new(connection: Connection) -> Self {
        Self {
            connection,
            capabilities: BTreeSet::new(),
            server_name: None,
            utf8: false,
            namespace: None,
            spellings: HashMap::new(),
            separator: None,
            listed: false,
            qresync: false,
            open: None,
            filter: None,
            early: HashMap::new(),
            next_tag: 0,
        }
    }

    pub(crate) fn server(&self) -> String {
        self.connection.server().to_owned()
    }

    /// Whether the server offers an extension.
    pub(crate) fn offers(&self, capability: &str) -> bool {
        self.capabilities.contains(capability)
    }

    /// Whether a literal of this size may be sent without the server's consent (RFC 7888).
    pub(crate) fn may_send_at_once(&self, size: u64) -> bool {
        self.offers("LITERAL+") || (self.offers("LITERAL-") && size <= LITERAL_MINUS)
    }

    pub(crate) fn take_capabilities<'a>(&mut self, words: impl Iterator<Item = &'a str>) {
        self.capabilities = words.map(str::to_ascii_uppercase).collect();
    }

    pub(crate) fn new_tag(&mut self) -> Tag {
        self.next_tag = self.next_tag.wrapping_add(1);
        Tag(self.next_tag)
    }

    /// Sends a command that has no literals to wait for and does not wait for its end.
    pub(crate) fn start(&mut self, command: &Command) -> Tag {
        let tag = self.new_tag();
        tracing::debug!(server = self.connection.server(), %tag, "{}", command.shown());
        self.begin(tag, command);
        self.connection.send(b"\r\n");
        tag
    }

    /// Sends a command up to the end of its line.
    pub(crate) fn begin(&mut self, tag: Tag, command: &Command) {
        self.connection.send(format!("{tag} ").as_bytes());
        for part in command.parts() {
            match part {
                Part::Raw(bytes) => self.connection.send(bytes),
                Part::Literal(bytes) => {
                    debug_assert!(self.may_send_at_once(bytes.len() as u64), "{command:?}");
                    self.connection.send(format!("{{{}+}}\r\n", bytes.len()).as_bytes());
                    self.connection.send(bytes);
                }
            }
        }
    }

    /// Waits for the next event and sorts it; alerts are logged, a BYE is a fault.
    pub(crate) async fn hear(&mut self) -> Result<Heard, Fault> {
        let event = self.connection.next().await?;
        self.sort(event)
    }

    /// Sorts an event.
    pub(crate) fn sort(&mut self, event: Event) -> Result<Heard, Fault> {
        let Event::Response(response) = event else { return Ok(Heard::Other(event)) };
        match response {
            Response::Continue { text } => Ok(Heard::Continue(text)),
            Response::Status { tag, status, code, text } => {
                self.note(code.as_ref(), &text);
                match tag {
                    Some(tag) => match tag.strip_prefix('g').and_then(|n| n.parse().ok()) {
                        Some(n) => Ok(Heard::Done(Tag(n), Done { status, code, text })),
                        None => {
                            tracing::warn!(
                                server = self.connection.server(),
                                "an answer to a command that was not sent: {text}"
                            );
                            Ok(Heard::Other(Event::Response(Response::Status { tag: Some(tag), status, code, text })))
                        }
                    },
                    None if status == Status::Bye => {
                        let fault = faults::bye(self.connection.server(), code.as_ref(), &text);
                        self.connection.give_up();
                        Err(fault)
                    }
                    None => Ok(Heard::Other(Event::Response(Response::Status { tag, status, code, text }))),
                }
            }
            Response::Data { .. } => {
                if let Response::Data { name, values, .. } = &response
                    && name == "CAPABILITY"
                {
                    let words: Vec<String> = values.iter().filter_map(crate::wire::Value::text).collect();
                    self.take_capabilities(words.iter().map(String::as_str));
                }
                Ok(Heard::Other(Event::Response(response)))
            }
        }
    }

    fn note(&mut self, code: Option<&Code>, text: &str) {
        match code {
            Some(code) if code.name == "ALERT" => {
                tracing::warn!(server = self.connection.server(), "the server alerts: {text}");
            }
            Some(code) if code.name == "CAPABILITY" => {
                self.take_capabilities(code.args.split_ascii_whitespace());
            }
            _ => {}
        }
    }

    /// Waits for a command's end and hands over every response on the way.
    pub(crate) async fn finish(&mut self, tag: Tag, mut on: impl FnMut(&Response)) -> Result<Done, Fault> {
        if let Some(done) = self.early.remove(&tag) {
            return Ok(done);
        }
        loop {
            match self.hear().await? {
                Heard::Done(done_tag, done) if done_tag == tag => return Ok(done),
                // Answers need not come in the commands' order (RFC 3501 section 5.5).
                Heard::Done(done_tag, done) if done_tag.0 > tag.0 && done_tag.0 <= self.next_tag => {
                    self.early.insert(done_tag, done);
                }
                Heard::Other(Event::Response(response)) => on(&response),
                Heard::Done(..) | Heard::Continue(_) | Heard::Other(_) => {}
            }
        }
    }

    /// Sends a command, with literals as the server takes them, and waits for its end.
    pub(crate) async fn run(&mut self, command: &Command, mut on: impl FnMut(&Response)) -> Result<Done, Fault> {
        if !self.waits(command) {
            let tag = self.start(command);
            return self.finish(tag, on).await;
        }
        let tag = self.new_tag();
        tracing::debug!(server = self.connection.server(), %tag, "{}", command.shown());
        self.connection.send(format!("{tag} ").as_bytes());
        for part in command.parts() {
            match part {
                Part::Raw(bytes) => self.connection.send(bytes),
                Part::Literal(bytes) => {
                    self.connection.send(format!("{{{}}}\r\n", bytes.len()).as_bytes());
                    loop {
                        match self.hear().await? {
                            Heard::Continue(_) => break,
                            Heard::Done(done_tag, done) if done_tag == tag => return Ok(done),
                            Heard::Other(Event::Response(response)) => on(&response),
                            Heard::Done(..) | Heard::Other(_) => {}
                        }
                    }
                    self.connection.send(bytes);
                }
            }
        }
        self.connection.send(b"\r\n");
        self.finish(tag, on).await
    }

    /// Whether a command has literals that need the server's consent.
    pub(crate) fn waits(&self, command: &Command) -> bool {
        command.parts().iter().any(|part| match part {
            Part::Literal(bytes) => !self.may_send_at_once(bytes.len() as u64),
            Part::Raw(_) => false,
        })
    }

    /// Runs commands of which at most so many are under way, and tells how each ended, in their order. Their data
    /// come as the server sends them: to which command they belong, their content must tell.
    pub(crate) async fn run_each(
        &mut self,
        commands: &[Command],
        depth: usize,
        mut on: impl FnMut(&Response),
    ) -> Result<Vec<Done>, Fault> {
        let mut ends = Vec::with_capacity(commands.len());
        let mut waiting = VecDeque::new();
        for command in commands {
            let waits = self.waits(command);
            while (waits || waiting.len() >= depth)
                && let Some(tag) = waiting.pop_front()
            {
                ends.push(self.finish(tag, &mut on).await?);
            }
            if waits {
                ends.push(self.run(command, &mut on).await?);
            } else {
                waiting.push_back(self.start(command));
            }
        }
        for tag in waiting {
            ends.push(self.finish(tag, &mut on).await?);
        }
        Ok(ends)
    }

    /// The same for a command that must be answered with OK.
    pub(crate) async fn run_ok(&mut self, command: &Command, on: impl FnMut(&Response)) -> Result<Done, Fault> {
        let done = self.run(command, on).await?;
        if done.is_ok() { Ok(done) } else { Err(self.refused(command, &done)) }
    }

    /// A refusal of a command that the run needs.
    pub(crate) fn refused(&self, command: &Command, done: &Done) -> Fault {
        let shown: String = command.shown().chars().take(120).collect();
        faults::refused(self.connection.server(), &shown, done)
    }

    /// Says goodbye, and does not wait for long.
    pub(crate) async fn log_out(&mut self) {
        if !self.connection.is_open() {
            return;
        }
        let patience = self.connection.timeouts().goodbye;
        let tag = self.start(&Command::new("LOGOUT"));
        let goodbye = async {
            while let Ok(heard) = self.hear().await {
                if matches!(heard, Heard::Done(done, _) if done == tag) {
                    break;
                }
            }
        };
        if tokio::time::timeout(patience, goodbye).await.is_err() {
            tracing::debug!("no answer to LOGOUT");
        }
        self.connection.give_up();
    }
}
