//! Keyset paging: `?limit=20&cursor=…`, answered as `{items, next_cursor}`.
//!
//! Lists run from new to old by identifier (version 7 sorts by time), so a cursor is the last identifier seen.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::error::{ApiError, Code};

const DEFAULT_LIMIT: u8 = 20;
const MAX_LIMIT: u8 = 100;

/// The query of a list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Most items to answer, 1 to 100; 20 unless told.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u8>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A part of a list that a store is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Slice {
    /// Only what is older than this.
    pub before: Uuid,
    /// One more than the page holds: whether it comes tells if there is a next page.
    pub limit: i64,
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The items, newest first.
    pub items: Vec<T>,
    /// The `cursor` of the next page; null on the last one.
    pub next_cursor: Option<String>,
}

impl PageQuery {
    /// What to ask the store for.
    ///
    /// # Errors
    /// `invalid_query` for a limit outside 1 to 100, `invalid_cursor` for a cursor that no list answered.
    pub fn slice(&self) -> Result<Slice, ApiError> {
        let limit = self.limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(ApiError::new(Code::InvalidQuery).detail(format!("limit wants 1 to {MAX_LIMIT}")));
        }
        let before = match &self.cursor {
            None => Uuid::max(),
            Some(cursor) => decode(cursor).ok_or_else(|| ApiError::new(Code::InvalidCursor))?,
        };
        Ok(Slice { before, limit: i64::from(limit) + 1 })
    }
}

impl Slice {
    /// The page of what a store answered.
    pub fn page<T, V>(self, mut rows: Vec<T>, id: impl Fn(&T) -> Uuid, view: impl Fn(T) -> V) -> Page<V> {
        let size = usize::try_from(self.limit - 1).unwrap_or_default();
        let more = rows.len() > size;
        rows.truncate(size);
        let next_cursor = rows.last().filter(|_| more).map(|last| URL_SAFE_NO_PAD.encode(id(last).as_bytes()));
        Page { items: rows.into_iter().map(view).collect(), next_cursor }
    }
}

fn decode(cursor: &str) -> Option<Uuid> {
    Uuid::from_slice(&URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()
}
