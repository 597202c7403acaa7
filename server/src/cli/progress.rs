//! Progress of a copy: bars for those who watch a terminal, a line a folder for a log, nothing beside JSON but warnings.

use super::is_watched;
use gatepost_contract::Level;
use gatepost_core::standalone::CopyProgress;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

/// Shows progress; clones share the screen.
#[derive(Clone)]
pub struct Watch(Arc<Mutex<Screen>>);

struct Screen {
    /// None where nobody watches.
    bars: Option<MultiProgress>,
    quiet: bool,
    total: Option<ProgressBar>,
    folders: HashMap<String, ProgressBar>,
    /// Bytes done and to do of each folder; the total is their sum.
    bytes: HashMap<String, (u64, u64)>,
}

impl Watch {
    /// A screen; `quiet` when only the JSON at the end is wanted.
    pub fn new(quiet: bool) -> Self {
        let bars = (!quiet && is_watched()).then(MultiProgress::new);
        let screen = Screen { bars, quiet, total: None, folders: HashMap::new(), bytes: HashMap::new() };
        Self(Arc::new(Mutex::new(screen)))
    }

    /// Shows what happened.
    pub fn show(&self, progress: CopyProgress) {
        if let Ok(mut screen) = self.0.lock() {
            screen.show(progress);
        }
    }

    /// Clears the bars.
    pub fn finish(&self) {
        if let Ok(mut screen) = self.0.lock() {
            for (_, bar) in screen.folders.drain() {
                bar.finish_and_clear();
            }
            if let Some(total) = screen.total.take() {
                total.finish_and_clear();
            }
        }
    }
}

impl Screen {
    fn show(&mut self, progress: CopyProgress) {
        match progress {
            CopyProgress::Planned(folders) => {
                // The verification plans once more: its bar begins anew.
                self.bytes.clear();
                if let Some(total) = self.total.take() {
                    total.finish_and_clear();
                }
                self.say(&format!("{} folders", folders.len()));
                self.total = self.bars.as_ref().map(|bars| {
                    let bar = bars.add(ProgressBar::new(0).with_style(total_style()).with_message("total"));
                    bar.enable_steady_tick(Duration::from_millis(500));
                    bar
                });
            }
            CopyProgress::Folder { source, done, total, bytes_done, bytes_total, finished } => {
                let source = plain(&source);
                self.bytes.insert(source.clone(), (bytes_done, bytes_total));
                if let Some(bar) = &self.total {
                    bar.set_length(self.bytes.values().map(|(_, total)| total).sum());
                    bar.set_position(self.bytes.values().map(|(done, _)| done).sum());
                }
                self.folder(source, done, total, finished);
            }
            CopyProgress::Verifying => self.say("reading both mailboxes again"),
            CopyProgress::Note { level, message } => {
                if matches!(level, Level::Warn | Level::Error) {
                    self.print(&format!("{level}: {}", plain(&message)));
                }
            }
        }
    }

    fn folder(&mut self, source: String, done: u64, total: u64, finished: Option<String>) {
        if let Some(note) = finished {
            if let Some(bar) = self.folders.remove(&source) {
                bar.finish_and_clear();
            }
            let note = if note.is_empty() { note } else { format!(" ({})", plain(&note)) };
            self.say(&format!("{source}: {done} of {total} messages{note}"));
            return;
        }
        let Some(bars) = &self.bars else { return };
        let bar = self.folders.entry(source).or_insert_with_key(|source| {
            let bar = ProgressBar::new(total).with_style(folder_style()).with_message(source.clone());
            // The total stays at the bottom.
            if let Some(total) = &self.total { bars.insert_before(total, bar) } else { bars.add(bar) }
        });
        bar.set_length(total);
        bar.set_position(done);
    }

    fn say(&self, line: &str) {
        if !self.quiet {
            self.print(line);
        }
    }

    fn print(&self, line: &str) {
        match &self.bars {
            // A terminal that went away is no reason to stop copying.
            Some(bars) => bars.println(line).unwrap_or_default(),
            None => eprintln!("{line}"),
        }
    }
}

fn folder_style() -> ProgressStyle {
    ProgressStyle::with_template("{wide_msg} [{bar:30}] {pos}/{len} {percent:>3}%")
        .expect("a constant")
        .progress_chars("=> ")
}

fn total_style() -> ProgressStyle {
    ProgressStyle::with_template("{wide_msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} ETA {eta}")
        .expect("a constant")
        .progress_chars("=> ")
}

/// Names come from mail servers: none of them steers the terminal.
fn plain(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}
