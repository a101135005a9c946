//! Request parameters. A request must not repeat a parameter, and a parameter with an empty value counts as omitted (RFC 6749, 3.1 and
//! 3.2).

use std::collections::HashMap;

use axum::extract::{FromRequest, RawForm, Request};
use url::form_urlencoded;

use super::error::OAuthError;

/// The parameters of a query or a form, by name.
#[derive(Default)]
pub struct Parameters {
    values: HashMap<String, String>,
    repeated: Vec<String>,
}

impl Parameters {
    /// Parses the text of a query or a form. Keeps the first value of a repeated parameter; see [`Self::repeated`].
    pub fn read(text: &[u8]) -> Self {
        let mut parameters = Self::default();
        for (name, value) in form_urlencoded::parse(text) {
            if parameters.values.contains_key(&*name) {
                parameters.repeated.push(name.into_owned());
            } else {
                parameters.values.insert(name.into_owned(), value.into_owned());
            }
        }
        parameters
    }

    /// The value of a parameter; `None` if it is missing or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The name of a parameter that the request repeats, if any.
    pub fn repeated(&self) -> Option<&str> {
        self.repeated.first().map(String::as_str)
    }

    /// Whether the request repeats this parameter.
    pub fn repeats(&self, name: &str) -> bool {
        self.repeated.iter().any(|repeated| repeated == name)
    }

    /// Like [`Self::get`], for a required parameter.
    pub fn require(&self, name: &str) -> Result<&str, OAuthError> {
        self.get(name).ok_or_else(|| OAuthError::InvalidRequest(format!("{name} is missing")))
    }
}

/// The form in a request's body. As a handler's argument it rejects repeated parameters.
pub struct Form(pub Parameters);

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = OAuthError;

    async fn from_request(request: Request, state: &S) -> Result<Self, OAuthError> {
        let refuse = |reason: String| OAuthError::InvalidRequest(reason);
        let RawForm(body): RawForm = RawForm::from_request(request, state).await.map_err(|error| refuse(error.body_text()))?;
        let parameters = Parameters::read(&body);
        match parameters.repeated() {
            Some(name) => Err(refuse(format!("{name} is repeated"))),
            None => Ok(Self(parameters)),
        }
    }
}
