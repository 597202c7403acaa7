//! A catalogue that was damaged is refused or read without a panic, and never gives more entries than it has bytes for.
//! The input is the file.
#![no_main]

use gatepost_archive::Catalogue;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let place = if std::path::Path::new("/dev/shm").is_dir() { "/dev/shm".into() } else { std::env::temp_dir() };
    let path = place.join(format!("gatepost-fuzz-catalogue-{}", std::process::id()));
    std::fs::write(&path, bytes).expect("space");
    let Ok(catalogue) = Catalogue::open(&path) else { return };
    for folder in catalogue.folders() {
        let mut count = 0;
        for entry in catalogue.entries(folder, 1) {
            count += 1;
            assert!(count <= bytes.len(), "more entries than bytes");
            if entry.is_err() {
                break;
            }
        }
    }
});
