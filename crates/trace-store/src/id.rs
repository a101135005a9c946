//! The identifiers of traces.

use std::fmt;

/// The identifier of a trace: 16 bytes, not all zero. Written as 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceId(u128);

impl TraceId {
    /// The identifier in a message of OTLP.
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        Self::valid(u128::from_be_bytes(bytes.try_into().ok()?))
    }

    /// An identifier in hexadecimal digits. Like Tempo, this accepts identifiers without their leading zeros.
    pub fn parse(text: &str) -> Option<Self> {
        let is_hexadecimal = (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        Self::valid(is_hexadecimal.then(|| u128::from_str_radix(text, 16).ok()).flatten()?)
    }

    fn valid(number: u128) -> Option<Self> {
        (number != 0).then_some(Self(number))
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Bytes as hexadecimal digits.
pub fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
