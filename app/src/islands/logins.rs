//! How far a check of log-ins is, while it goes on.

use gatepost_contract::{JobId, LoginCounts};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// What the view says, in the page's language.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LoginWords {
    /// `{open} of {total} log-ins are still to be checked.`
    pub at_work: String,
    /// What the bar is called.
    pub label: String,
}

impl LoginWords {
    fn sentence(&self, counts: LoginCounts) -> String {
        self.at_work.replace("{open}", &counts.open.to_string()).replace("{total}", &counts.total.to_string())
    }
}

/// Follows a check until it ends, then loads the page anew.
#[island]
pub fn LoginProgress(
    /// The job.
    job: JobId,
    /// How it stood when the page was made.
    counts: LoginCounts,
    /// What the view says.
    words: LoginWords,
) -> impl IntoView {
    let (now, set_now) = signal(counts);
    Effect::new(move || follow(job, set_now));
    let label = words.label.clone();
    let done = move || {
        let counts = now.get();
        counts.total - counts.open
    };
    view! {
        <div class="live">
            <progress class="bar" max=move || now.get().total.max(1) value=done aria-label=label></progress>
            <p class="live-figures" role="status">{move || words.sentence(now.get())}</p>
        </div>
    }
}

/// Asks again and again; a moment in between, so that hundreds of log-ins cost the server little.
#[cfg(feature = "hydrate")]
fn follow(job: JobId, set_now: WriteSignal<LoginCounts>) {
    use super::anew;
    use std::time::Duration;
    anew::watch();
    set_timeout(
        move || {
            leptos::task::spawn_local(async move {
                if let Some(counts) = ask(job).await {
                    set_now.set(counts);
                    if counts.open == 0 {
                        anew::load(|| !anew::is_typing());
                    }
                }
                follow(job, set_now);
            });
        },
        Duration::from_millis(1_500),
    );
}

#[cfg(feature = "hydrate")]
async fn ask(job: JobId) -> Option<LoginCounts> {
    use wasm_bindgen::JsCast;
    let address = format!("/api/v1/migration/jobs/{job}/logins/counts");
    let response = wasm_bindgen_futures::JsFuture::from(window().fetch_with_str(&address)).await.ok()?;
    let response: web_sys::Response = response.dyn_into().ok()?;
    if !response.ok() {
        return None;
    }
    let text = wasm_bindgen_futures::JsFuture::from(response.text().ok()?).await.ok()?.as_string()?;
    serde_json::from_str(&text).ok()
}

#[cfg(not(feature = "hydrate"))]
const fn follow(_job: JobId, _set_now: WriteSignal<LoginCounts>) {}
