//! A deterministic generator of mailboxes: the same profile gives the same messages, byte for byte. It covers what real
//! mailboxes hold and copies get wrong: odd names, odd dates, missing and doubled Message-Ids, true duplicates, raw
//! 8-bit bytes, messages without a header. It knows no server; `fill` puts the mail somewhere.

mod compose;
mod pool;

use std::collections::VecDeque;

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::date::InternalDate;
use crate::special_use::SpecialUse;
use compose::{Case, Composer};

/// What to generate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Everything follows from it.
    pub seed: u64,
    /// Number of messages over all folders.
    pub messages: usize,
    /// Mean size of a message in bytes, approached from a few hundred messages on. Sizes reach about 12 times the mean.
    pub average_bytes: usize,
    /// Size in bytes of one additional large message, which goes to the INBOX and is counted in `messages`.
    pub large_bytes: Option<usize>,
    /// Names of the special-use folders; with `None` there are none.
    pub special_use: SpecialUse,
    /// Dates up to 2037 instead of 2024. Dovecot and others store the time of APPEND in place of a future date.
    pub future_dates: bool,
    /// All messages go to the INBOX and no other folder is made.
    pub inbox_only: bool,
    /// So many folders more, in tens below `Pastas`. Messages go there too.
    pub more_folders: usize,
    /// The server's hierarchy separator. Where a folder's own name contains it, it becomes `_`, because such a server
    /// could not hold the name. Paths have `/` between their levels all the same.
    pub separator: char,
}

impl Default for Profile {
    fn default() -> Self {
        Profile {
            seed: 1,
            messages: 300,
            average_bytes: 19_000,
            large_bytes: None,
            special_use: SpecialUse::default(),
            future_dates: false,
            inbox_only: false,
            more_folders: 0,
            separator: '/',
        }
    }
}

/// A generated message and where it belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// Folder path, levels joined by `/`.
    pub folder: String,
    /// The message, lines ended by CRLF (the last one not always).
    pub bytes: Vec<u8>,
    /// INTERNALDATE, from 1995 on, in odd zones.
    pub internal_date: InternalDate,
    /// Flags and keywords.
    pub flags: Vec<String>,
}

/// Beside INBOX and the special-use folders.
const TREE: [&str; 12] = [
    "Clientes",
    "Clientes/Ação & Cia",
    "Clientes/São João – Filial №2",
    "Arquivo Morto/2019/Janeiro",
    "Projetos 📁/Migração ✉️ 2024",
    "日本語",
    "Notas ",
    "Contratos v1.2",
    "Aspas \"duplas\" e \\ barra",
    "Pai sem caixa/Filho",
    "Clientes/Ação & Cia/Notas fiscais",
    "projetos",
];
/// Exists and holds nothing.
const EMPTY_FOLDER: &str = "Vazia";
const ZONES: [i32; 10] = [-210, 345, 840, -180, 0, 60, 570, -480, 765, -720];
const KEYWORDS: [&str; 4] = ["$Forwarded", "$MDNSent", "Urgente", "projeto-x"];
/// 1995-01-02, 2024-12-30 and 2037-12-30: a day off the edges, so that the year holds in every zone.
const FIRST_DATE: i64 = 789_004_800;
const LAST_DATE: i64 = 1_735_516_800;
const LAST_FUTURE_DATE: i64 = 2_145_744_000;

impl Profile {
    /// The folders to create, parents before children. Parents that are left out (`Pai sem caixa`) are not meant to be
    /// selectable.
    #[must_use]
    pub fn folders(&self) -> Vec<String> {
        let mut folders = self.holding();
        if !self.inbox_only {
            folders.push(EMPTY_FOLDER.to_owned());
        }
        folders
    }

    /// The folders that messages go to.
    fn holding(&self) -> Vec<String> {
        let mut folders = vec!["INBOX".to_owned()];
        if !self.inbox_only {
            let special = self.special_use.folders().iter().map(|(_, name)| *name);
            folders.extend(special.chain(TREE).map(|path| self.fit(path)));
        }
        folders.extend((0..self.more_folders).map(|n| format!("Pastas/Grupo {:02}/Caso {n:03}", n / 10)));
        folders
    }

    fn fit(&self, path: &str) -> String {
        if self.separator == '/' { path.to_owned() } else { path.replace(self.separator, "_") }
    }

    /// The messages, each made when asked for.
    #[must_use]
    pub fn generate(&self) -> Generator {
        Generator {
            rng: ChaCha8Rng::seed_from_u64(self.seed),
            composer: Composer::new(self.seed),
            folders: self.holding(),
            waiting: VecDeque::new(),
            made: 0,
            profile: self.clone(),
        }
    }
}

