/* SPDX-License-Identifier: MIT */
/* How a device is recognised, entered and left; the DFU 1.1 form. test_dfuse.c has the other. */
#include "dfu_bench.h"

enum { S_IDLE = 2, S_DNLOAD_IDLE = 5, S_WAIT_RESET = 8, S_ERROR = 10 };

/* ---- looking ---- */

static void descriptors_are_enough_to_recognise(void **state)
{
	BENCH(false, false);

	(void)state;
	wanted(b, b->proto->ops->recognise(b->proto, 0, &b->err), BF_OK);
	connect_for(b, BF_ENTRY_LOOK);
	(void)identify(b);
	assert_string_equal(fake_heard(b->peer.usb), "");
}

static void a_device_of_another_profile_is_not_recognised(void **state)
{
	BENCH(false, false);

	(void)state;
	b->profile.usb_vid = 0x1209;
	b->profile.usb_pid = 0xDF11;
	wanted(b, b->proto->ops->recognise(b->proto, 0, &b->err), BF_E_NODEV);
	assert_non_null(strstr(b->err.cause, "1209:5740"));
}

static void a_device_without_dfu_is_not_recognised(void **state)
{
	BENCH(false, false);
	struct bf_usb_device d = b->peer.device;

	(void)state;
	d.config_len = 9;
	fake_usb_set_device(b->peer.usb, &d);
	wanted(b, b->proto->ops->recognise(b->proto, 0, &b->err), BF_E_NODEV);
	wanted(b, b->proto->ops->connect(b->proto, BF_ENTRY_WRITE, &b->err), BF_E_UNSUPPORTED);
	assert_true(b->err.n_likely > 0);
	assert_int_equal(identify(b).caps, 0);
}

static void a_damaged_descriptor_is_no_dfu_device(void **state)
{
	BENCH(false, false);
	struct bf_usb_device d = b->peer.device;

	(void)state;
	d.config_len = 5;
	fake_usb_set_device(b->peer.usb, &d);
	wanted(b, b->proto->ops->recognise(b->proto, 0, &b->err), BF_E_NODEV);
	assert_non_null(strstr(b->err.cause, "damaged configuration descriptor"));
}

/* Both numbers, and no hardware but that of the profile. */
static void numbers_of_a_profile_tell_its_hardware(void **state)
{
	BENCH(false, false);
	struct bf_ident id;
	uint8_t vid[16], cid[16];

	(void)state;
	b->profile.usb_vid = 0x1209;
	b->profile.usb_pid = 0x5740;
	strcpy(b->profile.vendor, "bms.example");
	strcpy(b->profile.class_name, "BMS-16S-R3");
	bf_uuid_vendor("bms.example", vid);
	bf_uuid_class(vid, "BMS-16S-R3", cid);
	id = identify(b);
	assert_true(id.has_vid && id.has_cid);
	assert_memory_equal(id.vid, vid, sizeof(vid));
	assert_memory_equal(id.cid, cid, sizeof(cid));
	b->profile.usb_pid = 0x5741;
	id = identify(b);
	assert_false(id.has_vid || id.has_cid);
}

static void the_running_version_is_the_device_release(void **state)
{
	BENCH(false, false);
	struct bf_ident id = identify(b);

	(void)state;
	assert_string_equal(id.version_text, "1.5.0");
	assert_true(id.has_version && !id.in_bootloader);
	assert_string_equal(id.serial, "SN123");
	assert_string_equal(id.model, "Pack 16S");
	assert_string_equal(id.bus_id, "1209:5740");
	assert_string_equal(id.hw_rev, "");     /* numbers are no hardware name */
	assert_false(id.has_vid || id.has_cid); /* strings prove no hardware */
	assert_true(id.caps_later);
	assert_int_equal(id.caps, BF_CAP_READ);
}

static void release_digits_are_decimal(void **state)
{
	struct bf_version v;

	(void)state;
	assert_true(bf_dfu_bcd_version(0x1203, &v));
	assert_int_equal(v.major, 12);
	assert_int_equal(v.minor, 0);
	assert_int_equal(v.revision, 3);
	assert_false(bf_dfu_bcd_version(0x01A0, &v));
	assert_false(bf_dfu_bcd_version(0xF000, &v));
}

static void a_loader_does_not_say_what_the_application_is(void **state)
{
	BENCH(false, true);
	struct bf_ident id = identify(b);

	(void)state;
	assert_true(id.in_bootloader);
	assert_false(id.has_version);
	assert_string_equal(id.loader, "DFU 1.1, release 22.00");
	assert_int_equal(id.block_max, 1024);
	assert_int_equal(id.n_regions, 1);
	assert_string_equal(id.regions[0].name, "Firmware");
}

static void slots_of_the_profile_are_told_as_capabilities(void **state)
{
	BENCH(false, true);

	(void)state;
	b->profile.n_regions = 2;
	b->profile.regions[0] = (struct bf_region){ .kind = BF_REGION_SLOT, .size = 4096 };
	b->profile.regions[1] = (struct bf_region){ .kind = BF_REGION_SLOT, .size = 4096 };
	assert_int_equal(identify(b).caps,
			 BF_CAP_SINK | BF_CAP_READ | BF_CAP_MCUBOOT | BF_CAP_DUAL_BANK);
}

