//! External programs: command lines, logs, exit codes, and a runner that leaves nothing behind.
//!
//! ```text
//!   readpst, imap_upload ──► Program ──► run::run ──► lines, as they come ──► a parser of that tool
//!                                            │
//!                                            ├─► the whole log, compressed, bounded
//!                                            └─► a ticket on disk: what a crash left running is ended at the next start
//! ```
//!
//! There is no shell anywhere: a program, a list of arguments, an environment made from nothing, a working directory of
//! its own. A secret goes in by standard input or by a file of mode 0600 and never stands on a command line. What a
//! program says of its success is shown and never believed: the proof is Gatepost's own reading.
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
    Ended, Exit, Limits, Line, Piped, Program, Sink, Source, Stop, Stream, ToolError, end_leftovers, run, run_piped,
};
