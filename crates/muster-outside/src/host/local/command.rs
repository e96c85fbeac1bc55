//! Runs the few commands of this computer that local machines need. What they are is built in `argv`, as data.

use std::ffi::OsString;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use super::error::LocalError;

/// The most output that is kept of one command, per stream; the rest is read and thrown away.
const OUTPUT_BYTES_MAX: u64 = 1024 * 1024;
/// The most of it that goes into an error.
const ERROR_BYTES_MAX: usize = 1500;
/// Limit for a command that should be done at once (`ip`, `chroot … openssl`).
pub(super) const SHORT: Duration = Duration::from_secs(20);

/// Program and arguments; never a shell string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Argv(pub Vec<String>);

impl Argv {
    pub(super) fn new(words: &[&str]) -> Argv {
        Argv(words.iter().map(|word| (*word).to_owned()).collect())
    }

    /// The words with blanks between them, for messages and tests.
    pub(super) fn text(&self) -> String {
        self.0.join(" ")
    }

    /// A command that is ready to start, with a fixed environment.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(OsString::from(&self.0[0]));
        command.args(&self.0[1..]).current_dir("/");
        command
    }
}

/// Kills the whole process group when the caller loses interest (time-out, cancelled future).
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            // Gone already is fine.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

/// Runs a command to its end and gives its standard output.
pub(super) async fn run(argv: &Argv, input: &str, limit: Duration) -> Result<String, LocalError> {
    let failed =
        |status: String, output: String| LocalError::Command { command: argv.text(), status, output };
    let mut command = argv.command();
    command
        .stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .env("LC_ALL", "C")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .process_group(0)
        .kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| failed("not started".to_owned(), error.to_string()))?;
    let mut group = Group(child.id().and_then(|id| Pid::from_raw(id.cast_signed())));
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async {
        if let Some(mut stdin) = stdin {
            // A command that does not read its input says so with its exit status.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
    };
    let work = async {
        let ((), out, err) = tokio::join!(feed, keep(stdout), keep(stderr));
        (child.wait().await, out, err)
    };
    let (status, out, err) = tokio::time::timeout(limit, work).await.map_err(|_| LocalError::TooLong {
        what: argv.text(),
        limit,
        detail: String::new(),
    })?;
    let status = status.map_err(|error| failed("lost".to_owned(), error.to_string()))?;
    group.0 = None;
    if status.success() {
        return Ok(out);
    }
    let said = if err.trim().is_empty() { out } else { err };
    Err(failed(status.to_string(), tail(said.trim(), ERROR_BYTES_MAX).to_owned()))
}

/// Runs commands one after the other, up to the first failure.
pub(super) async fn run_all(commands: &[Argv]) -> Result<(), LocalError> {
    for argv in commands {
        run(argv, "", SHORT).await?;
    }
    Ok(())
}

/// Runs two commands, the first one's output being the second one's input, and gives the second one's output.
pub(super) async fn run_piped(first: &Argv, second: &Argv, limit: Duration) -> Result<String, LocalError> {
    let failed = |argv: &Argv, status: String, output: &str| LocalError::Command {
        command: argv.text(),
        status,
        output: tail(output.trim(), ERROR_BYTES_MAX).to_owned(),
    };
    let start = |argv: &Argv, input: Stdio| {
        let mut command = argv.command();
        command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped()).env("LC_ALL", "C");
        command.kill_on_drop(true);
        command.spawn().map_err(|error| failed(argv, "not started".to_owned(), &error.to_string()))
    };
    let mut source = start(first, Stdio::null())?;
    let pipe = match source.stdout.take().map(TryInto::<Stdio>::try_into) {
        Some(Ok(pipe)) => pipe,
        lost => return Err(failed(first, "lost".to_owned(), &format!("{:?}", lost.and_then(Result::err)))),
    };
    let mut sink = start(second, pipe)?;
    let source_said = source.stderr.take();
    let (out, said) = (sink.stdout.take(), sink.stderr.take());
    let work = async {
        let (source_said, out, said) = tokio::join!(keep(source_said), keep(out), keep(said));
        (source.wait().await, source_said, sink.wait().await, out, said)
    };
    let done = tokio::time::timeout(limit, work).await;
    let (source_status, source_said, sink_status, out, said) = done.map_err(|_| LocalError::TooLong {
        what: format!("{} into {}", first.text(), second.text()),
        limit,
        detail: String::new(),
    })?;
    // The second first: when it refuses its input, the first only hears of a broken pipe.
    for (argv, status, said) in [(second, sink_status, said), (first, source_status, source_said)] {
        match status {
            Ok(status) if status.success() => {}
            Ok(status) => return Err(failed(argv, status.to_string(), &said)),
            Err(error) => return Err(failed(argv, "lost".to_owned(), &error.to_string())),
        }
    }
    Ok(out)
}

async fn keep(stream: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut stream) = stream else { return String::new() };
    let mut kept = Vec::new();
    // A broken pipe only shortens what we can say about the command.
    let _ = (&mut stream).take(OUTPUT_BYTES_MAX).read_to_end(&mut kept).await;
    let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&kept).into_owned()
}

/// The end of a text, at most `bytes` long, cut at a character.
pub(super) fn tail(text: &str, bytes: usize) -> &str {
    let mut start = text.len().saturating_sub(bytes);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn input_output_and_failure() {
        let out = run(&Argv::new(&["cat"]), "hello", SHORT).await.unwrap();
        assert_eq!(out, "hello");
        let error = run(&Argv::new(&["ls", "/nowhere-at-all"]), "", SHORT).await.unwrap_err().to_string();
        assert!(error.contains("ls /nowhere-at-all failed") && error.contains("No such file"), "{error}");
        let error = run(&Argv::new(&["no-such-program"]), "", SHORT).await.unwrap_err().to_string();
        assert!(error.contains("not started"), "{error}");
    }

    #[tokio::test]
    async fn one_feeds_the_other_and_each_failure_has_its_name() {
        let [echo, cat, no] =
            [&["echo", "hello"][..], &["cat"], &["false"]].map(|words: &[&str]| Argv::new(words));
        assert_eq!(run_piped(&echo, &cat, SHORT).await.unwrap(), "hello\n");
        let first = run_piped(&no, &cat, SHORT).await.unwrap_err().to_string();
        assert!(first.starts_with("false failed (exit status: 1)"), "{first}");
        let second = run_piped(&echo, &no, SHORT).await.unwrap_err().to_string();
        assert!(second.starts_with("false failed"), "{second}");
        let hangs = run_piped(&Argv::new(&["sleep", "60"]), &cat, Duration::from_millis(100)).await;
        assert!(matches!(hangs, Err(LocalError::TooLong { .. })), "{hangs:?}");
    }

    #[tokio::test]
    async fn a_wait_has_an_end_also_for_grandchildren() {
        let argv = Argv::new(&["sh", "-c", "sleep 60 & echo $!; wait"]);
        let error = run(&argv, "", Duration::from_millis(300)).await.unwrap_err();
        assert!(matches!(error, LocalError::TooLong { .. }), "{error}");
    }

    #[test]
    fn tails_are_cut_at_characters() {
        assert_eq!(tail("añb", 2), "b");
        assert_eq!(tail("ab", 5), "ab");
    }
}
