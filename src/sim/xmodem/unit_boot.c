/* SPDX-License-Identifier: MIT */
/* What a unit has in its flash when it is new, and what its bootloader starts. */
#include <stdio.h>
#include <string.h>

#include "bmsflash/bytes.h"
#include "sim/xmodem/unit_priv.h"

static void jk_preload(struct bf_pack *p)
{
	uint8_t *image = malloc(BF_JK_IMAGE);
	uint8_t blank[JK_PAGE];

	if (!image)
		abort();
	memset(blank, 0xFF, sizeof(blank));
	for (uint32_t at = JK_MARK; at < JK_END; at += JK_PAGE)
		bf_flash_preload(&p->flash, at, blank, sizeof(blank));
	if (strcmp(p->opts.version, "none") != 0) {
		bf_jk_image(p->opts.version, p->opts.class_name, image, BF_JK_IMAGE);
		bf_flash_preload(&p->flash, JK_APP, image, BF_JK_IMAGE);
	}
	free(image);
}

static void vanmoof_preload(struct bf_pack *p)
{
	uint8_t *image = malloc(BF_VANMOOF_IMAGE);
	uint8_t page[VM_PAGE];

	if (!image)
		abort();
	memset(page, 0xFF, sizeof(page));
	for (uint32_t at = VM_APP; at < VM_SHADOW + VM_BANK; at += VM_PAGE)
		bf_flash_preload(&p->flash, at, page, sizeof(page));
	page[0] = VM_FLAG_NORMAL;
	bf_flash_preload(&p->flash, VM_FLAG, page, sizeof(page));
	if (strcmp(p->opts.version, "none") != 0) {
		bf_vanmoof_image(p->opts.version, image, BF_VANMOOF_IMAGE);
		bf_flash_preload(&p->flash, VM_APP, image, BF_VANMOOF_IMAGE);
	}
	free(image);
}

void bf_unit_preload(struct bf_pack *pack)
{
	if (bf_unit_is_jk(pack))
		jk_preload(pack);
	else
		vanmoof_preload(pack);
}

static void read_version(const uint8_t *app, struct bf_mimage *ret)
{
	unsigned major = 0, minor = 0;
	char text[17] = { 0 };

	memcpy(text, app + 0x200, 16);
	sscanf(text, "%3u.%5u", &major, &minor);
	*ret = (struct bf_mimage){
		.present = true, .sound = true, .major = (uint8_t)major, .minor = (uint8_t)minor
	};
}

/* Only the first word is looked at: half an image is started like a whole one, and then it is silent. */
static void jk_boot(struct bf_pack *p)
{
	const uint8_t *app = bf_flash_at(&p->flash, JK_APP);
	bool marked = bf_flash_at(&p->flash, JK_MARK)[0] == 0xA5 &&
		      bf_flash_at(&p->flash, JK_MARK)[1] == 0x5A;
	bool whole, known;

	/* A mass erase takes the maker's own bootloader, too, which is in no file. */
	p->hung = bf_flash_blank(&p->flash, BF_FLASH_BASE, JK_MARK - BF_FLASH_BASE);
	if (p->hung || p->armed || marked || bf_get_le32(app) >> 16 != 0x2000)
		return;
	whole = bf_jk_image_whole(app, JK_END - JK_APP, &known);
	p->hung = !whole || (!known && p->kept.torn);
	p->runs = !p->hung;
	read_version(app, &p->running);
}

static bool vm_good(const struct bf_pack *p, uint32_t bank)
{
	return bf_vanmoof_check(bf_flash_at(&p->flash, bank), VM_BANK) == BF_VANMOOF_GOOD;
}

static bool set_flag(struct bf_pack *p, uint8_t flag)
{
	uint8_t word[BF_FLASH_WORD];

	memset(word, 0xFF, sizeof(word));
	word[0] = flag;
	return bf_flash_erase_sector(&p->flash, VM_FLAG, VM_PAGE, VM_ERASE_US) &&
	       bf_flash_write(&p->flash, VM_FLAG, word, sizeof(word));
}

/* False: power went. The flag stays until all is copied. */
static bool install_shadow(struct bf_pack *p)
{
	uint32_t len = bf_get_le32(bf_flash_at(&p->flash, VM_SHADOW + 12));

	for (uint32_t at = 0; at < len; at += VM_PAGE) {
		const uint8_t *src = bf_flash_at(&p->flash, VM_SHADOW + at);

		if (!bf_flash_erase_sector(&p->flash, VM_APP + at, VM_PAGE, VM_ERASE_US) ||
		    !bf_flash_write(&p->flash, VM_APP + at, src, VM_PAGE))
			return false;
	}
	return true;
}

static bool wipe(struct bf_pack *p)
{
	for (uint32_t at = VM_APP; at < VM_SHADOW + VM_BANK; at += VM_PAGE)
		if (!bf_flash_erase_sector(&p->flash, at, VM_PAGE, VM_ERASE_US))
			return false;
	return set_flag(p, VM_FLAG_NORMAL);
}

static uint8_t of_bcd(uint8_t b)
{
	return (uint8_t)((b >> 4) * 10 + (b & 15));
}

static void vanmoof_boot(struct bf_pack *p)
{
	const uint8_t *head;
	uint8_t flag = *bf_flash_at(&p->flash, VM_FLAG);
	bool install = flag == VM_FLAG_INSTALL || !vm_good(p, VM_APP);

	p->hung = p->kept.torn; /* its bootloader is gone */
	if (p->hung)
		return;
	if (flag == VM_FLAG_WIPE && !wipe(p))
		return;
	if (flag != VM_FLAG_WIPE && install && vm_good(p, VM_SHADOW) && !install_shadow(p))
		return;
	if (flag != VM_FLAG_NORMAL && flag != VM_FLAG_WIPE && !set_flag(p, VM_FLAG_NORMAL))
		return;
	if (!vm_good(p, VM_APP))
		return;
	head = bf_flash_at(&p->flash, VM_APP);
	p->running = (struct bf_mimage){ .present = true,
					 .sound = true,
					 .major = of_bcd(head[7]),
					 .minor = of_bcd(head[6]),
					 .revision = of_bcd(head[5]) };
	p->runs = true;
}

void bf_unit_boot(struct bf_pack *pack)
{
	if (bf_unit_is_jk(pack))
		jk_boot(pack);
	else
		vanmoof_boot(pack);
}
