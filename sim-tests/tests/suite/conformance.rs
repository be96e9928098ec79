//! Sockets held to those of the kernel: the same programs of calls, with tokio's on the real
//! loopback and with ours in the simulation, give the same results, errors and data, call by call.
//!
//! In the simulation each case is played twice: on one node that talks to itself, as on the real
//! loopback, and on two nodes with a link between them.

mod log;
mod mutants;
// The same cases twice is the point: with tokio's sockets, and with ours.
#[expect(clippy::duplicate_mod, reason = "compares two sets of sockets")]
mod ours;
mod tokios;

use std::net::{Ipv4Addr, Ipv6Addr, UdpSocket};

use self::log::side_by_side;
use self::ours::Layout;

/// A case on both arms.
struct Case {
    name: &'static str,
    area: &'static str,
    ours: ours::cases::Case,
    tokios: tokios::cases::Case,
}

impl Case {
    /// Where it is played.
    fn layouts(&self) -> &'static [Layout] {
        match self.area {
            // Unix sockets are of one host.
            "unix_stream" | "unix_datagram" => &[Layout::Loopback],
            _ => &[Layout::Loopback, Layout::Link],
        }
    }
}

/// Makes a test of each case, and the list of all.
macro_rules! cases {
    ($($area:ident: $($name:ident)*;)*) => {
        const CASES: &[Case] = &[$($(Case {
            name: stringify!($name),
            area: stringify!($area),
            ours: |stage| Box::pin(ours::cases::$area::$name(stage)),
            tokios: |stage| Box::pin(tokios::cases::$area::$name(stage)),
        },)*)*];

        $($(
            #[test]
            fn $name() {
                compare(stringify!($name));
            }
        )*)*
    };
}

/// The cases that need IPv6 on the real loopback.
const OF_IPV6: &[&str] = &[
    "addresses_of_ipv6",
    "addresses_of_a_dual_stack_listener",
    "connect_to_a_mapped_address",
    "connect_with_the_other_family",
    "bind_wildcard_and_specific",
    "bind_wildcard_of_v6_and_others",
    "bind_with_the_other_family",
    "broadcast_comes_to_a_dual_stack_socket",
    "group_of_ipv6_is_joined_once",
    "group_of_ipv6_loop_is_switched",
    "udp_options_of_a_socket_of_ipv6",
    "udp_sizes_of_ipv6",
];

/// The cases that need a way to groups on the real machine besides the loopback.
const OF_A_NETWORK: &[&str] = &["group_loop_is_switched", "group_of_ipv6_loop_is_switched"];

/// Whether the real machine has that, for both families.
fn reaches_groups() -> bool {
    let v4 = Ipv4Addr::new(239, 0, 0, 1);
    let v6 = Ipv6Addr::new(0xff01, 0, 0, 0, 0, 0, 0, 9);
    let joins_v4 = |socket: UdpSocket| socket.join_multicast_v4(&v4, &Ipv4Addr::UNSPECIFIED);
    let joins_v6 = |socket: UdpSocket| socket.join_multicast_v6(&v6, 0);
    UdpSocket::bind("0.0.0.0:0").and_then(joins_v4).is_ok()
        && UdpSocket::bind("[::]:0").and_then(joins_v6).is_ok()
}

/// A case has nothing to be compared with on this machine, a container, say. It says so, and fails
/// if the environment asks for all cases, as `.ci/run` does.
#[track_caller]
fn skip(name: &str, lack: &str) {
    eprintln!("{name} is skipped: this machine {lack}");
    let asked = std::env::var_os("STORMGLASS_CONFORMANCE");
    assert!(
        asked.is_none_or(|asked| asked != "all"),
        "{name} is skipped, since this machine {lack}: unset STORMGLASS_CONFORMANCE to let it pass"
    );
}

