//! The account `local` on real machines of this computer, by the first technique that it allows.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use muster_model::id::ProviderId;
use muster_model::server::{Performance, Size};
use muster_outside::cloud::Cloud;
use muster_outside::cloud::local::{LocalCloud, LocalPlace};
use muster_outside::host::local::{LocalMachines, Technique};
use muster_outside::secret::Sealer;

use super::suite::setting::{Ability, Setting};
use crate::local::home::{launcher, wish};

const STEP: Duration = Duration::from_millis(100);

pub const CANNOT: &[(Ability, &str)] = &[
    (Ability::LostAnswer, "it is asked within this process, so no answer is lost without its reader"),
    (Ability::StrangeState, "its states are Muster's own words"),
    (Ability::SlowDelete, "a deletion is awaited, and what is deleted is gone"),
];

/// The account of a home of its own.
pub struct Real {
    folder: tempfile::TempDir,
    place: LocalPlace,
    cloud: LocalCloud,
}

async fn open(place: &LocalPlace, seed: u64) -> LocalCloud {
    let world = crate::world::world(seed);
    let sealer = Sealer::open_file(&place.home.join("key"), world.clone()).unwrap();
    LocalCloud::open(place, sealer, world).await.unwrap()
}

/// The place of an account `local`, or none with the reason said.
pub fn place(home: &Path, test: &str) -> Option<LocalPlace> {
    let mut missing = String::new();
    for technique in [Technique::Nspawn, Technique::Docker] {
        let wish = wish(technique);
        match LocalMachines::probe_as(&wish) {
            Ok(_) => return Some(LocalPlace { home: home.to_owned(), launcher: launcher(), wish }),
            Err(why) => missing = format!("{missing}{why}. "),
        }
    }
    crate::skip::skip(test, &missing);
    None
}

impl Real {
    pub async fn new(case: &str) -> Option<Real> {
        let folder = tempfile::tempdir().unwrap();
        let place = place(folder.path(), &format!("conformance::on_local_machines::{case}"))?;
        let cloud = open(&place, 1).await;
        cloud.machines().ensure_base(&|line| println!("{line}")).await.unwrap();
        Some(Real { folder, place, cloud })
    }

    /// No mount, process, namespace, interface, group or file of a machine is on the computer any more.
    pub async fn nothing_is_left(&self) {
        let left = self.cloud.machines().leftovers().await.unwrap();
        assert_eq!(left.total(), 0, "{left:#?}");
        for kind in ["servers", "networks"] {
            let files = std::fs::read_dir(self.folder.path().join("local").join(kind));
            let files: Vec<_> = files.into_iter().flatten().flatten().map(|one| one.file_name()).collect();
            assert!(files.is_empty(), "{files:?}");
        }
    }
}

fn size(cpu: u32, ram_mb: u32) -> Size {
    Size { cpu, ram_mb, disk_gb: 10, disk_type: "SSD".into(), performance: Performance::Base }
}

#[async_trait]
impl Setting for Real {
    fn cannot(&self) -> &'static [(Ability, &'static str)] {
        CANNOT
    }
    fn cloud(&self) -> &dyn Cloud {
        &self.cloud
    }
    async fn anew(&self) -> Arc<dyn Cloud> {
        Arc::new(open(&self.place, 2).await)
    }
    fn location(&self) -> &'static str {
        "local"
    }
    fn size(&self) -> Size {
        size(1, 512)
    }
    fn larger(&self) -> Size {
        size(2, 768)
    }
    fn impossible(&self) -> Size {
        size(1, 1)
    }
    async fn pass(&self) {
        tokio::time::sleep(STEP).await;
    }
    async fn lose_answer(&self) {
        unreachable!("it cannot");
    }
    async fn put_into(&self, _: &ProviderId, _: &str) {
        unreachable!("it cannot");
    }
}
