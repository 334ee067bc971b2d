# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2034,SC2154,SC2317 # variables and callers are in suite and helpers.sh
# Serial ports: two 16550 wired to each other, and a USB adapter made of both sides of dummy_hcd.

case_serial_driver() {
	program "$here/../unit/transport/rs485_on_kernel" "$build/tests/unit/transport/test_rs485_pair"
}

# Pinned rates, standard and not; a 16550 divides 115200, the USB adapter takes any number.
each_rate() { # port, rates...
	port=$1
	shift
	for rate; do
		"$bmsflash" probe --if "$port" --profile "$profile" --baud "$rate" --json >probe.out 2>&1 || {
			echo "at $rate bit/s:"
			tail -n 2 probe.out
			return 1
		}
		must_say probe.out '"version":"1.3.0"' && clean probe.out || return 1
	done
}

# Pinned rates first, then one update at the rate that pack and port agree on.
probes_and_update() { # pack's end, our end, framing, rates...
	theirs=$1 ours=$2
	special '[rs485]' "framing = $3"
	shift 3
	tty_pack "$theirs" && each_rate "$ours" "$@" && flash "$ours" "$swift"
}

case_all_uart_hdlc() { probes_and_update /dev/ttyS5 /dev/ttyS4 hdlc 9600 14400 38400; }

case_uart_iso14230() { probes_and_update /dev/ttyS5 /dev/ttyS4 iso14230 9600 14400 38400; }

case_usb_serial_hdlc() {
	gadget_up && probes_and_update /dev/ttyGS0 /dev/ttyACM0 hdlc 9600 76800 250000 3000000
}

case_all_usb_serial_iso14230() {
	gadget_up && probes_and_update /dev/ttyGS0 /dev/ttyACM0 iso14230 9600 76800 250000 921600
}

# What the adapter is told, as the kernel's USB monitor saw it: SET_LINE_CODING (rate, stop bits, parity, data bits),
# and SET_CONTROL_LINE_STATE with DTR and RTS (USB CDC PSTN 1.2, 6.3.10 and 6.3.12).
case_usb_serial_adapter_is_told_speed_parity_and_modem_lines() {
	modprobe usbmon || skip "no usbmon"
	gadget_up && tty_pack /dev/ttyGS0 || return 1
	bus=$(readlink -f /sys/class/tty/ttyACM0/device/..)
	read -r bus <"$bus/busnum"
	keep cat "/sys/kernel/debug/usb/usbmon/${bus}u" >usb.log
	special '[rs485]' 'framing = hdlc' 'parity = even' 'stop-bits = 2'
	each_rate /dev/ttyACM0 250000 || return 1
	special '[rs485]' 'framing = hdlc' 'parity = odd'
	each_rate /dev/ttyACM0 76800 || return 1
	poll must_say usb.log 's 21 20 0000 0000 0007 7 = 90d00300 020208' \
		's 21 20 0000 0000 0007 7 = 002c0100 000108' 's 21 22 0003 0000 0000 0' ||
		grep ' s 21 2[02] ' usb.log
}

case_serial_rate_that_the_port_cannot_do() {
	refused 10 123456 -- "$bmsflash" probe --if /dev/ttyS4 --baud 123456
}

case_serial_port_is_held_and_the_holder_is_named() {
	gadget_up || return 1
	keep tail -f /dev/ttyACM0
	refused 11 "in use by 'tail' (pid $kept" "kill $kept" -- "$bmsflash" probe --if /dev/ttyACM0
}

case_serial_port_not_permitted() {
	gadget_up || return 1
	refused 10 "ou may not use" "/dev/ttyACM0" "sudo" -- powerless probe --if /dev/ttyACM0
}

# Two adapters: the only one would be asked, not listed.
case_serial_port_is_listed_with_its_names() {
	gadget_up && can_up 500000 || return 1
	"$bmsflash" probe >list.out 2>&1
	must_say list.out ttyACM0 "Bench adapter" BENCH7 ttyS4 can0
}

# The other bank is what is written: the old firmware runs on, and the next run ends what was begun.
case_serial_adapter_unplugged_in_the_middle() {
	special '[rs485]' 'rates = 115200' # so that writing lasts
	gadget_up && tty_pack /dev/ttyGS0 flash=real,state=pack.state &&
		during /dev/ttyACM0 "$swift" || return 1
	echo >"$gadget/UDC" 2>/dev/null
	ended 13 && must_say flash.out ttyACM0 '"likely":' '"next":' '"state":"unknown"' || return 1
	kill "$pack_pid"
	gadget_down
	gadget_up && tty_pack /dev/ttyGS0 state=pack.state && flash /dev/ttyACM0 "$swift"
}

# ---- a pack that is a USB serial port ----

case_acm_pack_hears_line_coding_and_modem_lines() {
	acm_pack parity=even,rate=57600 || return 1
	special '[rs485]' 'framing = hdlc' 'parity = even' 'stop-bits = 2'
	each_rate /dev/ttyACM0 57600 || return 1
	poll must_say sim.out 'line 57600 8E2' 'DTR 1 RTS 1' 'DTR 0 RTS 0' || return 1
	special '[rs485]' 'framing = hdlc' 'parity = odd' # garbage to it
	"$bmsflash" probe --if /dev/ttyACM0 --profile "$profile" --baud 57600 >probe.out 2>&1
	must_say sim.out 'line 57600 8O1'
}