/// Plays a case on both arms.
#[track_caller]
fn compare(name: &str) {
    let case = CASES.iter().find(|case| case.name == name).unwrap();
    if OF_IPV6.contains(&name) && UdpSocket::bind("[::1]:0").is_err() {
        return skip(name, "has no IPv6");
    }
    if OF_A_NETWORK.contains(&name) && !reaches_groups() {
        return skip(name, "has no way to groups");
    }
    let real = tokios::play(case.tokios);
    let mut differences = String::new();
    for layout in case.layouts() {
        let simulated = ours::play(case.ours, *layout);
        if simulated != real {
            let title = format!("simulated, {layout:?}");
            differences += &side_by_side(("real", &real), (&title, &simulated));
        }
    }
    assert!(differences.is_empty(), "{name}:{differences}");
}

cases! {
    connect:
        connect_to_a_bound_port_is_refused
        connect_after_the_listener_is_refused
        connect_to_port_zero
        connect_to_many
        connect_to_the_wildcard_is_loopback
        connect_tries_each_address
        connect_by_bad_text
        addresses_on_each_side
        addresses_of_ipv6
        addresses_of_a_dual_stack_listener
        connect_to_a_mapped_address
        connect_with_the_other_family
        connect_from_a_bound_socket
        connect_twice_between_two_addresses
        connect_to_oneself
        connect_to_ones_own_address
        what_a_socket_says_to_itself_is_unread;
    accept:
        accept_in_the_order_of_connecting
        accept_after_the_client_closed
        accept_after_the_client_reset
        backlog_of_one_takes_two
        backlog_of_zero_takes_one
        dropping_a_listener_resets_its_queue
        dropping_a_listener_keeps_what_was_accepted
        accepted_streams_inherit_options
        a_cancelled_accept_loses_nothing
        options_of_a_listener;
    bind:
        bind_in_use
        bind_to_an_address_of_others
        bind_to_port_zero_takes_another_each_time
        bind_with_and_without_reuse
        bind_beside_a_listener_with_reuse
        bind_wildcard_and_specific
        bind_wildcard_of_v6_and_others
        bind_specific_and_wildcard
        bind_with_the_other_family
        listen_without_an_address
        bind_while_the_old_connection_waits
        bind_after_the_client_closed_first
        bind_after_a_reset
        bind_gives_its_port_back
        options_of_a_socket
        more_options_of_a_socket;
    transfer:
        partial_reads
        one_read_takes_several_writes
        read_waits_for_the_first_byte
        read_into_an_empty_buffer
        write_of_nothing
        attempts_do_not_wait
        writes_until_one_would_wait
        megabytes_both_ways
        a_small_window_moves_everything
        peek_leaves_what_it_sees
        vectored_writes
        vectored_reads
        halves_that_borrow
        halves_without_waiting
        ping_pong_keeps_its_order;
    close:
        half_close_then_read
        the_end_stays
        shutdown_twice
        write_after_shutdown
        both_end
        both_end_at_once
        write_to_a_peer_that_closed
        read_first_after_writing_to_a_peer_that_closed
        what_was_written_arrives_after_closing
        much_that_was_written_arrives_after_closing
        dropping_the_owned_writing_half_ends_the_stream
        dropping_the_owned_reading_half_changes_nothing
        forgetting_the_owned_writing_half
        halves_are_reunited
        linger_is_remembered
        options_of_a_stream;
    ready:
        ready_at_the_beginning
        ready_when_there_is_something
        ready_after_the_peer_ended
        ready_after_ending
        ready_after_both_ended
        ready_after_a_reset
        ready_after_a_reset_of_unread_data
        ready_while_there_is_no_error
        ready_for_what_is_urgent
        trying_io_when_nothing_is_ready
        trying_io_when_something_is
        io_that_waits
        interests_are_added_and_removed;
    reset:
        read_after_a_reset
        write_after_a_reset
        write_of_nothing_after_a_reset
        peek_after_a_reset
        addresses_after_a_reset
        the_error_is_taken_once
        unread_data_makes_a_reset
        data_comes_before_the_reset
        vectored_reads_leave_the_reset
        half_read_data_makes_a_reset
        unread_data_after_the_end_makes_a_reset
        unread_end_makes_no_reset
        data_for_a_closed_end_makes_a_reset
        lingering_for_no_time_throws_away
        a_reset_after_both_ended_is_not_seen
        a_reset_after_the_end_was_read
        a_reset_of_a_half_closed_end
        a_reader_that_waits_hears_of_the_reset
        a_writer_that_waits_hears_of_the_reset;
    udp:
        udp_there_and_back
        udp_refused_on_the_next_send
        udp_unconnected_hears_no_refusal
        udp_cuts_what_does_not_fit
        udp_empty_datagrams
        udp_to_port_zero
        udp_sizes
        udp_send_without_a_peer
        udp_connected_hears_its_peer_alone
        udp_connect_again
        udp_peek_leaves_the_datagram
        udp_bind_in_use
        udp_attempts_do_not_wait
        udp_options_of_a_socket
        udp_options_of_a_socket_of_ipv6
        udp_sizes_of_ipv6
        udp_connect_to_port_zero
        udp_errors_of_the_address_come_first
        udp_error_is_taken
        udp_receives_behind_what_is_there
        udp_operations_of_the_program
        udp_ready_for_an_error;
    many:
        broadcast_needs_permission
        broadcast_comes_to_the_wildcard
        broadcast_comes_to_a_dual_stack_socket
        broadcast_within_the_host
        broadcast_is_not_refused
        group_without_a_member
        group_comes_to_its_member
        group_comes_to_who_did_not_join
        group_comes_to_the_wildcard
        group_is_joined_once
        group_that_is_none
        group_after_group
        group_as_a_peer
        group_at_the_loopback_ignores_the_loop
        group_loop_is_switched
        group_of_ipv6_loop_is_switched
        group_of_ipv6_is_joined_once
        group_of_ipv6_on_a_socket_of_ipv4;
    unix_stream:
        unix_paths_outlive_their_sockets
        unix_a_removed_path_can_be_bound_at_once
        unix_names_on_each_side
        unix_abstract_names_go_with_their_sockets
        unix_bad_names
        unix_accept_later
        unix_dropping_a_listener_resets_its_queue
        unix_reads_know_no_borders
        unix_nothing_to_read_or_write
        unix_ends_one_direction
        unix_closes_in_good_order
        unix_unread_data_makes_a_reset
        unix_vectored_reads_leave_the_reset
        unix_half_read_data_makes_a_reset
        unix_who_waits_hears_of_the_end
        unix_room_of_a_stream
        unix_a_full_stream_waits_for_three_quarters
        unix_part_of_a_buffer_frees_nothing
        unix_a_part_is_full_for_those_that_wait
        unix_megabytes_both_ways
        unix_halves
        unix_attempts_do_not_wait
        unix_a_cancelled_accept_loses_nothing
        unix_ready_after_an_end
        unix_ready_after_a_reset
        unix_addresses_instead_of_paths
        unix_operations_of_the_program;
    unix_datagram:
        unix_datagram_there_and_back
        unix_datagram_paths_outlive_their_sockets
        unix_datagram_bad_names
        unix_kinds_do_not_mix
        unix_datagram_connected_hears_its_peer_alone
        unix_datagram_to_a_closed_peer
        unix_datagram_connects_elsewhere
        unix_datagram_error_is_told_once
        unix_datagram_error_comes_before_data
        unix_datagram_sizes
        unix_room_of_a_datagram_socket
        unix_a_full_pair_waits_for_three_quarters
        unix_a_full_queue_tells_a_connected_sender
        unix_a_full_queue_has_an_unconnected_sender_try
        unix_a_closed_receiver_refuses_who_waits
        unix_datagram_shutdown
        unix_datagram_attempts_do_not_wait
        unix_datagram_ready
        unix_datagram_growing_buffers
        unix_datagram_operations_of_the_program;
}
