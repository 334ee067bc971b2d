/* SPDX-License-Identifier: MIT */
/*
 * Uploading an image. The device says which offset it wants, also when it got another one, so that a chunk may be sent
 * again at any time. Only offset 0 is special: it erases, each time that it comes. Where its answer stays out, the
 * device is asked with a small chunk at the next offset, and not with offset 0 again.
 */
#include "smp.h"

#include <string.h>

#define BUFFER_MARGIN  4u                 /* of a buffer: length and CRC count, too */
#define PACKET_DEFAULT 282u               /* without parameters: 256 bytes of the image */
#define CHUNK_HEAD     (SMP_HEADER + 18u) /* header, map, keys and numbers around the bytes */
#define FIRST_LEN      9u                 /* "len" and its number */
#define FIRST_SHA      38u
#define FIRST_IMAGE    8u
#define ALIGN          32u /* no flash of MCUboot writes in larger units */
#define CHUNK_LEAST    32u
#define ANSWER_LEAST   BF_SEC(2) /* a chunk may erase a sector, or wait for the one before */
#define SLICE_MOST     BF_SEC(16)
#define FIRST_TRIES    4u
#define STUCK          3u
#define FILL           0xFF

static const struct smp_ask upload_ask = {
	.op = SMP_WRITE,
	.group = SMP_GROUP_IMAGE,
	.id = SMP_IMAGE_UPLOAD,
	.what = "take a chunk of the image",
};

/* ---- sizes ---- */

static bool to_recovery(const struct smp *s)
{
	return s->talks == BF_TALKS_LOADER;
}

static uint32_t packet_max(const struct smp *s)
{
	uint32_t most = s->buf_size > BUFFER_MARGIN ? s->buf_size - BUFFER_MARGIN : PACKET_DEFAULT;

	return most < SMP_PACKET_MAX ? most : SMP_PACKET_MAX;
}

static uint32_t chunk_in(const struct smp *s, uint32_t head)
{
	uint32_t packet = packet_max(s), n = packet > head ? packet - head : 0;

	if (s->settings->chunk && s->settings->chunk < n)
		n = s->settings->chunk;
	n = n > CHUNK_LEAST ? n : CHUNK_LEAST;
	/* Recovery drops what is no multiple of its flash's alignment, and asks for it again. */
	return to_recovery(s) ? n - n % ALIGN : n;
}

uint32_t bf_smp_chunk_max(const struct smp *s)
{
	return chunk_in(s, CHUNK_HEAD);
}

static uint32_t upload_id(const struct smp *s)
{
	const struct smp_slot *second = &smp_place(s)->slots[1];
	unsigned image = s->image;

	if (!to_recovery(s) || !bf_smp_two_slots(s))
		return image;
	if (second->has_upload_id && second->upload_id > image)
		return second->upload_id;
	return image * 2 + 2;
}

static uint32_t first_max(const struct smp *s)
{
	return chunk_in(s, CHUNK_HEAD + FIRST_LEN + (to_recovery(s) ? 0 : FIRST_SHA) +
				   (upload_id(s) ? FIRST_IMAGE : 0));
}

/* Answers and requests at once need a line that carries both. */
unsigned bf_smp_window(struct smp *s)
{
	struct bf_transport *t = s->proto.env.transport;
	struct bf_line_report report;

	if (s->settings->in_flight)
		return s->settings->in_flight;
	if (to_recovery(s) || !t->ops->stream)
		return 1;
	t->ops->stream->report(t, &report);
	return report.full_duplex && s->buf_count ? s->buf_count : 1;
}

/* Recovery gets whole units: what is behind the image stays as it is when it is erased. */
static size_t padding(const struct smp *s)
{
	size_t over = s->upload.len % ALIGN;

	return to_recovery(s) && over ? ALIGN - over : 0;
}

/* ---- one chunk ---- */

