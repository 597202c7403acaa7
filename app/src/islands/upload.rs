//! Sends files of mail to the server in pieces, so that a line may be cut and a browser closed at any time.
//!
//! Without JavaScript the same form posts its files in one piece. How a file is read, compared and sent is known in
//! the modules below, which exist in the browser alone.

#[cfg(feature = "hydrate")]
mod bytes;
#[cfg(feature = "hydrate")]
mod queue;
#[cfg(feature = "hydrate")]
mod tus;
mod view;

use crate::numbers::Numbers;
use gatepost_contract::MailboxId;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use view::transfer_row;

/// What the form says, in the page's language.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UploadWords {
    /// How numbers are written.
    pub numbers: Numbers,
    /// The label of the field.
    pub choose: String,
    /// Which files are taken.
    pub hint: String,
    /// That files can be dropped.
    pub drop: String,
    /// What to know where the form posts in one piece.
    pub plain: String,
    /// The button of that form.
    pub send: String,
    /// What the list of transfers is called.
    pub list: String,
    /// The words of each [`Stage`], in the order of [`Stage::ALL`].
    pub stages: Vec<String>,
    /// The button that pauses.
    pub pause: String,
    /// The button that goes on.
    pub go_on: String,
    /// The button that tries again.
    pub again: String,
    /// The button that gives a transfer up.
    pub discard: String,
    /// `to go`.
    pub to_go: String,
    /// That a transfer went on, with `{}` for what was there.
    pub went_on: String,
    /// That a file only looked like the one that was begun.
    pub other_file: String,
    /// That a file cannot be read.
    pub unreadable: String,
    /// That a file has no byte.
    pub empty: String,
    /// That a file is larger than the server takes.
    pub too_large: String,
    /// That the server has lost the upload.
    pub vanished: String,
    /// That nobody is logged in any more.
    pub logged_out: String,
    /// What stands where the server gave no reason.
    pub refused: String,
    /// The link that loads the page anew.
    pub reload: String,
    /// That all have arrived.
    pub done: String,
}

/// An upload that was begun and not finished, as the page knew it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// Its id.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// Its bytes in all.
    pub bytes: i64,
}

/// Where a transfer stands.
#[cfg_attr(not(feature = "hydrate"), allow(dead_code, reason = "nothing is sent on the server"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Another file is being sent.
    Waiting,
    /// What the server holds is compared with the file.
    Comparing,
    /// Bytes are on their way.
    Sending,
    /// The line was cut; it is tried again shortly.
    Retrying,
    /// All is sent; the server reads it back.
    Finishing,
    /// A person paused it.
    Paused,
    /// The server has all of it.
    Arrived,
    /// It cannot be sent; the note says why.
    Failed,
}

impl Stage {
    /// All, in the order of their words.
    #[cfg(test)]
    const ALL: [Self; 8] = [
        Self::Waiting,
        Self::Comparing,
        Self::Sending,
        Self::Retrying,
        Self::Finishing,
        Self::Paused,
        Self::Arrived,
        Self::Failed,
    ];

    /// Whether the browser is at work on it.
    const fn is_active(self) -> bool {
        matches!(self, Self::Comparing | Self::Sending | Self::Retrying | Self::Finishing)
    }

    /// Whether leaving the page would stop it.
    const fn is_open(self) -> bool {
        self.is_active() || matches!(self, Self::Waiting)
    }
}

/// A file on its way, as the page shows it. The file itself lies in the queue.
#[derive(Clone, Copy)]
struct Transfer {
    key: usize,
    name: StoredValue<String>,
    bytes: i64,
    stage: RwSignal<Stage>,
    sent: RwSignal<i64>,
    /// Bytes a second; nothing where it is not known yet.
    speed: RwSignal<Option<f64>>,
    note: RwSignal<Option<String>>,
}

/// What a person wants of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    /// Stop and keep what has arrived.
    Pause,
    /// Send the rest.
    GoOn,
    /// Give it up: the server deletes what has arrived.
    Discard,
}

/// What the form knows and every part of it needs.
#[derive(Clone, Copy)]
struct Form {
    #[cfg_attr(not(feature = "hydrate"), allow(dead_code, reason = "nothing is sent on the server"))]
    mailbox: MailboxId,
    most: i64,
    words: StoredValue<UploadWords>,
    #[cfg_attr(not(feature = "hydrate"), allow(dead_code, reason = "nothing is sent on the server"))]
    begun: RwSignal<Vec<Begun>>,
    transfers: RwSignal<Vec<Transfer>>,
}

