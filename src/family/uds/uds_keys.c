/* SPDX-License-Identifier: MIT */
#include "family/uds/uds_profile.h"
#include "profile/keys.h"

#include <stdio.h>

static const struct bf_choice auth_services[] = {
	{ "security-access", BF_AUTH_BY_SECURITY },
	{ "authentication", BF_AUTH_BY_AUTHENTICATION },
	{ NULL },
};

static const struct bf_choice auth_methods[] = {
	{ "none", BF_AUTH_NONE },
	{ "ed25519", BF_AUTH_ED25519 },
	{ "program", BF_AUTH_PROGRAM },
	{ NULL },
};

static const struct bf_choice functionals[] = {
	{ "session", BF_FUNCTIONAL_SESSION },
	{ "tester-present", BF_FUNCTIONAL_PRESENT },
	{ "dtc-setting", BF_FUNCTIONAL_DTC },
	{ "communication", BF_FUNCTIONAL_MESSAGES },
	{ NULL },
};

static const struct bf_choice address_values[] = {
	{ "address", BF_ADDRESS_VALUE_ADDRESS },
	{ "block", BF_ADDRESS_VALUE_BLOCK },
	{ NULL },
};

static const struct bf_choice byte_orders[] = {
	{ "big", false },
	{ "little", true },
	{ NULL },
};

static const struct bf_choice crc16s[] = {
	{ "ccitt-false", BF_CRC16_CCITT_FALSE },
	{ "xmodem", BF_CRC16_XMODEM },
	{ "x25", BF_CRC16_X25 },
	{ "modbus", BF_CRC16_MODBUS },
	{ "kermit", BF_CRC16_KERMIT },
	{ NULL },
};

static const struct bf_choice exit_answers[] = {
	{ "none", BF_EXIT_ANSWER_NONE },
	{ "crc16", BF_EXIT_ANSWER_CRC16 },
	{ "crc32", BF_EXIT_ANSWER_CRC32 },
	{ NULL },
};

static const struct bf_choice check_whens[] = {
	{ "end", BF_CHECK_WHEN_END },
	{ "block", BF_CHECK_WHEN_BLOCK },
	{ "after-restart", BF_CHECK_WHEN_RESTART },
	{ NULL },
};

static const struct bf_choice polls[] = {
	{ "resend", BF_POLL_RESEND },
	{ "results", BF_POLL_RESULTS },
	{ NULL },
};

static const struct bf_choice fingerprint_whens[] = {
	{ "session", false },
	{ "block", true },
	{ NULL },
};

static const struct bf_choice version_formats[] = {
	{ "text", BF_VERSION_FORMAT_TEXT },
	{ "bcd", BF_VERSION_FORMAT_BCD },
	{ "binary", BF_VERSION_FORMAT_BINARY },
	{ "u16", BF_VERSION_FORMAT_U16 },
	{ NULL },
};

static const struct bf_choice loader_bys[] = {
	{ "auto", BF_LOADER_BY_AUTO },
	{ "session", BF_LOADER_BY_SESSION },
	{ "identifier", BF_LOADER_BY_ID },
	{ "silence", BF_LOADER_BY_SILENCE },
	{ NULL },
};

static const struct bf_choice session_kinds[] = {
	{ "extended", true },
	{ "programming", false },
	{ NULL },
};

static const struct bf_choice session_reads[] = {
	{ "extended", false },
	{ "programming", true },
	{ NULL },
};

static const struct bf_choice read_services[] = {
	{ "35", 0x35 },
	{ "23", 0x23 },
	{ NULL },
};

#define UDS(member) BF_SCOPE_FAMILY, BF_IN(bf_uds_profile, member)
#define NUM         BF_VALUE_NUMBER

