//! Where a program lies, and which version it is.

use crate::{Limits, Program, run};
use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// A program that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its path.
    pub path: PathBuf,
    /// The first line of what it says of itself.
    pub version: Option<String>,
}

/// Looks for a program: where it is told to be, then in a directory of tools and its subdirectories of one level, then
/// on `PATH`. Where it is told to be and is not, nothing else is tried.
#[must_use]
pub fn find(told: Option<&Path>, directory: Option<&Path>, names: &[&str]) -> Option<PathBuf> {
    if let Some(told) = told {
        return is_program(told).then(|| told.to_path_buf());
    }
    let mut places: Vec<PathBuf> = Vec::new();
    if let Some(directory) = directory {
        places.push(directory.to_path_buf());
        if let Ok(entries) = std::fs::read_dir(directory) {
            let mut below: Vec<_> = entries.flatten().map(|e| e.path()).filter(|p| p.is_dir()).take(1000).collect();
            below.sort();
            places.extend(below);
        }
    }
    places.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
    places.iter().flat_map(|place| names.iter().map(|name| place.join(name))).find(|path| is_program(path))
}

/// A file that can be started, or a Python script that an interpreter can be given.
fn is_program(path: &Path) -> bool {
    let script = path.extension().is_some_and(|e| e == "py");
    std::fs::metadata(path).is_ok_and(|m| m.is_file() && (script || m.permissions().mode() & 0o111 != 0))
}

/// The first line that a program prints when it is asked for its version, within ten seconds.
pub async fn version(program: &Path, argument: &str, work: &Path) -> Option<String> {
    let asked = Program {
        limits: Limits { time: Duration::from_secs(10), output: 64 * 1024, ..Limits::default() },
        ..Program::new(program, [argument], work)
    };
    let mut first = None;
    run(
        asked,
        &mut |line| first = first.take().or_else(|| Some(line.text.trim().to_owned()).filter(|t| !t.is_empty())),
        &CancellationToken::new(),
    )
    .await
    .ok()?;
    first
}
