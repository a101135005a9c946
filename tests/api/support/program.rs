//! The real binary, as an operator starts it.
