//! `gatepost copy` and the Desk's copies against real servers: who logs in, what hosts may be asked for, and what is
//! said about it.

#[path = "../common/mod.rs"]
mod common;

mod budgets;
mod cli;
mod files;
mod log_in;
mod pst;
