//! Colours and signs. `anstream` drops the colours where nobody sees them.

use anstyle::{AnsiColor, Style};
use muster_api::plan::Sign;

/// Something is made, or went well.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Something changes, or waits.
pub const WARN: Style = AnsiColor::Yellow.on_default();
/// Something is deleted, or failed.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// Beside the point.
pub const FAINT: Style = Style::new().dimmed();
/// The point.
pub const STRONG: Style = Style::new().bold();

/// The mark and colour of a sign.
pub fn sign(sign: Sign) -> (&'static str, Style) {
    match sign {
        Sign::Create => ("+", GOOD),
        Sign::Change => ("~", WARN),
        Sign::Replace => ("±", BAD),
        Sign::Delete => ("-", BAD),
        Sign::Provision => ("»", Style::new()),
        Sign::Record => ("·", FAINT),
    }
}

/// Text without the colours in it, for widths and tests.
#[cfg(test)]
pub fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}
