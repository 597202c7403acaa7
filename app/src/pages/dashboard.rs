//! The dashboard on the overview: what moved over time, and when the rest will be done. It draws what core has
//! measured and computes no figure of its own but the sums of a slot.

use crate::{
    components::{
        At, Chart, Empty, Fact, Figures, Mark, Picture, Share, Table, count, head, head_actions, head_figure, percent,
        size,
    },
    context,
    i18n::{numbers, wave_names},
};
use gatepost_contract::{Dashboard, DashboardPoint, DashboardRange, Forecast, HostLoad};
use leptos::prelude::*;

/// No chart has more slots than this: more are not told apart on a screen, and nobody reads them in a table.
const MOST_SLOTS: usize = 96;

/// The dashboard.
#[component]
pub fn DashboardPanel(
    /// What was measured.
    dashboard: Dashboard,
    /// The page it stands on, without a query.
    here: &'static str,
) -> AnyView {
    let slots = Slots::of(&dashboard.points, dashboard.step_seconds);
    let charts = slots.charts();
    let pictures = charts.iter().filter(|chart| chart.id != "chart-volume").cloned().map(|chart| {
        view! { <Picture chart times=slots.times.clone() highest=t!(dashboard.highest)/> }
    });
    let pictures = pictures.collect_view();
    let ranges = DashboardRange::ALL.iter().map(|range| {
        let current = (*range == dashboard.range).then_some("true");
        view! { <li><a href=format!("{here}?range={range}#over-time") aria-current=current>{wave_names::dashboard_range(*range)}</a></li> }
    });
    let ranges = ranges.collect_view();
    let measured = dashboard.points.iter().any(|point| point.measured);
    let (totals, now) = (dashboard.totals.clone(), dashboard.now.clone());
    view! {
        <section aria-labelledby="ends">
            <h2 id="ends">{t!(dashboard.ends)}</h2>
            {forecasts(&dashboard)}
        </section>
        <section aria-labelledby="over-time">
            <div class="line">
                <h2 id="over-time">{t!(dashboard.over_time)}</h2>
                <nav class="ranges" aria-label=t!(dashboard.range)><ul>{ranges}</ul></nav>
            </div>
            <dl class="facts wide">
                <Fact name=t!(dashboard.runs_now)>{t!(dashboard.runs_now_value, running = count(now.running), waiting = count(now.waiting), queued = count(now.queued))}</Fact>
                <Fact name=t!(dashboard.messages)>{count(totals.messages)}</Fact>
                <Fact name=t!(dashboard.volume)>{size(totals.bytes_written)}</Fact>
                <Fact name=t!(dashboard.errors)>{count(totals.errors)}</Fact>
                <Fact name=t!(dashboard.runs_ended)>{t!(dashboard.runs_ended_value, success = count(totals.runs_success), partial = count(totals.runs_partial), failed = count(totals.runs_failed))}</Fact>
            </dl>
            {if measured {
                view! {
                    <div class="charts">{pictures}</div>
                    <details class="figures-below">
                        <summary>{t!(dashboard.figures)}</summary>
                        <Figures caption=t!(dashboard.over_time) time=t!(dashboard.from) charts times=slots.times/>
                    </details>
                }
                .into_any()
            } else {
                view! { <Empty text=t!(dashboard.nothing_measured)/> }.into_any()
            }}
        </section>
        {(!dashboard.hosts.is_empty()).then(|| view! {
            <section aria-labelledby="hosts">
                <h2 id="hosts">{t!(dashboard.hosts)}</h2>
                {hosts(dashboard.hosts)}
            </section>
        })}
    }
    .into_any()
}

/// Neighbouring points taken together, so that a chart has no more slots than can be seen.
struct Slots {
    times: Vec<String>,
    points: Vec<DashboardPoint>,
    seconds: f64,
}

impl Slots {
    fn of(points: &[DashboardPoint], step_seconds: i64) -> Self {
        let each = points.len().div_ceil(MOST_SLOTS).max(1);
        let points: Vec<DashboardPoint> = points.chunks(each).map(together).collect();
        let times = points.iter().map(|point| point.at.clone()).collect();
        Self { times, points, seconds: (step_seconds.max(1) as f64) * each as f64 }
    }

