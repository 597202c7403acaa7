//! Progress of a copy: bars for those who watch a terminal, a line a folder for a log, nothing beside JSON but warnings.

use super::{is_watched, table::bytes};
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
    /// The folders that are being worked on.
    folders: HashMap<String, ProgressBar>,
}

impl Watch {
    /// A screen; `quiet` when only the JSON at the end is wanted.
    pub fn new(quiet: bool) -> Self {
        let bars = (!quiet && is_watched()).then(MultiProgress::new);
        let screen = Screen { bars, quiet, total: None, folders: HashMap::new() };
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
                if let Some(total) = self.total.take() {
                    total.finish_and_clear();
                }
                self.say(&format!("{} folders", folders.len()));
                self.total = self.bars.as_ref().map(|bars| {
                    let bar = bars.add(ProgressBar::new(0).with_style(style()).with_message("total"));
                    bar.enable_steady_tick(Duration::from_millis(500));
                    bar
                });
            }
            CopyProgress::Folder { source, begun, done, total, finished, .. } => {
                self.folder(plain(&source), begun, done, total, finished);
            }
            CopyProgress::Total { done, total, bytes_per_second, left, .. } => {
                let Some(bar) = &self.total else { return };
                bar.set_length(total);
                bar.set_position(done);
                let mut text = "total".to_owned();
                if bytes_per_second >= 1.0 {
                    text.push_str(&format!(", {}/s", bytes(bytes_per_second as u64)));
                }
                if let Some(left) = left.filter(|_| done < total) {
                    text.push_str(&format!(", ETA {}", clock(left)));
                }
                bar.set_message(text);
            }
            CopyProgress::Verifying => self.say("reading both mailboxes again"),
            CopyProgress::Note { level, message } => {
                if matches!(level, Level::Warn | Level::Error) {
                    self.print(&format!("{level}: {}", plain(&message)));
                }
            }
        }
    }

    fn folder(&mut self, source: String, begun: bool, done: u64, total: u64, finished: Option<String>) {
        if let Some(note) = finished {
            if let Some(bar) = self.folders.remove(&source) {
                bar.finish_and_clear();
            }
            // Of a folder in which there was nothing to do the summary tells enough.
            if begun || total > 0 {
                let note = if note.is_empty() { note } else { format!(" ({})", plain(&note)) };
                self.say(&format!("{source}: {done} of {total} messages{note}"));
            }
            return;
        }
        let Some(bars) = self.bars.as_ref().filter(|_| begun) else { return };
        let bar = self.folders.entry(source).or_insert_with_key(|source| {
            let bar = ProgressBar::new(total).with_style(style()).with_message(source.clone());
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

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{wide_msg} [{bar:24}] {pos:>7}/{len:7} {percent:>3}%")
        .expect("a constant")
        .progress_chars("=> ")
}

/// `0:42`, `1:02:03`, `3 d 04:05`.
fn clock(left: Duration) -> String {
    let seconds = left.as_secs_f64().ceil() as u64;
    let (days, hours, minutes, rest) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes}:{rest:02}"),
        (0, _) => format!("{hours}:{minutes:02}:{rest:02}"),
        _ => format!("{days} d {hours:02}:{minutes:02}"),
    }
}

/// Names come from mail servers: none of them steers the terminal.
fn plain(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_written_as_a_clock() {
        for (seconds, text) in [(0.2, "0:01"), (42.0, "0:42"), (3_723.0, "1:02:03"), (273_900.0, "3 d 04:05")] {
            assert_eq!(clock(Duration::from_secs_f64(seconds)), text);
        }
    }
}
