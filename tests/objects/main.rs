//! The rules of `wit/objects.wit`, `wit/uploads.wit` and `maintenance.verify`, through the
//! component, each on every backend.
//!
//! A rule is one function, a backend one constructor of a [`subject::Subject`]; both
//! are listed below, once, and every pair of them is a test of its own. What becomes
//! of damaged files is in `damage`, what of a guest that traps in `traps`, of objects on
//! their way to another store in `copying`, of readers and a writer beside sweeps in `load`,
//! what a guest needs at most in `memory`, a Redis that is far away in `distant`, how several
//! instances share the work in `instances`.

mod copying;
mod damage;
mod distant;
mod instances;
mod load;
mod memory;
mod origin;
mod rules;
mod subject;
mod traps;

macro_rules! suite {
    (backends: [$($backend:ident),* $(,)?], rules: $rules:tt $(,)?) => {
        $(suite!(@backend $backend $rules);)*
    };
    (@backend $backend:ident { $($group:ident: [$($rule:ident),* $(,)?]),* $(,)? }) => {
        mod $backend {
            $(mod $group {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $rule() {
                    let subject = crate::subject::$backend().await;
                    crate::subject::in_time(crate::rules::$group::$rule(&subject)).await;
                })*
            })*
        }
    };
}

/// A rule on a backend: `on::file::bodies::a_failing_source_stores_nothing`.
mod on {
    suite! {
        backends: [memory, file],
        rules: {
            round_trip: [
                the_empty_object_comes_back,
                one_byte_comes_back,
                every_size_around_a_boundary_comes_back_if_announced,
                every_size_around_a_boundary_comes_back_if_not_announced,
                every_size_around_a_boundary_comes_back_if_nothing_is_inline,
                every_size_around_the_inline_bound_comes_back,
                a_body_in_small_pieces_is_the_same_object,
                chunks_lie_where_the_plan_cuts,
                no_chunk_is_larger_than_asked,
                a_large_inline_object_is_one_value,
            ],
            ranges: [
                between_gives_its_half_open_span,
                from_gives_the_rest,
                last_gives_the_end,
                every_edge_of_a_chunk_is_cut_right,
                random_ranges_are_slices,
                ranges_of_an_inline_object_are_slices,
                a_range_of_nothing_carries_the_size,
                a_backward_range_is_refused,
                every_range_of_the_empty_object_is_empty,
            ],
            preconditions: [
                put_keeps_them,
                get_keeps_them,
                head_keeps_them,
                delete_keeps_them,
                a_failed_one_carries_the_object_there_is,
                a_put_that_cannot_be_kept_does_not_wait_for_its_body,
                a_put_is_decided_by_what_is_there_at_the_commit,
                one_of_many_creators_wins,
            ],
            bodies: [
                shorter_than_announced_stores_nothing,
                longer_than_announced_stores_nothing,
                another_digest_than_announced_stores_nothing,
                the_announced_digest_is_taken_in_either_case,
                a_failing_source_stores_nothing,
                a_source_that_fails_behind_its_announced_size_stores_nothing,
                an_abandoned_put_stores_nothing,
            ],
            descriptions: [
                type_and_metadata_are_kept_in_order,
                put_get_head_and_list_describe_the_same,
                etags_are_equal_where_content_type_and_metadata_are,
                every_commit_has_a_new_generation,
                modified_is_the_time_of_the_commit,
                an_object_without_ttl_has_no_expiry,
            ],
            expiry: [
                an_expired_object_is_nowhere,
                an_expired_object_can_be_put_again,
                a_put_without_ttl_ends_the_one_before,
                expires_lies_the_ttl_behind_modified,
            ],
            listing: [
                keys_come_in_byte_order,
                a_prefix_selects_and_the_empty_one_selects_all,
                pages_of_every_size_give_the_same,
                a_delimiter_rolls_up,
                pages_of_every_size_roll_up_the_same,
                details_describe_each_object,
                summaries_come_where_the_platform_keeps_them,
                what_was_put_and_deleted_is_as_never_there,
                a_listing_of_nothing_is_empty,
            ],
            overwriting: [
                the_new_content_replaces_the_old,
                a_deleted_object_is_not_found,
                deleting_what_is_missing_is_not_found,
                a_reader_goes_on_with_what_it_opened,
                a_reader_goes_on_with_what_is_deleted,
                writers_of_one_key_leave_one_of_theirs,
            ],
            many: [
                puts_and_gets_at_once_are_right_in_little_memory,
                an_object_is_relayed_under_another_key,
                readers_dropped_in_the_middle_take_nothing_along,
            ],
            metrics: [operations_count_with_their_outcome, bytes_count_on_both_sides],
            refusals: [
                keys_that_cannot_be,
                the_longest_key_is_taken,
                texts_that_are_no_digest,
                content_types_that_cannot_be,
                metadata_that_cannot_be,
                the_most_metadata_is_taken,
                a_time_to_live_of_nothing,
                chunks_that_are_too_small,
                pages_that_cannot_be,
                cursors_from_elsewhere,
            ],
            uploads: [
                any_store_goes_on_where_another_stopped,
                an_append_elsewhere_tells_where_to_go_on,
                a_body_that_breaks_off_leaves_what_came_of_it,
                an_append_that_is_given_up_ends_its_body,
                of_two_appends_at_once_one_wins,
                what_was_announced_is_kept_to,
                a_commit_counts_once,
                a_precondition_is_kept_at_the_commit,
                an_aborted_upload_is_gone,
                uploads_under_way_are_listed,
                who_follows_gets_all_that_is_added_and_the_object,
                who_follows_is_told_of_an_abort_and_of_a_stall,
            ],
            verify: [
                a_whole_object_has_no_problems,
                every_chunk_and_byte_is_counted,
                what_is_missing_is_not_found,
                the_store_names_what_its_backend_lost,
            ],
        },
    }
}
