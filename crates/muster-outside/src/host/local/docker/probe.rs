//! Whether machines can be containers here: looks, and says exactly what is missing.

use std::io::Read;
use std::process::Stdio;
use std::time::Duration;

use super::super::command::{Argv, tail};
use super::super::error::Missing;
use super::super::probe::{judge_programs, judge_system, which};
use super::argv;

/// For the engine to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);
/// The most of its answer that is shown.
const ANSWER_BYTES_MAX: usize = 200;
/// Version 20.10 brought control groups of a container's own.
const MAJOR_MIN: u32 = 20;
/// The programs that are needed, and the Debian package of each. apt downloads what machines install.
const PROGRAMS: [(&str, &str); 4] =
    [("docker", "docker.io"), ("apt-get", "apt"), ("dpkg-deb", "dpkg"), ("tar", "tar")];

/// What was seen of Docker.
#[derive(Debug, Clone)]
struct Facts {
    system: &'static str,
    programs_missing: Vec<(&'static str, &'static str)>,
    /// Where the client looks for its engine; empty when it does not say.
    endpoint: String,
    /// What the engine says of itself (`argv::info`), or why it does not.
    engine: Result<String, String>,
}

/// Looks at this computer. Waits for the engine, so not for async code.
pub(in super::super) fn probe() -> Result<(), Missing> {
    let mut facts = Facts {
        system: std::env::consts::OS,
        programs_missing: PROGRAMS.iter().copied().filter(|(program, _)| which(program).is_none()).collect(),
        endpoint: String::new(),
        engine: Err("it was not asked".to_owned()),
    };
    if facts.system == "linux" && facts.programs_missing.is_empty() {
        facts.endpoint = ask(&argv::endpoint()).unwrap_or_default();
        facts.engine = ask(&argv::info()).and_then(|told| match told.split('|').nth(1) {
            // Some clients succeed without an engine.
            Some("") => Err("it tells no version".to_owned()),
            _ => Ok(told),
        });
    }
    judge(&facts)
}

/// Runs a command that says little, and gives what it says.
fn ask(argv: &Argv) -> Result<String, String> {
    let mut command = std::process::Command::new(&argv.0[0]);
    command.args(&argv.0[1..]).env("LC_ALL", "C").current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    for _ in 0..ANSWER_LIMIT.as_millis() / POLL.as_millis() {
        match child.try_wait() {
            Ok(None) => std::thread::sleep(POLL),
            Ok(Some(status)) => {
                let (mut out, mut errors) = (String::new(), String::new());
                // What cannot be read was not said.
                let _ = child.stdout.take().map(|mut stream| stream.read_to_string(&mut out));
                let _ = child.stderr.take().map(|mut stream| stream.read_to_string(&mut errors));
                let (out, errors) = (out.trim().to_owned(), errors.trim());
                return if status.success() { Ok(out) } else { Err(errors.to_owned()) };
            }
            Err(error) => return Err(error.to_string()),
        }
    }
    // It may have ended just now.
    let _ = child.kill();
    let _ = child.wait();
    Err(format!("no answer within {} s", ANSWER_LIMIT.as_secs()))
}

/// The decision, on facts only.
fn judge(facts: &Facts) -> Result<(), Missing> {
    judge_system(facts.system)?;
    judge_programs(&facts.programs_missing)?;
    if !facts.endpoint.is_empty() && !facts.endpoint.starts_with("unix://") {
        return Err(Missing::new(
            format!("the engine that `docker` talks to ({}) is not on this computer", facts.endpoint),
            "unset DOCKER_HOST, or choose this computer's engine with `docker context use default`",
        ));
    }
    let told = match &facts.engine {
        Ok(told) => told,
        Err(reason) => {
            let reason = tail(reason, ANSWER_BYTES_MAX).replace('\n', " ");
            return Err(Missing::new(
                format!("the engine does not answer ({reason})"),
                "start it with `systemctl start docker`, and as an ordinary user join the group docker",
            ));
        }
    };
    let parts: Vec<_> = told.splitn(4, '|').collect();
    let [kind, version, name, security] = parts[..] else {
        return Err(Missing::new(
            format!("the engine answers what cannot be understood ({})", tail(told, ANSWER_BYTES_MAX)),
            "update it to 20.10 or later",
        ));
    };
    if kind != "linux" {
        return Err(Missing::new(
            format!("the engine has {kind} containers"),
            "switch it to Linux containers",
        ));
    }
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_some_and(|major| major < MAJOR_MIN) {
        return Err(Missing::new(
            format!("the engine has version {version}, which is older than {MAJOR_MIN}.10"),
            "update it",
        ));
    }
    if name.contains("Docker Desktop") || security.contains("name=rootless") {
        return Err(Missing::new(
            "the engine is in a network of its own (Docker Desktop, or rootless), so containers have no address here",
            "use the engine of the system itself (`docker context use default`)",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Facts {
        Facts {
            system: "linux",
            programs_missing: Vec::new(),
            endpoint: "unix:///var/run/docker.sock".to_owned(),
            engine: Ok(
                "linux|20.10.24+dfsg1|Debian GNU/Linux 12|[\"name=seccomp,profile=default\"]".to_owned()
            ),
        }
    }

    #[test]
    fn each_lack_has_its_sentence() {
        assert_eq!(judge(&good()), Ok(()));
        assert_eq!(judge(&Facts { endpoint: String::new(), ..good() }), Ok(()), "an old client does not say");
        let said = |facts: Facts| judge(&facts).unwrap_err().to_string();
        assert!(said(Facts { system: "macos", ..good() }).contains("they need Linux, this is macos"));
        let programs_missing = vec![("docker", "docker.io")];
        assert_eq!(
            said(Facts { programs_missing, ..good() }),
            "local machines cannot run here: the program docker is not installed; on Debian or Ubuntu run \
             `apt-get install docker.io`"
        );
        let far = Facts { endpoint: "ssh://root@far".to_owned(), ..good() };
        assert!(said(far).contains("(ssh://root@far) is not on this computer; unset DOCKER_HOST"));
        let silent = Facts { engine: Err("permission denied while trying\nto connect".to_owned()), ..good() };
        assert_eq!(
            said(silent),
            "local machines cannot run here: the engine does not answer (permission denied while trying to connect); \
             start it with `systemctl start docker`, and as an ordinary user join the group docker"
        );
        let engine = |told: &str| said(Facts { engine: Ok(told.to_owned()), ..good() });
        assert!(engine("windows|28.1.0|Windows|[]").contains("has windows containers"));
        assert!(engine("linux|19.03.5|Debian|[]").contains("version 19.03.5, which is older than 20.10"));
        assert!(engine("linux|28.1.0|Docker Desktop|[]").contains("containers have no address here"));
        assert!(
            engine("linux|28.1.0|Debian|[\"name=rootless\"]").contains("containers have no address here")
        );
        assert!(engine("linux").contains("cannot be understood (linux)"));
    }

    #[test]
    fn what_a_command_says_is_read_and_its_failure_told() {
        assert_eq!(ask(&Argv::new(&["echo", "hello"])), Ok("hello".to_owned()));
        let failed = ask(&Argv::new(&["ls", "/nowhere-at-all"])).unwrap_err();
        assert!(failed.contains("No such file"), "{failed}");
        assert!(ask(&Argv::new(&["no-such-program"])).is_err());
    }
}
