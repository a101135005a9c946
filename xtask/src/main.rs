//! One command per claim.
fn main() {}
