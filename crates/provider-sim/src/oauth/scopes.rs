//! Parses a `scope` parameter: scopes of the platform, separated by spaces (RFC 6749, 3.3).

use crate::platform::Platform;

/// The scopes in `text`, without duplicates.
///
/// # Errors
/// The first scope that the platform does not support.
pub fn read(platform: Platform, text: &str) -> Result<Vec<&'static str>, String> {
    let mut scopes = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let scope = platform.scopes().iter().copied().find(|scope| *scope == word).ok_or_else(|| word.to_owned())?;
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    Ok(scopes)
}
