/* SPDX-License-Identifier: MIT */
/* What runs after the restart, by the pack's own word. Upload acknowledgements prove nothing. */
#include <stdio.h>

#include "run.h"

static const char *reason_text(unsigned reason)
{
	static const char *const texts[] = { "unknown", "power-on", "request", "watchdog",
					     "crash" };

	return reason < BF_COUNT(texts) ? texts[reason] : texts[0];
}

bool bf_looped(const struct bf_run *run)
{
	return run->now.reset_reason == 3 || run->now.reset_reason == 4 ||
	       (run->ident.boot_count && run->now.boot_count > run->ident.boot_count + 2);
}

void bf_name_loop(const struct bf_run *run, struct bf_err *err)
{
	if (bf_looped(run)) {
		err->n_likely = 0; /* silence that a restart explains is no fault of the line */
		err->pattern = BF_PATTERN_LOOP;
		bf_likely(err,
			  "restart loop after the update: %u starts since power-on, the last "
			  "by %s",
			  run->now.boot_count, reason_text(run->now.reset_reason));
		bf_likely(err, "the image is built for another variant or another boot loader");
		return;
	}
	if (!err->n_likely)
		bf_likely(err,
			  "the boot loader does not accept the image (key, counter or dependency)");
}

static enum bf_rc not_started(struct bf_run *run, struct bf_err *err)
{
	char text[BF_VERSION_TEXT], want[BF_VERSION_TEXT] = "the new firmware";
	const char *now = bf_ident_version(&run->now, text);

	if (run->has_target_version)
		bf_version_text(&run->target_version, want);
	if (run->model.talking == BF_TALKING_LOADER) {
		bf_fail(err, BF_E_UNPROVEN,
			"after the restart the pack stays in its bootloader and does not run %s",
			want);
		if (!run->model.failed_test) {
			bf_likely(err,
				  "it starts its firmware only after it was switched off and on");
			return err->rc;
		}
	} else if (run->model.runs == BF_RUNS_UNTOLD) {
		bf_fail(err, BF_E_UNPROVEN,
			"after the restart the pack answers as '%s', which shows neither the new "
			"firmware nor the old",
			now ? now : "unknown");
	} else {
		bf_fail(err, BF_E_RESTORED, "after the restart the pack runs %s, not %s",
			now ? now : "its previous firmware", want);
	}
	bf_name_loop(run, err);
	return err->rc;
}

enum bf_rc bf_ph_prove(struct bf_run *run, struct bf_err *err)
{
	const struct bf_slot *active = bf_slot_active(&run->now, NULL);
	char text[BF_VERSION_TEXT];
	const char *now;

	run->proven_reopened = run->retry.reopened;
	if (run->silent)
		return BF_OK;
	/* Allowed by name: that an application answers is all that this pack can say. */
	if (run->model.runs == BF_RUNS_UNTOLD && run->job->allow[BF_ALLOW_NO_PROOF]) {
		bf_model_no_proof(&run->model);
		bf_say(run, BF_EV_NOTICE, "an application runs; the pack does not say which");
		return BF_OK;
	}
	if (run->model.runs != BF_RUNS_NEW) {
		/* Its bootloader says that the firmware was started and crashed. */
		if (run->model.talking == BF_TALKING_LOADER &&
		    (bf_looped(run) || run->now.bad_firmware[0]))
			bf_model_failed_test(&run->model);
		else if (run->model.talking == BF_TALKING_LOADER)
			bf_verify_stream(run);
		return not_started(run, err);
	}
	bf_emit(run, (struct bf_event){ .kind = BF_EV_DEVICE, .ident = &run->now });
	now = bf_ident_version(&run->now, text);
	bf_say(run, BF_EV_NOTICE, "the pack answers as %s%s", now ? now : "running",
	       active && active->digest_len ? ", with the digest of the image" : "");
	return BF_OK;
}
