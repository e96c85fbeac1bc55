//! Paths: any case, trailing slash allowed.

use super::record::RecordType;

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Servers,
    Server(u64),
    Rebuild(u64),
    Copy(u64),
    Actions(u64),
    Action(u64, u64),
    Images,
    Image(u64),
    DataCentres,
    Networks,
    Network(u64),
    PublicNetworks,
    PublicNetwork(u64),
    SshKeys,
    SshKey(u64),
    Account,
    Balance,
    Project,
    Domains,
    Domain(u64),
    Record(u64),
    RecordsOf(RecordType),
    RecordOf(RecordType, u64),
    RecordIn { domain: u64, record: u64 },
    Storage,
    StorageUsers,
    StorageUser(u64),
    StorageUserPassword(u64),
    StorageUserBlock(u64),
    StorageUserUnblock(u64),
}

impl Route {
    /// Reads a path without its query.
    pub fn read(path: &str) -> Option<Route> {
        let lower = path.to_lowercase();
        let trimmed = lower.strip_suffix('/').unwrap_or(&lower);
        let parts: Vec<&str> = trimmed.strip_prefix('/')?.split('/').collect();
        let id = |text: &str| text.parse::<u64>().ok();
        let records = |text: &str| RecordType::read(text.strip_prefix("record")?);
        Some(match parts.as_slice() {
            ["server"] => Route::Servers,
            ["server", server] => Route::Server(id(server)?),
            ["server", server, "rebuild"] => Route::Rebuild(id(server)?),
            ["server", server, "copy"] => Route::Copy(id(server)?),
            ["server", server, "action"] => Route::Actions(id(server)?),
            ["server", server, "action", action] => Route::Action(id(server)?, id(action)?),
            ["image"] => Route::Images,
            ["image", image] => Route::Image(id(image)?),
            ["dclocation"] => Route::DataCentres,
            ["network"] => Route::Networks,
            ["network", network] => Route::Network(id(network)?),
            ["publicnetwork"] => Route::PublicNetworks,
            ["publicnetwork", network] => Route::PublicNetwork(id(network)?),
            ["sshkey"] => Route::SshKeys,
            ["sshkey", key] => Route::SshKey(id(key)?),
            ["account"] => Route::Account,
            ["customer", "balance"] => Route::Balance,
            ["project"] => Route::Project,
            ["dns"] => Route::Domains,
            ["dns", "record", record] => Route::Record(id(record)?),
            ["dns", domain, record] if id(domain).is_some() => {
                Route::RecordIn { domain: id(domain)?, record: id(record)? }
            }
            ["dns", domain] if id(domain).is_some() => Route::Domain(id(domain)?),
            ["dns", kind] => Route::RecordsOf(records(kind)?),
            ["dns", kind, record] => Route::RecordOf(records(kind)?, id(record)?),
            ["storage"] => Route::Storage,
            ["storage", "users"] => Route::StorageUsers,
            ["storage", "users", user] => Route::StorageUser(id(user)?),
            ["storage", "users", user, "change-password"] => Route::StorageUserPassword(id(user)?),
            ["storage", "users", user, "block"] => Route::StorageUserBlock(id(user)?),
            ["storage", "users", user, "unblock"] => Route::StorageUserUnblock(id(user)?),
            _ => return None,
        })
    }

    /// Whether reading it gives a list of objects that have names.
    pub fn lists_named(&self) -> bool {
        matches!(
            self,
            Route::Servers | Route::Networks | Route::PublicNetworks | Route::Domains | Route::StorageUsers
        )
    }

    /// Whether reading it lists what is neither a server nor a private network; a domain lists its records.
    pub fn lists_the_rest(&self) -> bool {
        matches!(
            self,
            Route::Images
                | Route::PublicNetworks
                | Route::SshKeys
                | Route::Domains
                | Route::Domain(_)
                | Route::StorageUsers
        )
    }

    /// The server that a path is about.
    pub fn server(&self) -> Option<u64> {
        match self {
            Route::Server(id)
            | Route::Rebuild(id)
            | Route::Copy(id)
            | Route::Actions(id)
            | Route::Action(id, _) => Some(*id),
            Route::Servers
            | Route::Images
            | Route::Image(_)
            | Route::DataCentres
            | Route::Networks
            | Route::Network(_)
            | Route::PublicNetworks
            | Route::PublicNetwork(_)
            | Route::SshKeys
            | Route::SshKey(_)
            | Route::Account
            | Route::Balance
            | Route::Project
            | Route::Domains
            | Route::Domain(_)
            | Route::Record(_)
            | Route::RecordsOf(_)
            | Route::RecordOf(..)
            | Route::RecordIn { .. }
            | Route::Storage
            | Route::StorageUsers
            | Route::StorageUser(_)
            | Route::StorageUserPassword(_)
            | Route::StorageUserBlock(_)
            | Route::StorageUserUnblock(_) => None,
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

    #[test]
    fn the_paths_of_dns_are_told_apart() {
        assert_eq!(Route::read("/dns/7"), Some(Route::Domain(7)));
        assert_eq!(Route::read("/dns/record/7"), Some(Route::Record(7)));
        assert_eq!(Route::read("/Dns/RecordAAAA/"), Some(Route::RecordsOf(RecordType::Aaaa)));
        assert_eq!(Route::read("/dns/recordtxt/7"), Some(Route::RecordOf(RecordType::Txt, 7)));
        assert_eq!(Route::read("/dns/7/8"), Some(Route::RecordIn { domain: 7, record: 8 }));
        for path in ["/dns/record", "/dns/recordcaa", "/dns/recorda/x", "/dns/7/x", "/dns/a", "/dns/7/8/9"] {
            assert_eq!(Route::read(path), None, "{path}");
        }
    }
}
