//! Who looks on while a run works: the run's steps, its progress and its log.

use gatepost_contract::Level;

/// An onlooker. Calls are cheap and never wait; `step` counts from 0 in the order given to [`Watch::steps`].
pub trait Watch: Send + Sync {
    /// The steps to come: one for each folder, by its path.
    fn steps(&self, names: &[String]);

    /// A step that has not begun will probably have so many messages to do.
    fn expect(&self, step: usize, messages: u64);

    /// A step begins, with so many messages and bytes to do.
    fn begin(&self, step: usize, messages: u64, bytes: u64);

    /// So many more messages and bytes are done.
    fn done(&self, step: usize, messages: u64, bytes: u64);

    /// Of what is done, so many messages and bytes were copied just now; the rest was there before, or was refused.
    fn copied(&self, _messages: u64, _bytes: u64) {}

    /// A step ended; `Err` says why it could not be finished.
    fn end(&self, step: usize, result: Result<Option<String>, String>);

    /// A line for the log.
    fn note(&self, level: Level, kind: &str, message: String);
}
