//! States as badges: an icon, a word and a colour, so that none of them is needed to understand the other.

use super::{Icon, Shape};
use crate::i18n::names;
use gatepost_contract::{CheckStatus, Gate, Level, MailboxStatus, MessageState, Phase, RunStatus};
use leptos::prelude::*;

/// How loud a badge is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Nothing to say.
    Quiet,
    /// At work.
    Busy,
    /// In order.
    Good,
    /// Look at this.
    Warn,
    /// Wrong.
    Bad,
}

impl Tone {
    /// The class that carries its colour.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Quiet => "badge tone-quiet",
            Self::Busy => "badge tone-busy",
            Self::Good => "badge tone-good",
            Self::Warn => "badge tone-warn",
            Self::Bad => "badge tone-bad",
        }
    }
}

/// A badge of any kind.
#[component]
pub fn Badge(tone: Tone, shape: Shape, text: &'static str) -> AnyView {
    view! { <span class=tone.class()><Icon shape/>{text}</span> }.into_any()
}

/// The verdict.
#[component]
pub fn GateBadge(gate: Gate) -> AnyView {
    let (tone, shape) = match gate {
        Gate::Blocked => (Tone::Bad, Shape::Shut),
        Gate::Warning => (Tone::Warn, Shape::Waiting),
        Gate::ReadyForDns => (Tone::Good, Shape::Open),
    };
    view! { <Badge tone shape text=names::gate(gate)/> }.into_any()
}

/// Where a job stands.
#[component]
pub fn PhaseBadge(phase: Phase) -> AnyView {
    let (tone, shape) = match phase {
        Phase::Failed => (Tone::Bad, Shape::Cross),
        Phase::Verified | Phase::Closed => (Tone::Good, Shape::Check),
        Phase::Discovered => (Tone::Quiet, Shape::Dot),
        _ => (Tone::Quiet, Shape::Move),
    };
    view! { <Badge tone shape text=names::phase(phase)/> }.into_any()
}

/// How a run stands.
#[component]
pub fn RunBadge(status: RunStatus) -> AnyView {
    let (tone, shape) = match status {
        RunStatus::Queued => (Tone::Quiet, Shape::Dot),
        RunStatus::Running => (Tone::Busy, Shape::Turning),
        RunStatus::Success => (Tone::Good, Shape::Check),
        RunStatus::Partial => (Tone::Warn, Shape::Warn),
        RunStatus::Failed => (Tone::Bad, Shape::Cross),
    };
    view! { <Badge tone shape text=names::run_status(status)/> }.into_any()
}

/// How a mailbox stands.
#[component]
pub fn MailboxBadge(status: MailboxStatus) -> AnyView {
    let (tone, shape) = match status {
        MailboxStatus::Pending => (Tone::Quiet, Shape::Dot),
        MailboxStatus::Syncing => (Tone::Busy, Shape::Turning),
        MailboxStatus::Ok => (Tone::Good, Shape::Check),
        MailboxStatus::Error => (Tone::Bad, Shape::Cross),
        MailboxStatus::Quarantine => (Tone::Warn, Shape::Warn),
    };
    view! { <Badge tone shape text=names::mailbox_status(status)/> }.into_any()
}

/// How a check came out.
#[component]
pub fn CheckBadge(status: CheckStatus) -> AnyView {
    let (tone, shape) = match status {
        CheckStatus::Pass => (Tone::Good, Shape::Check),
        CheckStatus::Warn => (Tone::Warn, Shape::Warn),
        CheckStatus::Fail => (Tone::Bad, Shape::Cross),
    };
    view! { <Badge tone shape text=names::check_status(status)/> }.into_any()
}

/// Where a message stands.
#[component]
pub fn StateBadge(state: MessageState) -> AnyView {
    let (tone, shape) = match state {
        MessageState::Arrived => (Tone::Good, Shape::Check),
        MessageState::Pending => (Tone::Quiet, Shape::Dot),
        MessageState::Quarantined => (Tone::Bad, Shape::Cross),
        MessageState::Waived => (Tone::Warn, Shape::Dash),
    };
    view! { <Badge tone shape text=names::message_state(state)/> }.into_any()
}

/// The words of the log's levels, for the browser's part.
pub fn level_words() -> Vec<(String, String)> {
    Level::ALL.iter().map(|level| (level.as_str().to_owned(), names::level(*level).to_owned())).collect()
}
