//! One wave: what moves, what is stuck, when it ends; its schedule, its limits, who is in it.

use super::{
    WaveFields, ends,
    members::{job_table, mailbox_table},
    moves,
};
use crate::{
    components::{
        Badge, Empty, Fact, FormState, Hidden, MaybeAt, PageHead, PauseForm, Pauses, PostButton, SelectField, Shape,
        Share, Table, Tone, count, head, load, param, size,
    },
    i18n::{Said, names, numbers, wave_names},
    pages::schedule::{ScheduleFacts, ScheduleFields, occurrence_table},
    serverfns::{
        schedule::{ClearWaveSchedule, SetWaveSchedule},
        wave::{DeleteWave, StartWave, UpdateWave, started},
    },
};
use gatepost_contract::{
    PauseScope, Run, RunType, Schedule, ScheduleScope, TroubleKind, Wave, WaveId, WaveOverview, WaveProgress,
    WaveStarted, WaveTrouble,
};
use leptos::{prelude::*, server_fn::ServerFn};

/// The wave's page.
#[component]
pub fn ShowWave() -> AnyView {
    let id = param::<WaveId>("id", "wave");
    load(|desk| async move {
        let id = id?;
        let overview = desk.gatepost.wave(&desk.actor, id).await?;
        let started = started::take(&desk.actor, id);
        let manage = desk.actor.can_manage();
        let WaveOverview { wave, progress, next_at, moving, stuck, stuck_total, jobs, mailboxes, occurrences } =
            overview;
        let rests = wave.pause.is_some();
        let empty = jobs.is_empty() && mailboxes.is_empty();
        let pauses = wave.pause.clone().into_iter().collect::<Vec<_>>();
        let own = wave.schedule.clone();
        // What a form begins with where the wave has no schedule of its own: the installation's.
        let usual = match &own {
            Some(schedule) => Some(schedule.clone()),
            None => {
                desk.gatepost.schedules(&desk.actor).await?.into_iter().find(|one| one.scope == ScheduleScope::Default)
            }
        };
        let more_stuck = stuck_total - stuck.len() as i64;
        let has_occurrences = own.is_some() || !occurrences.is_empty();
        Ok(view! {
            <PageHead title=wave.name.clone() up=vec![("/waves".to_owned(), t!(nav.waves).to_owned())]>
                {rests.then(|| view! { <Badge tone=Tone::Warn shape=Shape::Pause text=t!(pause.paused)/> })}
                {(manage && !rests).then(|| view! { <PauseForm scope=PauseScope::Wave subject=id.to_string() text=t!(pause.wave) hint=t!(pause.hint)/> })}
            </PageHead>
            {started.map(|started| view! { <Started started/> })}
            <Pauses pauses/>
            <WaveFacts wave=wave.clone() progress=progress next_at/>
            {(manage && !empty).then(|| view! { <Start id/> })}
            <section aria-labelledby="moving">
                <h2 id="moving">{t!(wave.moving)}</h2>
                {moving_table(moving)}
            </section>
            <section aria-labelledby="stuck">
                <h2 id="stuck">{t!(wave.stuck)}</h2>
                {stuck_table(stuck)}
                {(more_stuck > 0).then(|| view! { <p class="why">{t!(residue.more, count = count(more_stuck))}</p> })}
            </section>
            <section aria-labelledby="members">
                <div class="line">
                    <h2 id="members">{t!(wave.members)}</h2>
                    {manage.then(|| view! { <a class="button small" href=format!("/waves/{id}/join")>{t!(wave.add)}</a> })}
                </div>
                {if empty { view! { <Empty text=t!(wave.empty)/> }.into_any() } else { job_table(id, jobs, manage) }}
                {mailbox_table(id, mailboxes, manage)}
            </section>
            <section aria-labelledby="schedule">
                <h2 id="schedule">{t!(schedule.schedule)}</h2>
                <OwnSchedule id own usual manage/>
                {has_occurrences.then(|| view! { <h3>{t!(schedule.occurrences)}</h3> {occurrence_table(occurrences)} })}
            </section>
            {manage.then(|| view! { <Settings wave/> })}
        }
        .into_any())
    })
}

