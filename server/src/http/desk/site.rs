//! Where the built site is: `pkg/<hash>/gatepost.{js,wasm,css}` below its root, and files such as the favicon.

use leptos::config::LeptosOptions;
use std::{
    fmt,
    path::{Path, PathBuf},
};

/// The built site.
#[derive(Clone)]
pub struct Site {
    /// The directory with everything.
    pub root: PathBuf,
    /// The directory whose name is the hash.
    pub assets: PathBuf,
    /// What the pages need to know of it.
    pub options: LeptosOptions,
}

/// There is no site where it was looked for.
#[derive(Debug)]
pub struct NoSite(Vec<PathBuf>);

impl fmt::Display for NoSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the Desk's assets (pkg/<hash>/gatepost.js) were not found in ")?;
        for (n, path) in self.0.iter().enumerate() {
            write!(f, "{}{}", if n == 0 { "" } else { " or " }, path.display())?;
        }
        f.write_str(": run scripts/build, or set GATEPOST_SITE_ROOT")
    }
}

impl std::error::Error for NoSite {}

impl Site {
    /// Looks in the configured place, or beside the program, one level up and in `target/site`.
    pub fn find(configured: Option<&Path>) -> Result<Self, NoSite> {
        let candidates: Vec<PathBuf> = match configured {
            Some(path) => vec![path.to_path_buf()],
            None => {
                let program = std::env::current_exe().ok();
                let home = program.as_deref().and_then(Path::parent);
                let beside = home.map(|dir| dir.join("site"));
                // Cargo puts the program one level below.
                let above = home.and_then(Path::parent).map(|dir| dir.join("site"));
                beside.into_iter().chain(above).chain([PathBuf::from("target/site")]).collect()
            }
        };
        candidates.iter().find_map(|root| Self::at(root)).ok_or(NoSite(candidates))
    }

    fn at(root: &Path) -> Option<Self> {
        // After an update the older assets may still lie there for pages that are open; the newest belong to us.
        let (_, assets) = std::fs::read_dir(root.join("pkg"))
            .ok()?
            .filter_map(|entry| {
                let path = entry.ok()?.path();
                let made = path.join("gatepost.js").metadata().ok()?.modified().ok()?;
                Some((made, path))
            })
            .max()?;
        let hash = assets.file_name()?.to_str()?.to_owned();
        let options = LeptosOptions::builder()
            .output_name("gatepost")
            .site_root(root.to_string_lossy().into_owned())
            .site_pkg_dir(format!("pkg/{hash}"))
            .env(leptos::config::Env::PROD)
            .build();
        Some(Self { root: root.to_path_buf(), assets, options })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_site_says_what_to_run() {
        let empty = tempfile::tempdir().expect("a directory");
        let error = Site::find(Some(empty.path())).err().expect("no site").to_string();
        assert!(error.contains("scripts/build"), "{error}");
    }

    #[test]
    fn the_hash_is_the_name_of_the_assets_directory() {
        let root = tempfile::tempdir().expect("a directory");
        std::fs::create_dir_all(root.path().join("pkg/abc123")).expect("a directory");
        std::fs::create_dir_all(root.path().join("pkg/unfinished")).expect("a directory");
        std::fs::write(root.path().join("pkg/abc123/gatepost.js"), "").expect("a file");
        let site = Site::find(Some(root.path())).expect("a site");
        assert_eq!(&*site.options.site_pkg_dir, "pkg/abc123");
    }
}
