//! A run's log, which follows what is written.

use crate::numbers::clock;
use gatepost_contract::{Event, RunId};
use leptos::{html, prelude::*};
use serde::{Deserialize, Serialize};

/// How many lines are kept in the page; the whole log is a file on the server.
#[cfg(feature = "hydrate")]
const KEPT: usize = 2_000;

/// What the viewer says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LogWords {
    /// What the log is of.
    pub label: String,
    /// The choice of a level.
    pub level: String,
    /// The box that scrolls along.
    pub follow: String,
    /// The levels' names with their words, from quiet to loud.
    pub levels: Vec<(String, String)>,
    /// What stands in an empty log.
    pub empty: String,
}

/// The log of a run.
#[island]
pub fn LogViewer(
    /// The run.
    run: RunId,
    /// The lines that the server has rendered.
    lines: Vec<Event>,
    /// Whether more will come.
    live: bool,
    /// What the viewer says.
    words: LogWords,
) -> impl IntoView {
    let after = lines.last().map_or(0, |line| line.id.0);
    let (lines, set_lines) = signal(lines);
    let (level, set_level) = signal("info".to_owned());
    let (following, set_following) = signal(true);
    let frame = NodeRef::<html::Div>::new();
    if live {
        follow(run, after, set_lines);
    }
    Effect::new(move || {
        lines.track();
        if following.get()
            && let Some(frame) = frame.get()
        {
            frame.set_scroll_top(frame.scroll_height());
        }
    });
    let levels = StoredValue::new(words.levels.clone());
    view! {
        <div class="log">
            <div class="log-tools">
                <label>
                    {words.level}
                    <select on:change=move |event| set_level.set(event_target_value(&event))>
                        {words
                            .levels
                            .into_iter()
                            .map(|(value, text)| {
                                let selected = value == "info";
                                view! { <option value=value selected=selected>{text}</option> }
                            })
                            .collect_view()}
                    </select>
                </label>
                <label>
                    <input type="checkbox" checked=true on:change=move |event| set_following.set(event_target_checked(&event))/>
                    {words.follow}
                </label>
            </div>
            <div class="log-lines" node_ref=frame role="log" tabindex="0" aria-label=words.label data-level=move || level.get()>
                <p class="log-empty" hidden=move || lines.with(|lines| !lines.is_empty())>{words.empty}</p>
                <For each=move || lines.get() key=|line| line.id.0 children=move |line| {
                    let word = levels.with_value(|levels| {
                        levels.iter().find(|(name, _)| name == line.level.as_str()).map(|(_, word)| word.clone())
                    });
                    view! {
                        <p class="log-line" data-level=line.level.as_str()>
                            <time datetime=line.at.clone()>{clock(&line.at).to_owned()}</time>
                            <span class="log-level">{word}</span>
                            <span class="log-text" lang="en">{line.message.clone()}</span>
                        </p>
                    }
                }/>
            </div>
        </div>
    }
}

#[cfg(feature = "hydrate")]
fn follow(run: RunId, after: i64, set_lines: WriteSignal<Vec<Event>>) {
    use wasm_bindgen::{JsCast, closure::Closure};
    let Ok(source) = web_sys::EventSource::new(&format!("/api/v1/migration/runs/{run}/events?after={after}")) else {
        return;
    };
    let written = Closure::<dyn FnMut(web_sys::MessageEvent)>::new(move |event: web_sys::MessageEvent| {
        let Some(line) = event.data().as_string().and_then(|text| serde_json::from_str::<Event>(&text).ok()) else {
            return;
        };
        set_lines.update(|lines| {
            if lines.last().is_some_and(|last| last.id >= line.id) {
                return;
            }
            lines.push(line);
            if lines.len() > KEPT {
                lines.drain(..lines.len() - KEPT);
            }
        });
    });
    if source.add_event_listener_with_callback("log", written.as_ref().unchecked_ref()).is_ok() {
        // It lives as long as the page.
        written.forget();
    }
}

#[cfg(not(feature = "hydrate"))]
const fn follow(_run: RunId, _after: i64, _set_lines: WriteSignal<Vec<Event>>) {}
