# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2034,SC2154,SC2317 # variables and callers are in suite and helpers.sh
# USB: virtual packs in the kernel's virtual host controller, by bmsflash and by programs of others.
# USB strings name no hardware in a form that an image could be compared with: --allow no-hardware.

case_usb_driver() { program "$build/tests/vm/kernel_usb"; }

case_usb_driver_and_pack() {
	modprobe vhci_hcd
	need "$sim"
	BF_BENCH_USB=$sim program "$build/tests/unit/transport/test_usb_kernel"
}

case_usb_pack_is_listed() {
	usb_pack protocol=dfu || return 1
	"$bmsflash" probe -v >list.out 2>&1
	must_say list.out 1209:0001 BX16-000001
}

# The only adapter is what is meant by a probe that names none, never by a command that writes; of two, none is meant.
case_usb_probe_without_if_takes_the_only_adapter() {
	no_can_up
	usb_pack protocol=dfu || return 1
	"$bmsflash" probe --json >only.out 2>&1 || { tail -n 3 only.out; return 1; }
	must_say only.out '"event":"device"' '"interface":"usb' '"version":"1.3.0"' || return 1
	"$bmsflash" flash --key "$data/mcuboot/release.pub.pem" "$image" >flash.out 2>&1
	[ $? = 2 ] && must_say flash.out 'Connected now: usb@' 'bmsflash flash --if usb@' || return 1
	can_up 500000 || return 1
	"$bmsflash" probe --json >two.out 2>&1
	! grep -F '"event":"device"' two.out && must_say two.out '"event":"candidate"'
}

# Each restart makes another device of it: another address, another bcdDevice.
case_usb_flash_follows_the_pack_to_its_new_address() {
	usb_pack protocol=dfu flash=instant || return 1
	before=$(usb_device devnum)
	flash usb --allow no-hardware && found_by_kernel 0150 || return 1
	[ "$(usb_device devnum)" -gt "$before" ]
}

