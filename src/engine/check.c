/* SPDX-License-Identifier: MIT */
/* One safety check: decided, shown, and where the user allowed it by name, recorded. */
#include <string.h>

#include "run.h"

struct bf_check bf_check(const char *name, int allow)
{
	return (struct bf_check){ .name = name, .allow = allow };
}

void bf_check_show(struct bf_run *run, enum bf_event_kind kind, const struct bf_check *check)
{
	bf_emit(run, (struct bf_event){ .kind = kind, .check = check });
}

void bf_check_unknown(struct bf_run *run, struct bf_check *check)
{
	check->verdict = BF_VERDICT_UNKNOWN;
	if (!check->got[0])
		strcpy(check->got, "unknown");
	bf_check_show(run, BF_EV_CHECK, check);
}

enum bf_rc bf_check_decide(struct bf_run *run, struct bf_check *check, bool ok, enum bf_rc rc,
			   struct bf_err *err)
{
	bool allowed = !ok && check->allow >= 0 && run->job->allow[check->allow];

	check->verdict = ok ? BF_VERDICT_PASS : allowed ? BF_VERDICT_ALLOWED : BF_VERDICT_FAIL;
	bf_check_show(run, BF_EV_CHECK, check);
	if (ok)
		return BF_OK;
	if (allowed) {
		run->overrides |= 1u << check->allow;
		return BF_OK;
	}
	bf_fail(err, rc, "%s: '%s', allowed is '%s'", check->name, check->got, check->limit);
	if (check->allow >= 0) {
		bf_likely(err, "fix this, or accept the risk with --allow %s",
			  bf_allow_info((enum bf_allow)check->allow)->name);
		bf_next_allowing(run, 1u << check->allow, err);
	}
	return err->rc;
}
