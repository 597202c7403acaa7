//! One message of the residue, read from its source for a person: its headers as text, or whole as it streams.
//!
//! Nothing of it is kept, parsed or rendered here. Whoever reads one is named in the audit log.

use crate::{
    Access, Actor, Error, Gatepost, Result, access::source_access, audit::Entry, budgets::Kept, residue::is_residue,
    work::internal,
};
use bytes::Bytes;
use gatepost_contract::{MessageHeaders, MessageId};
use gatepost_store::{mailboxes, messages, messages::MessageDetail};
use gatepost_transfer::{Budget, Fault, FaultKind, FolderPath, Incoming, Source, UidSet};
use std::{io, time::Duration};
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    time::timeout,
};

/// How many messages are read for people at once. The rest wait.
static READING: Semaphore = Semaphore::const_new(8);
/// How long a place, a connection and the first byte may take together.
const OPENING: Duration = Duration::from_secs(45);
/// How long nothing may come, and how long nobody may take it.
const STALLED: Duration = Duration::from_secs(60);
/// How long the whole may take.
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
        let mut conn = self.store().reader().await?;
        let message =
            messages::get(&mut conn, id).await?.filter(|m| is_residue(&m.residue)).ok_or(Error::NotFound("message"))?;
        let mailbox = mailboxes::get(&mut conn, message.residue.mailbox_id).await?.ok_or(Error::NotFound("mailbox"))?;
        if message.folder_gone {
            return Err(failed(no_more()));
        }
        let access = source_access(self, &mut conn, &mailbox).await.map_err(failed)?;
        drop(conn);
        let budget = self.budgets().of(self.store(), &access.host, access.owner()).await?;
        let mut tx = self.store().begin().await?;
        Entry::new(actor, action, format!("message/{id}")).job(message.job_id).write(&mut tx).await?;
        tx.commit().await?;

        let (begun, begins) = oneshot::channel();
        let (out, body) = mpsc::channel(WAITING);
        tokio::spawn(serve(self.clone(), Wanted { message, access, budget }, begun, out));
        match timeout(OPENING, begins).await {
            Ok(Ok(Ok(size))) => Ok((size, body)),
            Ok(Ok(Err(fault))) => Err(failed(fault)),
            Ok(Err(_)) => Err(Error::internal("the reading of a message ended without a word")),
            Err(_) => Err(Error::Elsewhere {
                code: "source_busy",
                detail: format!(
                    "The old server gave no free connection within {} seconds. Runs may be using all that its limits \
                     allow. Try again in a minute.",
                    OPENING.as_secs()
                ),
            }),
        }
    }
}

struct Wanted {
    message: MessageDetail,
    access: Access,
    budget: Kept,
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
        None => drop(out.send(Err(io::Error::other(fault.sentence))).await),
    }
}

async fn read(
    gatepost: &Gatepost,
    wanted: Wanted,
    begun: &mut Option<Begun>,
    out: &Out,
) -> std::result::Result<(), Fault> {
    let _place = READING.acquire().await.map_err(internal)?;
    let budget = wanted.budget.budget;
    let _granted = Budget::connections(&budget, &Budget::unlimited(), &|_, _| {}).await;
    let mut source = gatepost.drivers().imap(wanted.access).source().await?;
    let result = fetch(&mut *source, &wanted.message, &budget, begun, out).await;
    if result.is_ok() {
        // A goodbye that is not heard changes nothing.
        let _ = timeout(FAREWELL, source.close()).await;
    }
    result
}

async fn fetch(
    source: &mut dyn Source,
    message: &MessageDetail,
    budget: &std::sync::Arc<Budget>,
    begun: &mut Option<Begun>,
    out: &Out,
) -> std::result::Result<(), Fault> {
    let path = FolderPath::from(message.residue.folder.as_str());
    let uid = u32::try_from(message.residue.source_uid)
        .map_err(|_| internal(format!("the ledger holds {} where a UID belongs", message.residue.source_uid)))?;
    let folders = source.folders().await?;
    let folder = folders.iter().find(|f| f.path == path && f.selectable).ok_or_else(no_more)?;
    let state = source.open(folder).await?;
    if message.epoch.is_some_and(|epoch| epoch != i64::from(state.uid_validity)) {
        return Err(Fault::new(
            FaultKind::FolderGone,
            "The old server has numbered the folder's messages anew (UIDVALIDITY). Run a delta sync, then look again.",
        ));
    }
    let (ask, asked) = mpsc::channel(1);
    let (deliver, delivered) = mpsc::channel(WAITING);
    let asking = async move {
        // Who does not want it any more has ended with a fault of its own.
        let _ = ask.send([uid].into_iter().collect::<UidSet>()).await;
    };
    let taking = async {
        // Its end tells the source that no more is wanted.
        let mut delivered = delivered;
        loop {
            let next = timeout(STALLED, delivered.recv())
                .await
                .map_err(|_| Fault::new(FaultKind::Timeout, "The old server stopped in the middle of the message."))?;
            match next {
                None | Some(Incoming::End) => return Ok(()),
                Some(Incoming::Begin { size, .. }) => {
                    Budget::pass(budget, &Budget::unlimited(), size).await?;
                    if let Some(begun) = begun.take() {
                        let _ = begun.send(Ok(size));
                    }
                }
                Some(Incoming::Data(bytes)) => match timeout(STALLED, out.send(Ok(bytes))).await {
                    Ok(Ok(())) => {}
                    // Nobody listens any more, or has not for a long time.
                    Ok(Err(_)) | Err(_) => return Ok(()),
                },
                Some(Incoming::Gone { .. }) => return Err(no_more()),
                Some(Incoming::Unreadable { words, .. }) => {
                    let sentence = format!("The old server does not deliver the message: {words}");
                    return Err(Fault::new(FaultKind::Refused, sentence));
                }
            }
        }
    };
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
        Some(_) => Err(no_more()),
        None => Ok(()),
    }
}

fn no_more() -> Fault {
    Fault::new(
        FaultKind::FolderGone,
        "The message is not at the old server any more. The next delta sync takes it out of the residue.",
    )
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
}
