/* SPDX-License-Identifier: MIT */
#include "units.h"

#include <stdio.h>
#include <string.h>

#include "maker.h"
#include "sim/pack_priv.h"
#include "sim/xmodem/unit.h"

static const struct {
	uint32_t places[3];
	const char *files[UNIT_IMAGES], *versions[UNIT_IMAGES];
	const char *rescue; /* profile for one that is dead; NULL: none */
} units[] = {
	[UNIT_JK] = { { 0x08002000 },
		      { "15.41", "15.42", "15.43" },
		      { "15.41.0", "15.42.0", "15.43.0" },
		      "jk-rom" },
	[UNIT_VANMOOF] = { { 0x08005000, 0x0801A800 },
			   { "1.17", "1.18", "1.19" },
			   { "1.17.0", "1.18.0", "1.19.0" },
			   NULL },
};

uint32_t unit_place(enum unit unit, unsigned i)
{
	return units[unit].places[i];
}

const char *unit_version(enum unit unit, unsigned image)
{
	return units[unit].versions[image];
}

void unit_image(enum unit unit, unsigned image, uint8_t dst[UNIT_LEN])
{
	if (unit == UNIT_JK)
		bf_jk_image(units[unit].files[image], "JK_PB2A16S20P", dst, UNIT_LEN);
	else
		bf_vanmoof_image(units[unit].files[image], dst, UNIT_LEN);
}

static bool copy_profile(const char *name, const char *folder)
{
	char path[160];
	bool ok;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.ini", folder, name);
	f = fopen(path, "w");
	if (!f)
		return false;
	ok = maker_profile(name, NULL, folder, f);
	return fclose(f) == 0 && ok;
}

bool unit_files(enum unit unit, const char *folder)
{
	uint8_t image[UNIT_LEN];
	char name[16];

	for (unsigned i = 0; i < UNIT_IMAGES; i++) {
		snprintf(name, sizeof(name), "unit-%u.bin", i);
		unit_image(unit, i, image);
		if (!maker_sign(folder, name, image, sizeof(image)))
			return false;
	}
	return !units[unit].rescue || copy_profile(units[unit].rescue, folder);
}

bool unit_put(enum unit unit, const char *keys, const char *path)
{
	BF_AUTO(bf_pack) *pack = NULL;
	uint8_t image[UNIT_LEN];
	struct bf_sim_opts opts;
	struct bf_err err;
	bool blank;

	bf_err_init(&err);
	bf_sim_opts_default(&opts);
	if (bf_sim_opts_parse(keys, &opts, &err))
		return false;
	blank = strcmp(opts.version, "none") == 0;
	snprintf(opts.version, sizeof(opts.version), "none");
	snprintf(opts.state, sizeof(opts.state), "%s", path);
	if (bf_pack_new(&opts, &pack, &err))
		return false;
	unit_image(unit, 0, image);
	if (!blank)
		bf_flash_preload(&pack->flash, unit_place(unit, 0), image, sizeof(image));
	return bf_pack_save(pack, &err) == BF_OK;
}
