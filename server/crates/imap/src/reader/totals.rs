//! How much each folder holds, as its server says without listing it: for the quick look, which is no evidence.

use super::ImapReader;
use crate::wire::{Response, Value, utf7};
use gatepost_transfer::{Fault, FolderTotals, Reader as _, RemoteFolder};
use std::collections::HashMap;

impl ImapReader {
    /// In one round trip where the server has LIST-STATUS (RFC 5819), else one for each folder.
    pub(super) async fn all_totals(&mut self, folders: &[&RemoteFolder]) -> Result<Vec<Option<FolderTotals>>, Fault> {
        if self.labels.is_some() {
            // Gmail counts a message under each of its labels; which one it belongs under shows only when it is open.
            let mut totals = Vec::with_capacity(folders.len());
            for folder in folders {
                let (_, messages) = self.open(folder).await?;
                totals.push(Some(FolderTotals { messages: messages.into(), bytes: None }));
            }
            return Ok(totals);
        }
        let items = if self.tells_size { "(MESSAGES SIZE)" } else { "(MESSAGES)" };
        let mut known: HashMap<String, FolderTotals> = HashMap::new();
        if self.lists_status {
            let command = format!("LIST \"\" \"*\" RETURN (STATUS {items})");
            let (ok, words) = self.ask(&command, |response| known.extend(told(response))).await?;
            if !ok {
                tracing::info!(server = %self.server, "LIST with STATUS was refused: {words}");
                known.clear();
            }
        }
        let mut totals = Vec::with_capacity(folders.len());
        for folder in folders {
            let name = self.spelled(folder);
            let key = utf7::decode(name.as_bytes());
            if !known.contains_key(&key) {
                let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
                self.ask(&format!("STATUS \"{quoted}\" {items}"), |response| known.extend(told(response))).await?;
            }
            totals.push(known.get(&key).copied());
        }
        Ok(totals)
    }
}

/// A STATUS response's folder, decoded, and how much it holds.
fn told(response: &Response) -> Option<(String, FolderTotals)> {
    let Response::Data { name, values, .. } = response else { return None };
    if name != "STATUS" {
        return None;
    }
    let folder = match values.first()? {
        Value::Nil => "NIL".to_owned(),
        value => utf7::decode(value.bytes()?),
    };
    let items = values.get(1)?.list()?;
    let number = |wanted: &str| {
        let is_it = |pair: &&[Value]| pair[0].text().is_some_and(|name| name.eq_ignore_ascii_case(wanted));
        items.chunks_exact(2).find(is_it).and_then(|pair| pair[1].number())
    };
    Some((folder, FolderTotals { messages: number("MESSAGES")?, bytes: number("SIZE") }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_tells_messages_and_bytes() {
        let atom = |text: &str| Value::Atom(text.into());
        let status = |items: Vec<Value>| Response::Data {
            number: None,
            name: "STATUS".into(),
            values: vec![Value::String("Caf&AOk-".into()), Value::List(items)],
        };
        let both = status(vec![atom("MESSAGES"), atom("7"), atom("size"), atom("900")]);
        assert_eq!(told(&both), Some(("Café".into(), FolderTotals { messages: 7, bytes: Some(900) })));
        assert_eq!(told(&status(vec![atom("SIZE"), atom("900")])), None);
        let one = told(&status(vec![atom("MESSAGES"), atom("7")])).unwrap();
        assert_eq!(one.1, FolderTotals { messages: 7, bytes: None });
    }
}
