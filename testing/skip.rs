//! How a test says "not on this machine": the one place that knows the contract of `docs/testing.md`.
//!
//! Included by path (`#[path = "../../../../testing/skip.rs"] mod skip;`), because a crate for eleven lines
//! would be an eleventh room.

/// Notes that `test` did not run here, with the `reason` (what is missing, in words a stranger understands).
/// The caller returns right after. The line goes to the file named in `MUSTER_TEST_SKIPS`, which `./dev test`
/// shows and counts.
///
/// # Panics
/// When `CI` is `true`, because there every test must run, and when the line cannot be written, because a
/// skip that nobody counts would look like success.
#[allow(dead_code, reason = "included by several test binaries, not all of which can skip")]
pub fn skip(test: &str, reason: &str) {
    use std::io::Write;
    let line = format!("{test}: {}", reason.replace('\n', " "));
    assert!(std::env::var("CI").as_deref() != Ok("true"), "must not be skipped with CI=true: {line}");
    eprintln!("SKIPPED: {line}");
    let Some(path) = std::env::var_os("MUSTER_TEST_SKIPS") else { return };
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(&path)
        .expect("MUSTER_TEST_SKIPS names a writable file");
    // One write of one short line, so that tests in parallel processes cannot mix their lines.
    file.write_all(format!("{line}\n").as_bytes()).expect("the skip is noted");
}
