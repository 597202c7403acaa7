//! Writes a sample report and says how long each part took and how much memory the process needed:
//! `cargo run --release -p gatepost-report --example paper -- FOLDER [MAILBOXES] [RESIDUE] [en|pt-BR]`

mod sample;

use gatepost_report::{Lang, Paper, Signet, canonical, pdf};
use std::{error::Error, fs, path::PathBuf, time::Instant};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let folder = PathBuf::from(args.next().ok_or("name a folder to write to")?);
    let mailboxes = args.next().map_or(Ok(12), |n| n.parse())?;
    let residue = args.next().map_or(Ok(40), |n| n.parse())?;
    let lang: Lang = args.next().as_deref().unwrap_or("en").parse()?;
    let report = sample::rich(mailboxes, residue);
    let start = Instant::now();
    let document = canonical(&report)?;
    let json = start.elapsed();
    let signature = Signet::from_seed(&[7; 32]).sign(&document);
    let start = Instant::now();
    let file = pdf(&Paper { report: &report, document: &document, signature: &signature }, lang)?;
    let paper = start.elapsed();
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("report.pdf"), &file)?;
    fs::write(folder.join("report.json"), &document)?;
    fs::write(folder.join("report.json.sig"), serde_json::to_vec(&signature)?)?;
    println!("{mailboxes} mailboxes, {residue} residue rows");
    println!("JSON {} bytes in {json:.2?}, PDF {} bytes in {paper:.2?}", document.len(), file.len());
    if let Ok(status) = fs::read_to_string("/proc/self/status")
        && let Some(peak) = status.lines().find(|line| line.starts_with("VmHWM"))
    {
        println!("{peak}");
    }
    Ok(())
}
