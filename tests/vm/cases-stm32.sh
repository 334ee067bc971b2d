# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2034,SC2154,SC2317 # variables and callers are in suite and helpers.sh
# The ROM bootloader of STM32 on a USB serial port at 8E1, and stm32flash as its judge.

stm32_pack() { # keys
	need stm32flash python3
	acm_pack flash=instant,app=none "$@"
}

stm32() { # arguments of stm32flash
	stm32flash -b 460800 "$@" /dev/ttyACM0 >stm32.out 2>&1 || {
		head -n 2 stm32.out
		return 1
	}
}

stm32_image() { # bytes: stack, entry, noise
	printf '\000\020\000\040\101\000\001\010' >firmware.bin
	head -c $(($1 - 8)) /dev/urandom >>firmware.bin
}

# What the pack has kept in state=pack.state: the pages of its flash model that are not erased, 2 KiB each after their
# number, from the 23rd byte on.
stm32_holds() { # address, file
	python3 - "$1" "$2" <<-'END'
		import struct, sys
		state, want = open("pack.state", "rb").read(), open(sys.argv[2], "rb").read()
		flash, at = bytearray(b"\xff" * 0x154000), 23 + 4 * (state[22] >> 1 & 1)
		while (page := struct.unpack_from("<H", state, at)[0]) != 0xFFFF:
		    flash[page * 2048:(page + 1) * 2048] = state[at + 2:at + 2050]
		    at += 2050
		at = int(sys.argv[1], 0) - 0x08000000
		sys.exit(bytes(flash[at:at + len(want)]) != want)
	END
}

# Written and verified, read back by a second call that finds the loader awake, and looked for in the pack itself.
stm32_round() { # model
	rm -f pack.state read.bin
	stm32_pack "protocol=stm32,model=$1,state=pack.state" &&
		stm32 -w firmware.bin -v -S 0x08010000 && stm32 -r read.bin -S "0x08010000:$stm32_bytes" &&
		cmp firmware.bin read.bin && stop_pack && stm32_holds 0x08010000 firmware.bin || {
		echo "model $1"
		return 1
	}
}

case_stm32_flash_writes_verifies_and_reads() {
	stm32_bytes=1536
	stm32_image $stm32_bytes
	stm32_round f103
}

case_all_stm32_flash_on_other_chips() {
	stm32_bytes=1536
	stm32_image $stm32_bytes
	stm32_round f407 && stm32_round l476 && stm32_round g0b1 && stm32_round l0
}

case_stm32_flash_erases() {
	stm32_pack protocol=stm32,model=f103 && stm32 -o && stm32 -r read.bin -S 0x08010000:256 || return 1
	head -c 256 /dev/zero | tr '\000' '\377' | cmp - read.bin
}

# What stm32flash wrote is replaced by bmsflash, page by page; then stm32flash reads it.
case_stm32_bmsflash_writes_over_what_stm32_flash_wrote() {
	old=$data/firmware/app-1.4.0.bin new=$data/firmware/app-1.5.0.bin
	need "$bmsflash"
	stm32_pack protocol=stm32,model=f103,state=pack.state && stm32 -w "$old" -v -S 0x08010000 || return 1
	"$bmsflash" flash --if /dev/ttyACM0 --baud 460800 --protocol stm32 --addr 0x08010000 --key "$data/minisign/release.pub" \
		--allow no-hardware,no-proof,no-backup,single-bank "$new" >flash.out 2>&1 || {
		tail -n 3 flash.out
		return 1
	}
	stop_pack && stm32_holds 0x08010000 "$new" || return 1
	stm32_pack protocol=stm32,model=f103,state=pack.state && stm32 -r read.bin -S "0x08010000:$(wc -c <"$new")" &&
		cmp "$new" read.bin
}

# DTR holds BOOT0, RTS the reset: without them the pack's firmware has the line, and it is silent. The last delay is for the
# ROM to start.
case_stm32_flash_leads_into_the_rom_and_out_of_it_by_modem_lines() {
	stm32_bytes=1024
	stm32_image $stm32_bytes
	stm32_pack protocol=stm32,model=f407,lines=direct || return 1
	stm32 -i 'rts&dtr,-rts,:rts&-dtr,-rts' -R -w firmware.bin -v -S 0x080e0000 &&
		must_say sim.out 'line 460800 8E1' 'DTR 1 RTS 0' 'DTR 0 RTS 1' 'DTR 0 RTS 0'
}

case_stm32_flash_meets_protection() {
	stm32_bytes=1024
	stm32_image $stm32_bytes
	stm32_pack protocol=stm32,model=f103,rdp=1,boot0=high || return 1
	stm32 -r read.bin -S 0x08010000:256 >/dev/null && { echo "read in spite of the protection"; return 1; }
	stm32 -k && stm32 -w firmware.bin -v -S 0x08010000 || return 1
	stop_pack
	stm32_pack protocol=stm32,model=f103,wrp=128 || return 1
	# Acknowledged and not done: reading back tells.
	stm32 -w firmware.bin -v -S 0x08010000 >/dev/null && { echo "verified what is not there"; return 1; }
	must_say stm32.out 'verify'
}
