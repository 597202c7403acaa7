//! Putting statements together: conditions, order, pages, rows of values. Text of others is always bound, never
//! written into a statement.

use crate::{Conn, Error, Result};
use gatepost_contract::{MAX_PER_PAGE, Page, PageQuery};
use sqlx::Arguments as _;
use sqlx::{
    Any, AssertSqlSafe, Encode, Row, Type,
    any::{AnyArguments, AnyRow},
    query::Query,
};
use std::borrow::Cow;

/// A statement with the values bound so far.
#[derive(Default)]
pub(crate) struct Sql {
    text: String,
    values: AnyArguments,
    count: usize,
}

impl Sql {
    pub fn new(text: &str) -> Self {
        Self { text: text.to_owned(), ..Self::default() }
    }

    pub fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Binds a value and writes its `$n`.
    pub fn bind<'t, T: Encode<'t, Any> + Type<Any>>(&mut self, value: T) -> Result<&mut Self> {
        self.values.add(value).map_err(sqlx::Error::Encode)?;
        self.count += 1;
        self.text.push('$');
        self.text.push_str(&self.count.to_string());
        Ok(self)
    }

    /// `$1, $2, …` for these values.
    pub fn bind_list<'t, T: Encode<'t, Any> + Type<Any>>(
        &mut self,
        values: impl IntoIterator<Item = T>,
    ) -> Result<&mut Self> {
        for (n, value) in values.into_iter().enumerate() {
            if n > 0 {
                self.push(", ");
            }
            self.bind(value)?;
        }
        Ok(self)
    }

    pub fn query(self) -> Query<'static, Any, AnyArguments> {
        sqlx::query_with(AssertSqlSafe(self.text), self.values)
    }

    /// The same, where the text will hardly come again and would only push others out of the cache.
    pub fn query_once(self) -> Query<'static, Any, AnyArguments> {
        self.query().persistent(false)
    }

    /// The statement that tells how this one would be done.
    #[cfg(test)]
    pub fn explained(mut self) -> Self {
        self.text.insert_str(0, "EXPLAIN QUERY PLAN ");
        self
    }
}

/// Conditions joined by AND, kept apart from the statement because a page needs them twice: for its rows and for
/// their number.
#[derive(Clone, Default)]
pub(crate) struct Conditions(Vec<Condition>);

#[derive(Clone)]
struct Condition {
    /// With `?` where a value belongs.
    text: Cow<'static, str>,
    values: Vec<Value>,
}

#[derive(Clone)]
enum Value {
    Integer(i64),
    Text(String),
}

impl Conditions {
    pub fn fixed(&mut self, text: &'static str) {
        self.0.push(Condition { text: text.into(), values: Vec::new() });
    }

    pub fn integer(&mut self, text: &'static str, value: Option<i64>) {
        if let Some(value) = value {
            self.0.push(Condition { text: text.into(), values: vec![Value::Integer(value)] });
        }
    }

    pub fn text(&mut self, text: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.0.push(Condition { text: text.into(), values: vec![Value::Text(value.to_owned())] });
        }
    }

    /// One of these; none of them is nothing. For a column, which is written into the statement.
    pub fn among(&mut self, column: &'static str, values: impl IntoIterator<Item = i64>) {
        let values: Vec<Value> = values.into_iter().map(Value::Integer).collect();
        let text = match values.len() {
            0 => Cow::Borrowed("1 = 0"),
            n => Cow::Owned(format!("{column} IN (?{})", ", ?".repeat(n - 1))),
        };
        self.0.push(Condition { text, values });
    }

    /// Every word must be found; `text` says in which columns, with one `?` for each.
    pub fn words(&mut self, text: &'static str, words: Option<&str>) {
        let places = text.matches('?').count();
        for word in words.unwrap_or_default().split_whitespace().take(8) {
            self.0.push(Condition { text: text.into(), values: vec![Value::Text(like(word)); places] });
        }
    }

    /// Writes them behind a FROM, with their values bound.
    pub fn write(&self, sql: &mut Sql) -> Result<()> {
        for (n, condition) in self.0.iter().enumerate() {
            sql.push(if n == 0 { " WHERE " } else { " AND " });
            let mut values = condition.values.iter();
            for (n, part) in condition.text.split('?').enumerate() {
                if n > 0 {
                    match values.next() {
                        Some(Value::Integer(i)) => sql.bind(*i)?,
                        Some(Value::Text(t)) => sql.bind(t.clone())?,
                        None => sql.push("NULL"),
                    };
                }
                sql.push(part);
            }
        }
        Ok(())
    }
}

