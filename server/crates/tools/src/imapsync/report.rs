//! What imapsync prints, line by line, as it comes. Subjects and servers' words stand in its lines, so that any line may
//! look like any other: nothing that is read here decides whether a message has arrived.

use crate::Line;
use std::collections::BTreeMap;

/// How many refused messages, and how many other complaints, are kept.
const REFUSALS: usize = 100_000;
const COMPLAINTS: usize = 1_000;
/// How long kept words may be, in characters.
const WORDS: usize = 500;

/// A message that imapsync says it has copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The source's folder, as the server writes its name.
    pub folder: String,
    /// The message's UID there.
    pub uid: u32,
    /// Its bytes.
    pub bytes: u64,
}

/// What kind of trouble there was with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The destination refused it.
    Append,
    /// It is larger than the destination takes, or than it was told to copy.
    Size,
    /// The destination is full.
    Quota,
    /// The source did not deliver it.
    Fetch,
    /// A connection broke off at it, or the server could not take or give it just then: nothing is said against it.
    Lost,
    /// It was left out for having no headers by which to know it.
    NoHeaders,
}

/// A message that imapsync names as not copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// The source's folder, as the server writes its name.
    pub folder: String,
    /// The message's UID there.
    pub uid: u32,
    /// What kind of trouble it was.
    pub trouble: Trouble,
    /// The words, the server's where there are some.
    pub words: String,
}

/// The figures that it prints at its end. When it began and ended is not among them: the run has that by our own clock.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct Statistics {
    /// Messages that it says it copied.
    pub transferred: Option<u64>,
    /// Messages that it would have copied, where it only tried.
    pub would_transfer: Option<u64>,
    /// Messages that it skipped.
    pub skipped: Option<u64>,
    /// Folders that it went through, and those that it was to go through.
    pub folders_done: Option<u64>,
    /// See there.
    pub folders_total: Option<u64>,
    /// Folders deleted at the destination; has to be 0.
    pub folders_deleted_dest: Option<u64>,
    /// Further copies of a message at the source, which it leaves out unless it goes by UID.
    pub duplicates_source: Option<u64>,
    /// The same at the destination.
    pub duplicates_dest: Option<u64>,
    /// Messages at the destination that another of its folders holds too.
    pub crossduplicates_dest: Option<u64>,
    /// Messages without the headers by which it knows them.
    pub no_headers_source: Option<u64>,
    /// The same at the destination.
    pub no_headers_dest: Option<u64>,
    /// Messages at the source that it does not know again and leaves out, by its last sentences.
    pub unidentified: Option<u64>,
    /// Messages that it says are at the source alone.
    pub only_source: Option<u64>,
    /// Messages that it says are at the destination alone.
    pub only_dest: Option<u64>,
    /// Messages deleted, by side; both have to be 0.
    pub deleted_source: Option<u64>,
    /// See there.
    pub deleted_dest: Option<u64>,
    /// Bytes that it copied.
    pub bytes: Option<u64>,
    /// Bytes that it skipped.
    pub bytes_skipped: Option<u64>,
    /// The largest message that it copied, in bytes.
    pub biggest: Option<u64>,
    /// How long it took.
    pub seconds: Option<f64>,
    /// Messages in a second.
    pub messages_per_second: Option<f64>,
    /// KiB in a second.
    pub kib_per_second: Option<f64>,
    /// How many messages more the destination had than the source before it began; it prints `NA` where it does not know.
    pub difference_before: Option<i64>,
    /// The same when it ended.
    pub difference_after: Option<i64>,
    /// Bytes, as [`Statistics::difference_after`].
    pub difference_after_bytes: Option<i64>,
    /// How often it connected again.
    pub reconnections_source: Option<u64>,
    /// See there.
    pub reconnections_dest: Option<u64>,
    /// Its memory at its end, in MiB.
    pub memory_mib: Option<f64>,
    /// Errors that it counted.
    pub errors: Option<u64>,
    /// Whether it says that all is well.
    pub looks_good: Option<bool>,
}

/// How large it says the accounts are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Sizes {
    /// Folders at the source.
    pub folders_source: Option<u64>,
    /// Messages at the source.
    pub messages_source: Option<u64>,
    /// Messages at the destination, in the same folders.
    pub messages_dest: Option<u64>,
    /// Bytes at the source.
    pub bytes_source: Option<u64>,
    /// Bytes at the destination.
    pub bytes_dest: Option<u64>,
}

