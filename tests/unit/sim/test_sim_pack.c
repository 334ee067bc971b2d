/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include <stdio.h>
#include <unistd.h>

#include "bmsflash/file.h"
#include "pack_priv.h"

static enum bf_rc make(const char *keys, struct bf_pack **ret, struct bf_err *err)
{
	struct bf_sim_opts opts;
	enum bf_rc rc;

	bf_err_init(err);
	bf_sim_opts_default(&opts);
	rc = bf_sim_opts_parse(keys, &opts, err);
	return rc ? rc : bf_pack_new(&opts, ret, err);
}

static struct bf_pack *started(const char *keys)
{
	struct bf_pack *p = NULL;
	struct bf_err err;

	if (make(keys, &p, &err))
		fail_msg("%s", err.cause);
	bf_pack_power(p, true, 0);
	bf_pack_run(p, BF_SEC(60));
	return p;
}

static void a_start_takes_a_fraction_of_a_second_and_a_swap_some_seconds(void **state)
{
	struct bf_pack *p;
	struct bf_err err;
	bf_time done;

	(void)state;
	assert_int_equal(make("slot1=1.5.0", &p, &err), BF_OK);
	assert_int_equal(bf_pack_mode(p), BF_PACK_OFF);
	bf_pack_power(p, true, 0);
	assert_int_equal(bf_pack_mode(p), BF_PACK_STARTING);
	assert_in_range(bf_pack_next(p), BF_MS(100), BF_MS(300));
	bf_pack_run(p, bf_pack_next(p));
	assert_int_equal(bf_pack_mode(p), BF_PACK_APP);
	bf_pack_activate(p, false, BF_SEC(1), &done);
	bf_pack_restart(p, BF_PACK_BY_REQUEST, BF_SEC(1));
	bf_pack_run(p, bf_pack_next(p));
	assert_in_range(bf_pack_next(p) - BF_SEC(1), BF_MS(2000), BF_MS(3200));
	bf_pack_free(p);
}

static void a_state_file_belongs_to_one_virtual_pack_at_a_time(void **state)
{
	char folder[] = "/tmp/bmsflash-sim-XXXXXX";
	char keys[80], lock[80], holder[40];
	struct bf_pack *p, *q = NULL;
	struct bf_err err;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(keys, sizeof(keys), "state=%s/pack", folder);
	snprintf(lock, sizeof(lock), "%s/pack.lock", folder);
	snprintf(holder, sizeof(holder), "process %ld", (long)getpid());
	assert_int_equal(make(keys, &p, &err), BF_OK);
	assert_int_equal(make(keys, &q, &err), BF_E_BUSY);
	assert_non_null(strstr(err.cause, holder));
	assert_non_null(strstr(err.todo, "state=FILE"));
	assert_null(q);
	bf_pack_free(p);
	assert_int_not_equal(access(lock, F_OK), 0);
	assert_int_equal(make(keys, &p, &err), BF_OK);
	bf_pack_free(p);
	assert_int_equal(rmdir(folder), 0);
}

static void the_state_file_keeps_flash_counter_and_lock(void **state)
{
	char path[] = "/tmp/bmsflash-sim-XXXXXX";
	char keys[80];
	struct bf_pack *p;
	struct bf_err err;
	bf_time done;
	int fd = mkstemp(path);

	(void)state;
	close(fd);
	unlink(path);
	snprintf(keys, sizeof(keys), "slot1=1.5.0,state=%s", path);
	p = started(keys);
	bf_pack_activate(p, true, 0, &done);
	bf_pack_kept(p)->locked_out = true;
	bf_pack_kept(p)->fingerprint[9] = 7;
	assert_int_equal(bf_pack_save(p, &err), BF_OK);
	bf_pack_free(p);
	p = started(keys);
	assert_int_equal(bf_pack_running(p)->minor, 5);
	assert_int_equal(bf_pack_counter(p), 5);
	assert_true(bf_pack_kept(p)->locked_out);
	assert_int_equal(bf_pack_kept(p)->fingerprint[9], 7);
	bf_pack_free(p);
	unlink(path);
}

