/* SPDX-License-Identifier: MIT */
#include "family/stm32/stm32_profile.h"
#include <stdio.h>

#include "profile/keys.h"

static const struct bf_choice syncs[] = {
	{ "byte", BF_STM32_SYNC_BYTE },
	{ "text", BF_STM32_SYNC_TEXT },
	{ NULL },
};
static const struct bf_choice parities[] = {
	{ "even", 'E' },
	{ "none", 'N' },
	{ "odd", 'O' },
	{ NULL },
};
static const struct bf_choice restarts[] = {
	{ "go", BF_STM32_RESTART_GO },
	{ "none", BF_STM32_RESTART_NONE },
	{ NULL },
};
static const struct bf_choice erasures[] = {
	{ "pages", BF_STM32_ERASE_PAGES },
	{ "mass", BF_STM32_ERASE_MASS },
	{ "bank1", BF_STM32_ERASE_BANK1 },
	{ "bank2", BF_STM32_ERASE_BANK2 },
	{ NULL },
};
static const struct bf_choice banks[] = {
	{ "auto", BF_STM32_BANKS_AUTO },
	{ "yes", BF_STM32_BANKS_TWO },
	{ "no", BF_STM32_BANKS_ONE },
	{ NULL },
};
static const struct bf_choice sums[] = {
	{ "auto", BF_STM32_SUM_AUTO },
	{ "an3155", BF_STM32_SUM_AN3155 },
	{ "short", BF_STM32_SUM_SHORT },
	{ "none", BF_STM32_SUM_NONE },
	{ NULL },
};
static const struct bf_choice can_erasures[] = {
	{ "unknown", BF_STM32_CAN_ERASE_UNKNOWN },
	{ "page", BF_STM32_CAN_ERASE_PAGE },
	{ "list", BF_STM32_CAN_ERASE_LIST },
	{ NULL },
};
static const struct bf_choice can_forms[] = {
	{ "classic", BF_STM32_CAN_CLASSIC },
	{ "fd", BF_STM32_CAN_FD },
	{ NULL },
};

#define MY(member) BF_SCOPE_FAMILY, BF_IN(bf_stm32_profile, member)
#define NUM        BF_VALUE_NUMBER