/// What imapsync printed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Its version.
    pub version: Option<String>,
    /// Messages that it said, one by one, it had copied.
    pub moved: u64,
    /// Their bytes.
    pub moved_bytes: u64,
    /// Messages that it could not copy, each once.
    pub refused: Vec<Complaint>,
    /// What else it complains of: folders, log-ins, connections.
    pub complaints: Vec<String>,
    /// How large it says the accounts are.
    pub sizes: Sizes,
    /// Its figures; `None` where it did not come so far.
    pub statistics: Option<Statistics>,
    /// Its exit code and that code's name, by its own last line.
    pub exit: Option<(i32, String)>,
    /// The last line of all.
    last_line: String,
    known: BTreeMap<(String, u32), usize>,
    in_statistics: bool,
}

impl Report {
    /// Takes a line; gives the message that it says was copied.
    pub fn take(&mut self, line: &Line) -> Option<Moved> {
        let text = line.text.as_str();
        if !text.trim().is_empty() {
            self.last_line.clear();
            self.last_line.extend(text.trim().chars().take(WORDS));
        }
        if let Some(rest) = text.strip_prefix("msg ") {
            return self.message(rest);
        }
        if let Some(rest) = text.strip_prefix("- msg ") {
            self.refusal(rest);
        } else if let Some(rest) = numbered_error(text) {
            match rest.strip_prefix("- msg ") {
                Some(rest) => self.refusal(rest),
                None => self.complain(rest),
            }
        } else if let Some(rest) = text.strip_prefix("Host1: ").filter(|rest| rest.contains("no wanted headers")) {
            self.without_headers(rest);
        } else if is_complaint(text) {
            self.complain(text);
        } else if let Some(rest) = text.strip_prefix("Here is imapsync ") {
            self.version = rest.split_whitespace().next().map(str::to_owned);
        } else if text.starts_with("++++ ") {
            self.in_statistics = text.starts_with("++++ Statistics");
            if self.in_statistics {
                self.statistics.get_or_insert_default();
            }
        } else if let Some(rest) = text.strip_prefix("Exiting with return value ") {
            self.exit = exit(rest);
        } else if self.in_statistics {
            self.figure(text);
        } else {
            self.size(text);
        }
        None
    }

    /// The last thing that it complained of that is not about a message; where it died without its last line, what it
    /// printed at the very end.
    #[must_use]
    pub fn last_complaint(&self) -> Option<&str> {
        let died = self.exit.is_none() && !self.last_line.is_empty();
        self.complaints.last().or_else(|| died.then_some(&self.last_line)).map(String::as_str)
    }

    fn message(&mut self, rest: &str) -> Option<Moved> {
        // `Arquivo Morto/2 {6145}           copied to Archive/1          174.37 msgs/s …`
        for (at, _) in rest.match_indices("copied to ") {
            let Some((folder, uid, size)) = rest[..at].trim_end().strip_suffix('}').and_then(sized) else { continue };
            self.moved += 1;
            self.moved_bytes = self.moved_bytes.saturating_add(size);
            return Some(Moved { folder: folder.to_owned(), uid, bytes: size });
        }
        // `Notas /3 skipped (51250 exceeds maxsize limit 50000 bytes)`
        let (name, words) = rest.split_once(" skipped (")?;
        let (folder, uid) = place(name)?;
        self.refuse(folder, uid, Trouble::Size, &format!("skipped ({words}"));
        None
    }

    fn refusal(&mut self, rest: &str) {
        // `Enviados/12 {109360} could not append ( Subject:[…], … ) to folder Sent: words`
        for (at, _) in rest.match_indices("} could not append") {
            if let Some((folder, uid, _)) = sized(&rest[..at]) {
                let words = rest[at..].rsplit_once("] ) to folder ").map_or("could not append it", |(_, tail)| tail);
                let words = server_words(words);
                return self.refuse(folder, uid, trouble(words, Trouble::Append), words);
            }
        }
        // `Arquivo Morto/2020/33 {0} S[22417] F[\Seen] I[19-Jun-2018 …] could not be fetched: words`
        for (at, _) in rest.match_indices("} S[") {
            if let Some((folder, uid, _)) = sized(&rest[..at]) {
                let words = rest[at..].split_once("could not be fetched: ").map_or("could not be fetched", |(_, w)| w);
                return self.refuse(folder, uid, trouble(words, Trouble::Fetch), words);
            }
        }
        if let Some((folder, uid)) = rest.strip_suffix(" skipped.").and_then(place) {
            self.refuse(folder, uid, Trouble::Fetch, "skipped");
        }
    }