static void put_data(struct smp *s, struct bf_out *o, const struct smp_chunk *c)
{
	static const uint8_t fill[ALIGN] = {
		FILL, FILL, FILL, FILL, FILL, FILL, FILL, FILL, FILL, FILL, FILL,
		FILL, FILL, FILL, FILL, FILL, FILL, FILL, FILL, FILL, FILL, FILL,
		FILL, FILL, FILL, FILL, FILL, FILL, FILL, FILL, FILL, FILL,
	};
	size_t pad = c->offset + c->len == s->upload.len ? padding(s) : 0;
	uint8_t joined[SMP_PACKET_MAX];

	if (!pad || c->len + pad > sizeof(joined)) {
		bf_smp_put_bytes(o, "data", c->data, c->len);
		return;
	}
	memcpy(joined, c->data, c->len);
	memcpy(joined + c->len, fill, pad);
	bf_smp_put_bytes(o, "data", joined, c->len + pad);
}

static struct bf_out build(struct smp *s, const struct smp_chunk *c)
{
	struct bf_out o = bf_out(s->body, sizeof(s->body));
	bool first = c->offset == 0, sha = first && !to_recovery(s);
	bool image = first && upload_id(s);

	bf_smp_put_map(&o, 2u + first + sha + image);
	put_data(s, &o, c);
	bf_smp_put_number(&o, "off", c->offset);
	if (first)
		bf_smp_put_number(&o, "len", s->upload.len + padding(s));
	if (sha)
		bf_smp_put_bytes(&o, "sha", s->upload.sha, sizeof(s->upload.sha));
	if (image)
		bf_smp_put_number(&o, "image", upload_id(s));
	return o;
}

static enum bf_rc send_chunk(struct smp *s, struct smp_chunk *c, struct bf_err *err)
{
	struct bf_out body = build(s, c);
	struct smp_ask ask = upload_ask;

	ask.body = &body;
	c->sent = bf_now(smp_clock(s));
	return bf_smp_send(s, &ask, c->seq, err);
}

static bf_time answer_time(const struct smp *s)
{
	bf_time told = BF_MS(s->settings->answer_ms);

	return told > ANSWER_LEAST ? told : ANSWER_LEAST;
}

/* s->doc holds an answer to an upload. */
static enum bf_rc take_offset(struct smp *s, size_t *ret, struct bf_err *err)
{
	const struct smp_item *top = &s->doc.items[0], *off, *match;
	struct smp_upload *u = &s->upload;

	if (bf_smp_refused(s, upload_ask.what, err))
		return err->rc;
	off = bf_smp_get(&s->doc, top, "off", SMP_NUMBER);
	match = bf_smp_get(&s->doc, top, "match", SMP_BOOL);
	if (!off)
		return bf_fail(err, BF_E_LINK, "The answer to a chunk holds no offset.");
	if (off->number > u->len + padding(s))
		return bf_fail(err, BF_E_NAK, "The pack asks for offset %llu of %zu.",
			       (unsigned long long)off->number, u->len);
	if (match && !match->number)
		u->match_false = true;
	*ret = off->number > u->len ? u->len : (size_t)off->number;
	return BF_OK;
}

static void likely_refusal(struct smp *s, struct bf_err *err)
{
	if (!err->dev_refused)
		return;
	for (size_t i = 0; i < s->list.n; i++) {
		const struct smp_entry *e = &s->list.entries[i];

		if (e->image != s->image)
			continue;
		if (e->flags & BF_SLOT_PENDING)
			bf_likely(err,
				  "slot %u waits for its test boot already: an earlier update "
				  "was not restarted",
				  e->slot);
		if ((e->flags & BF_SLOT_TRIAL) && !to_recovery(s))
			bf_likely(err, "the firmware that runs is on its test boot: it has to be "
				       "confirmed, or the pack restarted, first");
	}
}

/* ---- the first chunk ---- */

struct opening {
	struct smp_chunk first;
	unsigned sent, probes;
	bf_time limit, slice;
};

static bool is_ours(const struct smp *s, const struct opening *o, uint8_t seq)
{
	return (uint8_t)(seq - o->first.seq) < (uint8_t)(s->seq - o->first.seq);
}

static enum bf_rc send_first(struct smp *s, struct opening *o, struct bf_err *err)
{
	if (++o->sent > FIRST_TRIES) {
		o->limit = bf_now(smp_clock(s));
		return bf_fail(err, BF_E_TIMEOUT,
			       "The pack did not answer the first chunk, sent %u times.",
			       FIRST_TRIES);
	}
	return send_chunk(s, &o->first, err);
}

