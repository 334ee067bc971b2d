# shellcheck shell=sh
# SMP on a pack's own USB serial port, which leaves at each restart and comes back.

smp_pack() { # keys
	special '[pack]' 'protocol = smp' '[telemetry]' 'source = none'
	acm_pack protocol=smp,duplex=full,flash=instant "$@"
}

smp_flash() { # more options: what the restart costs is not judged, all else is
	update /dev/ttyACM0 "$@" >flash.out 2>&1 || {
		tail -n 3 flash.out
		return 1
	}
	must_say flash.out '"event":"result"' '"state":"new-proven"'
}

case_acm_smp_flash() { smp_pack model=app && smp_flash; }

case_acm_smp_flash_over_a_port_that_leaves_and_comes_back() { smp_pack model=app,replug=same && smp_flash; }

case_acm_smp_flash_over_a_port_that_comes_back_as_another() {
	smp_pack model=both,replug=other || return 1
	smp_flash --allow no-hardware,single-bank
}

