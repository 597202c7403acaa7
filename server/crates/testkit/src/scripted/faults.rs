//! A schedule of faults that follows from a seed: what a network, a server and the mailbox's user may do to a copy.
//!
//! Which fault comes next depends on the seed and on how many commands and connections there were before; a client
//! with several connections may meet them in another order. Faults end after a bounded number.

use std::collections::BTreeMap;
use std::fmt;

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// The kinds of faults, as they are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// The connection is closed as soon as it is made.
    ConnectionClosed,
    /// The greeting is a BYE.
    ConnectionRefused,
    /// The line is cut within a command.
    CutInCommand,
    /// The line is cut within a message that is sent.
    CutInMessage,
    /// A command came, is not carried out, and the line is cut.
    CutBefore,
    /// A command is carried out, and the line is cut without an answer.
    CutAfter,
    /// The answer is cut at some byte.
    CutInAnswer,
    /// The answer is cut within a literal.
    CutInLiteral,
    /// NO, with a code or without.
    No,
    /// NO in place of the consent to a literal.
    NoLiteral,
    /// BAD.
    Bad,
    /// BYE, and the end of the connection.
    Bye,
    /// A command is not carried out and never answered.
    Stall,
    /// A command is carried out and never answered.
    StallAfter,
    /// Bytes that are no IMAP come before the answer.
    Garbage,
    /// A folder has another UIDVALIDITY.
    NewEpoch,
    /// Messages have gone from a folder.
    MessageGone,
    /// A folder has gone with all its messages.
    FolderGone,
    /// New mail has come.
    NewMail,
    /// Flags have changed.
    Flags,
    /// A message has been moved to another folder.
    Moved,
    /// The account is full for a while.
    QuotaFull,
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::ConnectionClosed => "connection closed at once",
            Self::ConnectionRefused => "BYE as greeting",
            Self::CutInCommand => "cut within a command",
            Self::CutInMessage => "cut within a message sent",
            Self::CutBefore => "cut before a command is carried out",
            Self::CutAfter => "cut after a command is carried out",
            Self::CutInAnswer => "cut within an answer",
            Self::CutInLiteral => "cut within an answer's literal",
            Self::No => "NO",
            Self::NoLiteral => "NO to a literal",
            Self::Bad => "BAD",
            Self::Bye => "BYE",
            Self::Stall => "stall before a command is carried out",
            Self::StallAfter => "stall after a command is carried out",
            Self::Garbage => "garbage",
            Self::NewEpoch => "new UIDVALIDITY",
            Self::MessageGone => "messages deleted",
            Self::FolderGone => "folder deleted",
            Self::NewMail => "new mail",
            Self::Flags => "flags changed",
            Self::Moved => "message moved",
            Self::QuotaFull => "account full",
        })
    }
}

/// What happens to one command.
#[derive(Debug)]
pub(super) enum Blow {
    /// Not carried out, no answer, the end.
    CutBefore,
    /// Carried out, no answer, the end.
    CutAfter,
    /// Carried out; the answer is cut, in a literal where there is one.
    CutAnswer {
        /// Within a literal.
        in_literal: bool,
    },
    /// These words follow the tag; not carried out.
    Refuse(String),
    /// BYE with these words; not carried out.
    Bye(String),
    /// No answer ever.
    Stall {
        /// Whether it is carried out.
        performed: bool,
    },
    /// These bytes come before the answer.
    Garbage {
        /// The bytes.
        bytes: Vec<u8>,
        /// Whether the connection ends with them.
        then_end: bool,
    },
}

/// What happens to a new connection.
#[derive(Debug)]
pub(super) enum Welcome {
    /// It works, up to so many bytes from the client.
    Served(Option<usize>),
    /// It is closed.
    Closed,
    /// It is told these words and closed.
    Bye(String),
}