/* Is it at work on the first chunk, or did that get lost? Its answer to this says where it stands. */
static enum bf_rc send_probe(struct smp *s, struct opening *o, struct bf_err *err)
{
	const struct smp_upload *u = &s->upload;
	struct smp_chunk probe = {
		.seq = s->seq++,
		.offset = o->first.len,
		.len = u->len - o->first.len < CHUNK_LEAST ? u->len - o->first.len : CHUNK_LEAST,
		.data = u->data + o->first.len,
	};

	if (!probe.len)
		return send_first(s, o, err);
	o->probes++;
	return send_chunk(s, &probe, err);
}

static enum bf_rc first_silence(struct smp *s, struct opening *o, enum bf_rc rc, struct bf_err *err)
{
	struct bf_retry *retry = s->proto.env.retry;

	if (rc != BF_E_TIMEOUT && rc != BF_E_LINK)
		return rc;
	retry->timeouts += rc == BF_E_TIMEOUT;
	retry->damaged += rc == BF_E_LINK;
	if (bf_now(smp_clock(s)) >= o->limit) {
		bf_likely(err, "the erasure of the slot takes longer: erase-limit-s in [smp] of a "
			       "profile");
		return bf_while(err, "waiting %.0f s for the answer to the first chunk",
				(double)s->settings->erase_limit_s);
	}
	retry->repeats[BF_RETRY_STEERED]++;
	bf_smp_alive(s, "erase its slot");
	bf_err_init(err);
	o->slice = o->slice * 2 < SLICE_MOST ? o->slice * 2 : SLICE_MOST;
	return send_probe(s, o, err);
}

/* *ret_done: *ret_next is where it wants to go on. */
static enum bf_rc first_answer(struct smp *s, struct opening *o, uint8_t seq, bool *ret_done,
			       size_t *ret_next, struct bf_err *err)
{
	enum bf_rc rc;

	if (!is_ours(s, o, seq))
		return BF_OK;
	rc = take_offset(s, ret_next, err);
	*ret_done = !rc && (seq == o->first.seq || *ret_next);
	if (*ret_done || rc == BF_E_LINK || (rc && seq == o->first.seq))
		return rc;
	/* What was asked with a later offset has no upload to belong to: the first chunk was lost. */
	bf_err_init(err);
	return send_first(s, o, err);
}

static enum bf_rc open_upload(struct smp *s, size_t *ret_next, struct bf_err *err)
{
	struct smp_upload *u = &s->upload;
	uint32_t most = first_max(s);
	struct opening o = {
		.first = { .seq = s->seq++, .data = u->data, .len = u->len < most ? u->len : most },
		.limit = bf_in(smp_clock(s), BF_SEC(s->settings->erase_limit_s)),
		.slice = answer_time(s),
	};
	bool done = false;
	enum bf_rc rc;

	/* The padding has to fit, too. */
	if (o.first.len == u->len && u->len + padding(s) > most)
		o.first.len = most - ALIGN;
	s->proto.env.retry->requests[BF_RETRY_STEERED]++;
	rc = send_first(s, &o, err);
	while (!rc && !done) {
		uint8_t seq = 0;
		bf_time wire = bf_link_duration(s->link, o.first.len + CHUNK_HEAD);

		rc = bf_smp_collect(s, &upload_ask, &seq, bf_in(smp_clock(s), o.slice + wire), err);
		if (!rc)
			rc = first_answer(s, &o, seq, &done, ret_next, err);
		if (rc)
			rc = first_silence(s, &o, rc, err);
	}
	s->strays = s->strays || o.probes;
	return rc;
}

static enum bf_rc may_upload(struct smp *s, const struct bf_target *target, struct bf_err *err)
{
	if (target->from)
		return bf_fail(err, BF_E_INTERNAL, "an upload that begins at offset %zu",
			       target->from);
	if (!to_recovery(s) && !bf_smp_two_slots(s)) {
		bf_fail(err, BF_E_UNSUPPORTED,
			"This firmware cannot update itself: MCUboot has one slot, from which it "
			"runs.");
		bf_likely(err,
			  "such a pack is updated in MCUboot's serial recovery, which a button "
			  "or a window after power-on starts");
		return err->rc;
	}
	return bf_smp_need(s, target->image, err);
}

