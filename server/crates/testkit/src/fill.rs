//! Puts generated mail into a server over IMAP: MULTIAPPEND and LITERAL+ where the server has them, several commands
//! under way at once. It does not judge what arrived; `snapshot` does.

pub mod bare;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::client::{Account, RawClient};
use crate::error::{Error, Result};
use crate::mail::{Generated, Profile};
use crate::wire::{Value, quote};

/// A command carries at most this many messages or bytes.
const BATCH_MESSAGES: usize = 64;
const BATCH_BYTES: usize = 4 << 20;
/// Commands sent before the first answer is read. Answers are short, so the window cannot deadlock.
const WINDOW: usize = 4;

/// What was put where.
#[derive(Debug, Clone)]
pub struct FillReport {
    /// The profile as used: with the server's separator kept out of folder names.
    pub profile: Profile,
    /// Messages appended.
    pub messages: usize,
    /// Their bytes.
    pub bytes: u64,
    /// From log-in to the last answer.
    pub elapsed: Duration,
}

/// Creates the profile's folders and appends its messages.
pub fn fill(account: &Account, profile: &Profile) -> Result<FillReport> {
    let started = Instant::now();
    let mut client = RawClient::log_in(account)?;
    let profile = Profile { separator: client.separator().unwrap_or('/'), ..profile.clone() };
    create_folders(&mut client, &profile.folders())?;
    let (messages, bytes) = append(&mut client, profile.generate())?;
    client.log_out()?;
    Ok(FillReport { profile, messages, bytes, elapsed: started.elapsed() })
}

/// Appends single messages to folders, which are created where missing: for tests with a few messages of their own.
pub fn put(account: &Account, messages: impl IntoIterator<Item = Generated>) -> Result<usize> {
    let mut client = RawClient::log_in(account)?;
    let messages: Vec<Generated> = messages.into_iter().collect();
    let mut folders: Vec<String> = Vec::new();
    for message in &messages {
        if !folders.contains(&message.folder) {
            folders.push(message.folder.clone());
        }
    }
    create_folders(&mut client, &folders)?;
    let (count, _) = append(&mut client, messages.into_iter())?;
    client.log_out()?;
    Ok(count)
}

/// Turns `\Flagged` round on every `step`th message of each folder, as a user might between two runs of a copy. Returns
/// how many messages were changed.
pub fn reflag(account: &Account, step: u32) -> Result<usize> {
    let mut client = RawClient::log_in(account)?;
    let folders: Vec<_> = client.list()?.into_iter().filter(crate::client::Listed::selectable).collect();
    let mut changed = 0;
    for folder in folders {
        let mut exists = 0_u32;
        for line in client.command(&format!("SELECT {}", quote(&folder.encoded)))? {
            if line.get(2).is_some_and(|word| word.bytes().eq_ignore_ascii_case(b"EXISTS")) {
                exists = line[1].number().unwrap_or(0);
            }
        }
        let wanted: Vec<u32> = (1..=exists).filter(|number| number.is_multiple_of(step)).collect();
        if wanted.is_empty() {
            continue;
        }
        let mut flagged = Vec::new();
        for line in client.command("SEARCH FLAGGED")? {
            if line.get(1).is_some_and(|word| word.bytes().eq_ignore_ascii_case(b"SEARCH")) {
                flagged.extend(line[2..].iter().filter_map(Value::number::<u32>));
            }
        }
        for number in &wanted {
            let sign = if flagged.contains(number) { '-' } else { '+' };
            client.command(&format!("STORE {number} {sign}FLAGS.SILENT (\\Flagged)"))?;
        }
        changed += wanted.len();
    }
    client.log_out()?;
    Ok(changed)
}

fn create_folders(client: &mut RawClient, folders: &[String]) -> Result<()> {
    let existing: Vec<String> =
        client.list()?.into_iter().filter(crate::client::Listed::selectable).map(|folder| folder.path).collect();
    for path in folders {
        if existing.contains(path) {
            continue;
        }
        let name = quote(&client.encoded_name(path));
        client.command(&format!("CREATE {name}"))?;
        client.command(&format!("SUBSCRIBE {name}"))?;
    }
    Ok(())
}

#[derive(Default)]
struct Batch {
    messages: Vec<Generated>,
    bytes: usize,
}

fn append(client: &mut RawClient, messages: impl Iterator<Item = Generated>) -> Result<(usize, u64)> {
    let literal_plus = client.has("LITERAL+");
    // Without LITERAL+ every literal waits for the server's `+`, so nothing is gained by large commands.
    let batch_messages = if literal_plus && client.has("MULTIAPPEND") { BATCH_MESSAGES } else { 1 };
    let mut batches: BTreeMap<String, Batch> = BTreeMap::new();
    let mut under_way: VecDeque<(String, String)> = VecDeque::new();
    let (mut count, mut bytes) = (0, 0_u64);
    for message in messages {
        count += 1;
        bytes += message.bytes.len() as u64;
        let batch = batches.entry(message.folder.clone()).or_default();
        batch.bytes += message.bytes.len();
        batch.messages.push(message);
        if batch.messages.len() >= batch_messages || batch.bytes >= BATCH_BYTES {
            let batch = std::mem::take(batch);
            send(client, &batch, literal_plus, &mut under_way)?;
        }
    }
    for batch in batches.values().filter(|batch| !batch.messages.is_empty()) {
        send(client, batch, literal_plus, &mut under_way)?;
    }
    while let Some((tag, name)) = under_way.pop_front() {
        client.finish(&tag, &name, |_| Ok(()))?;
    }
    Ok((count, bytes))
}

fn send(
    client: &mut RawClient,
    batch: &Batch,
    literal_plus: bool,
    under_way: &mut VecDeque<(String, String)>,
) -> Result<()> {
    let folder = batch.messages.first().map(|message| message.folder.as_str()).unwrap_or_default();
    let tag = client.next_tag();
    let name = format!("APPEND {folder}");
    let mut out = format!("{tag} APPEND {}", quote(&client.encoded_name(folder))).into_bytes();
    out.reserve(batch.bytes + batch.messages.len() * 128);
    for message in &batch.messages {
        if message.bytes.is_empty() {
            return Err(Error::Protocol("an empty message cannot be appended (RFC 9051 section 6.3.12)".to_owned()));
        }
        let plus = if literal_plus { "+" } else { "" };
        let flags = message.flags.join(" ");
        let head = format!(" ({flags}) \"{}\" {{{}{plus}}}\r\n", message.internal_date, message.bytes.len());
        out.extend_from_slice(head.as_bytes());
        if !literal_plus {
            while let Some((tag, name)) = under_way.pop_front() {
                client.finish(&tag, &name, |_| Ok(()))?;
            }
            client.write(&out)?;
            out.clear();
            client.wait_for_go_ahead(&name)?;
        }
        out.extend_from_slice(&message.bytes);
    }
    out.extend_from_slice(b"\r\n");
    client.write(&out)?;
    under_way.push_back((tag, name));
    while under_way.len() > WINDOW {
        if let Some((tag, name)) = under_way.pop_front() {
            client.finish(&tag, &name, |_| Ok(()))?;
        }
    }
    Ok(())
}
