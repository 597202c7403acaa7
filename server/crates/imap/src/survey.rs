//! The account as a whole: which folders there are, how each of them stands, what the server takes. Everything is
//! asked in as few round trips as the server allows.

use crate::{
    folders::{Listed, Namespace, arrange, guess_prefix, listed},
    mailbox::item,
    session::Session,
    wire::{Command, Response, Value, utf7},
};
use gatepost_transfer::{Fault, FolderState, Limits, Quota, RemoteFolder, Surveyed};
use std::collections::HashMap;

/// How many STATUS commands are under way.
const STATUSES: usize = 64;

impl Session {
    /// A folder's name as it is written on this connection.
    pub(crate) fn wire_name(&self, native: &str) -> Vec<u8> {
        match self.spellings.get(native) {
            Some(spelling) => spelling.clone(),
            None => self.encode(native),
        }
    }

    fn encode(&self, native: &str) -> Vec<u8> {
        if self.utf8 { native.as_bytes().to_vec() } else { utf7::encode(native).into_bytes() }
    }

    fn decode(&self, name: &[u8]) -> String {
        if self.utf8 { String::from_utf8_lossy(name).into_owned() } else { utf7::decode(name) }
    }

    /// Lists the account's own folders.
    pub(crate) async fn list_folders(&mut self) -> Result<Vec<RemoteFolder>, Fault> {
        self.gather(&self.list_command(None), &mut HashMap::new()).await
    }

    /// Lists the account's own folders and tells how each stands.
    pub(crate) async fn survey(&mut self) -> Result<Vec<Surveyed>, Fault> {
        // HIGHESTMODSEQ may be asked for with CONDSTORE (RFC 7162 section 3.1.7).
        let items = if self.keeps_modseqs() {
            "(MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ)"
        } else {
            "(MESSAGES UIDNEXT UIDVALIDITY)"
        };
        let mut told = HashMap::new();
        let mut folders = None;
        if self.offers("LIST-STATUS") && self.offers("LIST-EXTENDED") {
            match self.gather(&self.list_command(Some(items)), &mut told).await {
                Ok(all) => folders = Some(all),
                Err(fault) if !self.connection.is_open() => return Err(fault),
                // Announced and not understood: asked the old way.
                Err(fault) => tracing::info!("LIST with STATUS was refused: {fault}"),
            }
        }
        let folders = match folders {
            Some(folders) => folders,
            None => {
                let folders = self.list_folders().await?;
                let commands: Vec<Command> = folders
                    .iter()
                    .filter(|folder| folder.selectable)
                    .map(|folder| Command::new("STATUS").folder(&self.wire_name(&folder.native)).raw(" ").raw(items))
                    .collect();
                let mut statuses = Vec::new();
                for done in self.run_each(&commands, STATUSES, |response| statuses.extend(status_of(response))).await? {
                    if !done.is_ok() {
                        tracing::debug!(server = %self.server(), "a STATUS was refused: {}", done.words());
                    }
                }
                told.extend(statuses.into_iter().map(|(name, state)| (self.key(&name), state)));
                folders
            }
        };
        let surveyed = folders.into_iter().map(|folder| {
            let status = if folder.selectable { told.get(&fold(&folder.native)).cloned() } else { None };
            Surveyed { folder, status }
        });
        Ok(surveyed.collect())
    }

    /// Whether folders may keep modification sequences; QRESYNC implies CONDSTORE (RFC 7162 section 3.2.3).
    pub(crate) fn keeps_modseqs(&self) -> bool {
        self.offers("CONDSTORE") || self.offers("QRESYNC")
    }

    /// LIST of all folders, with their uses and perhaps their status.
    fn list_command(&self, status: Option<&str>) -> Command {
        // RETURN needs LIST-EXTENDED (RFC 5258), which RFC 6154 does not imply: servers without it tell the special
        // uses in a plain LIST.
        let uses = (self.offers("SPECIAL-USE") && self.offers("LIST-EXTENDED")).then_some("SPECIAL-USE");
        let status = status.map(|items| format!("STATUS {items}"));
        let options: Vec<&str> = uses.into_iter().chain(status.as_deref()).collect();
        Command::new(if options.is_empty() {
            "LIST \"\" \"*\"".to_owned()
        } else {
            format!("LIST \"\" \"*\" RETURN ({})", options.join(" "))
        })
    }