static void a_file_that_is_no_state_is_refused(void **state)
{
	char path[] = "/tmp/bmsflash-sim-XXXXXX";
	char keys[80];
	struct bf_pack *p;
	struct bf_err err;
	int fd = mkstemp(path);

	(void)state;
	close(fd);
	snprintf(keys, sizeof(keys), "state=%s", path);
	assert_int_equal(make(keys, &p, &err), BF_E_USAGE);
	assert_int_equal(bf_file_replace(path, "BMSPACK1, or so they say", 24, &err), BF_OK);
	assert_int_equal(make(keys, &p, &err), BF_E_USAGE);
	assert_true(err.todo[0]);
	unlink(path);
}

static void erasing_takes_the_mark_away_first(void **state)
{
	struct bf_pack *p = started("slot1=1.5.0");
	struct bf_pack_slot slot;
	bf_time done;

	(void)state;
	bf_pack_activate(p, false, 0, &done);
	bf_pack_slot(p, 1, &slot);
	assert_true(slot.pending && slot.bootable);
	bf_pack_cut_at(p, 2);
	assert_int_equal(bf_pack_erase(p, BF_ADDR_SLOT1, 0x4000, 0, &done), BF_PACK_DIED);
	bf_pack_power(p, true, BF_SEC(1));
	bf_pack_run(p, BF_SEC(60));
	assert_int_equal(bf_pack_running(p)->minor, 3);
	bf_pack_slot(p, 1, &slot);
	assert_false(slot.pending || slot.bootable);
	bf_pack_free(p);
}

static void the_map_protects_what_runs(void **state)
{
	struct bf_pack *p = started("");

	(void)state;
	assert_false(bf_pack_allows(p, BF_ADDR_SLOT0, 0x800, BF_PACK_ERASE));
	assert_true(bf_pack_allows(p, BF_ADDR_SLOT0, BF_PACK_SLOT_SIZE, BF_PACK_READ));
	assert_true(bf_pack_allows(p, BF_ADDR_SLOT1, BF_PACK_SLOT_SIZE, BF_PACK_WRITE));
	assert_false(bf_pack_allows(p, BF_ADDR_SLOT1, BF_PACK_SLOT_SIZE + 1, BF_PACK_WRITE));
	assert_false(bf_pack_allows(p, 0xFFFFFFF0, 0x100, 0));
	bf_pack_free(p);
	p = started("version=none");
	assert_int_equal(bf_pack_mode(p), BF_PACK_LOADER);
	assert_null(bf_pack_running(p));
	assert_true(bf_pack_allows(p, BF_ADDR_SLOT0, 0x800, BF_PACK_ERASE));
	bf_pack_free(p);
}

static void an_image_below_the_counter_does_not_run(void **state)
{
	struct bf_pack *p = started("counter=4");

	(void)state;
	assert_int_equal(bf_pack_mode(p), BF_PACK_LOADER);
	assert_int_equal(bf_pack_verdict(p, 0), BF_VERDICT_LOW_COUNTER);
	bf_pack_free(p);
}

static void an_empty_pack_starts_what_was_written_in_place(void **state)
{
	struct bf_pack *p = started("version=none");
	struct bf_pack *other = started("");
	bf_time done;

	(void)state;
	assert_int_equal(bf_pack_activate(p, false, 0, &done), BF_PACK_FAILED);
	assert_int_equal(bf_pack_write(p, BF_ADDR_SLOT0,
				       bf_pack_view(other, BF_ADDR_SLOT0, 0x10000), 0x10000, 0,
				       &done),
			 BF_PACK_DONE);
	assert_int_equal(bf_pack_activate(p, false, 0, &done), BF_PACK_DONE);
	bf_pack_restart(p, BF_PACK_BY_REQUEST, done);
	bf_pack_run(p, bf_pack_next(p));
	bf_pack_run(p, bf_pack_next(p));
	assert_int_equal(bf_pack_mode(p), BF_PACK_APP);
	assert_false(bf_pack_on_trial(p));
	bf_pack_free(p);
	bf_pack_free(other);
}

static void another_class_takes_no_firmware_of_this_one(void **state)
{
	struct bf_pack *p = started("class=BMS-8S-R1,slot1=1.5.0");
	bf_time done;

	(void)state;
	assert_int_equal(bf_pack_mode(p), BF_PACK_APP);
	assert_int_equal(bf_pack_verdict(p, 1), BF_VERDICT_OTHER_HW);
	assert_int_equal(bf_pack_activate(p, false, 0, &done), BF_PACK_FAILED);
	bf_pack_free(p);
}