const REFUSALS: [&str; 9] = [
    "[UNAVAILABLE] try again later",
    "[THROTTLED] request is throttled",
    "[INUSE] the mailbox is in use",
    "[SERVERBUG] internal error",
    "[LIMIT] too many commands",
    "[CONTACTADMIN] see the log",
    "[NOPERM] permission denied",
    "[EXPUNGEISSUED] some messages have gone",
    "that did not work",
];
const GOODBYES: [&str; 5] = [
    "shutting down",
    "[UNAVAILABLE] overloaded",
    "Too many simultaneous connections",
    "Autologout; idle for too long",
    "[THROTTLED] slow down",
];
const GARBAGE: [&[u8]; 8] = [
    b"\xff\xfe\x00\x01\r\n",
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"* 3 FETCH (UID 2 FLAGS (\r\n",
    b"* 99999999999999999999 EXISTS\r\n",
    b"* LIST (\\Odd \"/\" {3}\r\nab",
    b"a-tag-that-nobody-sent OK done\r\n",
    b"\r\n\r\n",
    b"* 1 FETCH (UID x BODY[] {99999999999999999999}\r\n",
];

/// A schedule of faults; made from a seed, given to a server with [`super::Builder::faults`].
#[derive(Debug)]
pub struct Faults {
    rng: ChaCha8Rng,
    left: u32,
    one_in: u32,
    changes: bool,
    at_destination: bool,
    stalls: bool,
    /// So many more connections are refused.
    refusing: u32,
    /// So many more appends are refused for want of room.
    pub(super) full_for: u32,
    /// So many messages were put in.
    pub(super) made: u32,
    counts: BTreeMap<FaultKind, u64>,
}

impl Faults {
    /// A schedule that follows from `seed`: 12 faults, one at about every eighth command.
    #[must_use]
    pub fn seeded(seed: u64) -> Faults {
        Faults {
            rng: ChaCha8Rng::seed_from_u64(seed),
            left: 12,
            one_in: 8,
            changes: true,
            at_destination: false,
            stalls: true,
            refusing: 0,
            full_for: 0,
            made: 0,
            counts: BTreeMap::new(),
        }
    }

    /// So many faults in all.
    #[must_use]
    pub fn at_most(mut self, faults: u32) -> Faults {
        self.left = faults;
        self
    }

    /// A fault at about every so many commands.
    #[must_use]
    pub fn one_in(mut self, commands: u32) -> Faults {
        self.one_in = commands.max(1);
        self
    }

    /// Whether mailboxes change too, not only the line. Default: they do.
    #[must_use]
    pub fn changes_mailboxes(mut self, changes: bool) -> Faults {
        self.changes = changes;
        self
    }

    /// Whether answers are withheld until the client gives up. Default: they are.
    #[must_use]
    pub fn stalls(mut self, stalls: bool) -> Faults {
        self.stalls = stalls;
        self
    }

    /// Mailboxes change as a destination's do: its user moves, deletes and flags what has come, and the account
    /// fills up. Default: as a source's do.
    #[must_use]
    pub fn at_destination(mut self) -> Faults {
        self.at_destination = true;
        self
    }

    pub(super) fn is_at_destination(&self) -> bool {
        self.at_destination
    }

    pub(super) fn counts(&self) -> &BTreeMap<FaultKind, u64> {
        &self.counts
    }

    pub(super) fn count(&mut self, kind: FaultKind) {
        *self.counts.entry(kind).or_default() += 1;
    }

    /// No more faults; how many of each there were stays known.
    pub(super) fn cease(&mut self) {
        self.left = 0;
        self.refusing = 0;
        self.full_for = 0;
    }

    pub(super) fn is_over(&self) -> bool {
        self.left == 0 && self.refusing == 0 && self.full_for == 0
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { self.rng.random_range(0..end) }
    }

    fn pick<T: Copy>(&mut self, among: &[T]) -> T {
        let at = self.below(among.len());
        among[at]
    }

    /// Whether a fault comes now.
    fn strikes(&mut self, one_in: u32) -> bool {
        let strikes = self.left > 0 && self.rng.random_range(0..one_in) == 0;
        if strikes {
            self.left -= 1;
        }
        strikes
    }

