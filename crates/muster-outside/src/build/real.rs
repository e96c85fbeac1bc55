//! The real builder.

use std::collections::{BTreeMap, VecDeque};
use std::fs::DirBuilder;
use std::io::Read;
use std::os::unix::fs::DirBuilderExt;
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
/// The copy in the place of a build, and its home.
const CODE: &str = "code";
const HOME: &str = "home";
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
        let order = order(run);
        let program = order.program.display().to_string();
        let not_begun = |source| BuildError::Start { program: program.clone(), source };
        self.supervisor.create(&run.folder, &order).map_err(not_begun)?;
        let (place, files) = (run.place.clone(), run.files.clone());
        if let Err(error) = blocking(move || write(&place, &files)).await {
            run.folder.forget();
            return Err(error);
        }
        let owned = match self.supervisor.launch(&run.folder, &run.owner, &order).await {
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
        let (code, output) = (run.place.join(CODE), run.output.clone());
        let built = match ended {
            Ok(()) => blocking(move || tree::read(&result(&code, &output)?)).await,
            Err(error) => Err(error),
        };
        run.folder.forget();
        match built {
            Ok(built) if built.is_empty() => Err(BuildError::Result("it holds no file".to_owned())),
            built => built,
        }
    }
}

/// Makes the place of a build with the copy in it.
fn write(place: &Path, files: &Tree) -> Result<(), BuildError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| BuildError::File { doing: "making", path, source }
    };
    if let Some(parent) = place.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(failed(parent))?;
    }
    // Not recursive: what somebody else put there, in a directory for everybody, is not used.
    DirBuilder::new().mode(0o700).create(place).map_err(failed(place))?;
    let home = place.join(HOME);
    DirBuilder::new().mode(0o700).create(&home).map_err(failed(&home))?;
    tree::write(&place.join(CODE), files)
}

/// The directory that comes out. A link on the way to it would lead to what was never built.
fn result(code: &Path, output: &str) -> Result<PathBuf, BuildError> {
    let mut at = code.to_owned();
    for part in output.split('/').filter(|part| !part.is_empty()) {
        at.push(part);
        match std::fs::symlink_metadata(&at) {
            Ok(data) if data.is_dir() => {}
            Ok(data) if data.is_symlink() => {
                let message = format!("`{part}` of `{output}` is a link; only a directory is delivered");
                return Err(BuildError::Result(message));
            }
            Ok(_) | Err(_) => {
                return Err(BuildError::Result(format!("the build made no directory `{output}`")));
            }
        }
    }
    Ok(at)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BuildError> + Send + 'static,
) -> Result<T, BuildError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(BuildError::Result(error.to_string())))
}

fn order(run: &BuildRun) -> Order {
    let copy = run.place.join(CODE);
    let mut words = run.command.iter().cloned();
    let program = PathBuf::from(words.next().unwrap_or_default());
    let passed = |name: &str| Some((name.to_owned(), std::env::var(name).ok()?));
    let mut environment: BTreeMap<String, String> = PASSED_ON.into_iter().filter_map(passed).collect();
    environment.insert("LANG".to_owned(), "C.UTF-8".to_owned());
    if run.own_home {
        environment.insert("HOME".to_owned(), run.place.join(HOME).display().to_string());
    }
    environment.extend(run.environment.clone());
    Order {
        // `./build` and `bin/build` are of the code, whatever the supervisor's own directory is.
        program: if program.components().count() > 1 { copy.join(program) } else { program },
        arguments: words.collect(),
        environment,
        directory: copy,
        input: None,
        hidden: run.hidden.clone(),
        events: None,
        output: true,
        agent: None,
        limit: run.limit,
        directories: Vec::new(),
        kept: vec![run.place.clone()],
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
        Why::Itself if !end.clean => Err(BuildError::Unended { command }),
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
