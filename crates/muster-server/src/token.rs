//! The owner's token: a file that only the owner can read, made at the first start.

use std::io::{self, Read, Write};
use std::path::Path;

use muster_model::Secret;
use muster_model::world::Random;

/// The file below `MUSTER_HOME`.
pub const TOKEN_FILE: &str = "token";
/// Bytes of chance in a token; it is written as hex.
const TOKEN_BYTES: usize = 32;

/// The token of this home; none if no server ever ran here.
pub fn read(home: &Path) -> io::Result<Option<Secret>> {
    let path = home.join(TOKEN_FILE);
    let mut file = match std::fs::File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    refuse_if_open_to_others(&file, &path)?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let text = text.trim();
    if text.len() != TOKEN_BYTES * 2 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(io::Error::other(format!(
            "{} holds no token; delete it to get a new one",
            path.display()
        )));
    }
    Ok(Some(Secret::new(text)))
}

/// The token of this home, made now if there is none. Mode 0600 from its first moment.
pub fn read_or_make(home: &Path, random: &dyn Random) -> io::Result<Secret> {
    if let Some(token) = read(home)? {
        return Ok(token);
    }
    let mut bytes = [0; TOKEN_BYTES];
    random.fill(&mut bytes);
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let path = home.join(TOKEN_FILE);
    match create_private(&path) {
        Ok(mut file) => {
            file.write_all(text.as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            Ok(Secret::new(text))
        }
        // Another process was faster; its token counts.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            read(home)?.ok_or_else(|| io::Error::other("the token file vanished"))
        }
        Err(error) => Err(error),
    }
}

fn create_private(path: &Path) -> io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(unix)]
fn refuse_if_open_to_others(file: &std::fs::File, path: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let mode = file.metadata()?.mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "{} can be read by others (mode {mode:03o}); delete it to get a new one, or `chmod 600` if nobody did",
        path.display()
    )))
}

#[cfg(not(unix))]
fn refuse_if_open_to_others(_file: &std::fs::File, _path: &Path) -> io::Result<()> {
    Ok(())
}