    /// Runs a LIST of all folders; what STATUS responses come with it is told by native name.
    async fn gather(
        &mut self,
        command: &Command,
        told: &mut HashMap<String, FolderState>,
    ) -> Result<Vec<RemoteFolder>, Fault> {
        let (mut raw, mut statuses) = (Vec::new(), Vec::new());
        self.run_ok(command, |response| {
            raw.extend(listed(response));
            statuses.extend(status_of(response));
        })
        .await?;
        let mut all = Vec::with_capacity(raw.len());
        for (name, separator, attributes) in raw {
            let native = self.decode(&name);
            if self.encode(&native) != name && !self.spellings.contains_key(&native) {
                self.spellings.insert(native.clone(), name);
            }
            self.separator = self.separator.or(separator);
            all.push(Listed { native, separator, attributes });
        }
        self.listed = true;
        told.extend(statuses.into_iter().map(|(name, state)| (self.key(&name), state)));
        if self.namespace.is_none()
            && let Some(prefix) = guess_prefix(&all)
        {
            self.namespace = Some(Namespace { personal: vec![(prefix, self.separator)], foreign: Vec::new() });
        }
        Ok(arrange(all, self.namespace.as_ref()))
    }

    /// A name as STATUS answers it, as it is looked up.
    fn key(&self, name: &[u8]) -> String {
        fold(&self.decode(name))
    }

    /// The prefix and the separator for folders that we make.
    pub(crate) async fn naming(&mut self) -> Result<(String, Option<char>), Fault> {
        // Without NAMESPACE the prefix is guessed from what there is.
        if self.namespace.is_none() && !self.listed {
            self.list_folders().await?;
        }
        let own = self.namespace.as_ref().and_then(|n| n.personal.first());
        Ok(match own {
            Some((prefix, separator)) => (prefix.clone(), separator.or(self.separator)),
            None => (String::new(), self.separator),
        })
    }

    /// What the server can do and takes, asked in one round trip.
    pub(crate) async fn read_limits(&mut self) -> Result<Limits, Fault> {
        let mut append_limit = self.capabilities.iter().find_map(|c| c.strip_prefix("APPENDLIMIT=")?.parse().ok());
        let own = self.namespace.as_ref().and_then(|n| n.personal.first()).and_then(|(_, separator)| *separator);
        let mut separator = own.or(self.separator);
        let mut commands = Vec::new();
        if append_limit.is_none() && self.offers("APPENDLIMIT") {
            // RFC 7889: each folder has a limit of its own; the INBOX's stands for all.
            commands.push(Command::new("STATUS INBOX (APPENDLIMIT)"));
        }
        if self.offers("QUOTA") {
            commands.push(Command::new("GETQUOTAROOT INBOX"));
        }
        if separator.is_none() {
            // An empty name asks for the separator alone (RFC 3501 section 6.3.8).
            commands.push(Command::new("LIST \"\" \"\""));
        }
        let mut quota: Option<Quota> = None;
        let ends = self
            .run_each(&commands, commands.len(), |response| match response {
                Response::Data { name, values, .. } if name == "STATUS" => {
                    let limit = values.get(1).and_then(Value::list).and_then(|items| item(items, "APPENDLIMIT"));
                    append_limit = append_limit.or_else(|| limit.and_then(Value::number));
                }
                Response::Data { name, values, .. } if name == "QUOTA" => {
                    if let Some(found) = values.get(1).and_then(Value::list).and_then(storage)
                        && quota.is_none_or(|q| found.limit.saturating_sub(found.used) < q.limit.saturating_sub(q.used))
                    {
                        quota = Some(found);
                    }
                }
                response => separator = separator.or_else(|| listed(response)?.1),
            })
            .await?;
        for (command, done) in commands.iter().zip(ends) {
            if !done.is_ok() {
                tracing::debug!(server = %self.server(), "{} was refused: {}", command.shown(), done.words());
            }
        }
        self.separator = self.separator.or(separator);
        if separator.is_none() && !self.listed {
            separator = self.naming().await?.1;
        }
        Ok(Limits {
            separator,
            server: self.server_name.clone(),
            capabilities: self.capabilities.iter().cloned().collect(),
            append_limit,
            quota,
        })
    }
}

