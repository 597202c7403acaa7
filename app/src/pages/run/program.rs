//! What an external program says of a run, beside what was read by ourselves.

use crate::{
    components::{Table, count, head, head_figure, size},
    i18n::{Said, names, numbers},
};
use gatepost_contract::{Run, RunType, Tool};
use leptos::prelude::*;
use serde_json::Value;

/// A figure of a program.
struct Figure {
    /// Where it stands in what the program said.
    said: &'static str,
    label: &'static str,
    /// What we call it, where we have read the same.
    ours: Option<&'static str>,
    /// Whether it must be the same.
    same: bool,
    shown: fn(i64) -> String,
}

impl Figure {
    const fn new(said: &'static str, label: &'static str) -> Self {
        Self { said, label, ours: None, same: false, shown: count }
    }

    /// We count it, too, perhaps in another way.
    const fn beside(self, ours: &'static str) -> Self {
        Self { ours: Some(ours), ..self }
    }

    /// We count the same.
    const fn same(self, ours: &'static str) -> Self {
        Self { ours: Some(ours), same: true, ..self }
    }

    const fn shown(self, shown: fn(i64) -> String) -> Self {
        Self { shown, ..self }
    }
}

fn span(seconds: i64) -> String {
    numbers().duration(seconds)
}

/// What a program may say, in the order in which it is shown: what was done first, then how.
fn figures(tool: Tool) -> Vec<Figure> {
    let code = |code: i64| code.to_string();
    match tool {
        Tool::Imapsync => vec![
            Figure::new("/sizes/messages_source", t!(program.messages_source)).same("messages"),
            Figure::new("/sizes/folders_source", t!(program.folders_source)).beside("folders"),
            Figure::new("/sizes/bytes_source", t!(program.bytes_source)).beside("bytes").shown(size),
            Figure::new("/sizes/messages_dest", t!(program.messages_dest)),
            Figure::new("/sizes/bytes_dest", t!(program.bytes_dest)).shown(size),
            Figure::new("/transferred", t!(stats.transferred)).same("transferred"),
            Figure::new("/refused", t!(engine.refused)).beside("quarantined"),
            Figure::new("/errors", t!(stats.errors)).beside("errors"),
            Figure::new("/skipped", t!(engine.skipped)),
            Figure::new("/folders_done", t!(stats.folders)).beside("folders"),
            Figure::new("/bytes", t!(stats.bytes)).beside("bytes").shown(size),
            Figure::new("/seconds", t!(stats.seconds)).beside("seconds").shown(span),
            Figure::new("/reconnections_source", t!(engine.reconnections_source)),
            Figure::new("/reconnections_dest", t!(engine.reconnections_dest)),
            Figure::new("/calls", t!(engine.rounds)),
            Figure::new("/exit_code", t!(engine.exit_code)).shown(code),
        ],
        Tool::Doveadm => vec![
            Figure::new("/inbox_source", t!(program.inbox_source)),
            Figure::new("/messages", t!(stats.transferred)).same("transferred"),
            Figure::new("/refused", t!(engine.refused)).beside("quarantined"),
            Figure::new("/folders_by_dsync", t!(program.folders_by_dsync)),
            Figure::new("/folders_by_copy", t!(program.folders_by_copy)),
            Figure::new("/folders_in_trouble", t!(program.folders_in_trouble)).beside("failed_folders"),
        ],
        // The archive holds the whole mailbox, whatever of it is there already.
        Tool::Zmmailbox => vec![
            Figure::new("/messages", t!(program.archive_messages)),
            Figure::new("/folders", t!(program.archive_folders)),
            Figure::new("/contacts", t!(program.archive_contacts)),
            Figure::new("/calendar", t!(program.archive_calendar)),
            Figure::new("/unreadable", t!(inspect.unreadable)),
            Figure::new("/archive_bytes", t!(program.archive_bytes)).shown(size),
            Figure::new("/seconds", t!(stats.seconds)).beside("seconds").shown(span),
            Figure::new("/export_exit_code", t!(program.export_exit_code)).shown(code),
            Figure::new("/import_exit_code", t!(program.import_exit_code)).shown(code),
        ],
        Tool::Native | Tool::Verify | Tool::Readpst | Tool::ImapUpload => Vec::new(),
    }
}

/// The program that was at work in a run. A preflight is ours, and tries the program of its mailbox.
fn program(run: &Run, of_mailbox: Option<Tool>) -> Option<Tool> {
    let is_external = |tool: &Tool| !matches!(tool, Tool::Native | Tool::Verify);
    let of_run = Some(run.tool).filter(is_external);
    let tried = || Tool::ENGINES.into_iter().find(|tool| run.stats.get(tool.as_str()).is_some_and(Value::is_object));
    of_run.or_else(tried).or(of_mailbox).filter(is_external)
}

fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_f64().map(|number| number.round() as i64))
}

