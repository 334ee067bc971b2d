/* SPDX-License-Identifier: MIT */
/* Files in: profile, keys, images. All of it is done before an interface is opened. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bmsflash/file.h"

#include "phases.h"

/* ==== profile, keys, images ==== */

enum bf_rc bf_ph_profile(struct bf_run *run, struct bf_err *err)
{
	char note[512];

	bf_profile_default(&run->given.profile);
	if (!run->job->profile)
		return BF_OK;
	if (bf_profile_load(run->job->profile, run->job->profile_folders, &run->given.profile, err))
		return bf_while(err, "loading the profile '%s'", run->job->profile);
	for (size_t i = 0; bf_profile_note(&run->given.profile, i, note, sizeof(note)); i++)
		bf_say(run, BF_EV_NOTICE, "%s", note);
	return BF_OK;
}

static enum bf_rc add_keys(struct bf_run *run, const char *const *paths, bool must_exist,
			   struct bf_err *err)
{
	for (size_t i = 0; paths && paths[i]; i++) {
		if (!must_exist && access(paths[i], F_OK) < 0)
			continue;
		if (bf_keyring_add(run->given.ring, paths[i], err))
			return bf_while(err, "reading trusted keys from '%s'", paths[i]);
	}
	return BF_OK;
}

/* A technician's key that others can change is refused, one that others can read is warned about. */
static enum bf_rc check_auth_key(struct bf_run *run, struct bf_err *err)
{
	const char *path = run->job->auth_key;
	struct bf_err readable;

	if (!path || access(path, F_OK) < 0) /* its own phase says what is missing */
		return BF_OK;
	bf_err_init(&readable);
	if (bf_file_guard(path, BF_GUARD_TRUSTED, err))
		return bf_while(err, "looking at the technician's key");
	if (bf_file_guard(path, BF_GUARD_SECRET, &readable))
		bf_say(run, BF_EV_WARNING, "the technician's key %s: %s", readable.cause,
		       readable.next);
	return BF_OK;
}

enum bf_rc bf_ph_keys(struct bf_run *run, struct bf_err *err)
{
	const struct bf_job *job = run->job;
	bool given = job->keys && job->keys[0];
	const char *const *folders = given ? job->keys : job->key_folders;
	enum bf_rc rc;

	run->given.ring = bf_keyring_new();
	if (check_auth_key(run, err))
		return err->rc;
	rc = add_keys(run, folders, given, err);
	if (rc)
		return rc;
	/* An archive of this very pack needs no key to go back into it. */
	if (bf_keyring_count(run->given.ring) || job->restore_from)
		return BF_OK;
	bf_fail(err, BF_E_SIGNATURE, "%sno trusted key is installed on this computer",
		job->kind == BF_JOB_VERIFY ? "signer unknown: " : "");
	for (size_t i = 0; folders && folders[i]; i++)
		bf_likely(err, "no *.pem or *.pub file in '%s'", folders[i]);
	bf_do(err, "ask the maker for the public key (*.pub.pem), then name it with --key FILE or "
		   "install it once:");
	bf_next(err, "sudo install -D -m644 maker.pub.pem /etc/bmsflash/keys/maker.pub.pem");
	return err->rc;
}

void bf_run_target(struct bf_run *run)
{
	const struct bf_meta *meta = bf_image_meta(run->wanted.image);

	run->wanted.has_version = meta->has_version;
	run->wanted.version = meta->version;
	run->wanted.digest_len = 0;
	/* A pack reports the digest that the image's TLV carries; for other formats it is ours alone. */
	if (meta->mcuboot && meta->digest_len <= sizeof(run->wanted.digest)) {
		run->wanted.digest_len = meta->digest_len;
		memcpy(run->wanted.digest, meta->digest, meta->digest_len);
	}
}

/* ---- several images ---- */

unsigned bf_parts(const struct bf_run *run)
{
	return run->wanted.n_parts > 1 ? run->wanted.n_parts : 1;
}

void bf_wanted_parts(struct bf_run *run, unsigned n)
{
	run->wanted.n_parts = n < BF_PARTS_MAX ? n : BF_PARTS_MAX;
}

void bf_wanted_part(struct bf_run *run, unsigned part)
{
	struct bf_wanted *w = &run->wanted;
	struct bf_aim *from = &w->aside[w->part];
	const struct bf_aim *to = &w->aside[part];

	if (part == w->part)
		return;
	from->image = w->image;
	from->has_version = w->has_version;
	from->version = w->version;
	from->digest_len = w->digest_len;
	memcpy(from->digest, w->digest, sizeof(from->digest));
	w->image = to->image;
	w->has_version = to->has_version;
	w->version = to->version;
	w->digest_len = to->digest_len;
	memcpy(w->digest, to->digest, sizeof(w->digest));
	w->part = part;
}

