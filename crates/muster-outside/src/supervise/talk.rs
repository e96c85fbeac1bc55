//! What a child says, kept in its folder: events, a line each, and the end of its standard error. Secrets are hidden
//! before anything is written.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use muster_model::Secret;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixListener;

use crate::ansible::{hide, read_line, without_output};

/// One line of a child: 200 lines of 2 KiB twice, and room.
const EVENT_BYTES_MAX: u64 = 4 << 20;
/// Beyond so many bytes of events their output is left out.
const EVENTS_BYTES_MAX: u64 = 256 << 20;
/// One line of what a child prints; a longer one is looked through in pieces.
const LINE_BYTES_MAX: u64 = 1 << 20;
/// What is kept of the end of standard error.
const COMPLAINT_BYTES_MAX: usize = 16 << 10;
/// What begins a line that is no event.
pub(crate) const NONSENSE: &str = "! ";

/// Writes events as they come, until the child closes its side.
pub(super) async fn keep_events(
    listener: UnixListener,
    connected: Arc<AtomicBool>,
    hidden: Vec<Secret>,
    to: File,
) -> io::Result<()> {
    // The plugin connects once, when Ansible has read its settings.
    let (stream, _) = listener.accept().await?;
    connected.store(true, Ordering::Relaxed);
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    let mut written = 0;
    loop {
        line.clear();
        let mut limited = (&mut reader).take(EVENT_BYTES_MAX);
        if matches!(limited.read_until(b'\n', &mut line).await, Ok(0) | Err(_)) {
            return to.sync_all();
        }
        let mut text = match read_line(&line, &hidden) {
            Ok(event) if written >= EVENTS_BYTES_MAX => serde_json::to_string(&without_output(event))?,
            Ok(event) => serde_json::to_string(&event)?,
            Err(error) => format!("{NONSENSE}{}", hide(error, &hidden).replace('\n', " ")),
        };
        text.push('\n');
        // One write a line, so that a reader meets whole lines or an unfinished last one.
        (&to).write_all(text.as_bytes())?;
        written += text.len() as u64;
    }
}

/// A file for events.
pub(super) fn events_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

/// Writes what a child prints line by line, until everybody has closed it.
pub(super) async fn keep_output(
    pipe: impl AsyncRead + Unpin,
    hidden: Vec<Secret>,
    to: File,
) -> io::Result<()> {
    let mut reader = BufReader::new(pipe);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut limited = (&mut reader).take(LINE_BYTES_MAX);
        if limited.read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        let text = hide(String::from_utf8_lossy(&line).into_owned(), &hidden);
        (&to).write_all(text.as_bytes())?;
    }
}

/// Reads to the end and keeps the last part.
pub(super) async fn keep_end(mut pipe: impl AsyncRead + Unpin, hidden: Vec<Secret>) -> String {
    let mut kept: VecDeque<u8> = VecDeque::new();
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = pipe.read(&mut buffer).await {
        kept.extend(&buffer[..read]);
        let over = kept.len().saturating_sub(COMPLAINT_BYTES_MAX);
        kept.drain(..over);
    }
    let kept: Vec<u8> = kept.into();
    hide(String::from_utf8_lossy(&kept).trim().to_owned(), &hidden)
}

/// Gives the child what it reads from its standard input.
pub(super) async fn feed(mut pipe: tokio::net::unix::pipe::Sender, text: Option<Secret>) {
    if let Some(text) = text {
        // It may have ended already; its exit status tells more than this error would.
        let _ = pipe.write_all(text.expose().as_bytes()).await;
    }
}
