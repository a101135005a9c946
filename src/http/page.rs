//! The query parameters of lists: `?limit=20&cursor=…` returns `{items, next_cursor}`. `domain::paging` defines their meaning.

use std::marker::PhantomData;

use serde::Deserialize;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use uuid::Uuid;

use super::error::{ApiError, Code};
use crate::domain::paging::{Cursor, DEFAULT_LIMIT, InvalidPage, MAX_LIMIT, PageRequest};
use crate::domain::validation::integer;

/// The query parameters of a list whose cursors encode a `P`.
#[derive(Debug, Deserialize)]
#[serde(bound = "")]
pub struct PageQuery<P = Uuid> {
    limit: Option<u8>,
    cursor: Option<String>,
    #[serde(skip)]
    cursor_type: PhantomData<fn() -> P>,
}

impl<P> Default for PageQuery<P> {
    fn default() -> Self {
        Self { limit: None, cursor: None, cursor_type: PhantomData }
    }
}

impl<P: Cursor> IntoParams for PageQuery<P> {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let parameter = |name, description: String, schema: ObjectBuilder| {
            let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Query);
            parameter.description(Some(description)).schema(Some(schema)).build()
        };
        let most = format!("Maximum number of items, 1 to {MAX_LIMIT}; default {DEFAULT_LIMIT}");
        let limit = integer(1, MAX_LIMIT.into()).default(Some(DEFAULT_LIMIT.into()));
        let cursor = ObjectBuilder::new().schema_type(Type::String).pattern(Some(P::PATTERN));
        vec![parameter("limit", most, limit), parameter("cursor", "`next_cursor` of the previous page".to_owned(), cursor)]
    }
}

impl<P: Cursor> PageQuery<P> {
    /// Validates the query and returns the range for the store.
    ///
    /// # Errors
    /// `invalid_query` for a limit outside 1 to 100, `invalid_cursor` for a cursor that does not decode.
    pub fn validate(&self) -> Result<PageRequest<P>, ApiError> {
        PageRequest::new(self.limit, self.cursor.as_deref()).map_err(|error| match error {
            InvalidPage::Limit => ApiError::new(Code::InvalidQuery).detail(error.to_string()),
            InvalidPage::Cursor => ApiError::new(Code::InvalidCursor),
        })
    }
}
