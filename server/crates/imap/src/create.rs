//! Making folders, many at a time. A folder that is there already is fine; what a server refuses is looked at once
//! more before it counts as refused.

use crate::{
    faults::Done,
    folders::{Namespace, listed, native_of},
    session::Session,
    wire::Command,
};
use gatepost_contract::SpecialUse;
use gatepost_transfer::{Fault, FaultKind, FolderPath, RemoteFolder};
use std::collections::{BTreeMap, BTreeSet};

/// How many commands are under way.
const COMMANDS: usize = 64;

impl Session {
    /// Makes folders with all levels above them and subscribes to them; one result for each path.
    pub(crate) async fn create_folders(
        &mut self,
        paths: &[FolderPath],
    ) -> Result<Vec<Result<RemoteFolder, Fault>>, Fault> {
        let (prefix, separator) = self.naming().await?;
        let mut results = self.create_below(paths, &prefix, separator).await?;
        let refused = |result: &Result<_, Fault>| matches!(result, Err(fault) if fault.kind == FaultKind::Refused);
        // A server without NAMESPACE that keeps all folders below an INBOX that has none yet.
        if self.namespace.is_none()
            && separator == Some('.')
            && results.iter().any(refused)
            && self.list_folders().await?.len() == 1
        {
            // One refusal may have had another reason: the mail would lie in the wrong place for good.
            results = self.create_below(paths, &prefix, separator).await?;
            if !results.iter().all(refused) {
                return Ok(results);
            }
            let prefix = "INBOX.".to_owned();
            let again: Vec<usize> = (0..paths.len()).filter(|n| refused(&results[*n])).collect();
            let others: Vec<FolderPath> = again.iter().map(|n| paths[*n].clone()).collect();
            for (n, result) in again.into_iter().zip(self.create_below(&others, &prefix, separator).await?) {
                if result.is_ok() {
                    let personal = vec![(prefix.clone(), separator)];
                    self.namespace = Some(Namespace { personal, foreign: Vec::new() });
                    results[n] = result;
                }
            }
        }
        Ok(results)
    }

    async fn create_below(
        &mut self,
        paths: &[FolderPath],
        prefix: &str,
        separator: Option<char>,
    ) -> Result<Vec<Result<RemoteFolder, Fault>>, Fault> {
        let server = self.server();
        let mut results: Vec<Result<RemoteFolder, Fault>> = paths
            .iter()
            .map(|path| {
                let native = native_of(path, separator, prefix, &server)?;
                let special_use = path.is_inbox().then_some(SpecialUse::Inbox);
                Ok(RemoteFolder { path: path.clone(), native, special_use, selectable: true })
            })
            .collect();
        // Levels above come first.
        let mut wanted: Vec<usize> =
            (0..paths.len()).filter(|n| results[*n].is_ok() && !paths[*n].is_inbox()).collect();
        wanted.sort_by_key(|n| paths[*n].levels().len());
        let names: BTreeMap<usize, Vec<u8>> =
            wanted.iter().filter_map(|n| Some((*n, self.wire_name(&results[*n].as_ref().ok()?.native)))).collect();
        let refused = self.make(&wanted, &names).await?;
        if refused.is_empty() {
            return Ok(results);
        }
        // RFC 3501 section 6.3.3 lets servers make the levels above; some do not.
        let mut above = BTreeSet::new();
        for (n, _) in &refused {
            let levels = paths[*n].levels();
            for depth in 1..levels.len() {
                let native = native_of(&FolderPath::new(&levels[..depth]), separator, prefix, &server)?;
                above.insert((depth, self.wire_name(&native)));
            }
        }
        let commands: Vec<Command> = above.iter().map(|(_, name)| Command::new("CREATE").folder(name)).collect();
        self.run_each(&commands, COMMANDS, |_| {}).await?;
        let nested: Vec<usize> = refused.iter().map(|(n, _)| *n).filter(|n| paths[*n].levels().len() > 1).collect();
        let top = refused.into_iter().filter(|(n, _)| paths[*n].levels().len() == 1).collect();
        let refused = [top, self.make(&nested, &names).await?].concat();
        for (n, done) in refused {
            let mut fault = self.refused(&Command::new("CREATE").folder(&names[&n]), &done);
            if fault.is_transient() {
                return Err(fault);
            }
            if fault.kind == FaultKind::FolderGone {
                fault.kind = FaultKind::Refused;
            }
            results[n] = Err(fault);
        }
        Ok(results)
    }

    /// Creates and subscribes; those that were refused and are not there either.
    async fn make(&mut self, wanted: &[usize], names: &BTreeMap<usize, Vec<u8>>) -> Result<Vec<(usize, Done)>, Fault> {
        let both = |n| [Command::new("CREATE").folder(&names[n]), Command::new("SUBSCRIBE").folder(&names[n])];
        let commands: Vec<Command> = wanted.iter().flat_map(both).collect();
        let ends = self.run_each(&commands, COMMANDS, |_| {}).await?;
        let mut refused = Vec::new();
        for (n, ends) in wanted.iter().zip(ends.chunks_exact(2)) {
            if !ends[0].is_ok() {
                refused.push((*n, ends[0].clone()));
            } else if !ends[1].is_ok() {
                tracing::debug!("a folder was not subscribed to: {}", ends[1].words());
            }
        }
        if refused.is_empty() {
            return Ok(refused);
        }
        let commands: Vec<Command> = refused.iter().map(|(n, _)| Command::new("LIST \"\"").folder(&names[n])).collect();
        let mut there = BTreeSet::new();
        self.run_each(&commands, COMMANDS, |response| {
            if let Some((name, _, attributes)) = listed(response)
                && !attributes.iter().any(|a| a == "\\noselect" || a == "\\nonexistent")
            {
                there.insert(name);
            }
        })
        .await?;
        refused.retain(|(n, _)| !there.contains(&names[n]));
        // Where case does not count (Exchange), a folder that is there is listed under another spelling.
        let known = |done: &Done| done.has_code(&["ALREADYEXISTS"]) || done.words().contains("already exists");
        let alike: Vec<usize> = refused.iter().filter(|(_, done)| known(done)).map(|(n, _)| *n).collect();
        let commands: Vec<Command> =
            alike.iter().map(|n| Command::new("STATUS").folder(&names[n]).raw(" (MESSAGES)")).collect();
        let ends = self.run_each(&commands, COMMANDS, |_| {}).await?;
        for (n, done) in alike.into_iter().zip(ends) {
            if done.is_ok() {
                refused.retain(|(other, _)| *other != n);
            }
        }
        Ok(refused)
    }
}
