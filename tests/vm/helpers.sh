# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2034,SC2154 # build, here and work are set by suite
# What the cases share: packs, interfaces, and bmsflash with the answers that it must give.

bmsflash=$build/src/cli/bmsflash
sim=$build/src/sim/bmsflash-sim
data=$here/../data
image=$data/mcuboot/app-1.5.0.signed.bin
# A pack that costs the bench little time: most cases are not about how slow flash is.
quick=flash=instant,rate=1000000

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

# A pack behind a real terminal: its pty is joined to the far end.
tty_pack() { # terminal, keys
	need socat
	terminal=$1
	shift
	pack --pty --any-rate --link pack.pty link=rs485 "$@" || return 1
	keep socat "$work/pack.pty,rawer" "$terminal,rawer"
	sleep 0.3
}

# ---- bmsflash ----

update() { # interface, options...
	interface=$1
	shift
	"$bmsflash" flash --if "$interface" --json \
		-k "$data/mcuboot/release.pub.pem" -k "$data/minisign/release.pub" "$@" "$image"
}

flash() { # as update: everything of it, and then what the pack says about itself
	need "$bmsflash"
	update "$@" >flash.out 2>&1 || {
		tail -n 3 flash.out
		return 1
	}
	must_say flash.out '"event":"result"' '"state":"new-proven"' || return 1
	poll "$bmsflash" probe --if "$1" # a USB pack that leaves its loader is away for a moment
	runs "$1" 1.5.0
}

runs() { # interface, version
	"$bmsflash" probe --if "$1" >probe.out 2>&1 || { cat probe.out; return 1; }
	must_say probe.out "$2"
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
	poll grep -q '"event":"progress","phase":"writing"' flash.out || { tail -n 3 flash.out; return 1; }
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
