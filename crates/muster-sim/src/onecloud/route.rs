//! Paths: any case, trailing slash allowed.

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Servers,
    Server(u64),
    Rebuild(u64),
    Actions(u64),
    Action(u64, u64),
    Images,
    DataCentres,
    Networks,
    Network(u64),
    SshKeys,
    SshKey(u64),
    Account,
    Balance,
    Project,
}

impl Route {
    /// Reads a path without its query.
    pub fn read(path: &str) -> Option<Route> {
        let lower = path.to_lowercase();
        let trimmed = lower.strip_suffix('/').unwrap_or(&lower);
        let parts: Vec<&str> = trimmed.strip_prefix('/')?.split('/').collect();
        let id = |text: &str| text.parse::<u64>().ok();
        Some(match parts.as_slice() {
            ["server"] => Route::Servers,
            ["server", server] => Route::Server(id(server)?),
            ["server", server, "rebuild"] => Route::Rebuild(id(server)?),
            ["server", server, "action"] => Route::Actions(id(server)?),
            ["server", server, "action", action] => Route::Action(id(server)?, id(action)?),
            ["image"] => Route::Images,
            ["dclocation"] => Route::DataCentres,
            ["network"] => Route::Networks,
            ["network", network] => Route::Network(id(network)?),
            ["sshkey"] => Route::SshKeys,
            ["sshkey", key] => Route::SshKey(id(key)?),
            ["account"] => Route::Account,
            ["customer", "balance"] => Route::Balance,
            ["project"] => Route::Project,
            _ => return None,
        })
    }

    /// The server that a path is about.
    pub fn server(&self) -> Option<u64> {
        match self {
            Route::Server(id) | Route::Rebuild(id) | Route::Actions(id) | Route::Action(id, _) => Some(*id),
            Route::Servers
            | Route::Images
            | Route::DataCentres
            | Route::Networks
            | Route::Network(_)
            | Route::SshKeys
            | Route::SshKey(_)
            | Route::Account
            | Route::Balance
            | Route::Project => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_slash_do_not_matter() {
        for path in ["/server/12/action/3", "/Server/12/Action/3/", "/SERVER/12/ACTION/3"] {
            assert_eq!(Route::read(path), Some(Route::Action(12, 3)), "{path}");
        }
        assert_eq!(Route::read("/dcLocation/"), Some(Route::DataCentres));
        for path in ["", "/", "//server", "/server//", "/server/x", "/server/-1", "/servers", "server"] {
            assert_eq!(Route::read(path), None, "{path}");
        }
    }
}