const struct bf_image *bf_wanted_of(const struct bf_run *run, unsigned part)
{
	return part == run->wanted.part ? run->wanted.image : run->wanted.aside[part].image;
}

void bf_wanted_image(struct bf_run *run, struct bf_image *image)
{
	bf_image_free(run->wanted.image);
	run->wanted.image = image;
	bf_run_target(run);
}

void bf_wanted_swap(struct bf_run *run)
{
	struct bf_image *image = run->wanted.image;

	run->wanted.image = run->wanted.fallback;
	run->wanted.fallback = image;
	bf_run_target(run);
}

void bf_wanted_go_back(struct bf_run *run)
{
	bf_wanted_swap(run);
	run->wanted.went_to_fallback = true;
}

void bf_wanted_own(struct bf_run *run, bool own)
{
	run->wanted.own = own;
}

void bf_wanted_told(struct bf_run *run, const struct bf_version *version, const uint8_t *digest,
		    size_t digest_len)
{
	if (version) {
		run->wanted.has_version = true;
		run->wanted.version = *version;
	}
	if (digest_len && digest_len <= sizeof(run->wanted.digest)) {
		memcpy(run->wanted.digest, digest, digest_len);
		run->wanted.digest_len = digest_len;
	}
}

void bf_wanted_place(struct bf_run *run, bool known, uint32_t addr, unsigned alt)
{
	run->wanted.has_place = known;
	run->wanted.place_addr = addr;
	run->wanted.place_alt = alt;
}

void bf_wanted_usb_later(struct bf_run *run, bool later)
{
	run->wanted.usb_later = later;
}

bool bf_wanted_in(const struct bf_run *run, const struct bf_slot *slot)
{
	const struct bf_wanted *w = &run->wanted;

	return slot && w->digest_len && slot->digest_len == w->digest_len &&
	       memcmp(slot->digest, w->digest, w->digest_len) == 0;
}

void bf_given_done(struct bf_run *run)
{
	for (unsigned i = 0; i < BF_PARTS_MAX; i++) {
		if (i != run->wanted.part)
			bf_image_free(run->wanted.aside[i].image);
	}
	bf_image_free(run->wanted.image);
	bf_image_free(run->wanted.fallback);
	bf_image_free(run->given.driver);
	bf_keyring_free(run->given.ring);
}

/* A trusted image, or the reason why not. */
static enum bf_rc read_one(struct bf_run *run, const char *path, struct bf_image **ret,
			   struct bf_err *err)
{
	struct bf_claim *claim = NULL;
	const struct bf_claim_opts none = { 0 };
	struct bf_claim_opts opts = run->job->claim_opts ? *run->job->claim_opts : none;

	opts.container_key = run->given.profile.container_key;
	if (bf_claim_load(path, &opts, &claim, err))
		return bf_while(err, "reading the image '%s'", path);
	if (bf_image_verify(claim, run->given.ring, ret, err))
		return bf_while(err, "verifying the image '%s'", path);
	return BF_OK;
}

static enum bf_rc load_one(struct bf_run *run, const char *path, struct bf_image **ret,
			   struct bf_err *err)
{
	struct bf_image *image = NULL;

	if (read_one(run, path, &image, err))
		return err->rc;
	if (bf_image_meta(image)->note[0])
		bf_say(run, BF_EV_NOTICE, "'%s': %s", path, bf_image_meta(image)->note);
	bf_emit(run,
		(struct bf_event){ .kind = BF_EV_IMAGE,
				   .image = { path, bf_image_key_name(image), bf_image_meta(image),
					      bf_image_size(image), bf_image_key_id(image) } });
	*ret = image;
	return BF_OK;
}

/* Another image that the pack goes back to where it has no backup: checked as the first one is. */
static enum bf_rc load_fallback(struct bf_run *run, struct bf_err *err)
{
	char text[BF_VERSION_TEXT];
	const struct bf_meta *meta;

	if (!run->job->fallback)
		return BF_OK;
	if (read_one(run, run->job->fallback, &run->wanted.fallback, err))
		return err->rc;
	meta = bf_image_meta(run->wanted.fallback);
	bf_say(run, BF_EV_NOTICE, "fallback '%s': version %s, signed by %s", run->job->fallback,
	       meta->has_version ? bf_version_text(&meta->version, text) : "not told",
	       bf_image_key_name(run->wanted.fallback));
	return BF_OK;
}

