use super::*;
use crate::{
    Appended, ChangedSince, Digests, Flags, FolderPath, FolderState, FolderTotals, InternalDate, Outgoing, Quota,
    ReadMessage, Surveyed, Which,
};
use async_trait::async_trait;
use bytes::Bytes;

/// A store in memory that counts every attempt to change it.
#[derive(Default)]
struct Fake {
    limits: Limits,
    folders: Vec<(RemoteFolder, Vec<u64>)>,
    fails: Option<(&'static str, FaultKind)>,
    open: usize,
    fetched: Vec<(String, u32)>,
    changes: u32,
    cancel_on_open: Option<CancellationToken>,
    /// The Message-Ids of the messages of every folder, by UID, where the store keeps them.
    ids: Option<Vec<(u32, String)>>,
}

impl Fake {
    /// Folders with the sizes of their messages; the UIDs are 1, 2, 3, …
    fn of(folders: &[(&str, &[u64])]) -> Self {
        let folders = folders.iter().map(|(path, sizes)| {
            let path = FolderPath::from(*path);
            (RemoteFolder { native: path.to_string(), path, special_use: None, selectable: true }, sizes.to_vec())
        });
        Self { folders: folders.collect(), ..Self::default() }
    }
}

#[async_trait]
impl Source for Fake {
    async fn limits(&mut self) -> Result<Limits, Fault> {
        Ok(self.limits.clone())
    }

    async fn folders(&mut self) -> Result<Vec<RemoteFolder>, Fault> {
        Ok(self.folders.iter().map(|(folder, _)| folder.clone()).collect())
    }

    async fn open(&mut self, folder: &RemoteFolder) -> Result<FolderState, Fault> {
        if let Some(cancel) = &self.cancel_on_open {
            cancel.cancel();
            std::future::pending::<()>().await;
        }
        if let Some((native, kind)) = self.fails
            && native == folder.native
        {
            return Err(Fault::new(kind, "NO Permission denied"));
        }
        self.open = self.folders.iter().position(|(f, _)| f == folder).expect("a folder of this store");
        Ok(FolderState::default())
    }

    async fn survey(&mut self) -> Result<Vec<Surveyed>, Fault> {
        Ok(self.folders.iter().map(|(folder, _)| Surveyed { folder: folder.clone(), status: None }).collect())
    }

