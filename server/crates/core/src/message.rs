//! One message of the residue, read from its source for a person: its headers as text, or whole as it streams.
//!
//! Nothing of it is kept, parsed or rendered here. Whoever reads one is named in the audit log.

use crate::{
    Actor, Error, Gatepost, Result,
    access::{SourceAccess, source_access},
    audit::Entry,
    budgets::Kept,
    residue::is_residue,
    work::internal,
};
use bytes::Bytes;
use gatepost_contract::{MessageHeaders, MessageId};
use gatepost_store::{mailboxes, messages, messages::MessageDetail};
use gatepost_transfer::{Budget, Fault, FaultKind, FolderPath, Incoming, Source, UidSet};
use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    time::{Instant, timeout, timeout_at},
};

/// How many messages are read for people at once, and for one of them. The rest wait.
const READING: usize = 8;
const READING_EACH: usize = 2;
/// How long a place, a connection and the first byte may take together.
const OPENING: Duration = Duration::from_secs(45);
/// How long the whole may take, whatever its size.
const WHOLE: Duration = Duration::from_secs(30 * 60);
/// How long the end of a command and of a connection are waited for once all is there.
const FAREWELL: Duration = Duration::from_secs(5);
/// How many pieces of at most 64 KiB wait for their reader.
const WAITING: usize = 8;
/// How much of the headers is shown, in bytes.
const HEADERS: usize = 64 * 1024;

/// A message on its way to a person. Dropping it ends the reading.
#[derive(Debug)]
pub struct MessageDownload {
    /// How many bytes will come.
    pub size: u64,
    /// What a file of it may be called.
    pub file_name: String,
    /// The bytes; an error means that the rest will not come.
    pub body: mpsc::Receiver<io::Result<Bytes>>,
}

/// How patiently a message is passed from the old server to a person.
#[derive(Clone, Copy, Debug)]
struct Patience {
    /// How long nothing may come, and how long nobody may take it.
    stalled: Duration,
    /// How long any message may take.
    least: Duration,
    /// Bytes a second that are expected of both sides on top of that.
    rate: u64,
}

/// A minute, and what a line of half a megabit a second needs.
const PATIENCE: Patience =
    Patience { stalled: Duration::from_secs(60), least: Duration::from_secs(60), rate: 64 * 1024 };

impl Patience {
    /// How long a message of a size may take.
    fn whole(self, size: u64) -> Duration {
        self.least.saturating_add(Duration::from_secs(size / self.rate)).min(WHOLE)
    }

    /// Until when the next step may take, if the whole must end at a time.
    fn step(self, end: Option<Instant>) -> Instant {
        let next = Instant::now() + self.stalled;
        end.map_or(next, |end| end.min(next))
    }
}

/// The places at which messages are read for people. Nobody can take all of them.
pub(crate) struct Readers {
    all: Arc<Semaphore>,
    each: Mutex<HashMap<String, Weak<Semaphore>>>,
}

impl Default for Readers {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(READING)), each: Mutex::default() }
    }
}

impl Readers {
    /// One of the places of a person. It does not count for others until one is free.
    async fn place(&self, actor: &Actor) -> Result<Place> {
        let own = {
            let mut each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
            each.retain(|_, places| places.strong_count() > 0);
            let known = each.get(&actor.label()).and_then(Weak::upgrade);
            known.unwrap_or_else(|| {
                let places = Arc::new(Semaphore::new(READING_EACH));
                each.insert(actor.label(), Arc::downgrade(&places));
                places
            })
        };
        let permit = own.clone().acquire_owned().await.map_err(Error::internal)?;
        let shared = self.all.clone().acquire_owned().await.map_err(Error::internal)?;
        Ok(Place { _own: permit, _shared: shared, _places: own })
    }
}

/// A place, until it is dropped.
struct Place {
    _own: OwnedSemaphorePermit,
    _shared: OwnedSemaphorePermit,
    /// Keeps the person's places known.
    _places: Arc<Semaphore>,
}

