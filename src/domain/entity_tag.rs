//! Parses entity tags and lists of them, by the grammar of RFC 9110 (8.8.3, 13.1). This is the only parser for conditional headers;
//! [`preconditions`](super::preconditions) evaluates the conditions.

use std::fmt::Display;

#[derive(Clone, Debug, PartialEq, Eq)]
struct EntityTag {
    is_weak: bool,
    /// The bytes between the quotes: anything but controls, spaces and quotes.
    opaque: Vec<u8>,
}

/// The parsed value of `If-Match` or `If-None-Match`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagList(Members);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Members {
    /// `*`: any current representation.
    Any,
    These(Vec<EntityTag>),
}

/// The header is not a list of entity tags.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be * or a list of entity tags, each in double quotes")]
pub struct Malformed;

impl TagList {
    /// Parses all lines of a header; `None` if there are none. Several lines form one list (RFC 9110, 5.3), and a list may have empty
    /// members (5.6.1.2).
    ///
    /// # Errors
    /// [`Malformed`], also when `*` is combined with anything else.
    pub fn parse<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Result<Option<Self>, Malformed> {
        let lines: Vec<&[u8]> = lines.into_iter().collect();
        if lines.is_empty() {
            return Ok(None);
        }
        if let [line] = lines[..]
            && line.trim_ascii() == b"*"
        {
            return Ok(Some(Self(Members::Any)));
        }
        let mut tags = Vec::new();
        for line in lines {
            read_line(line, &mut tags)?;
        }
        Ok(Some(Self(Members::These(tags))))
    }

    /// Whether the list is `*` or contains the strong tag `current`. A weak tag in the list matches nothing: `If-Match` requires the
    /// strong comparison (RFC 9110, 8.8.3.2).
    #[must_use]
    pub fn matches_strongly(&self, current: impl Display) -> bool {
        self.matches(current, |tag| !tag.is_weak)
    }

    /// As [`Self::matches_strongly`], but a weak tag matches too: `If-None-Match` requires the weak comparison.
    #[must_use]
    pub fn matches_weakly(&self, current: impl Display) -> bool {
        self.matches(current, |_| true)
    }

    fn matches(&self, current: impl Display, counts: impl Fn(&EntityTag) -> bool) -> bool {
        match &self.0 {
            Members::Any => true,
            Members::These(tags) => {
                let current = current.to_string();
                tags.iter().any(|tag| counts(tag) && tag.opaque == current.as_bytes())
            }
        }
    }
}

fn read_line(line: &[u8], tags: &mut Vec<EntityTag>) -> Result<(), Malformed> {
    let mut rest = line.trim_ascii_start();
    while !rest.is_empty() {
        if rest[0] != b',' {
            let (tag, after) = read_tag(rest)?;
            tags.push(tag);
            rest = after.trim_ascii_start();
        }
        // A member ends at a comma or at the end of the line.
        match rest.split_first() {
            None => {}
            Some((b',', after)) => rest = after.trim_ascii_start(),
            Some(_) => return Err(Malformed),
        }
    }
    Ok(())
}

/// Parses the leading tag and returns it with the rest of the line. A comma between the quotes is part of the tag.
fn read_tag(text: &[u8]) -> Result<(EntityTag, &[u8]), Malformed> {
    let (is_weak, quoted) = text.strip_prefix(b"W/").map_or((false, text), |quoted| (true, quoted));
    let inner = quoted.strip_prefix(b"\"").ok_or(Malformed)?;
    let end = inner.iter().position(|byte| *byte == b'"').ok_or(Malformed)?;
    let opaque = &inner[..end];
    if opaque.iter().any(|byte| matches!(byte, 0..=b' ' | 0x7f)) {
        return Err(Malformed);
    }
    Ok((EntityTag { is_weak, opaque: opaque.to_vec() }, &inner[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(lines: &[&[u8]]) -> Result<Option<TagList>, Malformed> {
        TagList::parse(lines.iter().copied())
    }

    #[test]
    fn valid_lists_match_by_both_comparisons() {
        // The lines, and whether they match version 1 by the strong and by the weak comparison.
        let table: &[(&[&[u8]], bool, bool)] = &[
            (&[b"\"1\""], true, true),
            (&[b"\"2\""], false, false),
            (&[b"\"\""], false, false),
            (&[b"W/\"1\""], false, true),
            (&[b"*"], true, true),
            (&[b" * "], true, true),
            (&[b"\"2\", \"1\""], true, true),
            (&[b"\"2\",\"1\""], true, true),
            (&[b"\"2\"\t,\t\"1\" "], true, true),
            (&[b"W/\"1\", \"2\""], false, true),
            (&[b"W/\"1\", \"1\""], true, true),
            // Several lines.
            (&[b"\"2\"", b"\"1\""], true, true),
            (&[b"\"1\"", b"\"2\""], true, true),
            (&[b"\"2\"", b"\"3\"", b"W/\"1\""], false, true),
            // Empty members.
            (&[b", ,\"1\",,"], true, true),
            (&[b"", b"\"1\"", b""], true, true),
            (&[b""], false, false),
            (&[b" , ,"], false, false),
            // A tag may contain a comma, a backslash, a star and bytes beyond ASCII.
            (&[b"\"2,1\""], false, false),
            (&[b"\"2,\",\"1\""], true, true),
            (&[b"\"\\\",\"1\""], true, true),
            (&[b"\"*\""], false, false),
            (&[b"\"\xc3\xa9\xff\", \"1\""], true, true),
        ];
        for (lines, strongly, weakly) in table {
            let list = parse(lines).unwrap().unwrap();
            assert_eq!((list.matches_strongly(1), list.matches_weakly(1)), (*strongly, *weakly), "{lines:?}");
        }
        assert_eq!(parse(&[]), Ok(None));
        assert!(parse(&[b"\"2,1\""]).unwrap().unwrap().matches_strongly("2,1"));
    }

    #[test]
    fn invalid_lists_are_rejected() {
        let table: &[&[&[u8]]] = &[
            &[b"1"],
            &[b"garbage"],
            &[b"\"1"],
            &[b"1\""],
            &[b"w/\"1\""],
            &[b"W/1"],
            &[b"W/ \"1\""],
            &[b"W/"],
            &[b"\"1\"\"2\""],
            &[b"\"1\" \"2\""],
            &[b"\"1\"; \"2\""],
            &[b"\"1 2\""],
            &[b"\"1\t2\""],
            &[b"'1'"],
            &[b"\xff"],
            &[b"**"],
            // `*` must be the only member, across all lines.
            &[b"*, \"1\""],
            &[b"\"1\", *"],
            &[b"*,"],
            &[b"*", b"*"],
            &[b"*", b"\"1\""],
            &[b"\"1\"", b"*"],
            &[b"\"1\"", b"garbage"],
        ];
        for lines in table {
            assert_eq!(parse(lines), Err(Malformed), "{lines:?}");
        }
    }
}
