//! Tables, their pages and their order.

use super::{Icon, Shape, count};
use crate::context::encode;
use gatepost_contract::{Page, PageQuery};
use leptos::prelude::*;

/// A table with its caption. On narrow screens its rows become stacked lists, named by each cell's `data-label`.
#[component]
pub fn Table(
    /// What the table holds, for screen readers.
    caption: String,
    /// The headings; an empty one is for buttons.
    heads: Vec<AnyView>,
    /// The rows: `tr` elements.
    rows: AnyView,
    /// Another class, such as `figures`.
    #[prop(optional)]
    class: &'static str,
) -> AnyView {
    let label = caption.clone();
    view! {
        <div class="table-frame" role="group" tabindex="0" aria-label=label>
            <table class=class>
                <caption class="hidden">{caption}</caption>
                <thead><tr>{heads}</tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

/// A heading without an order.
pub fn head(text: &'static str) -> AnyView {
    view! { <th scope="col">{text}</th> }.into_any()
}

/// A heading over figures.
pub fn head_figure(text: &'static str) -> AnyView {
    view! { <th scope="col" class="num">{text}</th> }.into_any()
}

/// A heading over buttons, with a name for screen readers only.
pub fn head_actions() -> AnyView {
    view! { <th scope="col"><span class="hidden">{t!(table.actions)}</span></th> }.into_any()
}

/// A list's address: its path and its filters, without page and order.
#[derive(Clone, Debug)]
pub struct ListAddress {
    path: String,
    filters: Vec<(&'static str, String)>,
    query: PageQuery,
}

impl ListAddress {
    /// The address of a list. Empty filters are left out.
    pub fn new(path: impl Into<String>, query: &PageQuery, filters: &[(&'static str, String)]) -> Self {
        let filters = filters.iter().filter(|(_, value)| !value.is_empty()).cloned().collect();
        Self { path: path.into(), filters, query: query.clone() }
    }

    fn to(&self, page: u32, sort: Option<&str>) -> String {
        let mut address = self.path.clone();
        let page = (page > 1).then(|| page.to_string());
        let extra = [("sort", sort), ("page", page.as_deref())];
        let filters = self.filters.iter().map(|(name, value)| (*name, value.as_str()));
        let pairs = filters.chain(extra.into_iter().filter_map(|(name, value)| Some((name, value?))));
        for (place, (name, value)) in pairs.enumerate() {
            address.push(if place == 0 { '?' } else { '&' });
            address.push_str(name);
            address.push('=');
            address.push_str(&encode(value));
        }
        address
    }

    /// A heading that orders the list by a column.
    pub fn head(&self, column: &'static str, text: &'static str) -> AnyView {
        let now = self.query.sort.as_deref();
        let up = now == Some(column);
        let down = now.and_then(|sort| sort.strip_prefix('-')) == Some(column);
        let next = if up { format!("-{column}") } else { column.to_owned() };
        let order = if up { Some("ascending") } else { down.then_some("descending") };
        let mark = if up {
            " ↑"
        } else if down {
            " ↓"
        } else {
            ""
        };
        let href = self.to(1, Some(&next));
        view! { <th scope="col" aria-sort=order><a href=href>{text}<span aria-hidden="true">{mark}</span></a></th> }
            .into_any()
    }

    /// Links to the pages of the list; nothing where there is one page only.
    pub fn pager<T>(&self, page: &Page<T>) -> AnyView {
        let pages = page.pages();
        let sort = self.query.sort.as_deref();
        let from = (i64::from(page.page) - 1) * i64::from(page.per_page);
        let shown = t!(
            table.shown,
            from = count((from + 1).min(page.total)),
            to = count((from + page.items.len() as i64).min(page.total)),
            total = count(page.total)
        );
        let before = (page.page > 1).then(|| self.to(page.page - 1, sort));
        let after = (i64::from(page.page) < pages).then(|| self.to(page.page + 1, sort));
        view! {
            <nav class="pager" aria-label=t!(table.pages)>
                <span>{shown}</span>
                {before.map(|href| view! { <a class="button small" rel="prev" href=href>{t!(table.before)}</a> })}
                {after.map(|href| view! { <a class="button small" rel="next" href=href>{t!(table.after)}</a> })}
            </nav>
        }
        .into_any()
    }
}

/// What stands where a list is empty: why, and what to do.
#[component]
pub fn Empty(text: &'static str, #[prop(optional)] children: Option<Children>) -> AnyView {
    view! {
        <div class="empty">
            <Icon shape=Shape::Dash/>
            <p>{text}</p>
            {children.map(|children| children())}
        </div>
    }
    .into_any()
}