/* Signed as the image is, and checked before the interface is opened, too. */
enum bf_rc bf_load_driver(struct bf_run *run, struct bf_err *err)
{
	const struct bf_driver_file *d = &run->given.profile.driver;
	const struct bf_claim_opts at = { .has_addr = true, .addr = d->addr }, none = { 0 };
	struct bf_claim *claim = NULL;
	struct bf_err quiet;

	if (!d->file[0])
		return BF_OK;
	bf_err_init(&quiet);
	/* An address is for a raw binary; other formats bring their own. */
	if (bf_claim_load(d->file, &none, &claim, &quiet) &&
	    bf_claim_load(d->file, &at, &claim, err))
		return bf_while(err, "reading the flash driver '%s'", d->file);
	if (bf_image_verify(claim, run->given.ring, &run->given.driver, err))
		return bf_while(err, "verifying the flash driver '%s'", d->file);
	bf_say(run, BF_EV_NOTICE, "the flash driver '%s' is loaded first, signed by %s", d->file,
	       bf_image_key_name(run->given.driver));
	return BF_OK;
}

/* ---- images that are written in one run ---- */

/* Each file is the image with its number in this order. */
static enum bf_rc check_need(struct bf_run *run, unsigned part, const struct bf_dependency *need,
			     struct bf_err *err)
{
	const char *const *paths = run->job->images;
	char want[BF_VERSION_TEXT], have[BF_VERSION_TEXT] = "without a version";
	const struct bf_meta *other;

	if (need->image == part) {
		bf_fail(err, BF_E_INCOMPATIBLE,
			"'%s' depends on image %u, so it is not image %u itself.", paths[part],
			need->image, part);
		bf_do(err, "name the files in the order of their image numbers: image 0 first");
		return err->rc;
	}
	if (need->image >= bf_parts(run)) /* the pack knows it */
		return BF_OK;
	other = bf_image_meta(bf_wanted_of(run, need->image));
	if (other->has_version && bf_version_cmp(&other->version, &need->min) >= 0)
		return BF_OK;
	if (other->has_version)
		bf_version_text(&other->version, have);
	bf_fail(err, BF_E_INCOMPATIBLE,
		"'%s' depends on image %u in version %s or higher; '%s' is %s.", paths[part],
		need->image, bf_version_text(&need->min, want), paths[need->image], have);
	bf_do(err, "take the files of one release");
	return err->rc;
}

static enum bf_rc check_part(struct bf_run *run, unsigned part, struct bf_err *err)
{
	const struct bf_image *image = bf_wanted_of(run, part);
	const struct bf_meta *meta = bf_image_meta(image);
	const char *path = run->job->images[part];

	if (!meta->mcuboot)
		return bf_fail(err, BF_E_INCOMPATIBLE,
			       "'%s' is no MCUboot image: only these have numbers, and can be "
			       "written together.",
			       path);
	for (unsigned i = 0; i < part; i++) {
		if (memcmp(bf_image_file_sha256(bf_wanted_of(run, i)), bf_image_file_sha256(image),
			   BF_SHA256_LEN) == 0)
			return bf_fail(err, BF_E_USAGE, "'%s' is the same image as '%s'", path,
				       run->job->images[i]);
	}
	for (size_t i = 0; i < meta->n_deps; i++) {
		if (check_need(run, part, &meta->deps[i], err))
			return err->rc;
	}
	return BF_OK;
}

static enum bf_rc load_others(struct bf_run *run, struct bf_err *err)
{
	const char *const *paths = run->job->images;
	unsigned n = 1;

	while (n < BF_PARTS_MAX && paths[n])
		n++;
	if (paths[n])
		return bf_fail(err, BF_E_USAGE, "a flash takes at most %d images, not also '%s'",
			       BF_PARTS_MAX, paths[n]);
	if (run->job->fallback)
		return bf_fail(err, BF_E_USAGE, "--fallback has no meaning with several images");
	if (run->job->claim_opts &&
	    (run->job->claim_opts->has_addr || run->job->claim_opts->sig_path))
		return bf_fail(err, BF_E_USAGE,
			       "--addr and --sig have no meaning with several images");
	for (unsigned i = 1; i < n; i++) {
		if (load_one(run, paths[i], &run->wanted.aside[i].image, err))
			return err->rc;
		bf_wanted_part(run, i);
		bf_run_target(run);
		bf_wanted_part(run, 0);
	}
	bf_wanted_parts(run, n);
	for (unsigned i = 0; i < n; i++) {
		if (check_part(run, i, err))
			return bf_while(err, "checking that the images belong together");
	}
	return BF_OK;
}

