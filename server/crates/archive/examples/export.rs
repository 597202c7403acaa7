//! Writes what a PST or OST file holds below a directory, as `gatepost pst export` does, and says how much there was.
//!
//! `cargo run --release -p gatepost-archive --example export -- FILE DIR [eml|mbox] [THREADS]`

use gatepost_archive::{ExportFormat, Limits, export, open};
use gatepost_contract::SourceType;
use std::{env::args_os, path::PathBuf, time::Instant};
use tokio_util::sync::CancellationToken;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = args_os().skip(1);
    let usage = "usage: export FILE DIR [eml|mbox] [THREADS]";
    let file = PathBuf::from(arguments.next().ok_or(usage)?);
    let directory = PathBuf::from(arguments.next().ok_or(usage)?);
    let format = match arguments.next().as_deref().map(|format| format.to_string_lossy()).as_deref() {
        None | Some("eml") => ExportFormat::Eml,
        Some("mbox") => ExportFormat::Mbox,
        Some(_) => return Err(usage.into()),
    };
    let threads = arguments.next().map_or(Ok(2), |threads| threads.to_string_lossy().parse())?;
    let limits = Limits::new(std::env::temp_dir());
    let began = Instant::now();
    let again = || open(&file, "file", SourceType::Pst, &limits);
    let done = export(&again, format, threads, &directory, &mut |_, _| {}, &CancellationToken::new())?;
    let seconds = began.elapsed().as_secs_f64();
    println!("{} messages, {} other items, {} bytes in {seconds:.2} s", done.messages, done.items, done.bytes);
    println!("{} cannot be read, {} losses", done.unreadable.len() as u64 + done.more_unreadable, done.losses.len());
    Ok(())
}
