/* SPDX-License-Identifier: MIT */
/* What [smp] of a profile says. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum bf_smp_framing { BF_SMP_FRAMING_AUTO, BF_SMP_FRAMING_CONSOLE, BF_SMP_FRAMING_RAW };
enum bf_smp_answers { BF_SMP_ANSWERS_AUTO, BF_SMP_ANSWERS_APPLICATION, BF_SMP_ANSWERS_RECOVERY };

/* What MCUboot does with the slots at a restart; the numbers are those of group 0, command 8. */
enum bf_smp_mode {
	BF_SMP_MODE_SINGLE,
	BF_SMP_MODE_SWAP_SCRATCH,
	BF_SMP_MODE_OVERWRITE,
	BF_SMP_MODE_SWAP_MOVE,
	BF_SMP_MODE_XIP,
	BF_SMP_MODE_XIP_REVERT,
	BF_SMP_MODE_RAM_LOAD,
	BF_SMP_MODE_FIRMWARE_LOADER,
	BF_SMP_MODE_SINGLE_RAM_LOAD,
	BF_SMP_MODE_SWAP_OFFSET,
	BF_SMP_MODE_UNKNOWN, /* in a profile: as the pack says */
};

struct bf_smp_profile {
	enum bf_smp_framing framing;
	enum bf_smp_answers answers;
	enum bf_smp_mode mode;
	uint8_t image;    /* number of the image that is updated */
	uint8_t together; /* images that a rollback takes in one run, numbers 0 and up; 0: `image` */
	bool direct_upload;          /* recovery: image 2 is the second slot */
	uint32_t slot_size, trailer; /* bytes; 0: as the pack says */
	char board[48];              /* "": as the pack says */
	char vendor[64], class_name[64];
	uint32_t
		chunk; /* bytes of the image in a request at most; 0: as the pack's buffers allow */
	uint8_t in_flight; /* requests at once; 0: as many as the pack has buffers, where the line can */
	uint32_t answer_ms, list_ms, erase_limit_s, boot_wait_ms;
};
