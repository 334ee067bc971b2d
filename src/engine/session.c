/* SPDX-License-Identifier: MIT */
/* A job from its beginning to its end. */
#include <string.h>

#include "bmsflash/auth.h"
#include "run.h"

static void done(struct bf_run *run)
{
	bf_todo_done(&run->todo);
	bf_image_free(run->image);
	bf_image_free(run->driver);
	bf_keyring_free(run->ring);
	bf_auth_free(run->auth);
	bf_backup_free(run->from);
	bf_backup_free(run->saved);
	bf_backup_free(run->earlier);
}

void bf_engine_run(const struct bf_job *job, const struct bf_ports *ports, struct bf_clock *clock,
		   const struct bf_log *log, const struct bf_events *events, struct bf_outcome *ret)
{
	struct bf_run *run = calloc(1, sizeof(*run));
	bool records = job->record && !bf_job_checks_record(job);
	const struct bf_phase *rows;
	struct bf_err err;
	enum bf_rc rc;
	size_t n;

	if (!run)
		abort();
	run->job = job;
	run->ports = ports;
	run->outer = run->clock = clock;
	run->log = log;
	run->events = events;
	run->lock_fd = -1;
	run->started = bf_now(clock);
	run->deadline = job->timeout ? bf_in(clock, job->timeout) : BF_NEVER;
	bf_retry_default(&run->retry);
	bf_err_init(&err);

	bf_emit(run, (struct bf_event){ .kind = BF_EV_START, .job = job->kind });
	rows = bf_phases_of(job, &n);
	/* A run that could not be recorded is not begun. */
	rc = records ? bf_record_may_write(run, &err) : BF_OK;
	if (rc)
		records = false;
	else
		rc = bf_backup_may_write(run, &err);
	if (!rc)
		rc = bf_phases_run(run, rows, n, &err);
	bf_outcome_fill(run, rc, &err, ret);
	if (records)
		bf_record_write(run, ret);
	done(run);
	free(run);
}

void bf_job_run(const struct bf_job *job, struct bf_clock *clock, const struct bf_log *log,
		const struct bf_events *events, struct bf_outcome *ret)
{
	static const struct bf_ports real = {
		.open = bf_transport_open,
		.drivers = bf_drivers,
		.protos = bf_protos,
	};

	bf_engine_run(job, &real, clock, log, events, ret);
}
