//! The rules of `wit/kv.wit`, each on every backend.
//!
//! A rule is one function, a backend one constructor of a [`subject::Subject`];
//! both are listed below, once, and every pair of them is a test of its own, but that
//! those which only wait, a minute each on Workers, wait at once. Where backends differ, a rule asks `limits` and asserts what they promise instead.
//! What holds of one backend only is in a file of its own.

mod file;
mod filesystem;
mod redis;
mod rules;
mod spin;
mod subject;
mod wasi_keyvalue;

macro_rules! suite {
    (backends: [$($backend:ident),* $(,)?], rules: $rules:tt, waiting: $waiting:tt $(,)?) => {
        $(suite!(@backend $backend $rules $waiting);)*
    };
    (
        @backend $backend:ident
        { $($group:ident: [$($rule:ident),* $(,)?]),* $(,)? }
        { $($waiting:ident: [$($slow:ident),* $(,)?]),* $(,)? }
    ) => {
        mod $backend {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $waiting() {
                tokio::join!($(async {
                    let subject = crate::subject::$backend().await;
                    crate::rules::$waiting::$slow(&subject).await;
                }),*);
            })*
            $(mod $group {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $rule() {
                    let subject = crate::subject::$backend().await;
                    crate::rules::$group::$rule(&subject).await;
                })*
            })*
        }
    };
}

/// A rule on a backend: `on::file::values::a_write_is_read`.
mod on {
    suite! {
        backends: [
            memory,
            memory_namespaced,
            file,
            file_without_sync,
            file_without_attributes,
            filesystem,
            filesystem_blocking,
            spin,
            spin_with_room,
            wasi_keyvalue,
            wasi_keyvalue_in_pages,
            memory_behind_faults,
            file_behind_faults,
            redis_behind_faults,
            redis,
            redis_unix,
            redis_cluster,
            workers,
        ],
        rules: {
            values: [
                a_write_is_read,
                a_second_write_replaces_the_first,
                every_byte_comes_back,
                the_empty_value_is_a_value,
                the_largest_value_comes_back,
                what_was_never_set_is_not_there,
                a_deleted_value_is_gone,
                deleting_what_is_not_there_is_done,
                a_durable_set_keeps_what_came_before_it,
                sets_at_once_are_all_kept,
            ],
            keys: [
                every_key_is_a_key_of_its_own,
                deleting_one_key_leaves_the_others,
                the_longest_key_is_a_key,
            ],
            spans: [
                a_span_is_cut_to_the_value,
                a_span_of_the_empty_value_is_empty,
                a_span_of_nothing_is_nothing,
                a_span_has_the_version_of_the_whole,
            ],
            conditions: [
                absent_holds_once,
                a_version_holds_until_the_next_write,
                a_lost_race_changes_nothing,
                a_delete_has_conditions_too,
                versions_differ_where_values_do,
                one_of_many_creators_wins,
                no_increment_is_lost,
            ],
            listing: [
                all_keys_in_byte_order,
                every_prefix_selects_its_keys,
                pages_of_every_size_give_the_same_keys,
                a_listing_of_nothing_is_empty,
                what_stands_is_listed_while_others_come_and_go,
                a_page_has_1_to_1000_keys,
                a_summary_is_listed_with_its_key,
            ],
            limits: [
                limits_are_usable_and_constant,
                a_key_over_the_limit_is_rejected,
                a_value_over_the_limit_is_rejected,
                a_summary_over_the_limit_is_rejected,
            ],
        },
        waiting: {
            expiry: [
                a_value_ends_after_its_time_to_live,
                a_short_time_to_live_is_rounded_up,
                a_set_without_ends_the_time_to_live,
                an_expired_value_is_absent,
            ],
        },
    }
}
