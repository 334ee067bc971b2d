/* SPDX-License-Identifier: MIT */
/* Does the pack hold what it should: by its own check, by its hash, else by reading back. */
#include <string.h>

#include "phases.h"
#include "verify.h"

#define REPAIRS 2 /* times that what differs is written again */

static enum bf_rc differs(uint32_t addr, size_t len, struct bf_err *err)
{
	bf_fail(err, BF_E_MISMATCH,
		"the pack holds other contents than the image in the %zu bytes "
		"at %08x",
		len, addr);
	bf_likely(err, "a write that the pack accepted and lost: worn flash or a weak supply");
	bf_do(err, "run the same command again: only what differs is written");
	return err->rc;
}

static enum bf_rc by_hash(struct bf_run *run, const struct bf_segment *seg, uint32_t addr,
			  struct bf_err *err)
{
	uint8_t want[BF_SHA256_LEN], got[BF_SHA256_LEN];
	enum bf_rc rc = run->session.proto->ops->loader->hash(run->session.proto, addr,
							      (uint32_t)seg->len, got, err);

	if (rc)
		return rc;
	bf_sha256(want, seg->data, seg->len);
	return memcmp(want, got, sizeof(want)) == 0 ? BF_OK : differs(addr, seg->len, err);
}

static enum bf_rc by_reading(struct bf_run *run, const struct bf_region *region,
			     const struct bf_segment *seg, uint32_t addr, struct bf_err *err)
{
	BF_AUTO_MEM uint8_t *got = malloc(seg->len);

	if (!got)
		return bf_fail(err, BF_E_INTERNAL, "no memory to read %zu bytes back", seg->len);
	if (bf_read_range(run, region, addr, got, seg->len, err))
		return err->rc;
	return memcmp(got, seg->data, seg->len) == 0 ? BF_OK : differs(addr, seg->len, err);
}

/* BF_E_UNSUPPORTED when the pack offers no way to look at its memory. stream: the place of a device without
 * addresses, NULL: by address. */
static enum bf_rc by_memory(struct bf_run *run, int64_t moved, const struct bf_region *stream,
			    unsigned *ret_how, struct bf_err *err)
{
	const struct bf_segment *segments;
	size_t n = bf_image_segments(run->wanted.image, &segments);

	for (size_t i = 0; i < n; i++) {
		uint32_t addr = (uint32_t)(segments[i].addr + moved);
		const struct bf_region *region =
			stream ? stream : bf_place_region(run, &segments[i], addr);
		enum bf_rc rc = BF_E_UNSUPPORTED;

		*ret_how = BF_VERIFIED_DIGEST;
		if (bf_run_can(run, BF_CAP_HASH) && run->session.proto->ops->loader->hash)
			rc = by_hash(run, &segments[i], addr, err);
		if (rc == BF_E_NAK) /* promised and not kept: another way may do */
			rc = BF_E_UNSUPPORTED;
		if (rc == BF_E_UNSUPPORTED && region && bf_can_read(run)) {
			*ret_how = BF_VERIFIED_READ;
			rc = by_reading(run, region, &segments[i], addr, err);
		}
		if (rc == BF_E_UNSUPPORTED)
			return bf_fail(err, rc, "this pack tells nothing of what it holds");
		if (rc)
			return rc;
	}
	return BF_OK;
}

static int64_t moved_by(const struct bf_run *run)
{
	return (int64_t)run->todo.whole.addr - run->todo.whole.segment->addr;
}

static enum bf_rc by_pack(struct bf_run *run, void *ctx, struct bf_err *err)
{
	(void)ctx;
	return run->session.proto->ops->loader->check(run->session.proto, &run->todo.whole, err);
}

/* The pack's own word, or its memory's, that what was written is not right. */
static bool is_verdict(enum bf_rc rc)
{
	return rc == BF_E_MISMATCH || rc == BF_E_SIGNATURE || rc == BF_E_INCOMPATIBLE ||
	       rc == BF_E_ROLLBACK || rc == BF_E_NAK;
}

static enum bf_rc verify(struct bf_run *run, struct bf_err *err)
{
	enum bf_rc rc = BF_E_UNSUPPORTED;
	unsigned how = 0;

	if (bf_run_can(run, BF_CAP_CHECK) && run->session.proto->ops->loader->check) {
		rc = bf_call_question(run, "the check in the pack", by_pack, NULL, err);
		how = BF_VERIFIED_CHECK;
	}
	if (rc == BF_E_UNSUPPORTED && !bf_run_can(run, BF_CAP_SINK)) {
		bf_err_init(err);
		rc = by_memory(run, moved_by(run), NULL, &how, err);
	}
	if (!rc)
		bf_model_verified(&run->model, how);
	else if (is_verdict(rc))
		bf_model_bad(&run->model);
	if (rc != BF_E_UNSUPPORTED)
		return rc;
	bf_err_init(err);
	bf_say(run, BF_EV_NOTICE,
	       "contents not checked: this bootloader supports neither a check nor read-back; "
	       "relying on the version reported after the restart");
	return BF_OK;
}

static enum bf_rc glance(struct bf_run *run, const struct bf_region *home,
			 const struct bf_segment *seg, struct bf_err *err)
{
	const struct bf_proto_ops *ops = run->session.proto->ops;
	BF_AUTO_MEM uint8_t *got = malloc(seg->len);

	if (!got)
		abort();
	if (ops->connect(run->session.proto, BF_ENTRY_READ, err) ||
	    bf_read_glance(run, home, home->addr, got, seg->len, err))
		return err->rc;
	if (memcmp(got, seg->data, seg->len) != 0)
		return BF_OK;
	bf_model_verified(&run->model, BF_VERIFIED_READ);
	bf_say(run, BF_EV_NOTICE, "the bootloader does not start it; read back, it is as written");
	return BF_OK;
}

