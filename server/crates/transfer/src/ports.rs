//! What a store of mail must be able to do, to be copied from, copied to, or read as a witness.

use crate::{Digests, Fault, Flags, FolderPath, FolderState, InternalDate, Limits, MessageMeta, RemoteFolder, UidSet};
use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;

/// A message on its way out of a source. The pieces of one message come in order and are not interleaved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A message begins; `size` is what will really follow, whatever the listing said.
    Begin {
        /// Its UID.
        uid: u32,
        /// Bytes to come.
        size: u64,
    },
    /// At most 64 KiB of it.
    Data(Bytes),
    /// All of it was delivered.
    End,
    /// A UID that was asked for is not there any more.
    Gone {
        /// Which.
        uid: u32,
    },
    /// A message is there, but the store does not deliver it.
    Unreadable {
        /// Which.
        uid: u32,
        /// The store's own words, or what it did.
        words: String,
    },
}

/// A message on its way into a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// A message begins.
    Begin {
        /// The caller's name for it; comes back in [`Appended`].
        key: u32,
        /// Bytes to come, exactly.
        size: u64,
        /// When it was received.
        internal_date: InternalDate,
        /// Flags to set; only such as the folder can keep.
        flags: Flags,
    },
    /// At most 64 KiB of it.
    Data(Bytes),
    /// All of it was delivered.
    End,
    /// What was handed over since the last `Commit` is to be stored, all or nothing where the store can (MULTIAPPEND,
    /// RFC 3502). Never comes within a message. A store that appends one by one has nothing left to do here.
    Commit,
}

/// What became of one message that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The caller's name for it.
    pub key: u32,
    /// Its new UID where the server tells (APPENDUID, RFC 4315), or why it was refused.
    pub result: Result<Option<u32>, Rejection>,
}

/// A destination's refusal of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The server's own words.
    pub words: String,
    /// Whether the account is full: the rest need not be tried.
    pub over_quota: bool,
    /// Whether the folder is not there (TRYCREATE).
    pub no_folder: bool,
    /// Whether it was refused together with others, so that nothing is known of this message by itself.
    pub together: bool,
}

/// Which messages of a folder are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// All from this UID on.
    From(u32),
    /// These.
    These(UidSet),
}

/// What changed in a folder since a modification sequence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangedSince {
    /// Messages with their present flags.
    pub flags: Vec<(u32, Flags)>,
    /// UIDs that have gone, where the store keeps track of them (QRESYNC, RFC 7162); `None` where it does not.
    pub vanished: Option<UidSet>,
}

/// A folder as a survey of the whole account sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surveyed {
    /// The folder.
    pub folder: RemoteFolder,
    /// How it stands (STATUS, RFC 3501 section 6.3.10), without its flags; `None` where the store would not tell.
    pub status: Option<FolderState>,
}

/// Mail that can be read. It is never changed by reading: IMAP opens with EXAMINE and fetches with BODY.PEEK.
#[async_trait]
pub trait Source: Send {
    /// What it can do and takes.
    async fn limits(&mut self) -> Result<Limits, Fault>;

    /// Every folder of the account's own, sorted by path; INBOX is always among them.
    async fn folders(&mut self) -> Result<Vec<RemoteFolder>, Fault>;

    /// The same with how each folder stands, in as few round trips as the store allows (LIST-STATUS, RFC 5819, or
    /// pipelined STATUS). No folder may be open.
    async fn survey(&mut self) -> Result<Vec<Surveyed>, Fault>;

    /// Opens a folder for the calls below: a source read-only, a destination for writing.
    async fn open(&mut self, folder: &RemoteFolder) -> Result<FolderState, Fault>;

    /// Lists messages of the open folder into `out`, in no certain order, each once.
    /// Ends early without an error when `out` is closed.
    async fn list(&mut self, which: Which, out: mpsc::Sender<MessageMeta>) -> Result<(), Fault>;

    /// Which UIDs the open folder holds (ESEARCH, RFC 4731, where there is one).
    async fn uids(&mut self) -> Result<UidSet, Fault>;

    /// The flags of these messages of the open folder; those that are not there are left out.
    async fn flags(&mut self, uids: &UidSet) -> Result<Vec<(u32, Flags)>, Fault>;

    /// What changed among the messages up to this UID after this modification sequence (CHANGEDSINCE, RFC 7162);
    /// `None` where the store cannot tell, and the flags must be listed.
    async fn changed(&mut self, up_to_uid: u32, since: u64) -> Result<Option<ChangedSince>, Fault>;

    /// The Message-Ids of the open folder's messages into `out`, of those that have one, where the store keeps them apart
    /// from the messages; false where they would have to be read.
    /// Ends early without an error when `out` is closed.
    async fn message_ids(&mut self, _out: mpsc::Sender<(u32, String)>) -> Result<bool, Fault> {
        Ok(false)
    }

