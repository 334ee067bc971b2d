/* SPDX-License-Identifier: MIT */
#include "family/xmodem/xmodem_profile.h"
#include "profile/keys.h"

static const struct bf_choice blocks[] = {
	{ "128", 128 },
	{ "1024", BF_XMODEM_BLOCK_MAX },
	{ NULL },
};

static const struct bf_choice checks[] = {
	{ "sum", BF_XMODEM_SUM },
	{ "crc", BF_XMODEM_CRC },
	{ "auto", BF_XMODEM_AUTO },
	{ NULL },
};

static const struct bf_choice readies[] = {
	{ "nak", BF_XMODEM_READY_NAK },
	{ "c", BF_XMODEM_READY_C },
	{ "any", BF_XMODEM_READY_ANY },
	{ NULL },
};

static const struct bf_choice ends[] = {
	{ "standard", BF_XMODEM_END_STANDARD },
	{ "glued", BF_XMODEM_END_GLUED },
	{ NULL },
};

#define XM(member) BF_SCOPE_FAMILY, BF_IN(bf_xmodem_profile, member)
#define NUM        BF_VALUE_NUMBER

/* clang-format off */
static const struct bf_key_row rows[] = {
	{ "xmodem", "block", BF_VALUE_CHOICE, XM(block), 0, 0, "128", blocks,
	  "bytes of data in a block" },
	{ "xmodem", "check", BF_VALUE_CHOICE, XM(check), 0, 0, "auto", checks,
	  "checksum of a block; auto: the one that the bootloader asks for, NAK for a sum and C for a CRC" },
	{ "xmodem", "ready", BF_VALUE_CHOICE, XM(ready), 0, 0, "any", readies,
	  "byte by which the bootloader asks for data" },
	{ "xmodem", "eot", BF_VALUE_CHOICE, XM(end), 0, 0, "standard", ends,
	  "end of the transfer: EOT after the last block is acknowledged, or in the same write as the last block" },
	{ "xmodem", "eot-count", NUM, XM(eots), 1, BF_XMODEM_EOTS_MAX, "3", NULL,
	  "EOT bytes in the write of the last block" },
	{ "xmodem", "pad", NUM, XM(pad), 0, 0xFF, "0x1A", NULL,
	  "byte that fills the last block" },
	{ "xmodem", "cancel-count", NUM, XM(cancels), 1, 2, "2", NULL,
	  "CAN bytes in a row by which the bootloader cancels" },
	{ "xmodem", "cancel", BF_VALUE_BOOL, XM(may_cancel), 0, 0, "yes", NULL,
	  "the bootloader takes CAN CAN as the end of a transfer that is given up" },
	{ "xmodem", "echo", BF_VALUE_BOOL, XM(echo), 0, 0, "no", NULL,
	  "the bootloader sends each block back before it answers" },
	{ "xmodem", "repeats", NUM, XM(sends), 1, 50, "10", NULL,
	  "how often one block is sent at most" },
	{ "xmodem", "banner", BF_VALUE_TEXT, XM(banner), 0, 0, "", NULL,
	  "part of the text that the bootloader writes when it starts; another text is refused" },
	{ "xmodem", "done", BF_VALUE_TEXT, XM(done), 0, 0, "", NULL,
	  "part of the text that it writes when the transfer is complete" },
	{ "xmodem", "start", BF_VALUE_HEX, XM(start), 0, 0, "", NULL,
	  "bytes that ask it for the transfer, such as 31 for item 1 of a menu" },
	{ "xmodem", "leave", BF_VALUE_HEX, XM(leave), 0, 0, "", NULL,
	  "bytes that make it start the firmware when nothing was sent to it" },
	{ "xmodem", "max-size", NUM, XM(max_size), 0, BF_REGION_MAX, "0", NULL,
	  "largest image in bytes; the bootloader itself may have no limit; 0: not known" },
	{ "xmodem", "listen-ms", NUM, XM(listen_ms), 50, 60000, "3000", NULL,
	  "how long it is listened for; while it waits for data it is heard at least so often" },
	{ "xmodem", "ready-ms", NUM, XM(ready_ms), 100, 600000, "60000", NULL,
	  "how long it may take until it asks for data, once it was entered" },
	{ "xmodem", "block-ms", NUM, XM(block_ms), 100, 120000, "10000", NULL,
	  "how long an answer to a block is waited for before the block is sent again" },
	{ "xmodem", "end-ms", NUM, XM(end_ms), 100, 120000, "10000", NULL,
	  "how long the end of the transfer is waited for" },
	{ "xmodem", "transfer-s", NUM, XM(whole_s), 0, 36000, "0", NULL,
	  "longest time of a whole transfer in seconds; 0: two for each block, and at least 300" },
};
/* clang-format on */

const struct bf_profile_section bf_section_xmodem = {
	.name = "xmodem",
	.size = sizeof(struct bf_xmodem_profile),
	.rows = rows,
	.n_rows = BF_COUNT(rows),
};
