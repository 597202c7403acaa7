//! One message of a catalogue, and how it is written: numbers in little-endian order, texts behind their length.

use crate::Locator;
use gatepost_transfer::{Digest, Digests, Flags, InternalDate};

/// What a catalogue holds of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The catalogue's number of its folder.
    pub folder: u32,
    /// Where it lies in the file.
    pub locator: Locator,
    /// What kind of item it is there.
    pub class: String,
    /// When it was received.
    pub internal_date: InternalDate,
    /// Its flags and keywords.
    pub flags: Flags,
    /// The Message-Id header's value, trimmed; `None` where it is missing or empty.
    pub message_id: Option<String>,
    /// What a person should know of it.
    pub note: Option<String>,
    /// Whether it was found beside the file's own index.
    pub salvaged: bool,
    /// Its bytes, or why it cannot be given.
    pub content: Result<Digests, String>,
}

const SALVAGED: u8 = 1;
const UNREADABLE: u8 = 2;
const NAMED: u8 = 4;
const NOTED: u8 = 8;
const HAS_ID: u8 = 16;
const UNCLEAN: u8 = 32;

impl Entry {
    /// How many bytes the message has; 0 where it cannot be given.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.content.as_ref().map_or(0, |digests| digests.size)
    }

    /// Appends its code.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let bit = |bit, set: bool| if set { bit } else { 0 };
        let unclean = self.content.as_ref().is_ok_and(|d| d.exact != d.canonical);
        let bits = bit(SALVAGED, self.salvaged)
            | bit(UNREADABLE, self.content.is_err())
            | bit(NAMED, self.locator.name.is_some())
            | bit(NOTED, self.note.is_some())
            | bit(HAS_ID, self.message_id.is_some())
            | bit(UNCLEAN, unclean);
        out.push(bits);
        out.extend_from_slice(&self.folder.to_le_bytes());
        out.extend_from_slice(&self.internal_date.seconds.to_le_bytes());
        out.extend_from_slice(&self.internal_date.zone_minutes.to_le_bytes());
        out.extend_from_slice(&self.locator.at.to_le_bytes());
        out.extend_from_slice(&self.locator.more.to_le_bytes());
        text(out, &self.class);
        text(out, &self.flags.to_string());
        for optional in [&self.locator.name, &self.note, &self.message_id].into_iter().flatten() {
            text(out, optional);
        }
        match &self.content {
            Ok(digests) => {
                out.extend_from_slice(&digests.size.to_le_bytes());
                out.extend_from_slice(&digests.exact.0);
                if unclean {
                    out.extend_from_slice(&digests.canonical.0);
                }
            }
            Err(why) => text(out, why),
        }
    }

    /// Reads a code; `None` where it is none.
    #[must_use]
    pub fn decode(code: &[u8]) -> Option<Self> {
        let mut rest = code;
        let [bits] = take(&mut rest)?;
        let has = |bit| bits & bit != 0;
        let folder = u32::from_le_bytes(take(&mut rest)?);
        let seconds = i64::from_le_bytes(take(&mut rest)?);
        let zone_minutes = i16::from_le_bytes(take(&mut rest)?);
        let at = u64::from_le_bytes(take(&mut rest)?);
        let more = u64::from_le_bytes(take(&mut rest)?);
        let class = string(&mut rest)?;
        let flags = Flags::from(string(&mut rest)?.as_str());
        let mut optional = |bit| if has(bit) { string(&mut rest).map(Some) } else { Some(None) };
        let (name, note, message_id) = (optional(NAMED)?, optional(NOTED)?, optional(HAS_ID)?);
        let content = if has(UNREADABLE) {
            Err(string(&mut rest)?)
        } else {
            let size = u64::from_le_bytes(take(&mut rest)?);
            let exact = Digest(take(&mut rest)?);
            let canonical = if has(UNCLEAN) { Digest(take(&mut rest)?) } else { exact };
            Ok(Digests { exact, canonical, size })
        };
        rest.is_empty().then_some(Self {
            folder,
            locator: Locator { at, more, name },
            class,
            internal_date: InternalDate { seconds, zone_minutes },
            flags,
            message_id,
            note,
            salvaged: has(SALVAGED),
            content,
        })
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&u32::try_from(text.len()).unwrap_or(0).to_le_bytes());
    out.extend_from_slice(if u32::try_from(text.len()).is_ok() { text.as_bytes() } else { b"" });
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk()?;
    *rest = left;
    Some(*taken)
}

fn string(rest: &mut &[u8]) -> Option<String> {
    let length = usize::try_from(u32::from_le_bytes(take(rest)?)).ok()?;
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    String::from_utf8(taken.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepost_transfer::Digester;
    use proptest::prelude::*;

    fn entries() -> impl Strategy<Value = Entry> {
        let texts = || proptest::option::of(".{0,12}");
        let content = prop_oneof![".{0,20}".prop_map(Err), "[a\r\n]{0,9}".prop_map(|t| Ok(Digester::of(t.as_bytes())))];
        let flags = proptest::collection::vec("[a-z$]{1,6}", 0..4).prop_map(|all| all.iter().collect());
        let place = (any::<u32>(), any::<u64>(), any::<u64>(), texts());
        (place, (".{0,9}", flags), (any::<i64>(), any::<i16>()), (texts(), texts()), any::<bool>(), content).prop_map(
            |(
                (folder, at, more, name),
                (class, flags),
                (seconds, zone_minutes),
                (message_id, note),
                salvaged,
                content,
            )| {
                Entry {
                    folder,
                    locator: Locator { at, more, name },
                    class,
                    internal_date: InternalDate { seconds, zone_minutes },
                    flags,
                    message_id,
                    note,
                    salvaged,
                    content,
                }
            },
        )
    }

    proptest! {
        #[test]
        fn an_entry_is_read_back_from_its_code(entry in entries()) {
            let mut code = Vec::new();
            entry.encode(&mut code);
            prop_assert_eq!(Entry::decode(&code), Some(entry));
        }

        #[test]
        fn what_is_no_code_is_none(entry in entries(), cut in 0usize..400, more in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut code = Vec::new();
            entry.encode(&mut code);
            let cut = cut.min(code.len().saturating_sub(1));
            prop_assert_eq!(Entry::decode(&code[..cut]), None);
            // Foreign bytes may look like an entry; they only must not bring the reader down.
            let _ = Entry::decode(&more);
        }
    }
}
