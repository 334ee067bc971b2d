/* SPDX-License-Identifier: MIT */
/* What some devices do that nothing on the wire shows: by their numbers, or by the profile. */
#pragma once

#include "bmsflash/transport.h"
#include "family/dfu/dfu_map.h"
#include "family/dfu/dfu_profile.h"

enum bf_dfu_habit {
	BF_DFU_HABIT_DFUSE = 1 << 0,       /* DfuSe whatever its version says */
	BF_DFU_HABIT_PLAIN = 1 << 1,       /* plain DFU whatever its version says */
	BF_DFU_HABIT_LOADER = 1 << 2,      /* in DFU mode whatever its interface protocol says */
	BF_DFU_HABIT_FLIP = 1 << 3,        /* Atmel FLIP: another protocol */
	BF_DFU_HABIT_STUCK_ERASE = 1 << 4, /* stays in dfuDNBUSY after a good erase */
	BF_DFU_HABIT_POLL = 1 << 5,        /* its bwPollTimeout means nothing */
	BF_DFU_HABIT_GD_PAGES = 1 << 6,    /* page size and count by its serial number */
};

#define BF_DFU_HABIT_POLL_MS 5

unsigned bf_dfu_habits(const struct bf_usb_device *device, const struct bf_dfu_profile *settings);

/* GigaDevice, 28E9:0189: "3xBJ" has 128 pages of 1 KiB, "3x8J" 64, "3x6J" 32, "3x4J" 16. */
void bf_dfu_gd_pages(const char *told, struct bf_dfu_map *map);
