# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2034,SC2154,SC2317 # variables and callers are in suite and helpers.sh
# Serial ports: two 16550 wired to each other, and a USB adapter made of both sides of dummy_hcd.

case_serial_driver() {
	program "$here/../unit/transport/rs485_on_kernel" "$build/tests/unit/transport/test_rs485_pair"
}

framing() { # hdlc or iso14230: a profile that allows no other
	printf '[rs485]\nframing = %s\n' "$1" >framing.ini
}

# Pinned rates, standard and not; a 16550 divides 115200, the USB adapter takes any number.
each_rate() { # port, rates...
	port=$1
	shift
	for rate; do
		"$bmsflash" probe --if "$port" --profile framing.ini --baud "$rate" >probe.out 2>&1 || {
			echo "at $rate bit/s:"
			cat probe.out
			return 1
		}
		must_say probe.out 1.3.0 || return 1
	done
}

case_uart_hdlc() {
	framing hdlc
	tty_pack /dev/ttyS5 flash=instant && each_rate /dev/ttyS4 9600 14400 38400 115200 &&
		flash /dev/ttyS4 --profile framing.ini
}

case_uart_iso14230() {
	framing iso14230
	tty_pack /dev/ttyS5 flash=instant && each_rate /dev/ttyS4 9600 14400 38400 115200 &&
		flash /dev/ttyS4 --profile framing.ini
}

case_usb_serial_hdlc() {
	framing hdlc
	gadget_up && tty_pack /dev/ttyGS0 flash=instant &&
		each_rate /dev/ttyACM0 9600 76800 250000 921600 3000000 &&
		flash /dev/ttyACM0 --profile framing.ini
}

case_usb_serial_iso14230() {
	framing iso14230
	gadget_up && tty_pack /dev/ttyGS0 flash=instant &&
		each_rate /dev/ttyACM0 9600 76800 250000 921600
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
	refused 10 "no permission to use" "/dev/ttyACM0" "sudo" -- powerless probe --if /dev/ttyACM0
}

case_serial_port_is_listed_with_its_names() {
	gadget_up || return 1
	"$bmsflash" probe >list.out 2>&1
	must_say list.out ttyACM0 "Bench adapter" BENCH7 ttyS4
}

case_serial_adapter_unplugged_in_the_middle() {
	gadget_up && tty_pack /dev/ttyGS0 flash=instant state=pack.state &&
		during /dev/ttyACM0 || return 1
	echo >"$gadget/UDC"
	ended 13 && must_say flash.out ttyACM0 '"likely":' '"next":' || return 1
	kill "$pack_pid"
	gadget_down
	gadget_up && tty_pack /dev/ttyGS0 flash=instant state=pack.state && flash /dev/ttyACM0
}
