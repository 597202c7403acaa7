//! Builds the Desk's assets into the program where `GATEPOST_EMBED_SITE` names the folder that `scripts/build` made;
//! without it the program looks for them when it starts.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-env-changed=GATEPOST_EMBED_SITE");
    let mut files = Vec::new();
    if let Some(root) = env::var_os("GATEPOST_EMBED_SITE").map(PathBuf::from) {
        println!("cargo::rerun-if-changed={}", root.display());
        gather(&fs::canonicalize(root)?, "", &mut files)?;
    }
    files.sort();
    let mut table = String::from("&[\n");
    for (name, path) in files {
        table.push_str(&format!("    ({name:?}, include_bytes!({:?})),\n", path.display().to_string()));
    }
    table.push_str("]\n");
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?;
    fs::write(Path::new(&out).join("site.rs"), table)
}

/// Every file below a folder: its path from there, and where it is.
fn gather(folder: &Path, below: &str, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{below}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            gather(&entry.path(), &name, files)?;
        } else {
            files.push((name, entry.path()));
        }
    }
    Ok(())
}
