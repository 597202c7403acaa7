//! What rests now, and the forms that let it rest and go on.

use super::{At, FormState, Hidden, Icon, PostButton, SelectField, Shape, TextField, count};
use crate::{
    context,
    i18n::wave_names,
    serverfns::pause::{Pause as PauseFn, Resume},
};
use gatepost_contract::{Pause, PauseScope};
use gatepost_core::Actor;
use leptos::{prelude::*, server_fn::ServerFn};

/// The pauses that matter for a page, each with who made it and why.
#[component]
pub fn Pauses(
    /// The pauses.
    pauses: Vec<Pause>,
) -> AnyView {
    let here = context::here();
    let actor = context::actor();
    // What many jobs share is paused and resumed by those who approve gates.
    let may = |scope: PauseScope| match scope {
        PauseScope::Everything | PauseScope::Host => actor.as_ref().is_some_and(Actor::can_approve),
        PauseScope::Wave | PauseScope::Job => actor.as_ref().is_some_and(Actor::can_manage),
    };
    let all = pauses.into_iter().map(|pause| {
        let title = title(&pause);
        let resume = may(pause.scope).then(|| {
            let fields = vec![("pause_id", pause.id.to_string()), ("next", here.clone())];
            view! { <PostButton action=Resume::url() fields text=t!(pause.resume) of=title.clone()/> }
        });
        view! {
            <li class="notice warn">
                <Icon shape=Shape::Pause/>
                <div class="line">
                    <p>
                        <b>{title.clone()}</b>
                        {(!pause.reason.is_empty()).then(|| format!(" · {}", pause.reason))}
                        <small>
                            {pause.paused_by}", "<At at=pause.paused_at/>
                            {(pause.runs > 0).then(|| format!(" · {}", t!(pause.runs, count = count(pause.runs))))}
                        </small>
                    </p>
                    {resume}
                </div>
            </li>
        }
    });
    let all = all.collect_view();
    (!all.is_empty()).then(|| view! { <ul class="pauses" aria-label=t!(pause.now)>{all}</ul> }).into_any()
}

/// What rests, as a sentence.
fn title(pause: &Pause) -> String {
    let subject = pause.subject.clone();
    match pause.scope {
        PauseScope::Everything => t!(pause.everything_rests).to_owned(),
        PauseScope::Host => t!(pause.host_rests, subject = subject),
        PauseScope::Wave => t!(pause.wave_rests, subject = subject),
        PauseScope::Job => t!(pause.job_rests, subject = subject),
    }
}

/// The form that lets something rest, folded up. A page has one of them at most.
#[component]
pub fn PauseForm(
    /// What is to rest; where left out, the form asks whether it is everything or a host.
    #[prop(optional)]
    scope: Option<PauseScope>,
    /// The id of the job or the wave; the name of a host to begin with.
    #[prop(optional, into)]
    subject: String,
    /// The button that opens it.
    text: &'static str,
    /// What happens then.
    hint: &'static str,
) -> AnyView {
    let state = FormState::of(PauseFn::url());
    let open = state.refused() || (scope.is_none() && !subject.is_empty());
    let what = match scope {
        Some(scope) => {
            let id = match scope {
                PauseScope::Job => "job_id",
                PauseScope::Wave => "wave_id",
                PauseScope::Everything | PauseScope::Host => "host",
            };
            view! { <Hidden name="scope" value=scope.as_str()/> <Hidden name=id value=subject/> }.into_any()
        }
        None => {
            let first = if subject.is_empty() { PauseScope::Everything } else { PauseScope::Host };
            let options = [PauseScope::Everything, PauseScope::Host]
                .map(|scope| (scope.to_string(), wave_names::pause_scope(scope).to_owned()))
                .to_vec();
            view! {
                <SelectField state=state.clone() name="scope" label=t!(pause.what) value=first.as_str() options required=true/>
                <TextField state=state.clone() name="host" label=t!(pause.host) hint=t!(pause.host_hint) value=subject max=255/>
            }
            .into_any()
        }
    };
    view! {
        <details class="confirm" open=open>
            <summary class="button">{text}</summary>
            <p>{hint}</p>
            <form method="post" action=PauseFn::url() class="form">
                <Hidden name="next" value=context::path().unwrap_or_default()/>
                {what}
                <TextField state name="reason" label=t!(pause.reason) hint=t!(pause.reason_hint) max=500/>
                <div class="submit"><button type="submit" class="button primary">{t!(pause.confirm)}</button></div>
            </form>
        </details>
    }
    .into_any()
}
