//! The real builder.

use std::collections::{BTreeMap, VecDeque};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::sleep;

use super::{BuildError, BuildRun, Builder, OUTPUT_BYTES_MAX, PASSED_ON, Tree, tree};
use crate::host::ssh::{Output, OutputStream};
use crate::supervise::{End, Folder, GONE_WITHIN, Launcher, Order, Owned, StartError, Why};

/// How often new output is looked for.
const POLL: Duration = Duration::from_millis(50);
/// Read at once.
const CHUNK_BYTES: usize = 64 << 10;
/// Lines of its output that a failure repeats.
const LAST_LINES: usize = 5;
/// A line is cut here when a failure repeats it.
const LAST_LINE_CHARS: usize = 300;

/// Builds on this machine.
#[derive(Debug, Clone)]
pub struct RealBuilder {
    supervisor: Launcher,
}

impl RealBuilder {
    /// With supervisors that are started so.
    pub fn new(supervisor: Launcher) -> RealBuilder {
        RealBuilder { supervisor }
    }
}

/// The private copy of a build; goes with it.
struct Copy(PathBuf);

impl Copy {
    /// Beside the folder of the build's process, where what a death leaves behind is swept up.
    fn place(folder: &Folder) -> PathBuf {
        let name = folder.path().file_name().map(|name| name.to_string_lossy().into_owned());
        folder.path().with_file_name(format!("{}-copy", name.unwrap_or_default()))
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // Best effort: it is private, and swept up later.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A build whose future is dropped is ended.
struct Running(Arc<Owned>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.stop();
    }
}

#[async_trait]
impl Builder for RealBuilder {
    async fn build(&self, run: &BuildRun, output: &mut dyn Output) -> Result<Tree, BuildError> {
        let copy = Copy(Copy::place(&run.folder));
        let (place, files) = (copy.0.clone(), run.files.clone());
        blocking(move || tree::write(&place, &files)).await?;
        let order = order(run, &copy.0);
        let program = order.program.display().to_string();
        let owned = match self.supervisor.start(&run.folder, &run.owner, &order).await {
            Ok(owned) => Running(Arc::new(owned)),
            Err(StartError::NotFound) => return Err(BuildError::NotFound { program }),
            Err(source) => return Err(BuildError::Start { program, source }),
        };
        let ended = {
            let mut told = Told::new(&run.folder, output);
            let following = follow(&owned.0, &mut told, run);
            tokio::select! {
                () = owned.0.keep() => Err(BuildError::Ended { command: run.command.join(" ") }),
                ended = following => ended,
            }
        };
        if ended.is_err() {
            // Whatever it came to, its processes are gone before its copy goes.
            owned.0.stop();
            let mut waited = Duration::ZERO;
            while waited < GONE_WITHIN && matches!(owned.0.end(), Ok(Ok(None))) {
                sleep(POLL).await;
                waited += POLL;
            }
        }
        drop(owned);
        run.folder.forget();
        ended?;
        let result = if run.output.is_empty() { copy.0.clone() } else { copy.0.join(&run.output) };
        if !result.is_dir() {
            return Err(BuildError::Result(format!("the build made no directory `{}`", run.output)));
        }
        let built = blocking(move || tree::read(&result)).await?;
        if built.is_empty() {
            return Err(BuildError::Result("it holds no file".to_owned()));
        }
        Ok(built)
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BuildError> + Send + 'static,
) -> Result<T, BuildError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(BuildError::Result(error.to_string())))
}

fn order(run: &BuildRun, copy: &Path) -> Order {
    let mut words = run.command.iter().cloned();
    let program = PathBuf::from(words.next().unwrap_or_default());
    let passed = |name: &str| Some((name.to_owned(), std::env::var(name).ok()?));
    let mut environment: BTreeMap<String, String> = PASSED_ON.into_iter().filter_map(passed).collect();
    environment.insert("LANG".to_owned(), "C.UTF-8".to_owned());
    environment.extend(run.environment.clone());
    Order {
        // `./build` and `bin/build` are of the code, whatever the supervisor's own directory is.
        program: if program.components().count() > 1 { copy.join(program) } else { program },
        arguments: words.collect(),
        environment,
        directory: copy.to_owned(),
        input: None,
        hidden: Vec::new(),
        events: None,
        output: true,
        agent: None,
        limit: run.limit,
        directories: Vec::new(),
    }
}

async fn follow(owned: &Owned, told: &mut Told<'_>, run: &BuildRun) -> Result<(), BuildError> {
    let command = run.command.join(" ");
    let lost = |doing| {
        let path = run.folder.path().to_owned();
        move |source| BuildError::File { doing, path, source }
    };
    loop {
        // Asked before the last reading, so that nothing comes after it.
        let end = owned.end().map_err(lost("reading"))?;
        told.tell().await.map_err(lost("reading"))?;
        if told.bytes > OUTPUT_BYTES_MAX {
            owned.stop();
            return Err(BuildError::Talkative { command });
        }
        match end {
            Ok(None) => sleep(POLL).await,
            Ok(Some(end)) => return judge(end, command, told, run.limit),
            Err(_) => return Err(BuildError::Ended { command }),
        }
    }
}

fn judge(end: End, command: String, told: &mut Told<'_>, limit: Duration) -> Result<(), BuildError> {
    match end.why {
        Why::Itself if end.status == 0 => Ok(()),
        Why::Itself => {
            let end = match end.status {
                status if status < 0 => format!("signal {}", -status),
                status => format!("exit status {status}"),
            };
            Err(BuildError::Failed { command, end, last: told.last_lines() })
        }
        Why::TimedOut => Err(BuildError::TimedOut { command, limit }),
        Why::Unrenewed | Why::Unowned | Why::Stopped | Why::Shutdown => Err(BuildError::Ended { command }),
    }
}

/// Hands on what a build prints, and remembers the end of it.
struct Told<'o> {
    path: PathBuf,
    file: Option<std::fs::File>,
    output: &'o mut dyn Output,
    bytes: u64,
    last: VecDeque<u8>,
}

impl<'o> Told<'o> {
    fn new(folder: &Folder, output: &'o mut dyn Output) -> Told<'o> {
        Told { path: folder.output(), file: None, output, bytes: 0, last: VecDeque::new() }
    }

    async fn tell(&mut self) -> std::io::Result<()> {
        if self.file.is_none() {
            match std::fs::File::open(&self.path) {
                Ok(file) => self.file = Some(file),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        let mut chunk = vec![0; CHUNK_BYTES];
        while self.bytes <= OUTPUT_BYTES_MAX {
            let count = file.read(&mut chunk)?;
            if count == 0 {
                break;
            }
            self.bytes += count as u64;
            self.last.extend(&chunk[..count]);
            let over = self.last.len().saturating_sub(LAST_LINES * LAST_LINE_CHARS * 4);
            self.last.drain(..over);
            self.output.chunk(OutputStream::Stdout, Bytes::copy_from_slice(&chunk[..count])).await;
        }
        Ok(())
    }

    fn last_lines(&mut self) -> Vec<String> {
        let text = String::from_utf8_lossy(self.last.make_contiguous()).into_owned();
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let from = lines.len().saturating_sub(LAST_LINES);
        lines[from..].iter().map(|line| line.chars().take(LAST_LINE_CHARS).collect()).collect()
    }
}
