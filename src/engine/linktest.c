/* SPDX-License-Identifier: MIT */
/* Small exchanges in a row: how many are lost, how long an answer takes. */
#include "run.h"

enum bf_rc bf_linktest(struct bf_run *run, unsigned n, struct bf_linktest *ret, struct bf_err *err)
{
	struct bf_linktest t = { .best = BF_NEVER };
	bf_time sum = 0;

	for (unsigned i = 0; run->proto->ops->ping && i < n; i++) {
		bf_time start = bf_now(run->clock), took;
		enum bf_rc rc = run->proto->ops->ping(run->proto, err);

		t.sent++;
		if (rc == BF_E_TIMEOUT || rc == BF_E_LINK) {
			t.lost++;
			continue;
		}
		if (rc)
			return bf_while(err, "testing the line");
		took = bf_now(run->clock) - start;
		sum += took;
		t.best = took < t.best ? took : t.best;
		t.worst = took > t.worst ? took : t.worst;
	}
	if (t.sent > t.lost)
		t.mean = sum / (t.sent - t.lost);
	else
		t.best = 0;
	*ret = t;
	return BF_OK;
}
