//! A way to the database that can be cut for one node. Where this process may have a network of its own, the packets
//! to one address of it are dropped by the kernel, as on a broken network: nobody hears anything, and what was sent is
//! sent again after the healing. Elsewhere a process in between holds the bytes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::server::Server;

/// Says to the test that it runs in a network of its own.
const INSIDE: &str = "MUSTER_TEST_OWN_NETWORK";
/// The address of the node that is cut off; all others use 127.0.0.1.
const BEHIND: &str = "127.0.0.2";

/// How a node is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Technique {
    Packets,
    Wire,
}

/// How a node is cut off in this process; none: this test has just run in a network of its own, and passed.
pub fn technique(test: &str) -> Option<Technique> {
    if std::env::var_os(INSIDE).is_some() {
        return Some(Technique::Packets);
    }
    let can = Command::new("unshare").args(["--net", "iptables", "--list"]).output();
    if !can.is_ok_and(|probe| probe.status.success()) {
        println!("no network of its own here: the bytes of the node that is cut off are held by a process");
        return Some(Technique::Wire);
    }
    let ran = Command::new("unshare")
        .args(["--net", "sh", "-c", "ip link set lo up && exec \"$@\"", "inside"])
        .arg(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(INSIDE, "1")
        .status()
        .unwrap();
    assert!(ran.success(), "{test} in a network of its own: {ran}");
    None
}

/// The way to the database of one node.
pub enum Partition {
    Packets,
    Wire { port: u16, is_cut: Arc<AtomicBool> },
}

/// Where the server must listen.
pub const LISTEN: &str = "listen_addresses=127.0.0.1,127.0.0.2";

impl Partition {
    pub fn new(technique: Technique, postgres: &Server) -> Partition {
        match technique {
            Technique::Packets => Partition::Packets,
            Technique::Wire => wire(postgres.port),
        }
    }

    /// The database as the node that can be cut off sees it.
    pub fn behind(&self, database: &str, postgres: &Server) -> String {
        match self {
            Partition::Packets => database.replace("127.0.0.1", BEHIND),
            Partition::Wire { port, .. } => database.replace(&postgres.port.to_string(), &port.to_string()),
        }
    }

    pub fn cut(&self) {
        match self {
            Partition::Packets => rules("--append"),
            Partition::Wire { is_cut, .. } => is_cut.store(true, Ordering::SeqCst),
        }
    }

    pub fn heal(&self) {
        match self {
            Partition::Packets => rules("--delete"),
            Partition::Wire { is_cut, .. } => is_cut.store(false, Ordering::SeqCst),
        }
    }
}

fn rules(verb: &str) {
    for end in ["--destination", "--source"] {
        let done = Command::new("iptables").args([verb, "OUTPUT", end, BEHIND, "--jump", "DROP"]).status();
        assert!(done.unwrap().success(), "iptables {verb} {end}");
    }
}

fn wire(port: u16) -> Partition {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let here = listener.local_addr().unwrap().port();
    let is_cut = Arc::new(AtomicBool::new(false));
    let cut = is_cut.clone();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let Ok(client) = client else { return };
            let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
            for (from, to) in [(client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client)] {
                let cut = cut.clone();
                std::thread::spawn(move || pass(from, to, &cut));
            }
        }
    });
    Partition::Wire { port: here, is_cut }
}

fn pass(mut from: TcpStream, mut to: TcpStream, cut: &AtomicBool) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        while cut.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(20));
        }
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
