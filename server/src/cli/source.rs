//! Where `gatepost copy` takes mail from: a server, or a file that is read through first.

use super::{Usage, is_watched, url::MailboxUrl};
use crate::drivers::{file_source, limits};
use gatepost_archive::{ArchiveError, Catalogue, detect, open, refresh};
use gatepost_contract::{Inspection, SourceType};
use gatepost_core::{FileAccess, MailFile};
use gatepost_transfer::Fault;
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};
use tokio_util::sync::CancellationToken;

/// What `--source` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A mailbox on a server.
    Server(MailboxUrl),
    /// A file or folder, by its absolute path without links.
    File(PathBuf),
}

impl Source {
    /// Reads the option. What has no scheme is a path; neither is quoted, since either may hold a password.
    pub fn parse(text: &str) -> Result<Self, Usage> {
        if text.contains("://") {
            return MailboxUrl::parse(text, "--source").map(Self::Server);
        }
        let path = std::fs::canonicalize(text).map_err(|error| {
            Usage(format!(
                "--source is neither a URL, e.g. imaps://ana@mail.example.net, nor a file that can be read: {error}"
            ))
        })?;
        Ok(Self::File(path))
    }
}

/// Says what a file lacks and what was read around, a sentence a line.
pub fn warn(losses: &[String], damage: &[String]) {
    for (what, sentences) in [("Missing", losses), ("Damage", damage)] {
        for sentence in sentences {
            eprintln!("{what}: {}", sentence.replace(char::is_control, "\u{fffd}"));
        }
    }
}

/// How a file is read for the copy with this state: its catalogue, and what must be unpacked, lie beside that.
pub fn access(path: &Path, state: &Path, max_gb: u64) -> anyhow::Result<FileAccess> {
    let beside = |end: &str| {
        let mut name: OsString = state.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    };
    let work = beside(".work");
    // What a killed run has left there is of no use.
    match std::fs::remove_dir_all(&work) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(anyhow::Error::new(error).context(format!("{} cannot be cleared", work.display())));
        }
        _ => {}
    }
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let most_unpacked = max_gb.saturating_mul(4 << 30);
    let mut access =
        FileAccess { label: name.clone(), seed: String::new(), files: Vec::new(), work, most_unpacked, reserve: None };
    let kind = kind_of(path, &name, &access)?;
    let catalogue = beside(".catalogue");
    access.files.push(MailFile {
        slot: 0,
        path: path.to_owned(),
        name,
        kind,
        sha256: None,
        in_place: true,
        catalogue,
        extracted: None,
    });
    Ok(access)
}

/// What a file is, by its content.
fn kind_of(path: &Path, name: &str, access: &FileAccess) -> anyhow::Result<SourceType> {
    let detected = detect(path).map_err(Fault::from)?;
    if let Some(kind) = detected.source_type() {
        return Ok(kind);
    }
    // A PST whose head is damaged looks like nothing at all.
    if open(path, name, SourceType::Pst, &limits(access)).is_ok() {
        return Ok(SourceType::Pst);
    }
    Err(Usage(format!("--source: {}", detected.sentence)).into())
}

/// Reads the file through, unless the catalogue of an earlier run still fits, and tells what was found in it; `None` when
/// that was interrupted.
pub async fn read_through(
    access: &mut FileAccess,
    quiet: bool,
    cancel: &CancellationToken,
) -> anyhow::Result<Option<Inspection>> {
    let Some(file) = access.files.first().cloned() else { return Ok(Some(Inspection::default())) };
    let bounds = limits(access);
    let bar = Bar::new(&format!("reading {}", file.name), quiet);
    let cancel = cancel.clone();
    let read = tokio::task::spawn_blocking(move || {
        let catalogue = file.catalogue.clone();
        let read = refresh(&file_source(file), &bounds, &mut |done, total| bar.show(done, total), &cancel);
        bar.finish();
        read.and_then(|identity| Ok((identity, Catalogue::open(&catalogue)?.inspection().clone())))
    });
    match read.await? {
        Ok((identity, found)) => {
            if let Some(file) = access.files.first() {
                // Other bytes, or the same elsewhere, are another account: the numbers of its messages are its own.
                access.seed = format!("{}\n{identity}", file.path.display());
            }
            Ok(Some(found))
        }
        Err(ArchiveError::Stopped) => Ok(None),
        Err(error) => Err(Fault::from(error).into()),
    }
}

/// How far the reading of a file is, for those who watch a terminal.
pub struct Bar(Option<ProgressBar>);

impl Bar {
    /// Shows nothing when `quiet`, or when nobody watches.
    pub fn new(what: &str, quiet: bool) -> Self {
        let style = ProgressStyle::with_template("{wide_msg} [{bar:24}] {percent:>3}%").expect("a constant");
        let bar = (!quiet && is_watched()).then(|| {
            let what = what.replace(char::is_control, "\u{fffd}");
            ProgressBar::new(0).with_style(style.progress_chars("=> ")).with_message(what)
        });
        Self(bar)
    }

    /// So many of so many bytes.
    pub fn show(&self, done: u64, total: u64) {
        if let Some(bar) = &self.0 {
            bar.set_length(total);
            bar.set_position(done);
        }
    }

    /// Clears it.
    pub fn finish(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_server_and_anything_else_a_path_that_is_not_quoted_when_it_is_none() {
        assert!(matches!(Source::parse("imaps://ana@mail.example.net"), Ok(Source::Server(_))));
        let dir = tempfile::tempdir().expect("a directory");
        let inside = dir.path().join("x/../.");
        std::fs::create_dir(dir.path().join("x")).expect("a directory");
        let real = std::fs::canonicalize(dir.path()).expect("it is there");
        let found = Source::parse(&inside.to_string_lossy()).expect("it is there");
        assert_eq!(found, Source::File(real));
        for text in ["ana:hunter2@mail.example.net", "https://ana:hunter2@x", "", "hunter2\0"] {
            let error = Source::parse(text).expect_err(text).to_string();
            assert!(error.starts_with("--source") && !error.contains("hunter2"), "{error}");
        }
    }
}
