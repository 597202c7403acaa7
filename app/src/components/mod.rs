//! Parts that several pages share. They are rendered on the server only.

mod badge;
mod chart;
mod figures;
mod form;
mod frame;
mod icon;
mod job_tabs;
mod page;
mod pause;
mod rail;
mod table;

pub use badge::*;
pub use chart::{Chart, Figures, Mark, Picture};
pub use figures::*;
pub use form::*;
pub use frame::Frame;
pub use icon::{Icon, Shape};
pub use job_tabs::*;
pub use page::*;
pub use pause::*;
pub use rail::PhaseRail;
pub use table::*;