    pub(super) fn at_connection(&mut self) -> Welcome {
        if self.refusing > 0 {
            self.refusing -= 1;
            return if self.below(2) == 0 {
                self.count(FaultKind::ConnectionClosed);
                Welcome::Closed
            } else {
                self.count(FaultKind::ConnectionRefused);
                Welcome::Bye(self.pick(&GOODBYES).to_owned())
            };
        }
        // Work is worth disturbing more than beginnings.
        if !self.strikes(self.one_in.clamp(6, 12)) {
            return Welcome::Served(None);
        }
        if self.below(6) == 0 {
            // The next attempts, not this one.
            self.refusing = 1 + u32::try_from(self.below(4)).unwrap_or_default();
            return Welcome::Served(None);
        }
        // As likely within the first thousand bytes as within the next hundred thousand.
        let magnitude = 1_usize << (3 + self.below(14));
        Welcome::Served(Some(magnitude + self.below(magnitude)))
    }

    /// A refusal in place of the consent to a literal.
    pub(super) fn at_literal(&mut self) -> Option<String> {
        if !self.strikes(self.one_in.saturating_mul(4)) {
            return None;
        }
        self.count(FaultKind::NoLiteral);
        Some(format!("NO {}", self.pick(&REFUSALS)))
    }

    /// What happens to a command of this name.
    pub(super) fn at_command(&mut self, name: &str) -> Option<Blow> {
        let one_in = match name {
            "APPEND" | "FETCH" | "UID FETCH" | "UID STORE" | "UID SEARCH" => self.one_in.div_ceil(2),
            "SELECT" | "EXAMINE" | "STATUS" | "LIST" | "CREATE" | "NOOP" => self.one_in,
            _ => self.one_in.saturating_mul(6),
        };
        if !self.strikes(one_in) {
            return None;
        }
        let (kind, blow) = match self.below(if self.stalls { 18 } else { 16 }) {
            0 | 1 => (FaultKind::CutBefore, Blow::CutBefore),
            2..=4 => (FaultKind::CutAfter, Blow::CutAfter),
            5 | 6 => (FaultKind::CutInAnswer, Blow::CutAnswer { in_literal: false }),
            7 | 8 => (FaultKind::CutInLiteral, Blow::CutAnswer { in_literal: true }),
            9..=11 => (FaultKind::No, Blow::Refuse(format!("NO {}", self.pick(&REFUSALS)))),
            12 => (FaultKind::Bad, Blow::Refuse("BAD what was that?".to_owned())),
            13 | 14 => (FaultKind::Bye, Blow::Bye(self.pick(&GOODBYES).to_owned())),
            15 => {
                let mut bytes = self.pick(&GARBAGE).to_vec();
                if self.below(3) == 0 {
                    let more = 1 + self.below(300);
                    // Without line ends, so that nothing in it can be taken for an answer.
                    bytes.extend((0..more).map(|_| self.rng.random_range(0x80..=0xff_u8)));
                }
                (FaultKind::Garbage, Blow::Garbage { bytes, then_end: self.below(2) == 0 })
            }
            16 => (FaultKind::Stall, Blow::Stall { performed: false }),
            _ => (FaultKind::StallAfter, Blow::Stall { performed: true }),
        };
        if !matches!(blow, Blow::CutAnswer { .. }) {
            self.count(kind);
        }
        Some(blow)
    }

    /// Which change of the mailboxes comes now.
    pub(super) fn at_change(&mut self) -> Option<FaultKind> {
        if !self.changes || !self.strikes(self.one_in.saturating_mul(2)) {
            return None;
        }
        let kind = if self.at_destination {
            match self.below(10) {
                0 => FaultKind::NewEpoch,
                1 | 2 => FaultKind::MessageGone,
                3 => FaultKind::FolderGone,
                4 => FaultKind::NewMail,
                5 | 6 => FaultKind::Flags,
                7 | 8 => FaultKind::Moved,
                _ => FaultKind::QuotaFull,
            }
        } else {
            match self.below(8) {
                0 => FaultKind::NewEpoch,
                1 | 2 => FaultKind::MessageGone,
                3 => FaultKind::FolderGone,
                4 | 5 => FaultKind::NewMail,
                _ => FaultKind::Flags,
            }
        };
        Some(kind)
    }
}
