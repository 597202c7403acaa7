//! `gatepost pst`: Outlook's files by themselves, without a server and without the Desk.

use super::{
    Exit, Outcome, Usage, print_json, print_line,
    serve::ending_by_signal,
    source::{Bar, warn},
    table::{Table, bytes},
};
use crate::config::Config;
use clap::{Args, Subcommand, ValueEnum};
use gatepost_archive::{
    ArchiveError, Content, ExportFormat, Exported, FolderNumber, FoundFolder, FoundItem, FoundMessage, Limits, Store,
    Visitor, export, open,
};
use gatepost_contract::SourceType;
use gatepost_transfer::{Fault, FolderPath};
use serde::Serialize;
use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
};
use tokio_util::sync::CancellationToken;

/// Look into a PST or OST file, or take everything out of it
#[derive(Debug, Subcommand)]
pub enum Pst {
    /// Show the folders of a file, and how many items of which class each has
    Ls(Ls),
    /// Write every message as an .eml file or into an mbox for each folder, and contacts, appointments and notes beside it
    ///
    /// Nothing is overwritten, and no file has its name before it is whole. Run again, it goes on where it stopped. Where it was killed, files named .part-… may be left: they can be deleted.
    Export(Export),
}

/// Options of `pst ls`.
#[derive(Debug, Args)]
pub struct Ls {
    /// The PST or OST file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Options of `pst export`.
#[derive(Debug, Args)]
pub struct Export {
    /// The PST or OST file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The directory to write below; made where it is missing
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// What messages are written as
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Eml)]
    format: Format,
    /// Print one JSON object as the last line
    #[arg(long)]
    json: bool,
}

/// What messages are written as.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// A file for each message, with the date it was received
    Eml,
    /// A file for each folder, FOLDER.mbox: RFC 4155, quoted as mboxrd, flags and categories in Status, X-Status and
    /// X-Keywords
    Mbox,
}

impl From<Format> for ExportFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Eml => Self::Eml,
            Format::Mbox => Self::Mbox,
        }
    }
}

/// How many threads write an export; each holds the caches of a reader.
const MOST_THREADS: usize = 2;

/// Runs the command.
pub async fn run(pst: Pst, config: Config) -> Outcome {
    let cancel = ending_by_signal()?;
    let work = tempfile::Builder::new().prefix("gatepost-").tempdir()?;
    let limits = Limits { unpacked: config.core.max_pst_gb.saturating_mul(4 << 30), ..Limits::new(work.path()) };
    let done = tokio::task::spawn_blocking(move || match pst {
        Pst::Ls(ls) => list(&ls, &limits, &cancel),
        Pst::Export(export) => write(&export, &limits, &cancel),
    });
    done.await?
}

fn opened(file: &Path, limits: &Limits) -> anyhow::Result<Box<dyn Store>> {
    let about = |what: &str| Usage(format!("{}: {what}", file.display()));
    match std::fs::metadata(file) {
        Err(error) => return Err(about(&error.to_string()).into()),
        Ok(found) if found.is_dir() => return Err(about("is a directory; name a PST or OST file").into()),
        Ok(_) => {}
    }
    Ok(open(file, &file_name(file), SourceType::Pst, limits).map_err(Fault::from)?)
}

fn file_name(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// What `pst ls --json` prints.
#[derive(Debug, Default, Serialize)]
struct Listing {
    format: String,
    encoding: Option<String>,
    folders: Vec<ListedFolder>,
    damage: Vec<String>,
}

/// A folder of it: every item counts, mail or not.
#[derive(Debug, Default, Serialize)]
struct ListedFolder {
    path: String,
    items: u64,
    classes: BTreeMap<String, u64>,
}

fn list(ls: &Ls, limits: &Limits, cancel: &CancellationToken) -> Outcome {
    let mut store = opened(&ls.file, limits)?;
    let bar = Bar::new("reading", ls.json);
    let mut lister = Lister { listing: Listing::default(), by_path: HashMap::new(), bar: &bar, cancel };
    let scanned = store.scan(&mut lister);
    bar.finish();
    let mut listing = lister.listing;
    match scanned {
        Err(_) if cancel.is_cancelled() => return Ok(Exit::Interrupted),
        scanned => scanned.map_err(Fault::from)?,
    }
    let described = store.describe();
    listing.format = described.format;
    listing.encoding = described.encoding;
    if ls.json {
        print_json(&listing)?;
        return Ok(Exit::Done);
    }
    let encoding = listing.encoding.map(|encoding| format!(", encoding {encoding}")).unwrap_or_default();
    print_line(format_args!("{}{encoding}", listing.format))?;
    let mut table = Table::new(&["folder", "items", "classes"]);
    for folder in listing.folders {
        let classes: Vec<String> = folder.classes.iter().map(|(class, n)| format!("{n} {class}")).collect();
        table.row([folder.path, folder.items.to_string(), classes.join(", ")]);
    }
    print_line(table)?;
    warn(&[], &listing.damage);
    Ok(Exit::Done)
}

/// Counts, and generates nothing.
struct Lister<'a> {
    listing: Listing,
    by_path: HashMap<FolderPath, FolderNumber>,
    bar: &'a Bar,
    cancel: &'a CancellationToken,
}

