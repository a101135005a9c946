//! What may be asked for: lists of words that the platform knows (RFC 6749, 3.3).

use crate::platform::Platform;

/// Reads a list, each word once.
///
/// # Errors
/// The word that the platform does not know.
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
