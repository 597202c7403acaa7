//! Loads a page anew once what it shows is over, and takes nothing from anybody by it: not what somebody types, not a
//! dialog, and not the page that somebody is already on the way to. A reload would call off that navigation, or leave
//! nobody to see the answer to a form that was just sent.

use leptos::{ev, prelude::*};
use std::{cell::Cell, time::Duration};

/// How long a page may take to be left. A download begins like a navigation too, and leaves nothing.
const LEFT_WITHIN: Duration = Duration::from_secs(10);
/// When it is tried again.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

thread_local! {
    static WATCHED: Cell<bool> = const { Cell::new(false) };
    /// How many navigations began a short while ago.
    static LEAVING: Cell<usize> = const { Cell::new(0) };
}

/// From now on it is known whether the page is being left.
pub fn watch() {
    if WATCHED.replace(true) {
        return;
    }
    let handle = window_event_listener(ev::beforeunload, |_| {
        LEAVING.set(LEAVING.get() + 1);
        set_timeout(|| LEAVING.set(LEAVING.get().saturating_sub(1)), LEFT_WITHIN);
    });
    // It lives as long as the page.
    std::mem::forget(handle);
}

/// Whether a field has the focus that somebody may be filling in.
pub fn is_typing() -> bool {
    document()
        .active_element()
        .is_some_and(|field| matches!(field.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT"))
}

/// Loads the page anew where `ready` says so, unless a dialog is open; if the page is being left, it is asked again once the
/// page has stayed after all.
pub fn load(ready: impl Fn() -> bool + 'static) {
    if !ready() || document().query_selector("dialog[open]").ok().flatten().is_some() {
        return;
    }
    if LEAVING.get() > 0 {
        set_timeout(move || load(ready), AGAIN_AFTER);
        return;
    }
    // A page that cannot be reloaded stays as it is.
    let _ = window().location().reload();
}
