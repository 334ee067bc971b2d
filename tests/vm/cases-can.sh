# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2034,SC2154,SC2317 # variables and callers are in suite and helpers.sh
# CAN: two Kvaser cards on one bus, and vcan for CAN FD.

case_can_driver() { BF_BENCH_CAN=1 program "$build/tests/unit/transport/test_can_kernel"; }

case_isotp_with_the_kernel() { program "$build/tests/vm/kernel_isotp"; }

rate_is() { # interface, bit rate
	ip -details link show "$1" | grep -q "bitrate $2 " || {
		ip -details link show "$1"
		return 1
	}
}

# can0 is down or at another rate each time: bmsflash itself brings it up.
job_at_rate() { # bit rate, job, arguments...
	rate=$1
	shift
	ip link set can0 down
	"$bmsflash" "$@" --if can0 --bitrate "$rate" >job.out 2>&1 || { tail -n 5 job.out; return 1; }
	rate_is can0 "$rate"
}

every_job_at_rate() { # bit rate
	can_up 50000 && ip link set can1 down && ip link set can1 up type can bitrate "$1" || return 1
	pack --can can1 "$quick" slot1=1.4.0 || return 1
	job_at_rate "$1" probe &&
		job_at_rate "$1" backup -o "at-$1.tar" &&
		job_at_rate "$1" rollback && runs can0 1.4.0 &&
		job_at_rate "$1" flash -k "$data/mcuboot/release.pub.pem" "$image" && runs can0 1.5.0
}

case_can_every_job_at_125k() { every_job_at_rate 125000; }
case_can_every_job_at_250k() { every_job_at_rate 250000; }
case_can_every_job_at_500k() { every_job_at_rate 500000; }
case_can_every_job_at_1m() { every_job_at_rate 1000000; }

case_can_fd_flash() { vcan_up && pack --can vcan0 link=canfd flash=instant && flash vcan0; }

# With the pack's flash as slow as flash is, and the rates agreed with the pack.
case_can_flash_as_in_the_field() { can_up 500000 && pack --can can1 && flash can0; }

case_can_chatter_of_another_node() {
	need cangen
	can_up 500000 && pack --can can1 "$quick" || return 1
	keep cangen can1 -g 2 -I 123 -L 8 -D r -x
	keep cangen can1 -g 3 -I 18FF50E5 -e -L 8 -D r -x
	flash can0
}

# Another program on our own side of the adapter keeps the queue of ten full.
case_can_queue_of_ten_under_load() {
	need cangen
	can_up 500000 && pack --can can1 "$quick" || return 1
	ip link set can0 txqueuelen 10
	keep cangen can0 -g 1 -I 700 -L 8 -D i -p 10
	flash can0 && must_say flash.out '"rx_dropped":0'
}

case_can_interface_down_for_a_moment() {
	can_up 500000 && pack --can can1 flash=instant && during can0 || return 1
	ip link set can0 down
	sleep 0.5
	ip link set can0 up
	ended 0 13 || return 1
	[ "$status" -eq 0 ] || must_say flash.out "interface 'can0' went down while in use" || return 1
	flash can0
}

case_can_interface_down_for_good() {
	can_up 500000 && pack --can can1 flash=instant && during can0 || return 1
	ip link set can0 down
	ended 10 13 && must_say flash.out "interface 'can0'" "sudo ip link set can0 up" || return 1
	ip link set can0 up
	flash can0
}

case_can_bit_rate_not_permitted() {
	can_up 500000
	refused 10 "without CAP_NET_ADMIN; it is up at 500000 bit/s" \
		"sudo ip link set can0 down && sudo ip link set can0 up type can bitrate 250000" -- \
		powerless probe --if can0 --bitrate 250000 || return 1
	ip link set can0 down
	refused 10 "interface 'can0' is down" "sudo ip link set can0 up" -- powerless probe --if can0
}

# The socket itself needs no right: an interface that is up can be used by everybody.
case_can_flash_without_privilege() {
	can_up 500000 && pack --can can1 "$quick" || return 1
	powerless flash --if can0 -k "$data/mcuboot/release.pub.pem" "$image" >job.out 2>&1 || {
		tail -n 5 job.out
		return 1
	}
	runs can0 1.5.0
}

case_can_failed_self_test_and_the_old_firmware_is_back() {
	can_up 500000 && pack --can can1 "$quick" selftest=fail || return 1
	update can0 >flash.out 2>&1
	[ $? -eq 41 ] || { tail -n 3 flash.out; return 1; }
	runs can0 1.3.0
}

frames_of() { # identifier, interface, log: what follows the identifier
	sed -n "s/^([0-9.]*) $2 $1#\([0-9A-F*]*\).*/\1/p" "$3"
}

# What the tester says that it sent and received is what another program saw on the bus, secrets aside: those
# are "**" in the trace. Each direction in its own order, as both ends stamp for themselves.
case_can_trace_is_what_candump_saw() {
	need candump
	can_up 500000 && pack --can can1 "$quick" || return 1
	keep candump -r 8000000 -L can1 >seen.log 2>/dev/null
	poll grep -q can1 /proc/net/can/rcvlist_all
	flash can0 --trace trace.log || return 1
	for id in 7E0 7E8; do
		frames_of $id can0 trace.log >told
		[ "$(wc -l <told)" -gt 3000 ] || { echo "only $(wc -l <told) frames of $id"; return 1; }
		poll test "$(frames_of $id can1 seen.log | wc -l)" -ge "$(wc -l <told)"
		frames_of $id can1 seen.log | paste -d " " told - | awk '
			$1 == "" || NF < 2 { next } # after the run: the probe that follows it
			$1 ~ /\*/ { if (length($1) != length($2)) exit bad = 1; muted++; next }
			$1 != $2 { print NR ": told " $1 ", seen " $2; exit bad = 1 }
			END { if (muted > 20) print muted " frames muted"; exit bad || muted > 20 }' || return 1
	done
}