/// What the program says of the run beside what we have read ourselves, and the way to its whole log. Nothing where none
/// was at work.
pub fn what_it_says(run: &Run, of_mailbox: Option<Tool>, whole_log: Option<String>) -> Option<AnyView> {
    let tool = program(run, of_mailbox)?;
    let said = run.stats.get(tool.as_str()).filter(|said| said.is_object());
    if said.is_none() && whole_log.is_none() {
        return None;
    }
    let nothing = || view! { <span class="none">"–"</span> }.into_any();
    let mut differs = false;
    let mut rows = Vec::new();
    for figure in said.map(|_| figures(tool)).unwrap_or_default() {
        let Some(theirs) = said.and_then(|said| said.pointer(figure.said)).and_then(number) else { continue };
        let ours = figure.ours.and_then(|name| run.stats.get(name)).and_then(number);
        let other = figure.same && ours.is_some_and(|ours| ours != theirs);
        differs |= other;
        rows.push(view! {
            <tr>
                <th scope="row" data-label=t!(engine.figure)>{figure.label}</th>
                <td data-label=t!(engine.program) class="num">{(figure.shown)(theirs)}</td>
                <td data-label=t!(engine.ours) class=if other { "num trouble" } else { "num" }>
                    {ours.map_or_else(nothing, |ours| (figure.shown)(ours).into_any())}
                </td>
            </tr>
        });
    }
    let name = names::tool(tool).to_owned();
    let heads = vec![head(t!(engine.figure)), head_figure(t!(engine.program)), head_figure(t!(engine.ours))];
    let table = (!rows.is_empty()).then(|| {
        let caption = t!(engine.said, tool = name.clone());
        view! { <Table caption heads rows=rows.into_any() class="figures"/> }
    });
    let text = |key: &str| said.and_then(|said| said.get(key)).and_then(Value::as_str).map(str::to_owned);
    // What zmmailbox says of both ends before anything is copied.
    let ends = ["source", "destination"].into_iter().filter_map(text);
    let ends = ends.map(|words| view! { <p><Said text=words/></p> }).collect_view();
    let hint = match (tool, run.run_type) {
        (Tool::Readpst, RunType::PstExtract) => t!(program.read_hint),
        _ if said.is_none() => t!(program.log_hint),
        (_, RunType::Preflight) => t!(program.tried_hint),
        _ => t!(engine.said_hint),
    };
    let files = run.mailbox_id.filter(|_| run.run_type == RunType::PstExtract).map(|id| {
        view! { <a class="button small" href=format!("/mailboxes/{id}/files")>{t!(files.title)}</a> }
    });
    Some(
        view! {
            <section aria-labelledby="said">
                <h2 id="said">{t!(engine.said, tool = name)}</h2>
                <p class="hint">{hint}</p>
                {text("failure").map(|words| view! { <p class="notice warn"><Said text=words/></p> })}
                {differs.then(|| view! { <p class="notice warn">{t!(program.differs)}</p> })}
                {ends}
                {table}
                {text("version").map(|version| view! { <p class="hint">{t!(engine.version)}" "{version}</p> })}
                <p class="actions">
                    {whole_log.map(|href| view! { <a class="button small" href=href download="">{t!(engine.log)}</a> })}
                    {files}
                </p>
            </section>
        }
        .into_any(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_preflight_is_of_the_program_that_it_tried_and_a_run_of_its_own() {
        let run = |kind: &str, tool: &str, stats: Value| -> Run {
            let run = json!({
                "id": 1, "job_id": 1, "domain": "a.test", "mailbox_id": 1, "email": "b@a.test", "run_type": kind,
                "tool": tool, "status": "success", "exit_code": 0, "stats": stats, "summary": null, "queued_at": "",
                "started_at": null, "finished_at": null, "triggered_by": "worker", "progress": {
                    "done": 0, "total": 0, "bytes_done": 0, "bytes_total": 0, "bytes_per_second": 0.0,
                    "eta_seconds": null,
                },
            });
            serde_json::from_value(run).expect("a run")
        };
        for (kind, tool, stats, of_mailbox, expected) in [
            ("initial", "imapsync", json!({"imapsync": {}}), Tool::Native, Some(Tool::Imapsync)),
            ("preflight", "native", json!({"doveadm": {"inbox_source": 3}}), Tool::Native, Some(Tool::Doveadm)),
            // It failed before the program had said anything.
            ("preflight", "native", json!({}), Tool::Zmmailbox, Some(Tool::Zmmailbox)),
            ("preflight", "native", json!({"doveadm": 3}), Tool::Native, None),
            ("verify", "verify", json!({}), Tool::Native, None),
        ] {
            assert_eq!(program(&run(kind, tool, stats.clone()), Some(of_mailbox)), expected, "{kind} {tool} {stats}");
        }
    }
}