impl Gatepost {
    /// Reads a message of the residue from its source, whole and as it is there.
    pub async fn download_message(&self, actor: &Actor, id: MessageId) -> Result<MessageDownload> {
        let (size, body) = self.read_message(actor, id, "message.download").await?;
        Ok(MessageDownload { size, file_name: format!("message-{id}.eml"), body })
    }

    /// Reads the headers of a message of the residue, as lines of text. Characters that would steer a terminal or turn
    /// the text round are made visible.
    pub async fn message_headers(&self, actor: &Actor, id: MessageId) -> Result<MessageHeaders> {
        let (_, mut body) = self.read_message(actor, id, "message.headers").await?;
        let mut bytes: Vec<u8> = Vec::new();
        let mut end = None;
        while let (None, Some(piece)) = (end, body.recv().await) {
            let piece = piece.map_err(|e| Error::Elsewhere { code: "source_failed", detail: e.to_string() })?;
            let from = bytes.len().saturating_sub(3);
            bytes.extend_from_slice(&piece);
            end = end_of_headers(&bytes, from).or((bytes.len() >= HEADERS).then_some(bytes.len()));
        }
        drop(body);
        let end = end.unwrap_or(bytes.len());
        let truncated = end > HEADERS;
        bytes.truncate(end.min(HEADERS));
        Ok(MessageHeaders { message_id: id, lines: visible_lines(&bytes), truncated })
    }

    async fn read_message(
        &self,
        actor: &Actor,
        id: MessageId,
        action: &'static str,
    ) -> Result<(u64, mpsc::Receiver<io::Result<Bytes>>)> {
        actor.manage()?;
        let place = timeout(OPENING, self.readers().place(actor)).await.map_err(|_| {
            Error::conflict(
                "too_many_readings",
                format!(
                    "{READING_EACH} messages are being read for you already, or {READING} for everybody. Try again \
                     when one of them is done."
                ),
            )
        })??;
        let mut conn = self.store().reader().await?;
        let message =
            messages::get(&mut conn, id).await?.filter(|m| is_residue(&m.residue)).ok_or(Error::NotFound("message"))?;
        let mailbox = mailboxes::get(&mut conn, message.residue.mailbox_id).await?.ok_or(Error::NotFound("mailbox"))?;
        let origin = if mailbox.source_type.is_file() { Origin::File } else { Origin::Server };
        if message.folder_gone {
            return Err(failed(origin.no_more()));
        }
        let access = source_access(self, &mut conn, &mailbox).await.map_err(failed)?;
        drop(conn);
        let budget = access.budget(self).await?;
        let mut tx = self.store().begin().await?;
        Entry::new(actor, action, format!("message/{id}")).job(message.job_id).write(&mut tx).await?;
        tx.commit().await?;

        let (begun, begins) = oneshot::channel();
        let (out, body) = mpsc::channel(WAITING);
        tokio::spawn(serve(self.clone(), Wanted { message, access, origin, budget, place }, begun, out));
        match timeout(OPENING, begins).await {
            Ok(Ok(Ok(size))) => Ok((size, body)),
            Ok(Ok(Err(fault))) => Err(failed(fault)),
            Ok(Err(_)) => Err(Error::internal("the reading of a message ended without a word")),
            Err(_) => Err(Error::Elsewhere { code: "source_busy", detail: origin.too_long() }),
        }
    }
}

/// Where a message lies, as people know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Server,
    File,
}

impl Origin {
    const fn name(self) -> &'static str {
        match self {
            Self::Server => "The old server",
            Self::File => "The file",
        }
    }

    fn no_more(self) -> Fault {
        let sentence = match self {
            Self::Server => {
                "The message is not at the old server any more. The next delta sync takes it out of the residue."
            }
            Self::File => {
                "The message is in none of the mailbox's files any more. The next delta sync takes it out of the residue."
            }
        };
        Fault::new(FaultKind::FolderGone, sentence)
    }

    fn renumbered(self) -> Fault {
        let sentence = match self {
            Self::Server => "The old server has numbered the folder's messages anew (UIDVALIDITY).",
            Self::File => "The mailbox's files are others than those that were copied from.",
        };
        Fault::new(FaultKind::FolderGone, format!("{sentence} Run a delta sync, then look again."))
    }

    fn too_long(self) -> String {
        let seconds = OPENING.as_secs();
        match self {
            Self::Server => format!(
                "The old server gave no free connection within {seconds} seconds. Runs may be using all that its limits \
                 allow. Try again in a minute."
            ),
            Self::File => format!("The file could not be opened within {seconds} seconds. Try again in a minute."),
        }
    }
}

