/* SPDX-License-Identifier: MIT */
#include "family/smp/smp_profile.h"
#include "profile/keys.h"

static const struct bf_choice framings[] = {
	{ "auto", BF_SMP_FRAMING_AUTO },
	{ "console", BF_SMP_FRAMING_CONSOLE },
	{ "raw", BF_SMP_FRAMING_RAW },
	{ NULL },
};

static const struct bf_choice who[] = {
	{ "auto", BF_SMP_ANSWERS_AUTO },
	{ "application", BF_SMP_ANSWERS_APPLICATION },
	{ "recovery", BF_SMP_ANSWERS_RECOVERY },
	{ NULL },
};

static const struct bf_choice modes[] = {
	{ "auto", BF_SMP_MODE_UNKNOWN },
	{ "single", BF_SMP_MODE_SINGLE },
	{ "swap-scratch", BF_SMP_MODE_SWAP_SCRATCH },
	{ "swap-move", BF_SMP_MODE_SWAP_MOVE },
	{ "swap-offset", BF_SMP_MODE_SWAP_OFFSET },
	{ "overwrite", BF_SMP_MODE_OVERWRITE },
	{ "direct-xip", BF_SMP_MODE_XIP },
	{ "direct-xip-revert", BF_SMP_MODE_XIP_REVERT },
	{ "ram-load", BF_SMP_MODE_RAM_LOAD },
	{ NULL },
};

#define SMP(member) BF_SCOPE_FAMILY, BF_IN(bf_smp_profile, member)
#define NUM         BF_VALUE_NUMBER

/* clang-format off */
static const struct bf_key_row rows[] = {
	{ "smp", "framing", BF_VALUE_CHOICE, SMP(framing), 0, 0, "auto", framings,
	  "console: lines of text with a CRC; raw: packets as they are; auto: console is asked first" },
	{ "smp", "answers", BF_VALUE_CHOICE, SMP(answers), 0, 0, "auto", who,
	  "who answers: the application or MCUboot's serial recovery; auto: what it knows shows it" },
	{ "smp", "mode", BF_VALUE_CHOICE, SMP(mode), 0, 0, "auto", modes,
	  "what MCUboot does with the slots at a restart; auto: as the pack says, and where it does not, one slot without a way back" },
	{ "smp", "image", NUM, SMP(image), 0, 7, "0", NULL,
	  "number of the image that is updated, where the pack has several" },
	{ "smp", "together", NUM, SMP(together), 0, 4, "0", NULL,
	  "images that a rollback takes back in one run, numbers 0 and up; 0: that of image alone" },
	{ "smp", "direct-upload", BF_VALUE_BOOL, SMP(direct_upload), 0, 0, "no", NULL,
	  "recovery writes to the second slot when it is asked to; no: all uploads go to the first" },
	{ "smp", "slot-size", NUM, SMP(slot_size), 0, 67108864, "0", NULL,
	  "bytes of a slot; 0: as the pack says" },
	{ "smp", "trailer", NUM, SMP(trailer), 0, 1048576, "0", NULL,
	  "bytes at the end of a slot that MCUboot keeps for itself; 0: as the pack says, else 8192" },
	{ "smp", "board", BF_VALUE_TEXT, SMP(board), 0, 0, "", NULL,
	  "name of the hardware; empty: as the pack says" },
	{ "smp", "vendor", BF_VALUE_TEXT, SMP(vendor), 0, 0, "", NULL,
	  "vendor of the hardware, as imgtool --vid has it" },
	{ "smp", "class", BF_VALUE_TEXT, SMP(class_name), 0, 0, "", NULL,
	  "class of the hardware, as imgtool --cid has it; empty: the board's name" },
	{ "smp", "chunk", NUM, SMP(chunk), 0, 16384, "0", NULL,
	  "bytes of the image in one request at most; 0: as the pack's buffers allow" },
	{ "smp", "in-flight", NUM, SMP(in_flight), 0, 8, "0", NULL,
	  "requests on the way at once; 0: as many as the pack has buffers, where the line carries both directions at once" },
	{ "smp", "answer-ms", NUM, SMP(answer_ms), 10, 60000, "1000", NULL,
	  "longest time to an answer" },
	{ "smp", "list-ms", NUM, SMP(list_ms), 10, 60000, "4000", NULL,
	  "longest time to the list of images, which a bootloader verifies first" },
	{ "smp", "erase-limit-s", NUM, SMP(erase_limit_s), 1, 600, "60", NULL,
	  "longest time to the answer to the first chunk, in which a slot may be erased" },
	{ "smp", "boot-wait-ms", NUM, SMP(boot_wait_ms), 0, 60000, "600", NULL,
	  "silence kept after a restart: a bootloader that hears a request in its window stays in recovery" },
};
/* clang-format on */

const struct bf_profile_section bf_section_smp = {
	.name = "smp",
	.size = sizeof(struct bf_smp_profile),
	.rows = rows,
	.n_rows = BF_COUNT(rows),
};