#[component]
fn WaveFacts(wave: Wave, progress: WaveProgress, next_at: Option<String>) -> AnyView {
    let label = t!(job.arrived_of, domain = wave.name.clone());
    let limit = |limit: Option<String>| limit.unwrap_or_else(|| t!(wave.unlimited).to_owned());
    let at_once = limit(wave.mailboxes_at_once.map(count));
    let rate = limit(wave.bytes_per_second.map(|bytes| t!(dashboard.per_second, size = size(bytes))));
    let statuses = progress
        .by_status
        .iter()
        .filter(|(_, mailboxes)| *mailboxes > 0)
        .map(|(status, mailboxes)| format!("{}: {}", names::mailbox_status(*status), count(*mailboxes)));
    let statuses = statuses.collect::<Vec<_>>().join(" · ");
    let now = moves(&progress);
    let share = progress.percent;
    let mailboxes = format!("{} / {}", count(progress.complete), count(progress.mailboxes));
    let messages = format!("{} / {}", count(progress.messages_dest), count(progress.messages_source));
    let left = size(progress.bytes_left);
    let end = ends(progress);
    view! {
        <dl class="facts wide">
            <Fact name=t!(job.arrived)><Share value=share label/></Fact>
            <Fact name=t!(dashboard.end)>{end}</Fact>
            <Fact name=t!(wave.now)>{now}</Fact>
            <Fact name=t!(wave.next)><MaybeAt at=next_at/></Fact>
            <Fact name=t!(job.mailboxes)>{mailboxes}<small>{statuses}</small></Fact>
            <Fact name=t!(job.messages)>{messages}</Fact>
            <Fact name=t!(dashboard.left)>{left}</Fact>
            <Fact name=t!(wave.at_once)>{at_once}</Fact>
            <Fact name=t!(wave.rate)>{rate}</Fact>
        </dl>
        {(!wave.notes.is_empty()).then(|| view! { <p class="prose">{wave.notes}</p> })}
    }
    .into_any()
}

/// What a form has started just before.
#[component]
fn Started(started: WaveStarted) -> AnyView {
    let none = started.run_ids.is_empty();
    let class = if none || !started.refused.is_empty() { "notice warn block" } else { "notice good block" };
    let refused = started.refused.into_iter().map(|one| {
        view! { <li><a href=format!("/jobs/{}", one.job_id)>{one.domain}</a>": "<Said text=one.why/></li> }
    });
    let refused = refused.collect_view();
    view! {
        <div class=class role="status">
            <p>{t!(wave.started, count = count(started.run_ids.len() as i64))}</p>
            {(started.busy > 0).then(|| view! { <p>{t!(wave.busy, count = count(started.busy))}</p> })}
            {(!refused.is_empty()).then(|| view! { <p>{t!(wave.refused)}</p><ul>{refused}</ul> })}
        </div>
    }
    .into_any()
}

#[component]
fn Start(id: WaveId) -> AnyView {
    let runs = [RunType::Preflight, RunType::Initial, RunType::Delta, RunType::Verify, RunType::Final];
    let options = runs.map(|run| (run.to_string(), names::run_type(run).to_owned())).to_vec();
    let state = FormState::of(StartWave::url());
    view! {
        <section aria-labelledby="start">
            <h2 id="start">{t!(wave.start)}</h2>
            <p class="lead">{t!(wave.start_lead)}</p>
            <form method="post" action=StartWave::url() class="row">
                <Hidden name="wave_id" value=id.to_string()/>
                <SelectField state name="run_type" label=t!(run.run) value="delta" options required=true/>
                <button type="submit" class="button primary">{t!(wave.start_confirm)}</button>
            </form>
        </section>
    }
    .into_any()
}

fn moving_table(runs: Vec<Run>) -> AnyView {
    if runs.is_empty() {
        return view! { <Empty text=t!(wave.nothing_moves)/> }.into_any();
    }
    let heads = vec![
        head(t!(run.run)),
        head(t!(mailbox.email)),
        head(t!(run.progress)),
        head(t!(dashboard.rate)),
        head(t!(dashboard.end)),
    ];
    let rows = runs.into_iter().map(|run| {
        let name = names::run_type(run.run_type);
        let whose = run.email.clone().unwrap_or_else(|| run.domain.clone());
        let progress = run.progress;
        let rate = if progress.bytes_per_second >= 1.0 {
            t!(dashboard.per_second, size = size(progress.bytes_per_second as i64))
        } else {
            "–".to_owned()
        };
        let end = progress.eta_seconds.map_or_else(|| "–".to_owned(), |seconds| numbers().duration(seconds));
        view! {
            <tr>
                <th scope="row" data-label=t!(run.run)><a href=format!("/runs/{}", run.id)>{name}" #"{run.id.to_string()}</a></th>
                <td data-label=t!(mailbox.email)>{whose.clone()}</td>
                <td data-label=t!(run.progress)>
                    <Share value=progress.percent() label=format!("{name} {whose}")/>
                    {progress.waiting.map(|why| view! { <small><Said text=why/></small> })}
                </td>
                <td data-label=t!(dashboard.rate)>{rate}</td>
                <td data-label=t!(dashboard.end)>{end}</td>
            </tr>
        }
    });
    let rows = rows.collect_view().into_any();
    view! { <Table caption=t!(wave.moving).to_owned() heads rows/> }.into_any()
}

