//! Plays sign-in and social platforms.
