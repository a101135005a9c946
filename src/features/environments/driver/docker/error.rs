//! Converts the engine's errors. The engine's own messages may contain paths, addresses and proxies of its machine, so they never become
//! part of an error. Operators find the messages of unexpected errors in the log.

use std::error::Error as _;

use bollard::errors::Error;

use super::super::DriverError;

/// Maximum number of bytes of an engine's message that are logged.
const WORDS_LIMIT: usize = 500;

/// The status of the engine's response, if there was one.
pub fn status(error: &Error) -> Option<u16> {
    if let Error::DockerResponseServerError { status_code, .. } = error { Some(*status_code) } else { None }
}

impl From<Error> for DriverError {
    fn from(error: Error) -> Self {
        match error {
            Error::DockerResponseServerError { status_code: 404, .. } => Self::NoContainer,
            Error::DockerResponseServerError { status_code, message } => {
                log_message(&message);
                let words = format!("status {status_code}");
                if (400..500).contains(&status_code) { Self::Refused(words) } else { Self::Failed(words) }
            }
            Error::DockerStreamError { error } | Error::DockerContainerWaitError { error, .. } => {
                log_message(&error);
                Self::Failed("its response ended with an error".to_owned())
            }
            Error::SocketNotFoundError(_) => Self::Unavailable("its socket does not exist".to_owned()),
            Error::HyperLegacyError { err } if err.is_connect() => Self::Unavailable("the connection to its socket failed".to_owned()),
            Error::HyperLegacyError { err } => broken(err.source().and_then(|cause| cause.downcast_ref())),
            Error::HyperResponseError { err } => broken(Some(&err)),
            Error::IOError { .. } => broken(None),
            Error::RequestTimeoutError => Self::Timeout,
            Error::JsonDataError { .. }
            | Error::JsonSerdeError { .. }
            | Error::StrParseError { .. }
            | Error::APIVersionParseError {}
            | Error::HttpHeaderNotFoundError(_)
            | Error::HttpHeaderToStrError { .. } => not_the_api(),
            // This driver cannot cause these errors. They belong to requests that cannot be built, to other transports, or to other parts
            // of the Engine API.
            Error::MissingSessionBuildkitError {}
            | Error::MissingVersionBuildkitError {}
            | Error::StrFmtError { .. }
            | Error::HttpClientError { .. }
            | Error::URLEncodedError { .. }
            | Error::URLParseError { .. }
            | Error::InvalidURIError { .. }
            | Error::InvalidURIPartsError { .. }
            | Error::UnsupportedURISchemeError { .. }
            | Error::Base64DecodeError { .. } => Self::Failed("the request could not be built".to_owned()),
        }
    }
}

/// Maps the failure of an established connection.
fn broken(cause: Option<&hyper::Error>) -> DriverError {
    if cause.is_some_and(hyper::Error::is_parse) { not_the_api() } else { DriverError::Unavailable("the connection was lost".to_owned()) }
}

fn not_the_api() -> DriverError {
    DriverError::Failed("its response does not conform to the Engine API".to_owned())
}

/// Maps errors of calls that need a running container.
pub fn not_running(error: Error) -> DriverError {
    if status(&error) == Some(409) { DriverError::Refused("the container is not running".to_owned()) } else { error.into() }
}

pub fn log_message(words: &str) {
    let words = &words[..words.floor_char_boundary(WORDS_LIMIT)];
    tracing::info!(words, "engine returned an error message");
}
