# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2034,SC2154,SC2317 # variables and callers are in suite and helpers.sh
# Independent programs on CAN: what others made of the same standards, as client and as server.

ask_isotp() { # interface, options...: reads DID F189 and expects version 1.3.0
	interface=$1
	shift
	timeout 10 isotprecv -s 7e0 -d 7e8 "$@" "$interface" >answer.out &
	receiver=$!
	sleep 0.5
	echo 22 F1 89 | isotpsend -s 7e0 -d 7e8 "$@" "$interface"
	wait "$receiver"
	grep -qi '62 F1 89 31 2E 33 2E 30' answer.out || { cat answer.out; return 1; }
}

case_can_utils_ask_the_pack() {
	need isotpsend isotprecv
	can_up 500000 && pack --can can1 && ask_isotp can0 -p CC:CC
}

case_can_utils_ask_the_pack_on_can_fd() {
	need isotpsend isotprecv
	vcan_up && pack --can vcan0 link=canfd && ask_isotp vcan0 -L 72:64:1
}

# ---- our ISO-TP and that of can-utils: lengths, block sizes, separation times ----

message() { # length: so many bytes in hex, others for each length
	awk -v n="$1" 'BEGIN { for (i = 0; i < n; i++) printf "%02X ", (i * 7 + n) % 256; print "" }'
}

# Each message goes to our side and comes back; ours asks for a block size and STmin, and so does isotprecv.
echoed() { # our interface and theirs, options of theirs, our BS and STmin, theirs (hex), lengths...
	wire=$2 options=$3 ours=$4 bs=$5 st=$6
	iface=$1
	shift 6
	# shellcheck disable=SC2086
	keep "$build/tests/vm/isotp_echo" "$iface" $ours >echo.out 2>&1
	echo_pid=$kept
	poll grep -q ready echo.out || { cat echo.out; return 1; }
	: >back.out
	# shellcheck disable=SC2086
	keep stdbuf -oL isotprecv -l -s 7e0 -d 7e8 -b "$bs" -m "$st" $options "$wire" >back.out
	poll grep -qi 7e8 /proc/net/can/rcvlist_sff || return 1
	for length; do
		message "$length" >sent.out
		# shellcheck disable=SC2086
		isotpsend -s 7e0 -d 7e8 $options "$wire" <sent.out || return 1
		poll grep -qFx "$(cat sent.out)" back.out || {
			echo "$length bytes with '$ours', $bs $st did not come back:"
			cat echo.out
			tail -n 1 back.out | cut -c 1-100
			return 1
		}
	done
	[ "$(wc -l <back.out)" -eq $# ] || { echo "$(wc -l <back.out) messages came back, not $#"; return 1; }
	kill "$kept" "$echo_pid"
}

# A single frame has 7 bytes, a first frame 6, the others 7; the sequence number wraps after 15 of those; 12 bits
# of length end at 4095.
case_can_utils_isotp_at_every_boundary() {
	need isotpsend isotprecv "$build/tests/vm/isotp_echo"
	can_up 500000
	echoed can1 can0 '-p CC:CC' '0 0' 0 0 1 6 7 8 12 13 14 19 20 21 62 63 110 111 112 117 118 119 4094 4095
}

case_can_utils_isotp_with_block_sizes_and_gaps() {
	need isotpsend isotprecv "$build/tests/vm/isotp_echo"
	can_up 500000
	echoed can1 can0 '-p CC:CC' '1 0' 1 0 8 13 14 20 119 &&
		echoed can1 can0 '-p CC:CC' '2 0xF3' 3 5 8 20 27 119 &&
		echoed can1 can0 '' '8 5' 8 F9 8 62 63 119 &&
		echoed can1 can0 '-p CC:CC' '15 1' 10 1 118 119 230
}

# 62 bytes in a single frame and in a first frame, 63 in the others.
case_can_utils_isotp_on_can_fd() {
	need isotpsend isotprecv "$build/tests/vm/isotp_echo"
	vcan_up
	echoed vcan0 vcan0 '-L 72:64:1' '0 0 fd' 0 0 1 7 8 12 13 61 62 63 64 124 125 126 188 189 4095 &&
		echoed vcan0 vcan0 '-L 72:64:1' '1 5 fd' 2 F1 63 126 400
}

# ---- scapy ----

scapy_here() { # python with scapy
	python=/usr/bin/python3
	[ -d /usr/lib/python3/dist-packages/scapy ] || skip "no scapy (python3-scapy)"
	need $python
}

case_scapy_updates_the_pack() {
	scapy_here
	can_up 500000 && pack --can can1 "$quick" || return 1
	$python "$here/scapy_client.py" can0 "$image" || return 1
	runs can0 1.5.0
}

scapy_flashes() { # models of makers
	scapy_here
	can_up 500000
	for model; do
		pack --can can1 model="$model" || return 1
		$python "$here/scapy_maker.py" can0 "$model" "$image" || return 1
		kill "$pack_pid"
	done
}

case_scapy_reads_and_flashes_what_a_maker_ships() { scapy_flashes vw; }
case_all_scapy_reads_and_flashes_what_makers_ship() { scapy_flashes zhidou nxp volvo tesla geehy; }

case_scapy_is_probed() {
	scapy_here
	can_up 500000
	keep $python "$here/scapy_server.py" can1 >server.out 2>&1
	poll grep -q ready server.out || { cat server.out; return 1; }
	"$bmsflash" probe --if can0 --protocol uds --profile "$profile" >probe.out 2>&1 || { cat probe.out; return 1; }
	must_say probe.out 4.2.1 SCAPY-0042
}
