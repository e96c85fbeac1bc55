//! What every provider must keep: one set of cases for every implementation of `Cloud`.
//!
//! A case knows the trait and a [`setting::Setting`], nothing of a provider. The settings are the 1cloud client over
//! the simulated 1cloud, the stand-in that other tests use, and the account `local` on real machines; a provider
//! that comes later adds a setting and one block below. What a setting cannot bring about it names, with the reason,
//! and `what_a_setting_cannot_do_is_counted` counts it.

mod account;
mod answer;
mod life;
mod limit;
mod machines;
mod memory;
mod name;
mod network;
mod onecloud;
mod power;
mod setting;

pub use self::machines::place as machines_place;
use self::setting::{Ability, Setting};

/// Each case as a test of each setting. `machines` in a path bounds how many boot at once.
macro_rules! cases {
    ($($theme:ident::$case:ident),+ $(,)?) => {
        mod on_onecloud {
            $(
                #[tokio::test(start_paused = true)]
                async fn $case() {
                    let setting = super::onecloud::Simulated::new();
                    super::$theme::$case(&setting).await;
                    super::setting::end(&setting).await;
                }
            )+
        }
        mod on_stand_in {
            $(
                #[tokio::test(start_paused = true)]
                async fn $case() {
                    let setting = super::memory::StandIn::new();
                    super::$theme::$case(&setting).await;
                    super::setting::end(&setting).await;
                }
            )+
        }
        mod on_local_machines {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $case() {
                    let Some(setting) = super::machines::Real::new(stringify!($case)).await else { return };
                    super::$theme::$case(&setting).await;
                    super::setting::end(&setting).await;
                    setting.nothing_is_left().await;
                }
            )+
        }
    };
}

cases! {
    account::the_identity_is_stable,
    account::keys_are_kept,
    account::an_observation_shows_what_the_lists_show,
    account::another_process_sees_the_same,
    life::a_server_is_made_and_seen,
    life::an_unknown_id_is_none,
    life::a_size_is_changed,
    life::a_deleted_server_goes,
    power::power_is_ensured,
    power::a_guest_stops_by_itself,
    name::two_servers_of_one_name_are_two,
    answer::a_lost_answer_is_an_unknown_outcome,
    answer::an_unknown_state_is_shown_as_it_came,
    answer::what_does_not_exist_is_refused,
    answer::a_refusal_has_the_providers_words,
    network::a_network_lives,
    network::a_network_with_servers_stays,
    limit::an_impossible_size_has_no_effect,
}

/// NEP-03: what a setting cannot bring about is no secret: who makes one able to do more, or another one unable, says so here.
#[test]
fn what_a_setting_cannot_do_is_counted() {
    use Ability::*;
    let told = |cannot: &[(Ability, &str)]| {
        assert!(cannot.iter().all(|(_, reason)| reason.len() > 10));
        cannot.iter().map(|(ability, _)| *ability).collect::<Vec<_>>()
    };
    assert_eq!(told(onecloud::CANNOT), []);
    assert_eq!(told(memory::CANNOT), [SlowCreate, SlowDelete, SizeLimits, NetworkInUse]);
    assert_eq!(told(machines::CANNOT), [LostAnswer, StrangeState, SlowDelete]);
}

/// Whether the setting can bring that about; if not, its reason is told.
fn can(setting: &dyn Setting, ability: Ability) -> bool {
    let Some((_, reason)) = setting.cannot().iter().find(|(one, _)| *one == ability) else { return true };
    eprintln!("NOT HERE: {ability:?}: {reason}");
    false
}
