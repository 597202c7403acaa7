//! Room on the disk: what is free, what must stay free, and what a file may take.

use super::refusal::UploadRefusal;
use std::{
    fmt, io,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;
/// What stays free in any case: the database lies on the same disk, as a rule.
const LEAST: u64 = 16 * MIB;

/// What a file system has, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Space {
    pub free: u64,
    pub total: u64,
}

type Measure = Arc<dyn Fn(&Path) -> io::Result<Space> + Send + Sync>;

/// Watches the room on a disk.
#[derive(Clone)]
pub(crate) struct Room {
    measure: Arc<Mutex<Measure>>,
    reserve: Option<u64>,
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room").field("reserve", &self.reserve).finish_non_exhaustive()
    }
}

impl Room {
    /// Of the disk itself. Without a reserve of its own a twentieth stays free, at least 1 GiB and at most 20 GiB.
    pub fn new(reserve_mb: Option<u64>) -> Self {
        let measure: Measure = Arc::new(of_disk);
        Self { measure: Arc::new(Mutex::new(measure)), reserve: reserve_mb.map(|mb| mb.saturating_mul(MIB)) }
    }

    /// Puts a disk of the test's own in the place of the disk.
    #[cfg(test)]
    pub fn measure_by(&self, measure: impl Fn(&Path) -> io::Result<Space> + Send + Sync + 'static) {
        *self.measure.lock().expect("no test panics with it") = Arc::new(measure);
    }

    fn reserve(&self, total: u64) -> u64 {
        self.reserve.unwrap_or((total / 20).clamp(GIB, 20 * GIB)).max(LEAST)
    }

    /// Refuses a file that would not leave the reserve free, once all that is awaited has come too.
    pub fn for_file(&self, folder: &Path, bytes: u64, awaited: u64) -> io::Result<Result<(), UploadRefusal>> {
        self.judge(folder, Some(bytes), awaited)
    }

    /// Refuses to go on where the reserve is reached.
    pub fn to_go_on(&self, folder: &Path) -> io::Result<Result<(), UploadRefusal>> {
        self.judge(folder, None, 0)
    }

    fn judge(&self, folder: &Path, wanted: Option<u64>, awaited: u64) -> io::Result<Result<(), UploadRefusal>> {
        let measure = Arc::clone(&self.measure.lock().unwrap_or_else(PoisonError::into_inner));
        let space = measure(folder)?;
        let reserve = self.reserve(space.total);
        let needed = wanted.unwrap_or(0).saturating_add(awaited).saturating_add(reserve);
        if space.free >= needed {
            return Ok(Ok(()));
        }
        Ok(Err(UploadRefusal::NoSpace { free: space.free, wanted, awaited, reserve }))
    }
}

fn of_disk(path: &Path) -> io::Result<Space> {
    let found = rustix::fs::statvfs(path)?;
    let of = |blocks: u64| blocks.saturating_mul(found.f_frsize);
    Ok(Space { free: of(found.f_bavail), total: of(found.f_blocks) })
}

/// Bytes as people say them.
pub(crate) fn figure(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = UNITS[0];
    for next in &UNITS[1..] {
        if value < 1023.95 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_must_leave_the_reserve_and_what_is_awaited_free() {
        for (free, total, reserve, bytes, awaited, fits) in [
            (10 * GIB, 100 * GIB, None, 5 * GIB, 0, true),
            (10 * GIB, 100 * GIB, None, 5 * GIB + 1, 0, false),
            (10 * GIB, 100 * GIB, None, 4 * GIB, 2 * GIB, false),
            (10 * GIB, 10 * GIB, None, 9 * GIB, 0, true),
            (500 * GIB, 10_000 * GIB, None, 480 * GIB, 0, true),
            (10 * GIB, 100 * GIB, Some(0), 10 * GIB - LEAST, 0, true),
            (10 * GIB, 100 * GIB, Some(0), 10 * GIB - LEAST + 1, 0, false),
            (LEAST - 1, 100 * GIB, Some(0), 0, 0, false),
            (u64::MAX, u64::MAX, Some(1), u64::MAX, u64::MAX, true),
        ] {
            let room = Room { reserve, ..Room::new(None) };
            room.measure_by(move |_| Ok(Space { free, total }));
            let judged = room.for_file(Path::new("/"), bytes, awaited).expect("it is measured");
            assert_eq!(judged.is_ok(), fits, "{free} of {total}, {reserve:?}, {bytes}, {awaited}");
        }
    }

    #[test]
    fn a_refusal_tells_all_figures() {
        let room = Room::new(None);
        room.measure_by(|_| Ok(Space { free: 3 * GIB / 2, total: 20 * GIB }));
        let refusal = room.for_file(Path::new("/"), 2 * GIB, 512 * MIB).expect("measured").expect_err("too little");
        let text = refusal.to_string();
        for says in ["1.5 GiB free", "needs 2.0 GiB", "512.0 MiB are promised", "1.0 GiB must stay"] {
            assert!(text.contains(says), "{text}");
        }
    }

    #[test]
    fn the_disk_of_a_folder_is_measured() {
        let space = of_disk(&std::env::temp_dir()).expect("it can be measured");
        assert!(space.total > 0 && space.free <= space.total, "{space:?}");
    }

    #[test]
    fn bytes_are_said_as_people_say_them() {
        for (bytes, text) in [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (50 * GIB, "50.0 GiB")] {
            assert_eq!(figure(bytes), text);
        }
    }
}
