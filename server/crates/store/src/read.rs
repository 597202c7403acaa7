//! Reading columns as the contract's types.

use crate::{Error, Result};
use gatepost_contract::UnknownName;
use serde::de::DeserializeOwned;
use sqlx::{Row, any::AnyRow};
use std::str::FromStr;

/// Columns of a row by name. Each name is a literal, since an error repeats it.
pub(crate) trait Columns {
    fn integer(&self, column: &'static str) -> Result<i64>;
    fn maybe_integer(&self, column: &'static str) -> Result<Option<i64>>;
    fn real(&self, column: &'static str) -> Result<f64>;
    fn text(&self, column: &'static str) -> Result<String>;
    fn maybe_text(&self, column: &'static str) -> Result<Option<String>>;
    fn bytes(&self, column: &'static str) -> Result<Vec<u8>>;
    fn maybe_bytes(&self, column: &'static str) -> Result<Option<Vec<u8>>>;
    fn truth(&self, column: &'static str) -> Result<bool>;
    fn name<T: FromStr<Err = UnknownName>>(&self, column: &'static str) -> Result<T>;
    fn maybe_name<T: FromStr<Err = UnknownName>>(&self, column: &'static str) -> Result<Option<T>>;
    fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T>;
    fn port(&self, column: &'static str) -> Result<Option<u16>>;
}

impl Columns for AnyRow {
    fn integer(&self, column: &'static str) -> Result<i64> {
        Ok(self.try_get(column)?)
    }

    fn maybe_integer(&self, column: &'static str) -> Result<Option<i64>> {
        Ok(self.try_get(column)?)
    }

    fn real(&self, column: &'static str) -> Result<f64> {
        Ok(self.try_get(column)?)
    }

    fn text(&self, column: &'static str) -> Result<String> {
        Ok(self.try_get(column)?)
    }

    fn maybe_text(&self, column: &'static str) -> Result<Option<String>> {
        Ok(self.try_get(column)?)
    }

    fn bytes(&self, column: &'static str) -> Result<Vec<u8>> {
        Ok(self.try_get(column)?)
    }

    fn maybe_bytes(&self, column: &'static str) -> Result<Option<Vec<u8>>> {
        Ok(self.try_get(column)?)
    }

    fn truth(&self, column: &'static str) -> Result<bool> {
        Ok(self.integer(column)? != 0)
    }

    fn name<T: FromStr<Err = UnknownName>>(&self, column: &'static str) -> Result<T> {
        let text: &str = self.try_get(column)?;
        parse(column, text)
    }

    fn maybe_name<T: FromStr<Err = UnknownName>>(&self, column: &'static str) -> Result<Option<T>> {
        let text: Option<&str> = self.try_get(column)?;
        text.map(|text| parse(column, text)).transpose()
    }

    fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T> {
        let text: &str = self.try_get(column)?;
        serde_json::from_str(text).map_err(|e| Error::Corrupt { column, reason: e.to_string() })
    }

    fn port(&self, column: &'static str) -> Result<Option<u16>> {
        let number = self.maybe_integer(column)?;
        number.map(u16::try_from).transpose().map_err(|e| Error::Corrupt { column, reason: e.to_string() })
    }
}

/// A name of one of the closed sets.
pub(crate) fn parse<T: FromStr<Err = UnknownName>>(column: &'static str, text: &str) -> Result<T> {
    text.parse().map_err(|e: UnknownName| Error::Corrupt { column, reason: e.to_string() })
}

/// Arrived ÷ source, 0 to 100; 0 while the source was not counted.
pub(crate) fn percent(arrived: i64, source: i64) -> f64 {
    if source <= 0 { 0.0 } else { (arrived as f64 / source as f64 * 100.0).clamp(0.0, 100.0) }
}
