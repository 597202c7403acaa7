//! All waves at a glance, and what rests.

use super::{WaveFields, ends, moves};
use crate::{
    components::{
        Badge, Empty, FormState, MaybeAt, PageHead, PauseForm, Pauses, Shape, Share, Table, Tone, count, head,
        head_figure, load, query, size,
    },
    serverfns::wave::CreateWave,
};
use gatepost_contract::{WaveProgress, WaveSummary, WavesOverview};
use leptos::{prelude::*, server_fn::ServerFn};

/// The page.
#[component]
pub fn WaveList() -> AnyView {
    let host = query("host");
    load(|desk| async move {
        let WavesOverview { waves, without, pauses } = desk.gatepost.waves(&desk.actor).await?;
        let manage = desk.actor.can_manage();
        let state = FormState::of(CreateWave::url());
        let list =
            if waves.is_empty() { view! { <Empty text=t!(wave.none)/> }.into_any() } else { table(waves, without) };
        Ok(view! {
            <PageHead title=t!(nav.waves).to_owned()>
                {desk.actor.can_approve().then(|| view! { <PauseForm subject=host text=t!(pause.pause) hint=t!(pause.hint)/> })}
            </PageHead>
            <Pauses pauses/>
            <p class="lead">{t!(wave.lead)}</p>
            {list}
            {manage.then(|| view! {
                <section class="sheet" aria-labelledby="new">
                    <h2 id="new">{t!(wave.new)}</h2>
                    <form method="post" action=CreateWave::url() class="form">
                        <WaveFields state wave=None/>
                        <div class="submit"><button type="submit" class="button primary">{t!(wave.create)}</button></div>
                    </form>
                </section>
            })}
        }
        .into_any())
    })
}

fn table(waves: Vec<WaveSummary>, without: WaveProgress) -> AnyView {
    let heads = vec![
        head(t!(wave.wave)),
        head_figure(t!(job.mailboxes)),
        head(t!(job.arrived)),
        head_figure(t!(dashboard.left)),
        head(t!(wave.now)),
        head(t!(dashboard.end)),
        head(t!(wave.next)),
    ];
    let waves = waves.into_iter().map(|WaveSummary { wave, progress, in_trouble, next_at }| {
        let paused = wave
            .pause
            .is_some()
            .then(|| view! { " "<Badge tone=Tone::Warn shape=Shape::Pause text=t!(pause.paused)/> });
        let named = view! { <span><a href=format!("/waves/{}", wave.id)>{wave.name.clone()}</a>{paused}</span> };
        row(wave.name, named.into_any(), progress, in_trouble, view! { <MaybeAt at=next_at/> }.into_any())
    });
    let rest = (without.mailboxes > 0).then(|| {
        let name = t!(wave.without);
        row(
            name.to_owned(),
            view! { <span>{name}</span> }.into_any(),
            without,
            0,
            view! { <span class="none">"–"</span> }.into_any(),
        )
    });
    let rows = waves.chain(rest).collect_view().into_any();
    view! { <Table caption=t!(nav.waves).to_owned() heads rows/> }.into_any()
}

fn row(name: String, named: AnyView, progress: WaveProgress, in_trouble: i64, next: AnyView) -> AnyView {
    let label = t!(job.arrived_of, domain = name);
    let trouble =
        (in_trouble > 0).then(|| view! { <span class="alarm">{t!(job.in_trouble, count = count(in_trouble))}</span> });
    let mailboxes = format!("{} / {}", count(progress.complete), count(progress.mailboxes));
    let messages = format!("{} / {}", count(progress.messages_dest), count(progress.messages_source));
    let (now, left, percent) = (moves(&progress), size(progress.bytes_left), progress.percent);
    view! {
        <tr>
            <th scope="row" data-label=t!(wave.wave)>{named}</th>
            <td data-label=t!(job.mailboxes) class="num">{mailboxes}{trouble}</td>
            <td data-label=t!(job.arrived)><Share value=percent label/><small>{messages}</small></td>
            <td data-label=t!(dashboard.left) class="num">{left}</td>
            <td data-label=t!(wave.now)>{now}</td>
            <td data-label=t!(dashboard.end)>{ends(progress)}</td>
            <td data-label=t!(wave.next)>{next}</td>
        </tr>
    }
    .into_any()
}
