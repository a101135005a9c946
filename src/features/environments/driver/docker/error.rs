//! What the engine's errors mean to the caller. The engine's own words may name paths, addresses and proxies of its
//! machine: they are logged for the operator, and the error holds words of ours.

use std::error::Error as _;

use bollard::errors::Error;

use super::super::DriverError;

/// Bytes of the engine's words that are logged.
const WORDS_LIMIT: usize = 500;

/// The status that the engine answered with, if it has answered.
pub fn status(error: &Error) -> Option<u16> {
    if let Error::DockerResponseServerError { status_code, .. } = error { Some(*status_code) } else { None }
}

impl From<Error> for DriverError {
    fn from(error: Error) -> Self {
        match error {
            Error::DockerResponseServerError { status_code: 404, .. } => Self::NoContainer,
            Error::DockerResponseServerError { status_code, message } => {
                tell(&message);
                let words = format!("it answers with status {status_code}");
                if (400..500).contains(&status_code) { Self::Refused(words) } else { Self::Failed(words) }
            }
            Error::DockerStreamError { error } | Error::DockerContainerWaitError { error, .. } => {
                tell(&error);
                Self::Failed("it gave up half-way".to_owned())
            }
            Error::SocketNotFoundError(_) => Self::Unavailable("its socket is not there".to_owned()),
            Error::HyperLegacyError { err } if err.is_connect() => Self::Unavailable("nobody answers at its socket".to_owned()),
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
            // Of what cannot be asked, or not by us: the rest of the Engine API.
            Error::MissingSessionBuildkitError {}
            | Error::MissingVersionBuildkitError {}
            | Error::StrFmtError { .. }
            | Error::HttpClientError { .. }
            | Error::URLEncodedError { .. }
            | Error::URLParseError { .. }
            | Error::InvalidURIError { .. }
            | Error::InvalidURIPartsError { .. }
            | Error::UnsupportedURISchemeError { .. }
            | Error::Base64DecodeError { .. } => Self::Failed("the request could not be made".to_owned()),
        }
    }
}

/// A connection that was made and then failed.
fn broken(cause: Option<&hyper::Error>) -> DriverError {
    if cause.is_some_and(hyper::Error::is_parse) { not_the_api() } else { DriverError::Unavailable("the connection broke".to_owned()) }
}

fn not_the_api() -> DriverError {
    DriverError::Failed("its answer is not of the Engine API".to_owned())
}

/// Of what is asked of a running container alone.
pub fn not_running(error: Error) -> DriverError {
    if status(&error) == Some(409) { DriverError::Refused("the container is not running".to_owned()) } else { error.into() }
}

/// Logs the engine's own words.
pub fn tell(words: &str) {
    let words = &words[..words.floor_char_boundary(WORDS_LIMIT)];
    tracing::info!(words, "the engine says");
}
