/* SPDX-License-Identifier: MIT */
/* The whole way over the virtual pack's USB device, which shares no code with the client. */
#include "../unit.h"

#include <stdio.h>

#include "bmsflash/file.h"
#include "family/dfu/dfu_priv.h"

extern const struct bf_driver bf_driver_sim;

struct rig {
	struct bf_transport *wire;
	struct bf_profile profile;
	struct bf_retry retry;
	struct bf_proto *proto;
	struct bf_err err;
	uint8_t *image;
	size_t len;
};

static void ok(struct rig *r, enum bf_rc rc)
{
	if (rc)
		fail_msg("%s: %s", bf_rc_info(rc)->name, r->err.cause);
}

static void rig_free(struct rig *r)
{
	bf_proto_close(r->proto);
	if (r->wire)
		r->wire->ops->close(r->wire);
	free(r->image);
}

#define RIG(...)                                                 \
	__attribute__((cleanup(rig_free))) struct rig r = { 0 }; \
	rig_open(&r, __VA_ARGS__)

static void rig_open(struct rig *r, const char *address, const char *image)
{
	struct bf_open_env open_env = { 0 };
	struct bf_proto_env env;
	char path[256];

	bf_err_init(&r->err);
	bf_profile_default(&r->profile);
	bf_retry_default(&r->retry);
	snprintf(path, sizeof(path), "%s/mcuboot/%s", TEST_DATA, image);
	ok(r, bf_file_read(path, 1 << 20, &r->image, &r->len, &r->err));
	ok(r, bf_driver_sim.open(&open_env, address, &r->wire, &r->err));
	env = (struct bf_proto_env){
		.transport = r->wire, .profile = &r->profile, .retry = &r->retry, .node = -1
	};
	ok(r, bf_proto_dfu_ops.open(&env, &r->proto, &r->err));
	ok(r, r->proto->ops->recognise(r->proto, bf_in(r->wire->clock, BF_SEC(1)), &r->err));
	ok(r, r->proto->ops->connect(r->proto, BF_ENTRY_LOOK, &r->err));
}

static struct bf_ident identify(struct rig *r)
{
	struct bf_ident id;

	ok(r, r->proto->ops->identify(r->proto, &id, &r->err));
	return id;
}

static enum bf_rc download(struct rig *r, uint32_t addr)
{
	const struct bf_proto_ops *ops = r->proto->ops;
	const struct bf_target target = { .addr = addr, .len = r->len };
	struct bf_flow flow;
	size_t next = 0;
	enum bf_rc rc = ops->loader->begin(r->proto, &target, &flow, &r->err);

	while (!rc && next < r->len) {
		struct bf_block p = { .offset = next, .data = r->image + next };

		p.len = r->len - next < flow.block_max ? r->len - next : flow.block_max;
		rc = ops->loader->block_start(r->proto, &p, &r->err);
		if (!rc)
			rc = ops->loader->block_finish(r->proto, &next, &r->err);
	}
	return rc ? rc : ops->loader->finish(r->proto, &r->err);
}

static void restart(struct rig *r)
{
	ok(r, r->proto->ops->loader->restart(r->proto, &r->err));
	ok(r, r->proto->ops->await(r->proto, bf_in(r->wire->clock, BF_SEC(30)), &r->err));
	ok(r, r->proto->ops->connect(r->proto, BF_ENTRY_LOOK, &r->err));
}

static void new_firmware_runs_after_a_dfu_download(void **state)
{
	RIG("sim:link=usb,protocol=dfu", "app-1.5.0.signed.bin");

	(void)state;
	assert_string_equal(identify(&r).version_text, "1.3.0");
	ok(&r, r.proto->ops->connect(r.proto, BF_ENTRY_WRITE, &r.err));
	assert_true(identify(&r).in_bootloader);
	ok(&r, download(&r, 0));
	restart(&r);
	assert_false(identify(&r).in_bootloader);
	assert_string_equal(identify(&r).version_text, "1.5.0");
}

static void the_running_image_is_read_by_dfu(void **state)
{
	RIG("sim:link=usb,protocol=dfu,version=1.5.0", "app-1.5.0.signed.bin");
	struct bf_ident id;
	uint32_t extent;
	uint8_t *got;

	(void)state;
	ok(&r, r.proto->ops->connect(r.proto, BF_ENTRY_READ, &r.err));
	id = identify(&r);
	assert_int_equal(id.regions[0].size, 0); /* nothing is read only to learn a size */
	ok(&r, r.proto->ops->loader->extent(r.proto, &id.regions[0], &extent, &r.err));
	assert_int_equal(extent, r.len);
	got = malloc(r.len);
	assert_non_null(got);
	ok(&r, r.proto->ops->loader->read(r.proto, &id.regions[0], 0, got, r.len, &r.err));
	assert_memory_equal(got, r.image, r.len);
	free(got);
	r.proto->ops->leave(r.proto);
	ok(&r, r.proto->ops->await(r.proto, bf_in(r.wire->clock, BF_SEC(30)), &r.err));
	assert_string_equal(identify(&r).version_text, "1.5.0");
}

static void a_damaged_image_is_refused_by_the_device(void **state)
{
	RIG("sim:link=usb,protocol=dfu", "app-1.5.0.signed.bin");

	(void)state;
	r.image[2000] ^= 1;
	ok(&r, r.proto->ops->connect(r.proto, BF_ENTRY_WRITE, &r.err));
	assert_int_equal(download(&r, 0), BF_E_NAK);
	assert_string_equal(r.err.dev_name, "errVERIFY");
	restart(&r);
	assert_string_equal(identify(&r).version_text, "1.3.0");
}

static void dfuse_erases_writes_reads_back_and_starts(void **state)
{
	RIG("sim:link=usb,protocol=dfuse", "app-1.5.0.signed.bin");
	const struct bf_region *app = NULL;
	struct bf_ident id;
	uint8_t *got;

	(void)state;
	ok(&r, r.proto->ops->connect(r.proto, BF_ENTRY_WRITE, &r.err));
	id = identify(&r);
	for (size_t i = 0; i < id.n_regions; i++)
		app = id.regions[i].kind == BF_REGION_APP ? &id.regions[i] : app;
	assert_non_null(app);
	assert_int_equal(app->addr, 0x08010000);
	ok(&r, r.proto->ops->loader->erase(r.proto, app, app->addr,
					   (uint32_t)(r.len + app->erase_unit - 1) /
						   app->erase_unit * app->erase_unit,
					   &r.err));
	ok(&r, download(&r, app->addr));
	got = malloc(r.len);
	assert_non_null(got);
	ok(&r, r.proto->ops->loader->read(r.proto, app, app->addr, got, r.len, &r.err));
	assert_memory_equal(got, r.image, r.len);
	free(got);
	restart(&r);
	assert_string_equal(identify(&r).version_text, "1.5.0");
}

static void protected_flash_is_told_before_anything_is_sent(void **state)
{
	RIG("sim:link=usb,protocol=dfuse", "app-1.5.0.signed.bin");

	(void)state;
	ok(&r, r.proto->ops->connect(r.proto, BF_ENTRY_WRITE, &r.err));
	assert_int_equal(download(&r, 0x08000000), BF_E_INCOMPATIBLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_firmware_runs_after_a_dfu_download),
		cmocka_unit_test(the_running_image_is_read_by_dfu),
		cmocka_unit_test(a_damaged_image_is_refused_by_the_device),
		cmocka_unit_test(dfuse_erases_writes_reads_back_and_starts),
		cmocka_unit_test(protected_flash_is_told_before_anything_is_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
