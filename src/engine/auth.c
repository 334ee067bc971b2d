/* SPDX-License-Identifier: MIT */
/* Who answers the pack's challenge, and entering the state in which it can be written. */
#include "bmsflash/auth.h"

#include "run.h"

#define ENTRIES 2 /* more, into a loader that was left again before it had told its memory */

enum bf_rc bf_auth_choose(struct bf_run *run, struct bf_err *err)
{
	enum bf_rc rc = BF_OK;

	if (run->job->auth_key)
		rc = bf_auth_ed25519_new(run->job->auth_key, &run->auth, err);
	else if (run->profile.auth == BF_AUTH_PROGRAM)
		/* The program lives in real time, whatever the pack does. */
		rc = bf_auth_program_new(run->profile.auth_program,
					 bf_clock_is_virtual(run->outer) ? NULL : run->outer,
					 &run->auth, err);
	return rc ? bf_while(err, "preparing the answer to the pack's challenge") : BF_OK;
}

static enum bf_rc refused(struct bf_run *run, struct bf_err *err)
{
	if (err->rc != BF_E_AUTH)
		return err->rc;
	if (!run->auth) {
		bf_likely(err, "the pack wants a technician's key and none was given");
	} else if (!err->n_likely) {
		bf_likely(err, "the key does not belong to this pack family");
		bf_likely(err, "too many wrong keys before: the pack waits before the next try");
	}
	if (!err->next[0])
		bf_next(err, "name the technician's private key: --auth-key FILE");
	return err->rc;
}

/* What is told of the memory while firmware runs can be written while firmware runs. */
static bool writes_beside(const struct bf_run *run)
{
	return run->ident.n_regions && bf_run_can(run, BF_CAP_DUAL_BANK);
}

enum bf_rc bf_run_enter(struct bf_run *run, struct bf_err *err)
{
	const struct bf_proto_ops *ops = run->proto->ops;

	/* Before the call: a pack that does not write beside its firmware leaves it for its loader. */
	if (!writes_beside(run) && !run->ident.in_bootloader)
		bf_model_stops_app(&run->model);
	if (ops->connect && ops->connect(run->proto, BF_ENTRY_WRITE, err))
		return bf_while(err, "entering the bootloader");
	if (bf_run_can(run, BF_CAP_AUTH) && ops->authenticate) {
		bf_trace_mute(run->transport, true);
		if (ops->authenticate(run->proto, err)) {
			bf_trace_mute(run->transport, false);
			return refused(run, err);
		}
		bf_trace_mute(run->transport, false);
	}
	run->authenticated = true;
	bf_model_entered(&run->model);
	return BF_OK;
}

/* A pack that lost its power meanwhile runs its firmware again, and has told that firmware's memory. One that
 * writes beside its only firmware says the same twice. */
enum bf_rc bf_ph_enter(struct bf_run *run, struct bf_err *err)
{
	for (unsigned i = 0;; i++) {
		uint64_t reopened = run->retry.reopened;

		bool stopped;

		if (bf_run_enter(run, err))
			return err->rc;
		stopped = run->model.entered == BF_ENTERED_BY_US;
		if (bf_run_learn(run, err))
			return err->rc;
		if (!stopped || i == ENTRIES)
			return BF_OK;
		if (run->model.talking != BF_TALKING_APP && run->retry.reopened == reopened)
			return BF_OK;
	}
}
