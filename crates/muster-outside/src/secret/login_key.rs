//! The ed25519 key Muster logs in with: made from the world's chance, kept sealed, never on disk in the clear.

use std::fmt;
use std::sync::Arc;

use muster_model::{Secret, World};
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use russh::keys::{PrivateKey, PublicKey};
use zeroize::Zeroizing;

/// Why a text is no login key.
#[derive(Debug, thiserror::Error)]
pub enum LoginKeyError {
    /// Neither OpenSSH's form nor another one that is known.
    #[error("this is not a private key that can be read")]
    Unreadable(#[source] russh::keys::Error),
    /// A pass phrase is needed first.
    #[error("this private key is locked by a pass phrase")]
    Locked,
}

/// A private key in memory. Prints as its public fingerprint.
#[derive(Clone)]
pub struct LoginKey(Arc<PrivateKey>);

impl fmt::Debug for LoginKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "LoginKey({})", self.fingerprint())
    }
}

impl LoginKey {
    /// A new ed25519 key. The comment stands in the public line, for example `muster onecloud-prod`.
    pub fn generate(world: &World, comment: &str) -> LoginKey {
        let mut seed = Zeroizing::new([0_u8; 32]);
        world.random.fill(&mut *seed);
        let pair = Ed25519Keypair::from_seed(&seed);
        let comment = comment.replace(['\n', '\r'], " ");
        let key = PrivateKey::new(KeypairData::from(pair), comment);
        // `new` fails only for key data that is itself encrypted.
        LoginKey(Arc::new(key.expect("a fresh key pair is not encrypted")))
    }

    /// Reads a private key from its text (OpenSSH's form, PKCS#8, …), with the pass phrase if there is one.
    ///
    /// # Errors
    /// A text that is no key, or a wrong or missing pass phrase.
    pub fn read(text: &Secret, pass_phrase: Option<&Secret>) -> Result<LoginKey, LoginKeyError> {
        match russh::keys::decode_secret_key(text.expose(), pass_phrase.map(Secret::expose)) {
            Ok(key) if key.is_encrypted() => Err(LoginKeyError::Locked),
            Ok(key) => Ok(LoginKey(Arc::new(key))),
            Err(russh::keys::Error::KeyIsEncrypted) => Err(LoginKeyError::Locked),
            Err(error) => Err(LoginKeyError::Unreadable(error)),
        }
    }

    /// The private key in OpenSSH's form, to be sealed.
    pub fn to_secret(&self) -> Secret {
        let text = self.0.to_openssh(russh::keys::ssh_key::LineEnding::LF);
        // Encoding into memory fails only when a length does not fit 32 bits.
        Secret::new(text.expect("a key is small").as_str())
    }

    /// The line for `authorized_keys` or a provider's key form: `ssh-ed25519 AAAA… comment`.
    pub fn public_line(&self) -> String {
        // As above: encoding into memory.
        self.0.public_key().to_openssh().expect("a key is small")
    }

    /// `SHA256:…`, as `ssh-keygen -l` prints it.
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint(russh::keys::HashAlg::Sha256).to_string()
    }

    /// The public half.
    pub(crate) fn public(&self) -> &PublicKey {
        self.0.public_key()
    }

    /// The private half, for signing.
    pub(crate) fn private(&self) -> &Arc<PrivateKey> {
        &self.0
    }
}
