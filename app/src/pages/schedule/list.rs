//! All schedules, and what became of the moments at which runs were due.

use super::{badge, occurrence_table};
use crate::{
    components::{FormState, ListAddress, PageHead, SelectField, Table, head, load, page_query, query_as},
    i18n::wave_names,
};
use gatepost_contract::{OccurrenceFilter, OccurrenceState, Schedule, ScheduleScope};
use leptos::prelude::*;

/// The page.
#[component]
pub fn ScheduleList() -> AnyView {
    let mut asked = page_query();
    asked.sort = None;
    let filter =
        OccurrenceFilter { state: query_as("state"), job_id: query_as("job_id"), wave_id: query_as("wave_id") };
    load(|desk| async move {
        let schedules = desk.gatepost.schedules(&desk.actor).await?;
        let page = desk.gatepost.occurrences(&desk.actor, filter.clone(), asked.clone()).await?;
        let state = filter.state.map(|state| state.to_string()).unwrap_or_default();
        let filters = [
            ("state", state.clone()),
            ("job_id", filter.job_id.map(|id| id.to_string()).unwrap_or_default()),
            ("wave_id", filter.wave_id.map(|id| id.to_string()).unwrap_or_default()),
        ];
        let address = ListAddress::new("/schedules", &asked, &filters);
        let pager = (page.total > 0).then(|| address.pager(&page));
        let states = std::iter::once((String::new(), t!(form.any).to_owned()))
            .chain(
                OccurrenceState::ALL.iter().map(|one| (one.to_string(), wave_names::occurrence_state(*one).to_owned())),
            )
            .collect();
        Ok(view! {
            <PageHead title=t!(nav.schedules).to_owned()/>
            <p class="lead">{t!(schedule.lead)}</p>
            <section aria-labelledby="in-force">
                <h2 id="in-force">{t!(schedule.in_force)}</h2>
                {table(schedules)}
            </section>
            <section aria-labelledby="occurrences">
                <h2 id="occurrences">{t!(schedule.occurrences)}</h2>
                <p class="lead">{t!(schedule.occurrences_lead)}</p>
                <form method="get" action="/schedules#occurrences" class="filters" role="search">
                    <SelectField state=FormState::default() name="state" label=t!(schedule.state) value=state options=states filter=true/>
                    <button type="submit" class="button">{t!(form.filter)}</button>
                </form>
                {occurrence_table(page.items)}
                {pager}
            </section>
        }
        .into_any())
    })
}

fn table(schedules: Vec<Schedule>) -> AnyView {
    let heads = vec![
        head(t!(schedule.whose)),
        head(t!(schedule.state)),
        head(t!(schedule.expression)),
        head(t!(schedule.window)),
        head(t!(schedule.next)),
    ];
    let rows = schedules.into_iter().map(row).collect_view().into_any();
    view! { <Table caption=t!(nav.schedules).to_owned() heads rows/> }.into_any()
}

fn row(schedule: Schedule) -> AnyView {
    let href = match (schedule.scope, schedule.job_id, schedule.wave_id) {
        (ScheduleScope::Job, Some(job), _) => Some(format!("/jobs/{job}/schedule")),
        (ScheduleScope::Wave, _, Some(wave)) => Some(format!("/waves/{wave}#schedule")),
        _ => None,
    };
    let badge = badge(&schedule);
    let kind = wave_names::schedule_scope(schedule.scope);
    let whose = match href {
        Some(href) => {
            view! { <span><a href=href>{schedule.subject}</a>" "<span class="tag">{kind}</span></span> }.into_any()
        }
        None => view! { <span>{kind}</span> }.into_any(),
    };
    let next = schedule.next.into_iter().next().map_or_else(|| "–".to_owned(), |moment| moment.local);
    view! {
        <tr>
            <th scope="row" data-label=t!(schedule.whose)>{whose}</th>
            <td data-label=t!(schedule.state)>{badge}</td>
            <td data-label=t!(schedule.expression)><code>{schedule.expression}</code><small>{schedule.time_zone}</small></td>
            <td data-label=t!(schedule.window)>{schedule.window.unwrap_or_else(|| t!(schedule.any_hour).to_owned())}</td>
            <td data-label=t!(schedule.next)>{next}</td>
        </tr>
    }
    .into_any()
}
