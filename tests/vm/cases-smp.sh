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


# Under whatever name the port is there now.
smp_port() { ls /dev/ttyACM* 2>/dev/null | tail -n 1; }
smp_port_is_there() { [ -n "$(smp_port)" ]; }

smp_job() { # exit status, job, arguments...
	wanted=$1
	shift
	poll smp_port_is_there || return 1
	"$bmsflash" "$@" --if "$(smp_port)" --profile "$profile" --json >job.out 2>&1
	status=$?
	[ $status -eq "$wanted" ] || {
		echo "exit status $status, not $wanted, of: $*"
		tail -n 2 job.out
		return 1
	}
}

case_acm_smp_all_five_commands_on_the_application() {
	smp_pack model=app,slot1=1.4.0,replug=other || return 1
	smp_job 0 probe && smp_job 0 backup -o told.tar && smp_job 0 rollback || return 1
	must_say job.out '"version":"1.4.0"'
	smp_job 0 flash -k "$data/mcuboot/release.pub.pem" "$image" || return 1
	smp_job 0 verify -k "$data/mcuboot/release.pub.pem" "$image" || return 1
	smp_job 41 rollback && smp_job 0 verify -k "$data/mcuboot/release.pub.pem" "$image"
}

case_acm_smp_all_five_commands_in_recovery() {
	smp_pack model=recovery,entry=always,replug=other || return 1
	smp_job 0 probe && smp_job 0 backup -o told.tar || return 1
	smp_job 44 flash --allow no-hardware,single-bank -k "$data/mcuboot/release.pub.pem" "$image" || return 1
	smp_job 33 verify -k "$data/mcuboot/release.pub.pem" "$image" && smp_job 33 rollback
}

case_acm_smp_two_images_and_one_restart() {
	smp_pack model=app,slot1=none,image1=1.4.0,replug=other,trust=4106c80953668ecb02a72767f52b7849cc786dd004bee75b8f075f3b3c90d97c || return 1
	smp_job 0 flash -k "$data/smp/pair/pair.pub.pem" "$data/smp/pair/image-0.bin" "$data/smp/pair/image-1.bin" || return 1
	must_say job.out '"state":"new-proven"'
	smp_job 0 verify -k "$data/smp/pair/pair.pub.pem" "$data/smp/pair/image-0.bin"
}
