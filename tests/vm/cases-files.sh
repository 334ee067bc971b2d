# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2034,SC2154,SC2317 # variables and callers are in suite and helpers.sh
# Files that other programs made and signed, all the way into a pack.

own_key() {
	minisign -G -f -W -p own.pub -s own.key >/dev/null
}

sign() { # file, options...: as the maker of the firmware does
	file=$1
	shift
	minisign -S "$@" -s own.key -m "$file" -t 'version=1.5.0 security-counter=5 hw=BMS-16S-R3' >/dev/null
}

# A pack that runs firmware 1.5.0 after this has what the other program made of the binary.
flash_made() { # file
	image=$PWD/$1
	usb_pack protocol=dfuse flash=instant && flash usb --allow no-hardware,single-bank -k own.pub
}

case_file_of_srec_cat_with_a_fresh_signature() {
	need srec_cat minisign
	own_key
	srec_cat "$data/firmware/app-1.5.0.bin" -binary -offset 0x08010200 \
		-o made.s19 -motorola -address-length=4 -line-length=70 || return 1
	sign made.s19 && flash_made made.s19
}

case_file_of_objcopy_with_a_signature_of_the_old_form() {
	need objcopy minisign
	own_key
	objcopy -I binary -O ihex --change-addresses 0x08010200 "$data/firmware/app-1.5.0.bin" made.hex || return 1
	sign made.hex -l && flash_made made.hex
}

case_file_changed_after_signing_is_refused() {
	need srec_cat minisign
	own_key
	srec_cat "$data/firmware/app-1.5.0.bin" -binary -offset 0x08010200 -o made.hex -intel || return 1
	sign made.hex || return 1
	srec_cat made.hex -intel -exclude 0x08012000 0x08012001 -generate 0x08012000 0x08012001 -constant 0 \
		-o other.hex -intel && mv other.hex made.hex
	refused 21 made.hex -- "$bmsflash" verify -k own.pub "$PWD/made.hex"
}