struct Wanted {
    message: MessageDetail,
    access: SourceAccess,
    origin: Origin,
    budget: Kept,
    place: Place,
}

type Begun = oneshot::Sender<std::result::Result<u64, Fault>>;
type Out = mpsc::Sender<io::Result<Bytes>>;

/// Reads to the end, to the first fault, or until nobody listens any more.
async fn serve(gatepost: Gatepost, wanted: Wanted, begun: Begun, out: Out) {
    let mut begun = Some(begun);
    let budget = wanted.budget.clone();
    let reading = async {
        tokio::select! {
            result = timeout(WHOLE, read(&gatepost, wanted, &mut begun, &out)) => {
                result.unwrap_or_else(|_| Err(Fault::new(FaultKind::Timeout, "The message took too long to come.")))
            }
            () = out.closed() => Ok(()),
        }
    };
    let result = gatepost.budgets().in_step(gatepost.store(), [&budget, &budget], reading).await;
    let Err(fault) = result else { return };
    if let Some(cause) = &fault.cause {
        tracing::warn!(%cause, "{}", fault.sentence);
    }
    match begun.take() {
        // Nobody waiting for it any more is fine, here and below.
        Some(begun) => drop(begun.send(Err(fault))),
        None => drop(timeout(PATIENCE.stalled, out.send(Err(io::Error::other(fault.sentence)))).await),
    }
}

async fn read(
    gatepost: &Gatepost,
    wanted: Wanted,
    begun: &mut Option<Begun>,
    out: &Out,
) -> std::result::Result<(), Fault> {
    let _place = wanted.place;
    let budget = wanted.budget.budget;
    let _granted = Budget::connections(&budget, &Budget::unlimited(), &|_, _| {}).await;
    let mut source = wanted.access.driver(gatepost).source().await?;
    let result = fetch(&mut *source, &wanted.message, wanted.origin, &budget, begun, out).await;
    if result.is_ok() {
        // A goodbye that is not heard changes nothing.
        let _ = timeout(FAREWELL, source.close()).await;
    }
    result
}

async fn fetch(
    source: &mut dyn Source,
    message: &MessageDetail,
    origin: Origin,
    budget: &Arc<Budget>,
    begun: &mut Option<Begun>,
    out: &Out,
) -> std::result::Result<(), Fault> {
    let path = FolderPath::from(message.residue.folder.as_str());
    let uid = u32::try_from(message.residue.source_uid)
        .map_err(|_| internal(format!("the ledger holds {} where a UID belongs", message.residue.source_uid)))?;
    let folders = source.folders().await?;
    let folder = folders.iter().find(|f| f.path == path && f.selectable).ok_or_else(|| origin.no_more())?;
    let state = source.open(folder).await?;
    if message.epoch.is_some_and(|epoch| epoch != i64::from(state.uid_validity)) {
        return Err(origin.renumbered());
    }
    let (ask, asked) = mpsc::channel(1);
    let (deliver, delivered) = mpsc::channel(WAITING);
    let asking = async move {
        // Who does not want it any more has ended with a fault of its own.
        let _ = ask.send([uid].into_iter().collect::<UidSet>()).await;
    };
    let taking = take(delivered, PATIENCE, origin, budget, begun, out);
    let fetching = async {
        let ((), fetched) = tokio::join!(asking, source.fetch(asked, deliver));
        fetched
    };
    // What was taken decides; when it has ended early, the rest of the message is of no interest.
    {
        tokio::pin!(fetching, taking);
        tokio::select! {
            biased;
            taken = &mut taking => {
                taken?;
                let _ = timeout(FAREWELL, &mut fetching).await;
            }
            fetched = &mut fetching => {
                fetched?;
                taking.await?;
            }
        }
    }
    match begun {
        Some(_) => Err(origin.no_more()),
        None => Ok(()),
    }
}