    fn values(&self, figure: impl Fn(&DashboardPoint) -> f64) -> Vec<Option<f64>> {
        self.points.iter().map(|point| point.measured.then(|| figure(point))).collect()
    }

    fn charts(&self) -> Vec<Chart> {
        let rate = |value: f64| t!(dashboard.per_second, size = size(value as i64));
        let whole = |value: f64| if value.fract() == 0.0 { count(value as i64) } else { String::new() };
        vec![
            Chart {
                id: "chart-throughput",
                title: t!(dashboard.throughput),
                mark: Mark::Area,
                tone: "",
                values: self.values(|point| point.bytes_written as f64 / self.seconds),
                shown: rate,
            },
            Chart {
                id: "chart-volume",
                title: t!(dashboard.volume),
                mark: Mark::Bars,
                tone: "",
                values: self.values(|point| point.bytes_written as f64),
                shown: |value| size(value as i64),
            },
            Chart {
                id: "chart-messages",
                title: t!(dashboard.messages),
                mark: Mark::Bars,
                tone: "good",
                values: self.values(|point| point.messages as f64),
                shown: whole,
            },
            Chart {
                id: "chart-errors",
                title: t!(dashboard.errors),
                mark: Mark::Bars,
                tone: "bad",
                values: self.values(|point| point.errors as f64),
                shown: whole,
            },
            Chart {
                id: "chart-running",
                title: t!(dashboard.runs_at_work),
                mark: Mark::Area,
                tone: "quiet",
                values: self.values(|point| point.running as f64),
                shown: whole,
            },
        ]
    }
}

/// Several points as one: sums of what was counted, the most of what goes on.
fn together(points: &[DashboardPoint]) -> DashboardPoint {
    points.iter().fold(
        DashboardPoint { at: points.first().map(|point| point.at.clone()).unwrap_or_default(), ..Default::default() },
        |all, one| DashboardPoint {
            measured: all.measured || one.measured,
            messages: all.messages.saturating_add(one.messages),
            bytes_read: all.bytes_read.saturating_add(one.bytes_read),
            bytes_written: all.bytes_written.saturating_add(one.bytes_written),
            errors: all.errors.saturating_add(one.errors),
            running: all.running.max(one.running),
            queued: all.queued.max(one.queued),
            at: all.at,
        },
    )
}

/// Waves, jobs and all together, each with its end.
fn forecasts(dashboard: &Dashboard) -> AnyView {
    let waves = dashboard.waves.iter().map(|wave| {
        let href = format!("/waves/{}", wave.wave_id);
        forecast_row(t!(wave.wave), Some(href), wave.name.clone(), &wave.forecast)
    });
    let jobs = dashboard
        .jobs
        .iter()
        .map(|job| forecast_row(t!(job.job), Some(format!("/jobs/{}", job.job_id)), job.domain.clone(), &job.forecast));
    let mut rows: Vec<AnyView> = waves.chain(jobs).collect();
    if rows.is_empty() {
        return view! { <Empty text=t!(dashboard.nothing_left)/> }.into_any();
    }
    rows.insert(0, forecast_row("", None, t!(dashboard.all_jobs).to_owned(), &dashboard.now.forecast));
    let heads = vec![
        head(t!(dashboard.what)),
        head(t!(job.arrived)),
        head_figure(t!(dashboard.left)),
        head_figure(t!(dashboard.rate)),
        head(t!(dashboard.end)),
    ];
    let rows = rows.collect_view().into_any();
    view! { <Table caption=t!(dashboard.ends).to_owned() heads rows/> }.into_any()
}

fn forecast_row(kind: &'static str, href: Option<String>, name: String, forecast: &Forecast) -> AnyView {
    let label = t!(job.arrived_of, domain = name.clone());
    let named = match href {
        Some(href) => view! { <a href=href>{name}</a> }.into_any(),
        None => view! { {name} }.into_any(),
    };
    let messages = format!("{} / {}", count(forecast.messages_dest), count(forecast.messages_source));
    let rate = (forecast.bytes_per_second >= 1.0)
        .then(|| t!(dashboard.per_second, size = size(forecast.bytes_per_second as i64)));
    view! {
        <tr>
            <th scope="row" data-label=t!(dashboard.what)>
                <span>{named}{(!kind.is_empty()).then(|| view! { " "<span class="tag">{kind}</span> })}</span>
            </th>
            <td data-label=t!(job.arrived)><Share value=forecast.percent() label/><small>{messages}</small></td>
            <td data-label=t!(dashboard.left) class="num">{size(forecast.bytes_left())}</td>
            <td data-label=t!(dashboard.rate) class="num">{rate.unwrap_or_else(|| "–".to_owned())}</td>
            <td data-label=t!(dashboard.end)><Ends forecast=forecast.clone()/></td>
        </tr>
    }
    .into_any()
}

