//! Programs that bytes flow through: what one reads comes from somewhere else as it is needed, and what it prints goes
//! somewhere else, neither kept whole in memory nor on the disk.

use super::{Ended, Line, Program, ToolError, run_with};
use std::{fmt, io};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

/// What a program reads.
pub type Source = Box<dyn AsyncRead + Send + Unpin>;
/// What takes what a program prints.
pub type Sink = Box<dyn AsyncWrite + Send + Unpin>;

/// Where a program's standard input comes from and where its standard output goes, beside lines.
#[derive(Default)]
pub struct Piped {
    /// What it reads. Its standard input is closed when this ends, also by an error: who hands over a stream that can
    /// break must cancel the program before.
    pub input: Option<Source>,
    /// What takes its standard output, byte for byte. Its lines are those of standard error then.
    pub output: Option<Sink>,
}

impl fmt::Debug for Piped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Piped").field("input", &self.input.is_some()).field("output", &self.output.is_some()).finish()
    }
}

/// Runs a program as [`run`](super::run) does, with its bytes flowing through. How fast they flow is decided at the slower
/// end. What it prints counts neither as output nor as a word that breaks its silence; whoever moves the bytes watches
/// those.
///
/// # Errors
/// When it cannot be started.
pub async fn run_piped(
    program: Program,
    piped: Piped,
    on_line: &mut (dyn FnMut(Line) + Send),
    cancel: &CancellationToken,
) -> Result<Ended, ToolError> {
    run_with(program, piped, on_line, cancel).await
}

/// Bytes on their way out of a program.
pub(super) struct Flow(JoinHandle<io::Result<u64>>);

impl Flow {
    /// Begins to carry a program's output away.
    pub fn out(mut stream: impl AsyncRead + Unpin + Send + 'static, mut sink: Sink) -> Self {
        Self(tokio::spawn(async move {
            let bytes = tokio::io::copy(&mut stream, &mut sink).await?;
            sink.shutdown().await?;
            Ok(bytes)
        }))
    }

    /// Waits until everything has been carried away, which takes as long as the other end does. A receiver that has gone
    /// is its own affair.
    pub async fn finish(mut self, cancel: &CancellationToken) {
        tokio::select! {
            done = &mut self.0 => {
                if let Ok(Err(error)) = done {
                    tracing::debug!(%error, "what a program printed was not taken to the end");
                }
            }
            () = cancel.cancelled() => {}
        }
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.0.abort();
    }
}
