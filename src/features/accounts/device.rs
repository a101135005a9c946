//! The device cookie. It shows that a browser has signed in to an account before. The cookie authenticates nobody.
//!
//! The cookie is sealed for its account: nobody can forge it or use it for another account. It holds only a random number and an expiry;
//! no store keeps a copy. Without `TOKEN_KEYS`, a cookie can be opened only by the process that sealed it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::sealing::Keyring;

/// How long a device or a network stays known after the last sign-in from it. A registration counts as a sign-in.
pub const KNOWN_FOR: Duration = Duration::days(90);

const ID_BYTES: usize = 16;
const TIME_BYTES: usize = 8;

/// Returns the device in a cookie, if the cookie was sealed for this account and has not expired.
pub fn open(keys: &Keyring, account: &str, cookie: &str, now: OffsetDateTime) -> Option<Uuid> {
    let sealed = URL_SAFE_NO_PAD.decode(cookie).ok()?;
    let opened = keys.open(&purpose(account), &sealed).ok()?;
    let (id, until) = opened.split_first_chunk::<ID_BYTES>()?;
    let until: [u8; TIME_BYTES] = until.try_into().ok()?;
    (i64::from_be_bytes(until) > now.unix_timestamp()).then(|| Uuid::from_bytes(*id))
}

/// Seals the cookie of a device for an account. The cookie expires [`KNOWN_FOR`] after `now`.
pub fn seal(keys: &Keyring, account: &str, device: Uuid, now: OffsetDateTime) -> String {
    let until = now.unix_timestamp().saturating_add(KNOWN_FOR.whole_seconds());
    URL_SAFE_NO_PAD.encode(keys.seal(&purpose(account), &[device.as_bytes().as_slice(), &until.to_be_bytes()].concat()))
}

fn purpose(account: &str) -> String {
    format!("device of {account}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_known_to_its_account_until_the_cookie_expires() {
        let (keys, device, now) = (Keyring::ephemeral(), Uuid::new_v4(), OffsetDateTime::UNIX_EPOCH);
        let cookie = seal(&keys, "ada", device, now);
        let last = now + KNOWN_FOR - Duration::SECOND;
        for (case, account, cookie, at, known) in [
            ("at once", "ada", cookie.as_str(), now, Some(device)),
            ("at the last moment", "ada", &cookie, last, Some(device)),
            ("too late", "ada", &cookie, last + Duration::SECOND, None),
            ("of another account", "bob", &cookie, now, None),
            ("cut off", "ada", &cookie[1..], now, None),
            ("not sealed", "ada", "AAAA", now, None),
            ("empty", "ada", "", now, None),
        ] {
            assert_eq!(open(&keys, account, cookie, at), known, "{case}");
        }
        assert_eq!(open(&Keyring::ephemeral(), "ada", &cookie, now), None, "sealed with another key");
    }
}