/// Names are compared as they are, but for the INBOX, which servers write in any case.
fn fold(native: &str) -> String {
    if native.eq_ignore_ascii_case("INBOX") { "INBOX".into() } else { native.to_owned() }
}

/// A STATUS response's folder and what it tells; `None` without the two that a state cannot lack.
fn status_of(response: &Response) -> Option<(Vec<u8>, FolderState)> {
    let Response::Data { name, values, .. } = response else { return None };
    if name != "STATUS" {
        return None;
    }
    // A folder called NIL, unquoted.
    let folder = match values.first()? {
        Value::Nil => b"NIL".to_vec(),
        value => value.bytes()?.to_vec(),
    };
    let items = values.get(1)?.list()?;
    let number = |name| item(items, name).and_then(Value::number);
    let small = |name| number(name).and_then(|n| u32::try_from(n).ok());
    let state = FolderState {
        messages: small("MESSAGES")?,
        uid_validity: small("UIDVALIDITY")?,
        uid_next: small("UIDNEXT").filter(|next| *next > 0),
        // 0 says that the folder keeps none (RFC 7162 section 3.1.7).
        highest_modseq: number("HIGHESTMODSEQ").filter(|modseq| *modseq > 0),
        ..FolderState::default()
    };
    Some((folder, state))
}

/// A quota's STORAGE, which counts in units of 1,024 bytes (RFC 9208 section 5.1).
fn storage(resources: &[Value]) -> Option<Quota> {
    resources.chunks_exact(3).find_map(|resource| {
        let named = resource[0].text().is_some_and(|name| name.eq_ignore_ascii_case("STORAGE"));
        let used = resource[1].number()?.saturating_mul(1024);
        named.then_some(Quota { used, limit: resource[2].number()?.saturating_mul(1024) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::value;

    #[test]
    fn a_quota_counts_in_kibibytes() {
        let read = |text: &str| storage(value::parse(text.as_bytes()).unwrap()[0].list().unwrap());
        assert_eq!(read("(MESSAGE 1 2 STORAGE 10 512)"), Some(Quota { used: 10_240, limit: 524_288 }));
        assert_eq!(read("(MESSAGE 1 2)"), None);
        assert_eq!(read("()"), None);
    }

    #[test]
    fn a_status_is_read_as_far_as_it_goes() {
        let read = |text: &str| {
            let values = value::parse(text.as_bytes()).unwrap();
            status_of(&Response::Data { number: None, name: "STATUS".into(), values })
        };
        let state = FolderState { messages: 3, uid_validity: 7, ..FolderState::default() };
        let full = FolderState { uid_next: Some(9), highest_modseq: Some(1 << 40), ..state.clone() };
        let cases = [
            ("a (MESSAGES 3 UIDVALIDITY 7)", Some(("a", state.clone()))),
            ("\"a b\" (MESSAGES 3 UIDNEXT 9 UIDVALIDITY 7 HIGHESTMODSEQ 1099511627776)", Some(("a b", full))),
            ("NIL (messages 3 uidvalidity 7 HIGHESTMODSEQ 0)", Some(("NIL", state))),
            ("a (MESSAGES 3)", None),
            ("a (UIDVALIDITY 3 MESSAGES x)", None),
            ("a", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text), expected.map(|(name, state)| (name.as_bytes().to_vec(), state)), "{text}");
        }
    }
}
