/* SPDX-License-Identifier: MIT */
/* Independent judges, where they are installed: minisign, srec_cat, objcopy, dfu-suffix. Skipped otherwise. */
#include "helpers.h"

#include <sys/wait.h>
#include <unistd.h>

#include "image/image_priv.h"

static int setup(void **state)
{
	char *folder = strdup("/tmp/bmsflash-tools-XXXXXX");

	assert_non_null(folder);
	assert_non_null(mkdtemp(folder));
	*state = folder;
	return 0;
}

/* Runs a shell line in the folder with $D as tests/data. */
static int run(const char *folder, const char *line)
{
	char command[1024];

	snprintf(command, sizeof(command), "cd %s && D='%s' && { %s; } >log 2>&1", folder,
		 getenv("BF_TEST_DATA"), line);
	return system(command);
}

static int teardown(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s", (char *)*state);
	assert_int_equal(system(command), 0);
	free(*state);
	return 0;
}

static void need(const char *folder, const char *tool)
{
	char line[64];

	snprintf(line, sizeof(line), "command -v %s", tool);
	if (run(folder, line) != 0) {
		print_message("%s is not installed\n", tool);
		skip();
	}
}

static struct bf_claim *loaded(const char *folder, const char *name, struct bf_err *err)
{
	const struct bf_claim_opts opts = { .has_addr = strstr(name, ".bin"), .addr = 0x08010200 };
	struct bf_claim *claim = NULL;
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	(void)bf_claim_load(path, &opts, &claim, err);
	return claim;
}

static void same_as_vector(const char *folder, const char *name)
{
	struct bf_err err = { 0 };
	BF_AUTO(bf_claim) *got = loaded(folder, name, &err);
	BF_AUTO(bf_claim) *want = loaded(getenv("BF_TEST_DATA"), "firmware/app-1.5.0.hex", &err);

	if (!got || !want)
		fail_msg("%s", err.cause);
	assert_int_equal(got->n_segs, want->n_segs);
	for (size_t i = 0; i < got->n_segs; i++) {
		assert_int_equal(got->segs[i].addr, want->segs[i].addr);
		assert_int_equal(got->segs[i].len, want->segs[i].len);
	}
	assert_memory_equal(got->meta.digest, want->meta.digest, 32);
}

static void fresh_minisign_signatures_verify(void **state)
{
	static const char *const forms[] = { "", "-l" };
	const char *folder = *state;

	need(folder, "minisign");
	assert_int_equal(run(folder, "minisign -f -G -W -p k.pub -s k.key && "
				     "cp $D/firmware/app-1.4.0.bin a.bin && chmod u+w a.bin"),
			 0);
	for (size_t i = 0; i < BF_COUNT(forms); i++) {
		BF_AUTO(bf_keyring) *ring = bf_keyring_new();
		BF_AUTO(bf_image) *image = NULL;
		struct bf_err err = { 0 };
		char line[160], path[256];

		snprintf(line, sizeof(line),
			 "minisign -S %s -s k.key -m a.bin -t 'version=7.8.9 hw=X'", forms[i]);
		assert_int_equal(run(folder, line), 0);
		snprintf(path, sizeof(path), "%s/k.pub", folder);
		assert_int_equal(bf_keyring_add(ring, path, &err), BF_OK);
		if (bf_image_verify(loaded(folder, "a.bin", &err), ring, &image, &err))
			fail_msg("%s", err.cause);
		assert_int_equal(bf_image_meta(image)->version.major, 7);
		assert_string_equal(bf_image_meta(image)->hw, "X");
	}
}

static void srec_cat_and_we_read_the_same(void **state)
{
	static const char *const rows[][2] = {
		{ "wide.hex", "-o wide.hex -intel -line-length=80" },
		{ "narrow.hex", "-o narrow.hex -intel -line-length=20" },
		{ "wide.srec", "-o wide.srec -motorola -address-length=4 -line-length=70" },
	};
	const char *folder = *state;

	need(folder, "srec_cat");
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		char line[256];

		snprintf(line, sizeof(line), "srec_cat $D/firmware/app-1.5.0.hex -intel %s",
			 rows[i][1]);
		assert_int_equal(run(folder, line), 0);
		same_as_vector(folder, rows[i][0]);
	}
}

static void shuffled_records_give_the_same_image(void **state)
{
	const char *folder = *state;

	/* The address of every record is in itself once each carries its own base. */
	assert_int_equal(run(folder,
			     "awk '/^:......04/{b=$0;next} /^:......0[05]/{print b; print}' "
			     "$D/firmware/app-1.5.0.hex > pairs && "
			     "awk 'NR%2{b=$0;next}{print b \" \" $0}' pairs | "
			     "sort -k2.8 | tr ' ' '\\n' > mixed.hex && "
			     "echo :00000001FF >> mixed.hex"),
			 0);
	same_as_vector(folder, "mixed.hex");
}

static void objcopy_and_we_read_the_same(void **state)
{
	static const char *const rows[][2] = { { "o.hex", "ihex" }, { "o.srec", "srec" } };
	const char *folder = *state;

	need(folder, "objcopy");
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		char line[256];

		snprintf(line, sizeof(line), "objcopy -I ihex -O %s $D/firmware/app-1.5.0.hex %s",
			 rows[i][1], rows[i][0]);
		assert_int_equal(run(folder, line), 0);
		same_as_vector(folder, rows[i][0]);
	}
}

static void dfu_suffix_and_we_agree_on_the_suffix(void **state)
{
	const struct bf_claim_opts opts = { 0 };
	BF_AUTO(bf_claim) *claim = NULL;
	const char *folder = *state;
	struct bf_err err = { 0 };
	char path[256];

	need(folder, "dfu-suffix");
	assert_int_equal(run(folder,
			     "cp $D/mcuboot/app-1.5.0.signed.bin a.dfu && chmod u+w a.dfu && "
			     "dfu-suffix --vid 0x1234 --pid 0x5678 --did 0x0100 --add a.dfu"),
			 0);
	snprintf(path, sizeof(path), "%s/a.dfu", folder);
	if (bf_claim_load(path, &opts, &claim, &err))
		fail_msg("%s", err.cause);
	assert_int_equal(claim->meta.format, BF_FORMAT_DFU);
	assert_true(claim->meta.mcuboot);
	assert_int_equal(claim->meta.container_usb_vid, 0x1234);
	assert_int_equal(claim->meta.container_usb_pid, 0x5678);
	assert_int_equal(claim->segs[0].len, claim->len - 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fresh_minisign_signatures_verify),
		cmocka_unit_test(srec_cat_and_we_read_the_same),
		cmocka_unit_test(shuffled_records_give_the_same_image),
		cmocka_unit_test(dfu_suffix_and_we_agree_on_the_suffix),
		cmocka_unit_test(objcopy_and_we_read_the_same),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
