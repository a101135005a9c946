//! Phrases that make readers stumble. Each has a reason, an example sentence, and the corrected sentence.

/// One ruled-out phrase.
pub struct Pattern {
    /// The phrase, as a regular expression over one text.
    pub phrase: &'static str,
    /// Why it is ruled out.
    pub why: &'static str,
    /// An example sentence that has the phrase.
    #[cfg_attr(not(test), expect(dead_code, reason = "the tests read it"))]
    pub before: &'static str,
    /// The corrected sentence.
    #[cfg_attr(not(test), expect(dead_code, reason = "the tests read it"))]
    pub after: &'static str,
}

const fn pattern(phrase: &'static str, why: &'static str, before: &'static str, after: &'static str) -> Pattern {
    Pattern { phrase, why, before, after }
}

const RELATIVE: &str = "name the actor: client, caller, operator, reader";
const INVERSION: &str = "subject before verb";
const EVERYDAY: &str = "use the field's verb: send, report, receive, publish, return";
const STATE: &str = "use the field's adjective: unavailable, pending, required, flushed, tolerated";

/// Every ruled-out phrase.
pub const PATTERNS: &[Pattern] = &[
    pattern(r"(?i)\bwho(m|so)?ever\b", RELATIVE, "for whoever asks again", "for callers that ask again"),
    pattern(r"(?i)\b(for|to|by|of|from|as|with|than) who\b", RELATIVE, "A word to who reads it", "A word to its readers"),
    pattern(
        r"(?i)\b(and|so|as|nor) (is|are|does|has) (who|what)\b",
        INVERSION,
        "and so is who holds too many",
        "as are clients over the limit",
    ),
    pattern(
        r"(^|[.;:] |/ )So (is|are|does|do|has|have|was|were) ",
        INVERSION,
        "/// So is an account that is gone.",
        "/// A deleted account is refused, too.",
    ),
    pattern(
        r"(?i)\b(and so|nor) (is|are|was|were|do|does|did|has|have|can)\b",
        INVERSION,
        "Fields are refused, and so are images.",
        "Fields and images are refused.",
    ),
    pattern(r"(?i)\b(is|are|was|were|be|been) told\b", EVERYDAY, "the edge is told of it", "the edge is notified"),
    pattern(r"(?i)\btells? (it|them|him|so|no|of)\b", EVERYDAY, "the bus tells it", "the bus publishes it"),
    pattern(r"(?i)\b(is|are|was|were) (endured|owed|heard)\b", STATE, "what is owed to Redis", "pending invalidations"),
    pattern(r"(?i)\b(is|are|was|were) away\b", STATE, "when Redis is away", "when Redis is unavailable"),
    pattern(
        r"(?i)\bwants (a|an|at|the|no|its|their|one|only|to be)\b",
        "requirements are `must` or `requires`",
        "wants at least 8",
        "must be at least 8",
    ),
    pattern(r"(?i)\bgo(es)? on\b", "`continues`", "the request goes on", "the request continues"),
    pattern(r"(?i)\btakes? note\b", "`records`", "Takes note of a call.", "Records a call."),
    pattern(r"(?i)\bsaid to be\b", "say what reports it", "was not what it was said to be", "environment status corrected"),
    pattern(r"(?i)\bc(ome|omes|ame) about\b", "`happens`", "did not come about", "did not happen in time"),
    pattern(r"(?i)\bthat which\b", "a noun", "that which is spoken", "the version in use"),
    pattern(r"(?i)\bby and by\b", "`gradually`", "leaves by and by", "leaves gradually"),
    pattern(r"(?i)\banew\b", "`again`, `new`", "is made anew", "is regenerated"),
    pattern(r"(?i)\b(some|any)body else\b[^-]", RELATIVE, "somebody else has it", "another account has it"),
    pattern(r"(?i)\bfor ever\b", "`indefinitely`, `never` or a limit", "would wait for ever", "would wait indefinitely"),
    pattern(r"(?i)\bas (many|much|often|long) as (it|they|there) may\b", "name the limit", "as many as there may be", "the maximum"),
    pattern(r"(?i)\bhas to go\b", "name what removes it", "it has to go", "it is removed"),
];