/// Iterator over the messages of a [`Profile`].
#[derive(Debug)]
pub struct Generator {
    profile: Profile,
    rng: ChaCha8Rng,
    composer: Composer,
    folders: Vec<String>,
    /// The second of a pair: a duplicate, or another message with the same Message-Id.
    waiting: VecDeque<Generated>,
    made: usize,
}

impl Iterator for Generator {
    type Item = Generated;

    fn next(&mut self) -> Option<Generated> {
        if self.made >= self.profile.messages {
            return None;
        }
        let message = self.waiting.pop_front().unwrap_or_else(|| self.make());
        self.made += 1;
        Some(message)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.profile.messages - self.made;
        (left, Some(left))
    }
}

impl Generator {
    fn make(&mut self) -> Generated {
        let number = self.made;
        if let Some(size) = self.profile.large_bytes
            && number == self.profile.messages / 2
        {
            let (internal_date, flags) = (self.date(number), vec!["\\Seen".to_owned()]);
            let bytes = self.composer.attachment(&mut self.rng, number, size, internal_date);
            return Generated { folder: "INBOX".to_owned(), bytes, internal_date, flags };
        }
        let case = Case::ALL.get(number).copied().unwrap_or_else(|| Case::pick(&mut self.rng));
        let folder = self.folder(number);
        let internal_date = self.date(number);
        let flags = self.flags(number);
        let size = self.size(case);
        let bytes = self.composer.compose(&mut self.rng, case, number, size, internal_date);
        let message = Generated { folder, bytes, internal_date, flags };
        match case {
            Case::Duplicate => self.waiting.push_back(message.clone()),
            Case::DuplicateOtherDate => {
                let twin = Generated { internal_date: self.date(number + 1), ..message.clone() };
                self.waiting.push_back(twin);
            }
            Case::SharedMessageId => {
                let bytes = self.composer.same_id_other_text(&mut self.rng, number, internal_date);
                self.waiting.push_back(Generated { bytes, ..message.clone() });
            }
            _ => {}
        }
        message
    }

    /// First round the folders, so that each holds something; then as real mailboxes are: half in the INBOX.
    fn folder(&mut self, number: usize) -> String {
        let count = self.folders.len();
        let at = if number < count {
            number
        } else {
            match self.rng.random_range(0..100_u32) {
                0..45 => 0,
                45..60 => 1 % count,
                _ => self.rng.random_range(0..count),
            }
        };
        self.folders[at].clone()
    }

    fn date(&mut self, number: usize) -> InternalDate {
        let zone_minutes = ZONES.get(number).copied().unwrap_or_else(|| ZONES[self.rng.random_range(0..ZONES.len())]);
        let last = if self.profile.future_dates { LAST_FUTURE_DATE } else { LAST_DATE };
        InternalDate { unix_seconds: self.rng.random_range(FIRST_DATE..last), zone_minutes }
    }

    /// First every combination of the five system flags, then as real mailboxes are.
    fn flags(&mut self, number: usize) -> Vec<String> {
        let system = [("\\Seen", 70), ("\\Answered", 15), ("\\Flagged", 8), ("\\Draft", 2), ("\\Deleted", 1)];
        let mut flags = Vec::new();
        for (bit, (flag, percent)) in system.into_iter().enumerate() {
            let chance = self.rng.random_range(0..100_u32) < percent;
            if if number < 32 { number >> bit & 1 == 1 } else { chance } {
                flags.push(flag.to_owned());
            }
        }
        for (at, keyword) in KEYWORDS.into_iter().enumerate() {
            let chance = self.rng.random_range(0..100_u32) < 4;
            if if number < 32 { number % 8 == at || number % 8 == 7 } else { chance } {
                flags.push(keyword.to_owned());
            }
        }
        flags
    }

    /// The shares and factors are chosen so that the mean over all cases is the profile's (see `Case::pick`).
    fn size(&mut self, case: Case) -> usize {
        let mean = self.profile.average_bytes;
        match case {
            Case::Html => mean / 10 + mean * 4 / 10 * self.rng.random_range(0..1000_usize) / 1000,
            Case::Attachment => {
                let u = self.rng.random_range(0..1000_usize);
                // Mean of u³ is 1/4: many small attachments, few large ones.
                mean * 126 / 10 * (u * u * u / 1000) / 1_000_000
            }
            _ => mean * 3 / 10 * self.rng.random_range(0..1000_usize) / 1000,
        }
    }
}
