//! Small pictures beside words. They never stand alone, so they are hidden from screen readers.

use leptos::prelude::*;

/// Which picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A gate that is shut.
    Shut,
    /// A gate that waits.
    Waiting,
    /// A gate that is open.
    Open,
    /// In order.
    Check,
    /// Look at this.
    Warn,
    /// Wrong.
    Cross,
    /// At work.
    Turning,
    /// Not begun.
    Dot,
    /// Given up on purpose, skipped.
    Dash,
    /// The overview.
    Home,
    /// A ticket.
    Ticket,
    /// A job.
    Move,
    /// Tenants, users.
    People,
    /// Tokens.
    Key,
    /// Webhooks.
    Bell,
    /// The audit log.
    Scroll,
    /// Waves.
    Wave,
    /// Schedules.
    Clock,
    /// A pause.
    Pause,
    /// A lock, for secrets.
    Lock,
    /// Log out.
    Leave,
}

impl Shape {
    /// The picture's lines, in a square of 16.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Shut => "M2.5 14V3.5M13.5 14V3.5M2.5 5.5h11M2.5 8.5h11M2.5 11.5h11",
            Self::Waiting => "M2.5 14V3.5M13.5 14V3.5M2.5 11.5h11M8 3v3.2l1.8 1.2",
            Self::Open => "M2.5 14V2.5M13.5 14V2.5M5.5 8.5l2 2 3.5-4",
            Self::Check => "M3 8.5l3.2 3.2L13 4.8",
            Self::Warn => "M8 2.2 14.4 13.4H1.6zM8 6.4v3.2M8 11.6v.1",
            Self::Cross => "M4 4l8 8M12 4l-8 8",
            Self::Turning => "M13.4 8A5.4 5.4 0 1 1 11.6 4M13.2 1.8v3h-3",
            Self::Dot => "M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6z",
            Self::Dash => "M3.5 8h9",
            Self::Home => "M2 7.6 8 2.6l6 5M3.8 6.4v7h3v-4h2.4v4h3v-7",
            Self::Ticket => "M1.8 4.5h12.4v2a1.5 1.5 0 0 0 0 3v2H1.8v-2a1.5 1.5 0 0 0 0-3zM9.6 4.5v7",
            Self::Move => "M1.8 4h5v8h-5zM9.2 4h5v8h-5zM5 8h6M9.6 6.4 11.2 8 9.6 9.6",
            Self::People => {
                "M6 7.4a2.4 2.4 0 1 0 0-4.8 2.4 2.4 0 0 0 0 4.8zM1.6 13.4a4.4 4.4 0 0 1 8.8 0M10.4 2.9a2.4 2.4 0 0 1 0 4.2M12 9.4a4.4 4.4 0 0 1 2.4 4"
            }
            Self::Key => {
                "M5 13.4a2.9 2.9 0 1 0 0-5.8 2.9 2.9 0 0 0 0 5.8zM7.2 8.4 13.4 2.2M10.4 5.2l2 2M12.2 3.4l1.4 1.4"
            }
            Self::Bell => {
                "M3.4 11.6h9.2c-1-1-1.4-2-1.4-4.2a3.2 3.2 0 0 0-6.4 0c0 2.2-.4 3.2-1.4 4.2zM6.6 13.8h2.8M8 4.2V2.4"
            }
            Self::Scroll => "M3.6 1.8h6.6l2.4 2.4v10H3.6zM6 6.4h4.4M6 8.8h4.4M6 11.2h2.8",
            Self::Wave => {
                "M1.6 6.2c1.6-2 3.2-2 4.8 0s3.2 2 4.8 0 2.4-1.6 3.2-.6M1.6 11c1.6-2 3.2-2 4.8 0s3.2 2 4.8 0 2.4-1.6 3.2-.6"
            }
            Self::Clock => "M8 2.2a5.8 5.8 0 1 0 0 11.6A5.8 5.8 0 0 0 8 2.2zM8 4.8V8l2.2 1.6",
            Self::Pause => "M5.4 3.2v9.6M10.6 3.2v9.6",
            Self::Lock => "M3.4 7.2h9.2v6.4H3.4zM5.4 7.2V5a2.6 2.6 0 0 1 5.2 0v2.2",
            Self::Leave => "M9.4 2.4H3v11.2h6.4M6.6 8h7.2M11.2 5.4 13.8 8l-2.6 2.6",
        }
    }
}

/// An icon.
#[component]
pub fn Icon(shape: Shape) -> AnyView {
    let class = if shape == Shape::Turning { "icon turning" } else { "icon" };
    view! {
        <svg class=class viewBox="0 0 16 16" aria-hidden="true" focusable="false">
            <path d=shape.path()></path>
        </svg>
    }
    .into_any()
}
