//! A run's progress as it happens.

use crate::{numbers::Numbers, phrases::Phrases};
use gatepost_contract::{RunStatus, RunView, Step};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// What the view says, in the page's language.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LiveWords {
    /// How numbers are written.
    pub numbers: Numbers,
    /// `queued`, `running`, … in the order of [`RunStatus::ALL`].
    pub statuses: Vec<String>,
    /// `messages`.
    pub messages: String,
    /// `to go`.
    pub to_go: String,
    /// `counting`.
    pub counting: String,
    /// What the list of steps is called.
    pub steps: String,
    /// The step `login`.
    pub login: String,
    /// The step `plan`.
    pub plan: String,
    /// What runs say of their steps and of what they wait for.
    pub phrases: Phrases,
}

impl LiveWords {
    fn status(&self, status: RunStatus) -> String {
        let place = RunStatus::ALL.iter().position(|one| *one == status).unwrap_or_default();
        self.statuses.get(place).cloned().unwrap_or_default()
    }

    fn step(&self, step: &Step) -> String {
        match step.kind.as_str() {
            "login" => format!("{} {}", self.login, step.name),
            "plan" => self.plan.clone(),
            _ => step.name.clone(),
        }
    }
}

const fn tone(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Queued => "badge tone-quiet",
        RunStatus::Running => "badge tone-busy",
        RunStatus::Success => "badge tone-good",
        RunStatus::Partial => "badge tone-warn",
        RunStatus::Failed => "badge tone-bad",
    }
}

const fn sign(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Queued => "○",
        RunStatus::Running => "◐",
        RunStatus::Success => "✓",
        RunStatus::Partial => "!",
        RunStatus::Failed => "✕",
    }
}

/// Follows a run until it ends, then loads the page anew.
#[island]
pub fn RunLive(
    /// The run as the server knew it.
    view: RunView,
    /// What the run is called on this page.
    title: String,
    /// The run's own page.
    href: String,
    /// What the view says.
    words: LiveWords,
) -> impl IntoView {
    let (now, set_now) = signal(view.clone());
    follow(&view, set_now);
    let steps = format!("{title}: {}", words.steps);
    let words = StoredValue::new(words);
    let label = StoredValue::new(title.clone());
    let figures = move || {
        let progress = now.with(|view| view.run.progress.clone());
        words.with_value(|words| {
            let n = words.numbers;
            let sizes = format!("{} / {}", n.size(progress.bytes_done), n.size(progress.bytes_total));
            let mut text = match (progress.total, progress.bytes_total) {
                (..=0, ..=0) => return words.counting.clone(),
                // A file that is being read through: nobody has counted its messages yet.
                (..=0, _) => sizes,
                _ => {
                    let (done, total) = (n.count(progress.done), n.count(progress.total));
                    format!("{done} / {total} {} · {sizes}", words.messages)
                }
            };
            if progress.bytes_per_second >= 1.0 {
                text.push_str(&format!(" · {}/s", n.size(progress.bytes_per_second as i64)));
            }
            if let Some(eta) = progress.eta_seconds {
                text.push_str(&format!(" · {} {}", n.duration(eta), words.to_go));
            }
            text
        })
    };
    // Announced at every tenth part only, so that a screen reader is not flooded.
    let announced = Memo::new(move |_| {
        now.with(|view| {
            let tenth = (view.run.progress.percent() / 10.0).floor() as i64 * 10;
            let status = words.with_value(|words| words.status(view.run.status));
            label.with_value(|label| format!("{label}: {status}, {tenth}%"))
        })
    });
    let percent = move || now.with(|view| format!("{:.1}", view.run.progress.percent()));
    let status = move || now.with(|view| view.run.status);
    view! {
        <div class="live">
            <div class="live-head">
                <a href=href>{title.clone()}</a>
                <span class=move || tone(status())>
                    <span class="sign" aria-hidden="true">{move || sign(status())}</span>
                    {move || words.with_value(|words| words.status(status()))}
                </span>
            </div>
            <progress class="bar" max="100" value=percent aria-label=title></progress>
            <p class="live-figures">{figures}</p>
            {move || {
                let waiting = now.with(|view| view.run.progress.waiting.clone());
                waiting.map(|text| view! { <p class="notice warn">{words.with_value(|words| words.phrases.say(&text))}</p> })
            }}
            <p class="hidden" role="status">{announced}</p>
            <ul class="live-steps" tabindex="0" aria-label=steps>
                {move || now.with(|view| view.steps.iter().map(|step| words.with_value(|words| row(step, words))).collect_view())}
            </ul>
        </div>
    }
}

fn row(step: &Step, words: &LiveWords) -> impl IntoView + use<> {
    let n = words.numbers;
    let name = words.step(step);
    let folder = step.kind == "folder";
    let figures = if folder { format!("{} / {}", n.count(step.done), n.count(step.total)) } else { String::new() };
    let percent = match (step.total, step.status) {
        (0, RunStatus::Success) => 100.0,
        (0, _) => 0.0,
        (total, _) => (step.done as f64 / total as f64 * 100.0).clamp(0.0, 100.0),
    };
    view! {
        <li class=if folder { "live-step folder" } else { "live-step" }>
            <span class=tone(step.status)>
                <span class="sign" aria-hidden="true">{sign(step.status)}</span>
                <span class="hidden">{words.status(step.status)}</span>
            </span>
            <span class="name">{name.clone()}</span>
            <progress class="bar thin" max="100" value=format!("{percent:.1}") aria-label=name hidden=!folder></progress>
            <span class="figure">{figures}</span>
            <span class="note">{step.note.as_deref().map(|note| words.phrases.say(note))}</span>
        </li>
    }
}

#[cfg(feature = "hydrate")]
fn follow(view: &RunView, set_now: WriteSignal<RunView>) {
    use wasm_bindgen::{JsCast, closure::Closure};
    if view.run.status.is_final() {
        return;
    }
    let Ok(source) = web_sys::EventSource::new(&format!("/api/v1/migration/runs/{}/events", view.run.id)) else {
        return;
    };
    super::anew::watch();
    let handle = source.clone();
    let changed = Closure::<dyn FnMut(web_sys::MessageEvent)>::new(move |event: web_sys::MessageEvent| {
        let Some(view) = event.data().as_string().and_then(|text| serde_json::from_str::<RunView>(&text).ok()) else {
            return;
        };
        let over = view.run.status.is_final();
        set_now.set(view);
        if over {
            handle.close();
            reload();
        }
    });
    if source.add_event_listener_with_callback("view", changed.as_ref().unchecked_ref()).is_ok() {
        // It lives as long as the page.
        changed.forget();
    }
}

#[cfg(not(feature = "hydrate"))]
const fn follow(_view: &RunView, _set_now: WriteSignal<RunView>) {}

/// Loads the page anew, unless somebody types or files are on their way from it.
#[cfg(feature = "hydrate")]
fn reload() {
    use super::anew;
    anew::load(|| !anew::is_typing() && document().query_selector("[data-busy]").ok().flatten().is_none());
}