    async fn list(&mut self, _: Which, out: mpsc::Sender<MessageMeta>) -> Result<(), Fault> {
        let internal_date = InternalDate { seconds: 0, zone_minutes: 0 };
        for (uid, size) in (1u32..).zip(&self.folders[self.open].1) {
            let message = MessageMeta { uid, size: *size, internal_date, flags: Flags::default() };
            if out.send(message).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    async fn uids(&mut self) -> Result<UidSet, Fault> {
        Ok((1u32..).zip(&self.folders[self.open].1).map(|(uid, _)| uid).collect())
    }

    async fn flags(&mut self, _: &UidSet) -> Result<Vec<(u32, Flags)>, Fault> {
        Ok(Vec::new())
    }

    async fn changed(&mut self, _: u32, _: u64) -> Result<Option<ChangedSince>, Fault> {
        Ok(None)
    }

    async fn keep_alive(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    async fn message_ids(&mut self, out: mpsc::Sender<(u32, String)>) -> Result<bool, Fault> {
        for id in self.ids.iter().flatten() {
            if out.send(id.clone()).await.is_err() {
                break;
            }
        }
        Ok(self.ids.is_some())
    }

    async fn fetch(&mut self, mut wanted: mpsc::Receiver<UidSet>, out: mpsc::Sender<Incoming>) -> Result<(), Fault> {
        let (folder, sizes) = &self.folders[self.open];
        let uids = wanted.recv().await.unwrap_or_default();
        for uid in uids.iter() {
            let size = sizes[uid as usize - 1];
            self.fetched.push((folder.native.clone(), uid));
            let data = Bytes::from(vec![b'x'; usize::try_from(size).expect("a small message")]);
            for piece in [Incoming::Begin { uid, size }, Incoming::Data(data), Incoming::End] {
                if out.send(piece).await.is_err() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    async fn close(&mut self) {}
}

#[async_trait]
impl Destination for Fake {
    async fn create(&mut self, paths: &[FolderPath]) -> Result<Vec<Result<RemoteFolder, Fault>>, Fault> {
        self.changes += 1;
        Err(Fault::new(FaultKind::Refused, format!("{paths:?} must not be made")))
    }

    async fn append(
        &mut self,
        _: &RemoteFolder,
        _: u32,
        _: mpsc::Receiver<Outgoing>,
        _: mpsc::Sender<Appended>,
    ) -> Result<(), Fault> {
        self.changes += 1;
        Ok(())
    }

    async fn set_flags(&mut self, _: &[(u32, Flags)]) -> Result<(), Fault> {
        self.changes += 1;
        Ok(())
    }
}

async fn look(source: &mut Fake, dest: &mut Fake, options: &Options) -> Result<PreflightReport, Fault> {
    preflight(source, dest, Origin::Server, options, &CancellationToken::new(), &mut |_, _| {}).await
}

fn uidplus() -> Limits {
    Limits { capabilities: vec!["UIDPLUS".to_owned()], ..Limits::default() }
}

#[tokio::test]
async fn the_report_counts_plans_and_changes_nothing() {
    let mut source = Fake::of(&[("INBOX", &[100, 300, 200]), ("Enviados", &[50]), ("Vazio", &[])]);
    let mut dest = Fake { limits: uidplus(), ..Fake::of(&[("INBOX", &[])]) };
    let mut lines = Vec::new();
    let report = preflight(
        &mut source,
        &mut dest,
        Origin::Server,
        &Options::default(),
        &CancellationToken::new(),
        &mut |level, line| {
            lines.push((level, line));
        },
    )
    .await
    .expect("a report");
    assert!(report.ok, "{:?}", report.errors);
    assert_eq!((report.messages, report.bytes, report.largest), (4, 650, 300));
    let told: Vec<_> = report
        .folders
        .iter()
        .map(|f| (f.source.to_string(), f.dest.as_ref().map(ToString::to_string), f.messages, f.bytes, f.exists))
        .collect();
    assert_eq!(
        told,
        [
            ("Enviados".to_owned(), Some("Sent".to_owned()), 1, 50, false),
            ("INBOX".to_owned(), Some("INBOX".to_owned()), 3, 600, true),
            ("Vazio".to_owned(), Some("Vazio".to_owned()), 0, 0, false),
        ]
    );
    assert_eq!(report.warnings, Vec::<String>::new());
    assert!(report.duration.is_some_and(|d| d.sample_messages == 4 && d.sample_bytes == 650));
    assert_eq!((source.changes, dest.changes), (0, 0));
    assert!(dest.fetched.is_empty(), "nothing is read at the destination");
    assert!(lines.iter().any(|(level, line)| *level == Level::Info && line.contains("4 messages in 3 folders")));
    let read: PreflightReport =
        serde_json::from_str(&serde_json::to_string(&report).expect("JSON")).expect("the same report");
    assert_eq!(read, report);
}

#[tokio::test]
async fn the_sample_stays_small() {
    let (many, huge) = (vec![1_000u64; 5_000], vec![3_000_000u64; 10]);
    let mut source = Fake::of(&[("A", &many), ("B", &many), ("C", &many), ("D", &many), ("Z", &huge)]);
    let report = look(&mut source, &mut Fake::of(&[("INBOX", &[])]), &Options::default()).await.expect("a report");
    let duration = report.duration.expect("an estimate");
    assert!(duration.sample_messages <= SAMPLE_MESSAGES && duration.sample_messages > 40, "{duration:?}");
    assert!(source.fetched.iter().any(|(folder, _)| folder == "C"), "one folder does not use it up");
    assert!(source.fetched.iter().all(|(folder, _)| folder != "Z"));
    assert!(source.fetched.iter().any(|(_, uid)| *uid > 4_000), "it is spread over the folder");
}

#[tokio::test]
async fn oversize_messages_are_named_and_counted() {
    let mut source = Fake::of(&[("INBOX", &[100, 2_000]), ("X", &vec![1_001; OVERSIZE_LISTED + 5])]);
    let limits = Limits { append_limit: Some(1_000), ..uidplus() };
    let mut dest = Fake { limits, ..Fake::of(&[("INBOX", &[])]) };
    let report = look(&mut source, &mut dest, &Options::default()).await.expect("a report");
    assert!(report.ok, "they are quarantined, the rest is copied");
    assert_eq!(report.oversize[0], Oversize { folder: FolderPath::inbox(), uid: 2, size: 2_000 });
    assert_eq!(report.oversize.len(), OVERSIZE_LISTED);
    assert_eq!(report.oversize_total, 206);
    assert!(
        report.warnings.iter().any(|w| w.contains("206 messages") && w.contains("1.0 kB")),
        "{:?}",
        report.warnings
    );
}

#[tokio::test]
async fn a_quota_that_is_too_small_is_an_error_and_a_tight_one_a_warning() {
    for (used, limit, errors, warnings) in [(0, 10_000, 0, 0), (0, 1_020, 0, 1), (0, 900, 1, 0), (1_000, 1_100, 0, 1)] {
        let mut source = Fake::of(&[("INBOX", &[600, 400])]);
        let limits = Limits { quota: Some(Quota { used, limit }), ..uidplus() };
        let mut dest = Fake { limits, ..Fake::of(&[("INBOX", &[])]) };
        let report = look(&mut source, &mut dest, &Options::default()).await.expect("a report");
        let told = (report.errors.len(), report.warnings.len());
        assert_eq!(told, (errors, warnings), "{used} of {limit}: {:?} {:?}", report.errors, report.warnings);
        assert_eq!(report.ok, errors == 0);
        assert_eq!(report.space.map(|s| (s.needed, s.needed_with_margin)), Some((1_000, 1_050)));
    }
}

#[tokio::test]
async fn a_plan_that_cannot_be_made_is_an_error_and_the_counts_are_still_there() {
    let mut source = Fake::of(&[("Projetos", &[10]), ("projetos", &[20])]);
    let report = look(&mut source, &mut Fake::default(), &Options::default()).await.expect("a report");
    assert!(!report.ok);
    assert!(report.errors[0].contains("\"Projetos\" and \"projetos\""), "{:?}", report.errors);
    assert_eq!((report.messages, report.bytes), (2, 30));
    assert!(report.folders.iter().all(|f| f.dest.is_none()));
}

#[tokio::test]
async fn a_folder_that_cannot_be_read_is_an_error_and_the_others_are_still_read() {
    let mut source = Fake::of(&[("A", &[10]), ("B", &[20]), ("INBOX", &[30])]);
    source.fails = Some(("B", FaultKind::Refused));
    let report = look(&mut source, &mut Fake::default(), &Options::default()).await.expect("a report");
    assert!(!report.ok);
    assert!(
        report.errors[0].contains("\"B\"") && report.errors[0].contains("Permission denied. "),
        "{:?}",
        report.errors
    );
    assert_eq!(report.bytes, 40);
    assert_eq!(report.folders.iter().filter(|f| !f.readable).count(), 1);
}

#[tokio::test]
async fn a_lost_connection_and_a_cancellation_end_the_run() {
    let mut source = Fake::of(&[("A", &[10])]);
    source.fails = Some(("A", FaultKind::Lost));
    let fault = look(&mut source, &mut Fake::default(), &Options::default()).await.expect_err("no report");
    assert_eq!(fault.kind, FaultKind::Lost);

    let cancel = CancellationToken::new();
    let mut source = Fake { cancel_on_open: Some(cancel.clone()), ..Fake::of(&[("A", &[10])]) };
    let mut dest = Fake::default();
    let fault = preflight(&mut source, &mut dest, Origin::Server, &Options::default(), &cancel, &mut |_, _| {}).await;
    assert_eq!(fault.expect_err("no report").kind, FaultKind::Cancelled);
}

#[test]
fn sizes_are_shown_as_people_read_them() {
    for (count, expect) in
        [(0, "0 bytes"), (999, "999 bytes"), (1_000, "1.0 kB"), (999_960, "1.0 MB"), (25_000_000, "25.0 MB")]
    {
        assert_eq!(bytes(count), expect);
    }
    assert_eq!(bytes(5_000_000_000_000_000), "5000.0 TB");
}

/// A witness of a destination: folders with the sizes, dates and Message-Ids of their messages.
struct Witness(Vec<(RemoteFolder, Vec<ReadMessage>)>, usize);

/// Size, date and Message-Id of a message.
type Told = (u64, i64, Option<&'static str>);

impl Witness {
    fn of(folders: &[(&str, &[Told])]) -> Self {
        let message = |uid, (size, seconds, id): &Told| ReadMessage {
            uid,
            size: *size,
            internal_date: InternalDate { seconds: *seconds, zone_minutes: 0 },
            flags: Flags::default(),
            message_id: id.map(str::to_owned),
        };
        let folders = folders.iter().map(|(path, messages)| {
            let path = FolderPath::from(*path);
            let folder = RemoteFolder { native: path.to_string(), path, special_use: None, selectable: true };
            (folder, (1..).zip(*messages).map(|(uid, m)| message(uid, m)).collect())
        });
        Self(folders.collect(), 0)
    }
}

#[async_trait]
impl Reader for Witness {
    async fn folders(&mut self) -> Result<Vec<RemoteFolder>, Fault> {
        Ok(self.0.iter().map(|(folder, _)| folder.clone()).collect())
    }

    async fn totals(&mut self, folders: &[&RemoteFolder]) -> Result<Vec<Option<FolderTotals>>, Fault> {
        Ok(vec![None; folders.len()])
    }

    async fn open(&mut self, folder: &RemoteFolder) -> Result<(u32, u32), Fault> {
        self.1 = self.0.iter().position(|(f, _)| f == folder).expect("a folder of this store");
        Ok((1, 0))
    }

    async fn read(&mut self, _: Option<&UidSet>, out: mpsc::Sender<ReadMessage>) -> Result<(), Fault> {
        for message in &self.0[self.1].1 {
            out.send(message.clone()).await.expect("somebody listens");
        }
        Ok(())
    }

    async fn digest(&mut self, _: &[(u32, u64)], _: mpsc::Sender<(u32, Digests)>) -> Result<(), Fault> {
        panic!("a preflight reads no bodies");
    }

    async fn heads(&mut self, _: &UidSet, _: mpsc::Sender<(u32, Vec<u8>)>) -> Result<(), Fault> {
        panic!("a preflight reads no headers of the destination one by one");
    }

    async fn bytes(&mut self, _: u32, _: u64) -> Result<Option<Vec<u8>>, Fault> {
        panic!("a preflight reads no bodies");
    }

    async fn close(&mut self) {}
}

#[tokio::test]
async fn of_a_files_messages_those_are_counted_that_their_folder_holds_already() {
    let mut source = Fake::of(&[("INBOX", &[100, 200, 300, 300]), ("Projetos", &[100])]);
    source.ids = Some(vec![(1, "<a@example>".to_owned()), (2, "b@example".to_owned())]);
    let mut dest = Fake { limits: uidplus(), ..Fake::of(&[("INBOX", &[]), ("Projetos", &[])]) };
    // The same Message-Id on another date, and the same size with another Message-Id, are other messages; of two that are
    // alike one is there.
    let mut witness = Witness::of(&[
        (
            "INBOX",
            &[
                (900, 0, Some("a@example")),
                (200, 77, Some("<b@example>")),
                (300, 0, None),
                (100, 0, Some("<c@example>")),
            ],
        ),
        ("Projetos", &[(5, 0, None)]),
    ]);
    let origin = Origin::Files(&mut witness);
    let cancel = CancellationToken::new();
    let report = preflight(&mut source, &mut dest, origin, &Options::default(), &cancel, &mut |_, _| {})
        .await
        .expect("a report");
    assert_eq!(report.folders.iter().map(|f| f.present).collect::<Vec<_>>(), [Some(2), Some(0)]);
    assert_eq!(report.present, Some(2));
    assert!(report.warnings.iter().any(|w| w.starts_with("2 messages are in the mailbox already")), "{report:#?}");
    assert!(source.fetched.is_empty() && report.duration.is_none(), "a file's own speed foretells nothing");
    assert_eq!(dest.changes, 0);
}

#[tokio::test]
async fn an_empty_file_is_said_to_be_one() {
    let mut source = Fake::of(&[("INBOX", &[])]);
    let mut dest = Fake { limits: uidplus(), ..Fake::of(&[("INBOX", &[])]) };
    let mut witness = Witness::of(&[("INBOX", &[])]);
    let origin = Origin::Files(&mut witness);
    let cancel = CancellationToken::new();
    let report = preflight(&mut source, &mut dest, origin, &Options::default(), &cancel, &mut |_, _| {})
        .await
        .expect("a report");
    assert!(report.warnings.iter().any(|w| w.contains("files hold no message")), "{:?}", report.warnings);
}