    /// `Arquivo Morto/2019/84 size 44902 ignored (no wanted headers so we ignore this message. …)`
    fn without_headers(&mut self, rest: &str) {
        let found =
            rest.split_once(" ignored (").and_then(|(name, _)| name.rsplit_once(" size ")).and_then(|(n, _)| place(n));
        if let Some((folder, uid)) = found {
            self.refuse(folder, uid, Trouble::NoHeaders, "left out, for it has no Message-Id");
        }
    }

    /// It tells most refusals twice, when they happen and at its end; the first words stay.
    fn refuse(&mut self, folder: &str, uid: u32, trouble: Trouble, words: &str) {
        if self.refused.len() >= REFUSALS || self.known.contains_key(&(folder.to_owned(), uid)) {
            return;
        }
        self.known.insert((folder.to_owned(), uid), self.refused.len());
        self.refused.push(Complaint { folder: folder.to_owned(), uid, trouble, words: short(words) });
    }

    fn complain(&mut self, words: &str) {
        let words = short(words);
        if self.complaints.len() < COMPLAINTS && !self.complaints.contains(&words) {
            self.complaints.push(words);
        }
    }

    fn figure(&mut self, text: &str) {
        let Some(s) = &mut self.statistics else { return };
        if let Some(rest) = text.strip_prefix("Detected ") {
            s.errors = number(rest);
            return;
        }
        if text.starts_with("The sync looks good") || text.starts_with("The sync is not finished") {
            s.looks_good = Some(text.starts_with("The sync looks good"));
            return;
        }
        if text.starts_with("There is no unidentified message") {
            s.unidentified = Some(0);
            return;
        }
        if let Some(rest) = text.strip_prefix("There are ").filter(|rest| rest.contains(" unidentified messages")) {
            s.unidentified = number(rest);
            return;
        }
        // Labels are padded to 40 columns.
        let Some((label, value)) = text.split_once(':').map(|(label, value)| (label.trim(), value.trim())) else {
            return;
        };
        match label {
            "Messages transferred" => {
                s.transferred = number(value);
                s.would_transfer = value.split_once("(could be ").and_then(|(_, rest)| number(rest));
            }
            "Messages skipped" => s.skipped = number(value),
            "Folders synced" => {
                let (done, total) = value.split_once('/').unwrap_or((value, ""));
                (s.folders_done, s.folders_total) = (number(done), number(total));
            }
            "Folders deleted on host2" => s.folders_deleted_dest = number(value),
            "Messages found crossduplicate on host2" => s.crossduplicates_dest = number(value),
            "Messages found duplicate on host1" => s.duplicates_source = number(value),
            "Messages found duplicate on host2" => s.duplicates_dest = number(value),
            "Messages void (noheader) on host1" => s.no_headers_source = number(value),
            "Messages void (noheader) on host2" => s.no_headers_dest = number(value),
            "Messages found in host1 not in host2" => s.only_source = number(value),
            "Messages found in host2 not in host1" => s.only_dest = number(value),
            "Messages deleted on host1" => s.deleted_source = number(value),
            "Messages deleted on host2" => s.deleted_dest = number(value),
            "Total bytes transferred" => s.bytes = number(value),
            "Total bytes skipped" => s.bytes_skipped = number(value),
            "Biggest message transferred" => s.biggest = number(value),
            "Transfer time" => s.seconds = decimal(value),
            "Message rate" => s.messages_per_second = decimal(value),
            "Average bandwidth rate" => s.kib_per_second = decimal(value),
            "Start difference host2 - host1" => s.difference_before = difference(value).0,
            "Final difference host2 - host1" => (s.difference_after, s.difference_after_bytes) = difference(value),
            "Reconnections to host1" => s.reconnections_source = number(value),
            "Reconnections to host2" => s.reconnections_dest = number(value),
            "Memory consumption at the end" => s.memory_mib = decimal(value),
            _ => {}
        }
    }

    fn size(&mut self, text: &str) {
        let Some((label, value)) = text.split_once(':') else { return };
        let place = match label.trim() {
            "Host1 Nb folders" => &mut self.sizes.folders_source,
            "Host1 Nb messages" => &mut self.sizes.messages_source,
            "Host2 Nb messages" => &mut self.sizes.messages_dest,
            "Host1 Total size" => &mut self.sizes.bytes_source,
            "Host2 Total size" => &mut self.sizes.bytes_dest,
            _ => return,
        };
        *place = number(value);
    }
}

