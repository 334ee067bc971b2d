/* SPDX-License-Identifier: MIT */
#include "family/dfu/dfu_habit.h"

#include <stdio.h>
#include <string.h>

#define ANY 0xFFFF

static const struct {
	uint16_t vid, pid_first, pid_last, bcd_first, bcd_last;
	unsigned habits;
} devices[] = {
	/* ST's ROM loaders; some tell no version or 1.1 */
	{ 0x0483, 0xDF11, 0xDF11, 0, ANY, BF_DFU_HABIT_DFUSE | BF_DFU_HABIT_STUCK_ERASE },
	/* Maple revision 3 copied ST's version number */
	{ 0x1EAF, 0x0003, 0x0003, 0x0200, 0x0200, BF_DFU_HABIT_PLAIN },
	/* NXP LPC: interface protocol 1 in DFU mode */
	{ 0x1FC9, 0x000C, 0x000C, 0, ANY, BF_DFU_HABIT_LOADER },
	/* Atmel */
	{ 0x03EB, 0x2FE0, 0x2FFF, 0, ANY, BF_DFU_HABIT_FLIP },
	/* GigaDevice GD32VF103 */
	{ 0x28E9, 0x0189, 0x0189, 0, ANY, BF_DFU_HABIT_GD_PAGES },
	/* bwPollTimeout is never filled in: OpenMoko, OpenPCD, Siemens (release 0), M-Audio, others */
	{ 0x1457, 0x0000, 0xFFFF, 0, ANY, BF_DFU_HABIT_POLL },
	{ 0x1D50, 0x5117, 0x5126, 0, ANY, BF_DFU_HABIT_POLL },
	{ 0x16C0, 0x0762, 0x0762, 0, ANY, BF_DFU_HABIT_POLL },
	{ 0x16C0, 0x076B, 0x076C, 0, ANY, BF_DFU_HABIT_POLL },
	{ 0x0908, 0x02C4, 0x02C5, 0, 0, BF_DFU_HABIT_POLL },
	{ 0x0763, 0x2806, 0x2806, 0, ANY, BF_DFU_HABIT_POLL },
	{ 0x1BCF, 0x0B1D, 0x0B1D, 0, ANY, BF_DFU_HABIT_POLL },
};

static unsigned by_numbers(const struct bf_usb_device *device)
{
	for (size_t i = 0; i < BF_COUNT(devices); i++) {
		if (device->vid == devices[i].vid && device->pid >= devices[i].pid_first &&
		    device->pid <= devices[i].pid_last &&
		    device->bcd_device >= devices[i].bcd_first &&
		    device->bcd_device <= devices[i].bcd_last)
			return devices[i].habits;
	}
	return 0;
}

unsigned bf_dfu_habits(const struct bf_usb_device *device, const struct bf_dfu_profile *settings)
{
	static const unsigned forms[] = {
		[BF_DFU_FORM_AUTO] = 0,
		[BF_DFU_FORM_DFU] = BF_DFU_HABIT_PLAIN,
		[BF_DFU_FORM_DFUSE] = BF_DFU_HABIT_DFUSE,
	};
	unsigned habits = by_numbers(device);

	if (settings->form != BF_DFU_FORM_AUTO)
		habits = (habits & ~(unsigned)(BF_DFU_HABIT_DFUSE | BF_DFU_HABIT_PLAIN)) |
			 forms[settings->form];
	return habits | (settings->ignore_poll ? BF_DFU_HABIT_POLL : 0);
}

/* Its serial number is 8-bit text in the place of 16-bit text: two characters of three bytes each, in UTF-8. */
static void narrow(const char *wide, char dst[5])
{
	const uint8_t *p = (const uint8_t *)wide;

	snprintf(dst, 5, "%s", wide);
	if (strlen(wide) != 6 || p[0] >> 4 != 0xE || p[3] >> 4 != 0xE)
		return;
	for (unsigned i = 0; i < 2; i++, p += 3) {
		unsigned unit = (p[0] & 0xFU) << 12 | (p[1] & 0x3FU) << 6 | (p[2] & 0x3FU);

		dst[2 * i] = (char)(unit & 0xFF);
		dst[2 * i + 1] = (char)(unit >> 8);
	}
	dst[4] = '\0';
}

void bf_dfu_gd_pages(const char *told, struct bf_dfu_map *map)
{
	static const char letters[] = "B864";
	char serial[5];
	const char *at;

	narrow(told, serial);
	at = strlen(serial) == 4 && serial[0] == '3' && serial[3] == 'J' && serial[2]
		     ? strchr(letters, serial[2])
		     : NULL;

	bf_dfu_map_pages(map, 1024);
	if (at && map->n_runs && map->runs[0].size == 1024)
		map->runs[0].count = 128U >> (at - letters);
}