impl Form {
    /// Whether a file of this size can be sent at all.
    const fn takes(self, bytes: i64) -> bool {
        bytes > 0 && bytes <= self.most
    }
}

/// The form that takes files, and the list of what is on its way.
#[island]
pub fn UploadForm(
    /// The mailbox whose mail they hold.
    mailbox: MailboxId,
    /// Where the plain form posts to.
    action: String,
    /// The endings of files that the browser offers first.
    accept: String,
    /// The most bytes that a file may have.
    most: i64,
    /// What was begun and not finished.
    begun: Vec<Begun>,
    /// Whether a file waits to be read by a run that the page does not follow.
    waiting: bool,
    /// What the form says.
    words: UploadWords,
) -> impl IntoView {
    let form = Form {
        mailbox,
        most,
        words: StoredValue::new(words.clone()),
        begun: RwSignal::new(begun),
        transfers: RwSignal::new(Vec::new()),
    };
    let (alive, set_alive) = signal(false);
    let (over, set_over) = signal(false);
    Effect::new(move || {
        set_alive.set(true);
        #[cfg(feature = "hydrate")]
        queue::watch(form, set_over, waiting);
        #[cfg(not(feature = "hydrate"))]
        let _ = (set_over, waiting);
    });
    let chosen = move |event: leptos::ev::Event| take(form, &event);
    let busy = move || form.transfers.with(|all| all.iter().any(|one| one.stage.get().is_open())).then_some("");
    let settled = move || {
        form.transfers.with(|all| {
            let open = all.iter().any(|one| one.stage.get().is_open());
            !open && all.iter().any(|one| one.stage.get() == Stage::Arrived)
        })
    };
    let UploadWords { choose, hint, drop, plain, send, list, reload, done, .. } = words;
    view! {
        <div class="upload" data-busy=busy>
            <form
                method="post"
                action=action
                enctype="multipart/form-data"
                class=move || if over.get() { "drop over" } else { "drop" }
            >
                <div class="field">
                    <label for="upload-files">{choose}</label>
                    <p class="hint" id="upload-hint">{hint}</p>
                    <input
                        id="upload-files"
                        name="file"
                        type="file"
                        multiple=true
                        required=move || !alive.get()
                        accept=accept
                        aria-describedby="upload-hint"
                        on:change=chosen
                    />
                </div>
                <p class="why" hidden=move || !alive.get()>{drop}</p>
                <div class="submit" hidden=move || alive.get()>
                    <button type="submit" class="button primary">{send}</button>
                    <p class="why">{plain}</p>
                </div>
            </form>
            <ul class="transfers" aria-label=list hidden=move || form.transfers.with(Vec::is_empty)>
                <For each=move || form.transfers.get() key=|one| one.key children=move |one| transfer_row(form, one)/>
            </ul>
            <div role="status">
                {move || settled().then(|| {
                    let (done, reload) = (done.clone(), reload.clone());
                    view! { <p class="notice good"><span>{done}</span><a href="">{reload}</a></p> }
                })}
            </div>
        </div>
    }
}

/// Takes up the files that were chosen.
#[cfg(feature = "hydrate")]
fn take(form: Form, event: &leptos::ev::Event) {
    let input: web_sys::HtmlInputElement = event_target(event);
    if let Some(files) = input.files() {
        queue::add(form, &files);
    }
    // The same file can be chosen again.
    input.set_value("");
}

#[cfg(not(feature = "hydrate"))]
const fn take(_form: Form, _event: &leptos::ev::Event) {}

/// Does what a person wants of a transfer.
#[cfg(feature = "hydrate")]
fn wish(form: Form, transfer: Transfer, wish: Wish) {
    queue::wish(form, transfer, wish);
}

#[cfg(not(feature = "hydrate"))]
const fn wish(_form: Form, _transfer: Transfer, _wish: Wish) {}

#[cfg(test)]
mod tests {
    use super::Stage;

    #[test]
    fn a_stage_stands_at_the_place_of_its_words() {
        for (place, stage) in Stage::ALL.into_iter().enumerate() {
            assert_eq!(stage as usize, place, "{stage:?}");
        }
    }
}
