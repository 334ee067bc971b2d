/* SPDX-License-Identifier: MIT */
#include "smp_peer.h"

#include "../unit.h"

#include "bmsflash/bytes.h"

void smp_peer_answer(struct smp_peer *k, const uint8_t *request, const uint8_t *body, size_t len,
		     bf_time after)
{
	uint8_t packet[4096], wire[8192];

	assert_true(len + SMP_HEADER <= sizeof(packet));
	memcpy(packet, request, SMP_HEADER);
	packet[0]++;
	bf_put_be16(packet + 2, (uint16_t)len);
	memcpy(packet + SMP_HEADER, body, len);
	/* Devices send no newline first. */
	fake_say_bytes(k->line, wire + 1, bf_smp_console_encode(wire, packet, SMP_HEADER + len) - 1,
		       after);
}

static void answer_hex(struct smp_peer *k, const uint8_t *request, const char *hex)
{
	uint8_t body[1024];
	size_t len;

	assert_true(bf_unhex(hex ? hex : "bf62726308ff", body, sizeof(body), &len));
	smp_peer_answer(k, request, body, len, BF_MS(1));
}

static void answer_offset(struct smp_peer *k, const uint8_t *request, bool last, bf_time after)
{
	uint8_t buf[64];
	struct bf_out o = bf_out(buf, sizeof(buf));

	bf_smp_put_map(&o, last && k->knows_sha ? 2 : 1);
	bf_smp_put_number(&o, "off", k->next);
	if (last && k->knows_sha)
		bf_smp_put_bool(&o, "match", !k->match_false);
	smp_peer_answer(k, request, o.p, o.len, after);
}

static void begin_upload(struct smp_peer *k, const struct smp_doc *doc, uint64_t len)
{
	const struct smp_item *sha = bf_smp_get(doc, &doc->items[0], "sha", SMP_BYTES);

	if (k->knows_sha && sha && k->has_sha && memcmp(sha->p, k->sha, sizeof(k->sha)) == 0 &&
	    k->next && k->next < k->len)
		return; /* goes on where it was */
	k->erases++;
	k->next = 0;
	k->len = (size_t)len;
	k->has_sha = sha && sha->len == sizeof(k->sha);
	if (k->has_sha)
		memcpy(k->sha, sha->p, sizeof(k->sha));
}

static void upload(struct smp_peer *k, const uint8_t *request, const struct smp_doc *doc)
{
	const struct smp_item *top = &doc->items[0];
	const struct smp_item *data = bf_smp_get(doc, top, "data", SMP_BYTES);
	const struct smp_item *off = bf_smp_get(doc, top, "off", SMP_NUMBER);
	const struct smp_item *len = bf_smp_get(doc, top, "len", SMP_NUMBER);
	unsigned number = ++k->uploads;
	unsigned erases = k->erases;
	bf_time after = BF_MS(1);

	assert_non_null(data);
	assert_non_null(off);
	if (number == k->lose_request)
		return;
	if (number == k->forget_at) {
		k->next = k->len = 0;
		k->has_sha = false;
	}
	if (number == k->refuse_at || (!off->number && !len)) {
		answer_hex(k, request, "bf62726303ff");
		return;
	}
	if (!off->number)
		begin_upload(k, doc, len->number);
	if (k->erases != erases)
		after += k->erase;
	if (off->number == k->next) {
		size_t n = k->align ? data->len - data->len % k->align : data->len;

		assert_true(k->next + n <= PEER_MEM);
		memcpy(k->mem + k->next, data->p, n);
		k->next += n;
	}
	if (number != k->lose_answer)
		answer_offset(k, request, k->next == k->len, after);
}

static void handle(struct smp_peer *k, const uint8_t *p, size_t len)
{
	static struct smp_doc doc;
	unsigned group = bf_get_be16(p + 4), id = p[7];
	bool read = bf_smp_parse(p + SMP_HEADER, len - SMP_HEADER, &doc);
	const char *const os[16] = {
		[SMP_OS_RESET] = "a0",
		[SMP_OS_PARAMS] = k->params,
		[SMP_OS_INFO] = k->info,
		[SMP_OS_BOOT] =
			bf_smp_get(&doc, &doc.items[0], "query", SMP_TEXT) ? k->boot_mode : k->boot,
	};

	k->asked++;
	k->longest = len > k->longest ? len : k->longest;
	assert_true(read);
	if (group == SMP_GROUP_IMAGE && id == SMP_IMAGE_UPLOAD) {
		upload(k, p, &doc);
	} else if (group == SMP_GROUP_IMAGE && id == SMP_IMAGE_STATE) {
		if ((p[0] & 7) == SMP_WRITE) {
			k->state_len = len - SMP_HEADER;
			memcpy(k->state, p + SMP_HEADER, k->state_len);
		}
		answer_hex(k, p, k->list);
	} else if (group == SMP_GROUP_IMAGE && id == SMP_IMAGE_SLOTS) {
		answer_hex(k, p, k->slots);
	} else {
		answer_hex(k, p, group == SMP_GROUP_OS && id < 16 ? os[id] : NULL);
	}
}

static size_t heard(struct fake *f, void *ctx, const uint8_t *p, size_t len)
{
	struct smp_peer *k = ctx;

	(void)f;
	for (size_t i = 0; i < len; i++) {
		if (bf_smp_console_put(&k->in, p[i]) == BF_DEFRAME_MESSAGE)
			handle(k, k->rx + 2, k->in.packet_len);
	}
	return len;
}

struct smp_peer *smp_peer_new(void)
{
	struct smp_peer *k = calloc(1, sizeof(*k));
	struct bf_proto_env env;

	assert_non_null(k);
	k->clock = bf_vclock_new();
	k->line = fake_stream_new(k->clock);
	fake_stream_handle(k->line, heard, k);
	k->in = (struct bf_smp_console){ .buf = k->rx, .cap = sizeof(k->rx) };
	bf_profile_default(&k->profile);
	bf_retry_default(&k->retry);
	bf_err_init(&k->err);
	k->list = "bf66696d616765739fffff";
	env = (struct bf_proto_env){ .transport = fake_transport(k->line),
				     .profile = &k->profile,
				     .retry = &k->retry,
				     .node = -1 };
	assert_int_equal(bf_proto_smp_ops.open(&env, &k->proto, &k->err), BF_OK);
	k->s = smp_of(k->proto);
	return k;
}

struct smp_peer *smp_peer_free(struct smp_peer *k)
{
	if (!k)
		return NULL;
	bf_proto_close(k->proto);
	fake_free(k->line);
	bf_clock_free(k->clock);
	free(k);
	return NULL;
}

void smp_peer_expect(struct smp_peer *k, enum bf_rc rc, enum bf_rc want)
{
	if (rc != want)
		print_error("%d, wanted %d: %s\n", (int)rc, (int)want, k->err.cause);
	assert_int_equal(rc, want);
	bf_err_init(&k->err);
}
