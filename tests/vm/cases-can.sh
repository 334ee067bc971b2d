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
	"$bmsflash" "$@" --if can0 --bitrate "$rate" --profile "$profile" --json >job.out 2>&1 || { tail -n 3 job.out; return 1; }
	clean job.out && rate_is can0 "$rate"
}

# Here a backup reads only the calibration, but at 1 Mbit/s all that there is.
calibration='[region calib]
kind = calibration
address = 0x08112000
size = 8192
access = read'

every_job_at_rate() { # bit rate, what a backup is told to read
	can_up 50000 && ip link set can1 down && ip link set can1 up type can bitrate "$1" || return 1
	pack --can can1 "$quick" slot1=1.4.0 || return 1
	special "$2"
	job_at_rate "$1" probe && job_at_rate "$1" backup -o backup.tar || return 1
	tar -xOf backup.tar regions/calib.bin >calib.bin && [ "$(wc -c <calib.bin)" -eq 8192 ] || return 1
	special ''
	job_at_rate "$1" rollback && runs can0 1.4.0 &&
		job_at_rate "$1" flash "$swift" -k "$data/mcuboot/release.pub.pem" "$image" && runs can0 1.5.0
}

case_all_can_every_job_at_125k() { every_job_at_rate 125000 "$calibration"; }
case_all_can_every_job_at_250k() { every_job_at_rate 250000 "$calibration"; }
case_can_every_job_at_500k() { every_job_at_rate 500000 "$calibration"; }
case_all_can_every_job_at_1m() { every_job_at_rate 1000000 ''; }

case_can_fd_flash() {
	special '[can]' 'fd = yes' 'bit-rate-switch = yes'
	vcan_up && pack --can vcan0 link=canfd flash=instant && flash vcan0 --trace trace.log || return 1
	must_say trace.log 'vcan0 7E0##1' 'vcan0 7E8##1' || return 1
	! grep -q 'vcan0 7E[08]#[^#]' trace.log || { echo "classic frames"; return 1; }
}

# No profile, the pack's flash as slow as flash is, the rates agreed with the pack, and a backup. It may have to
# ask twice: see `special`.
case_can_flash_as_in_the_field() {
	can_up 500000 && pack --can can1 || return 1
	"$bmsflash" flash --if can0 -k "$data/mcuboot/release.pub.pem" "$image" >flash.out 2>&1 || {
		tail -n 5 flash.out
		return 1
	}
	must_say flash.out 'runs 1.5.0, verified by the pack' && runs can0 1.5.0
}

case_can_chatter_of_another_node() {
	need cangen
	can_up 500000 && pack --can can1 "$quick" || return 1
	keep cangen can1 -g 2 -I 123 -L 8 -D r -x
	keep cangen can1 -g 3 -I 18FF50E5 -e -L 8 -D r -x
	flash can0 "$swift"
}

# The emulated bus carries a frame in no time: a shaper before it lets 2000 frames of 16 bytes (as the kernel counts
# them) pass a second, and has room for ten.
slow_bus() { # interface
	need tc
	modprobe sch_tbf
	tc qdisc replace dev "$1" root tbf rate 256kbit burst 16 limit 160
}

# Ours is not the only program that sends: the queue overflows, no frame of ours may be missing.
case_can_queue_of_ten_under_load() {
	need cangen candump
	can_up 500000 && pack --can can1 "$quick" || return 1
	slow_bus can0 || return 1
	keep candump -r 8000000 -L can1 >seen.log 2>/dev/null
	keep cangen can0 -g 1 -I 700 -L 8 -D i -p 10
	poll grep -q 700# seen.log
	flash can0 "$swift" --trace trace.log && must_say flash.out '"rx_dropped":0' || return 1
	! grep -q '"queue_full":0,' summary.flash || { echo "the queue was never full"; return 1; }
	traced 7E0 1000
}