/// `FOLDER/UID {SIZE`
fn sized(text: &str) -> Option<(&str, u32, u64)> {
    let (name, size) = text.rsplit_once(" {")?;
    let (folder, uid) = place(name)?;
    Some((folder, uid, size.parse().ok()?))
}

/// `FOLDER/UID`
fn place(name: &str) -> Option<(&str, u32)> {
    let (folder, uid) = name.rsplit_once('/')?;
    let digits = !uid.is_empty() && uid.bytes().all(|b| b.is_ascii_digit());
    (digits && !folder.is_empty()).then(|| uid.parse().ok()).flatten().map(|uid| (folder, uid))
}

/// `Err 25/44: words`
fn numbered_error(text: &str) -> Option<&str> {
    let (numbers, words) = text.strip_prefix("Err ")?.split_once(": ")?;
    let (n, all) = numbers.split_once('/')?;
    [n, all].iter().all(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit())).then_some(words)
}

fn is_complaint(text: &str) -> bool {
    let host = text.strip_prefix("Host1 ").or_else(|| text.strip_prefix("Host2 "));
    host.is_some_and(|rest| rest.starts_with("failure: ") || rest.contains(": Could not select"))
        || ["Failure: ", "Could not create folder ", "Can't locate ", "Unknown option"].iter().any(|p| text.starts_with(p))
        // A program that dies says where.
        || text.contains(" at ") && text.trim_end().ends_with('.') && text.contains(" line ")
}

/// `0 (EX_OK: successful termination) 0/50 nb_errors/max_errors PID 7028`
fn exit(rest: &str) -> Option<(i32, String)> {
    let (code, rest) = rest.split_once(' ')?;
    let name = rest.strip_prefix('(')?.split_once(')')?.0;
    Some((code.parse().ok()?, name.split(':').next().unwrap_or(name).to_owned()))
}

/// What a server said, out of `Sent: Error sending '236 APPEND …': 236 NO [OVERQUOTA] Quota exceeded …`.
fn server_words(words: &str) -> &str {
    let said = match words.rsplit_once("': ") {
        Some((_, said)) => said,
        None => words.split_once(": ").map_or(words, |(_, said)| said),
    };
    // Its tag tells nobody anything.
    match said.split_once(' ') {
        Some((tag, said)) if !tag.is_empty() && tag.bytes().all(|b| b.is_ascii_digit()) => said,
        _ => said,
    }
}

fn trouble(words: &str, otherwise: Trouble) -> Trouble {
    let upper = words.to_ascii_uppercase();
    let has = |signs: &[&str]| signs.iter().any(|sign| upper.contains(sign));
    if has(&["OVERQUOTA", "OVER QUOTA", "QUOTA EXCEEDED", "MAILBOX IS FULL", "MAILBOX FULL"]) {
        Trouble::Quota
    } else if has(&["TOOBIG", "TOO LARGE", "TOO BIG", "LARGER THAN", "MAXIMUM MESSAGE SIZE", "MAXIMUM SIZE"]) {
        Trouble::Size
    } else if has(&[
        "NOT CONNECTED",
        "SOCKET CLOSED",
        "UNABLE TO CONNECT",
        "TIMED OUT",
        "TIMEOUT",
        "BROKEN PIPE",
        "RESET BY PEER",
        // Answers that pass (RFC 5530 section 3). LIMIT and SERVERBUG often stay with one message.
        "[UNAVAILABLE]",
        "[INUSE]",
        "THROTTL",
        "SERVER UNAVAILABLE",
        "TEMPORAR",
        "TRY AGAIN",
        "TOO MANY CONNECTIONS",
        "TOO MANY REQUESTS",
        "RATE LIMIT",
        "BACK OFF",
    ]) {
        Trouble::Lost
    } else {
        otherwise
    }
}

fn number(text: &str) -> Option<u64> {
    let text = text.trim_start();
    let end = text.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

/// `-7 messages, -98695 bytes (-96.382 KiB)`
fn difference(text: &str) -> (Option<i64>, Option<i64>) {
    let (messages, bytes) = text.split_once(" messages, ").unwrap_or((text, ""));
    (messages.trim().parse().ok(), bytes.split(' ').next().and_then(|bytes| bytes.parse().ok()))
}

fn decimal(text: &str) -> Option<f64> {
    text.split_whitespace().next()?.parse().ok().filter(|n: &f64| n.is_finite())
}

fn short(words: &str) -> String {
    words.trim().chars().take(WORDS).collect()
}