/// Hands a message on as it comes. Its end tells the source that no more is wanted.
async fn take(
    mut delivered: mpsc::Receiver<Incoming>,
    patience: Patience,
    origin: Origin,
    budget: &Arc<Budget>,
    begun: &mut Option<Begun>,
    out: &Out,
) -> std::result::Result<(), Fault> {
    let mut end: Option<Instant> = None;
    let too_slow = |end: Option<Instant>, stalled: &str| {
        let late = end.is_some_and(|end| end <= Instant::now());
        let sentence =
            if late { "The message took too long for its size. Try again over a faster line." } else { stalled };
        Fault::new(FaultKind::Timeout, sentence)
    };
    loop {
        let next = timeout_at(patience.step(end), delivered.recv())
            .await
            .map_err(|_| too_slow(end, &format!("{} stopped in the middle of the message.", origin.name())))?;
        match next {
            None | Some(Incoming::End) => return Ok(()),
            Some(Incoming::Begin { size, .. }) => {
                Budget::pass(budget, &Budget::unlimited(), size).await?;
                end = Some(Instant::now() + patience.whole(size));
                if let Some(begun) = begun.take() {
                    let _ = begun.send(Ok(size));
                }
            }
            Some(Incoming::Data(bytes)) => match timeout_at(patience.step(end), out.send(Ok(bytes))).await {
                Ok(Ok(())) => {}
                // Nobody listens any more.
                Ok(Err(_)) => return Ok(()),
                Err(_) => return Err(too_slow(end, "Nobody has taken the rest of the message.")),
            },
            Some(Incoming::Gone { .. }) => return Err(origin.no_more()),
            Some(Incoming::Unreadable { words, .. }) => {
                let sentence = format!("{} does not deliver the message: {words}", origin.name());
                return Err(Fault::new(FaultKind::Refused, sentence));
            }
        }
    }
}

fn failed(fault: Fault) -> Error {
    match fault.kind {
        FaultKind::Internal if fault.cause.is_some() => Error::internal(fault),
        FaultKind::FolderGone => Error::conflict("source_gone", fault.sentence),
        FaultKind::Internal => Error::conflict("not_readable", fault.sentence),
        _ => Error::Elsewhere { code: "source_failed", detail: fault.sentence },
    }
}

/// Where the headers end: behind the first empty line, looking from an offset on.
fn end_of_headers(bytes: &[u8], from: usize) -> Option<usize> {
    if bytes.first() == Some(&b'\n') || bytes.starts_with(b"\r\n") {
        return Some(0);
    }
    let rest = &bytes[from..];
    let crlf = rest.windows(4).position(|w| w == b"\r\n\r\n");
    let lf = rest.windows(2).position(|w| w == b"\n\n");
    [crlf, lf].into_iter().flatten().min().map(|at| from + at)
}

/// Lines of text in which nothing is hidden: control characters, and those that turn text round or take no place,
/// stand as their names.
fn visible_lines(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    text.lines().map(|line| line.chars().map(visible).collect()).collect()
}