# Whoever sets it down is at work on it: the run ends at once, the old firmware runs on, and the next run goes on from
# there. The last look may find the interface up again, and then the pack is heard; before that nobody knows.
case_can_interface_down_and_back() {
	can_up 500000 && pack --can can1 flash=instant && during can0 "$swift" || return 1
	ip link set can0 down
	sleep 0.5
	ip link set can0 up
	ended 13 && must_say flash.out "interface 'can0' went down while in use" || return 1
	grep -Eq '"state":"(unknown|old-running)"' flash.out || { echo "the state is neither unknown nor old-running"; return 1; }
	flash can0 "$swift"
}

case_can_interface_down_for_good() {
	can_up 500000 && pack --can can1 flash=instant && during can0 "$swift" || return 1
	ip link set can0 down
	ended 13 && must_say flash.out '"state":"unknown"' "interface 'can0' went down while in use" \
		"sudo ip link set can0 up" || return 1
	refused 10 "nterface 'can0' is down" "sudo ip link set can0 up" -- "$bmsflash" probe --if can0 || return 1
	ip link set can0 up
	flash can0 "$swift"
}

case_can_bit_rate_not_permitted() {
	can_up 500000
	refused 10 "without CAP_NET_ADMIN; it is up at 500000 bit/s" \
		"sudo ip link set can0 down && sudo ip link set can0 up type can bitrate 250000" -- \
		powerless probe --if can0 --bitrate 250000 || return 1
	ip link set can0 down
	refused 10 "nterface 'can0' is down" "sudo ip link set can0 up" -- powerless probe --if can0
}

# The socket itself needs no right: an interface that is up can be used by everybody.
case_can_flash_without_privilege() {
	can_up 500000 && pack --can can1 "$quick" || return 1
	cp "$data/mcuboot/release.pub.pem" plain.pem # the source may lie in a folder that is closed to others
	cp "$image" plain.bin
	powerless flash --if can0 --profile "$profile" --json "$swift" -k plain.pem plain.bin >job.out 2>&1 || {
		tail -n 5 job.out
		return 1
	}
	clean job.out && runs can0 1.5.0
}

case_can_failed_self_test_and_the_old_firmware_is_back() {
	can_up 500000 && pack --can can1 "$quick" selftest=fail || return 1
	update can0 "$swift" >flash.out 2>&1
	[ $? -eq 41 ] || { tail -n 3 flash.out; return 1; }
	clean flash.out && runs can0 1.3.0
}

frames_of() { # identifier, interface, log: what follows the identifier
	sed -n "s/^([0-9.]*) $2 $1#\([0-9A-F*]*\).*/\1/p" "$3"
}

seen_as_many() { # identifier; candump writes late. More: the probe after the run
	[ "$(frames_of "$1" can1 seen.log | wc -l)" -ge "$(wc -l <told)" ]
}

# trace.log and seen.log tell the same frames of an identifier, in the same order, none missing. Secrets are "**" in
# the trace.
traced() { # identifier, lowest number of frames
	frames_of "$1" can0 trace.log >told
	[ "$(wc -l <told)" -ge "$2" ] || { echo "only $(wc -l <told) frames of $1"; return 1; }
	poll seen_as_many "$1" || return 1
	frames_of "$1" can1 seen.log | head -n "$(wc -l <told)" | paste -d " " told - | awk '
		$1 ~ /\*/ { if (length($1) != length($2)) exit bad = 1; muted++; next }
		$1 != $2 { print NR ": told " $1 ", seen " $2; exit bad = 1 }
		END { if (muted > 20) print muted " frames muted"; exit bad || muted > 20 }'
}

# What the tester says that it sent and received is what another program saw on the bus. Each direction in its own
# order, as both ends stamp for themselves.
case_can_trace_is_what_candump_saw() {
	need candump
	can_up 500000 && pack --can can1 "$quick" || return 1
	keep candump -r 8000000 -L can1 >seen.log 2>/dev/null
	poll grep -q can1 /proc/net/can/rcvlist_all
	flash can0 --trace trace.log && traced 7E0 3000 && traced 7E8 3000
}