    /// Streams messages of the open folder: set after set as they are asked for, each set in ascending order of its
    /// UIDs, each message whole before the next. A set is taken from `wanted` only a little before it is needed.
    /// Ends when `wanted` has ended and all was delivered; ends early without an error when `out` is closed.
    async fn fetch(&mut self, wanted: mpsc::Receiver<UidSet>, out: mpsc::Sender<Incoming>) -> Result<(), Fault>;

    /// Keeps an idle connection alive (NOOP); a fault when it has been lost.
    async fn keep_alive(&mut self) -> Result<(), Fault>;

    /// Says goodbye; errors do not matter any more.
    async fn close(&mut self);
}

/// Mail that can be added to. Nothing is ever deleted.
#[async_trait]
pub trait Destination: Source {
    /// Makes folders with all levels above them and subscribes to them, in as few round trips as possible; fine when
    /// one is there already. One result for each path, in their order; a fault of the connection ends all.
    async fn create(&mut self, paths: &[FolderPath]) -> Result<Vec<Result<RemoteFolder, Fault>>, Fault>;

    /// Appends what `input` delivers to `folder`, which need not be open, and reports each message as the store
    /// answers. `uid_validity` is the epoch for which UIDs are wanted: a [`FaultKind::FolderGone`](crate::FaultKind)
    /// when the folder answers with another.
    /// A fault leaves open what became of messages not yet reported: the caller looks before it sends them again.
    async fn append(
        &mut self,
        folder: &RemoteFolder,
        uid_validity: u32,
        input: mpsc::Receiver<Outgoing>,
        results: mpsc::Sender<Appended>,
    ) -> Result<(), Fault>;

    /// Makes the flags of messages of the open folder exactly these (of those that the folder can keep).
    async fn set_flags(&mut self, changes: &[(u32, Flags)]) -> Result<(), Fault>;
}

/// A message as a witness saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadMessage {
    /// Its UID.
    pub uid: u32,
    /// RFC822.SIZE.
    pub size: u64,
    /// When it was received.
    pub internal_date: InternalDate,
    /// Its flags.
    pub flags: Flags,
    /// The Message-Id header's value, trimmed; `None` where it is missing or empty.
    pub message_id: Option<String>,
}

/// How much a folder holds, as its server says without listing it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FolderTotals {
    /// Messages.
    pub messages: u64,
    /// Their bytes, where the server tells (STATUS=SIZE, RFC 8438).
    pub bytes: Option<u64>,
}

/// A witness: a second way of reading that shares no code with the engine's.
#[async_trait]
pub trait Reader: Send {
    /// Every folder of the account's own, as [`Source::folders`].
    async fn folders(&mut self) -> Result<Vec<RemoteFolder>, Fault>;

    /// How much each of these folders holds, in their order, in as few round trips as possible; `None` for one that
    /// the server does not tell. No folder may be open.
    async fn totals(&mut self, folders: &[&RemoteFolder]) -> Result<Vec<Option<FolderTotals>>, Fault>;

    /// Opens a folder read-only and tells its UIDVALIDITY and number of messages.
    async fn open(&mut self, folder: &RemoteFolder) -> Result<(u32, u32), Fault>;

    /// Lists messages of the open folder: all, or only these, by ascending UID, into `out`.
    async fn read(&mut self, uids: Option<&UidSet>, out: mpsc::Sender<ReadMessage>) -> Result<(), Fault>;

    /// Reads messages of the open folder and digests them as they pass, into `out`; those that are not there any more
    /// are left out. Each is named with about how many bytes it has: large ones are read in pieces.
    async fn digest(&mut self, wanted: &[(u32, u64)], out: mpsc::Sender<(u32, Digests)>) -> Result<(), Fault>;

    /// Reads the header fields by which people know a message (Message-Id, From, Subject, Date), as they are, cut where
    /// they are very long, into `out`.
    async fn heads(&mut self, uids: &UidSet, out: mpsc::Sender<(u32, Vec<u8>)>) -> Result<(), Fault>;

    /// The bytes of one message of the open folder; `None` when it is not there, or has more than `most`.
    async fn bytes(&mut self, uid: u32, most: u64) -> Result<Option<Vec<u8>>, Fault>;

    /// Says goodbye.
    async fn close(&mut self);
}

/// Opens connections to one account of one kind. Cheap to keep; holds the secret and shows it nowhere.
#[async_trait]
pub trait Driver: Send + Sync {
    /// The account as people know it: `ana@example.com at imap.example.com:993`.
    fn label(&self) -> String;

    /// Connects to read.
    async fn source(&self) -> Result<Box<dyn Source>, Fault>;

    /// Connects to write; a [`FaultKind::Forbidden`](crate::FaultKind) where the kind cannot be written to.
    async fn destination(&self) -> Result<Box<dyn Destination>, Fault>;

    /// Connects as a witness.
    async fn reader(&self) -> Result<Box<dyn Reader>, Fault>;
}
