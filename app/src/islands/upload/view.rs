//! A transfer as a person sees it: its name, how far it is, and what can be done about it.

use super::{Form, Stage, Transfer, UploadWords, Wish, wish};
use leptos::prelude::*;

const fn tone(stage: Stage) -> &'static str {
    match stage {
        Stage::Waiting | Stage::Paused => "badge tone-quiet",
        Stage::Comparing | Stage::Sending | Stage::Finishing => "badge tone-busy",
        Stage::Retrying => "badge tone-warn",
        Stage::Arrived => "badge tone-good",
        Stage::Failed => "badge tone-bad",
    }
}

const fn sign(stage: Stage) -> &'static str {
    match stage {
        Stage::Waiting => "○",
        Stage::Paused => "‖",
        Stage::Comparing | Stage::Sending | Stage::Finishing => "◐",
        Stage::Retrying => "!",
        Stage::Arrived => "✓",
        Stage::Failed => "✕",
    }
}

/// How much of it is sent, 0 to 100; never 100 before the last byte.
fn percent(sent: i64, bytes: i64) -> f64 {
    if bytes <= 0 { 0.0 } else { (sent as f64 / bytes as f64 * 100.0).clamp(0.0, 100.0) }
}

/// `12.3 MB / 1.1 GB · 4.5 MB/s · 3 min 20 s to go`.
fn figures(words: &UploadWords, sent: i64, bytes: i64, speed: Option<f64>) -> String {
    let n = words.numbers;
    let mut text = format!("{} / {}", n.size(sent), n.size(bytes));
    if let Some(speed) = speed.filter(|speed| *speed >= 1.0) {
        let rest = (bytes - sent).max(0) as f64 / speed;
        text.push_str(&format!(" · {}/s · {} {}", n.size(speed as i64), n.duration(rest.ceil() as i64), words.to_go));
    }
    text
}

fn word(words: &UploadWords, stage: Stage) -> String {
    words.stages.get(stage as usize).cloned().unwrap_or_default()
}

pub(super) fn transfer_row(form: Form, one: Transfer) -> impl IntoView {
    let words = form.words;
    let name = one.name.get_value();
    let stage = move || one.stage.get();
    let said = move || words.with_value(|words| word(words, stage()));
    let shown = move || {
        let speed = one.speed.get().filter(|_| stage() == Stage::Sending);
        words.with_value(|words| figures(words, one.sent.get(), one.bytes, speed))
    };
    // Announced at every tenth part only, so that a screen reader is not flooded.
    let announced = Memo::new(move |_| {
        let tenth = (percent(one.sent.get(), one.bytes) / 10.0).floor() as i64 * 10;
        one.name.with_value(|name| format!("{name}: {}, {tenth}%", said()))
    });
    let value = move || format!("{:.1}", percent(one.sent.get(), one.bytes));
    let button = move |text: String, what: Wish| {
        let of = one.name.get_value();
        view! {
            <button type="button" class="button small" on:click=move |_| wish(form, one, what)>
                {text}<span class="hidden">" "{of}</span>
            </button>
        }
    };
    let buttons = move || {
        words.with_value(|words| {
            let can_pause = matches!(stage(), Stage::Waiting | Stage::Comparing | Stage::Sending | Stage::Retrying);
            let again = match stage() {
                Stage::Paused => Some(words.go_on.clone()),
                Stage::Failed if !form.takes(one.bytes) => None,
                Stage::Failed | Stage::Retrying => Some(words.again.clone()),
                _ => None,
            };
            let over = matches!(stage(), Stage::Paused | Stage::Failed);
            view! {
                {again.map(|text| button(text, Wish::GoOn))}
                {can_pause.then(|| button(words.pause.clone(), Wish::Pause))}
                {over.then(|| button(words.discard.clone(), Wish::Discard))}
            }
        })
    };
    let bad = move || if stage() == Stage::Failed { "note bad" } else { "note" };
    view! {
        <li class="transfer">
            <div class="live-head">
                <span class="path"><bdi>{name.clone()}</bdi></span>
                <span class=move || tone(stage())>
                    <span class="sign" aria-hidden="true">{move || sign(stage())}</span>
                    {said}
                </span>
            </div>
            <progress class=move || if stage() == Stage::Arrived { "bar full" } else { "bar" } max="100" value=value aria-label=name></progress>
            <div class="line">
                <p class="live-figures">{shown}</p>
                <div class="actions">{buttons}</div>
            </div>
            {move || one.note.get().map(|text| view! { <p class=bad>{text}</p> })}
            <p class="hidden" role="status">{announced}</p>
        </li>
    }
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn a_share_is_within_its_bounds() {
        for (sent, bytes, share) in [(0, 10, 0.0), (5, 10, 50.0), (10, 10, 100.0), (12, 10, 100.0), (0, 0, 0.0)] {
            assert!((percent(sent, bytes) - share).abs() < 1e-9, "{sent} of {bytes}");
        }
    }
}