case_usb_read_back_equals_the_image() {
	need dfu-util
	usb_pack protocol=dfu flash=instant && flash usb --allow no-hardware || return 1
	"$bmsflash" backup --if usb -o usb.tar >backup.out 2>&1 || { tail -n 5 backup.out; return 1; }
	tar -xf usb.tar
	for region in regions/*.bin; do
		! cmp -s "$image" "$region" || break
	done
	cmp "$image" "$region" || { tar -tvf usb.tar; return 1; }
	poll found_by_kernel 0150
	dfu-util -E 3 -d 1209:0001,1209:0002 -U up.bin >dfu.out 2>&1
	cmp up.bin "$image" || { tail -n 5 dfu.out; return 1; }
}

case_usb_flash_by_address_and_read_back() {
	need dfu-util
	image=$data/firmware/app-1.5.0.hex
	usb_pack protocol=dfuse flash=instant && flash usb --allow no-hardware,single-bank || return 1
	loader_of_dfuse || return 1
	dfu-util -d 0483:df11 -a 0 -s 0x08010200:42292 -U up.bin >dfu.out 2>&1
	cmp up.bin "$data/firmware/app-1.5.0.bin" || { tail -n 5 dfu.out; return 1; }
}

case_usb_flash_by_address_without_firmware() {
	image=$data/firmware/app-1.5.0.hex
	usb_pack protocol=dfuse version=none flash=instant &&
		flash usb --allow no-hardware,single-bank
}

case_usb_power_goes_in_the_middle_and_the_next_run_ends_it() {
	usb_pack protocol=dfu cutmsg=60,repower=3000 || return 1
	! update usb --allow no-hardware >flash.out 2>&1 || return 1
	must_say flash.out disappeared '"status":' || return 1
	poll found_by_kernel 0130 && flash usb --allow no-hardware
}

case_usb_unplugged_in_the_middle() {
	usb_pack protocol=dfu state=pack.state && during usb --allow no-hardware || return 1
	kill "$pack_pid"
	# DFU does not tell what the pack still has: 42, and the command that restores the backup.
	ended 13 42 && must_say flash.out "disappeared" '"likely":' '"next":' || return 1
	usb_pack protocol=dfu state=pack.state && flash usb --allow no-hardware
}

case_usb_not_permitted() {
	usb_pack protocol=dfu || return 1
	node=$(printf '/dev/bus/usb/%03d/%03d' "$(usb_device busnum)" "$(usb_device devnum)")
	poll test -e "$node"
	chmod 600 "$node"
	refused 10 "ou may not use 'usb@" "$node" "udev/rules.d/60-bmsflash" -- powerless probe --if usb
}

case_usb_busy_with_another_update() {
	usb_pack protocol=dfu && during usb --allow no-hardware || return 1
	refused 11 "nother bmsflash is at work on 'usb" "bmsflash flash, process" -- "$bmsflash" probe --if usb || return 1
	ended 0
}

case_usb_held_by_another_program_and_the_holder_is_named() {
	need dfu-util
	usb_pack protocol=dfu || return 1
	keep dfu-util -E 3 -d 1209:0001,1209:0002 -D "$image" >dfu.out 2>&1
	poll grep -q Download dfu.out || { cat dfu.out; return 1; }
	refused 11 "in use by 'dfu-util' (pid $kept" -- update usb --allow no-hardware
}

# ---- programs of others ----

case_dfu_util_reads_the_running_image() {
	need dfu-util
	usb_pack protocol=dfu || return 1
	dfu-util -E 3 -d 1209:0001,1209:0002 -U up.bin >dfu.out 2>&1
	cmp up.bin "$data/mcuboot/app-1.3.0.signed.bin" || { tail -n 5 dfu.out; return 1; }
}

case_dfu_util_updates() {
	need dfu-util
	usb_pack protocol=dfu || return 1
	# Its exit status is no proof: 74 when the reset makes another device of it, as is right.
	dfu-util -E 3 -d 1209:0001,1209:0002 -R -D "$image" >dfu.out 2>&1
	grep -q "^Done!" dfu.out || { tail -n 5 dfu.out; return 1; }
	poll found_by_kernel 0150
}

loader_of_dfuse() {
	dfu-util -e -d 0483:5740 >dfu.out 2>&1
	poll found_by_kernel 2200
}

case_all_dfu_util_updates_by_address() {
	need dfu-util
	usb_pack protocol=dfuse || return 1
	loader_of_dfuse || return 1
	dfu-util -d 0483:df11 -a 0 -s 0x08010200:leave -D "$data/firmware/app-1.5.0.bin" >dfu.out 2>&1
	poll found_by_kernel 0150 || { tail -n 5 dfu.out; return 1; }
}

case_usbip_imports_the_pack() {
	need usbip
	modprobe vhci_hcd
	pack --usb 3240 protocol=dfu || return 1
	usbip list -r 127.0.0.1 2>&1 | grep -q '1209:0001' || return 1
	usbip attach -r 127.0.0.1 -b 1-1 && poll found_by_kernel 0130 || return 1
	usbip detach -p 0 2>/dev/null
	sleep 1
	! found_by_kernel 0130
}

# ---- devices of others: first dfu-util, then bmsflash, and the flash is the same ----

model=
release=0150 # of the firmware that is written
theirs() { # reset or power, run-time numbers, bootloader numbers, options...: dfu-util's whole way
	need dfu-util
	start=$1 numbers=$2,$3
	shift 3
	usb_pack "model=$model,flash=instant,state=theirs.state" || return 1
	dfu-util -E 3 -d "$numbers" -R "$@" -D "$image" >dfu.out 2>&1
	[ "$start" != power ] || { stop_pack && usb_pack "model=$model,flash=instant,state=theirs.state"; } || return 1
	poll found_by_kernel "$release" || { tail -n 5 dfu.out; return 1; }
	sleep 2 # what runs on trial confirms itself
	stop_pack
}

theirs_by_address() { # run-time numbers, bootloader numbers, its release
	need dfu-util
	usb_pack "model=$model,flash=instant,state=theirs.state" || return 1
	dfu-util -e -d "$1" >dfu.out 2>&1
	poll found_by_kernel "$3" || { tail -n 5 dfu.out; return 1; }
	dfu-util -d "$2" -a 0 -s 0x08010000:leave -D "$image" >>dfu.out 2>&1
	poll found_by_kernel "$release" || { tail -n 5 dfu.out; return 1; }
	stop_pack
}

ours() { # options
	usb_pack "model=$model,flash=instant,state=ours.state" || return 1
	update usb "$@" >flash.out 2>&1 || { tail -n 3 flash.out; return 1; }
	poll found_by_kernel "$release" || return 1
	sleep 2
	stop_pack
	cmp theirs.state ours.state
}

ours_after_power() { # options: where only power starts the firmware
	usb_pack "model=$model,flash=instant,state=ours.state" || return 1
	update usb "$@" >flash.out 2>&1
	[ $? -eq 44 ] || { tail -n 3 flash.out; return 1; }
	must_say flash.out "switch the pack off and on" || return 1
	stop_pack && usb_pack "model=$model,flash=instant,state=ours.state" || return 1
	poll found_by_kernel "$release" || return 1
	sleep 2
	update usb "$@" >flash.out 2>&1 || { tail -n 3 flash.out; return 1; }
	must_say flash.out '"bytes_sent":0' || return 1
	stop_pack
	cmp theirs.state ours.state
}

case_dfu_model_stm32app() {
	model=stm32app
	theirs_by_address 1209:0001 0483:df11 2200 && ours --allow no-hardware,no-backup,single-bank
}

case_all_dfu_model_stm32f4() {
	model=stm32f4
	theirs_by_address 0483:5740 0483:df11 2200 && ours --allow no-hardware,no-backup,single-bank
}

case_dfu_model_tinyusb() {
	model=tinyusb
	theirs reset cafe:4000 cafe:4010 && ours --allow no-hardware,no-backup,single-bank
}

case_dfu_model_zephyr() {
	model=zephyr
	theirs power 2fe3:0005 2fe3:ffff -a 1 &&
		ours_after_power --alt image_1 --allow no-hardware,no-backup,single-bank
}

case_all_dfu_model_with_a_large_image() {
	model=stm32app image=$data/mcuboot/gw-2.0.0.signed.bin release=0200
	theirs_by_address 1209:0001 0483:df11 2200 && ours --allow no-hardware,no-backup,single-bank
}

ours_alone() { # where dfu-util cannot
	usb_pack "model=$model,flash=instant" || return 1
	update usb --allow no-hardware,no-backup,single-bank >flash.out 2>&1 || { tail -n 3 flash.out; return 1; }
	poll found_by_kernel "$release"
}

case_all_dfu_model_st_rom() { # dfu-util 0.11 takes a stall while the flash works for a failure
	model=st-rom
	ours_alone
}

case_all_dfu_model_dapboot() {
	model=dapboot
	theirs reset 1209:0001 1209:db42 && ours --allow no-hardware,no-backup,single-bank
}

case_all_dfu_model_zephyr_next() {
	model=zephyr-next
	theirs reset 2fe3:0001 2fe3:ffff -a 1 && ours --alt image_1 --allow no-hardware,no-backup,single-bank
}

case_all_dfu_model_mcuboot() { # dfu-util gives up when nothing answers, and resets nothing
	model=mcuboot
	theirs power 2fe3:0100 2fe3:0101 -a 1 && ours --alt image_1 --allow no-hardware,no-backup,single-bank
}

case_all_dfu_model_maple() {
	model=maple
	theirs reset 1eaf:0004 1eaf:0003 -a 1 && ours --alt 1 --allow no-hardware,no-backup,single-bank
}

case_all_dfu_model_cherryusb() { # dfu-util takes it at its word, and finds no memory map
	model=cherryusb
	ours_alone
}

case_all_dfu_model_gd32() {
	model=gd32
	theirs_by_address 28e9:018a 28e9:0189 1000 && ours --allow no-hardware,no-backup,single-bank
}

case_all_dfu_model_opencm3() {
	model=opencm3
	theirs_by_address 1d50:6018 1d50:6017 0100 &&
		ours --addr 0x08010000 --allow no-hardware,no-backup,single-bank
}
