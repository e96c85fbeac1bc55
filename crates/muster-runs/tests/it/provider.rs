//! The 1cloud client over the simulated 1cloud keeps what every provider must keep, on a virtual clock. The cases are
//! those of `muster-outside`, which has no simulator at hand.

#[macro_use]
#[path = "../../../muster-outside/tests/it/conformance/suite/mod.rs"]
mod suite;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use jiff::Timestamp;
use muster_model::Secret;
use muster_model::account::{AccountSettings, Provider};
use muster_model::id::ProviderId;
use muster_model::server::{Performance, Size};
use muster_model::world::Clock;
use muster_outside::cloud::{Cloud, open};
use muster_outside::transport::{Broken, Transport};
use muster_sim::in_process::InProcess;
use muster_sim::onecloud::{Durations, Fault, FaultRule, Simulator, SimulatorConfig};

use self::suite::setting::{Ability, Setting};
use crate::world::{VirtualClock, seeded};

const KEY: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
/// One step of the virtual clock; every operation takes some.
const STEP: Duration = Duration::from_secs(2);

const CANNOT: &[(Ability, &str)] = &[];

/// A simulated 1cloud that takes its time.
struct Simulated {
    simulator: Simulator,
    cloud: Arc<dyn Cloud>,
}

/// A clock that only the simulator's own control moves.
struct Standing;

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_767_312_245).unwrap()
    }
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

struct Wire(InProcess);

#[async_trait]
impl Transport for Wire {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Broken> {
        self.0.call(request).await.map_err(|broken| Broken::maybe_sent(broken.to_string()))
    }
}

fn connect(simulator: &Simulator) -> Arc<dyn Cloud> {
    let wire = Arc::new(Wire(InProcess::new(simulator.clone())));
    let (settings, clock) = (AccountSettings::default(), VirtualClock::new());
    clock.begin();
    let (url, key, world) = ("https://api.example.org/", Secret::new(KEY), seeded(1, clock));
    open(Provider::Onecloud, url, key, &settings, wire, world).unwrap()
}

impl Simulated {
    fn new() -> Simulated {
        let config = SimulatorConfig {
            durations: Durations::real(),
            ..SimulatorConfig::new(vec![KEY.to_owned()], Arc::new(Standing))
        };
        let simulator = Simulator::new(config);
        Simulated { cloud: connect(&simulator), simulator }
    }
}

fn size(cpu: u32, ram_mb: u32) -> Size {
    Size { cpu, ram_mb, disk_gb: 20, disk_type: "SSD".into(), performance: Performance::Base }
}

#[async_trait]
impl Setting for Simulated {
    fn cannot(&self) -> &'static [(Ability, &'static str)] {
        CANNOT
    }
    fn cloud(&self) -> &dyn Cloud {
        &*self.cloud
    }
    async fn anew(&self) -> Arc<dyn Cloud> {
        connect(&self.simulator)
    }
    fn location(&self) -> &'static str {
        "SdnSpb"
    }
    fn size(&self) -> Size {
        size(1, 1_024)
    }
    fn larger(&self) -> Size {
        size(2, 2_048)
    }
    fn impossible(&self) -> Size {
        size(1_000, 1_024)
    }
    async fn pass(&self) {
        self.simulator.advance(STEP);
        tokio::time::sleep(STEP).await;
    }
    async fn lose_answer(&self) {
        let rule = FaultRule::once("POST", "/server", Fault::DropAnswerAfterEffect);
        self.simulator.fault(rule).unwrap();
    }
    async fn put_into(&self, id: &ProviderId, state: &str) {
        let rule = FaultRule {
            times: 1_000,
            ..FaultRule::once("GET", &format!("/server/{id}"), Fault::State(state.to_owned()))
        };
        self.simulator.fault(rule).unwrap();
    }
}

macro_rules! tests_on_the_simulator {
    ($($(#[$about:meta])* $theme:ident::$case:ident),+ $(,)?) => {
        $(
            $(#[$about])*
            #[tokio::test(start_paused = true)]
            async fn $case() {
                let setting = super::Simulated::new();
                super::suite::$theme::$case(&setting).await;
                super::suite::setting::end(&setting).await;
            }
        )+
    };
}

mod on_onecloud {
    every_case!(tests_on_the_simulator);
}

/// The simulated 1cloud can bring about every case.
#[test]
fn nothing_is_left_out() {
    assert_eq!(suite::lacks(CANNOT), []);
}
