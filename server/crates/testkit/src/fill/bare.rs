//! The bare sender: ready-made messages in pipelined MULTIAPPENDs (RFC 3502) over several connections, with no source
//! to read and nothing to record. Its time is what a destination needs at least, the mark that a copy is held against.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use super::{FillReport, create_folders};
use crate::client::{Account, RawClient};
use crate::error::{Error, Result};
use crate::mail::{Generated, Profile};
use crate::wire::quote;

/// A command's messages, all for one folder.
type Batch = Vec<Generated>;

/// Makes all messages, then appends them over `connections` in commands of at most `batch` messages. The time told is
/// that of log-in, sending and answers; making the mail is not in it.
pub fn append(account: &Account, profile: &Profile, connections: usize, batch: usize) -> Result<FillReport> {
    let mut client = RawClient::log_in(account)?;
    if !client.has("LITERAL+") || !client.has("MULTIAPPEND") {
        return Err(Error::Protocol("the bare sender needs LITERAL+ and MULTIAPPEND".to_owned()));
    }
    let profile = Profile { separator: client.separator().unwrap_or('/'), ..profile.clone() };
    create_folders(&mut client, &profile.folders())?;
    client.log_out()?;
    let batches = batches(&profile, batch.max(1));
    let all = batches.iter().flatten();
    let (messages, bytes) = all.fold((0, 0), |(count, sum), message| (count + 1, sum + message.bytes.len() as u64));

    let started = Instant::now();
    let queue = Mutex::new(batches.into_iter());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    thread::scope(|scope| {
        let senders: Vec<_> = (0..connections.max(1)).map(|_| scope.spawn(|| send_all(account, next))).collect();
        senders.into_iter().try_for_each(|sender| {
            sender.join().unwrap_or_else(|_| Err(Error::Protocol("a sender ended early".to_owned())))
        })
    })?;
    Ok(FillReport { profile, messages, bytes, elapsed: started.elapsed() })
}

/// The folders' batches in turn, so that the connections write to different folders where they can.
fn batches(profile: &Profile, size: usize) -> Vec<Batch> {
    let mut folders: BTreeMap<String, Vec<Batch>> = BTreeMap::new();
    for message in profile.generate() {
        let batches = folders.entry(message.folder.clone()).or_default();
        match batches.last_mut() {
            Some(last) if last.len() < size => last.push(message),
            _ => batches.push(vec![message]),
        }
    }
    let mut rounds: Vec<(usize, Batch)> =
        folders.into_values().flat_map(|batches| batches.into_iter().enumerate()).collect();
    rounds.sort_by_key(|(round, _)| *round);
    rounds.into_iter().map(|(_, batch)| batch).collect()
}

/// One connection: the next command is on its way while the answer to the one before is waited for.
fn send_all(account: &Account, next: impl Fn() -> Option<Batch>) -> Result<()> {
    let mut client = RawClient::log_in(account)?;
    let mut waiting = None;
    while let Some(batch) = next() {
        let folder = batch.first().map(|message| message.folder.as_str()).unwrap_or_default();
        let (tag, name) = (client.next_tag(), format!("APPEND {folder}"));
        let mut out = format!("{tag} APPEND {}", quote(&client.encoded_name(folder))).into_bytes();
        for message in &batch {
            let (flags, date, size) = (message.flags.join(" "), message.internal_date, message.bytes.len());
            out.extend_from_slice(format!(" ({flags}) \"{date}\" {{{size}+}}\r\n").as_bytes());
            out.extend_from_slice(&message.bytes);
        }
        out.extend_from_slice(b"\r\n");
        client.write(&out)?;
        if let Some((tag, name)) = waiting.replace((tag, name)) {
            client.finish(&tag, &name, |_| Ok(()))?;
        }
    }
    if let Some((tag, name)) = waiting {
        client.finish(&tag, &name, |_| Ok(()))?;
    }
    client.log_out()
}
