/* SPDX-License-Identifier: MIT */
/* Words for enumerators, shared by text and JSON. */
#include "cli.h"

#include <assert.h>
#include <string.h>
#include <time.h>

static const char *const event_names[] = {
	[BF_EV_START] = "start",         [BF_EV_IMAGE] = "image",
	[BF_EV_INTERFACE] = "interface", [BF_EV_CANDIDATE] = "candidate",
	[BF_EV_TRIED] = "tried",         [BF_EV_DEVICE] = "device",
	[BF_EV_MEASURE] = "measure",     [BF_EV_CHECK] = "check",
	[BF_EV_PLAN] = "plan",           [BF_EV_PHASE] = "phase",
	[BF_EV_PROGRESS] = "progress",   [BF_EV_ALIVE] = "alive",
	[BF_EV_NOTICE] = "notice",       [BF_EV_WARNING] = "warning",
	[BF_EV_RETRY] = "retry",         [BF_EV_FILE] = "file",
	[BF_EV_REGION] = "region",       [BF_EV_SELF_TEST] = "self-test",
	[BF_EV_SUMMARY] = "summary",     [BF_EV_FINDING] = "finding",
	[BF_EV_REQUEST] = "request",     [BF_EV_KNOWN] = "known",
};
static_assert(BF_COUNT(event_names) == BF_EV_KIND_COUNT, "a name for every event");

const char *bf_event_name(enum bf_event_kind kind)
{
	return event_names[kind];
}

const char *bf_activity_name(enum bf_activity activity)
{
	static const char *const names[] = {
		[BF_ACT_PREPARE] = "prepare", [BF_ACT_BACKUP] = "backup",
		[BF_ACT_WRITE] = "write",     [BF_ACT_VERIFY] = "verify",
		[BF_ACT_RESTART] = "restart", [BF_ACT_TEST] = "test",
		[BF_ACT_CONFIRM] = "confirm",
	};
	static_assert(BF_COUNT(names) == BF_ACT_COUNT, "a name for every activity");

	return names[activity];
}

const char *bf_cap_name(unsigned bit)
{
	static const char *const names[] = {
		"read",    "hash",    "erase",     "trial",   "confirm",     "revert",    "counter",
		"measure", "auth",    "self-test", "balance", "rates",       "check",     "sink",
		"banks",   "mcuboot", "compress",  "resume",  "erase-ahead", "any-order",
	};

	return bit < BF_COUNT(names) ? names[bit] : NULL;
}

const char *bf_slot_flag_name(unsigned bit)
{
	static const char *const names[] = { "active", "confirmed", "pending", "bootable",
					     "trial" };

	return bit < BF_COUNT(names) ? names[bit] : NULL;
}

char *bf_text_rate(char *dst, size_t cap, double bytes_per_s)
{
	if (bytes_per_s >= 999950.0)
		snprintf(dst, cap, "%.2f MB/s", bytes_per_s / 1e6);
	else
		snprintf(dst, cap, "%.1f kB/s", bytes_per_s / 1e3);
	return dst;
}

char *bf_text_size(char *dst, size_t cap, uint64_t bytes)
{
	if (bytes < 10240)
		snprintf(dst, cap, "%llu bytes", (unsigned long long)bytes);
	else if (bytes < 10485760)
		snprintf(dst, cap, "%.1f KiB", (double)bytes / 1024.0);
	else
		snprintf(dst, cap, "%.1f MiB", (double)bytes / 1048576.0);
	return dst;
}

char *bf_text_time(char *dst, size_t cap, bf_time us)
{
	if (us < BF_SEC(1))
		snprintf(dst, cap, "%lld ms", (long long)(us / 1000));
	else if (us < BF_SEC(60))
		snprintf(dst, cap, "%.1f s", (double)us / 1e6);
	else
		snprintf(dst, cap, "%lld min %02lld s", (long long)(us / BF_SEC(60)),
			 (long long)(us / BF_SEC(1) % 60));
	return dst;
}

char *bf_text_stamp(char *dst, size_t cap, int64_t wall_us)
{
	time_t s = (time_t)(wall_us / 1000000);
	struct tm tm;
	size_t n;

	gmtime_r(&s, &tm);
	n = strftime(dst, cap, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(dst + n, cap - n, ".%06dZ", (int)(wall_us % 1000000));
	return dst;
}
