//! SSH keys: requests 25 to 28.

use super::input::Fields;
use super::object::SshKey;
use super::quota::Counted;
use super::refusal::Refusal;
use super::view::{self, Answer};
use super::world::World;

impl World {
    pub(super) fn key_list(&self, project: usize) -> Answer {
        let keys = self.projects[project].rest.ssh_keys.values();
        view::json(&keys.map(|key| view::key(key, &self.switches)).collect::<Vec<_>>())
    }

    pub(super) fn key_read(&self, project: usize, id: u64) -> Result<Answer, Refusal> {
        let key =
            self.projects[project].rest.ssh_keys.get(&id).ok_or_else(|| Refusal::not_found("SSH key"))?;
        Ok(view::json(&view::key(key, &self.switches)))
    }

    pub(super) fn key_create(&mut self, project: usize, fields: &Fields) -> Result<Answer, Refusal> {
        let title = fields.text("Title")?.ok_or_else(|| Refusal::bad("Parameter Title is required"))?;
        let line =
            fields.text("PublicKey")?.ok_or_else(|| Refusal::bad("Parameter PublicKey is required"))?;
        let public_key = line.trim().to_owned();
        if !looks_like_a_key(&public_key) {
            return Err(Refusal::bad("PublicKey is not an OpenSSH public key"));
        }
        let holds = &self.projects[project];
        holds.quota.check(Counted::Keys, holds.rest.ssh_keys.len())?;
        let key = SshKey { id: self.counters.key(), title, public_key };
        let answer = view::json(&view::key(&key, &self.switches));
        self.projects[project].rest.ssh_keys.insert(key.id, key);
        Ok(answer)
    }

    pub(super) fn key_delete(&mut self, project: usize, id: u64) -> Result<Answer, Refusal> {
        match self.projects[project].rest.ssh_keys.remove(&id) {
            Some(_) => Ok(Answer::Empty),
            None => Err(Refusal::not_found("SSH key")),
        }
    }
}

/// An algorithm word, a base64 word, perhaps a comment; one line.
fn looks_like_a_key(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let algorithm = words.next().unwrap_or("");
    let body = words.next().unwrap_or("");
    let base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    !line.contains(['\n', '\r'])
        && ["ssh-", "ecdsa-", "sk-"].iter().any(|start| algorithm.starts_with(start))
        && body.len() >= 16
        && body.bytes().all(base64)
}
