//! External programs: command lines, logs, exit codes, and a runner that leaves nothing behind.
//!
//! ```text
//!   readpst, imap_upload ──► Program ──► run::run ──► lines, as they come ──► a parser of that tool
//!                                            │
//!                                            ├─► the whole log, compressed, bounded
//!                                            └─► its mark, to a guard, which ends the program should Gatepost be killed,
//!                                                and on disk, for the next start, should the guard be killed too
//! ```
//!
//! There is no shell anywhere: a program, a list of arguments, an environment made from nothing, a working directory of
//! its own. A secret goes in by standard input or by a file of mode 0600 and never stands on a command line. What a
//! program says of its success is shown and never believed: the proof is Gatepost's own reading.
//!
//! Each process of a program is bounded in memory (RLIMIT_AS), each program in time and in what it may print:
//!
//! | program | memory | time | silence | output |
//! |---|---|---|---|---|
//! | imapsync | 4 GiB | a day; a log-in or sizes 15 minutes | an hour; there 5 minutes | 4 GiB |
//! | doveadm | 4 GiB | a day | any: it says nothing while it works | 64 MiB |
//! | ssh, for zmmailbox | 1 GiB | a day; a look 2 minutes | any | 4 GiB beside the archive |
//! | readpst | 8 GiB | a day | 4 hours | 256 MiB |
//! | imap_upload | 8 GiB | a day | 30 minutes | 1 GiB |
//! | whatever is asked for its version | 4 GiB | 10 seconds | — | 64 KiB |
//!
//! `pst2mbox` is not among them: the built-in reader of PST and OST files takes its place, and messages go to the new
//! server, or by `gatepost pst export` into .eml files, without an mbox in between.
//!
//! Nothing here knows jobs, mailboxes or the store.

pub mod doveadm;
mod find;
pub mod imap_upload;
pub mod imapsync;
pub mod readpst;
mod run;
pub mod ssh;
pub mod tgz;
pub mod zmmailbox;

pub use find::{Found, find, version};
pub use run::{
    Ended, Exit, Limits, Line, Piped, Program, Sink, Source, Stop, Stream, ToolError, end_leftovers, guard_by, run,
    run_piped, stand_guard,
};
