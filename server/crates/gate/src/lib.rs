//! The gate: from facts to checks to a verdict, and the table of phases.
//!
//! Pure functions over plain data. This crate has no clock (the caller says what time it is), no IO, and knows
//! nothing of the database, of users or of permissions: who may approve or override is decided by the service,
//! which hands the approval over as a fact.
//!
//! [`facts`] says what the gate looks at, [`checks`] turns it into the eight checks, [`figures`] says what an approval
//! signs, [`verdict`] weighs the checks against the approval, and [`phase`] is the only place that knows which phases
//! follow each other.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by it"))]

pub mod checks;
pub mod facts;
pub mod figures;
pub mod phase;
pub mod verdict;

pub use facts::{Approval, DeltaFacts, Facts, FolderFacts, LedgerFacts, MailboxFacts};
pub use phase::{PhaseError, Transition};
pub use verdict::{Verdict, judge};

#[cfg(test)]
mod samples;
