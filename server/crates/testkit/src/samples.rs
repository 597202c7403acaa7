//! Where sample files of other programs lie, for tests that read them.

use std::path::{Path, PathBuf};

/// The folder of samples: `GATEPOST_SAMPLES`, else `shared/samples` beside the workspace. Where there is none it says so
/// on standard error and gives `None`, so that a test can pass without; but in CI they must be there.
///
/// # Panics
/// Where `CI` is set and there are no samples.
#[must_use]
pub fn samples() -> Option<PathBuf> {
    let named = std::env::var_os("GATEPOST_SAMPLES").map(PathBuf::from);
    let found = match named {
        Some(path) => path.is_dir().then_some(path),
        None => Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .map(|above| above.join("shared/samples"))
            .find(|path| path.join("README.md").is_file()),
    };
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "no samples: set GATEPOST_SAMPLES to their folder");
        eprintln!("left out: no samples");
    }
    found
}
