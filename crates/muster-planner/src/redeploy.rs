//! Going back to an earlier revision: what of the inside of servers goes back with it, and how.

use std::collections::{BTreeSet, HashMap, HashSet};

use muster_model::code::{ReleaseWish, SeenReleases, short};
use muster_model::id::{ProviderId, RevisionNumber, ServerName};
use muster_model::infrastructure::{CodeEntry, DeployEntry, Infrastructure};
use muster_model::ownership::{ObjectKind, Ownership};
use muster_model::policy::Purpose;
use muster_model::revision::Applied;

use crate::bundle::BundleFacts;

/// What is Muster's own inside servers, whatever the file deploys.
const BUILT_IN: &str = "builtin:";
/// What the records of delivered code begin with; the directory follows.
const CODE: &str = "code:";

/// A revision with what it was decided from.
#[derive(Clone, Copy, Debug)]
pub struct Then<'a> {
    /// Its number.
    pub number: RevisionNumber,
    /// What it was for.
    pub purpose: Purpose,
    /// The release that it went to instead of deploying: its files are not what was there.
    pub to_release: Option<&'a ReleaseWish>,
    /// What its file wanted.
    pub wanted: &'a Infrastructure,
    /// The files of its bundle.
    pub bundle: &'a BundleFacts,
    /// Which of them are documents of Muster.
    pub documents: &'a BTreeSet<String>,
    /// What it left behind; none if it did not end well.
    pub applied: Option<&'a Applied>,
}

/// How the inside of servers goes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inside {
    /// Deploy, or update where it stays as it is.
    pub purpose: Purpose,
    /// Go to this release, and leave everything else alone.
    pub release: Option<ReleaseWish>,
    /// Why or why not, in words.
    pub why: Option<String>,
}

impl Inside {
    fn stays(why: Option<String>) -> Inside {
        Inside { purpose: Purpose::Update, release: None, why }
    }

    fn deploys(why: String) -> Inside {
        Inside { purpose: Purpose::Deploy, release: None, why: Some(why) }
    }
}

const STAYS: &str = "Code and playbooks on the servers stay as they are";

/// Whether going back to a revision also deploys, and why or why not.
///
/// `wish` is what the person said. Unsaid, it deploys if the servers had been deployed to by then, have something else
/// now, and this revision's files are what had been deployed. `deployed` is the newest revision up to that one that
/// delivered what they had; `kept` are the releases that servers keep, asked only where that revision went to one;
/// `now` are the file's records.
pub fn redeploy(
    wish: Option<bool>,
    then: &Then<'_>,
    deployed: Option<&Then<'_>>,
    kept: &[SeenReleases],
    now: &[Ownership],
) -> Inside {
    let number = then.number;
    let has_deploy = !then.wanted.deploy.is_empty()
        || then.wanted.servers.iter().any(|server| !server.playbooks.is_empty());
    if !has_deploy {
        let later = now.iter().any(|record| record.provisioned.keys().any(|key| is_of_deploy(key)));
        return Inside::stays(later.then(|| format!("{STAYS}: revision {number} deploys nothing.")));
    }
    if wish == Some(false) {
        return Inside::stays(Some(format!("{STAYS}, as asked.")));
    }
    if let Some(asked) = then.to_release {
        return to_release(wish, then, asked, deployed, kept, now);
    }
    if wish == Some(true) {
        let mut why = format!("It deploys the files of revision {number}, as asked.");
        if !holds_its_code(then) {
            why.push_str(&format!(" They do not hold the code. {}", lead(then, deployed)));
        }
        return Inside::deploys(why);
    }
    let as_then = || Inside::deploys(format!("It deploys, as revision {number} did."));
    let Some(applied) = then.applied else {
        return match then.purpose {
            Purpose::Deploy => as_then(),
            Purpose::Update | Purpose::Destroy | Purpose::Adopt | Purpose::Disown => {
                Inside::stays(Some(format!("{STAYS}: revision {number} did not deploy.")))
            }
        };
    };
    let was_deployed_to =
        applied.servers.iter().any(|server| server.provisioned.keys().any(|key| is_of_deploy(key)));
    if !was_deployed_to {
        let later = now.iter().any(|record| record.provisioned.keys().any(|key| is_of_deploy(key)));
        let files = if holds_its_code(then) { " `--deploy` deploys its files." } else { "" };
        let why = format!("{STAYS}: by revision {number} nothing had been deployed.{files}");
        return Inside::stays(later.then_some(why));
    }
    let is_material =
        deployed.is_some_and(|earlier| same_material(then, earlier) && delivered(earlier, then));
    if has_the_same(then, applied, is_material, now) {
        return Inside::stays(None);
    }
    if then.purpose == Purpose::Deploy {
        return as_then();
    }
    match deployed {
        Some(earlier) if is_material => Inside::deploys(format!(
            "It deploys what revision {} had deployed: revision {number} was an update with the same files.",
            earlier.number
        )),
        Some(earlier) => Inside::stays(Some(format!(
            "{STAYS}: what they had in revision {number} came with the files of revision {}, and these are others. {}",
            earlier.number,
            lead(then, deployed)
        ))),
        None => Inside::stays(Some(format!(
            "{STAYS}: which revision had deployed what they had in revision {number} is not known any more. {}",
            lead(then, deployed)
        ))),
    }
}

