//! A scripted IMAP server: by default a small in-memory mailbox server that a real client can work with; rules change
//! single answers. It records every command, to prove what was sent and what was not. It knows no TLS and no disk.
//!
//! ```
//! use gatepost_testkit::{ScriptedImap, on};
//! let server = ScriptedImap::builder()
//!     .user("ana@example.test", "secret")
//!     .rule(on("SELECT INBOX").once().no("[UNAVAILABLE] try again later"))
//!     .rule(on("APPEND").after(2).bye("shutting down"))
//!     .start()?;
//! assert!(server.port() > 0);
//! # Ok::<(), gatepost_testkit::Error>(())
//! ```

mod append;
mod command;
mod faults;
mod fetch;
mod impersonate;
mod input;
mod listing;
mod login;
mod mailbox;
mod messages;
mod mischief;
mod rule;
mod session;
mod state;
mod view;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::client::Account;
use crate::date::InternalDate;
use crate::error::{Result, Tried as _};
pub use faults::{FaultKind, Faults};
pub use impersonate::{EXCHANGE_IS_THROTTLED, GMAIL_SESSION_EXPIRED, Impersonation, Quirk};
pub use mailbox::{Mailbox, StoredMessage};
pub use mischief::Change;
pub use rule::{On, Rule, on};
use state::{Shared, State};

/// What the server announces unless told otherwise.
pub const DEFAULT_CAPABILITY: &str = "IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 SASL-IR LITERAL+ NAMESPACE UIDPLUS UNSELECT \
    ENABLE ID CHILDREN LIST-EXTENDED SPECIAL-USE LIST-STATUS MULTIAPPEND QUOTA";

/// Every extension that the server knows.
pub const FULL_CAPABILITY: &str = "IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 SASL-IR LITERAL+ NAMESPACE UIDPLUS UNSELECT \
    ENABLE ID CHILDREN LIST-EXTENDED SPECIAL-USE LIST-STATUS MULTIAPPEND QUOTA CONDSTORE QRESYNC ESEARCH";

/// What the scripted server should be like.
#[derive(Debug)]
pub struct Builder {
    state: State,
}

impl Builder {
    /// The whole greeting, with its CRLF. Default: `* OK [CAPABILITY …] ready`.
    #[must_use]
    pub fn greeting(mut self, greeting: impl Into<String>) -> Self {
        self.state.greeting = greeting.into();
        self
    }

    /// What CAPABILITY answers, before and after log-in. Default: [`DEFAULT_CAPABILITY`].
    #[must_use]
    pub fn capability(mut self, capability: impl Into<String>) -> Self {
        self.state.capability = capability.into();
        self
    }

    /// A user for LOGIN and AUTHENTICATE PLAIN. Without any user every log-in is accepted.
    #[must_use]
    pub fn user(mut self, name: impl Into<String>, password: impl Into<String>) -> Self {
        self.state.users.push((name.into(), password.into()));
        self
    }

    /// A user with a bearer token for AUTHENTICATE XOAUTH2.
    #[must_use]
    pub fn token(mut self, name: impl Into<String>, token: impl Into<String>) -> Self {
        self.state.tokens.push((name.into(), token.into()));
        self
    }

    /// Hierarchy separator. Default `/`.
    #[must_use]
    pub fn separator(mut self, separator: char) -> Self {
        self.state.separator = separator;
        self
    }

    /// Adds a mailbox; INBOX exists always. All users share the mailboxes.
    #[must_use]
    pub fn mailbox(mut self, mailbox: Mailbox) -> Self {
        self.state.mailboxes.retain(|known| known.name != mailbox.name);
        self.state.mailboxes.push(mailbox);
        self
    }

    /// STORAGE quota in KiB: what is used beside the mailboxes' messages, and the limit, over which APPEND is
    /// refused. Default: no quota root has a limit.
    #[must_use]
    pub fn quota_kib(mut self, used: u64, limit: u64) -> Self {
        self.state.quota = Some((used, limit));
        self
    }

    /// Messages with a line feed that no carriage return precedes are refused.
    #[must_use]
    pub fn refuses_bare_lf(mut self) -> Self {
        self.state.refuses_bare_lf = true;
        self
    }

    /// Messages with NUL are refused.
    #[must_use]
    pub fn refuses_nul(mut self) -> Self {
        self.state.refuses_nul = true;
        self
    }

    /// PERMANENTFLAGS of mailboxes that clients make. Default: every flag and keyword.
    #[must_use]
    pub fn permanent_flags(mut self, flags: &[&str]) -> Self {
        self.state.permanent_flags = Some(flags.iter().map(|&flag| flag.to_owned()).collect());
        self
    }

