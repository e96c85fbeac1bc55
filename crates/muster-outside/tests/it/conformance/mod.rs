//! The providers that can be shown here keep what every provider must keep ([`suite`]): the account `local` on real
//! machines, and the stand-in that other tests use. What a setting cannot bring about is counted.

#[macro_use]
mod suite;

mod machines;
mod memory;

pub use self::machines::place as machines_place;

macro_rules! tests_on_the_stand_in {
    ($($(#[$about:meta])* $theme:ident::$case:ident),+ $(,)?) => {
        $(
            $(#[$about])*
            #[tokio::test(start_paused = true)]
            async fn $case() {
                let setting = super::memory::StandIn::new();
                super::suite::$theme::$case(&setting).await;
                super::suite::setting::end(&setting).await;
            }
        )+
    };
}

/// `machines` in a path bounds how many boot at once.
macro_rules! tests_on_local_machines {
    ($($(#[$about:meta])* $theme:ident::$case:ident),+ $(,)?) => {
        $(
            $(#[$about])*
            #[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                let Some(setting) = super::machines::Real::new(stringify!($case)).await else { return };
                super::suite::$theme::$case(&setting).await;
                super::suite::setting::end(&setting).await;
                setting.nothing_is_left().await;
            }
        )+
    };
}

mod on_stand_in {
    every_case!(tests_on_the_stand_in);
}

mod on_local_machines {
    every_case!(tests_on_local_machines);
}

/// What a setting cannot bring about is no secret: who makes one able to do more, or another one unable, says so here.
#[test]
fn what_a_setting_cannot_do_is_counted() {
    use self::suite::lacks;
    use self::suite::setting::Ability::*;
    assert_eq!(lacks(memory::CANNOT), [SlowCreate, SlowDelete, SizeLimits, NetworkInUse]);
    assert_eq!(lacks(machines::CANNOT), [LostAnswer, StrangeState, SlowDelete]);
}
