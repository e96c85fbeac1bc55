//! What every store must do: one suite, run on SQLite and on PostgreSQL. The theme is the file's name; a case gets
//! an empty store and knows nothing of the database behind it.

pub mod approval;
pub mod contents;
pub mod countdown;
pub mod facts;
pub mod journal;
pub mod lanes;
pub mod lease;
pub mod node;
pub mod queue;
pub mod quota;
pub mod retention;
pub mod retry;
pub mod revision;
pub mod scene;
pub mod search;
pub mod settings;

/// Runs every case as a test of its own on SQLite, and every theme as one test on PostgreSQL (one server a theme,
/// one database a case).
macro_rules! suite {
    ($($theme:ident { $($case:ident,)* })*) => {
        mod on_sqlite {
            $(mod $theme {
                $(#[tokio::test]
                async fn $case() {
                    crate::suite::$theme::$case(crate::suite::scene::sqlite().await).await;
                })*
            })*
        }

        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $theme() {
                let Some(server) = crate::server::Server::start(concat!("store on_postgres::", stringify!($theme)))
                else {
                    return;
                };
                $(
                    eprintln!("case {}", stringify!($case));
                    crate::suite::$theme::$case(crate::suite::scene::in_database_of(&server).await).await;
                )*
            })*
        }
    };
}

suite! {
    approval {
        only_the_newest_plan_of_a_subject_is_approved,
        a_plan_is_carried_out_once,
        the_same_idempotency_key_is_the_same_run,
        a_held_lock_names_its_holder_and_takes_nothing,
        locks_end_with_the_run,
        an_approval_supersedes_an_interrupted_run_for_good,
        an_interrupted_run_is_claimed_again_with_its_locks,
        cancelling_an_interrupted_run_ends_it,
        an_interrupted_run_that_was_to_be_cancelled_ends_when_asked_again,
        a_plan_keeps_what_it_was_decided_from,
        a_run_whose_node_died_before_its_claim_is_interrupted,
        a_run_kept_for_one_node_is_not_claimed_by_another,
        of_many_approvals_over_the_same_locks_one_wins,
        shared_locks_stand_together_and_keep_an_exclusive_one_out,
        the_same_key_at_the_same_time_is_one_run,
        the_same_plan_request_twice_is_one_plan,
    }
    contents {
        a_content_comes_back_whole,
        lines_come_back_by_step_and_number,
        a_lane_goes_on_where_its_output_ended,
        output_is_durable_when_flushed_and_many_flush_at_once,
        a_very_long_line_is_cut_and_says_so,
        a_page_of_long_lines_is_short_and_goes_on,
        pruned_runs_lose_their_output,
        contents_that_nothing_refers_to_are_forgotten,
        contents_of_plans_are_kept_as_long_as_they_may_be_needed,
        contents_of_a_request_that_waits_are_kept,
    }
    countdown {
        it_begins_when_its_time_has_come,
        until_then_nobody_begins_it_and_its_locks_are_held,
        revoking_ends_the_countdown,
        it_outlives_a_worker_and_not_a_command,
    }
    facts {
        an_intent_opens_once_and_closes,
        a_made_intent_is_no_longer_a_question,
        ownership_is_made_amended_and_forgotten,
        facts_about_one_object_leave_the_others_out,
        facts_go_with_their_entry_or_not_at_all,
        of_two_intents_of_one_name_at_once_one_opens,
    }
    journal {
        numbers_are_dense_even_from_many_writers,
        an_older_fence_writes_nothing,
        an_illegal_transition_is_refused_and_leaves_no_entry,
        a_failed_neighbour_in_the_same_commit_undoes_itself_alone,
        steps_are_counted_by_their_last_word,
        what_was_acknowledged_is_seen_by_another_process,
        appends_of_one_lane_keep_their_order,
        a_state_and_facts_stand_where_they_were_written,
        any_text_comes_back,
    }
    lanes {
        lanes_are_claimed_by_priority_and_age,
        two_nodes_get_disjoint_lanes,
        unknown_forms_and_paused_runs_are_left_alone,
        lanes_kept_for_a_node_are_not_claimed_by_another,
        a_released_lane_goes_to_another_node,
        a_lane_waits_for_a_time_or_a_signal,
        a_signal_before_the_wait_is_not_missed,
        a_later_wave_waits_for_lane_0,
        a_wish_wakes_what_waits,
        followers_see_every_lane_without_gaps,
        a_run_that_ends_takes_all_its_lanes,
        an_interrupted_run_is_taken_up_by_workers,
        hints_come_and_are_not_needed,
    }
    lease {
        a_lease_is_renewed_until_it_lapses,
        a_dead_workers_lanes_pass_on_under_a_higher_fence,
        a_dead_foreground_node_leaves_interrupted_runs,
        an_append_racing_a_takeover_is_kept_whole_or_refused,
        a_node_without_a_lease_claims_nothing,
        steps_that_kill_their_nodes_are_counted,
        a_long_gone_node_is_forgotten,
    }
    node {
        burying_a_node_frees_everything_it_held,
    }
    queue {
        the_same_request_waits_once,
        it_leaves_once_and_says_why,
        what_waits_is_found_among_many,
        what_is_in_the_way_is_named_and_nothing_is_taken,
    }
    quota {
        a_quota_is_never_exceeded,
        what_a_dead_node_held_is_free,
        a_key_without_a_limit_has_that_of_another,
        a_change_of_a_limit_is_in_the_audit,
    }
    retention {
        old_runs_lose_their_journal_and_keep_their_counts,
        the_newest_and_the_unfinished_stay,
    }
    retry {
        a_failed_run_is_taken_up_with_its_locks,
        a_retry_kept_for_a_node_is_interrupted_with_it,
        a_retry_steps_back_for_what_came_later,
        what_was_emptied_is_not_tried_again,
        other_lanes_begin_again_and_deaths_are_forgotten,
    }
    revision {
        revisions_are_numbered_per_file_and_account,
        what_a_run_left_behind_comes_with_its_end,
        kept_revisions_lose_nothing,
        of_many_approvals_at_once_each_has_its_number,
        a_plan_remembers_what_it_was_asked_with,
    }
    search {
        events_are_found_by_their_words,
        the_index_follows_the_journal,
        the_newest_come_first_whenever_they_were_indexed,
        pruned_runs_are_not_found,
    }
    settings {
        accounts_and_secrets_are_kept_replaced_and_forgotten,
    }
}