case_acm_flash() {
	special '[rs485]' 'framing = hdlc'
	acm_pack flash=instant && flash /dev/ttyACM0 "$swift"
}

# The rate that was agreed ends with the restart, and the port comes back with it.
case_acm_flash_over_a_port_that_leaves_while_the_pack_restarts() {
	special '[rs485]' 'framing = hdlc'
	acm_pack flash=instant,replug=same && flash /dev/ttyACM0 "$swift"
}

# In its bootloader it is another device: other numbers, another name below by-id.
case_acm_flash_over_a_port_that_comes_back_as_another() {
	special '[rs485]' 'framing = iso14230'
	acm_pack flash=instant,replug=other,version=none || return 1
	[ "$(usb_device idProduct)" = 0005 ] && flash /dev/ttyACM0 "$swift" || return 1
	[ "$(usb_device idProduct)" = 0004 ]
}

# As many boards are wired: RTS alone is reset, DTR alone the boot pin, both or none is neither.
lines_of() { # port, then what is on, one step after another: rts, dtr, both, none, break
	need python3
	python3 - "$@" <<'EOF'
import fcntl, os, struct, sys, termios, time
port = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
for step in sys.argv[2:]:
    if step == 'break':
        termios.tcsendbreak(port, 0)
    else:
        bits = {'rts': termios.TIOCM_RTS, 'dtr': termios.TIOCM_DTR, 'none': 0,
                'both': termios.TIOCM_RTS | termios.TIOCM_DTR}[step]
        fcntl.ioctl(port, termios.TIOCMSET, struct.pack('I', bits))
    time.sleep(0.1)
EOF
}

in_loader() { # true or false
	"$bmsflash" probe --if /dev/ttyACM0 --profile "$profile" --json >probe.out 2>&1
	must_say probe.out "\"in_bootloader\":$1"
}

case_acm_modem_lines_enter_the_bootloader_and_leave_it() {
	special '[rs485]' 'framing = hdlc'
	acm_pack lines=cross && poll in_loader false || return 1
	lines_of /dev/ttyACM0 rts dtr none && poll in_loader true || return 1
	lines_of /dev/ttyACM0 rts none && poll in_loader false
}

# Somebody who has the port open while it leaves and comes back: the kernel gives it another name.
case_acm_port_has_another_name_while_the_old_one_is_open() {
	special '[rs485]' 'framing = hdlc'
	acm_pack lines=cross,replug=same && poll in_loader false || return 1
	keep sh -c 'exec 3<>/dev/ttyACM0; exec sleep 60'
	sleep 1
	lines_of /dev/ttyACM0 rts # and it is gone
	poll test -e /dev/ttyACM1 || return 1
	"$bmsflash" probe --if /dev/ttyACM1 --profile "$profile" --json >probe.out 2>&1
	must_say probe.out '"version":"1.3.0"'
}

case_acm_break_enters_the_bootloader() {
	special '[rs485]' 'framing = hdlc'
	acm_pack break=loader && poll in_loader false || return 1
	lines_of /dev/ttyACM0 break && poll in_loader true && must_say sim.out 'break 2'
}

# Units that people have, by their own profiles: the port hears each part of them at its own line settings.
unit_job() { # exit code, profile, arguments
	status=$1 unit=$2 command=$3
	shift 3
	"$bmsflash" "$command" --if /dev/ttyACM0 --profile "$data/../../data/profiles/$unit.ini" --json "$@" >job.out 2>&1
	got=$?
	[ $got = "$status" ] && return
	echo "$command ended with $got, not with $status"
	tail -n 3 job.out
	return 1
}

case_acm_jk_unit_by_modbus_and_xmodem() {
	acm_pack model=jk,flash=instant || return 1
	unit_job 0 jk-pb probe && must_say job.out '"version":"15.41.0"' || return 1
	unit_job 0 jk-pb flash -k "$data/jk/maker.pub" --allow single-bank,no-backup "$data/jk/firmware.bin" || return 1
	must_say job.out '"state":"new-proven"' && must_say sim.out 'line 115200 8N1' || return 1
	unit_job 33 jk-pb rollback && unit_job 0 jk-pb probe && must_say job.out '"version":"15.42.0"'
}

case_acm_vanmoof_pack_by_modbus() {
	acm_pack model=vanmoof,flash=instant || return 1
	unit_job 0 vanmoof-s3 probe && must_say job.out '"version":"1.17.0"' || return 1
	unit_job 0 vanmoof-s3 flash -k "$data/vanmoof/maker.pub" "$data/vanmoof/firmware.bin" || return 1
	must_say job.out '"state":"new-proven"' && must_say sim.out 'line 9600 ' || return 1
	unit_job 0 vanmoof-s3 probe && must_say job.out '"version":"1.18.0"'
}