/// A pattern that finds the word itself anywhere. For `lower(column) LIKE lower(?) ESCAPE '\'`.
pub(crate) fn like(word: &str) -> String {
    let mut pattern = String::with_capacity(word.len() + 2);
    pattern.push('%');
    for c in word.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

/// A list that is read in pages.
pub(crate) struct List {
    /// SELECT with its columns.
    pub select: &'static str,
    /// FROM with its joins.
    pub from: &'static str,
    /// FROM with only the joins that the conditions need, for counting.
    pub count_from: &'static str,
    /// The names that a caller may sort by, and what stands for them.
    pub sorts: &'static [(&'static str, &'static str)],
    /// The order where none is asked for.
    pub usual: &'static str,
    /// What tells rows apart that are equal otherwise.
    pub id: &'static str,
}

impl List {
    pub async fn page<T>(
        &self,
        conn: &mut Conn,
        conditions: &Conditions,
        page: &PageQuery,
        read: impl Fn(&AnyRow) -> Result<T>,
    ) -> Result<Page<T>> {
        let statement = self.statement(conditions, page)?;
        let mut count = Sql::new("SELECT count(*) FROM ");
        count.push(self.count_from);
        conditions.write(&mut count)?;
        let total: i64 = count.query().fetch_one(&mut *conn).await?.try_get(0)?;
        let rows = statement.query().fetch_all(conn).await?;
        let items = rows.iter().map(read).collect::<Result<Vec<T>>>()?;
        let (number, size) = bounds(page);
        Ok(Page { items, total, page: number, per_page: size })
    }

    pub fn statement(&self, conditions: &Conditions, page: &PageQuery) -> Result<Sql> {
        let mut sql = Sql::new(self.select);
        sql.push(" FROM ").push(self.from);
        conditions.write(&mut sql)?;
        sql.push(" ORDER BY ").push(&self.order(page.sort.as_deref())?);
        let (number, size) = bounds(page);
        sql.push(" LIMIT ").bind(i64::from(size))?;
        sql.push(" OFFSET ").bind(i64::from(number - 1) * i64::from(size))?;
        Ok(sql)
    }

    fn order(&self, wanted: Option<&str>) -> Result<String> {
        let wanted = wanted.filter(|w| !w.is_empty()).unwrap_or(self.usual);
        let (name, descending) = wanted.strip_prefix('-').map_or((wanted, false), |name| (name, true));
        let Some((_, column)) = self.sorts.iter().find(|(allowed, _)| *allowed == name) else {
            let allowed: Vec<&str> = self.sorts.iter().map(|(name, _)| *name).collect();
            return Err(Error::Sort { allowed: allowed.join(", ") });
        };
        // The order of NULLs is SQLite's own, said aloud for PostgreSQL, whose own is the opposite.
        let way = if descending { "DESC NULLS LAST" } else { "ASC NULLS FIRST" };
        let id = self.id;
        if *column == id {
            return Ok(format!("{id} {}", if descending { "DESC" } else { "ASC" }));
        }
        Ok(format!("{column} {way}, {id} {}", if descending { "DESC" } else { "ASC" }))
    }
}

fn bounds(page: &PageQuery) -> (u32, u32) {
    (page.page.max(1), page.per_page.clamp(1, MAX_PER_PAGE))
}

/// Truth values are 0 and 1 in both databases.
pub(crate) const fn int(truth: bool) -> i64 {
    if truth { 1 } else { 0 }
}

/// PostgreSQL's text holds no NUL; servers may send one.
pub(crate) fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// Fails unless a row was changed.
pub(crate) fn changed(result: &sqlx::any::AnyQueryResult, what: &'static str) -> Result<()> {
    if result.rows_affected() == 0 { Err(Error::Missing(what)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_of_like_are_escaped() {
        for (word, pattern) in [("a", "%a%"), ("50%", r"%50\%%"), ("a_b", r"%a\_b%"), (r"c:\", r"%c:\\%"), ("", "%%")] {
            assert_eq!(like(word), pattern);
        }
    }

    #[test]
    fn only_listed_names_can_be_sorted_by() {
        const LIST: List = List {
            select: "SELECT *",
            from: "t",
            count_from: "t",
            sorts: &[("id", "id"), ("name", "lower(name)")],
            usual: "-name",
            id: "id",
        };
        assert_eq!(LIST.order(None).unwrap(), "lower(name) DESC NULLS LAST, id DESC");
        assert_eq!(LIST.order(Some("")).unwrap(), "lower(name) DESC NULLS LAST, id DESC");
        assert_eq!(LIST.order(Some("name")).unwrap(), "lower(name) ASC NULLS FIRST, id ASC");
        assert_eq!(LIST.order(Some("-id")).unwrap(), "id DESC");
        for wrong in ["secret_hash", "id; DROP TABLE t", "--id", "ID", "-"] {
            let Err(Error::Sort { allowed }) = LIST.order(Some(wrong)) else { panic!("{wrong:?} was accepted") };
            assert_eq!(allowed, "id, name");
        }
    }
}
