//! Recognises why Postgres refuses a connection, in any error that contains one of sqlx.

use std::error::Error;

use super::login::is_refused_password;
use crate::diagnosis::{Cause, find};

/// Why Postgres refuses connections, if the error tells and an operator must mend it.
#[must_use]
pub fn cause(error: &(dyn Error + 'static)) -> Option<Cause> {
    let error = find::<sqlx::Error>(error)?;
    if is_refused_password(error) {
        return Some(Cause::Password);
    }
    match error {
        sqlx::Error::Database(database) => {
            let message = database.message();
            match database.code().as_deref().unwrap_or_default() {
                // Postgres' message contains the reason only as text.
                "28000" if message.contains("no encryption") || message.contains("SSL off") => Some(Cause::NeedsTls),
                "28000" | "3D000" => Some(Cause::Access),
                "08P01" if message.contains("startup parameter") => Some(Cause::Pooler),
                "08P01" if message.contains("SSL required") => Some(Cause::NeedsTls),
                _ => None,
            }
        }
        sqlx::Error::Tls(error) if error.to_string().contains("does not support TLS") => Some(Cause::NoTls),
        sqlx::Error::Tls(error) => Some(Cause::of_tls(&**error).unwrap_or(Cause::AuthorityFile)),
        sqlx::Error::Io(error) => Cause::of_tls(error),
        _ => None,
    }
}
