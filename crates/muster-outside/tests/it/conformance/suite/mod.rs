//! What every provider must keep: one set of cases for every implementation of `Cloud`.
//!
//! A case knows the trait and a [`setting::Setting`], nothing of a provider. The suite is included by the tests of each
//! room that has a provider to show: the account `local` and the stand-in of tests here in `conformance`, the 1cloud
//! client over the simulated 1cloud in `muster-runs` (`provider.rs`), because only there a simulator is at hand. A
//! provider that comes later adds a setting and names [`every_case`].

pub mod account;
pub mod answer;
pub mod life;
pub mod limit;
pub mod name;
pub mod network;
pub mod power;
pub mod setting;

use self::setting::{Ability, Setting};

/// Hands every case to a macro that makes a test of it, with what is said about it.
macro_rules! every_case {
    ($tests:ident) => {
        $tests! {
            account::the_identity_is_stable,
            account::keys_are_kept,
            account::an_observation_shows_what_the_lists_show,
            account::another_process_sees_the_same,
            /// NEP-03: what every provider does alike is told here once, and each is shown to do it.
            life::a_server_is_made_and_seen,
            life::an_unknown_id_is_none,
            /// NEP-03.
            life::a_size_is_changed,
            life::a_deleted_server_goes,
            /// NEP-03.
            power::power_is_ensured,
            power::a_guest_stops_by_itself,
            name::two_servers_of_one_name_are_two,
            answer::a_lost_answer_is_an_unknown_outcome,
            answer::an_unknown_state_is_shown_as_it_came,
            answer::what_does_not_exist_is_refused,
            answer::a_refusal_has_the_providers_words,
            /// NEP-03.
            network::a_network_lives,
            network::a_network_with_servers_stays,
            limit::an_impossible_size_has_no_effect,
        }
    };
}

/// Whether the setting can bring that about; if not, its reason is told.
fn can(setting: &dyn Setting, ability: Ability) -> bool {
    let Some((_, reason)) = setting.cannot().iter().find(|(one, _)| *one == ability) else { return true };
    eprintln!("NOT HERE: {ability:?}: {reason}");
    false
}

/// The abilities that a setting lacks, each of which must have its reason.
pub fn lacks(cannot: &[(Ability, &str)]) -> Vec<Ability> {
    assert!(cannot.iter().all(|(_, reason)| reason.len() > 10));
    cannot.iter().map(|(ability, _)| *ability).collect()
}
