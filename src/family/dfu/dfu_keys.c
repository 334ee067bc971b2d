/* SPDX-License-Identifier: MIT */
#include "family/dfu/dfu_profile.h"
#include "profile/keys.h"

static const struct bf_choice forms[] = {
	{ "auto", BF_DFU_FORM_AUTO },
	{ "dfu", BF_DFU_FORM_DFU },
	{ "dfuse", BF_DFU_FORM_DFUSE },
	{ NULL },
};

#define DFU(member) BF_SCOPE_FAMILY, BF_IN(bf_dfu_profile, member)
#define NUM         BF_VALUE_NUMBER

/* clang-format off */
static const struct bf_key_row rows[] = {
	{ "dfu", "form", BF_VALUE_CHOICE, DFU(form), 0, 0, "auto", forms,
	  "plain DFU or DfuSe; auto: DfuSe where an alternate setting shows a memory map" },
	{ "dfu", "alt", BF_VALUE_TEXT, DFU(alt), 0, 0, "", NULL,
	  "alternate setting that takes firmware, by name or number" },
	{ "dfu", "transfer-size", NUM, DFU(transfer), 0, 4096, "0", NULL,
	  "bytes in a block; 0: as the bootloader says" },
	{ "dfu", "page-size", NUM, DFU(page), 0, 1048576, "0", NULL,
	  "DfuSe: bytes that one erase command clears, where the memory map is wrong; 0: as mapped" },
	{ "dfu", "start", NUM, DFU(start), 0, 0xFFFFFFFF, "0", NULL,
	  "DfuSe: address of the vector table to start; 0: the lowest flash that can be written" },
	{ "dfu", "ignore-poll", BF_VALUE_BOOL, DFU(ignore_poll), 0, 0, "no", NULL,
	  "the bootloader's poll times mean nothing: it is asked every 5 ms" },
};
/* clang-format on */

const struct bf_profile_section bf_section_dfu = {
	.name = "dfu",
	.size = sizeof(struct bf_dfu_profile),
	.rows = rows,
	.n_rows = BF_COUNT(rows),
};
