//! The development container: its steps, in a bare Debian root. The published base image is not fetched; the
//! root is made from Debian's packages and the Rust of this machine stands in for the one of the image.

use std::path::Path;
use std::process::Command;

use crate::skip;

/// ICT-53: the container's own steps succeed on bare Debian, and a suite builds and passes inside.
#[test]
fn the_containers_steps_run_in_a_bare_debian_root() {
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace exists");
    let script = root.join(".devcontainer/try-in-bare-debian");
    let output = Command::new(&script).current_dir(&root).output().expect("the script starts");
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    // 77: the usual word for "not possible here"; its last line says what is missing.
    if output.status.code() == Some(77) {
        skip::skip(
            "devcontainer::the_containers_steps_run_in_a_bare_debian_root",
            text.lines().last().unwrap_or_default(),
        );
        return;
    }
    assert!(output.status.success(), "{text}");
    assert!(text.contains("the development container works"), "{text}");
}