/// What leads to what was there, or to something like it: nothing is named that is refused.
fn lead(then: &Then<'_>, deployed: Option<&Then<'_>>) -> String {
    let (number, name) = (then.number, &then.wanted.name);
    let files = format!("the files of revision {number} with `--deploy`");
    match (deployed, holds_its_code(then)) {
        (Some(earlier), true) => {
            format!("Go back to that one (`--to {}`), or deploy {files}.", earlier.number)
        }
        (Some(earlier), false) => format!("Go back to revision {} (`--to {0}`).", earlier.number),
        (None, true) => format!("Deploy {files}."),
        (None, false) => format!(
            "`muster infra releases {name}` shows what the servers keep, and `muster infra deploy {name} \
             --to-release R` goes to it."
        ),
    }
}

/// Going back to a revision that went to a release: to the same one, where the servers keep it still.
fn to_release(
    wish: Option<bool>,
    then: &Then<'_>,
    asked: &ReleaseWish,
    deployed: Option<&Then<'_>>,
    kept: &[SeenReleases],
    now: &[Ownership],
) -> Inside {
    let number = then.number;
    let goes = |release: ReleaseWish| Inside {
        why: Some(format!(
            "It goes to release {}, as revision {number} did, and leaves the servers themselves alone: \
             `--no-deploy` takes them back, without their code.",
            short(&release.release)
        )),
        purpose: Purpose::Deploy,
        release: Some(release),
    };
    // What it reached then is not known; the plan says whether there is such a release.
    let Some(applied) = then.applied else { return goes(asked.clone()) };
    if wish.is_none() && has_the_same(then, applied, false, now) {
        return Inside::stays(None);
    }
    let mut codes = codes(then.wanted);
    let Some(to) = asked.to.clone().or_else(|| codes.next().map(|code| code.to.clone())) else {
        return goes(asked.clone());
    };
    let key = format!("{CODE}{to}");
    let had = |name: &ServerName| {
        let server = applied.servers.iter().find(|server| server.name == *name);
        server.and_then(|server| server.provisioned.get(&key)).map(|reached| reached.digest.as_str())
    };
    let releases: BTreeSet<&str> = applied.servers.iter().filter_map(|server| had(&server.name)).collect();
    let mut releases = releases.into_iter();
    let (Some(release), None) = (releases.next(), releases.next()) else { return goes(asked.clone()) };
    let mut asked_of = kept.iter().filter(|seen| seen.to == to && had(&seen.server).is_some()).peekable();
    let nobody = asked_of.peek().is_none();
    let lacking: Vec<String> =
        asked_of.filter(|seen| seen.named(release).is_none()).map(SeenReleases::words).collect();
    if !nobody && lacking.is_empty() {
        return goes(ReleaseWish { to: Some(to), release: release.to_owned() });
    }
    let lacking = if nobody { "no server has it any more".to_owned() } else { lacking.join("; ") };
    let lead = match deployed {
        Some(earlier) => {
            format!("Revision {} had delivered it, and `--to {0}` delivers it again.", earlier.number)
        }
        None => "Which revision had delivered it is not known any more.".to_owned(),
    };
    Inside::stays(Some(format!(
        "{STAYS}: revision {number} went to release {}, and that is not kept everywhere: {lacking}. {lead}",
        short(release)
    )))
}