/* clang-format off */
static const struct bf_key_row rows[] = {
	{ "uds", "max-block", NUM, UDS(max_block), 0, 0xFFFFFF, "0", NULL,
	  "our own cap on a TransferData message in bytes; 0: the pack's" },
	{ "uds", "p2-ms", NUM, UDS(p2_ms), 1, 60000, "50", NULL,
	  "shortest time that an answer is waited for; the pack's own value wins when longer" },
	{ "uds", "p2-star-ms", NUM, UDS(p2_star_ms), 1, 600000, "5000", NULL,
	  "the same after the pack said that its answer is pending" },
	{ "uds", "answer-limit-s", NUM, UDS(limit_s), 1, 3600, "15", NULL,
	  "longest time for the answer to one request in seconds, however often the pack says that it is "
	  "pending" },
	{ "uds", "erase-limit-s", NUM, UDS(limit_erase_s), 1, 36000, "600", NULL,
	  "the same for erasing" },
	{ "uds", "check-limit-s", NUM, UDS(limit_check_s), 1, 36000, "300", NULL,
	  "the same for the pack's own checks" },
	{ "uds", "block-limit-s", NUM, UDS(limit_block_s), 1, 3600, "60", NULL,
	  "the same for one block of data and for the end of a transfer" },
	{ "uds", "any-order", BF_VALUE_BOOL, UDS(any_order), 0, 0, "no", NULL,
	  "erases and downloads may come in parts and in any order; no: one erase and one download from "
	  "the start of each segment, unless the pack tells its memory map" },
	{ "uds", "functional", BF_VALUE_FLAGS, UDS(functional), 0, 0, "none", functionals,
	  "requests that are sent to functional-id instead of request-id; no answer to them is needed" },
	{ "uds", "reset", BF_VALUE_HEX, UDS(reset), 0, 0, "11 01", NULL,
	  "request that starts the new firmware; none: the pack starts it by itself" },
	{ "uds", "reset-suppress", BF_VALUE_BOOL, UDS(reset_suppress), 0, 0, "no", NULL,
	  "the reset is sent so that no answer comes" },
	{ "uds", "enter", BF_VALUE_CODES, UDS(enter), 1, 0x7F, "none", NULL,
	  "sessions to open before writing, in order; none: extended-session, then programming-session" },
	{ "uds", "dtc-setting", BF_VALUE_BOOL, UDS(dtc_setting), 0, 0, "yes", NULL,
	  "85 02 before the programming session: faults are not recorded" },
	{ "uds", "communication-type", NUM, UDS(communication), 0, 0xFF, "0x01", NULL,
	  "communicationType of 28 03 before the programming session; 0: not sent" },
	{ "uds", "read-service", BF_VALUE_CHOICE, UDS(read_service), 0, 0, "35", read_services,
	  "memory is read by upload (35) or by address (23)" },
	{ "uds", "read-session", BF_VALUE_CHOICE, UDS(read_programming), 0, 0, "extended", session_reads,
	  "session in which memory is read; in the programming session also behind security access" },
	{ "uds", "chunk", NUM, UDS(chunk), 0, 4095, "0", NULL,
	  "bytes of a TransferData message whatever the pack says, its two first bytes included; 0: as the "
	  "pack says" },
	{ "uds", "counter-wrap", NUM, UDS(counter_wrap), 0, 1, "0", NULL,
	  "block counter that follows FF" },
	{ "uds", "data-format", NUM, UDS(data_format), 0, 0xFF, "0x00", NULL,
	  "dataFormatIdentifier of downloads; other than 0: the image is in that format already" },
	{ "uds", "address-value", BF_VALUE_CHOICE, UDS(address_value), 0, 0, "address",
	  address_values, "what a download names: the address, or the number of the region's block" },
	{ "uds", "byte-order", BF_VALUE_CHOICE, UDS(little), 0, 0, "big", byte_orders,
	  "byte order of addresses, sizes and checksums" },
	{ "uds", "crc16", BF_VALUE_CHOICE, UDS(crc16), 0, 0, "ccitt-false", crc16s,
	  "which CRC-16 templates and answers have" },
	{ "uds", "download-option", BF_VALUE_TEMPLATE, UDS(download_option), 0, 0, "", NULL,
	  "bytes behind 34 and its data format; empty: what address-format says" },
	{ "uds", "block-head", BF_VALUE_TEMPLATE, UDS(block_head), 0, 0, "", NULL,
	  "bytes between the counter and the data of a 36; {addr} and {size} are those of its data" },
	{ "uds", "block-tail", BF_VALUE_TEMPLATE, UDS(block_tail), 0, 0, "", NULL,
	  "bytes behind its data; a checksum is over the whole message before it" },
	{ "uds", "block-status", BF_VALUE_CODES, UDS(block_status), 0, 0xFF, "none", NULL,
	  "status bytes behind the counter of a 76 that say that the block was written; none: no byte is "
	  "looked at" },
	{ "uds", "exit-option", BF_VALUE_TEMPLATE, UDS(exit_option), 0, 0, "", NULL,
	  "bytes behind 37" },
	{ "uds", "exit-answer", BF_VALUE_CHOICE, UDS(exit_answer), 0, 0, "none", exit_answers,
	  "checksum of what was written behind 77, to be compared" },
	{ "uds", "version-format", BF_VALUE_CHOICE, UDS(version_format), 0, 0, "text",
	  version_formats,
	  "app-version in text, in bytes of two decimal digits, in bytes of one number each, or in one "
	  "number of 16 bits" },
	{ "uds", "version-prefix", BF_VALUE_TEXT, UDS(version_prefix), 0, 0, "", NULL,
	  "text before the version that is not part of it, such as SW_V" },
	{ "uds", "loader-known-by", BF_VALUE_CHOICE, UDS(loader_by), 0, 0, "auto", loader_bys,
	  "what shows that the bootloader answers: the programming session that nobody opened, "
	  "loader-did, or that app-version is not told; auto: what can be known without" },
	{ "uds", "loader-did", NUM, UDS(loader_did), 0, 0xFFFF, "0x0000", NULL,
	  "data identifier that shows the bootloader" },
	{ "uds", "loader-value", BF_VALUE_PATTERN, UDS(loader_value), 0, 0, "", NULL,
	  "what it begins with then; empty: that it answers" },
	{ "uds", "address-format", NUM, UDS(address_format), 0x11, 0x44, "0x44", NULL,
	  "addressAndLengthFormatIdentifier of downloads and uploads: bytes of size, then bytes of address, "
	  "1 to 4 each" },
	{ "uds", "programming-session", NUM, UDS(session_programming), 1, 0x7F, "0x02", NULL,
	  "number of the programming session" },
	{ "uds", "extended-session", NUM, UDS(session_extended), 1, 0x7F, "0x03", NULL,
	  "number of the extended session" },
	{ "uds", "security-level", BF_VALUE_AUTO, UDS(security_level), 0, 0x7D, "auto", NULL,
	  "sub-function of requestSeed, an odd number; 0: no security access; auto: 1 where the pack has the "
	  "service" },
	{ "uds", "security-session", BF_VALUE_CHOICE, UDS(security_extended), 0, 0, "programming",
	  session_kinds, "session in which security-level is asked for" },
	{ "uds", "second-level", NUM, UDS(second_level), 0, 0x7D, "0x00", NULL,
	  "level that is asked for in the programming session where security-level belongs to the "
	  "extended one; 0: none" },
	{ "uds", "security-data", BF_VALUE_HEX, UDS(security_data), 0, 0, "", NULL,
	  "securityAccessDataRecord behind requestSeed" },
	{ "uds", "auth-service", BF_VALUE_CHOICE, UDS(auth_service), 0, 0, "security-access",
	  auth_services, "how the pack asks: service 27, or service 29 with challenge and response" },
	{ "uds", "auth", BF_VALUE_CHOICE, UDS(auth), 0, 0, "ed25519", auth_methods,
	  "how the seed is answered: signed by the technician's key, or by a program" },
	{ "uds", "auth-program", BF_VALUE_PATH, UDS(auth_program), 0, 0, "", NULL,
	  "program that reads a line with level and seed in hex and prints the key in hex; without a leading "
	  "slash its place is that of the profile" },

	{ "routines", "erase", NUM, UDS(rid_erase), 0, 0xFFFF, "0xFF00", NULL,
	  "erase memory" },
	{ "routines", "check-dependencies", BF_VALUE_AUTO, UDS(rid_check_deps), 0, 0xFFFE, "auto", NULL,
	  "check programming dependencies; auto: 0xFF01, where the pack has it" },
	{ "routines", "check-memory", BF_VALUE_AUTO, UDS(rid_check_memory), 0, 0xFFFE, "auto", NULL,
	  "check memory by CRC-32; auto: 0x0202, on a pack of bmsflash-uds(7), as are all below" },
	{ "routines", "state", BF_VALUE_AUTO, UDS(rid_state), 0, 0xFFFE, "auto", NULL,
	  "bank state" },
	{ "routines", "activate", BF_VALUE_AUTO, UDS(rid_activate), 0, 0xFFFE, "auto", NULL,
	  "start the other bank at the next restart" },
	{ "routines", "confirm", BF_VALUE_AUTO, UDS(rid_confirm), 0, 0xFFFE, "auto", NULL,
	  "confirm the running image" },
	{ "routines", "revert", BF_VALUE_AUTO, UDS(rid_revert), 0, 0xFFFE, "auto", NULL,
	  "go back to the previous image" },
	{ "routines", "hash", BF_VALUE_AUTO, UDS(rid_hash), 0, 0xFFFE, "auto", NULL,
	  "hash a range" },
	{ "routines", "self-test", BF_VALUE_AUTO, UDS(rid_self_test), 0, 0xFFFE, "auto", NULL,
	  "the pack's own self-test" },
	{ "routines", "balance", BF_VALUE_AUTO, UDS(rid_balance), 0, 0xFFFE, "auto", NULL,
	  "check of the balancing switches" },
	{ "routines", "erase-option", BF_VALUE_TEMPLATE, UDS(erase_option), 0, 0,
	  "44 {addr:4} {size:4}", NULL, "bytes behind 31 01 and the number of erase; empty: none" },
	{ "routines", "check-option", BF_VALUE_TEMPLATE, UDS(check_option), 0, 0,
	  "44 {addr:4} {size:4} {crc32}", NULL, "the same of check-memory" },
	{ "routines", "check-when", BF_VALUE_CHOICE, UDS(check_when), 0, 0, "end", check_whens,
	  "check-memory runs after the last download, after that of each segment, or after the restart" },
	{ "routines", "busy-status", BF_VALUE_CODES, UDS(busy_status), 0, 0xFF, "none", NULL,
	  "status bytes that say that a routine is not yet done" },
	{ "routines", "poll", BF_VALUE_CHOICE, UDS(poll), 0, 0, "resend", polls,
	  "how such a routine is asked again: by the same request, or by requestRoutineResults (31 03)" },
	{ "routines", "good-status", BF_VALUE_CODES, UDS(good_status), 0, 0xFF, "0x00", NULL,
	  "status bytes that say that a routine succeeded; an answer without a status byte does, too" },

	{ "identifiers", "boot-id", NUM, UDS(did_boot_id), 0, 0xFFFF, "0xF180", NULL,
	  "boot software identification" },
	{ "identifiers", "session", NUM, UDS(did_session), 0, 0xFFFF, "0xF186", NULL,
	  "active session" },
	{ "identifiers", "app-version", NUM, UDS(did_app_version), 0, 0xFFFF, "0xF189", NULL,
	  "version that runs" },
	{ "identifiers", "app-digest", NUM, UDS(did_app_digest), 0, 0xFFFF, "0xFD05", NULL,
	  "digest of the image that runs" },
	{ "identifiers", "hw-version", NUM, UDS(did_hw_version), 0, 0xFFFF, "0xF191", NULL,
	  "hardware version" },
	{ "identifiers", "serial", NUM, UDS(did_serial), 0, 0xFFFF, "0xF18C", NULL,
	  "serial number" },
	{ "identifiers", "part", NUM, UDS(did_part), 0, 0xFFFF, "0xF187", NULL,
	  "part number (model)" },
	{ "identifiers", "manufacturer", NUM, UDS(did_manufacturer), 0, 0xFFFF, "0xF18A", NULL,
	  "manufacturer" },
	{ "identifiers", "ids", NUM, UDS(did_ids), 0, 0xFFFF, "0xFD01", NULL,
	  "vendor and class UUID" },
	{ "identifiers", "counter", NUM, UDS(did_counter), 0, 0xFFFF, "0xFD02", NULL,
	  "security counter" },
	{ "identifiers", "map", NUM, UDS(did_map), 0, 0xFFFF, "0xFD03", NULL, "memory map" },
	{ "identifiers", "restart", NUM, UDS(did_restart), 0, 0xFFFF, "0xFD04", NULL,
	  "reason of the last restart and their number" },
	{ "identifiers", "transfer", NUM, UDS(did_transfer), 0, 0xFFFF, "0xFD06", NULL,
	  "ways of transfer" },
	{ "identifiers", "fingerprint", NUM, UDS(did_fingerprint), 0, 0xFFFF, "0xF15A", NULL,
	  "fingerprint, written before erasing" },

	{ "identifiers", "fingerprint-format", BF_VALUE_TEMPLATE, UDS(fingerprint_format), 0, 0,
	  "{date:bcd3} {serial:7}", NULL, "contents of the fingerprint" },
	{ "identifiers", "fingerprint-when", BF_VALUE_CHOICE, UDS(fingerprint_block), 0, 0, "session",
	  fingerprint_whens, "the fingerprint is written once, or before each segment" },
};
/* clang-format on */

