//! Bytes that arrive for an upload, piece by piece, over as many requests as it takes.
//!
//! A request that is cut off leaves what arrived. It works in a task of its own, so that the bytes are written and noted
//! also when the one who asked is gone. Memory is one buffer for each request.

use super::{
    Checksum, UploadRefusal, blocking,
    pen::{NotOpen, Pen},
    shelf::{Place, Writing},
};
use crate::{Actor, Error, Gatepost, Result, clock};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use gatepost_contract::{Upload, UploadOrigin, UploadPiece, UploadState};
use gatepost_store::uploads::{self as rows, StoredUpload, pieces};
use std::{io, pin::Pin, time::Duration};
use tokio::time::{Instant, sleep};

/// Bytes on their way in. Dropping it ends the sending.
pub type UploadBody = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;
/// The same, lent.
pub(super) type BodyRef<'a> = &'a mut (dyn Stream<Item = io::Result<Bytes>> + Send + Unpin);

/// So much is collected before it is written.
const BUFFER: usize = 1 << 20;
/// How long a request waits for the one before it to end.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it looks.
const LOOK: Duration = Duration::from_millis(20);
/// A writer that was silent for so long gives way to another.
const SILENCE: Duration = Duration::from_secs(5);

/// How a body ended.
pub(super) enum End {
    /// All of it came.
    Whole,
    /// It broke off.
    Cut,
    /// It is longer than it may be.
    TooMuch,
    /// It cannot be written.
    Refused(Error),
}

impl Gatepost {
    /// How far an upload is, by the length of its file. While somebody writes to it: what was noted last.
    pub async fn upload_offset(&self, actor: &Actor, id: &str) -> Result<(Upload, Option<String>)> {
        actor.manage()?;
        let row = self.upload_row(id).await?;
        refuse_deleted(&row)?;
        if row.is_receiving() && row.upload.origin == UploadOrigin::Tus {
            match self.take_pen(&row).await {
                Ok(pen) => {
                    let row = self.upload_row(id).await?;
                    if row.is_receiving() {
                        self.settle(&row, pen).await?;
                    }
                }
                Err(Error::Upload(UploadRefusal::Locked)) => {}
                Err(error) => return Err(error),
            }
        }
        let row = self.upload_row(id).await?;
        Ok((row.upload, row.metadata))
    }

    /// Adds bytes at an offset, which must be where the upload ends.
    pub async fn append_upload(
        &self,
        actor: &Actor,
        id: &str,
        offset: i64,
        checksum: Option<Checksum>,
        mut body: UploadBody,
    ) -> Result<Upload> {
        actor.manage()?;
        let row = self.upload_row(id).await?;
        refuse_deleted(&row)?;
        if row.upload.origin != UploadOrigin::Tus || !row.is_receiving() {
            return Err(UploadRefusal::Complete.into());
        }
        let pen = self.take_pen(&row).await?;
        let place = self.shelf().enter(id);
        // What stood in the row before the lock was held may have changed.
        let row = self.upload_row(id).await?;
        refuse_deleted(&row)?;
        if !row.is_receiving() {
            return Err(UploadRefusal::Complete.into());
        }
        let (pen, right) = self.settle(&row, pen).await?;
        if offset != right {
            return Err(UploadRefusal::WrongOffset { right }.into());
        }
        let gatepost = self.clone();
        let taking = tokio::spawn(async move { gatepost.take_body(row, right, pen, place, checksum, &mut body).await });
        taking.await.map_err(Error::internal)??;
        Ok(self.upload_row(id).await?.upload)
    }