fn is_of_deploy(key: &str) -> bool {
    !key.starts_with(BUILT_IN)
}

fn codes(wanted: &Infrastructure) -> impl Iterator<Item = &CodeEntry> {
    wanted.deploy.iter().filter_map(|entry| match entry {
        DeployEntry::Code(code) => Some(code.as_ref()),
        DeployEntry::Playbook(_) => None,
    })
}

/// Whether its bundle holds what its `deploy:` delivers: that of an update lacks what is exported from elsewhere.
fn holds_its_code(then: &Then<'_>) -> bool {
    codes(then.wanted).all(|code| crate::code::release_of(then.bundle, code).is_some())
}

/// Whether the code that a deployment delivers is what the servers had in a revision; playbooks tell nothing of it.
pub fn delivered(deployment: &Then<'_>, then: &Then<'_>) -> bool {
    let reached =
        then.applied.iter().flat_map(|applied| &applied.servers).flat_map(|server| &server.provisioned);
    deployment.to_release.is_none()
        && reached.filter(|(_, reached)| reached.succeeded).all(|(key, reached)| {
            let Some(to) = key.strip_prefix(CODE) else { return true };
            let mut entries = codes(deployment.wanted).filter(|code| code.to == to).peekable();
            // Another one delivered it.
            entries.peek().is_none() || {
                let releases = entries.filter_map(|code| crate::code::release_of(deployment.bundle, code));
                releases.into_iter().any(|release| release == reached.digest)
            }
        })
}

/// Whether every server that revision had deployed to has the same today; where its files are what had been deployed,
/// what deploying them records is the same too.
fn has_the_same(then: &Then<'_>, applied: &Applied, is_material: bool, now: &[Ownership]) -> bool {
    let records = || now.iter().filter(|record| record.kind == ObjectKind::Server);
    let by_id: HashMap<&ProviderId, &Ownership> = records().map(|record| (&record.id, record)).collect();
    let by_name: HashMap<&ServerName, &Ownership> = records().map(|record| (&record.name, record)).collect();
    let wanted: HashSet<&ServerName> = then.wanted.servers.iter().map(|server| &server.name).collect();
    applied.servers.iter().filter(|server| wanted.contains(&server.name)).all(|server| {
        // It may have another name now, and its name another server.
        let record = by_id.get(&server.id).or_else(|| by_name.get(&server.name));
        let now = record.map(|record| &record.provisioned);
        server.provisioned.iter().filter(|(key, _)| is_of_deploy(key)).all(|(key, reached)| {
            let has = now.and_then(|now| now.get(key)).filter(|has| has.succeeded);
            has.is_some_and(|has| {
                has.digest == reached.digest
                    || is_material && digest_of(then, key).is_some_and(|digest| digest == has.digest)
            })
        })
    })
}

/// What deploying this revision's files would record under a key.
fn digest_of(then: &Then<'_>, key: &str) -> Option<String> {
    let Some(to) = key.strip_prefix(CODE) else { return then.bundle.playbook_digest(key) };
    let code = codes(then.wanted).find(|code| code.to == to)?;
    crate::code::release_of(then.bundle, code)
}

/// Whether two revisions would deploy the same: the same entries over the same files, documents apart.
fn same_material(one: &Then<'_>, other: &Then<'_>) -> bool {
    let files = |then: &Then<'_>| -> Vec<(String, String)> {
        let files = then.bundle.files.iter().filter(|(path, _)| !then.documents.contains(*path));
        files.map(|(path, content)| (path.clone(), content.clone())).collect()
    };
    one.wanted.deploy == other.wanted.deploy && files(one) == files(other)
}
