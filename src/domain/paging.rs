//! Keyset pagination: the position in a list, the range that a store queries, and the page that results.
//!
//! Lists are sorted newest first, most of them by identifier (UUID version 7 sorts by time). A cursor encodes the position of the
//! last item of a page. It is not a secret and grants nothing: a made-up cursor only reads the same list from another position.
//! The query parameters are in `http::page`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// Page size of a query without `limit`.
pub const DEFAULT_LIMIT: u8 = 20;
/// Maximum page size.
///
/// Statements that join tables repeat this maximum, plus one, as a fixed limit in a subquery. Postgres assumes that a limit passed as a
/// parameter is a tenth of the rows. For a large table, a plan for so many rows seems so expensive that Postgres plans the statement
/// again for each execution. Planning takes longer than the execution itself.
pub const MAX_LIMIT: u8 = 100;
const _: () = assert!(MAX_LIMIT == 100, "change the fixed limits of the statements in features/projects too");
/// Exclusive upper bound of times in cursors, in microseconds (the year 8820). The first byte alone shows whether a time is below it.
const END: u64 = 3 << 56;

/// A cursor: the sort key of an item.
pub trait Cursor: Sized + PartialEq {
    /// Regular expression that encoded cursors match.
    const PATTERN: &str;
    /// The position before every possible item, where the first page begins.
    fn start() -> Self;
    /// The bytes that a cursor encodes.
    fn to_cursor(&self) -> Vec<u8>;
    /// Decodes [`Self::to_cursor`]; `None` for a cursor of another kind or out of range.
    fn from_cursor(bytes: &[u8]) -> Option<Self>;
}

impl Cursor for Uuid {
    /// 16 bytes in base64: the last character carries only two bits.
    const PATTERN: &str = "^[A-Za-z0-9_-]{21}[AQgw]$";

    fn start() -> Self {
        Self::max()
    }

    fn to_cursor(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }

    fn from_cursor(bytes: &[u8]) -> Option<Self> {
        Self::from_slice(bytes).ok()
    }
}

/// The cursor of a list that is sorted by time, then by identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// 1970 to 8820, in whole microseconds like Postgres' timestamps; later only in [`Cursor::start`].
    pub at: OffsetDateTime,
    /// Identifier of the item, as the tie-breaker.
    pub id: Uuid,
}

impl Cursor for Moment {
    /// 24 bytes in base64. The first byte is at most 2, because times are below `END`.
    const PATTERN: &str = "^A[A-Za-v][A-Za-z0-9_-]{30}$";

    fn start() -> Self {
        Self { at: time::PrimitiveDateTime::MAX.assume_utc(), id: Uuid::max() }
    }

    fn to_cursor(&self) -> Vec<u8> {
        let micros = u64::try_from(self.at.unix_timestamp_nanos() / 1000).unwrap_or_default();
        [&micros.to_be_bytes(), self.id.as_bytes().as_slice()].concat()
    }

    fn from_cursor(bytes: &[u8]) -> Option<Self> {
        let (micros, id) = bytes.split_first_chunk()?;
        let micros = Some(u64::from_be_bytes(*micros)).filter(|micros| *micros < END)?;
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000).ok()?;
        Some(Self { at, id: Uuid::from_slice(id).ok()? })
    }
}

/// The range of a list that a store queries.
#[derive(Clone, Copy, Debug)]
pub struct PageRequest<P = Uuid> {
    /// Exclusive upper bound: only older items.
    pub before: P,
    /// The page size plus one: the extra row shows that a next page exists.
    pub limit: i64,
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The items, newest first.
    pub items: Vec<T>,
    /// The `cursor` of the next page; null on the last one.
    pub next_cursor: Option<String>,
}

/// The parameters of a list are invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPage {
    /// The page size is out of range.
    #[error("limit must be 1 to {MAX_LIMIT}")]
    Limit,
    /// The cursor does not decode, or belongs to another kind of list.
    #[error("the cursor is invalid")]
    Cursor,
}

impl<P: Cursor> PageRequest<P> {
    /// Validates the page size and the encoded cursor. The default is the first page, with [`DEFAULT_LIMIT`] items.
    ///
    /// # Errors
    /// See [`InvalidPage`].
    pub fn new(limit: Option<u8>, cursor: Option<&str>) -> Result<Self, InvalidPage> {
        let limit = Some(limit.unwrap_or(DEFAULT_LIMIT)).filter(|limit| (1..=MAX_LIMIT).contains(limit)).ok_or(InvalidPage::Limit)?;
        let before = cursor.map_or_else(|| Some(P::start()), decode).ok_or(InvalidPage::Cursor)?;
        Ok(Self { before, limit: i64::from(limit) + 1 })
    }

    /// Whether this is the first page.
    pub fn is_first(&self) -> bool {
        self.before == P::start()
    }

    /// Whether this is the first page with the default limit, as requested by a query without parameters.
    pub fn is_default(&self) -> bool {
        self.is_first() && self.limit == i64::from(DEFAULT_LIMIT) + 1
    }

    /// Builds the response from the store's rows.
    pub fn into_page<T, V>(self, mut rows: Vec<T>, cursor_of: impl Fn(&T) -> P, view: impl Fn(T) -> V) -> Page<V> {
        let size = usize::try_from(self.limit - 1).unwrap_or_default();
        let more = rows.len() > size;
        rows.truncate(size);
        let next_cursor = rows.last().filter(|_| more).map(|last| URL_SAFE_NO_PAD.encode(cursor_of(last).to_cursor()));
        Page { items: rows.into_iter().map(view).collect(), next_cursor }
    }
}

fn decode<P: Cursor>(cursor: &str) -> Option<P> {
    P::from_cursor(&URL_SAFE_NO_PAD.decode(cursor).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_round_trip_through_cursors() {
        let at = OffsetDateTime::from_unix_timestamp_nanos(1_795_000_000_123_456_000).unwrap();
        let moment = Moment { at, id: Uuid::from_u128(7) };
        assert_eq!(Moment::from_cursor(&moment.to_cursor()), Some(moment));
    }

    #[test]
    fn foreign_and_out_of_range_cursors_are_rejected() {
        assert_eq!(Moment::from_cursor(Uuid::max().as_bytes()), None);
        assert_eq!(Moment::from_cursor(&[0xff; 24]), None, "the time is beyond the last year of cursors");
        assert_eq!(Uuid::from_cursor(&Moment::start().to_cursor()), None);
    }
}