    /// What goes wrong while the server runs. Rules come before it.
    #[must_use]
    pub fn faults(mut self, faults: Faults) -> Self {
        self.state.faults = Some(faults);
        self
    }

    /// Adds a rule. The first rule that matches a command and is not used up decides.
    #[must_use]
    pub fn rule(mut self, rule: Rule) -> Self {
        self.state.rules.push(rule);
        self
    }

    /// Starts to listen on a free port of 127.0.0.1.
    pub fn start(mut self) -> Result<ScriptedImap> {
        if !self.state.mailboxes.iter().any(|mailbox| mailbox.name == "INBOX") {
            self.state.mailboxes.insert(0, Mailbox::new("INBOX"));
        }
        if self.state.greeting.is_empty() {
            self.state.greeting = format!("* OK [CAPABILITY {}] ready\r\n", self.state.capability);
        }
        self.state.restrict();
        for mailbox in &mut self.state.mailboxes {
            mailbox.settle();
        }
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).tried(|| "opening the scripted server's port".to_owned())?;
        let port = listener.local_addr().tried(|| "reading the scripted server's port".to_owned())?.port();
        let shared = Arc::new(Shared { state: Mutex::new(self.state), changed: Condvar::new() });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || accept(&listener, &accepting));
        Ok(ScriptedImap { port, shared })
    }
}

/// A running scripted server. Dropping it closes the port and all connections.
#[derive(Debug)]
pub struct ScriptedImap {
    port: u16,
    shared: Arc<Shared>,
}

impl ScriptedImap {
    /// A server with an empty INBOX.
    #[must_use]
    pub fn builder() -> Builder {
        let state = State {
            capability: DEFAULT_CAPABILITY.to_owned(),
            separator: '/',
            validity: mailbox::FIRST_VALIDITY,
            ..State::default()
        };
        Builder { state }
    }

    /// The port to connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where the kit's own client reaches the first user.
    #[must_use]
    pub fn account(&self) -> Account {
        let state = self.shared.lock();
        let (user, password) = state.users.first().cloned().unwrap_or_default();
        Account::new(self.port, user, password)
    }

    /// Adds a rule while the server runs.
    pub fn rule(&self, rule: Rule) {
        self.shared.lock().rules.push(rule);
    }

    /// Drops all rules; stalled sessions go on.
    pub fn clear_rules(&self) {
        self.shared.lock().rules.clear();
        self.shared.changed.notify_all();
    }

    /// All commands so far over all connections, without tags: strings unquoted, literals of APPEND as `{size}`,
    /// passwords and SASL data as `***`.
    #[must_use]
    pub fn commands(&self) -> Vec<String> {
        self.shared.lock().commands.clone()
    }

    /// The commands that begin with `prefix` (letter case ignored).
    #[must_use]
    pub fn commands_matching(&self, prefix: &str) -> Vec<String> {
        self.commands().into_iter().filter(|command| rule::begins_with(command, prefix)).collect()
    }

    /// The commands that could have changed something: everything but log-in, listing, EXAMINE, and FETCH that peeks.
    /// Empty for a well-treated source.
    #[must_use]
    pub fn changing_commands(&self) -> Vec<String> {
        self.commands().into_iter().filter(|command| !command::only_reads(command)).collect()
    }

    /// Forgets the recorded commands.
    pub fn forget_commands(&self) {
        self.shared.lock().commands.clear();
    }

    /// Waits until a command that begins with `prefix` has come.
    pub fn wait_for(&self, prefix: &str, patience: Duration) -> bool {
        let state = self.shared.lock();
        let unseen = |state: &mut State| !state.commands.iter().any(|command| rule::begins_with(command, prefix));
        let waited = self.shared.changed.wait_timeout_while(state, patience, unseen);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Connections accepted so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.lock().accepted
    }

    /// A copy of a mailbox as it is now; `None` when there is none.
    #[must_use]
    pub fn mailbox(&self, name: &str) -> Option<Mailbox> {
        self.shared.lock().mailboxes.iter().find(|mailbox| mailbox.name == name).cloned()
    }

    /// Names of all mailboxes.
    #[must_use]
    pub fn mailbox_names(&self) -> Vec<String> {
        self.shared.lock().mailboxes.iter().map(|mailbox| mailbox.name.clone()).collect()
    }

