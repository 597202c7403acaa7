//! Where the built site is: `pkg/<hash>/gatepost.{js,wasm,css}` below its root, and files such as the favicon. A packaged
//! program holds all of them itself; any other finds them in a folder.

mod inside;

use axum::{body::Body, extract::Request, response::Response};
use http::StatusCode;
use leptos::config::LeptosOptions;
use std::{
    fmt,
    path::{Path, PathBuf},
};
use tower::ServiceExt;
use tower_http::services::ServeDir;

/// The built site.
#[derive(Clone)]
pub struct Site {
    place: Place,
    /// What the pages need to know of it.
    pub options: LeptosOptions,
}

#[derive(Clone)]
enum Place {
    /// Within the program.
    Inside,
    Folder(PathBuf),
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

/// Where the assets are, for people.
impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hash = self.options.site_pkg_dir.trim_start_matches("pkg/");
        match &self.place {
            Place::Inside => write!(f, "assets {hash} within the program"),
            Place::Folder(root) => write!(f, "assets {hash} in {}", root.display()),
        }
    }
}

impl Site {
    /// Takes the configured place; else what the program holds itself; else looks beside the program, one level up and
    /// in `target/site`.
    pub fn find(configured: Option<&Path>) -> Result<Self, NoSite> {
        if let (None, Some(hash)) = (configured, inside::hash()) {
            return Ok(Self::new(Place::Inside, hash));
        }
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
        Some(Self::new(Place::Folder(root.to_path_buf()), &hash))
    }

    fn new(place: Place, hash: &str) -> Self {
        let root = match &place {
            Place::Inside => String::new(),
            Place::Folder(root) => root.to_string_lossy().into_owned(),
        };
        let options = LeptosOptions::builder()
            .output_name("gatepost")
            .site_root(root)
            .site_pkg_dir(format!("pkg/{hash}"))
            .env(leptos::config::Env::PROD)
            .build();
        Self { place, options }
    }

    /// The file that a request asks for, compressed as the browser takes it; 404 where there is none.
    pub async fn file(&self, request: Request) -> Response {
        match &self.place {
            Place::Inside => inside::answer(request.uri().path(), request.headers()),
            Place::Folder(root) => {
                let folder =
                    ServeDir::new(root).append_index_html_on_directories(false).precompressed_br().precompressed_gzip();
                match folder.oneshot(request).await {
                    Ok(response) => response.map(Body::new),
                    Err(never) => match never {},
                }
            }
        }
    }
}

/// An answer without a body.
fn bare(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
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