    /// Takes a body in at `at`, where the file ends: the row may have told another length before they were brought
    /// together.
    async fn take_body(
        &self,
        row: StoredUpload,
        at: i64,
        mut pen: Pen,
        place: Place,
        checksum: Option<Checksum>,
        body: BodyRef<'_>,
    ) -> Result<()> {
        let at = u64::try_from(at).map_err(Error::internal)?;
        pen = blocking(move || pen.begin(at, checksum.as_ref()).map(|()| pen)).await?.map_err(Error::internal)?;
        let most = u64::try_from(row.upload.bytes).unwrap_or(0);
        let (mut pen, end) = self.pour(pen, most, body, Some((&row.upload.id, &place.writing))).await?;
        let proves = pen.is_unproved();
        let whole = matches!(end, End::Whole);
        let (back, right) = blocking(move || {
            let right = if whole {
                pen.prove()
            } else if proves {
                pen.undo().map(|()| true)
            } else {
                Ok(true)
            };
            pen.end_piece();
            (pen, right)
        })
        .await?;
        pen = back;
        let right = right.map_err(Error::internal)?;
        let (at, ended) = (pen.at(), pen.take_pieces());
        let noted = self.note(&row.upload.id, &ended, at, None).await;
        let end = match end {
            // What could not be noted on a full disk, the file's length tells later.
            End::Refused(error) => return Err(error),
            end => end,
        };
        noted?;
        if !right {
            return Err(UploadRefusal::Checksum.into());
        }
        if at == most {
            pen = blocking(move || pen.sync().map(|()| pen)).await?.map_err(Error::internal)?;
            drop(pen);
            drop(place);
            self.check_later(&row.upload.id);
        }
        match end {
            End::Whole => Ok(()),
            End::Cut => {
                let received = i64::try_from(at).unwrap_or(i64::MAX);
                Err(UploadRefusal::Cut { received, bytes: row.upload.bytes }.into())
            }
            End::TooMuch => Err(UploadRefusal::TooMuch { announced: row.upload.bytes }.into()),
            End::Refused(error) => Err(error),
        }
    }

    /// Writes a body to its end, or to where it breaks off. With the id of an upload its pieces are noted as they end.
    pub(super) async fn pour(
        &self,
        mut pen: Pen,
        most: u64,
        body: BodyRef<'_>,
        of: Option<(&str, &Writing)>,
    ) -> Result<(Pen, End)> {
        let mut buffer = Vec::with_capacity(BUFFER);
        let mut end = None;
        while end.is_none() {
            let next = async { body.next().await };
            let next = match of {
                Some((_, writing)) => tokio::select! {
                    biased;
                    () = writing.give_way.cancelled() => Some(Err(io::ErrorKind::Interrupted.into())),
                    next = next => next,
                },
                None => next.await,
            };
            match next {
                Some(Ok(bytes)) => {
                    if let Some((_, writing)) = of {
                        writing.heard();
                    }
                    if pen.at() + (buffer.len() + bytes.len()) as u64 > most {
                        end = Some(End::TooMuch);
                    } else {
                        buffer.extend_from_slice(&bytes);
                    }
                }
                Some(Err(_)) => end = Some(End::Cut),
                None => end = Some(End::Whole),
            }
            if buffer.is_empty() || (end.is_none() && buffer.len() < BUFFER) {
                continue;
            }
            let shelf = self.shelf().clone();
            let (back, taken, written) = blocking(move || {
                // Looking costs nothing beside writing. The database, for one, needs what stays free.
                let room = shelf.room.to_go_on(&shelf.folder()).map_err(Error::internal).and_then(|room| Ok(room?));
                let written = room.and_then(|()| pen.write(&buffer).map_err(|error| no_room_or(error, &shelf)));
                buffer.clear();
                (pen, buffer, written)
            })
            .await?;
            (pen, buffer) = (back, taken);
            if let Err(error) = written {
                end = Some(End::Refused(error));
            }
            if let Some((id, _)) = of
                && !matches!(end, Some(End::Refused(_)))
                && pen.has_pieces()
                && !pen.is_unproved()
            {
                let (at, ended) = (pen.at(), pen.take_pieces());
                self.note(id, &ended, at.min(end_of(&ended)), None).await?;
            }
        }
        Ok((pen, end.unwrap_or(End::Cut)))
    }

    /// Notes pieces that ended, and how far the upload is.
    pub(super) async fn note(&self, id: &str, ended: &[UploadPiece], received: u64, error: Option<&str>) -> Result<()> {
        let received = i64::try_from(received).unwrap_or(i64::MAX);
        // What a power cut undoes here, the file's length and its pieces on the disk tell again.
        let mut tx = self.store().begin_recoverable().await?;
        pieces::add(&mut tx, id, ended).await?;
        rows::set_received(&mut tx, id, received, Some(&self.unfinished_until()), error, &clock::now()).await?;
        Ok(tx.commit().await?)
    }

