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
		bf_jk_image(p->opts.version, p->opts.class_name, image);
		bf_flash_preload(&p->flash, JK_APP, image, BF_JK_IMAGE);
	}
	free(image);
}

void bf_unit_preload(struct bf_pack *pack)
{
	jk_preload(pack);
}

static void read_version(const uint8_t *app, struct bf_mimage *ret)
{
	unsigned major = 0, minor = 0;
	char text[17] = { 0 };

	memcpy(text, app + 0x200, 16);
	sscanf(text, "%3u.%5u", &major, &minor);
	*ret = (struct bf_mimage){ .major = (uint8_t)major, .minor = (uint8_t)minor };
}

/* Only the first word is looked at: half an image is started like a whole one, and then it is silent. */
static void jk_boot(struct bf_pack *p)
{
	const uint8_t *app = bf_flash_at(&p->flash, JK_APP);
	bool marked = bf_flash_at(&p->flash, JK_MARK)[0] == 0xA5 &&
		      bf_flash_at(&p->flash, JK_MARK)[1] == 0x5A;
	bool whole, known;

	if (p->armed || marked || bf_get_le32(app) >> 16 != 0x2000)
		return;
	whole = bf_jk_image_whole(app, JK_END - JK_APP, &known);
	p->hung = !whole || (!known && p->kept.torn);
	p->runs = !p->hung;
	read_version(app, &p->running);
}

void bf_unit_boot(struct bf_pack *pack)
{
	jk_boot(pack);
}
