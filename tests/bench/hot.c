/* SPDX-License-Identifier: MIT */
/*
 * The hot paths, one at a time, for callgrind: tools/bench runs `hot NAME` with collection switched on inside
 * measured() alone and reads how many instructions one pass takes.
 */
#include <stdio.h>
#include <string.h>

#include "bmsflash/crc.h"
#include "bmsflash/crypto.h"
#include "bmsflash/image.h"
#include "bmsflash/link.h"
#include "bmsflash/rng.h"
#include "link/hdlc_codec.h"
#include "link/isotp_codec.h"
#include "family/uds/lz4_block.h"

#define MESSAGE 4095u
#define LARGE   524288u

struct work {
	const struct path *path;
	uint8_t *data, *wire;
	size_t wire_len;
	struct bf_hdlc_rx rx;
	struct bf_transport bus;
	struct bf_clock *clock;
	struct bf_link *link;
	struct bf_keyring *ring;
	struct bf_claim *claim;
	struct bf_packer *packer;
	bool asked; /* a first frame was seen: the flow control that follows is due */
};

struct path {
	const char *name, *what;
	void (*prepare)(struct work *w);
	void (*run)(struct work *w);
};

__attribute__((noinline)) void measured(struct work *w);

__attribute__((noinline)) void measured(struct work *w)
{
	w->path->run(w);
}

/* ---- a bus that swallows everything and always says "continue" ---- */

static struct work *work_of(struct bf_transport *t)
{
	return BF_CONTAINER_OF(t, struct work, bus);
}

static enum bf_rc bus_send(struct bf_transport *t, const struct bf_frame *f, bf_time deadline,
			   struct bf_err *err)
{
	(void)deadline, (void)err;
	work_of(t)->asked = work_of(t)->asked || f->data[0] >> 4 == 1;
	return BF_OK;
}

static enum bf_rc bus_recv(struct bf_transport *t, struct bf_frame *ret, bf_time deadline,
			   struct bf_err *err)
{
	(void)deadline, (void)err;
	if (!work_of(t)->asked)
		return BF_E_TIMEOUT;
	work_of(t)->asked = false;
	*ret = (struct bf_frame){ .id = 0x7E8, .len = 3, .data = { 0x30 } };
	return BF_OK;
}

static enum bf_rc bus_filter(struct bf_transport *t, const struct bf_filter *filters, size_t n,
			     struct bf_err *err)
{
	(void)t, (void)filters, (void)n, (void)err;
	return BF_OK;
}

static const struct bf_bus_ops bus_ops = { .send = bus_send,
					   .recv = bus_recv,
					   .filter = bus_filter };
static const struct bf_transport_ops transport_ops = { .name = "null",
						       .wire = BF_WIRE_BUS,
						       .bus = &bus_ops };

static void prepare_isotp(struct work *w)
{
	const struct bf_isotp_opts opts = { .tx_id = 0x7E0, .rx_id = 0x7E8, .pad = 0xCC };
	struct bf_err err;

	w->clock = bf_vclock_new();
	w->bus = (struct bf_transport){ .ops = &transport_ops, .clock = w->clock };
	(void)bf_isotp_open(&w->bus, &opts, &w->link, &err);
}

static void run_isotp(struct work *w)
{
	struct bf_err err;

	(void)w->link->ops->send(w->link, w->data, MESSAGE, BF_SEC(1), &err);
}

static void run_hdlc_encode(struct work *w)
{
	w->wire_len = bf_hdlc_encode(w->wire, 0x11, 0xF1, w->data, MESSAGE);
}

static void prepare_hdlc_decode(struct work *w)
{
	w->wire_len = bf_hdlc_encode(w->wire, 0xF1, 0x11, w->data, MESSAGE);
	w->rx = (struct bf_hdlc_rx){
		.me = 0xF1, .peer = 0x11, .buf = w->data + MESSAGE, .cap = 2 * MESSAGE
	};
}

static void run_hdlc_decode(struct work *w)
{
	for (size_t i = 0; i < w->wire_len; i++)
		(void)bf_hdlc_put(&w->rx, w->wire[i]);
}

static void run_crc(struct work *w)
{
	w->wire_len = bf_crc(&bf_crc32_ieee, w->data, 65536);
}

static void prepare_verify(struct work *w)
{
	const struct bf_claim_opts opts = { 0 };
	char path[512];
	struct bf_err err;

	w->ring = bf_keyring_new();
	snprintf(path, sizeof(path), "%s/mcuboot/release.pub.pem", BF_BENCH_DATA);
	(void)bf_keyring_add(w->ring, path, &err);
	snprintf(path, sizeof(path), "%s/mcuboot/gw-2.1.0.signed.bin", BF_BENCH_DATA);
	(void)bf_claim_load(path, &opts, &w->claim, &err);
}

static void run_verify(struct work *w)
{
	struct bf_image *image = NULL;
	struct bf_err err;

	if (bf_image_verify(w->claim, w->ring, &image, &err))
		fprintf(stderr, "%s\n", err.cause);
	w->claim = NULL;
	bf_image_free(image);
}

static void run_sha(struct work *w)
{
	bf_sha256(w->wire, w->data, LARGE);
}

static void prepare_pack(struct work *w)
{
	w->packer = bf_packer_new();
	/* half of it repeats, as firmware does */
	for (size_t i = 0; i + 64 < LARGE; i += 64)
		memcpy(w->data + i, w->data + i / 2 % 4096, 32);
}

static void run_pack(struct work *w)
{
	const struct bf_packing what = { .data = w->data, .at = 65536, .most = 16384, .unit = 8 };
	size_t taken;

	(void)bf_lz4_pack(w->packer, &what, w->wire, MESSAGE - 2, &taken);
}

static const struct path paths[] = {
	{ "isotp-send", "send 4095 bytes by ISO-TP", prepare_isotp, run_isotp },
	{ "hdlc-encode", "4095 bytes into an HDLC frame", NULL, run_hdlc_encode },
	{ "hdlc-decode", "an HDLC frame of 4095 bytes back", prepare_hdlc_decode, run_hdlc_decode },
	{ "crc32", "CRC-32 of 64 KiB", NULL, run_crc },
	{ "verify", "verify a signed image of 323 KiB", prepare_verify, run_verify },
	{ "sha256", "SHA-256 of 512 KiB", NULL, run_sha },
	{ "pack", "pack one compressed block of 4093 bytes", prepare_pack, run_pack },
};

static int run_one(const struct path *path)
{
	struct work w = { .path = path };
	struct bf_rng rng = { 1 };

	w.data = malloc(LARGE);
	w.wire = malloc(LARGE);
	if (!w.data || !w.wire)
		abort();
	for (size_t i = 0; i < LARGE; i++)
		w.data[i] = (uint8_t)bf_rng_next(&rng);
	if (path->prepare)
		path->prepare(&w);
	measured(&w);
	bf_link_close(w.link);
	bf_clock_free(w.clock);
	bf_claim_free(w.claim);
	bf_keyring_free(w.ring);
	bf_packer_free(w.packer);
	free(w.data);
	free(w.wire);
	return 0;
}

int main(int argc, char **argv)
{
	for (size_t i = 0; i < BF_COUNT(paths); i++) {
		if (argc == 1)
			printf("%s %s\n", paths[i].name, paths[i].what);
		else if (strcmp(argv[1], paths[i].name) == 0)
			return run_one(&paths[i]);
	}
	return argc != 1;
}
