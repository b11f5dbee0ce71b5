//! That every setting has a test which would fail if the setting did nothing: a new one has to be
//! entered here with its test.

use chronolith_server::testing::setting_paths;

use crate::floors::sources;

/// Each setting, in the order of the table, and the test that sees what it changes.
#[rustfmt::skip]
const GUARDS: &[(&str, &str)] = &[
    ("data", "it_serves_until_it_is_told_to_stop_and_then_ends_well"),
    ("listen.prometheus", "every_door_is_where_its_flag_says"),
    ("listen.loki", "every_door_is_where_its_flag_says"),
    ("listen.otlp_grpc", "every_door_is_where_its_flag_says"),
    ("listen.otlp_http", "every_door_is_where_its_flag_says"),
    ("listen.admin", "every_door_is_where_its_flag_says"),
    ("retention", "a_tenants_own_limits_bite_it_alone"),
    ("retention_rules", "what_a_rule_keeps_for_a_shorter_time_is_not_taken_any_more"),
    ("retention_tenant_bytes_max",
     "a_tenants_bound_on_bytes_holds_for_its_metrics_and_for_its_logs"),
    ("retention_bytes_max", "the_engine_is_opened_with_what_the_settings_say"),
    ("out_of_order_window", "a_sample_again_is_fine_and_another_value_is_not"),
    ("durability", "a_write_is_done_when_it_is_as_durable_as_is_wanted"),
    ("memory_max", "what_is_not_given_follows_from_the_memory_and_what_is_given_counts"),
    ("store.head_bytes_max", "entries_go_to_blocks_when_they_take_the_memory_that_they_may"),
    ("store.cache_bytes_max", "pages_are_kept_for_repeated_reads_where_there_is_room_for_them"),
    ("store.wal_bytes_max", "entries_go_to_blocks_when_the_log_is_as_long_as_it_may_be"),
    ("store.series_max", "series_of_all_tenants_together_are_bounded"),
    ("store.open_files_max", "no_more_files_of_blocks_stay_open_than_may"),
    ("store.reserve_bytes", "as_much_is_set_aside_for_a_full_disk_as_is_wanted"),
    ("store.compaction_percent",
     "merges_wait_to_be_asked_where_they_may_take_nothing_of_a_core"),
    ("store.future_max", "samples_may_be_as_far_ahead_of_the_clock_as_is_allowed"),
    ("ingest.series_max", "a_tenants_own_limits_bite_it_alone"),
    ("ingest.streams_max", "a_tenants_own_limits_bite_it_alone"),
    ("ingest.samples_per_second",
     "who_pushes_too_fast_is_told_when_to_come_again_by_every_receiver"),
    ("ingest.lines_per_second", "who_pushes_too_fast_is_told_when_to_come_again_by_every_receiver"),
    ("ingest.line_bytes_per_second",
     "a_large_push_is_taken_once_and_the_next_one_is_told_what_it_waits_for"),
    ("ingest.burst", "a_longer_burst_lets_a_sender_come_back_at_once"),
    ("query.timeout", "a_query_ends_when_it_has_taken_as_long_as_it_may"),
    ("query.lookback", "a_sample_is_the_value_of_its_series_as_long_as_is_looked_back"),
    ("query.samples_max", "limits_of_queries_are_counted"),
    ("query.all_samples_max", "queries_find_no_room_where_others_hold_all_of_it"),
    ("query.concurrent_max", "no_more_queries_run_at_once_than_may"),
    ("query.waiting_max", "who_finds_too_many_waiting_is_turned_away_and_counted"),
    ("query.nice", "queries_stand_back_as_far_as_is_set"),
    ("connections_max", "a_door_takes_no_more_connections_than_it_may"),
    ("writes_max", "no_more_writes_run_at_once_than_may"),
    ("writes_waiting_max", "who_finds_too_many_waiting_is_turned_away_and_counted"),
    ("http.body_bytes_max", "bodies_have_the_sizes_that_are_set_and_refusals_are_counted"),
    ("http.decoded_bytes_max", "bodies_have_the_sizes_that_are_set_and_refusals_are_counted"),
    ("http.json_bytes_max", "bodies_have_the_sizes_that_are_set_and_refusals_are_counted"),
    ("http.form_bytes_max", "bodies_have_the_sizes_that_are_set_and_refusals_are_counted"),
    ("http.held_bytes_max",
     "bodies_that_find_no_room_are_refused_by_every_receiver_and_may_come_again"),
    ("http.body_timeout", "who_takes_too_long_is_not_waited_for"),
    ("http.head_timeout", "who_takes_too_long_is_not_waited_for"),
    ("http.headers_max", "heads_have_the_sizes_that_are_set"),
    ("http.head_bytes_max", "heads_have_the_sizes_that_are_set"),
    ("http.write_timeout", "who_does_not_read_what_was_asked_for_is_let_go"),
    ("http.handshake_timeout", "a_handshake_that_takes_too_long_is_given_up"),
    ("http.drain_timeout", "a_server_that_stops_waits_for_requests_no_longer_than_it_may"),
    ("grpc.calls_max", "a_connection_is_told_what_it_may_have"),
    ("grpc.header_bytes_max", "a_connection_is_told_what_it_may_have"),
    ("grpc.ahead_bytes_max", "a_connection_is_told_what_it_may_have"),
    ("grpc.resets_max", "calls_may_be_taken_back_and_be_wrong_as_often_as_is_set"),
    ("grpc.errors_max", "calls_may_be_taken_back_and_be_wrong_as_often_as_is_set"),
    ("grpc.keep_alive", "who_says_nothing_is_asked_and_let_go_as_soon_as_is_set"),
    ("grpc.keep_alive_timeout", "who_says_nothing_is_asked_and_let_go_as_soon_as_is_set"),
    ("grpc.idle_timeout", "who_says_nothing_is_asked_and_let_go_as_soon_as_is_set"),
    ("web_config_file", "every_door_is_encrypted_and_certificates_are_replaced_while_it_runs"),
    ("multi_tenant", "a_tenants_own_limits_bite_it_alone"),
    ("tenants_max", "further_tenants_than_are_allowed_are_refused_and_make_no_folder"),
    ("journal.format", "slow_queries_are_told_in_a_journal_of_json"),
    ("journal.slow_query", "slow_queries_are_told_in_a_journal_of_json"),
    ("otlp.translation", "names_of_opentelemetry_stay_as_they_are_where_that_is_wanted"),
    ("otlp.delta_series_max", "no_more_series_of_deltas_are_added_up_than_may_be"),
    ("log.retention", "a_tenants_own_limits_bite_it_alone"),
    ("log.query_timeout", "queries_of_logs_answer_and_take_what_is_set"),
    ("log.labels_max", "labels_of_streams_have_the_number_and_the_sizes_that_are_set"),
    ("log.label_name_bytes_max", "labels_of_streams_have_the_number_and_the_sizes_that_are_set"),
    ("log.label_value_bytes_max", "labels_of_streams_have_the_number_and_the_sizes_that_are_set"),
    ("log.line_bytes_max", "a_tenants_own_limits_bite_it_alone"),
    ("log.metadata_labels_max", "metadata_of_lines_has_the_number_and_the_size_that_are_set"),
    ("log.metadata_bytes_max", "metadata_of_lines_has_the_number_and_the_size_that_are_set"),
    ("log.entries_max", "limits_of_queries_are_counted"),
    ("log.series_max", "queries_of_logs_answer_and_take_what_is_set"),
    ("log.volumes_max", "queries_of_logs_answer_and_take_what_is_set"),
    ("log.tails_max", "more_tails_than_are_allowed_are_closed_with_the_reason"),
    ("log.tail_max", "a_tail_ends_when_it_has_lasted_as_long_as_it_may"),
    ("log.tail_send_timeout",
     "a_tail_whose_reader_does_not_read_ends_when_a_frame_has_taken_too_long"),
    ("log.range_max", "queries_of_logs_answer_and_take_what_is_set"),
    ("log.patterns", "patterns_are_found_where_the_operator_wants_it"),
];

#[test]
fn every_setting_is_guarded_by_a_test() {
    let guarded: Vec<&str> = GUARDS.iter().map(|(path, _)| *path).collect();
    let all: Vec<&str> = setting_paths().collect();
    assert_eq!(
        guarded, all,
        "the table of settings and the list of their tests differ"
    );
}

#[test]
fn every_test_that_guards_a_setting_exists_and_names_it() {
    let sources = sources();
    for (path, test) in GUARDS {
        let key = path.rsplit('.').next().unwrap();
        let (flag, begin) = (key.replace('_', "-"), format!("#[test]\nfn {test}()"));
        // Tests within a room are indented.
        let within = format!("#[test]\n    fn {test}()");
        let is_guard = |text: &str| {
            let has_test = text.contains(&begin) || text.contains(&within);
            has_test && (text.contains(key) || text.contains(&flag))
        };
        let found = sources.iter().any(|source| is_guard(&source.text));
        assert!(
            found,
            "no test {test} in a file that names {key}, for {path}"
        );
    }
}