/* clang-format off */
static const struct bf_key_row rows[] = {
	{ "stm32", "chip", BF_VALUE_TEXT, MY(chip), 0, 0, "", NULL,
	  "the chip, by its name in bmsflash-stm32(7); empty: by the identifier that the loader tells" },
	{ "stm32", "vendor", BF_VALUE_TEXT, MY(vendor), 0, 0, "", NULL,
	  "maker of the hardware that this profile is for, as in the image; empty: not said" },
	{ "stm32", "class", BF_VALUE_TEXT, MY(class_name), 0, 0, "", NULL,
	  "class of that hardware" },
	{ "stm32", "sync", BF_VALUE_CHOICE, MY(sync), 0, 0, "byte", syncs,
	  "how the loader is greeted: by the byte 0x7F, or by a text (a maker's own loader)" },
	{ "stm32", "sync-text", BF_VALUE_TEXT, MY(sync_text), 0, 0, "WHO?", NULL,
	  "that text; a carriage return is sent behind it" },
	{ "stm32", "sync-answer", BF_VALUE_TEXT, MY(sync_answer), 0, 0, "", NULL,
	  "what the loader's answer to it contains; empty: any answer will do" },
	{ "stm32", "parity", BF_VALUE_CHOICE, MY(parity), 0, 0, "even", parities,
	  "of the serial line, in place of parity in [rs485]; ST's loaders have even parity" },
	{ "stm32", "commands", BF_VALUE_HEX, MY(commands), 0, 0, "", NULL,
	  "the commands that the loader has, in hex, where it has no GET" },
	{ "stm32", "page", NUM, MY(page), 0, 1048576, "0", NULL,
	  "bytes of an erase unit, where all have one size; 0: as the chip table says" },
	{ "stm32", "flash-base", NUM, MY(flash_base), 0, 0xFFFFFFFF, "0", NULL,
	  "address of the flash; 0: as the chip table says, else 0x08000000" },
	{ "stm32", "flash-size", NUM, MY(flash_size), 0, 67108864, "0", NULL,
	  "bytes of flash; 0: as the chip tells" },
	{ "stm32", "write-unit", NUM, MY(write_unit), 0, 32, "0", NULL,
	  "bytes that are programmed at once: 4, 8, 16 or 32; 0: as the chip table says, else 4" },
	{ "stm32", "block", NUM, MY(block), 0, 256, "0", NULL,
	  "bytes of a READ or WRITE at most; 0: as the chip table says, else 256" },
	{ "stm32", "start", NUM, MY(start), 0, 0xFFFFFFFF, "0", NULL,
	  "address that GO is sent with; 0: the start of the flash" },
	{ "stm32", "restart", BF_VALUE_CHOICE, MY(restart), 0, 0, "go", restarts,
	  "how the firmware is started: by GO, or not at all (a reset or a power cycle)" },
	{ "stm32", "erase", BF_VALUE_CHOICE, MY(erase), 0, 0, "pages", erasures,
	  "what is erased: the pages that differ, all of the flash, or a bank" },
	{ "stm32", "dbank", BF_VALUE_CHOICE, MY(banks), 0, 0, "auto", banks,
	  "whether the flash is set up as two banks, which changes its sectors; auto: by the option bit" },
	{ "stm32", "checksum", BF_VALUE_CHOICE, MY(checksum), 0, 0, "auto", sums,
	  "form of the checksum command; auto: the one that agrees with what is read" },
	{ "stm32", "can-erase", BF_VALUE_CHOICE, MY(can_erase), 0, 0, "unknown", can_erasures,
	  "form of the erase command on CAN: a count and a page each, or up to eight pages in one frame" },
	{ "stm32", "can-rate", NUM, MY(can_rate), 10000, 1000000, "125000", NULL,
	  "bit rate that the loader starts with" },
	{ "stm32", "can-form", BF_VALUE_CHOICE, MY(can_form), 0, 0, "classic", can_forms,
	  "classic frames (AN3154) or CAN FD frames (AN5405)" },
	{ "stm32", "can-base", NUM, MY(can_base), 0, 0x700, "0x500", NULL,
	  "CAN FD: base of the identifiers that the loader listens to, a multiple of 0x100" },
	{ "stm32", "bus-shared", BF_VALUE_BOOL, MY(bus_shared), 0, 0, "no", NULL,
	  "the loader's commands may be sent although other nodes talk on the bus" },
};
/* clang-format on */

static enum bf_rc check(const void *settings, const struct bf_profile *profile,
			const char *profile_name, struct bf_err *err)
{
	const struct bf_stm32_profile *s = settings;

	(void)profile;
	if (s->write_unit & (s->write_unit - 1) || s->write_unit == 1 || s->write_unit == 2)
		return bf_fail(err, BF_E_USAGE, "%s: [stm32] write-unit is 4, 8, 16 or 32",
			       profile_name);
	if (s->page & (s->page - 1))
		return bf_fail(err, BF_E_USAGE, "%s: [stm32] page is a power of two", profile_name);
	if (s->block % 4 || (s->write_unit && s->block % s->write_unit))
		return bf_fail(err, BF_E_USAGE, "%s: [stm32] block holds whole units",
			       profile_name);
	if (s->can_base % 0x100)
		return bf_fail(err, BF_E_USAGE, "%s: [stm32] can-base is a multiple of 0x100",
			       profile_name);
	return BF_OK;
}

static bool note(const void *settings, const struct bf_profile *profile, size_t i, char *dst,
		 size_t cap)
{
	static const char *const whole[] = {
		[BF_STM32_ERASE_PAGES] = NULL,
		[BF_STM32_ERASE_MASS] = "all of the flash",
		[BF_STM32_ERASE_BANK1] = "all of bank 1",
		[BF_STM32_ERASE_BANK2] = "all of bank 2",
	};
	const struct bf_stm32_profile *s = settings;

	(void)profile;
	if (i || !whole[s->erase])
		return false;
	snprintf(dst, cap, "[stm32] erase: %s is erased, with what no file holds.",
		 whole[s->erase]);
	return true;
}

const struct bf_profile_section bf_section_stm32 = {
	.name = "stm32",
	.size = sizeof(struct bf_stm32_profile),
	.rows = rows,
	.n_rows = BF_COUNT(rows),
	.check = check,
	.note = note,
};