/* ---- entering ---- */

static void a_device_that_detaches_by_itself_is_waited_for(void **state)
{
	BENCH(false, false);

	(void)state;
	b->peer.attributes |= BF_DFU_WILL_DETACH;
	peer_show(&b->peer);
	connect_for(b, BF_ENTRY_WRITE);
	assert_non_null(strstr(fake_heard(b->peer.usb), "210003E80000:\n"));
	assert_int_equal(fake_usb_resets(b->peer.usb), 0);
	assert_int_equal(bf_now(b->clock), BF_MS(300));
	assert_true(identify(b).in_bootloader);
}

static void a_device_that_does_not_is_reset(void **state)
{
	BENCH(false, false);

	(void)state;
	b->peer.detach = PEER_BY_RESET;
	connect_for(b, BF_ENTRY_READ);
	assert_int_equal(fake_usb_resets(b->peer.usb), 1);
	assert_true(identify(b).in_bootloader);
}

static void a_detach_that_is_not_acted_upon_is_told(void **state)
{
	BENCH(false, false);

	(void)state;
	fake_on(b->peer.usb, "2100*", "", 0);
	wanted(b, b->proto->ops->connect(b->proto, BF_ENTRY_WRITE, &b->err), BF_E_NAK);
	assert_non_null(strstr(b->err.cause, "did not"));
	assert_false(identify(b).in_bootloader);
}

static void an_error_left_from_before_is_cleared(void **state)
{
	BENCH(false, true);

	(void)state;
	b->peer.state = S_ERROR;
	b->peer.status = 0x0A;
	connect_for(b, BF_ENTRY_WRITE);
	assert_int_equal(b->peer.n_clears, 1);
	assert_int_equal(b->peer.state, S_IDLE);
}

static void a_download_left_half_way_is_aborted(void **state)
{
	BENCH(false, true);

	(void)state;
	b->peer.state = S_DNLOAD_IDLE;
	connect_for(b, BF_ENTRY_WRITE);
	assert_int_equal(b->peer.n_aborts, 1);
	assert_int_equal(b->peer.state, S_IDLE);
}

static void a_device_that_waits_for_a_reset_gets_it(void **state)
{
	BENCH(false, true);

	(void)state;
	b->peer.state = S_WAIT_RESET;
	connect_for(b, BF_ENTRY_WRITE);
	/* It starts its application, which is asked for the bootloader again. */
	assert_int_equal(b->peer.n_detaches, 1);
	assert_int_equal(b->peer.state, S_IDLE);
	assert_true(b->peer.loader);
}

static void a_stuck_device_is_told_with_its_state(void **state)
{
	BENCH(false, true);

	(void)state;
	fake_on(b->peer.usb, "A103*", "00 000000 05 00", 0);
	wanted(b, b->proto->ops->connect(b->proto, BF_ENTRY_WRITE, &b->err), BF_E_LINK);
	assert_non_null(strstr(b->err.cause, "dfuDNLOAD-IDLE"));
	assert_true(b->err.n_likely > 0);
}

/* ---- leaving ---- */

static void an_application_that_was_sent_away_is_brought_back(void **state)
{
	BENCH(false, false);

	(void)state;
	b->peer.detach = PEER_BY_RESET;
	b->peer.reset_leaves = true;
	connect_for(b, BF_ENTRY_READ);
	b->proto->ops->leave(b->proto);
	assert_int_equal(fake_usb_resets(b->peer.usb), 2); /* in, and out again */
	assert_false(b->peer.loader);
}

static void a_loader_that_was_found_is_left_there_in_idle(void **state)
{
	BENCH(false, true);

	(void)state;
	connect_for(b, BF_ENTRY_WRITE);
	b->peer.state = S_DNLOAD_IDLE;
	b->proto->ops->leave(b->proto);
	assert_int_equal(fake_usb_resets(b->peer.usb), 0);
	assert_int_equal(b->peer.state, S_IDLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(descriptors_are_enough_to_recognise),
		cmocka_unit_test(a_device_of_another_profile_is_not_recognised),
		cmocka_unit_test(a_device_without_dfu_is_not_recognised),
		cmocka_unit_test(a_damaged_descriptor_is_no_dfu_device),
		cmocka_unit_test(numbers_of_a_profile_tell_its_hardware),
		cmocka_unit_test(the_running_version_is_the_device_release),
		cmocka_unit_test(release_digits_are_decimal),
		cmocka_unit_test(a_loader_does_not_say_what_the_application_is),
		cmocka_unit_test(slots_of_the_profile_are_told_as_capabilities),
		cmocka_unit_test(a_device_that_detaches_by_itself_is_waited_for),
		cmocka_unit_test(a_device_that_does_not_is_reset),
		cmocka_unit_test(a_detach_that_is_not_acted_upon_is_told),
		cmocka_unit_test(an_error_left_from_before_is_cleared),
		cmocka_unit_test(a_download_left_half_way_is_aborted),
		cmocka_unit_test(a_device_that_waits_for_a_reset_gets_it),
		cmocka_unit_test(a_stuck_device_is_told_with_its_state),
		cmocka_unit_test(an_application_that_was_sent_away_is_brought_back),
		cmocka_unit_test(a_loader_that_was_found_is_left_there_in_idle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
