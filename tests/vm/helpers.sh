# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2034,SC2154 # build, here and work are set by suite
# What the cases share: packs, interfaces, and bmsflash with the answers that it must give.

bmsflash=$build/src/cli/bmsflash
sim=$build/src/sim/bmsflash-sim
data=$here/../data
image=$data/mcuboot/app-1.5.0.signed.bin
# A pack that costs the bench little time: most cases are not about how slow flash is.
quick=flash=instant,rate=1000000
# An update without the backup that other cases make.
swift=--allow=no-backup

skip() {
	echo "# SKIP $*"
	exit 77
}

need() {
	for tool; do
		[ -x "$tool" ] || command -v "$tool" >/dev/null || skip "no ${tool##*/}"
	done
}

poll() { # until the command works, at most 15 s
	tries=150
	until "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || { echo "gave up waiting for: $*"; return 1; }
		sleep 0.1
	done
}

must_say() { # file, text...: fixed strings that all stand in the file
	file=$1
	shift
	for text; do
		grep -qF -e "$text" "$file" || {
			echo "'$text' is missing in:"
			tail -n 5 "$file"
			return 1
		}
	done
}

# ---- programs beside the case ----

keep() { # a program in the background that ends with the case; its pid is $kept
	"$@" &
	kept=$!
	echo $kept >>pids
}

pack() { # starts a virtual pack that ends with the case
	need "$sim"
	: >sim.out
	keep "$sim" "$@" >sim.out 2>&1
	pack_pid=$kept
	poll test -s sim.out || { cat sim.out; return 1; }
}

program() { # a test program of the build and its arguments; its own lines only when it fails
	need "$1"
	"$@" >program.out 2>&1 && return
	status=$?
	[ "$status" -ne 77 ] || skip "${1##*/}: $(head -n 1 program.out)"
	grep -v '^ok' program.out
	return 1
}

# As a user without any right; the build folder may be closed to it.
powerless() {
	need setpriv
	cp "$bmsflash" plain-bmsflash
	mkdir -p -m 777 plain-state
	XDG_STATE_HOME=$work/plain-state setpriv --reuid 65534 --regid 65534 --clear-groups \
		--inh-caps=-all "$work/plain-bmsflash" "$@"
}

# ---- wires ----

can_up() { # bit rate
	for i in can0 can1; do
		ip link set "$i" down
		ip link set "$i" up type can bitrate "$1" || return 1
	done
}

no_can_up() { # nor any limit on their queues
	for i in /sys/class/net/*can*; do
		ip link set "${i##*/}" down
		tc qdisc del dev "${i##*/}" root 2>/dev/null
	done
}

vcan_up() {
	modprobe vcan
	[ -e /sys/class/net/vcan0 ] || ip link add vcan0 type vcan || return 1
	ip link set vcan0 mtu 72 up
}

gone_from_kernel() {
	! found_by_kernel '*'
}

usb_pack() { # keys
	modprobe vhci_hcd
	poll gone_from_kernel # the pack of the case before
	pack --usb vhci "$@" && poll found_by_kernel "${usb_id:-*}"
}

