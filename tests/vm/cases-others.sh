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

case_scapy_is_probed() {
	scapy_here
	can_up 500000
	keep $python "$here/scapy_server.py" can1 >server.out 2>&1
	poll grep -q ready server.out || { cat server.out; return 1; }
	"$bmsflash" probe --if can0 --protocol uds >probe.out 2>&1 || { cat probe.out; return 1; }
	must_say probe.out 4.2.1 SCAPY-0042
}