enum bf_rc bf_smp_begin(struct bf_proto *p, const struct bf_target *target, struct bf_flow *ret,
			struct bf_err *err)
{
	struct smp *s = smp_of(p);
	struct smp_upload *u = &s->upload;
	const uint8_t *data = target->segment->data;
	enum bf_rc rc;

	if (may_upload(s, target, err))
		return err->rc;
	ret->block_max = bf_smp_chunk_max(s);
	u->first = u->n = 0;
	u->stuck = 0;
	if (!u->window)
		u->window = bf_smp_window(s);
	if (s->strays)
		s->link->ops->flush(s->link);
	/* Broken off in this run: the first chunk that is not at its place is answered with the place. */
	if (u->open && u->data == data && u->len == target->len && u->wanted) {
		ret->next = u->wanted;
		return BF_OK;
	}
	*u = (struct smp_upload){ .window = u->window,
				  .open = true,
				  .image = target->image,
				  .data = data,
				  .len = target->len };
	bf_sha256(u->sha, data, target->len);
	rc = open_upload(s, &u->wanted, err);
	if (rc) {
		likely_refusal(s, err);
		u->open = false;
		return rc;
	}
	ret->next = u->wanted;
	return BF_OK;
}

/* ---- the others ---- */

static struct smp_chunk *chunk_at(struct smp_upload *u, size_t i)
{
	return &u->chunks[(u->first + i) % SMP_WINDOW];
}

static size_t unanswered(struct smp_upload *u)
{
	size_t n = 0;

	for (size_t i = 0; i < u->n; i++)
		n += !chunk_at(u, i)->answered;
	return n;
}

static bf_time answer_deadline(struct smp *s)
{
	struct smp_upload *u = &s->upload;
	bf_time wire = 0;

	for (size_t i = 0; i < u->n; i++) {
		if (!chunk_at(u, i)->answered)
			wire += bf_link_duration(s->link, chunk_at(u, i)->len + CHUNK_HEAD);
	}
	return bf_in(smp_clock(s), answer_time(s) + wire);
}

/* The answer to a chunk says what the device wants after it and after those before it. */
static void note_answer(struct smp_upload *u, uint8_t seq, size_t next, bool all)
{
	size_t up_to = 0;

	for (size_t i = 0; i < u->n; i++) {
		if (!chunk_at(u, i)->answered && chunk_at(u, i)->seq == seq)
			up_to = i + 1;
	}
	if (!up_to)
		return;
	for (size_t i = 0; i < (all ? u->n : up_to); i++) {
		if (chunk_at(u, i)->answered)
			continue;
		chunk_at(u, i)->answered = true;
		chunk_at(u, i)->next = next;
	}
}

static struct smp_chunk *oldest_unanswered(struct smp_upload *u)
{
	for (size_t i = 0; i < u->n; i++) {
		if (!chunk_at(u, i)->answered)
			return chunk_at(u, i);
	}
	return NULL;
}

/* One more answer. After a repeat those on the way behind it count as lost: the device says where it stands. */
static enum bf_rc await_answer(struct smp *s, struct bf_err *err)
{
	struct smp_upload *u = &s->upload;
	struct bf_retry *retry = s->proto.env.retry;
	size_t before = unanswered(u);
	unsigned attempt = 1;
	bool again = false;
	bf_time deadline = answer_deadline(s);

	while (unanswered(u) == before) {
		bf_time began = bf_now(smp_clock(s));
		size_t next;
		uint8_t seq;
		enum bf_rc rc = bf_smp_collect(s, &upload_ask, &seq, deadline, err);

		if (!rc)
			rc = take_offset(s, &next, err);
		if (!rc) {
			note_answer(u, seq, next, again);
			continue;
		}
		if (!bf_retry_again(retry, smp_clock(s), BF_RETRY_STEERED, attempt++, rc))
			return rc;
		retry->lost_us += bf_now(smp_clock(s)) - began;
		/* What is lost may have met an answer on the line, or a device that was short of buffers. */
		u->window = u->window > 1 && before > 1 ? u->window / 2 : u->window;
		again = true;
		bf_err_init(err);
		rc = send_chunk(s, oldest_unanswered(u), err);
		if (rc)
			return rc;
		deadline = answer_deadline(s);
	}
	s->strays = s->strays || again;
	return BF_OK;
}

