/* SPDX-License-Identifier: MIT */
/* verify of a profile: what is wrong with it, and what a flash with it would send. */
#include <stdio.h>
#include <string.h>

#include "run.h"

static bool is_profile(const char *path)
{
	size_t n = strlen(path);

	return n > 4 && strcmp(path + n - 4, ".ini") == 0;
}

bool bf_job_checks_profiles(const struct bf_job *job)
{
	bool any = job->images && job->images[0];

	for (size_t i = 0; any && job->images[i]; i++)
		any = is_profile(job->images[i]);
	return any && job->kind == BF_JOB_VERIFY && !job->iface;
}

static void show_line(void *ctx, const char *request, const char *what)
{
	struct bf_run *run = ctx;
	char text[320];

	if (request)
		snprintf(text, sizeof(text), "  %-40s %s", request, what);
	else
		snprintf(text, sizeof(text), "%s:", what);
	bf_say(run, BF_EV_REQUEST, "%s", text);
}

static enum bf_rc check_protocol(struct bf_run *run, const struct bf_profile *p, const char *path,
				 struct bf_err *err)
{
	char names[160] = "";

	for (const struct bf_proto_ops *const *o = run->ports->protos(); *o; o++) {
		size_t at = strlen(names);

		if (!p->protocol[0] || strcmp((*o)->name, p->protocol) == 0)
			return BF_OK;
		snprintf(names + at, sizeof(names) - at, "%s%s", at ? ", " : "", (*o)->name);
	}
	bf_fail(err, BF_E_USAGE, "profile '%s': there is no protocol '%s'", path, p->protocol);
	bf_likely(err, "it is one of: %s", names);
	return err->rc;
}

/* A backup and a way back need memory that can be read; an update that proves itself needs a check or a version. */
static void show_gaps(struct bf_run *run, const struct bf_profile *p)
{
	bool reads = false;

	for (size_t i = 0; i < p->n_regions; i++)
		reads = reads || (p->regions[i].access & BF_ACCESS_READ);
	if (p->n_regions && !reads)
		bf_say(run, BF_EV_NOTICE,
		       "no region can be read: there is no backup, and no way back without a "
		       "second image");
	if (!p->did_app_version && !p->did_app_digest)
		bf_say(run, BF_EV_NOTICE,
		       "the pack tells neither a version nor a digest: what runs after an update "
		       "is not shown by it");
}

static enum bf_rc check_one(struct bf_run *run, const char *path, struct bf_err *err)
{
	const struct bf_proto_ops *const *protos = run->ports->protos();
	struct bf_profile *p = &run->profile;
	char note[512];

	/* a file, also where its name has no slash */
	if (bf_profile_load(path, NULL, p, err)) {
		err->rc = BF_E_IMAGE;
		return bf_while(err, "checking the profile '%s'", path);
	}
	if (check_protocol(run, p, path, err)) {
		err->rc = BF_E_IMAGE;
		return err->rc;
	}
	for (size_t i = 0; bf_profile_note(p, i, note, sizeof(note)); i++)
		bf_say(run, BF_EV_NOTICE, "%s", note);
	if (!p->protocol[0] || strcmp(p->protocol, "uds") == 0)
		show_gaps(run, p);
	for (; *protos; protos++) {
		bool meant = p->protocol[0] ? strcmp((*protos)->name, p->protocol) == 0
					    : (*protos)->explain != NULL;

		if (!meant || !(*protos)->explain)
			continue;
		bf_say(run, BF_EV_REQUEST, "%s: what a flash sends over %s", p->name,
		       (*protos)->name);
		(*protos)->explain(p, show_line, run);
	}
	return BF_OK;
}

enum bf_rc bf_ph_check_profiles(struct bf_run *run, struct bf_err *err)
{
	struct bf_err first;
	size_t bad = 0;

	bf_err_init(&first);
	for (size_t i = 0; run->job->images[i]; i++) {
		struct bf_err one;

		bf_err_init(&one);
		if (!check_one(run, run->job->images[i], &one))
			continue;
		bf_say(run, BF_EV_WARNING, "%s", one.cause);
		if (bad++ == 0)
			first = one;
	}
	if (bad)
		*err = first;
	return bad ? err->rc : BF_OK;
}