    /// Brings an upload's row and its file together: what the file holds counts. The pen must hold the file's lock.
    pub(super) async fn settle(&self, row: &StoredUpload, mut pen: Pen) -> Result<(Pen, i64)> {
        let id = &row.upload.id;
        let announced = u64::try_from(row.upload.bytes).unwrap_or(0);
        let (back, length) = blocking(move || {
            let length = pen.drop_unproved().and_then(|()| pen.length());
            (pen, length)
        })
        .await?;
        pen = back;
        let length = length.map_err(Error::internal)?.min(announced);
        let (noted, beyond) = {
            let mut conn = self.store().reader().await?;
            let noted = pieces::end_within(&mut conn, id, i64::try_from(length).unwrap_or(i64::MAX)).await?;
            (u64::try_from(noted).unwrap_or(0), !pieces::list(&mut conn, id, noted, 1).await?.is_empty())
        };
        // A piece of which the end is gone is not what arrived: it comes once more.
        let keep = if beyond { noted } else { length };
        let (back, tail) = blocking(move || {
            let cut = pen.length().and_then(|now| if now > keep { pen.cut_to(keep) } else { Ok(()) });
            let tail = cut.and_then(|()| pen.pieces_between(noted, keep));
            (pen, tail)
        })
        .await?;
        pen = back;
        let tail = tail.map_err(Error::internal)?;
        let right = i64::try_from(keep).unwrap_or(i64::MAX);
        if beyond || !tail.is_empty() || right != row.upload.received {
            let mut tx = self.store().begin_recoverable().await?;
            pieces::delete_from(&mut tx, id, i64::try_from(noted).unwrap_or(i64::MAX)).await?;
            pieces::add(&mut tx, id, &tail).await?;
            let error = row.upload.error.as_deref();
            rows::set_received(&mut tx, id, right, None, error, &clock::now()).await?;
            tx.commit().await?;
        }
        Ok((pen, right))
    }

    /// Opens an upload for writing. Waits a little for the one who has it; one that has been silent for long gives way.
    pub(super) async fn take_pen(&self, row: &StoredUpload) -> Result<Pen> {
        let id = row.upload.id.as_str();
        self.open_pen(row, || {
            if let Some(writing) = self.shelf().writer(id)
                && writing.silent_for() >= SILENCE
            {
                writing.give_way.cancel();
            }
        })
        .await
    }

    /// Opens an upload from which everybody else must go. None where its bytes are gone already.
    pub(super) async fn take_over(&self, row: &StoredUpload) -> Result<Option<Pen>> {
        let id = row.upload.id.as_str();
        let taken = self.open_pen(row, || {
            if let Some(writing) = self.shelf().writer(id) {
                writing.give_way.cancel();
            }
        });
        match taken.await {
            Ok(pen) => Ok(Some(pen)),
            Err(Error::Upload(UploadRefusal::Vanished)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn open_pen(&self, row: &StoredUpload, each_time: impl Fn()) -> Result<Pen> {
        let until = Instant::now() + PATIENCE;
        loop {
            let (shelf, path) = (self.shelf().clone(), row.path.clone());
            match blocking(move || shelf.open(&path)).await? {
                Ok(pen) => return Ok(pen),
                Err(NotOpen::Missing) => return Err(UploadRefusal::Vanished.into()),
                Err(NotOpen::Failed(error)) => return Err(Error::internal(error)),
                Err(NotOpen::Locked) if Instant::now() >= until => return Err(UploadRefusal::Locked.into()),
                Err(NotOpen::Locked) => {
                    each_time();
                    sleep(LOOK).await;
                }
            }
        }
    }

    /// A new file for an upload.
    pub(super) async fn create_pen(&self, path: &str) -> Result<Pen> {
        let path = self.shelf().bytes(path);
        match blocking(move || Pen::create(&path)).await? {
            Ok(pen) => Ok(pen),
            Err(NotOpen::Failed(error)) => Err(no_room_or(error, self.shelf())),
            Err(NotOpen::Locked) => Err(UploadRefusal::Locked.into()),
            Err(NotOpen::Missing) => Err(Error::internal("the folder of the uploads is not there")),
        }
    }
}

fn end_of(ended: &[UploadPiece]) -> u64 {
    ended.last().map_or(0, |piece| u64::try_from(piece.offset + piece.bytes).unwrap_or(0))
}

fn refuse_deleted(row: &StoredUpload) -> Result<()> {
    if row.upload.state == UploadState::Deleted { Err(UploadRefusal::Deleted.into()) } else { Ok(()) }
}

/// A full disk is a refusal with figures; all else is a fault.
pub(super) fn no_room_or(error: io::Error, shelf: &super::Shelf) -> Error {
    if !matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
    {
        return Error::internal(error);
    }
    match shelf.room.to_go_on(&shelf.folder()) {
        Ok(Err(refusal)) => refusal.into(),
        // The reserve is not reached, and the disk is full all the same: a quota.
        _ => UploadRefusal::NoSpace { free: 0, wanted: None, awaited: 0, reserve: 0 }.into(),
    }
}