enum bf_rc bf_smp_block_start(struct bf_proto *p, const struct bf_block *block, struct bf_err *err)
{
	struct smp *s = smp_of(p);
	struct smp_upload *u = &s->upload;
	size_t most = block->offset ? bf_smp_chunk_max(s) : first_max(s);
	struct smp_chunk *c;

	if (u->n == SMP_WINDOW)
		return bf_fail(err, BF_E_INTERNAL, "more than %u chunks on the way", SMP_WINDOW);
	while (unanswered(u) >= u->window) {
		if (await_answer(s, err))
			return err->rc;
	}
	c = chunk_at(u, u->n++);
	*c = (struct smp_chunk){ .seq = s->seq++,
				 .offset = block->offset,
				 .data = block->data,
				 .len = block->len < most ? block->len : most };
	if (c->offset + c->len == u->len && c->len + padding(s) > most)
		c->len = most - ALIGN;
	s->proto.env.retry->requests[BF_RETRY_STEERED]++;
	return send_chunk(s, c, err);
}

/* The length of the image is no multiple of what its flash writes. */
static enum bf_rc never_taken(const struct smp_chunk *c, struct bf_err *err)
{
	bf_fail(err, BF_E_NAK, "The pack does not take the last %zu bytes of the image.", c->len);
	bf_likely(err, "the image's length is no multiple of what the pack's flash writes at once: "
		       "sign it with imgtool's --align and --pad");
	return err->rc;
}

static enum bf_rc begins_anew(struct smp *s, struct bf_err *err)
{
	s->upload.wanted = 0;
	s->upload.open = false;
	s->upload.n = 0;
	s->strays = true;
	return bf_fail(err, BF_E_RESTART,
		       "The pack has forgotten the upload and asks for offset 0: it restarted.");
}

enum bf_rc bf_smp_block_finish(struct bf_proto *p, size_t *ret_next, struct bf_err *err)
{
	struct smp *s = smp_of(p);
	struct smp_upload *u = &s->upload;
	struct smp_chunk c;

	if (!u->n)
		return bf_fail(err, BF_E_INTERNAL, "no chunk is on the way");
	while (!chunk_at(u, 0)->answered) {
		if (await_answer(s, err)) {
			likely_refusal(s, err);
			return err->rc;
		}
	}
	c = *chunk_at(u, 0);
	u->first = (u->first + 1) % SMP_WINDOW;
	u->n--;
	if (!c.next && u->wanted)
		return begins_anew(s, err);
	u->stuck = c.next == c.offset ? u->stuck + 1 : 0;
	if (u->stuck >= STUCK && c.len < ALIGN)
		return never_taken(&c, err);
	u->wanted = c.next;
	*ret_next = c.next;
	return BF_OK;
}

/* The application compares what arrived with what was announced. */
enum bf_rc bf_smp_finish(struct bf_proto *p, struct bf_err *err)
{
	struct smp *s = smp_of(p);
	bool bad = s->upload.match_false;

	s->upload = (struct smp_upload){ .window = s->upload.window };
	if (!bad) {
		s->mismatches = 0;
		return BF_OK;
	}
	if (!s->mismatches++)
		return bf_fail(err, BF_E_RESTART,
			       "The pack found other contents than were announced.");
	bf_fail(err, BF_E_MISMATCH, "The pack found other contents than were announced, twice.");
	bf_likely(err, "a write that its flash accepted and lost: worn flash or a weak supply");
	return err->rc;
}

/* What the device has of it stays, and where it stands is known: it may go on there. */
void bf_smp_abandon(struct bf_proto *p)
{
	struct smp *s = smp_of(p);

	s->upload.first = s->upload.n = 0;
	s->strays = true;
}