fn visible(c: char) -> std::borrow::Cow<'static, str> {
    use std::borrow::Cow;
    match c {
        '\t' => Cow::Borrowed("\t"),
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}').to_string().into(),
        '\u{7f}' => Cow::Borrowed("\u{2421}"),
        '\u{80}'..='\u{9f}'
        | '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}' => format!("‹U+{:04X}›", u32::from(c)).into(),
        c => c.to_string().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_end_at_the_first_empty_line() {
        for (text, end) in [
            ("A: b\r\n\r\nbody", Some(4)),
            ("A: b\n\nbody", Some(4)),
            ("A: b\r\nC: d\r\n\r\n", Some(10)),
            ("A: b\n\r\n", None),
            ("A: b", None),
            ("\r\nbody", Some(0)),
            ("\nbody", Some(0)),
            ("", None),
        ] {
            assert_eq!(end_of_headers(text.as_bytes(), 0), end, "{text:?}");
        }
        assert_eq!(end_of_headers(b"A: b\r\n\r\n", 3), Some(4), "an end that came in two pieces");
    }

    #[test]
    fn nothing_in_a_header_is_hidden() {
        for (line, shown) in [
            ("Subject: plain\tãé 日本", "Subject: plain\tãé 日本"),
            ("a\u{1b}[31mred\u{7f}\0", "a\u{241b}[31mred\u{2421}\u{2400}"),
            ("invoice\u{202e}fdp.exe", "invoice‹U+202E›fdp.exe"),
            ("pay\u{200b}pal\u{feff}\u{85}", "pay‹U+200B›pal‹U+FEFF›‹U+0085›"),
            ("a\rb", "a\u{240d}b"),
        ] {
            assert_eq!(visible_lines(line.as_bytes()), [shown]);
        }
        assert_eq!(visible_lines(b"a: \xff\xfe\r\nb"), ["a: \u{fffd}\u{fffd}", "b"]);
    }

    fn person(id: i64) -> Actor {
        let role = gatepost_contract::Role::Technician;
        let id = gatepost_contract::UserId(id);
        Actor::User { id, email: format!("{id}@desk.example"), name: String::new(), role }
    }

    #[tokio::test]
    async fn nobody_takes_the_places_of_everybody() {
        let readers = Readers::default();
        let busy = person(1);
        let mut held = vec![readers.place(&busy).await.expect("a place"), readers.place(&busy).await.expect("a place")];
        let mut third = Box::pin(readers.place(&busy));
        assert!(futures::poll!(&mut third).is_pending(), "a third waits");
        for id in 2..5 {
            for _ in 0..READING_EACH {
                held.push(readers.place(&person(id)).await.expect("others do not"));
            }
        }
        assert!(futures::poll!(Box::pin(readers.place(&person(9)))).is_pending(), "all places are taken");
        held.remove(0);
        assert!(futures::poll!(&mut third).is_ready(), "the one that was given back");
        drop((held, third));
        readers.place(&busy).await.expect("a place");
        assert_eq!(readers.each.lock().expect("sound").len(), 1, "who reads nothing is forgotten");
    }

    #[test]
    fn a_message_may_take_longer_the_larger_it_is_and_never_for_ever() {
        for (size, seconds) in [(0, 60), (640 * 1024, 70), (50 << 20, 860), (1 << 40, 1800), (u64::MAX, 1800)] {
            assert_eq!(PATIENCE.whole(size).as_secs(), seconds, "{size}");
        }
    }

    #[tokio::test]
    async fn who_takes_a_message_piece_by_piece_for_ever_is_cut_off() {
        let (deliver, delivered) = mpsc::channel(1);
        let (out, mut body) = mpsc::channel(1);
        let (begun, begins) = oneshot::channel();
        let patience = Patience { stalled: Duration::from_secs(60), least: Duration::from_millis(50), rate: 1 << 20 };
        let endless = async {
            deliver.send(Incoming::Begin { uid: 1, size: 10 }).await.expect("a reader");
            while deliver.send(Incoming::Data(Bytes::from_static(b"x"))).await.is_ok() {}
        };
        let budget = Budget::unlimited();
        let mut begun = Some(begun);
        let taking = async { take(delivered, patience, Origin::Server, &budget, &mut begun, &out).await };
        let reading = async { while body.recv().await.is_some() {} };
        let fault = tokio::select! {
            taken = async { tokio::join!(taking, endless).0 } => taken.expect_err("the end"),
            () = reading => panic!("the reader goes on"),
            () = tokio::time::sleep(Duration::from_secs(30)) => panic!("it never ends"),
        };
        assert_eq!((fault.kind, begins.await.expect("a beginning").expect("a size")), (FaultKind::Timeout, 10));
        assert!(fault.sentence.contains("too long for its size"), "{fault:?}");
    }
}
