//! Sealing with XChaCha20-Poly1305, the secret's name as associated data.
//!
//! A sealed value is one byte of form, 24 bytes of nonce, then cipher text and tag. Nonces are random: 24 bytes are
//! enough for that (<https://datatracker.ietf.org/doc/html/draft-irtf-cfrg-xchacha>).

use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use muster_model::{Secret, World};
use zeroize::Zeroizing;

/// The variable that may hold the key instead of a file.
const KEY_VARIABLE: &str = "MUSTER_KEY";
const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
/// The first byte of a sealed value; another number will be another algorithm.
const FORM: u8 = 1;
/// A key file is 64 characters and a newline; more than this is not a key file.
const KEY_FILE_BYTES_MAX: u64 = 1024;
/// Stands before the name in the associated data, so that a value sealed for another purpose never opens here.
const PURPOSE: &[u8] = b"muster secret 1\0";

/// Why something could not be sealed, opened, or why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// Reading or writing the key file.
    #[error("{doing} the sealing key {}", path.display())]
    KeyFile {
        /// "reading", "creating", …
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others can read the key.
    #[error(
        "the sealing key {} can be read by others (mode {mode:04o}); if nobody else saw it, run: chmod 600 {}",
        path.display(), path.display()
    )]
    KeyFileOpen {
        /// Where.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key file belongs to somebody else.
    #[error("the sealing key {} belongs to user {owner}, not to user {me} who runs Muster", path.display())]
    KeyFileForeign {
        /// Where.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who we are.
        me: u32,
    },
    /// The text is no key.
    #[error("{from} does not hold a sealing key: it must be 64 hexadecimal digits")]
    KeyText {
        /// Where the text came from.
        from: String,
    },
    /// Another key, another name, or damaged bytes.
    #[error("the secret `{name}` cannot be opened: it was sealed with another key, or it is damaged")]
    Unseal {
        /// Which one.
        name: String,
    },
}

/// Seals and opens secrets with the key of this home.
pub struct Sealer {
    cipher: XChaCha20Poly1305,
    world: World,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Sealer")
    }
}

impl Sealer {
    /// Takes the key from `MUSTER_KEY` if that is set, else from the file, which is created (mode 0600) if it is
    /// missing.
    ///
    /// # Errors
    /// A file that others can read or that belongs to somebody else, a text that is no key, or a file error.
    pub fn open(path: &Path, world: World) -> Result<Sealer, SealError> {
        match std::env::var(KEY_VARIABLE) {
            Ok(text) => Sealer::from_key_text(&Secret::new(text), KEY_VARIABLE, world),
            Err(std::env::VarError::NotPresent) => Sealer::open_file(path, world),
            Err(std::env::VarError::NotUnicode(_)) => {
                Err(SealError::KeyText { from: KEY_VARIABLE.to_owned() })
            }
        }
    }

    /// Takes the key from the file, which is created (mode 0600) if it is missing.
    ///
    /// # Errors
    /// As [`Sealer::open`].
    pub fn open_file(path: &Path, world: World) -> Result<Sealer, SealError> {
        if let Some(text) = read_key_file(path)? {
            return Sealer::from_key_text(&text, &path.display().to_string(), world);
        }
        create_key_file(path, &world)?;
        // Read back instead of remembered: if two processes came at once, both must use the one that stayed.
        match read_key_file(path)? {
            Some(text) => Sealer::from_key_text(&text, &path.display().to_string(), world),
            None => Err(SealError::KeyFile {
                doing: "reading back",
                path: path.to_owned(),
                source: io::ErrorKind::NotFound.into(),
            }),
        }
    }

    /// Takes the key from its 64 hexadecimal digits; `from` names the place in errors.
    ///
    /// # Errors
    /// A text that is no key.
    pub fn from_key_text(text: &Secret, from: &str, world: World) -> Result<Sealer, SealError> {
        let key =
            read_hex(text.expose().trim()).ok_or_else(|| SealError::KeyText { from: from.to_owned() })?;
        Ok(Sealer { cipher: XChaCha20Poly1305::new((&*key).into()), world })
    }

