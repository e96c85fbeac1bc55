//! Real local machines by both techniques: systemd, sshd, reboot, power cuts, networks, and nothing left behind.
//!
//! The bodies are in `life` and `together`; each runs once by nspawn and once in Docker containers. Where this
//! computer cannot hold them (no root, no engine, …) the tests say `SKIPPED: …`; with `CI=true` that is a failure.

use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use muster_outside::host::local::{LocalMachines, Technique, machine_supervisor_main};
use tokio::time::Instant;

use self::home::{KEEPER, launcher, wish};

mod account;
pub mod home;
mod life;
mod together;

/// Not a test: the keeper of a machine, in this same executable. Its last argument is the machine's folder.
#[test]
fn keeper_process() {
    if std::env::var_os(KEEPER).is_none() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let code = runtime.block_on(machine_supervisor_main(std::env::args().next_back()));
    std::process::exit(code);
}

/// Waits for something that happens by itself.
async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn greeting(address: Ipv4Addr) -> Option<String> {
    use std::io::Read;
    let mut stream = TcpStream::connect_timeout(&(address, 22).into(), Duration::from_secs(1)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
    let mut start = [0; 8];
    stream.read_exact(&mut start).ok()?;
    String::from_utf8(start.to_vec()).ok()
}

/// A home whose path cannot be part of a mount is refused with the reason.
#[tokio::test]
async fn impossible_homes_are_refused() {
    let wish = wish(Technique::Nspawn);
    if let Err(missing) = LocalMachines::probe_as(&wish) {
        crate::skip::skip("local::impossible_homes_are_refused", &missing.to_string());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("a:b");
    let error = LocalMachines::open_as(&home, launcher(), &wish).await.unwrap_err().to_string();
    assert!(error.contains("must not hold ':'"), "{error}");
}

/// Each body as a test of one technique. `machine` in the path bounds how many boot at once.
macro_rules! tests {
    ($module:ident, $technique:expr, $($theme:ident::$name:ident),+ $(,)?) => {
        mod $module {
            use muster_outside::host::local::Technique;
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    super::$theme::$name($technique).await;
                }
            )+
        }
    };
}

tests! {
    nspawn_machines, Technique::Nspawn,
    life::a_machine_lives,
    life::machines_outlive_muster,
    life::failed_and_interrupted_creations,
    life::interrupted_deletions,
    life::a_stop_during_the_boot,
    life::ten_at_once,
    together::machines_reach_each_other,
    together::two_homes_do_not_meet,
    together::packages_install_offline,
}

tests! {
    docker_machines, Technique::Docker,
    life::a_machine_lives,
    life::machines_outlive_muster,
    life::failed_and_interrupted_creations,
    life::interrupted_deletions,
    life::a_stop_during_the_boot,
    life::ten_at_once,
    together::machines_reach_each_other,
    together::two_homes_do_not_meet,
    together::packages_install_offline,
}
