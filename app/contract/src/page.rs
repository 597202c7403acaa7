//! Lists in pages.

use serde::{Deserialize, Serialize};

/// The largest page that may be asked for.
pub const MAX_PER_PAGE: u32 = 200;

/// Which part of a list is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema, utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct PageQuery {
    /// From 1.
    #[serde(default = "first_page")]
    pub page: u32,
    /// 1 to 200.
    #[serde(default = "usual_size")]
    pub per_page: u32,
    /// A column's name; with `-` in front for the other direction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<String>,
}

const fn first_page() -> u32 {
    1
}

const fn usual_size() -> u32 {
    50
}

impl Default for PageQuery {
    fn default() -> Self {
        Self { page: first_page(), per_page: usual_size(), sort: None }
    }
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Page<T> {
    /// The rows of this page.
    pub items: Vec<T>,
    /// How many rows there are in all.
    pub total: i64,
    /// Which page this is, from 1.
    pub page: u32,
    /// How many rows a page has at most.
    pub per_page: u32,
}

impl<T> Page<T> {
    /// How many pages there are, at least one.
    #[must_use]
    pub fn pages(&self) -> i64 {
        (self.total.max(1) + i64::from(self.per_page) - 1) / i64::from(self.per_page.max(1))
    }

    /// The same page with other rows.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(change).collect(),
            total: self.total,
            page: self.page,
            per_page: self.per_page,
        }
    }
}
