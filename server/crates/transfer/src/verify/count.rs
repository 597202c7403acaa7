//! The quick look: how much every folder holds on both sides, as the servers say. It proves nothing.

use super::{Verify, at_place};
use crate::{Fault, FolderTotals, mapping::is_view};

/// How much a folder holds on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderCount {
    /// Its path at the source.
    pub source_path: String,
    /// What is there.
    pub source: FolderTotals,
    /// What is at its place at the destination; `None` where there is no such folder.
    pub dest: Option<FolderTotals>,
}

impl FolderCount {
    /// Whether the destination holds fewer messages.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.dest.is_none_or(|dest| dest.messages < self.source.messages)
    }
}

impl Verify<'_> {
    /// Asks both servers for the totals of every folder, and compares nothing else.
    ///
    /// # Errors
    /// Any fault of either side.
    pub async fn count(&self) -> Result<Vec<FolderCount>, Fault> {
        let (mut source, mut dest) = tokio::try_join!(self.source.reader(), self.dest.reader())?;
        let placed = self.ledger.placed().await?;
        let (at_source, at_dest) = tokio::try_join!(source.folders(), dest.folders())?;
        let visible: Vec<_> = at_source.iter().filter(|f| f.selectable && !is_view(f)).collect();
        self.watch.steps(&visible.iter().map(|f| f.path.to_string()).collect::<Vec<_>>());
        let targets: Vec<_> = visible
            .iter()
            .map(|folder| placed.iter().find(|p| p.source == folder.path).and_then(|place| at_place(&at_dest, place)))
            .collect();
        let wanted: Vec<_> = targets.iter().flatten().copied().collect();
        let (ours, theirs) = tokio::try_join!(source.totals(&visible), dest.totals(&wanted))?;
        if self.cancel.is_cancelled() {
            return Err(Fault::cancelled());
        }
        let mut theirs = theirs.into_iter();
        let mut counts = Vec::with_capacity(visible.len());
        for (step, ((folder, target), own)) in visible.iter().zip(&targets).zip(ours).enumerate() {
            let dest = target.and_then(|_| theirs.next().flatten());
            let source = match own {
                Some(own) => own,
                None => FolderTotals { messages: source.open(folder).await?.1.into(), bytes: None },
            };
            let count = FolderCount { source_path: folder.path.to_string(), source, dest };
            let shown = |totals: FolderTotals| match totals.bytes {
                Some(bytes) => format!("{} messages, {bytes} bytes", totals.messages),
                None => format!("{} messages", totals.messages),
            };
            let there = count.dest.map_or("no folder".to_owned(), shown);
            self.watch
                .end(step, Ok(Some(format!("{} at the source, {there} at the destination", shown(count.source)))));
            counts.push(count);
        }
        source.close().await;
        dest.close().await;
        Ok(counts)
    }
}