    /// Changes a mailbox behind the clients' backs: a delivery, a new UIDVALIDITY. It is created when it is missing.
    pub fn change<T>(&self, name: &str, change: impl FnOnce(&mut Mailbox) -> T) -> T {
        let mut state = self.shared.lock();
        let at = state.mailboxes.iter().position(|mailbox| mailbox.name == name).unwrap_or_else(|| {
            state.mailboxes.push(Mailbox::new(name));
            state.mailboxes.len() - 1
        });
        let result = change(&mut state.mailboxes[at]);
        state.mailboxes[at].settle();
        let uids: Vec<u32> = state.mailboxes[at].messages.iter().map(|message| message.uid).collect();
        state.arrived(name, &uids);
        result
    }

    /// Adds a message; answers its UID.
    pub fn deliver(&self, name: &str, bytes: impl Into<Vec<u8>>, date: InternalDate, flags: &[&str]) -> u32 {
        let flags = flags.iter().map(|&flag| flag.to_owned()).collect();
        self.change(name, |mailbox| mailbox.push(bytes.into(), date, flags))
    }

    /// Removes a mailbox behind the clients' backs.
    pub fn remove_mailbox(&self, name: &str) {
        self.shared.lock().remove(name);
    }

    /// Gives a mailbox another name behind the clients' backs.
    pub fn rename_mailbox(&self, from: &str, to: &str) {
        let mut state = self.shared.lock();
        if let Some(mut mailbox) = state.remove(from) {
            to.clone_into(&mut mailbox.name);
            state.mailboxes.push(mailbox);
        }
    }

    /// Sets or lifts the STORAGE quota, as [`Builder::quota_kib`].
    pub fn set_quota_kib(&self, quota: Option<(u64, u64)>) {
        self.shared.lock().quota = quota;
    }

    /// No more faults from now on.
    pub fn end_faults(&self) {
        if let Some(faults) = &mut self.shared.lock().faults {
            faults.cease();
        }
    }

    /// Whether the schedule of faults is through.
    #[must_use]
    pub fn faults_are_over(&self) -> bool {
        self.shared.lock().faults.as_ref().is_none_or(Faults::is_over)
    }

    /// How many faults of each kind there were.
    #[must_use]
    pub fn fault_counts(&self) -> BTreeMap<FaultKind, u64> {
        self.shared.lock().faults.as_ref().map(|faults| faults.counts().clone()).unwrap_or_default()
    }

    /// How the schedule of faults changed the mailboxes, in order.
    #[must_use]
    pub fn changes(&self) -> Vec<Change> {
        self.shared.lock().changes.clone()
    }

    /// Waits until no connection is left: every client has closed, and what they had sent is carried out. False
    /// where that takes longer than `patience`.
    #[must_use]
    pub fn wait_idle(&self, patience: Duration) -> bool {
        self.sessions().wait_for_at_most(0, patience)
    }

    /// The connections that the server has, to be watched from elsewhere.
    #[must_use]
    pub fn sessions(&self) -> Sessions {
        Sessions(Arc::clone(&self.shared))
    }

    /// Closes all connections now; new ones are accepted.
    pub fn cut_now(&self) {
        self.shared.lock().close_all();
    }
}

/// The connections of a scripted server.
#[derive(Debug, Clone)]
pub struct Sessions(Arc<Shared>);

impl Sessions {
    /// Whether no more than so many are left.
    #[must_use]
    pub fn are_at_most(&self, most: usize) -> bool {
        self.0.lock().sessions.len() <= most
    }

    /// Waits until no more than so many are left: of those that clients have closed, everything that was sent is carried
    /// out. False where that takes longer than `patience`.
    #[must_use]
    pub fn wait_for_at_most(&self, most: usize, patience: Duration) -> bool {
        let state = self.0.lock();
        let waited = self.0.changed.wait_timeout_while(state, patience, |state| state.sessions.len() > most);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

impl Drop for ScriptedImap {
    fn drop(&mut self) {
        {
            let mut state = self.shared.lock();
            state.ended = true;
            state.close_all();
        }
        self.shared.changed.notify_all();
        // The listener waits in `accept`; a connection makes it see the end.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        let mut state = shared.lock();
        if state.ended {
            return;
        }
        let Ok(stream) = stream else { continue };
        let Ok(handle) = stream.try_clone() else { continue };
        let id = state.begin(handle);
        drop(state);
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            // An IO error is the client's end of the connection: nobody is left to tell.
            let _ = session::serve(&stream, &shared, id);
            let _ = stream.shutdown(Shutdown::Both);
            shared.lock().sessions.remove(&id);
            shared.changed.notify_all();
        });
    }
}