impl Lister<'_> {
    fn count(&mut self, folder: FolderNumber, class: String) -> Result<(), ArchiveError> {
        if let Some(folder) = self.listing.folders.get_mut(folder as usize) {
            folder.items += 1;
            *folder.classes.entry(class).or_default() += 1;
        }
        self.check()
    }

    fn check(&self) -> Result<(), ArchiveError> {
        if self.cancel.is_cancelled() { Err(ArchiveError::Stopped) } else { Ok(()) }
    }
}

impl Visitor for Lister<'_> {
    fn folder(&mut self, folder: FoundFolder) -> Result<FolderNumber, ArchiveError> {
        if let Some(number) = self.by_path.get(&folder.path) {
            return Ok(*number);
        }
        let number = FolderNumber::try_from(self.listing.folders.len())
            .map_err(|_| ArchiveError::TooMuch("The file has more folders than can be told apart.".to_owned()))?;
        self.listing.folders.push(ListedFolder { path: folder.path.to_string(), ..ListedFolder::default() });
        self.by_path.insert(folder.path, number);
        Ok(number)
    }

    fn message(&mut self, folder: FolderNumber, message: FoundMessage, _: Content<'_>) -> Result<(), ArchiveError> {
        self.count(folder, message.class)
    }

    fn unreadable(&mut self, folder: FolderNumber, message: FoundMessage, _: String) -> Result<(), ArchiveError> {
        self.count(folder, message.class)
    }

    fn item(&mut self, folder: FolderNumber, item: FoundItem, _: Content<'_>) -> Result<(), ArchiveError> {
        self.count(folder, item.class)
    }

    fn damage(&mut self, sentence: String) -> Result<(), ArchiveError> {
        self.listing.damage.push(sentence);
        self.check()
    }

    fn progress(&mut self, done: u64, total: u64) -> Result<(), ArchiveError> {
        self.bar.show(done, total);
        self.check()
    }
}

fn write(options: &Export, limits: &Limits, cancel: &CancellationToken) -> Outcome {
    // What is wrong with the file is said before anything is written.
    drop(opened(&options.file, limits)?);
    let again = || open(&options.file, &file_name(&options.file), SourceType::Pst, limits);
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    let bar = Bar::new("writing", options.json);
    let format = options.format.into();
    let done = export(&again, format, threads, &options.dir, &mut |done, total| bar.show(done, total), cancel);
    bar.finish();
    let done = match done {
        Err(ArchiveError::Stopped) => {
            eprintln!("Interrupted: what was written stays, each file whole. Run the same command again to go on.");
            return Ok(Exit::Interrupted);
        }
        done => done.map_err(Fault::from)?,
    };
    let left = done.unreadable.len() as u64 + done.more_unreadable;
    if options.json {
        print_json(&done)?;
    } else {
        print_line(in_words(&done, left))?;
    }
    for (folder, why) in &done.unreadable {
        eprintln!("{}", format!("{folder}: {why}").replace(char::is_control, "\u{fffd}"));
    }
    if done.more_unreadable > 0 {
        eprintln!("and {} more", done.more_unreadable);
    }
    warn(&done.losses, &done.damage);
    Ok(if left > 0 || !done.losses.is_empty() { Exit::LeftOver } else { Exit::Done })
}

fn in_words(done: &Exported, left: u64) -> String {
    let mut words = format!(
        "{} messages and {} other items written below {} folders ({}), {} were there already.",
        done.messages,
        done.items,
        done.folders,
        bytes(done.bytes),
        done.already_there
    );
    if left > 0 {
        words.push_str(&format!(" {left} cannot be read."));
    }
    words
}
