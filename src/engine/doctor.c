/* SPDX-License-Identifier: MIT */
/* probe --doctor: what stands in the way on this computer. Each driver knows its own kind of interface. */
#include <stdio.h>
#include <string.h>

#include "run.h"

struct doctor {
	struct bf_run *run;
	unsigned count[BF_SEVERITY_COUNT];
	struct bf_diag_finding worst; /* the first problem */
};

static void found(void *ctx, const struct bf_diag_finding *f)
{
	struct doctor *doc = ctx;

	if (f->severity == BF_SEVERITY_PROBLEM && !doc->count[BF_SEVERITY_PROBLEM])
		doc->worst = *f;
	doc->count[f->severity]++;
	bf_emit(doc->run, (struct bf_event){ .kind = BF_EV_FINDING, .finding = f });
}

static enum bf_rc verdict(const struct doctor *doc, struct bf_err *err)
{
	unsigned problems = doc->count[BF_SEVERITY_PROBLEM];

	if (!problems)
		return BF_OK;
	bf_fail(err, BF_E_IFACE, "%u problem%s found; the first, on '%s': %s", problems,
		problems == 1 ? "" : "s", doc->worst.subject, doc->worst.text);
	if (doc->worst.mend[0])
		bf_next(err, "%s", doc->worst.mend);
	else
		bf_next(err, "mend that, then: bmsflash probe --doctor");
	return err->rc;
}

enum bf_rc bf_ph_doctor(struct bf_run *run, struct bf_err *err)
{
	struct doctor doc = { .run = run };
	const struct bf_diag diag = { .root = "", .found = found, .ctx = &doc };
	const char *iface = run->job->iface ? bf_address_bare(run->job->iface) : NULL;
	bool known = !iface;

	for (const struct bf_driver *const *d = run->ports->drivers(); *d; d++) {
		if (iface && !((*d)->match && (*d)->match(iface)))
			continue;
		known = true;
		if ((*d)->diagnose)
			(*d)->diagnose(&diag, iface);
		else if (iface)
			bf_find(&diag, BF_SEVERITY_OK, "interface", iface, NULL,
				"it needs nothing of this computer");
		if (iface)
			break;
	}
	if (!known)
		return bf_address_unknown(iface, err);
	return verdict(&doc, err);
}
