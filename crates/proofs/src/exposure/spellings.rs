//! The spellings of a path that a proxy, a framework or a file system may treat as the same path.

use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Path prefixes that a spelling enters and leaves again through `..`.
const DETOURS: [&str; 6] = ["x", "api", "health", "assets", "socket.io", "api/docs"];

/// The spellings of `path`; the first is the path itself. `path` must not have a query.
pub fn of(path: &str) -> Vec<String> {
    let bare = path.trim_start_matches('/').trim_end_matches('/');
    let groups = [slashes_and_dots(bare), letters(bare), encodings(bare), endings(bare)];
    let others: BTreeSet<String> = groups.into_iter().flatten().filter(|spelling| spelling != path).collect();
    [path.to_owned()].into_iter().chain(others).collect()
}

fn slashes_and_dots(bare: &str) -> Vec<String> {
    let (first, rest) = bare.split_once('/').unwrap_or((bare, ""));
    let mut spellings = vec![
        format!("//{bare}"),
        format!("///{bare}"),
        format!("/{}", bare.replace('/', "//")),
        format!("/./{bare}"),
        format!("/../{bare}"),
        format!("/%2e/{bare}"),
        format!("/%2e%2e/{bare}"),
        format!("/.%2E/{bare}"),
        format!("/{}", bare.replace('/', "/./")),
        format!("/..;/{bare}"),
        format!("/x/..;/{bare}"),
        format!("/;x/{bare}"),
        format!("/{first};x=1/{rest}"),
        format!("/\\{bare}"),
        format!("\\{bare}"),
        bare.to_owned(),
    ];
    for detour in DETOURS {
        let up = detour.split('/').map(|_| "..").collect::<Vec<_>>().join("/");
        spellings.push(format!("/{detour}/{up}/{bare}"));
        spellings.push(format!("/{detour}/{}/{bare}", up.replace("..", "%2e%2e")));
        spellings.push(format!("/{detour}/{}%2f{bare}", up.replace('/', "%2f")));
    }
    spellings
}

fn letters(bare: &str) -> Vec<String> {
    let mut is_upper = false;
    let mixed = bare.chars().map(|c| {
        is_upper = !is_upper;
        if is_upper { c.to_ascii_uppercase() } else { c }
    });
    let mixed: String = mixed.collect();
    // U+FF41 is the full-width `a`.
    let wide = |c: char| if c.is_ascii_lowercase() { char::from_u32(u32::from(c) + 0xFEE0).unwrap_or(c) } else { c };
    let wide: String = bare.chars().map(wide).collect();
    // Unicode case folding maps U+017F to `s` and U+212A to `k`.
    let folded = bare.replace('s', "\u{17f}").replace('k', "\u{212a}");
    [bare.to_uppercase(), mixed, wide.clone(), encoded(&wide), encoded(&folded)].map(|letters| format!("/{letters}")).to_vec()
}

fn encodings(bare: &str) -> Vec<String> {
    let (first, rest) = bare.split_at(1);
    let (start, last) = bare.split_at(bare.len() - 1);
    let once = encoded(bare);
    let twice = once.replace('%', "%25");
    // The first letter in an overlong form of UTF-8. Decoders must reject such forms.
    let letter = first.as_bytes()[0];
    let overlong = format!("%{:02x}%{:02x}{rest}", 0xc0 | (letter >> 6), 0x80 | (letter & 0x3f));
    vec![
        format!("/{}{rest}", encoded(first)),
        format!("/{start}{}", encoded(last)),
        format!("/{}{rest}", encoded(first).to_lowercase()),
        format!("/{once}"),
        format!("/{twice}"),
        format!("/{}", twice.replace('%', "%25")),
        format!("/{}{rest}", encoded(first).replace('%', "%25")),
        format!("/{}", bare.replace('/', "%2f")),
        format!("/{}", bare.replace('/', "%252f")),
        format!("/{}", bare.replace('/', "%5c")),
        format!("/%2f{bare}"),
        format!("%2f{bare}"),
        format!("/{overlong}"),
        format!("/%u{letter:04x}{rest}"),
    ]
}

fn endings(bare: &str) -> Vec<String> {
    const ENDINGS: [&str; 25] = [
        "/", "//", "/.", "/x/..", "/%2e", "/..", ".", "..", "%2f", "%20", "%09", "%00", "%0a", "%0d%0a", "%23", "%3f", "%3b", ";", ";x=1",
        "?", "?x=1", "?/../", "#x", ".json", "~",
    ];
    ENDINGS.map(|ending| format!("/{bare}{ending}")).to_vec()
}

/// Percent-encodes every byte, including those that need no encoding.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        // Writing to a String cannot fail.
        let _ = write!(encoded, "%{byte:02X}");
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_spelling_is_used_once() {
        let spellings = of("/health/ready");
        assert_eq!(spellings[0], "/health/ready");
        for spelling in [
            "//health/ready",
            "/health//ready",
            "/health/%2e%2e/health/ready",
            "/health;x=1/ready",
            "/HEALTH/READY",
            "/%68ealth/ready",
            "/%2568ealth/ready",
            "/health%2fready",
            "/health/ready/",
            "/health/ready;x=1",
            "/health/ready?x=1",
        ] {
            assert!(spellings.iter().any(|found| found == spelling), "{spelling}");
        }
        assert_eq!(spellings.iter().collect::<BTreeSet<_>>().len(), spellings.len());
    }
}
