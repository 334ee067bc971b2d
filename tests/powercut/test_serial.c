/* SPDX-License-Identifier: MIT */
/*
 * Two packs, one computer, one interface, and a serial number that does not tell them apart: equal, absent, never
 * programmed, or alike when it becomes a file's name. Whatever happened to the first, the second keeps its calibration.
 */
#include "../unit/unit.h"

#include <stdio.h>

#include "../faults/judge.h"
#include "small.h"

struct desk {
	struct court court;
	struct scenario sc;
	struct verdict v;
	struct truth_image images[SMALL_IMAGES];
	char path[96]; /* of the pack that is connected */
};

static struct desk *desk_new(const struct small *small, const char *model)
{
	struct desk *d = calloc(1, sizeof(*d));
	size_t at = 0;

	assert_non_null(d);
	d->sc = (struct scenario){ .model = model_next(model, &at),
				   .image = "mcuboot/app-1.5.0.signed.bin" };
	snprintf(d->sc.pack, sizeof(d->sc.pack), "%s,%s", d->sc.model->pack, small->trust);
	assert_true(
		judge_open(&d->court, &d->sc, small->folder, getenv("BF_VERBOSE") != NULL, &d->v));
	for (size_t i = 0; i < SMALL_IMAGES; i++)
		d->images[i] = (struct truth_image){ small->images[i].p, small->images[i].len };
	d->court.world.guard.images = d->images;
	d->court.world.guard.n_images = SMALL_IMAGES;
	d->court.world.job.auth_key = NULL;
	snprintf(d->path, sizeof(d->path), "%s/pack", d->court.world.folder);
	return d;
}

/* Makes a pack: the serial number is the keys' of the run, too. */
static void connect(const struct small *small, struct desk *d, const char *serial, unsigned calib)
{
	struct world *w = &d->court.world;
	char keys[200];

	snprintf(keys, sizeof(keys), "%s,%s,serial=%s,calib=%u", d->sc.model->pack, small->trust,
		 serial, calib);
	assert_true(small_put_pack(small, keys, d->path));
	snprintf(w->plain, sizeof(w->plain), "state=%s,%s,%s", d->path, d->sc.model->pack,
		 small->trust);
	if (strcmp(serial, "BX16-000001") != 0) {
		size_t at = strlen(w->plain);

		snprintf(w->plain + at, sizeof(w->plain) - at, ",serial=%s", serial);
	}
}

static void flash(struct desk *d, const char *cut)
{
	struct world *w = &d->court.world;

	snprintf(d->sc.cut, sizeof(d->sc.cut), "%s", cut);
	world_run(w, BF_JOB_FLASH, NULL, *cut);
}

/* The first is interrupted (or not), the second follows on the same interface with the same command. */
static void one_after_the_other(const struct small *small, const char *model, const char *first,
				const char *second, const char *cut)
{
	struct desk *d = desk_new(small, model);
	uint8_t before[SMALL_CALIB], after[SMALL_CALIB];

	connect(small, d, first, 1);
	flash(d, cut);
	connect(small, d, second, 2);
	assert_true(small_calib(d->path, before));
	flash(d, "");
	assert_true(small_calib(d->path, after));
	if (memcmp(before, after, SMALL_CALIB) != 0)
		fail_msg("%s: after '%s' with '%s' the pack '%s' has another calibration (%s: %s)",
			 model, first, cut, second, bf_rc_info(d->court.world.out.rc)->name,
			 d->court.world.out.sentence);
	/* What it refused was told; what it did is proven. */
	if (!d->court.world.out.rc && d->court.world.out.state != BF_STATE_NEW_PROVEN)
		fail_msg("%s: '%s' after '%s': %s", model, second, first,
			 d->court.world.out.sentence);
	judge_close(&d->court);
	free(d);
}

static const struct {
	const char *first, *second;
} serials[] = {
	{ "BX16-000001", "BX16-000001" },
	{ "", "" },
	{ "ff", "ff" },
	{ "BX/16-000001", "BX.16-000001" },
	{ "", "BX16-000001" },
};
static const char *const cuts[] = { "", "cutop=60", "cutop=150", "cutmsg=60", "cutmsg=110" };

static void all_pairs(const char *model)
{
	struct small small;

	assert_true(small_make(&small));
	for (size_t i = 0; i < BF_COUNT(serials); i++)
		for (size_t k = 0; k < BF_COUNT(cuts); k++)
			one_after_the_other(&small, model, serials[i].first, serials[i].second,
					    cuts[k]);
	small_remove(&small);
}

static void a_second_pack_with_two_banks_keeps_its_calibration(void **state)
{
	(void)state;
	all_pairs("uds-can");
	all_pairs("uds-hdlc");
}

static void a_second_pack_with_one_bank_keeps_its_calibration(void **state)
{
	(void)state;
	all_pairs("uds-one-bank");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_second_pack_with_two_banks_keeps_its_calibration),
		cmocka_unit_test(a_second_pack_with_one_bank_keeps_its_calibration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
