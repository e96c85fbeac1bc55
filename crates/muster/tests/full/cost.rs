//! What a command cost, as GNU time sees it.

use std::process::{Command, Output, Stdio};

/// CPU seconds (user and system), wall seconds and peak memory in MB of one finished command.
pub struct Cost {
    pub cpu_s: f64,
    pub wall_s: f64,
    pub peak_mb: f64,
}

/// Runs a command that must succeed, without a terminal.
pub fn cost(command: &mut Command) -> (Cost, Output) {
    let mut timed = Command::new("/usr/bin/time");
    timed.args(["-f", "COST %U %S %e %M"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        timed.env(name, value.unwrap_or_default());
    }
    if let Some(directory) = command.get_current_dir() {
        timed.current_dir(directory);
    }
    let output = timed.stdin(Stdio::null()).output().expect("GNU time (Debian package `time`) is needed");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stdout));
    let line = text.lines().find_map(|line| line.strip_prefix("COST ")).unwrap();
    let figures: Vec<f64> = line.split(' ').map(|figure| figure.parse().unwrap()).collect();
    (Cost { cpu_s: figures[0] + figures[1], wall_s: figures[2], peak_mb: figures[3] / 1024.0 }, output)
}