    /// Seals a secret under its name.
    pub fn seal(&self, name: &str, secret: &Secret) -> Vec<u8> {
        let mut nonce = [0_u8; NONCE_BYTES];
        self.world.random.fill(&mut nonce);
        let payload = Payload { msg: secret.expose().as_bytes(), aad: &associated(name) };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload);
        // The only failure of this cipher is a message above 256 GiB, which does not fit a `Secret`.
        let sealed = sealed.expect("a secret is far below the cipher's length limit");
        [&[FORM], nonce.as_slice(), &sealed].concat()
    }

    /// Opens what [`Sealer::seal`] made for this very name.
    ///
    /// # Errors
    /// Another key, another name, or damaged bytes.
    pub fn unseal(&self, name: &str, sealed: &[u8]) -> Result<Secret, SealError> {
        let failed = || SealError::Unseal { name: name.to_owned() };
        let (form, rest) = sealed.split_first().ok_or_else(failed)?;
        let (nonce, body) = rest.split_first_chunk::<NONCE_BYTES>().ok_or_else(failed)?;
        if *form != FORM {
            return Err(failed());
        }
        let payload = Payload { msg: body, aad: &associated(name) };
        let clear = self.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| failed())?;
        let clear = Zeroizing::new(clear);
        let text = std::str::from_utf8(&clear).map_err(|_| failed())?;
        Ok(Secret::new(text))
    }
}

fn associated(name: &str) -> Vec<u8> {
    [PURPOSE, name.as_bytes()].concat()
}

fn read_key_file(path: &Path) -> Result<Option<Secret>, SealError> {
    let failed = |doing, source| SealError::KeyFile { doing, path: path.to_owned(), source };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("opening", error)),
    };
    let about = file.metadata().map_err(|error| failed("looking at", error))?;
    let mode = about.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(SealError::KeyFileOpen { path: path.to_owned(), mode });
    }
    let me = rustix::process::geteuid().as_raw();
    if about.uid() != me && me != 0 {
        return Err(SealError::KeyFileForeign { path: path.to_owned(), owner: about.uid(), me });
    }
    let mut text = Zeroizing::new(String::new());
    file.take(KEY_FILE_BYTES_MAX).read_to_string(&mut text).map_err(|error| failed("reading", error))?;
    Ok(Some(Secret::new(text.as_str())))
}

/// Writes a new key beside the path and links it there, so that nobody ever reads half a key, and of two processes
/// that come at once one wins.
fn create_key_file(path: &Path, world: &World) -> Result<(), SealError> {
    let failed = |doing, source| SealError::KeyFile { doing, path: path.to_owned(), source };
    let mut key = Zeroizing::new([0_u8; KEY_BYTES]);
    world.random.fill(&mut *key);
    let mut mark = [0_u8; 8];
    world.random.fill(&mut mark);
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".new-{}", hex(&mark)));
    let beside = path.with_file_name(name);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|error| failed("making the directory of", error))?;
    }
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)
        .map_err(|error| failed("creating", error))?;
    let text = Zeroizing::new(hex(&*key) + "\n");
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    let linked = written.and_then(|()| match std::fs::hard_link(&beside, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    });
    // Not needed any more either way; a leftover would be a second copy of a key.
    let removed = std::fs::remove_file(&beside);
    linked.and(removed).map_err(|error| failed("creating", error))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read_hex(text: &str) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
    if text.len() != 2 * KEY_BYTES || !text.is_ascii() {
        return None;
    }
    let mut key = Zeroizing::new([0_u8; KEY_BYTES]);
    for (byte, at) in key.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(&text[at..at + 2], 16).ok()?;
    }
    Some(key)
}