/// When something ends, or why nobody can say.
#[component]
pub fn Ends(
    /// What it has before it.
    forecast: Forecast,
) -> AnyView {
    let left = forecast.messages_left();
    match (forecast.eta_seconds, forecast.ends_at) {
        (Some(seconds), Some(at)) => {
            view! { <span>{numbers().duration(seconds)}<small><At at/></small></span> }.into_any()
        }
        _ if left == 0 => view! { <span class="none">{t!(dashboard.done)}</span> }.into_any(),
        _ => view! { <span class="none">{t!(dashboard.stands_still)}</span> }.into_any(),
    }
}

fn hosts(hosts: Vec<HostLoad>) -> AnyView {
    let most = hosts.iter().map(|host| host.bytes_read.saturating_add(host.bytes_written)).max().unwrap_or(0).max(1);
    let heads = vec![
        head(t!(dashboard.host)),
        head_figure(t!(dashboard.read)),
        head_figure(t!(dashboard.written)),
        head(t!(dashboard.busiest)),
        head_actions(),
    ];
    let may_pause = context::actor().is_some_and(|actor| actor.can_approve());
    let rows = hosts.into_iter().map(|host| {
        let pause = (may_pause && !host.host.is_empty()).then(|| {
            let href = format!("/waves?host={}", context::encode(&host.host));
            view! { <a class="button small" href=href>{t!(pause.pause)}<span class="hidden">" "{host.host.clone()}</span></a> }
        });
        let share = host.bytes_read.saturating_add(host.bytes_written) as f64 / most as f64 * 100.0;
        let name = if host.host.is_empty() { t!(dashboard.other_hosts).to_owned() } else { host.host };
        let label = format!("{name}: {}", percent(share));
        view! {
            <tr>
                <th scope="row" data-label=t!(dashboard.host) class="path">{name}</th>
                <td data-label=t!(dashboard.read) class="num">{size(host.bytes_read)}</td>
                <td data-label=t!(dashboard.written) class="num">{size(host.bytes_written)}</td>
                <td data-label=t!(dashboard.busiest)><progress class="bar" max="100" value=format!("{share:.1}") aria-label=label></progress></td>
                <td>{pause}</td>
            </tr>
        }
    });
    let rows = rows.collect_view().into_any();
    view! { <Table caption=t!(dashboard.hosts).to_owned() heads rows class="figures"/> }.into_any()
}

#[cfg(test)]
mod tests {
    use super::{MOST_SLOTS, Slots};
    use gatepost_contract::{DashboardPoint, DashboardRange};

    fn points(count: i64) -> Vec<DashboardPoint> {
        let one = |n| DashboardPoint {
            at: format!("at {n}"),
            measured: n % 7 != 0,
            messages: 1,
            running: n,
            ..Default::default()
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn every_range_fits_its_chart_and_loses_no_message() {
        for range in DashboardRange::ALL {
            let slots = Slots::of(&points(range.points()), range.step_seconds());
            assert!(slots.points.len() <= MOST_SLOTS, "{range}: {}", slots.points.len());
            assert_eq!(slots.points.iter().map(|point| point.messages).sum::<i64>(), range.points(), "{range}");
            assert!((slots.seconds * slots.points.len() as f64) as i64 >= range.points() * range.step_seconds());
        }
    }

    #[test]
    fn a_slot_is_measured_where_any_of_its_points_is_and_shows_the_most_runs() {
        let slots = Slots::of(&points(288), 300);
        assert_eq!(slots.points[0].at, "at 0");
        assert!(slots.points[0].measured);
        assert_eq!(slots.points[0].running, 2);
    }

    #[test]
    fn nothing_to_draw_is_no_fault() {
        assert!(Slots::of(&[], 300).points.is_empty());
    }
}