static void work_queues_up_behind_earlier_work(void **state)
{
	struct bf_pack *p = started("");
	uint8_t data[16] = { 1 };
	bf_time a, b;

	(void)state;
	bf_pack_erase(p, BF_ADDR_SLOT1, 0x1000, BF_SEC(100), &a);
	assert_int_equal(a, BF_SEC(100) + 44000);
	bf_pack_write(p, BF_ADDR_SLOT1, data, 16, BF_SEC(100), &b);
	assert_int_equal(b, a + 2 * 82);
	assert_int_equal(bf_pack_idle_at(p, 0), b);
	assert_int_equal(bf_pack_write(p, BF_ADDR_SLOT1, data, 16, 0, &b), BF_PACK_FAILED);
	bf_pack_free(p);
}

static void the_same_seed_measures_the_same(void **state)
{
	struct bf_pack *a = started("seed=7");
	struct bf_pack *b = started("seed=7");
	struct bf_pack_measure x, y;

	(void)state;
	for (bf_time t = 0; t < BF_SEC(10); t += BF_MS(700)) {
		bf_pack_measure(a, t, &x);
		bf_pack_measure(b, t, &y);
		assert_memory_equal(x.cell_mv, y.cell_mv, sizeof(x.cell_mv));
		assert_memory_equal(x.temp_dc, y.temp_dc, sizeof(x.temp_dc));
	}
	bf_pack_free(a);
	bf_pack_free(b);
}

static void every_key_is_documented_and_checked(void **state)
{
	const struct bf_sim_key *k;
	struct bf_sim_opts opts;
	struct bf_err err;
	char item[80];

	(void)state;
	for (size_t i = 0; (k = bf_sim_key(i)); i++) {
		assert_true(k->key[0] && k->values[0] && k->help[0]);
		bf_sim_opts_default(&opts);
		bf_err_init(&err);
		snprintf(item, sizeof(item), "%s", k->key);
		assert_int_equal(bf_sim_opts_parse(item, &opts, &err), BF_E_USAGE);
		assert_non_null(strstr(err.cause, k->values));
	}
	bf_sim_opts_default(&opts);
	assert_int_equal(
		bf_sim_opts_parse("quirk=slow,quirk=noread,link=rs485,seed=12,auth=1", &opts, &err),
		BF_OK);
	assert_int_equal(opts.quirks, BF_QUIRK_SLOW | BF_QUIRK_NOREAD);
	assert_int_equal(opts.link, BF_SIM_RS485);
	assert_int_equal(opts.seed, 12);
	assert_true(opts.auth);
	assert_int_equal(bf_sim_opts_parse("rate=fast", &opts, &err), BF_E_USAGE);
	assert_int_equal(bf_sim_opts_parse("rate=10x", &opts, &err), BF_E_USAGE);
	assert_int_equal(bf_sim_opts_parse("temp=nan", &opts, &err), BF_E_USAGE);
	assert_int_equal(bf_sim_opts_parse("trust=00ff", &opts, &err), BF_E_USAGE);
	assert_int_equal(bf_sim_opts_parse("link=wifi", &opts, &err), BF_E_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_start_takes_a_fraction_of_a_second_and_a_swap_some_seconds),
		cmocka_unit_test(a_state_file_belongs_to_one_virtual_pack_at_a_time),
		cmocka_unit_test(the_state_file_keeps_flash_counter_and_lock),
		cmocka_unit_test(a_file_that_is_no_state_is_refused),
		cmocka_unit_test(erasing_takes_the_mark_away_first),
		cmocka_unit_test(the_map_protects_what_runs),
		cmocka_unit_test(an_image_below_the_counter_does_not_run),
		cmocka_unit_test(an_empty_pack_starts_what_was_written_in_place),
		cmocka_unit_test(another_class_takes_no_firmware_of_this_one),
		cmocka_unit_test(work_queues_up_behind_earlier_work),
		cmocka_unit_test(the_same_seed_measures_the_same),
		cmocka_unit_test(every_key_is_documented_and_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
