/* SPDX-License-Identifier: MIT */
/* What [dfu] of a profile says. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum bf_dfu_form { BF_DFU_FORM_AUTO, BF_DFU_FORM_DFU, BF_DFU_FORM_DFUSE };

struct bf_dfu_profile {
	enum bf_dfu_form form;
	char alt[48];      /* alternate setting that takes firmware, name or number; "": found */
	uint32_t transfer; /* bytes of a block; 0: as the device says */
	uint32_t page;     /* DfuSe: erase page, where the device's map is wrong; 0: its map */
	uint32_t start;    /* DfuSe: address that execution begins at; 0: the lowest flash */
	bool ignore_poll;
};
