//! What is read out of imapsync's logs: short ones made here, and real ones of which it was counted by IMAP afterwards
//! what had truly arrived.

use gatepost_tools::{
    Ended, Exit, Line, Stop, Stream,
    imapsync::{Moved, Report, Statistics, Task, Trouble, failure},
};
use std::{collections::BTreeMap, fs, path::Path};

fn read(text: &str) -> (Report, Vec<Moved>) {
    let mut report = Report::default();
    let line = |text: &str| Line { stream: Stream::Out, text: text.to_owned() };
    let moved = text.lines().filter(|l| !l.is_empty()).filter_map(|l| report.take(&line(l))).collect();
    (report, moved)
}

fn ended(exit: Exit) -> Ended {
    Ended { exit, stopped: None, left_running: 0 }
}

/// A real log: what it says of itself, and what was true.
struct Case {
    name: &'static str,
    exit: Exit,
    task: Task,
    /// `transferred / skipped / errors`, where it says so.
    said: Option<(u64, u64, u64)>,
    /// Messages at the source and, after the run, at the destination, counted by IMAP; `None` where there was no
    /// destination.
    truth: Option<(u64, u64)>,
    /// Messages that it names as copied, line by line, and as not copied.
    named: (u64, usize),
    /// A piece of why it is no good end, and whether to start it again; `None` where it claims one.
    failure: Option<(&'static str, bool)>,
}

const fn case(
    name: &'static str,
    code: i32,
    said: (u64, u64, u64),
    truth: (u64, u64),
    named: (u64, usize),
    failure: Option<(&'static str, bool)>,
) -> Case {
    Case { name, exit: Exit::Code(code), task: Task::Copy, said: Some(said), truth: Some(truth), named, failure }
}

const fn silent(name: &'static str, code: i32, task: Task, failure: Option<(&'static str, bool)>) -> Case {
    Case { name, exit: Exit::Code(code), task, said: None, truth: Some((200, 0)), named: (0, 0), failure }
}

const CASES: [Case; 24] = [
    // Seven of two hundred were left out, and it says that all is well: only two of them are named.
    case("ok-initial", 0, (193, 7, 0), (200, 193), (193, 2), None),
    case("ok-second-run", 0, (0, 200, 0), (200, 193), (0, 2), None),
    case("ok-recommended", 0, (193, 7, 0), (200, 193), (193, 2), None),
    case("ok-dry", 0, (0, 5, 0), (200, 0), (0, 0), None),
    silent("ok-justlogin", 0, Task::Login, None),
    silent("ok-justfoldersizes", 0, Task::Sizes, None),
    case("ok-addheader", 0, (195, 5, 0), (200, 195), (195, 0), None),
    // The one that lost nothing.
    case("ok-useuid-usecache", 0, (200, 0, 0), (200, 200), (200, 0), None),
    case("ok-tls", 0, (193, 7, 0), (200, 193), (193, 2), None),
    case("ok-2000-messages", 0, (1930, 70, 0), (2000, 1930), (1930, 20), None),
    case("ok-skipsize", 0, (187, 13, 0), (200, 187), (187, 8), None),
    silent("fail-password1", 161, Task::Copy, Some(("a log-in was refused", false))),
    silent("fail-password2", 162, Task::Copy, Some(("a log-in was refused", false))),
    Case { truth: None, ..silent("fail-refused-host2", 102, Task::Copy, Some(("could not connect", true))) },
    case("fail-quota", 113, (149, 7, 44), (200, 149), (149, 46), Some(("is full", false))),
    // What it could not copy is named, message by message: that is for the residue to say.
    case("fail-too-large", 114, (192, 7, 1), (200, 192), (192, 3), None),
    case("fail-courier", 116, (181, 7, 6), (200, 181), (181, 2), Some(("folder could not be made", false))),
    case("fail-cut-host2-once", 0, (193, 7, 0), (200, 193), (193, 2), None),
    case("fail-cut-host1-once", 0, (193, 7, 0), (200, 193), (193, 2), None),
    case("fail-host2-gone", 114, (305, 14, 1), (2000, 305), (305, 5), Some(("lost connection for host2", true))),
    case("fail-host1-gone", 115, (302, 15, 1), (2000, 302), (302, 5), Some(("lost connection for host1", true))),
    // One message more had arrived than it knows of.
    case("fail-host2-frozen", 114, (303, 14, 1), (2000, 304), (303, 5), Some(("lost connection for host2", true))),
    Case {
        exit: Exit::Signal(15),
        ..case("stopped-sigterm", 0, (305, 14, 0), (2000, 305), (305, 4), Some(("signal 15", true)))
    },
    // So it does here: what was under way when it was killed.
    Case {
        exit: Exit::Signal(9),
        said: None,
        ..case("stopped-sigkill", 0, (0, 0, 0), (2000, 303), (302, 4), Some(("signal 9", true)))
    },
];

/// How a run ended, what it said of itself and what was true, as the samples' own table has it.
type Documented = (Exit, Option<(u64, u64, u64)>, Option<(u64, u64)>);

/// The rows of that table: `| log | options | exit | wall | said | true host1 | true host2 | …`, `-` where there is nothing.
fn documented(folder: &Path) -> BTreeMap<String, Documented> {
    let readme = fs::read_to_string(folder.join("README.md")).expect("the samples' table");
    let number = |text: &str| text.trim().parse::<u64>().unwrap_or_else(|_| panic!("{text:?} is no number"));
    let rows = readme.lines().filter_map(|line| line.strip_prefix("| ")).filter(|row| !row.starts_with("log | "));
    rows.map(|row| {
        let cells: Vec<&str> = row.split(" | ").map(str::trim).collect();
        let exit = match cells[2].strip_prefix("killed by signal ") {
            Some(signal) => Exit::Signal(signal.parse().expect("a signal")),
            None => Exit::Code(cells[2].parse().expect("an exit code")),
        };
        let said = (cells[4] != "- / - / -").then(|| {
            let figures: Vec<u64> = cells[4].split('/').map(number).collect();
            let [transferred, skipped, errors] = figures[..] else { panic!("three figures: {row}") };
            (transferred, skipped, errors)
        });
        // Messages, then folders.
        let messages = |cell: &str| cell.split_once('/').map(|(messages, _)| number(messages));
        let truth = messages(cells[5]).zip(messages(cells[6]));
        assert!(truth.is_some() || cells[5..7] == ["-", "-"], "{row}");
        (cells[0].to_owned(), (exit, said, truth))
    })
    .collect()
}

#[test]
fn the_table_of_cases_is_the_one_that_was_counted() {
    let Some(samples) = gatepost_testkit::samples() else { return };
    let ours = CASES.iter().map(|case| (case.name.to_owned(), (case.exit, case.said, case.truth)));
    assert_eq!(ours.collect::<BTreeMap<_, _>>(), documented(&samples.join("imapsync-logs")));
}

#[test]
fn every_real_log_is_read_as_it_was_meant_and_believed_no_further() {
    let Some(samples) = gatepost_testkit::samples() else { return };
    let folder = samples.join("imapsync-logs");
    let mut wrong = Vec::new();
    for case in &CASES {
        let text = fs::read(folder.join(format!("{}.log", case.name))).expect("a log");
        let (report, moved) = read(&String::from_utf8_lossy(&text));
        let s = report.statistics.clone();
        let said = s.as_ref().and_then(|s| Some((s.transferred?, s.skipped?, s.errors?)));
        let why = failure(&ended(case.exit), &report, case.task);
        let right = said == case.said
            && (report.moved, report.refused.len()) == case.named
            && moved.len() as u64 == report.moved
            && match (&why, case.failure) {
                (None, None) => true,
                (Some(why), Some((piece, again))) => why.sentence.contains(piece) && why.again == again,
                _ => false,
            };
        println!(
            "{:22} said {said:?}, named {} copied and {} not, true {:?}: {:?}",
            case.name,
            report.moved,
            report.refused.len(),
            case.truth,
            why
        );
        if !right {
            wrong.push(case.name);
        }
        // None of these claims a message that had not arrived; some know of fewer.
        let arrived = case.truth.map_or(0, |(_, arrived)| arrived);
        assert!(report.moved <= arrived, "{}: {} of {arrived}", case.name, report.moved);
        // Its own sum of bytes is that of the messages that it names.
        if let Some(s) = s.filter(|s| s.transferred == Some(report.moved)) {
            assert_eq!(s.bytes, Some(report.moved_bytes), "{}", case.name);
        }
        let version = report.version.as_deref();
        assert_eq!(version, Some("2.229"), "{}", case.name);
        if let (Exit::Code(code), Some((told, name))) = (case.exit, &report.exit) {
            assert_eq!(code, *told, "{}: {name}", case.name);
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
    // No log is left out.
    let logs = fs::read_dir(&folder).expect("a folder").flatten();
    let logs = logs.filter(|entry| entry.path().extension().is_some_and(|e| e == "log")).count();
    assert_eq!(logs, CASES.len());
}

/// Every figure of some logs, read off them by eye.
fn figures() -> [(&'static str, Statistics); 5] {
    let whole = Statistics {
        transferred: Some(1930),
        would_transfer: None,
        skipped: Some(70),
        folders_done: Some(21),
        folders_total: Some(21),
        folders_deleted_dest: None,
        duplicates_source: Some(50),
        duplicates_dest: Some(0),
        crossduplicates_dest: Some(0),
        no_headers_source: Some(20),
        no_headers_dest: Some(0),
        unidentified: Some(20),
        only_source: Some(0),
        only_dest: Some(0),
        deleted_source: Some(0),
        deleted_dest: Some(0),
        bytes: Some(29_910_670),
        bytes_skipped: Some(266_927),
        biggest: Some(145_483),
        seconds: Some(4.3),
        messages_per_second: Some(452.2),
        kib_per_second: Some(6843.9),
        difference_before: Some(-2000),
        difference_after: Some(-70),
        difference_after_bytes: Some(-1_074_058),
        reconnections_source: Some(0),
        reconnections_dest: Some(0),
        memory_mib: Some(179.4),
        errors: Some(0),
        looks_good: Some(true),
    };
    let cut = Statistics {
        transferred: Some(302),
        skipped: Some(15),
        folders_done: Some(5),
        duplicates_source: Some(10),
        no_headers_source: Some(4),
        unidentified: Some(4),
        only_source: Some(84),
        bytes: Some(4_358_527),
        bytes_skipped: Some(95_196),
        biggest: Some(121_564),
        seconds: Some(1.0),
        messages_per_second: Some(313.3),
        kib_per_second: Some(4415.3),
        difference_after: None,
        difference_after_bytes: None,
        reconnections_source: Some(2),
        memory_mib: Some(177.3),
        errors: Some(1),
        looks_good: Some(false),
        ..whole.clone()
    };
    let frozen = Statistics {
        transferred: Some(303),
        skipped: Some(14),
        only_source: Some(83),
        bytes: Some(4_380_944),
        bytes_skipped: Some(72_779),
        seconds: Some(36.0),
        messages_per_second: Some(8.4),
        kib_per_second: Some(118.9),
        reconnections_source: Some(0),
        reconnections_dest: Some(2),
        memory_mib: Some(177.4),
        ..cut.clone()
    };
    let full = Statistics {
        transferred: Some(149),
        skipped: Some(7),
        duplicates_source: Some(5),
        no_headers_source: Some(2),
        unidentified: Some(2),
        only_source: Some(44),
        bytes: Some(2_095_502),
        bytes_skipped: Some(27_289),
        biggest: Some(109_360),
        seconds: Some(0.8),
        messages_per_second: Some(186.8),
        kib_per_second: Some(2565.1),
        difference_before: Some(-200),
        difference_after: Some(-51),
        difference_after_bytes: Some(-777_955),
        memory_mib: Some(177.1),
        errors: Some(44),
        looks_good: Some(false),
        ..whole.clone()
    };
    let tried = Statistics {
        transferred: Some(0),
        would_transfer: Some(195),
        skipped: Some(5),
        no_headers_source: Some(0),
        unidentified: Some(0),
        only_source: Some(55),
        bytes: Some(0),
        bytes_skipped: Some(0),
        biggest: Some(0),
        seconds: Some(0.3),
        messages_per_second: Some(0.0),
        kib_per_second: Some(0.0),
        difference_after: Some(-200),
        difference_after_bytes: Some(-2_873_457),
        memory_mib: Some(176.4),
        errors: Some(0),
        ..full.clone()
    };
    [
        ("ok-2000-messages", whole),
        ("fail-host1-gone", cut),
        ("fail-host2-frozen", frozen),
        ("fail-quota", full),
        ("ok-dry", tried),
    ]
}

#[test]
fn every_figure_is_the_one_that_stands_in_the_log() {
    let Some(samples) = gatepost_testkit::samples() else { return };
    for (name, figures) in figures() {
        let text = fs::read(samples.join(format!("imapsync-logs/{name}.log"))).expect("a log");
        let statistics = read(&String::from_utf8_lossy(&text)).0.statistics;
        assert_eq!(statistics, Some(figures), "{name}");
    }
}

#[test]
fn what_must_never_be_deleted_is_counted_where_it_says_so() {
    let (report, _) = read(
        "++++ Statistics\nFolders deleted on host2                : 2\nMessages found crossduplicate on host2  : 3\n\
         Messages deleted on host1               : 4\nMessages deleted on host2               : 5\n",
    );
    let s = report.statistics.expect("figures");
    assert_eq!(
        [s.folders_deleted_dest, s.crossduplicates_dest, s.deleted_source, s.deleted_dest],
        [Some(2), Some(3), Some(4), Some(5)]
    );
}

#[test]
fn sizes_are_read_where_only_sizes_are_asked_for() {
    let Some(samples) = gatepost_testkit::samples() else { return };
    let text = fs::read(samples.join("imapsync-logs/ok-justfoldersizes.log")).expect("a log");
    let sizes = read(&String::from_utf8_lossy(&text)).0.sizes;
    assert_eq!(
        (sizes.folders_source, sizes.messages_source, sizes.bytes_source),
        (Some(21), Some(200), Some(2_873_457))
    );
    assert_eq!((sizes.messages_dest, sizes.bytes_dest), (Some(0), Some(0)));
}

/// As it prints a run in which everything went wrong once.
const TROUBLES: &str = "\
Here is imapsync 2.314 on host here, a linux system.
msg INBOX/1 {131}                copied to INBOX/1          1.00 msgs/s  131 B/s 131 B copied ETA: now  1 s  9/10 msgs left
msg a copied to b/2 {20}         copied to c copied to d/7  1.00 msgs/s
- msg Sent/3 {400} could not append ( Subject:[x] ) to folder y: z], Date:[\"01-Jan-2020 00:00:00 +0000\"], Size:[400], Flags:[] ) to folder Sent: Error sending '9 APPEND Sent () {400}': 9 NO [OVERQUOTA] Quota exceeded (0.001 secs).
- msg Sent/4 {500} could not append ( Subject:[], Date:[], Size:[500], Flags:[\\Seen] ) to folder Sent: Error sending '10 APPEND': 10 NO Mail size is larger than the maximum size allowed (0.1 secs).
- msg Sent/5 {600} could not append ( Subject:[two
lines], Date:[], Size:[600], Flags:[] ) to folder Sent: gone
- msg Sent/6 {0} S[22417] F[\\Answered \\Seen] I[19-Jun-2018 13:24:30 +0000] could not be fetched: socket closed while reading
- msg Sent/6 skipped.
- msg Sent/7 {0} S[10] F[] I[19-Jun-2018 13:24:30 +0000] could not be fetched: 12 NO message is damaged
msg Sent/8 skipped (51250 exceeds maxsize limit 50000 bytes)
Host1: Sent/9 size 44 ignored (no wanted headers so we ignore this message. To solve this: use --addheader)
++++ Statistics
Folders synced                          : 2/3 synced
Messages transferred                    : 2 (could be 9 without dry mode)
Message rate                            : 2.5 messages/s
Detected 4 errors
++++ Listing 4 errors encountered during the sync ( avoid this listing with --noerrorsdump ).
Err 1/4: - msg Sent/3 {400} could not append ( Subject:[], Date:[], Size:[], Flags:[] ) to folder Sent: other words
Err 2/4: Could not create folder [x] from [x]: 304 NO Error in IMAP command received by server.
Exiting with return value 111 (EXIT_WITH_ERRORS) 4/100 nb_errors/max_errors PID 1
";

#[test]
fn each_message_is_named_once_with_the_servers_words() {
    let (report, moved) = read(TROUBLES);
    let moved: Vec<_> = moved.iter().map(|m| (m.folder.as_str(), m.uid, m.bytes)).collect();
    assert_eq!(moved, [("INBOX", 1, 131), ("a copied to b", 2, 20)]);
    let refused: Vec<_> = report.refused.iter().map(|r| (r.uid, r.trouble, r.words.as_str())).collect();
    assert_eq!(
        refused,
        [
            (3, Trouble::Quota, "NO [OVERQUOTA] Quota exceeded (0.001 secs)."),
            (4, Trouble::Size, "NO Mail size is larger than the maximum size allowed (0.1 secs)."),
            (5, Trouble::Append, "could not append it"),
            (6, Trouble::Lost, "socket closed while reading"),
            (7, Trouble::Fetch, "12 NO message is damaged"),
            (8, Trouble::Size, "skipped (51250 exceeds maxsize limit 50000 bytes)"),
            (9, Trouble::NoHeaders, "left out, for it has no Message-Id"),
        ]
    );
    assert_eq!(
        report.last_complaint(),
        Some("Could not create folder [x] from [x]: 304 NO Error in IMAP command received by server.")
    );
    let statistics = report.statistics.clone().expect("figures");
    assert_eq!((statistics.folders_done, statistics.folders_total), (Some(2), Some(3)));
    assert_eq!((statistics.transferred, statistics.would_transfer), (Some(2), Some(9)));
    assert_eq!(report.exit, Some((111, "EXIT_WITH_ERRORS".to_owned())));
    let why = failure(&ended(Exit::Code(111)), &report, Task::Copy).expect("a failure");
    assert!(why.again && why.sentence.contains("full as well"), "{why:?}");
}

#[test]
fn an_answer_that_passes_says_nothing_against_the_message() {
    for (words, trouble) in [
        ("NO [UNAVAILABLE] Backend is down for maintenance", Trouble::Lost),
        ("NO [INUSE] Mailbox is locked", Trouble::Lost),
        ("NO [LIMIT] Too many parts", Trouble::Append),
        ("NO [SERVERBUG] Internal error occurred", Trouble::Append),
        ("NO Server Unavailable. 15", Trouble::Lost),
        ("NO Temporary failure", Trouble::Lost),
        ("BAD Command Error. 10, please try again", Trouble::Lost),
        ("NO [OVERQUOTA] Try again when there is room", Trouble::Quota),
        ("NO [LIMIT] Message is too large", Trouble::Size),
        ("NO Message contains invalid header", Trouble::Append),
        ("NO [CANNOT] Virus found", Trouble::Append),
    ] {
        let line = format!(
            "- msg Sent/3 {{400}} could not append ( Subject:[Temporary], Date:[], Size:[400], Flags:[] ) to folder Sent: \
             Error sending '9 APPEND': 9 {words}\n"
        );
        let (report, _) = read(&line);
        assert_eq!(report.refused.first().map(|refused| refused.trouble), Some(trouble), "{words}");
    }
}

#[test]
fn a_code_of_0_is_not_enough() {
    let statistics = "++++ Statistics\nFolders synced                          : 3/3 synced\n";
    let last = "Exiting with return value 0 (EX_OK: successful termination) 0/50 nb_errors/max_errors PID 1\n";
    let cases = [
        (String::new(), Task::Copy, Some("last line")),
        (statistics.to_owned(), Task::Copy, Some("last line")),
        (last.to_owned(), Task::Copy, Some("figures")),
        (format!("{}{last}", statistics.replace("3/3", "2/3")), Task::Copy, Some("2 of 3 folders")),
        (format!("{statistics}{last}"), Task::Copy, None),
        (last.to_owned(), Task::Login, None),
        (String::new(), Task::Login, Some("last line")),
    ];
    for (text, task, piece) in cases {
        let why = failure(&ended(Exit::Code(0)), &read(&text).0, task).map(|why| why.sentence);
        match piece {
            Some(piece) => assert!(why.as_ref().is_some_and(|why| why.contains(piece)), "{text:?}: {why:?}"),
            None => assert_eq!(why, None, "{text:?}"),
        }
    }
}

#[test]
fn however_it_was_stopped_is_said() {
    for (stop, piece) in [
        (Stop::Time, "longer than"),
        (Stop::Silence, "said nothing"),
        (Stop::Output, "printed more"),
        (Stop::Room, "room on the disk"),
        (Stop::Cancelled, "was stopped"),
    ] {
        let ended = Ended { exit: Exit::Signal(15), stopped: Some(stop), left_running: 0 };
        let why = failure(&ended, &Report::default(), Task::Copy).expect("a failure");
        assert!(why.sentence.contains(piece), "{why:?}");
    }
}
