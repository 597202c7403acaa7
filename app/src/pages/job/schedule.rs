//! What a job does by itself: the schedule in force, what holds it back, what became of it; its wave.

use super::crumbs;
use crate::{
    components::{
        At, FormState, Hidden, Icon, JobTab, JobTabs, PageHead, PauseForm, Pauses, PostButton, SelectField, Shape,
        load, param,
    },
    i18n::said,
    pages::schedule::{ScheduleFacts, ScheduleFields, occurrence_table},
    serverfns::{
        schedule::{ClearJobSchedule, SetJobSchedule},
        wave::ChooseWave,
    },
};
use gatepost_contract::{JobId, JobPlan, PauseScope, Phase, ScheduleScope, WaveRef, WavesOverview};
use leptos::{prelude::*, server_fn::ServerFn};

/// The page.
#[component]
pub fn ShowSchedule() -> AnyView {
    let id = param::<JobId>("id", "job");
    load(|desk| async move {
        let id = id?;
        let job = desk.gatepost.get_job(&desk.actor, id).await?;
        let plan = desk.gatepost.job_plan(&desk.actor, id).await?;
        let waves = wave_names(desk.gatepost.waves(&desk.actor).await?);
        let manage = desk.actor.can_manage() && job.phase != Phase::Closed;
        let paused = plan.pauses.iter().any(|pause| pause.job_id == Some(id));
        let up = crumbs(&job);
        let JobPlan { schedule, wave, next_at, idle, pauses, occurrences } = plan;
        let own = schedule.scope == ScheduleScope::Job;
        let whose = match schedule.scope {
            ScheduleScope::Job => t!(schedule.own).to_owned(),
            ScheduleScope::Wave => t!(schedule.from_wave, name = schedule.subject.clone()),
            ScheduleScope::Default => t!(schedule.from_all).to_owned(),
        };
        let state = FormState::of(SetJobSchedule::url());
        let open = own || state.refused();
        Ok(view! {
            <PageHead title=t!(schedule.title, domain = job.domain) up>
                {(manage && !paused).then(|| view! { <PauseForm scope=PauseScope::Job subject=id.to_string() text=t!(pause.job) hint=t!(pause.hint)/> })}
            </PageHead>
            <JobTabs id current=JobTab::Schedule/>
            <Pauses pauses/>
            <section aria-labelledby="next">
                <h2 id="next">{t!(schedule.next_run)}</h2>
                {match (idle, next_at) {
                    (Some(idle), _) => view! { <p class="notice"><Icon shape=Shape::Dash/>{said(&idle)}</p> }.into_any(),
                    (None, Some(at)) => view! { <p class="notice good"><Icon shape=Shape::Clock/><span>{t!(schedule.next_delta)}" "<b><At at/></b></span></p> }.into_any(),
                    (None, None) => view! { <p class="notice"><Icon shape=Shape::Dash/>{t!(schedule.nothing_next)}</p> }.into_any(),
                }}
            </section>
            <section aria-labelledby="in-force">
                <h2 id="in-force">{t!(schedule.in_force)}</h2>
                <p class="lead">{whose}</p>
                <ScheduleFacts schedule=schedule.clone()/>
                {manage.then(|| view! {
                    <details class="confirm" open=open>
                        <summary class="button">{if own { t!(schedule.change) } else { t!(schedule.make_own) }}</summary>
                        <form method="post" action=SetJobSchedule::url() class="form">
                            <Hidden name="job_id" value=id.to_string()/>
                            <ScheduleFields state schedule new=!own/>
                            <div class="submit"><button type="submit" class="button primary">{t!(schedule.save)}</button></div>
                        </form>
                        {own.then(|| view! { <PostButton action=ClearJobSchedule::url() fields=vec![("job_id", id.to_string())] text=t!(schedule.clear) class="quiet"/> })}
                    </details>
                })}
            </section>
            <section aria-labelledby="wave">
                <h2 id="wave">{t!(wave.wave)}</h2>
                <WaveChoice field="job_id" subject=id.to_string() now=wave waves may=manage none=t!(wave.job_in_none)/>
            </section>
            <section aria-labelledby="occurrences">
                <h2 id="occurrences">{t!(schedule.occurrences)}</h2>
                {occurrence_table(occurrences)}
            </section>
        }
        .into_any())
    })
}

/// The waves that can be chosen.
pub fn wave_names(overview: WavesOverview) -> Vec<WaveRef> {
    overview.waves.into_iter().map(|one| WaveRef { id: one.wave.id, name: one.wave.name }).collect()
}

/// The wave that something is in, and the choice of another.
#[component]
pub fn WaveChoice(
    /// `job_id` or `mailbox_id`.
    field: &'static str,
    /// Its id.
    subject: String,
    /// The wave that it is in by itself.
    now: Option<WaveRef>,
    /// All waves.
    waves: Vec<WaveRef>,
    /// Whether the person may change it.
    may: bool,
    /// What to say where it is in none.
    none: &'static str,
) -> AnyView {
    let chosen = now.as_ref().map(|wave| wave.id.to_string()).unwrap_or_default();
    let said = match &now {
        Some(wave) => view! { <p><a href=format!("/waves/{}", wave.id)>{wave.name.clone()}</a></p> }.into_any(),
        None => view! { <p class="lead">{none}</p> }.into_any(),
    };
    let options = std::iter::once((String::new(), t!(wave.no_wave).to_owned()))
        .chain(waves.into_iter().map(|wave| (wave.id.to_string(), wave.name)))
        .collect::<Vec<_>>();
    let form = (may && options.len() > 1).then(|| {
        let state = FormState::of(ChooseWave::url());
        let here = crate::context::path().unwrap_or_default();
        view! {
            <form method="post" action=ChooseWave::url() class="row">
                <Hidden name=field value=subject/>
                <Hidden name="now" value=chosen.clone()/>
                <Hidden name="next" value=here/>
                <SelectField state name="wave_id" label=t!(wave.choose) value=chosen options required=false filter=true/>
                <button type="submit" class="button">{t!(wave.put)}</button>
            </form>
        }
    });
    view! { {said} {form} }.into_any()
}
