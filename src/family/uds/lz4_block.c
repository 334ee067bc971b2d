/* SPDX-License-Identifier: MIT */
/* The only file that knows liblz4. */
#include "lz4_block.h"

#include <limits.h>
#include <lz4.h>
#include <lz4hc.h>
#include <stdlib.h>

#define WINDOW     65535u  /* the farthest that a match reaches back */
#define LEVEL      9       /* LZ4HC: beyond it nothing more is gained on firmware */
#define SAMPLE_MAX 524288u /* bytes looked at to foretell the ratio */

struct bf_packer {
	LZ4_streamHC_t *stream;
};

struct bf_packer *bf_packer_new(void)
{
	struct bf_packer *k = calloc(1, sizeof(*k));

	if (!k)
		abort();
	k->stream = LZ4_createStreamHC();
	if (!k->stream)
		abort();
	return k;
}

struct bf_packer *bf_packer_free(struct bf_packer *k)
{
	if (k)
		LZ4_freeStreamHC(k->stream);
	free(k);
	return NULL;
}

static const char *refer_to(struct bf_packer *k, const struct bf_packing *what)
{
	size_t n = what->at < WINDOW ? what->at : WINDOW;
	const char *here = (const char *)what->data + what->at;

	LZ4_resetStreamHC_fast(k->stream, LEVEL);
	if (n)
		LZ4_loadDictHC(k->stream, here - n, (int)n);
	return here;
}

static int pack_exactly(struct bf_packer *k, const struct bf_packing *what, size_t n, uint8_t *dst,
			int cap)
{
	const char *src = refer_to(k, what);

	return LZ4_compress_HC_continue(k->stream, src, (char *)dst, (int)n, cap);
}

static int to_int(size_t n)
{
	return n < INT_MAX ? (int)n : INT_MAX;
}

size_t bf_lz4_pack(struct bf_packer *k, const struct bf_packing *what, uint8_t *dst, size_t cap,
		   size_t *ret_taken)
{
	int room = to_int(cap), taken = to_int(what->most);
	const char *src = refer_to(k, what);
	int n = LZ4_compress_HC_continue_destSize(k->stream, src, (char *)dst, &taken, room);
	size_t whole;

	*ret_taken = 0;
	if (n <= 0 || taken <= 0)
		return 0;
	*ret_taken = whole = (size_t)taken;
	if (what->unit && whole < what->most)
		whole -= whole % what->unit;
	/* Less may pack to more, by a token or two: then a unit less is tried. */
	while (*ret_taken != whole && whole) {
		n = pack_exactly(k, what, whole, dst, room);
		if (n > 0)
			*ret_taken = whole;
		else
			whole -= whole > what->unit ? what->unit : whole;
	}
	if (!whole)
		*ret_taken = 0;
	return whole ? (size_t)n : 0;
}

double bf_lz4_ratio(const uint8_t *data, size_t len)
{
	int n = (int)(len < SAMPLE_MAX ? len : SAMPLE_MAX);
	int cap = LZ4_compressBound(n);
	BF_AUTO_MEM char *dst = malloc((size_t)cap);
	int got;

	if (!dst)
		abort();
	got = LZ4_compress_default((const char *)data, dst, n, cap);
	return n > 0 && got > 0 ? (double)got / n : 1;
}
