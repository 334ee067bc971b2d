/* SPDX-License-Identifier: MIT */
/* The names of the safety checks that can be allowed, and the words of the session's enums. */
#include <assert.h>
#include <string.h>

#include "bmsflash/session.h"

static const struct bf_allow_info allow_rows[] = {
	[BF_ALLOW_LOW_SOC] = { "low-soc", "state of charge below the limit" },
	[BF_ALLOW_HIGH_SOC] = { "high-soc", "state of charge above the limit" },
	[BF_ALLOW_COLD] = { "cold", "a temperature at or below the limit" },
	[BF_ALLOW_HOT] = { "hot", "a temperature at or above the limit" },
	[BF_ALLOW_CURRENT] = { "current", "the pack is being charged or discharged" },
	[BF_ALLOW_UNSTEADY] = { "unsteady", "voltages that move between two readings" },
	[BF_ALLOW_CELL_SPREAD] = { "cell-spread", "cell voltages that lie far apart" },
	[BF_ALLOW_UNKNOWN] = { "unknown", "a required value that the pack does not tell" },
	[BF_ALLOW_NO_HARDWARE] = { "no-hardware",
				   "an image or a pack that does not name its hardware" },
	[BF_ALLOW_NO_COUNTER] = { "no-counter",
				  "an image without security counter for a pack that counts" },
	[BF_ALLOW_DOWNGRADE] = { "downgrade", "a lower version, as far as the counter permits" },
	[BF_ALLOW_NO_BACKUP] = { "no-backup", "writing without making a backup first" },
	[BF_ALLOW_SINGLE_BANK] = { "single-bank",
				   "a pack with one bank and no backup to go back to" },
	[BF_ALLOW_NO_PROOF] = { "no-proof", "a pack that cannot tell what it runs" },
	[BF_ALLOW_SELF_TEST] = { "self-test",
				 "a pack without the self-test that the profile requires" },
	[BF_ALLOW_FOREIGN_ARCHIVE] = { "foreign-archive", "a backup made elsewhere, or not proven "
							  "to be of this pack" },
	[BF_ALLOW_NEW_CONFIGURATION] = { "new-configuration", "configuration that the new firmware "
							      "changes at its start" },
	[BF_ALLOW_READOUT_UNPROTECT] = { "readout-unprotect",
					 "clearing a chip's readout protection, which erases all "
					 "of its flash" },
};
static_assert(BF_COUNT(allow_rows) == BF_ALLOW_COUNT, "a row for every permission");

const struct bf_allow_info *bf_allow_info(enum bf_allow allow)
{
	return &allow_rows[allow];
}

bool bf_allow_find(const char *name, enum bf_allow *ret)
{
	for (size_t i = 0; i < BF_ALLOW_COUNT; i++) {
		if (strcmp(allow_rows[i].name, name) == 0) {
			*ret = (enum bf_allow)i;
			return true;
		}
	}
	return false;
}

const char *bf_job_name(enum bf_job_kind kind)
{
	static const char *const names[] = {
		[BF_JOB_PROBE] = "probe",       [BF_JOB_BACKUP] = "backup",
		[BF_JOB_VERIFY] = "verify",     [BF_JOB_FLASH] = "flash",
		[BF_JOB_ROLLBACK] = "rollback",
	};

	return names[kind];
}

const char *bf_state_name(enum bf_state state)
{
	static const char *const names[] = {
		[BF_STATE_UNTOUCHED] = "untouched",     [BF_STATE_NEW_PROVEN] = "new-proven",
		[BF_STATE_UNKNOWN] = "unknown",         [BF_STATE_OLD] = "old-running",
		[BF_STATE_RECOVERY] = "needs-recovery", [BF_STATE_UNPROVEN] = "unproven",
	};

	return names[state];
}

const char *bf_severity_name(enum bf_severity severity)
{
	static const char *const names[] = {
		[BF_SEVERITY_OK] = "ok",
		[BF_SEVERITY_NOTE] = "note",
		[BF_SEVERITY_WARNING] = "warning",
		[BF_SEVERITY_PROBLEM] = "problem",
	};
	_Static_assert(BF_COUNT(names) == BF_SEVERITY_COUNT, "a name for every severity");

	return names[severity];
}

const char *bf_verdict_name(enum bf_verdict verdict)
{
	static const char *const names[] = {
		[BF_VERDICT_PASS] = "pass",
		[BF_VERDICT_FAIL] = "fail",
		[BF_VERDICT_ALLOWED] = "allowed",
		[BF_VERDICT_UNKNOWN] = "unknown",
	};

	return names[verdict];
}
