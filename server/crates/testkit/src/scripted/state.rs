//! Everything that the connections of a scripted server share.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Shutdown, TcpStream};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::command::Command;
use super::faults::{FaultKind, Faults};
use super::impersonate::Quirk;
use super::mischief::Change;
use super::rule::Rule;
use super::{Mailbox, mailbox};

/// How long a command that looks at mailboxes waits for what other connections have sent before: for one that has not
/// carried it out yet, and for one that cannot.
const BUSY: Duration = Duration::from_secs(30);
const HELD: Duration = Duration::from_millis(300);

/// Everything behind the lock.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) greeting: String,
    pub(super) capability: String,
    /// What CAPABILITY answers before log-in, where that is something else.
    pub(super) capability_before: Option<String>,
    /// What NAMESPACE answers, where it is not the empty prefix alone.
    pub(super) namespace: Option<String>,
    /// What the impersonated server does that others do not, and how often it did.
    pub(super) quirks: BTreeSet<Quirk>,
    pub(super) quirk_counts: BTreeMap<Quirk, u64>,
    pub(super) separator: char,
    pub(super) users: Vec<(String, String)>,
    pub(super) tokens: Vec<(String, String)>,
    pub(super) mailboxes: Vec<Mailbox>,
    /// UIDVALIDITY of the next mailbox that is made.
    pub(super) validity: u32,
    /// PERMANENTFLAGS of mailboxes that clients make.
    pub(super) permanent_flags: Option<Vec<String>>,
    pub(super) rules: Vec<Rule>,
    pub(super) faults: Option<Faults>,
    pub(super) changes: Vec<Change>,
    pub(super) refuses_bare_lf: bool,
    pub(super) refuses_nul: bool,
    /// Used beside the messages, and limit, in KiB, as QUOTA counts (RFC 9208).
    pub(super) quota: Option<(u64, u64)>,
    pub(super) commands: Vec<String>,
    pub(super) sessions: BTreeMap<u64, Live>,
    pub(super) accepted: usize,
    pub(super) ended: bool,
}

/// A connection that is served.
#[derive(Debug)]
pub(super) struct Live {
    stream: TcpStream,
    doing: Doing,
}

/// What a connection does at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    /// Carries out a command, or sends its answer.
    Work,
    /// Waits for the client, as far as its own buffer goes.
    Idle,
    /// Waits since then until the others have carried out what has come ([`Shared::settled`]).
    Settle(Instant),
    /// Waits for a client that does not read its answer, or for the end of a rule.
    Held,
}

impl State {
    /// Whether an extension is in the list of capabilities.
    pub(super) fn offers(&self, capability: &str) -> bool {
        self.capability.split_ascii_whitespace().any(|known| known.eq_ignore_ascii_case(capability))
    }

    /// APPENDLIMIT (RFC 7889).
    pub(super) fn append_limit(&self) -> Option<usize> {
        self.capability.split_ascii_whitespace().find_map(|known| known.strip_prefix("APPENDLIMIT=")?.parse().ok())
    }

    fn stored(&self) -> usize {
        self.mailboxes.iter().flat_map(|mailbox| &mailbox.messages).map(|message| message.bytes.len()).sum()
    }

    pub(super) fn used_kib(&self) -> u64 {
        self.quota.map_or(0, |(used, _)| used) + self.stored() as u64 / 1024
    }

    /// Bytes until the quota is full.
    pub(super) fn room(&self) -> usize {
        let Some((used, limit)) = self.quota else { return usize::MAX };
        let bytes = usize::try_from(limit.saturating_sub(used)).unwrap_or(usize::MAX).saturating_mul(1024);
        bytes.saturating_sub(self.stored())
    }

    /// A UIDVALIDITY that no mailbox had before.
    pub(super) fn next_validity(&mut self, than: u32) -> u32 {
        self.validity = self.validity.max(than) + 1;
        self.validity
    }

    /// Takes a mailbox away. One that is made under the same name later is another.
    pub(super) fn remove(&mut self, name: &str) -> Option<Mailbox> {
        let at = self.mailboxes.iter().position(|mailbox| mailbox.name == name)?;
        let removed = self.mailboxes.remove(at);
        self.next_validity(removed.uid_validity.max(mailbox::FIRST_VALIDITY));
        Some(removed)
    }

    pub(super) fn count_fault(&mut self, kind: FaultKind) {
        if let Some(faults) = &mut self.faults {
            faults.count(kind);
        }
    }

    /// A connection begins; answers its number.
    pub(super) fn begin(&mut self, stream: TcpStream) -> u64 {
        self.accepted += 1;
        let id = self.accepted as u64;
        self.sessions.insert(id, Live { stream, doing: Doing::Work });
        id
    }

    pub(super) fn now(&mut self, id: u64, doing: Doing) {
        if let Some(live) = self.sessions.get_mut(&id) {
            live.doing = doing;
        }
    }

    /// What the other connections do that have not carried out all that has come, for one that waits for them since then.
    fn behind(&self, id: u64, since: Instant) -> impl Iterator<Item = Doing> {
        let others = self.sessions.iter().filter(move |&(&other, live)| {
            // Of two that wait for each other, the one that began first goes on.
            other != id && !matches!(live.doing, Doing::Settle(began) if began >= since)
        });
        let behind = others
            .filter(|(_, live)| live.doing == Doing::Work || rustix::io::ioctl_fionread(&live.stream).unwrap_or(0) > 0);
        behind.map(|(_, live)| live.doing)
    }

    pub(super) fn close_all(&mut self) {
        for live in self.sessions.values() {
            // The client may have closed already.
            let _ = live.stream.shutdown(Shutdown::Both);
        }
    }
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) state: Mutex<State>,
    pub(super) changed: Condvar,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn record(&self, command: &Command) {
        self.lock().commands.push(command.shown.clone());
        self.changed.notify_all();
    }

    /// Waits until the other connections have carried out what has come, for as long as it is worth it: who looks
    /// at a mailbox after another connection broke then sees all that the other one did. Real servers promise less;
    /// a simulation needs it, or it would find what no client can prevent.
    pub(super) fn settled(&self, id: u64) {
        let began = Instant::now();
        self.lock().now(id, Doing::Settle(began));
        loop {
            // Whatever is not held goes on by itself, as soon as the machine lets it.
            let patience = |doing| if doing == Doing::Held { HELD } else { BUSY };
            let patience = self.lock().behind(id, began).map(patience).max();
            if patience.is_none_or(|patience| began.elapsed() >= patience) {
                break;
            }
            std::thread::sleep(Duration::from_micros(100));
        }
        self.lock().now(id, Doing::Work);
    }
}
