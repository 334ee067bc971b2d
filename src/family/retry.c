/* SPDX-License-Identifier: MIT */
#include "bmsflash/family.h"

void bf_retry_default(struct bf_retry *retry)
{
	*retry = (struct bf_retry){
		.rows = {
			[BF_RETRY_IDEMPOTENT] = { .attempts = 5, .backoff = BF_MS(10) },
			[BF_RETRY_COUNTED] = { .attempts = 2, .backoff = 0 },
			[BF_RETRY_STEERED] = { .attempts = 5, .backoff = BF_MS(10) },
			[BF_RETRY_APPEND_ONLY] = { .attempts = 1 },
			[BF_RETRY_DESTRUCTIVE] = { .attempts = 1 },
		},
	};
}

bool bf_retry_again(struct bf_retry *retry, struct bf_clock *clock, enum bf_retry_class rclass,
		    unsigned attempt, enum bf_rc rc)
{
	const struct bf_retry_row *row = &retry->rows[rclass];

	if (rc == BF_E_TIMEOUT)
		retry->timeouts++;
	else if (rc == BF_E_LINK)
		retry->damaged++;
	else
		return false;
	if (attempt >= row->attempts)
		return false;
	if (row->backoff &&
	    !bf_clock_until(clock, bf_in(clock, row->backoff << (attempt > 8 ? 8 : attempt - 1))))
		return false;
	retry->repeats[rclass]++;
	return true;
}