static enum bf_rc check(const void *settings, const struct bf_profile *profile, const char *name,
			struct bf_err *err)
{
	const struct bf_uds_profile *k = settings;

	(void)profile;
	if (k->address_format >> 4 > 4 || (k->address_format & 0x0F) > 4 ||
	    !(k->address_format & 0x0F))
		return bf_fail(
			err, BF_E_USAGE,
			"profile '%s': address-format 0x%02X in [uds] is not 1 to 4 bytes of "
			"size and 1 to 4 of address",
			name, k->address_format);
	if (k->security_level && k->security_level % 2 == 0)
		return bf_fail(
			err, BF_E_USAGE,
			"profile '%s': security-level 0x%02X in [uds] is even; requestSeed has "
			"odd numbers",
			name, k->security_level);
	if ((k->auth == BF_AUTH_PROGRAM) != (k->auth_program[0] != '\0'))
		return bf_fail(
			err, BF_E_USAGE,
			"profile '%s': 'auth = program' and 'auth-program' in [uds] need each "
			"other",
			name);
	if (k->loader_by == BF_LOADER_BY_ID && !k->loader_did)
		return bf_fail(
			err, BF_E_USAGE,
			"profile '%s': 'loader-known-by = identifier' in [uds] needs loader-did",
			name);
	if (k->second_level && (!k->security_extended || k->second_level % 2 == 0))
		return bf_fail(err, BF_E_USAGE,
			       "profile '%s': second-level in [uds] is an odd number and needs "
			       "'security-session = extended'",
			       name);
	if (k->read_programming && k->security_extended && !k->security_level)
		return bf_fail(err, BF_E_USAGE, "profile '%s': no security-level to read with",
			       name);
	if (k->chunk && k->chunk <= 2)
		return bf_fail(
			err, BF_E_USAGE,
			"profile '%s': chunk in [uds] counts two bytes of service and counter",
			name);
	return BF_OK;
}

static bool note(const void *settings, const struct bf_profile *profile, size_t i, char *dst,
		 size_t cap)
{
	const struct bf_uds_profile *k = settings;

	if (i || !k->auth_program[0])
		return false;
	snprintf(dst, cap, "the profile '%s' runs the program '%s'", profile->name,
		 k->auth_program);
	return true;
}

static const char *seed_program(const void *settings)
{
	const struct bf_uds_profile *k = settings;

	return k->auth == BF_AUTH_PROGRAM ? k->auth_program : NULL;
}

static bool shows_firmware(const void *settings)
{
	const struct bf_uds_profile *k = settings;

	return k->did_app_version || k->did_app_digest;
}

const struct bf_profile_section bf_section_uds = {
	.name = "uds",
	.size = sizeof(struct bf_uds_profile),
	.rows = rows,
	.n_rows = BF_COUNT(rows),
	.check = check,
	.note = note,
	.seed_program = seed_program,
	.shows_firmware = shows_firmware,
};