usb_device() { # attribute of the pack, as the kernel has it
	cat /sys/devices/platform/vhci_hcd.0/usb*/*-1/"$1" 2>/dev/null
}

found_by_kernel() { # bcdDevice or *
	# shellcheck disable=SC2254
	case $(usb_device bcdDevice) in
	'') return 1 ;;
	$1) return 0 ;;
	esac
	return 1
}

stop_pack() { # as its power is switched off; what it keeps in state=FILE is written
	kill "$pack_pid"
	wait "$pack_pid" 2>/dev/null
	poll gone_from_kernel
}

# A pack that is itself a USB serial port; what the host sets stands in sim.out.
acm_pack() { # keys
	modprobe -a vhci_hcd cdc_acm
	poll gone_from_kernel
	pack --usb vhci --heard link=rs485 "$@" && poll test -e /dev/ttyACM0
}

gadget=/sys/kernel/config/usb_gadget/pack

gadget_up() { # /dev/ttyACM0, joined to /dev/ttyGS0
	modprobe -a dummy_hcd usb_f_acm cdc_acm
	mkdir -p "$gadget" && cd "$gadget" || return 1
	echo 0x1209 >idVendor
	echo 0x0004 >idProduct
	mkdir -p strings/0x409 configs/c.1 functions/acm.0
	echo "Bench adapter" >strings/0x409/product
	echo BENCH7 >strings/0x409/serialnumber
	ln -s functions/acm.0 configs/c.1/
	echo dummy_udc.0 >UDC
	cd "$work" || return 1
	poll test -e /dev/ttyACM0 -a -e /dev/ttyGS0
}

gadget_down() { # all that there are
	for g in /sys/kernel/config/usb_gadget/*; do
		cd "$g" 2>/dev/null || continue
		echo >UDC
		rm configs/c.1/acm.*
		rmdir configs/c.1 functions/acm.* strings/0x409
		cd .. && rmdir "$g"
	done
}

# A pack behind a real terminal: its pty is joined to the far end. It keeps the pace of its own rate, whatever
# rate the terminal is at.
tty_pack() { # terminal, keys
	need socat
	terminal=$1
	shift
	pack --pty --any-rate --link pack.pty link=rs485,flash=instant "$@" || return 1
	keep socat "$work/pack.pty,rawer" "$terminal,rawer"
	sleep 0.3
}

# ---- bmsflash ----

# A machine that does little else answers within 50 ms, an emulated one on a busy computer does not always; without
# this, waiting in vain would say nothing about the wire.
profile=$work/bench.ini
special() { # line...: what is special about the case's pack
	printf '[uds]\np2-ms = 1000\n' >"$profile"
	printf '%s\n' "$@" >>"$profile"
}
special ''

# Nothing in these wires loses anything: whoever sent twice, waited in vain or heard rubbish has a fault, even if it
# came to a good end. A driver that drops one frame in fifty is caught here. Waiting is judged only on a machine that
# did not stand still meanwhile for a good part of what an answer may take.
still_ms=300
clean() { # output of a run with --json
	grep '"event":"summary"' "$1" >summary.out
	must_say summary.out '"line_errors":0' '"rx_dropped":0' || return 1
	late=$(cat "$work/late" 2>/dev/null)
	if [ "${late:-0}" -lt $still_ms ]; then
		must_say summary.out '"repeats":0' '"timeouts":0' '"damaged":0'
	else
		echo "the machine stood still for $late ms: what was sent twice is not judged"
	fi
}

update() { # interface, options...
	interface=$1
	shift
	"$bmsflash" flash --if "$interface" --profile "$profile" --json \
		-k "$data/mcuboot/release.pub.pem" -k "$data/minisign/release.pub" "$@" "$image"
}

# As update: everything of it, on a wire that loses nothing, and then what the pack says about itself.
flash() {
	need "$bmsflash"
	update "$@" >flash.out 2>&1 || {
		tail -n 3 flash.out
		return 1
	}
	must_say flash.out '"event":"result"' '"state":"new-proven"' && clean flash.out || return 1
	cp summary.out summary.flash
	poll "$bmsflash" probe --if "$1" --profile "$profile" # a USB pack that leaves its loader is away for a moment
	runs "$1" 1.5.0
}

runs() { # interface, version
	"$bmsflash" probe --if "$1" --profile "$profile" --json >probe.out 2>&1 || { tail -n 3 probe.out; return 1; }
	must_say probe.out "\"in_bootloader\":false,\"version\":\"$2\"" && clean probe.out
}

refused() { # exit status, text..., --, command: it ends so, and says that
	wanted=$1
	shift
	: >wanted.texts
	while [ "$1" != -- ]; do
		printf '%s\n' "$1" >>wanted.texts
		shift
	done
	shift
	"$@" >refused.out 2>&1
	status=$?
	[ $status -eq "$wanted" ] || {
		echo "exit status $status, not $wanted, of: $*"
		tail -n 8 refused.out
		return 1
	}
	while IFS= read -r text; do
		must_say refused.out "$text" || return 1
	done <wanted.texts
}

# Begins an update and comes back while it writes: `during can0; unplug; ended 13`.
during() { # as update
	need "$bmsflash"
	: >flash.out
	update "$@" >flash.out 2>&1 &
	updating=$!
	echo $updating >>pids
	poll grep -q '"event":"progress".*"phase":"writing"' flash.out || { tail -n 3 flash.out; return 1; }
}

ended() { # exit status...: the update that `during` began ends with one of them
	wait "$updating"
	status=$?
	for wanted; do
		[ $status -ne "$wanted" ] || return 0
	done
	echo "the update ended with $status, not $*"
	tail -n 3 flash.out
	return 1
}
