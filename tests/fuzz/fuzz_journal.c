/* SPDX-License-Identifier: MIT */
/*
 * What a journal says is not believed: whatever stands in it, nothing is taken up that is not sealed and of this
 * pack. The input is the journal without its check, which is put right here; a first byte of 0x80 or more: as it is.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bmsflash/bytes.h"
#include "bmsflash/file.h"
#include "engine/phases.h"
#include "fuzz.h"

static struct bf_image *some_image(void)
{
	static const char manifest[] =
		"{\"format\":\"bmsflash-backup\",\"v\":1,\"regions\":[{\"name\":\"app\",\"kind\":"
		"\"app\","
		"\"file\":\"f\",\"firmware\":true,\"sha256\":"
		"\"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881\"}]}";
	struct bf_archive a = { 0 };
	struct bf_backup *b = NULL;
	struct bf_image *image = NULL;
	struct bf_err err;

	bf_err_init(&err);
	bf_archive_add(&a, "manifest.json", (uint8_t *)strdup(manifest), strlen(manifest));
	bf_archive_add(&a, "f", (uint8_t *)strdup("x"), 1);
	if (bf_backup_own(&a, "b", &b, &err) ||
	    bf_image_from_backup(b, bf_backup_firmware(b), NULL, &image, &err))
		abort();
	bf_backup_free(b);
	return image;
}

static void put(const char *path, const uint8_t *data, size_t size)
{
	struct bf_err err;
	uint8_t sha[BF_SHA256_LEN];
	char hex[65], *text = NULL;
	int n;

	bf_err_init(&err);
	if (size && data[0] >= 0x80) {
		if (bf_file_replace(path, data + 1, size - 1, &err))
			abort();
		return;
	}
	bf_sha256(sha, data, size);
	n = asprintf(&text, "%.*s,\"check\":\"%s\"}\n", (int)size, (const char *)data,
		     bf_hex(hex, sizeof(hex), sha, sizeof(sha)));
	if (n < 0 || bf_file_replace(path, text, (size_t)n, &err))
		abort();
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct bf_ports ports = { .drivers = bf_drivers };
	const struct bf_events none = { 0 };
	char folder[64], path[PATH_MAX];
	struct bf_job job = { .iface = "can77", .data_folder = folder };
	struct bf_run *run = calloc(1, sizeof(*run));
	struct bf_err err;

	if (!run)
		abort();
	bf_err_init(&err);
	snprintf(folder, sizeof(folder), "/dev/shm/fuzz-journal-%d", (int)getpid());
	snprintf(path, sizeof(path), "%s/journal", folder);
	if (bf_dir_make(path, &err))
		abort();
	run->job = &job;
	run->ports = &ports;
	run->events = &none;
	run->clock = run->time.outer = bf_vclock_new();
	run->wanted.image = some_image();
	snprintf(run->session.ident.serial, sizeof(run->session.ident.serial), "SN-0042");
	/* Once for its name, then with what is there. */
	FUZZ_CHECK(bf_ph_resume(run, &err) == BF_OK && !run->journal.resumed);
	memcpy(path, run->journal.path, sizeof(path));
	put(path, data, size);
	FUZZ_CHECK(bf_ph_resume(run, &err) == BF_OK);
	FUZZ_CHECK(run->journal.resumed && !run->archives.saved && !run->archives.earlier &&
		   !run->archives.way_back);
	unlink(path);
	bf_image_free(run->wanted.image);
	bf_clock_free(run->clock);
	free(run);
	return 0;
}