/* Of a device that takes a stream and stays in its bootloader, what it gives back shows what it holds. Another
 * content shows nothing: it may be that of another place. False: it left meanwhile; who is there now was not
 * asked, and firmware on its test boot would be ended by an entry into the bootloader. */
bool bf_verify_stream(struct bf_run *run)
{
	const struct bf_segment *seg = run->todo.whole.segment;
	const struct bf_region *home = NULL;
	struct bf_err none;

	bf_err_init(&none);
	if (!seg || run->model.verified || !bf_run_can(run, BF_CAP_SINK) || !bf_can_read(run) ||
	    bf_place_stream(run, seg, &home, &none) || !home)
		return true;
	return glance(run, home, seg, &none) != BF_E_GONE;
}

static enum bf_rc timed_verify(struct bf_run *run, struct bf_err *err)
{
	bf_time start = bf_now(run->clock);
	enum bf_rc rc = verify(run, err);

	bf_spent(run, BF_SPENT_VERIFY, start);
	return rc;
}

/* A pack calls an image that came damaged "not signed", too. False: nothing was found to repair. */
static bool repair(struct bf_run *run, struct bf_err *err)
{
	if (bf_run_can(run, BF_CAP_SINK) || run->todo.already_written)
		return false;
	return !bf_plan_again(run, err) && run->todo.n && !bf_ph_write(run, err);
}

enum bf_rc bf_ph_verify(struct bf_run *run, struct bf_err *err)
{
	enum bf_rc rc = timed_verify(run, err);

	for (unsigned i = 0; i < REPAIRS && (rc == BF_E_MISMATCH || rc == BF_E_SIGNATURE); i++) {
		struct bf_err other;

		bf_err_init(&other);
		bf_say_again(run, 0, 0, "writing again what differs: %s", err->cause);
		if (!repair(run, &other)) {
			if (other.rc)
				*err = other;
			return err->rc;
		}
		bf_err_init(err);
		rc = timed_verify(run, err);
	}
	return rc;
}

static bool by_digest(const struct bf_run *run, bool *ret_same)
{
	const struct bf_slot *active = bf_slot_active(&run->session.ident, NULL);

	if (!active || !active->digest_len || active->digest_len != run->wanted.digest_len)
		return false;
	*ret_same = bf_wanted_in(run, active);
	return true;
}

/* Of a device without addresses. The setting that is written need not be the one that runs. */
static enum bf_rc running_stream(struct bf_run *run, const struct bf_segment *seg,
				 const struct bf_region **ret, struct bf_err *err)
{
	if (bf_place_stream(run, seg, ret, err))
		return err->rc;
	if (run->session.ident.n_regions > 1)
		return bf_fail(err, BF_E_UNSUPPORTED,
			       "this pack has %zu alternate settings, and does not say "
			       "which of them runs",
			       run->session.ident.n_regions);
	return BF_OK;
}

/* Where the running image lies, as the image's own addresses would have it: in the active slot, or where this
 * image would go. */
static enum bf_rc find_running(struct bf_run *run, int64_t *ret_moved,
			       const struct bf_region **ret_stream, struct bf_err *err)
{
	const struct bf_segment *segments;
	size_t n = bf_image_segments(run->wanted.image, &segments);
	const struct bf_region *region = NULL;
	BF_AUTO_MEM struct bf_place *places = calloc(n ? n : 1, sizeof(*places));
	unsigned slot;

	if (!places)
		abort();
	*ret_moved = 0;
	*ret_stream = NULL;
	if (bf_slot_active(&run->session.ident, &slot))
		region = bf_region_of_slot(&run->session.ident, slot);
	if (!region && bf_run_can(run, BF_CAP_SINK)) {
		if (running_stream(run, &segments[0], &region, err))
			return err->rc;
		*ret_stream = region;
	}
	if (region)
		*ret_moved = (int64_t)region->addr - segments[0].addr;
	else if (n && bf_image_meta(run->wanted.image)->mcuboot && run->session.ident.n_regions) {
		if (bf_place_segments(run, segments, n, places, err))
			return err->rc;
		*ret_moved = (int64_t)places[0].addr - segments[0].addr;
	}
	return BF_OK;
}

enum bf_rc bf_ph_compare(struct bf_run *run, struct bf_err *err)
{
	char text[BF_VERSION_TEXT];
	const char *runs = bf_ident_version(&run->session.ident, text);
	const struct bf_region *stream;
	bool same = false;
	int64_t moved;
	unsigned how;
	enum bf_rc rc = BF_OK;

	if (!by_digest(run, &same)) {
		if (bf_run_ready(run, err))
			return bf_while(err, "preparing the pack for reading");
		if (find_running(run, &moved, &stream, err))
			return bf_while(err, "looking for the running firmware");
		rc = by_memory(run, moved, stream, &how, err);
		if (rc && rc != BF_E_MISMATCH)
			return rc;
		same = rc == BF_OK;
	}
	bf_emit(run, (struct bf_event){ .kind = BF_EV_REGION,
					.region = { "running firmware", 0,
						    bf_image_size(run->wanted.image),
						    same ? "identical" : "differs" } });
	if (same)
		return BF_OK;
	bf_fail(err, BF_E_MISMATCH, "the pack runs %s, which is not what '%s' holds",
		runs ? runs : "firmware", bf_image_path(run->wanted.image));
	bf_next_command(run, BF_JOB_FLASH, NULL, err);
	return err->rc;
}
