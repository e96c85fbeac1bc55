//! A value that must not be seen: it prints as dots and cannot be serialised by accident.
//!
//! Whoever truly needs the text calls [`Secret::expose`], so that every such place is found by one search.

use std::fmt;

use zeroize::Zeroize;

/// A password, key or token. Wiped from memory when dropped; prints as dots.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes over the clear text.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The clear text. Never put it into a log line, an event, an error or a process argument.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("••••••")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("••••••")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_dots() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?}"), "•••••• ••••••");
        assert_eq!(secret.expose(), "hunter2");
    }
}
