//! The rules of HTTP behaviour, against a base URL: what is sent, and what comes back.
//!
//! A rule is one function over a [`site::Site`]; both are listed below, once, and every pair
//! of them is a test of its own. Each test keeps to keys below a random directory, so that
//! a store need not be empty and tests do not disturb each other. The sites:
//!
//! - `http1`, `http2`: a platform that can do everything, over either protocol
//!   (`chunk-store serve` on files);
//! - `filesystem`: the same in a host of `wasi:http` and `wasi:filesystem`, several instances
//!   over one directory;
//! - `spin`: the same in a host of `wasi:http` and `spin:key-value`;
//! - `unconditional`: one without conditional writes;
//! - `stale`: one whose reads may be old, besides;
//! - `workers`: the Worker of Cloudflare over Workers KV, in workerd.
//!
//! To run the rules against a server that is there already, one that has a token, without
//! which nothing can be read:
//!
//! ```sh
//! CHUNK_STORE_TEST_URL=http://localhost:8787 CHUNK_STORE_TEST_TOKEN=... \
//!     cargo test --release --package chunk-store-tests --test http -- stale::
//! ```
//!
//! What cannot be seen from there is elsewhere: what depends on settings, on the clock and
//! on a platform that fails in `adapters/http/src/tests`, what holds of `chunk-store serve`
//! in `tests/serve`.

mod rules;
mod site;

macro_rules! suite {
    (sites: [$($site:ident),* $(,)?], rules: $rules:tt $(,)?) => {
        $(suite!(@site $site $rules);)*
    };
    (@site $site:ident { $($group:ident: [$($rule:ident),* $(,)?]),* $(,)? }) => {
        mod $site {
            $(mod $group {
                $(#[tokio::test]
                async fn $rule() {
                    crate::rules::$group::$rule(&crate::site::$site()).await;
                })*
            })*
        }
    };
}

/// A rule on a site: `everywhere::http1::ranges::one_range_is_a_part`.
mod everywhere {
    suite! {
        sites: [http1, http2, filesystem, spin, unconditional, stale, workers],
        rules: {
            access: [
                nothing_is_done_without_the_token,
                a_wrong_token_is_refused_whatever_is_asked,
                a_signed_link_reads_one_object,
                a_link_that_has_expired_or_was_altered_is_refused,
            ],
            objects: [
                what_was_put_comes_back_with_what_describes_it,
                the_length_of_a_body_need_not_be_known,
                an_object_is_replaced_as_a_whole,
                head_is_get_without_the_body,
                what_is_deleted_is_gone,
                an_object_lives_for_as_long_as_was_asked,
                keys_are_what_paths_decode_to,
                no_path_leads_out,
                a_method_that_is_not_known_there_is_told_with_those_that_are,
                options_tell_what_can_be_done,
                what_describes_an_object_is_bounded,
                a_stored_page_is_kept_from_the_origin,
            ],
            refusals: [
                a_body_with_another_digest_is_not_stored,
                a_body_that_breaks_off_is_not_stored,
                a_part_is_not_taken_for_the_whole,
                every_error_is_a_problem_that_no_cache_keeps,
            ],
            conditions: [
                a_reader_that_has_it_is_told_so,
                a_reader_that_has_another_gets_it,
                a_read_of_another_object_than_was_meant_is_412,
                of_what_is_not_there_no_condition_is_looked_at,
                conditions_go_before_ranges,
                a_range_of_an_object_that_was_replaced_is_the_whole_new_one,
            ],
            ranges: [
                one_range_is_a_part,
                a_range_beyond_the_end_says_how_much_there_is,
                a_range_that_says_nothing_is_passed_over,
                of_an_empty_object_only_the_last_bytes_can_be_asked_for,
                several_ranges_are_parts_in_the_order_of_asking,
                a_part_has_the_media_type_of_the_object,
                several_ranges_that_come_to_one_are_sent_as_one,
                more_ranges_than_anyone_needs_are_refused,
            ],
            listing: [
                objects_are_listed_in_pages,
                objects_are_rolled_up,
                an_object_is_described_as_json,
                parameters_that_mean_nothing_are_refused,
                a_server_tells_that_it_is_well,
                a_server_tells_what_it_has_done,
            ],
            uploads: [
                options_tell_what_of_tus_there_is,
                an_object_is_sent_in_parts_and_appears_with_the_last,
                head_tells_where_to_go_on,
                bytes_for_another_offset_are_409_with_the_right_one,
                more_than_was_announced_is_refused,
                who_did_not_hear_the_end_is_told_again,
                the_first_bytes_may_come_with_the_creation,
                an_upload_that_nobody_hears_of_is_given_up,
                an_upload_of_nothing_is_an_empty_object,
                the_length_may_come_later,
                a_body_beyond_a_length_that_came_later_is_not_committed,
                an_upload_can_be_given_up,
                another_version_of_the_protocol_is_412_with_the_one_there_is,
                a_creation_that_says_too_little_or_too_much_is_refused,
                a_part_that_says_too_little_is_refused,
                what_describes_the_object_comes_with_the_creation,
                a_method_that_does_not_come_through_may_be_sent_as_a_post,
            ],
        },
    }
}

/// Where reads are current.
mod where_reads_are_current {
    suite! {
        sites: [http1, http2, filesystem, spin, unconditional],
        rules: {
            current: [
                a_put_says_whether_it_made_or_replaced_the_object,
                what_came_before_an_upload_broke_off_is_kept,
                uploads_under_way_are_listed,
            ],
        },
    }
}

/// Where writes can be conditional, and reads are current.
mod where_writes_can_be_conditional {
    suite! {
        sites: [http1, http2, filesystem],
        rules: {
            guards: [
                create_only,
                replace_only_what_was_seen,
                a_write_may_be_guarded_by_a_date,
                several_guards_all_count,
                a_guard_that_cannot_be_read_stops_the_write,
                delete_only_what_was_seen,
                an_upload_that_may_not_be_committed_does_not_say_that_it_is_whole,
            ],
            following: [
                an_object_that_is_there_is_read_as_usual,
                an_upload_is_read_as_it_comes_until_its_commit,
                an_upload_that_is_given_up_breaks_the_body,
                head_tells_that_there_is_something_to_follow,
            ],
        },
    }
}

/// Where they cannot.
mod where_no_write_can_be_conditional {
    suite! {
        sites: [spin, unconditional, stale, workers],
        rules: {
            unguarded: [a_write_with_a_guard_is_refused, nobody_can_follow],
        },
    }
}

/// Where requests come as they were sent.
mod where_requests_are_verbatim {
    suite! {
        sites: [http1, http2, filesystem, unconditional, stale],
        rules: {
            verbatim: [dots_between_slashes_are_refused, a_method_that_nobody_knows_is_405],
        },
    }
}

/// Where a platform reads them first.
mod where_requests_are_resolved {
    suite! {
        sites: [workers],
        rules: {
            resolved: [dots_between_slashes_are_resolved, a_method_that_nobody_knows_is_501],
        },
    }
}

/// Where a read may be old.
mod where_reads_may_be_old {
    suite! {
        sites: [stale, workers],
        rules: {
            stale: [a_put_does_not_say_more_than_it_knows],
        },
    }
}
