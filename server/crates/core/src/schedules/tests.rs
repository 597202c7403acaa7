//! Schedules with a clock of their own, on a store of their own and without any mail.

mod clocks;
mod day;
mod rules;
pub(crate) mod stage;
