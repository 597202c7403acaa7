//! The folders of a file as a tree, and some of their messages.

use crate::{
    components::{Empty, MaybeAt, Table, count, head, head_figure, size},
    i18n::{Said, names},
    numbers::minute,
};
use gatepost_contract::{InspectedFolder, SampleMessage};
use leptos::prelude::*;

/// A folder with its place in the file, which its address on the page is made of.
pub type Numbered<'a> = (usize, &'a InspectedFolder);

/// How deep the table indents; deeper folders stand below one another, with their path.
const DEEPEST: usize = 8;

fn figure(number: u64) -> String {
    count(i64::try_from(number).unwrap_or(i64::MAX))
}

fn bytes(number: u64) -> String {
    size(i64::try_from(number).unwrap_or(i64::MAX))
}

/// The folders, indented as they lie within one another.
pub fn folder_table(folders: &[Numbered<'_>]) -> AnyView {
    if folders.is_empty() {
        return view! { <Empty text=t!(inspect.no_folders)/> }.into_any();
    }
    let heads = vec![
        head(t!(inspect.folder)),
        head_figure(t!(files.messages)),
        head_figure(t!(files.size)),
        head(t!(inspect.classes)),
        head(t!(inspect.period)),
    ];
    let mut above: Vec<&str> = Vec::new();
    let rows: Vec<_> = folders
        .iter()
        .map(|(place, folder)| {
            let (level, name) = within(&mut above, &folder.path);
            row(*place, folder, level, name)
        })
        .collect();
    let rows = rows.into_any();
    view! { <Table caption=t!(inspect.folders).to_owned() heads rows class="figures tree"/> }.into_any()
}

/// How deep a folder lies below those listed before it, and what it is called there: a path whose parents are not
/// listed keeps them in its name.
fn within<'a>(above: &mut Vec<&'a str>, path: &'a str) -> (usize, &'a str) {
    while let Some(parent) = above.last() {
        if path.strip_prefix(parent).is_some_and(|rest| rest.starts_with('/')) {
            break;
        }
        above.pop();
    }
    let name = above.last().map_or(path, |parent| &path[parent.len() + 1..]);
    let level = above.len();
    above.push(path);
    (level, name)
}

fn row(place: usize, folder: &InspectedFolder, level: usize, name: &str) -> AnyView {
    let classes = folder.classes.iter().map(|(class, number)| {
        view! { <li><code>{class.clone()}</code>" "{figure(*number)}</li> }
    });
    let classes: Vec<_> = classes.collect();
    let classes = (!classes.is_empty()).then(|| view! { <ul class="classes">{classes}</ul> });
    let name = if name.is_empty() { "–" } else { name }.to_owned();
    let name = if folder.samples.is_empty() {
        view! { <bdi>{name}</bdi> }.into_any()
    } else {
        view! { <a href=format!("#samples-{place}")><bdi>{name}</bdi></a> }.into_any()
    };
    let (oldest, newest) = (folder.oldest.clone(), folder.newest.clone());
    let period = if oldest.is_none() || oldest == newest {
        view! { <MaybeAt at=oldest/> }.into_any()
    } else {
        view! { <span><MaybeAt at=oldest/><br/><MaybeAt at=newest/></span> }.into_any()
    };
    view! {
        <tr>
            <th scope="row" data-label=t!(inspect.folder) class="path">
                <span class=format!("level-{}", level.min(DEEPEST))>
                    {name}
                    {folder.special_use.map(|one| view! { <span class="tag">{names::special_use(one)}</span> })}
                </span>
            </th>
            <td data-label=t!(files.messages) class="num">{figure(folder.messages)}</td>
            <td data-label=t!(files.size) class="num">{bytes(folder.bytes)}</td>
            <td data-label=t!(inspect.classes)>{classes}</td>
            <td data-label=t!(inspect.period)>{period}</td>
        </tr>
    }
    .into_any()
}

/// Some messages of each folder, by the headers that a person knows them by. The first folder's are open.
pub fn sample_lists(folders: &[Numbered<'_>]) -> AnyView {
    let lists: Vec<_> = folders
        .iter()
        .filter(|(_, folder)| !folder.samples.is_empty())
        .enumerate()
        .map(|(nth, (place, folder))| {
            let path = folder.path.clone();
            let caption = t!(inspect.samples_of, folder = folder.path.clone());
            view! {
                <details class="samples" open=nth == 0>
                    <summary><bdi>{path}</bdi>" "<span class="note">{figure(folder.messages)}</span></summary>
                    <div id=format!("samples-{place}")>{sample_table(caption, &folder.samples)}</div>
                </details>
            }
        })
        .collect();
    if lists.is_empty() {
        return ().into_any();
    }
    view! {
        <section aria-labelledby="samples">
            <h2 id="samples">{t!(inspect.samples)}</h2>
            <p class="why">{t!(inspect.samples_lead)}</p>
            {lists}
        </section>
    }
    .into_any()
}

fn sample_table(caption: String, samples: &[SampleMessage]) -> AnyView {
    let heads =
        vec![head(t!(inspect.subject)), head(t!(inspect.from)), head(t!(inspect.date)), head_figure(t!(files.size))];
    let or = |text: &str, otherwise: &'static str| {
        if text.trim().is_empty() {
            view! { <span class="none">{otherwise}</span> }.into_any()
        } else {
            view! { <bdi>{text.to_owned()}</bdi> }.into_any()
        }
    };
    let rows = samples.iter().map(|message| {
        view! {
            <tr>
                <th scope="row" data-label=t!(inspect.subject) class="what">
                    <span>
                        {or(&message.subject, t!(inspect.no_subject))}
                        {message.note.clone().map(|note| view! { <small><Said text=note/></small> })}
                    </span>
                </th>
                <td data-label=t!(inspect.from) class="path">{or(&message.from, t!(inspect.nobody))}</td>
                <td data-label=t!(inspect.date)>{minute(&message.date)}</td>
                <td data-label=t!(files.size) class="num">{bytes(message.size)}</td>
            </tr>
        }
    });
    let rows = rows.collect_view().into_any();
    view! { <Table caption heads rows/> }.into_any()
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn folders_are_indented_below_those_that_hold_them() {
        let paths = ["Inbox", "Inbox/2024", "Inbox/2024/May", "Inbox 2", "Old/Deep", "Old/Deep/er", "Old"];
        let mut above = Vec::new();
        let seen: Vec<_> = paths.into_iter().map(|path| within(&mut above, path)).collect();
        assert_eq!(
            seen,
            [(0, "Inbox"), (1, "2024"), (2, "May"), (0, "Inbox 2"), (0, "Old/Deep"), (1, "er"), (0, "Old")]
        );
    }
}
