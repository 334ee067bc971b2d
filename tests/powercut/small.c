/* SPDX-License-Identifier: MIT */
#include "small.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bmsflash/bytes.h"
#include "bmsflash/crypto.h"
#include "bmsflash/file.h"
#include "bmsflash/rng.h"
#include "sim/pack_priv.h"
#include "sim/uuid.h"

#define HEADER 512u
#define BODY   2600u
#define SEED   "a test key: 32 bytes, no secret."

static const struct {
	const char *file; /* NULL: only in the pack */
	uint8_t minor;
	uint32_t counter;
} rows[SMALL_IMAGES] = {
	[SMALL_OLD] = { NULL, 3, 3 },
	[SMALL_NEW] = { "mcuboot/app-1.5.0.signed.bin", 5, 5 },
	[SMALL_OTHER] = { "mcuboot/app-1.6.0.signed.bin", 6, 6 },
};

static const uint8_t spki_frame[12] = { 0x30, 0x2A, 0x30, 0x05, 0x06, 0x03,
					0x2B, 0x65, 0x70, 0x03, 0x21, 0x00 };

static void put_tlv(struct bf_out *o, uint16_t type, const void *p, uint16_t len)
{
	bf_out_le16(o, type);
	bf_out_le16(o, len);
	bf_out_bytes(o, p, len);
}

/* Stack and reset handler first, the name that the demonstration firmware carries, then what does not pack. */
static void put_body(struct bf_out *o, uint8_t minor)
{
	struct bf_rng rng = { minor };
	size_t start = o->len;
	char name[48];
	int n = snprintf(name, sizeof(name), "bms-16s demo application 1.%u.0", minor);

	bf_out_le32(o, 0x20010000);
	bf_out_le32(o, BF_ADDR_SLOT0 + HEADER + 0x101);
	bf_out_bytes(o, name, (size_t)n + 1);
	while (o->len < start + BODY)
		bf_out_u8(o, (uint8_t)bf_rng_next(&rng));
}

static void put_protected(struct bf_out *o, uint32_t counter)
{
	uint8_t vid[16], cid[16], number[4];

	bf_uuid_dns(vid, "bms.example");
	bf_uuid_in(cid, vid, "BMS-16S-R3");
	bf_put_le32(number, counter);
	bf_out_le16(o, 0x6908);
	bf_out_le16(o, 4 + 2 * 20 + 8);
	put_tlv(o, 0x50, number, 4);
	put_tlv(o, 0x74, vid, 16);
	put_tlv(o, 0x75, cid, 16);
}

static void put_signature(struct bf_out *o, const uint8_t *p, size_t len, const uint8_t der[44])
{
	uint8_t digest[BF_SHA256_LEN], key[BF_SHA256_LEN], sig[BF_ED25519_SIG_LEN];

	bf_sha256(digest, p, len);
	bf_sha256(key, der, 44);
	bf_ed25519_sign(sig, digest, sizeof(digest), (const uint8_t *)SEED);
	bf_out_le16(o, 0x6907);
	bf_out_le16(o, 4 + 36 + 36 + 68);
	put_tlv(o, 0x10, digest, sizeof(digest));
	put_tlv(o, 0x01, key, sizeof(key));
	put_tlv(o, 0x24, sig, sizeof(sig));
}

static void make_image(struct small_bytes *b, uint8_t minor, uint32_t counter,
		       const uint8_t der[44])
{
	struct bf_out o = bf_out(b->p, sizeof(b->p));

	bf_out_le32(&o, 0x96F3B83D);
	bf_out_le32(&o, 0);
	bf_out_le16(&o, HEADER);
	bf_out_le16(&o, 4 + 2 * 20 + 8); /* protected TLVs */
	bf_out_le32(&o, BODY);
	bf_out_le32(&o, 0);
	bf_out_u8(&o, 1);
	bf_out_u8(&o, minor);
	while (o.len < HEADER)
		bf_out_u8(&o, 0);
	put_body(&o, minor);
	put_protected(&o, counter);
	put_signature(&o, b->p, o.len, der);
	b->len = o.len;
}

static bool put_file(const struct small *s, const char *name, const void *p, size_t len)
{
	char path[160];
	struct bf_err err;

	bf_err_init(&err);
	snprintf(path, sizeof(path), "%s/%s", s->folder, name);
	return bf_file_replace(path, p, len, &err) == BF_OK;
}

