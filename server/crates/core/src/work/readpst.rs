//! Letting readpst write the messages of a PST, for mailboxes whose tool is readpst or imap-upload.
//!
//! What it writes lies beside the upload until that is deleted: copies and proofs read the messages' bytes from there.
//! Which messages there are is our own reader's to say.

use super::{extract::Reading, internal};
use crate::{ToolRun, access::on_disk, uploads::UploadRefusal};
use gatepost_contract::Level;
use gatepost_store::uploads::StoredUpload;
use gatepost_transfer::{Fault, FaultKind, Watch as _};
use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt,
    path::Path,
};

/// Fills `written`; what was begun and not ended before is begun anew.
pub(super) async fn write(reading: &Reading<'_>, file: &StoredUpload, pst: &Path, written: &Path) -> Result<(), Fault> {
    let data = &reading.gatepost.config().data_path;
    let (id, slot) = (reading.run, file.upload.slot);
    let work = data.join("work").join(format!("run-{id}"));
    let log = data.join("logs").join(format!("run-{id}-readpst-{slot}.gz"));
    let begun = written.with_extension("readpst-begun");
    // Attachments grow by a third when they are written as mail.
    let wanted = u64::try_from(file.upload.bytes).unwrap_or_default() / 2 * 3;
    let room = reading.gatepost.shelf().room.for_file(data, wanted, 0).map_err(internal)?;
    room.map_err(|refusal: UploadRefusal| Fault::new(FaultKind::Internal, refusal.to_string()))?;
    for place in [&begun, &work, &data.join("logs")] {
        if place == &begun {
            remove(&begun).map_err(internal)?;
        }
        DirBuilder::new().recursive(true).mode(0o700).create(place).map_err(internal)?;
    }
    let note = |level: Level, sentence: String| reading.watch.note(level, "readpst", sentence);
    note(Level::Info, format!("readpst writes the messages of {}.", file.upload.name));
    let run = ToolRun { work: &work, log: &log, note: &note, moved: &|_| {}, cancel: reading.cancel };
    let ended = reading.gatepost.drivers().tools().readpst(pst, &begun, run).await;
    let _ = remove(&work);
    if let Err(fault) = ended {
        let _ = remove(&begun);
        return Err(fault);
    }
    // What a scan found before belongs to other bytes: without a catalogue the file is read through again, also after a
    // kill at this point.
    let catalogue = on_disk(reading.gatepost, file)?.catalogue;
    fs::remove_file(catalogue).or_else(missing_is_fine).map_err(internal)?;
    remove(written).and_then(|()| fs::rename(&begun, written)).map_err(internal)
}

fn remove(folder: &Path) -> io::Result<()> {
    fs::remove_dir_all(folder).or_else(missing_is_fine)
}

fn missing_is_fine(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}
