//! The parameters of a request: no name twice, and an empty value is none (RFC 6749, 3.1 and 3.2).

use std::collections::HashMap;

use axum::extract::{FromRequest, RawForm, Request};
use url::form_urlencoded;

use super::error::OAuthError;

/// Names and values.
#[derive(Default)]
pub struct Parameters {
    values: HashMap<String, String>,
    repeated: Option<String>,
}

impl Parameters {
    /// Those of a query or of a form.
    pub fn read(text: &[u8]) -> Self {
        let mut parameters = Self::default();
        for (name, value) in form_urlencoded::parse(text) {
            if parameters.values.contains_key(&*name) {
                parameters.repeated = Some(name.into_owned());
            } else {
                parameters.values.insert(name.into_owned(), value.into_owned());
            }
        }
        parameters
    }

    /// The value of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A name that comes twice.
    pub fn repeated(&self) -> Option<&str> {
        self.repeated.as_deref()
    }

    /// The value of that name, which has to be there.
    pub fn require(&self, name: &str) -> Result<&str, OAuthError> {
        self.get(name).ok_or_else(|| OAuthError::InvalidRequest(format!("{name} is missing")))
    }
}

/// The form of a call.
pub struct Form(pub Parameters);

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = OAuthError;

    async fn from_request(request: Request, state: &S) -> Result<Self, OAuthError> {
        let refuse = |reason: String| OAuthError::InvalidRequest(reason);
        let RawForm(body): RawForm = RawForm::from_request(request, state).await.map_err(|error| refuse(error.body_text()))?;
        let parameters = Parameters::read(&body);
        match parameters.repeated() {
            Some(name) => Err(refuse(format!("{name} comes twice"))),
            None => Ok(Self(parameters)),
        }
    }
}
