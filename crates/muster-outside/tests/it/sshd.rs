//! A real sshd in a temporary directory, on loopback, that ends with the test.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use muster_outside::host::ssh::{Host, HostKey, HostKeyPolicy};
use muster_outside::secret::LoginKey;

use crate::world::world;

/// Says why the running test does not run here; with `CI=true` that is a failure.
pub fn skip(reason: &str) {
    let thread = std::thread::current();
    crate::skip::skip(thread.name().unwrap_or("a test of muster-outside"), reason);
}

/// A running sshd.
pub struct Sshd {
    child: Child,
    pub directory: tempfile::TempDir,
    pub port: u16,
    pub key: LoginKey,
    pub host_key: HostKey,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program() -> Option<PathBuf> {
    ["/usr/sbin/sshd", "/usr/local/sbin/sshd"].map(PathBuf::from).into_iter().find(|path| path.exists())
}

/// Starts one that lets root in with `key`, or says why not.
pub fn start(seed: u64) -> Option<Sshd> {
    start_with(seed, "")
}

/// With further lines of configuration.
pub fn start_with(seed: u64, more: &str) -> Option<Sshd> {
    let Some(program) = program() else {
        skip("no sshd (Debian: openssh-server)");
        return None;
    };
    if !rustix_is_root() {
        skip("sshd for tests runs as root");
        return None;
    }
    std::fs::create_dir_all("/run/sshd").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let key = LoginKey::generate(&world(seed), "test");
    let host_key = LoginKey::generate(&world(seed + 1_000_000), "host");
    let write = |name: &str, text: &str, mode: u32| {
        use std::os::unix::fs::PermissionsExt;
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    let host_key_file = write("host_key", host_key.to_secret().expose(), 0o600);
    let authorized = write("authorized", &key.public_line(), 0o600);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = format!(
        "ListenAddress 127.0.0.1:{port}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\n\
         UsePAM no\nPermitRootLogin yes\nPasswordAuthentication yes\nSubsystem sftp internal-sftp\n\
         MaxStartups 300\nLogLevel ERROR\nAllowTcpForwarding yes\n{more}\n",
        host_key_file.display(),
        authorized.display()
    );
    let config = write("config", &config, 0o600);
    let log = std::fs::File::create(directory.path().join("log")).unwrap();
    let child = Command::new(program)
        .args(["-D", "-e", "-f"])
        .arg(config)
        // Not ours: what it starts would otherwise find this machine's private tools.
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    let sshd = Sshd { child, directory, port, key, host_key: host_key.public_line().parse().unwrap() };
    for _ in 0..200 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Some(sshd);
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    let log = std::fs::read_to_string(sshd.directory.path().join("log")).unwrap();
    panic!("sshd did not start: {log}");
}

fn rustix_is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|about| std::os::unix::fs::MetadataExt::uid(&about) == 0)
}

impl Sshd {
    /// It as a machine whose host key is on record.
    pub fn host(&self, name: &str) -> Host {
        Host {
            port: self.port,
            host_key: HostKeyPolicy::Known(self.host_key.clone()),
            ..Host::new(name, "127.0.0.1", &self.key)
        }
    }

    /// A file in its directory.
    pub fn path(&self, name: &str) -> String {
        Path::new(self.directory.path()).join(name).display().to_string()
    }
}
