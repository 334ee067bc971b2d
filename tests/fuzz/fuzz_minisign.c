/* SPDX-License-Identifier: MIT */
/*
 * The parser on the input as it is; and signatures that the target makes itself, with a file, its signature or both changed
 * in one place afterwards: what is accepted must be what was signed, in the form in which it was signed.
 */
#include "fuzz_parse.h"

#include <stdio.h>

#include "bmsflash/bytes.h"

#define CAP 4096

static void base64(struct bf_out *o, const uint8_t *p, size_t n)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) |
			     (i + 2 < n ? p[i + 2] : 0);

		for (size_t k = 0; k < 4; k++)
			bf_out_u8(o, (uint8_t)(i + k <= n ? digits[v >> (18 - 6 * k) & 63] : '='));
	}
	bf_out_u8(o, '\n');
}

static void text(struct bf_out *o, const char *s)
{
	bf_out_bytes(o, s, strlen(s));
}

static size_t make(bool legacy, const uint8_t *file, size_t len, const uint8_t *words,
		   size_t words_len, uint8_t *dst)
{
	struct bf_out o = bf_out(dst, CAP);
	uint8_t raw[74] = "ED12345678", global[64], both[64 + 256], hash[64];

	raw[1] = legacy ? 'd' : 'D';
	bf_blake2b512(hash, file, len);
	bf_ed25519_sign(raw + 10, legacy ? file : hash, legacy ? len : sizeof(hash),
			(const uint8_t *)FUZZ_SEED);
	memcpy(both, raw + 10, 64);
	if (words_len)
		memcpy(both + 64, words, words_len);
	bf_ed25519_sign(global, both, 64 + words_len, (const uint8_t *)FUZZ_SEED);
	text(&o, "untrusted comment: x\n");
	base64(&o, raw, sizeof(raw));
	text(&o, "trusted comment: ");
	bf_out_bytes(&o, words, words_len);
	text(&o, "\n");
	base64(&o, global, sizeof(global));
	FUZZ_CHECK(!o.failed);
	return o.len;
}

struct given {
	bool legacy;
	const uint8_t *file, *words;
	size_t len, words_len;
};

static void check_made(const struct given *g, const uint8_t *file, const uint8_t *sig,
		       size_t sig_len)
{
	const struct bf_claim_opts opts = { .has_addr = true, .addr = 0x08010000 };
	struct bf_keyring ring = {
		.keys = &(struct bf_key){ .kind = BF_KEY_MINISIGN, .id = "1234567" }, .n = 1
	};
	BF_AUTO(bf_image) *image = NULL;
	struct bf_claim *claim = NULL;
	struct bf_minisig parsed;
	struct bf_err err = { 0 };

	ring.keys->id[7] = '8';
	bf_ed25519_public(ring.keys->pk, (const uint8_t *)FUZZ_SEED);
	if (bf_claim_parse(file, g->len, "input", sig, sig_len, &opts, &claim, &err) ||
	    bf_image_verify(claim, &ring, &image, &err)) {
		FUZZ_CHECK(err.rc && err.cause[0]);
		return;
	}
	FUZZ_CHECK(!bf_image_meta(image)->mcuboot && memcmp(file, g->file, g->len) == 0);
	FUZZ_CHECK(!bf_minisig_parse((const char *)sig, sig_len, "input", &parsed, &err));
	FUZZ_CHECK(parsed.prehashed != g->legacy && bf_image_meta(image)->legacy == g->legacy);
	FUZZ_CHECK(!g->legacy || g->len != 64);
	FUZZ_CHECK(parsed.comment_len == g->words_len &&
		   memcmp(parsed.comment, g->words, g->words_len) == 0);
}

static void made_and_changed(const uint8_t *data, size_t size)
{
	struct bf_cur in = bf_cur(data, size);
	uint8_t flags = bf_cur_u8(&in), change, file[1024], sig[CAP];
	struct given g = { .legacy = flags & 1, .words_len = bf_cur_u8(&in) };
	size_t at = bf_cur_le16(&in), sig_len;

	change = bf_cur_u8(&in);
	g.words = bf_cur_bytes(&in, g.words_len);
	g.len = bf_cur_left(&in);
	g.file = bf_cur_bytes(&in, g.len);
	if (in.failed || g.len == 0 || g.len > sizeof(file))
		return;
	if (memchr(g.words, '\n', g.words_len) || (g.words_len && g.words[g.words_len - 1] == '\r'))
		return;
	memcpy(file, g.file, g.len);
	sig_len = make(g.legacy, g.file, g.len, g.words, g.words_len, sig);
	if (flags & 2)
		file[at % g.len] ^= change;
	else
		sig[at % sig_len] ^= change;
	check_made(&g, file, sig, sig_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char file[] = ":0100000055AA\n:00000001FF\n";
	struct bf_minisig sig;
	struct bf_meta meta = { 0 };
	struct bf_err err = { 0 };

	made_and_changed(data, size);
	fuzz_claim((const uint8_t *)file, sizeof(file) - 1, data, size);
	if (!bf_minisig_parse((const char *)data, size, "input", &sig, &err))
		(void)bf_minisig_comment(&sig, "input", &meta, &err);
	/* The comment alone, without the signatures around it. */
	sig = (struct bf_minisig){ .comment = (const char *)data, .comment_len = size };
	if (bf_minisig_comment(&sig, "input", &meta, &err))
		FUZZ_CHECK(err.rc == BF_E_IMAGE && err.cause[0]);
	return 0;
}
