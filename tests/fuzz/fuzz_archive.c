/* SPDX-License-Identifier: MIT */
/* A backup comes from a disk, or from somebody's mail: what opens must be what its manifest says. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bmsflash/json.h"
#include "engine/run.h"
#include "fuzz.h"

static void check(const struct bf_restore *r)
{
	const struct bf_json *rows = bf_json_get(r->manifest, "regions");
	const char *file = r->firmware ? bf_json_str(r->firmware, "file") : NULL;

	FUZZ_CHECK(!r->firmware || (file && bf_archive_find(&r->archive, file)));
	for (size_t i = 0; rows && i < bf_json_len(rows); i++) {
		file = bf_json_str(bf_json_at(rows, i), "file");
		FUZZ_CHECK(file && bf_archive_find(&r->archive, file));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bf_restore r = { 0 };
	struct bf_err err;
	char path[64];
	int fd = memfd_create("archive", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	bf_err_init(&err);
	if (bf_restore_open(path, &r, &err) == BF_OK)
		check(&r);
	else
		FUZZ_CHECK(err.cause[0]);
	bf_restore_done(&r);
	close(fd);
	return 0;
}
