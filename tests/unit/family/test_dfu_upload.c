/* SPDX-License-Identifier: MIT */
/* Uploads in the DFU 1.1 form. */
#include "dfu_bench.h"

enum { S_IDLE = 2 };

static uint32_t extent(struct bench *b, const struct bf_region *r)
{
	uint32_t size;

	wanted(b, b->proto->ops->loader->extent(b->proto, r, &size, &b->err), BF_OK);
	return size;
}

static void the_size_of_the_firmware_is_found_by_reading_it_when_asked(void **state)
{
	BENCH(false, true);
	struct bf_ident id;
	uint8_t got[1500];

	(void)state;
	b->peer.len = 2500;
	pattern(b->peer.mem, 2500);
	connect_for(b, BF_ENTRY_READ);
	id = identify(b);
	assert_int_equal(id.regions[0].size, 0);
	assert_int_equal(b->peer.n_uploads, 0);
	assert_int_equal(extent(b, &id.regions[0]), 2500);
	wanted(b, b->proto->ops->loader->read(b->proto, &id.regions[0], 1000, got, 1500, &b->err),
	       BF_OK);
	assert_memory_equal(got, b->peer.mem + 1000, 1500);
	/* What was read for its size is not read again. */
	assert_int_equal(b->peer.n_uploads, 1);
	wanted(b, b->proto->ops->loader->read(b->proto, &id.regions[0], 1001, got, 1500, &b->err),
	       BF_E_UNSUPPORTED);
	assert_int_equal(b->peer.state, S_IDLE);
}

static void a_device_without_firmware_holds_nothing(void **state)
{
	BENCH(false, true);
	const struct bf_region *r;
	struct bf_ident id;
	uint32_t size;

	(void)state;
	connect_for(b, BF_ENTRY_READ);
	id = identify(b);
	r = &id.regions[0];
	fake_once(b->peer.usb, "A102*", "stall", 0);
	fake_once(b->peer.usb, "A103*", "00 000000 02 00", 0);
	fake_once(b->peer.usb, "A103*", "0A 000000 0A 00", 0);
	assert_int_equal(extent(b, r), 0);
	/* An empty upload is not its word. */
	wanted(b, b->proto->ops->loader->extent(b->proto, r, &size, &b->err), BF_E_UNSUPPORTED);
}

static void an_upload_of_whole_blocks_ends_with_an_empty_one(void **state)
{
	BENCH(false, true);

	(void)state;
	b->peer.len = 2048;
	connect_for(b, BF_ENTRY_READ);
	assert_int_equal(extent(b, &identify(b).regions[0]), 2048);
}

static void a_lost_upload_block_begins_the_stream_anew(void **state)
{
	BENCH(false, true);
	uint8_t got[2500];
	const struct bf_region r = { .size = 2500 };

	(void)state;
	b->peer.len = 2500;
	pattern(b->peer.mem, 2500);
	connect_for(b, BF_ENTRY_READ);
	fake_once(b->peer.usb, "A102 0001*", "timeout", 0);
	wanted(b, b->proto->ops->loader->read(b->proto, &r, 0, got, 2500, &b->err), BF_OK);
	assert_memory_equal(got, b->peer.mem, 2500);
}

static void what_was_read_before_a_download_is_not_believed_after(void **state)
{
	BENCH(false, true);
	uint8_t data[100], got[100];
	const struct bf_region r = { .size = 100 };

	(void)state;
	pattern(data, sizeof(data));
	b->peer.len = 100;
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, b->proto->ops->loader->read(b->proto, &r, 0, got, 100, &b->err), BF_OK);
	wanted(b, download(b, 0, data, sizeof(data)), BF_OK);
	wanted(b, b->proto->ops->loader->read(b->proto, &r, 0, got, 100, &b->err), BF_OK);
	assert_memory_equal(got, data, 100);
}

static void a_download_ends_an_upload_that_is_half_way(void **state)
{
	BENCH(false, true);
	uint8_t data[100], got[10];
	const struct bf_region r = { .size = 2500 };

	(void)state;
	pattern(data, sizeof(data));
	b->peer.len = 2500;
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, b->proto->ops->loader->read(b->proto, &r, 0, got, 10, &b->err), BF_OK);
	wanted(b, download(b, 0, data, sizeof(data)), BF_OK);
	assert_memory_equal(b->peer.mem, data, sizeof(data));
}

static void reading_needs_the_attribute(void **state)
{
	BENCH(false, true);
	const struct bf_region r = { .size = 100 };
	uint8_t got[10];

	(void)state;
	b->peer.attributes = 1;
	peer_show(&b->peer);
	connect_for(b, BF_ENTRY_WRITE);
	assert_int_equal(identify(b).caps, BF_CAP_SINK);
	assert_int_equal(identify(b).regions[0].access, BF_ACCESS_WRITE);
	wanted(b, b->proto->ops->loader->read(b->proto, &r, 0, got, 10, &b->err), BF_E_UNSUPPORTED);
}

static void a_device_that_says_it_cannot_upload_is_not_asked_to(void **state)
{
	BENCH(false, true);
	struct bf_ident id;
	uint32_t size;

	(void)state;
	b->peer.len = 2500;
	connect_for(b, BF_ENTRY_READ);
	id = identify(b);
	bf_dfu_of(b->proto)->desc.attributes &= (uint8_t)~BF_DFU_CAN_UPLOAD;
	wanted(b, b->proto->ops->loader->extent(b->proto, &id.regions[0], &size, &b->err),
	       BF_E_UNSUPPORTED);
	assert_null(strstr(fake_heard(b->peer.usb), "A102"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_size_of_the_firmware_is_found_by_reading_it_when_asked),
		cmocka_unit_test(a_device_without_firmware_holds_nothing),
		cmocka_unit_test(an_upload_of_whole_blocks_ends_with_an_empty_one),
		cmocka_unit_test(a_lost_upload_block_begins_the_stream_anew),
		cmocka_unit_test(what_was_read_before_a_download_is_not_believed_after),
		cmocka_unit_test(a_download_ends_an_upload_that_is_half_way),
		cmocka_unit_test(reading_needs_the_attribute),
		cmocka_unit_test(a_device_that_says_it_cannot_upload_is_not_asked_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