fn stuck_table(stuck: Vec<WaveTrouble>) -> AnyView {
    if stuck.is_empty() {
        return view! { <Empty text=t!(wave.nothing_stuck)/> }.into_any();
    }
    let heads = vec![head(t!(mailbox.email)), head(t!(wave.trouble)), head(t!(schedule.why)), head(t!(run.run))];
    let rows = stuck.into_iter().map(|one| {
        let (tone, shape) = match one.kind {
            TroubleKind::Error => (Tone::Bad, Shape::Cross),
            TroubleKind::Quarantine => (Tone::Warn, Shape::Warn),
            TroubleKind::Waiting => (Tone::Quiet, Shape::Clock),
            TroubleKind::Paused => (Tone::Quiet, Shape::Pause),
        };
        let text = wave_names::trouble(one.kind);
        let more = match (one.kind, one.run_id) {
            (TroubleKind::Quarantine, _) => {
                let href = format!("/jobs/{}/quarantine?mailbox_id={}", one.job_id, one.mailbox_id);
                view! { <a href=href>{t!(tabs.quarantine)}</a> }.into_any()
            }
            (_, Some(run)) => view! { <a href=format!("/runs/{run}")>"#"{run.to_string()}</a> }.into_any(),
            _ => view! { <span class="none">"–"</span> }.into_any(),
        };
        view! {
            <tr>
                <th scope="row" data-label=t!(mailbox.email)>
                    <a href=format!("/mailboxes/{}", one.mailbox_id)>{one.email}</a>
                    <small><a href=format!("/jobs/{}", one.job_id)>{one.domain}</a></small>
                </th>
                <td data-label=t!(wave.trouble)><Badge tone shape text/></td>
                <td data-label=t!(schedule.why) class="note"><Said text=one.why/></td>
                <td data-label=t!(run.run)>{more}</td>
            </tr>
        }
    });
    let rows = rows.collect_view().into_any();
    view! { <Table caption=t!(wave.stuck).to_owned() heads rows/> }.into_any()
}

#[component]
fn OwnSchedule(id: WaveId, own: Option<Schedule>, usual: Option<Schedule>, manage: bool) -> AnyView {
    let has = own.is_some();
    let state = FormState::of(SetWaveSchedule::url());
    let open = state.refused();
    let said = match own {
        Some(schedule) => view! { <ScheduleFacts schedule/> }.into_any(),
        None => view! { <p class="lead">{t!(wave.no_schedule)}</p> }.into_any(),
    };
    view! {
        {said}
        {usual.filter(|_| manage).map(|schedule| view! {
            <details class="confirm" open=open>
                <summary class="button">{if has { t!(schedule.change) } else { t!(schedule.make_own) }}</summary>
                <form method="post" action=SetWaveSchedule::url() class="form">
                    <Hidden name="wave_id" value=id.to_string()/>
                    <ScheduleFields state schedule new=!has/>
                    <div class="submit"><button type="submit" class="button primary">{t!(schedule.save)}</button></div>
                </form>
                {has.then(|| view! { <PostButton action=ClearWaveSchedule::url() fields=vec![("wave_id", id.to_string())] text=t!(schedule.clear) class="quiet"/> })}
            </details>
        })}
    }
    .into_any()
}

#[component]
fn Settings(wave: Wave) -> AnyView {
    let id = wave.id.to_string();
    let state = FormState::of(UpdateWave::url());
    view! {
        <section class="sheet" aria-labelledby="change">
            <h2 id="change">{t!(wave.change)}</h2>
            <form method="post" action=UpdateWave::url() class="form">
                <Hidden name="wave_id" value=id.clone()/>
                <WaveFields state wave=Some(wave)/>
                <div class="submit"><button type="submit" class="button primary">{t!(form.save)}</button></div>
            </form>
        </section>
        <details class="confirm">
            <summary class="button quiet">{t!(wave.delete)}</summary>
            <p>{t!(wave.delete_hint)}</p>
            <PostButton action=DeleteWave::url() fields=vec![("wave_id", id)] text=t!(wave.delete_confirm) class="danger"/>
        </details>
    }
    .into_any()
}
