//! Opening a folder (EXAMINE and SELECT), and reading the items of FETCH responses.

use crate::{
    session::{OpenFolder, Session},
    wire::{Command, Response, Status, Value, value},
};
use gatepost_transfer::{Fault, FaultKind, Flags, FolderState, RemoteFolder};

/// How a folder is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// EXAMINE: nothing can be changed.
    ReadOnly,
    /// SELECT.
    ReadWrite,
}

impl Session {
    /// Opens a folder.
    pub(crate) async fn open_folder(&mut self, folder: &RemoteFolder, mode: Mode) -> Result<FolderState, Fault> {
        self.open = None;
        let name = self.wire_name(&folder.native);
        let mut command = Command::new(match mode {
            Mode::ReadOnly => "EXAMINE",
            Mode::ReadWrite => "SELECT",
        })
        .folder(&name);
        let condstore = self.keeps_modseqs();
        if condstore {
            command = command.raw(" (CONDSTORE)");
        }
        let mut state = FolderState::default();
        let mut read_only = false;
        let done = self.run_ok(&command, |response| take_state(&mut state, response)).await?;
        if let Some(code) = &done.code {
            read_only = code.name == "READ-ONLY";
        }
        if mode == Mode::ReadWrite && read_only {
            return Err(Fault::new(
                FaultKind::Refused,
                format!(
                    "{} opens the folder \"{}\" read-only. Check the account's rights to it.",
                    self.server(),
                    folder.path
                ),
            ));
        }
        let modseqs = condstore && state.highest_modseq.is_some();
        self.open = Some(OpenFolder { folder: folder.clone(), state: state.clone(), modseqs });
        Ok(state)
    }

    /// The open folder, for sentences.
    pub(crate) fn open_name(&self) -> String {
        self.open.as_ref().map_or_else(|| "no folder".to_owned(), |open| format!("the folder \"{}\"", open.folder.path))
    }
}

fn take_state(state: &mut FolderState, response: &Response) {
    match response {
        Response::Data { number: Some(number), name, .. } if name == "EXISTS" => state.messages = *number,
        Response::Status { tag: None, status: Status::Ok, code: Some(code), .. } => {
            let number = code.number();
            let small = number.and_then(|n| u32::try_from(n).ok());
            match code.name.as_str() {
                "UIDVALIDITY" => state.uid_validity = small.unwrap_or(0),
                "UIDNEXT" => state.uid_next = small,
                "HIGHESTMODSEQ" => state.highest_modseq = number,
                "NOMODSEQ" => state.highest_modseq = None,
                "PERMANENTFLAGS" => {
                    let values = value::parse(code.args.as_bytes()).unwrap_or_default();
                    if let Some(names) = values.first().and_then(Value::list) {
                        let names: Vec<String> = names.iter().filter_map(Value::text).collect();
                        state.new_keywords = names.iter().any(|n| n == "\\*");
                        state.permanent_flags = Some(names.iter().filter(|n| *n != "\\*").collect());
                    }
                }
                _ => {}
            }
        }
        _ => {}
    }
}

/// The items of a FETCH response.
pub(crate) fn fetch_items(response: &Response) -> Option<&[Value]> {
    match response {
        Response::Data { number: Some(_), name, values } if name == "FETCH" => values.first()?.list(),
        _ => None,
    }
}

/// An item's value, by its name.
pub(crate) fn item<'a>(items: &'a [Value], name: &str) -> Option<&'a Value> {
    items.chunks_exact(2).find_map(|pair| match &pair[0] {
        Value::Atom(key) if key.eq_ignore_ascii_case(name) => Some(&pair[1]),
        _ => None,
    })
}

/// The UID among the items.
pub(crate) fn uid_of(items: &[Value]) -> Option<u32> {
    item(items, "UID")?.number().and_then(|n| u32::try_from(n).ok()).filter(|uid| *uid > 0)
}

/// The flags in a list.
pub(crate) fn flags_of(value: &Value) -> Option<Flags> {
    Some(value.list()?.iter().filter_map(Value::text).collect())
}