/* 44 bytes and one that becomes the padding. */
static bool put_key(const struct small *s, const uint8_t der[45])
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char text[61], pem[160];

	for (size_t i = 0; i < 60; i++) {
		const uint8_t *p = der + i / 4 * 3;
		uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];

		text[i] = digits[v >> (18 - 6 * (i % 4)) & 63];
	}
	text[59] = '=';
	text[60] = '\0';
	snprintf(pem, sizeof(pem), "-----BEGIN PUBLIC KEY-----\n%s\n-----END PUBLIC KEY-----\n",
		 text);
	return put_file(s, "mcuboot/release.pub.pem", pem, strlen(pem));
}

/* As the factory made it, but for the firmware; without a loader to read, which would take most of the time. */
bool small_put_pack(const struct small *s, const char *keys, const char *path)
{
	uint8_t blank[BF_FLASH_PAGE];
	BF_AUTO(bf_pack) *pack = NULL;
	struct bf_sim_opts opts;
	struct bf_err err;

	bf_err_init(&err);
	bf_sim_opts_default(&opts);
	if (bf_sim_opts_parse(keys, &opts, &err))
		return false;
	snprintf(opts.version, sizeof(opts.version), "none");
	snprintf(opts.state, sizeof(opts.state), "%s", path);
	if (bf_pack_new(&opts, &pack, &err))
		return false;
	memset(blank, 0xFF, sizeof(blank));
	/* What a ROM starts is the boot code; it reads the firmware's place alone. */
	for (uint32_t at = BF_ADDR_BOOT; at < BF_ADDR_SLOT0 && opts.protocol != BF_SIM_STM32;
	     at += BF_FLASH_PAGE)
		bf_flash_preload(&pack->flash, at, blank, sizeof(blank));
	bf_flash_preload(&pack->flash, BF_ADDR_SLOT0, s->images[SMALL_OLD].p,
			 s->images[SMALL_OLD].len);
	if (bf_pack_is_plain(pack))
		bf_flash_preload(&pack->flash, BF_ADDR_VALID, bf_valid_mark, sizeof(bf_valid_mark));
	return bf_pack_save(pack, &err) == BF_OK;
}

static bool make_folders(struct small *s)
{
	char path[80];

	*s = (struct small){ 0 };
	snprintf(s->folder, sizeof(s->folder), "%s/bf-small-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(s->folder))
		return false;
	snprintf(path, sizeof(path), "%s/mcuboot", s->folder);
	return mkdir(path, 0700) == 0;
}

bool small_make(struct small *s)
{
	uint8_t der[45] = { 0 };
	bool ok = make_folders(s);
	size_t n;

	memcpy(der, spki_frame, sizeof(spki_frame));
	bf_ed25519_public(der + sizeof(spki_frame), (const uint8_t *)SEED);
	n = (size_t)snprintf(s->trust, sizeof(s->trust), "trust=");
	bf_hex(s->trust + n, sizeof(s->trust) - n, der + sizeof(spki_frame), 32);
	for (size_t i = 0; i < SMALL_IMAGES && ok; i++) {
		make_image(&s->images[i], rows[i].minor, rows[i].counter, der);
		ok = !rows[i].file || put_file(s, rows[i].file, s->images[i].p, s->images[i].len);
	}
	ok = ok && put_key(s, der);
	if (!ok)
		fprintf(stderr, "small images: no room for files\n");
	return ok;
}

bool small_calib(const char *path, uint8_t ret[SMALL_CALIB])
{
	BF_AUTO(bf_pack) *pack = NULL;
	struct bf_sim_opts opts;
	struct bf_err err;

	bf_err_init(&err);
	bf_sim_opts_default(&opts);
	snprintf(opts.state, sizeof(opts.state), "%s", path);
	if (bf_pack_new(&opts, &pack, &err))
		return false;
	memcpy(ret, bf_pack_view(pack, BF_ADDR_CALIB, SMALL_CALIB), SMALL_CALIB);
	return true;
}

void small_remove(struct small *s)
{
	static const char *const files[] = { "mcuboot/app-1.5.0.signed.bin",
					     "mcuboot/app-1.6.0.signed.bin",
					     "mcuboot/release.pub.pem",
					     "pack",
					     "mcuboot",
					     "" };
	char path[160];

	for (size_t i = 0; i < BF_COUNT(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", s->folder, files[i]);
		(void)remove(path);
	}
}
