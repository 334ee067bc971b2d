/* SPDX-License-Identifier: MIT */
/* A record is written by many programs and by people: any file is followed to its end or refused. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bmsflash/file.h"
#include "engine/phases.h"
#include "engine/report.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bf_record_chain c = { 0 }, again = { 0 };
	struct bf_job job = { 0 };
	struct bf_run run = { .job = &job };
	struct bf_err err;
	char path[64];

	bf_err_init(&err);
	snprintf(path, sizeof(path), "/dev/shm/fuzz-record-%d", (int)getpid());
	job.record = path;
	if (bf_file_replace(path, data, size, &err))
		abort();
	FUZZ_CHECK(bf_record_may_write(&run, &err) == BF_OK);
	if (bf_record_chain(path, &c, &err) == BF_OK) {
		FUZZ_CHECK((c.lines > 0) == (c.head[0] != '\0'));
		/* Half a line behind it changes nothing but the count of what was skipped. */
		FUZZ_CHECK(bf_file_append(path, "\n{\"v\"", 6, &err) == BF_OK);
		FUZZ_CHECK(bf_record_chain(path, &again, &err) == BF_OK);
		FUZZ_CHECK(again.lines == c.lines && strcmp(again.head, c.head) == 0);
		FUZZ_CHECK(again.skipped > c.skipped);
	} else {
		FUZZ_CHECK(err.cause[0]);
	}
	unlink(path);
	return 0;
}