enum bf_rc bf_ph_load(struct bf_run *run, struct bf_err *err)
{
	const char *const *paths = run->job->images;

	if (!paths || !paths[0])
		return bf_fail(err, BF_E_USAGE, "no image was named");
	if (load_one(run, paths[0], &run->wanted.image, err) || bf_load_driver(run, err))
		return err->rc;
	bf_run_target(run);
	if (paths[1])
		return load_others(run, err);
	if (load_fallback(run, err))
		return bf_while(err, "checking the fallback image");
	return BF_OK;
}

/* Every file is looked at even after a bad one; the first failure is the run's. The first good image is
 * what a pack is compared with. */
enum bf_rc bf_ph_load_all(struct bf_run *run, struct bf_err *err)
{
	struct bf_err first;
	size_t bad = 0;

	bf_err_init(&first);
	for (size_t i = 0; run->job->images && run->job->images[i]; i++) {
		struct bf_image *image = NULL;
		struct bf_err one;

		bf_err_init(&one);
		if (load_one(run, run->job->images[i], &image, &one)) {
			/* The only one is what the run ends with. */
			if (run->job->images[1])
				bf_say(run, BF_EV_WARNING, "%s%s%s",
				       strstr(one.cause, run->job->images[i]) ? ""
									      : run->job->images[i],
				       strstr(one.cause, run->job->images[i]) ? "" : ": ",
				       one.cause);
			if (bad++ == 0)
				first = one;
			continue;
		}
		if (run->wanted.image)
			bf_image_free(image);
		else
			run->wanted.image = image;
	}
	if (bad) {
		*err = first;
		return err->rc;
	}
	if (!run->wanted.image)
		return bf_fail(err, BF_E_USAGE, "no image was named");
	bf_run_target(run);
	return BF_OK;
}

/* ==== verify of a profile: what is wrong, and what a flash with it would send ==== */

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

static enum bf_rc check_family(struct bf_run *run, const char *name, const char *path,
			       struct bf_err *err)
{
	char names[160] = "";

	for (const struct bf_proto_ops *const *o = run->ports->protos(); *o; o++) {
		size_t at = strlen(names);

		if (!name[0] || strcmp((*o)->name, name) == 0)
			return BF_OK;
		snprintf(names + at, sizeof(names) - at, "%s%s", at ? ", " : "", (*o)->name);
	}
	bf_fail(err, BF_E_USAGE, "profile '%s': there is no protocol '%s'", path, name);
	bf_likely(err, "it is one of: %s", names);
	return err->rc;
}

static enum bf_rc check_protocol(struct bf_run *run, const struct bf_profile *p, const char *path,
				 struct bf_err *err)
{
	if (check_family(run, p->protocol, path, err) ||
	    check_family(run, p->application, path, err))
		return err->rc;
	return check_family(run, p->loader, path, err);
}

/* A backup, and going back, need memory that can be read. */
static void show_unreadable(struct bf_run *run, const struct bf_profile *p)
{
	bool reads = false;

	for (size_t i = 0; i < p->n_regions; i++)
		reads = reads || (p->regions[i].access & BF_ACCESS_READ);
	if (p->n_regions && !reads)
		bf_say(run, BF_EV_NOTICE,
		       "no region can be read: there is no backup, and no way back without a "
		       "second image");
}

/* An update that proves itself needs a check or a version. */
static void show_untold(struct bf_run *run, const struct bf_profile *p, const char *family)
{
	if (!bf_profile_shows_firmware(p, family))
		bf_say(run, BF_EV_NOTICE,
		       "the pack tells neither a version nor a digest: what runs after an update "
		       "is not shown by it");
}

static enum bf_rc check_one(struct bf_run *run, const char *path, struct bf_err *err)
{
	const struct bf_proto_ops *const *protos = run->ports->protos();
	struct bf_profile *p = &run->given.profile;
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
	if (bf_is_joined(p)) {
		bf_say(run, BF_EV_REQUEST, "%s: what a flash sends", p->name);
		bf_proto_joined_ops.explain(p, show_line, run);
		return BF_OK;
	}
	show_unreadable(run, p);
	for (; *protos; protos++) {
		bool meant = p->protocol[0] ? strcmp((*protos)->name, p->protocol) == 0
					    : (*protos)->explain != NULL;

		if (!meant || !(*protos)->explain)
			continue;
		show_untold(run, p, (*protos)->name);
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
