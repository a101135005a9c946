//! Decodes UTF-8 that arrives in pieces, even when a character is split across several pieces.

/// Incremental UTF-8 decoder. Invalid bytes become U+FFFD, exactly as if `String::from_utf8_lossy` decoded all pieces at once.
#[derive(Debug, Default)]
pub struct Utf8Decoder {
    /// First bytes of an incomplete character: three at most.
    begun: Vec<u8>,
}

impl Utf8Decoder {
    /// Decodes the next piece, except for an incomplete character at its end.
    #[must_use]
    pub fn decode(&mut self, piece: &[u8]) -> String {
        let joined = [&self.begun, piece].concat();
        self.begun.clear();
        let mut text = String::with_capacity(joined.len());
        let mut chunks = joined.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            text.push_str(chunk.valid());
            match str::from_utf8(chunk.invalid()) {
                Ok(_) => {}
                Err(error) if error.error_len().is_none() && chunks.peek().is_none() => self.begun.extend_from_slice(chunk.invalid()),
                Err(_) => text.push(char::REPLACEMENT_CHARACTER),
            }
        }
        text
    }

    /// Decodes the remaining bytes at the end of the input.
    #[must_use]
    pub fn finish(self) -> String {
        String::from_utf8_lossy(&self.begun).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_does_not_depend_on_the_size_of_the_pieces() {
        let texts: [&[u8]; 8] = [
            b"",
            b"plain",
            "ü€😀".as_bytes(),
            b"\xff\xfe ok",
            b"cut \xe2\x82",
            b"\xe2\x82x",
            b"\xf0\x9f\x98\xf0\x9f\x98\x80",
            b"\xed\xa0\x80\xc0\xaf\xf5",
        ];
        for bytes in texts {
            let whole = String::from_utf8_lossy(bytes);
            for size in 1..=bytes.len().max(1) {
                let mut decoder = Utf8Decoder::default();
                let mut text: String = bytes.chunks(size).map(|piece| decoder.decode(piece)).collect();
                text.push_str(&decoder.finish());
                assert_eq!(text, whole, "{bytes:?} in pieces of {size} bytes");
            }
        }
    }

    #[test]
    fn complete_characters_are_returned_immediately() {
        let mut decoder = Utf8Decoder::default();
        assert_eq!(decoder.decode(b"a\xe2\x82"), "a");
        assert_eq!(decoder.decode(b"\xacb"), "€b");
        assert_eq!(decoder.decode(b"\xe2x"), "\u{fffd}x");
        assert_eq!(decoder.finish(), "");
    }
}
