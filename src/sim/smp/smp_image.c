/* SPDX-License-Identifier: MIT */
/* Group 1: the list of images, upload, marks for the next start. */
#include <stdio.h>
#include <string.h>

#include "bmsflash/crypto.h"
#include "sim/smp/smp_priv.h"

#define HEADER_MIN   32u
#define IMAGE_MAGIC  0x96F3B83Du
#define IMG_ERROR(n) SMP_GROUP_ERROR(SMP_GROUP_IMAGE, n)

/* Work on the flash, as a command ends. */
static int worked(struct bf_smp *s, enum bf_pack_work work, bf_time done, int error)
{
	if (work == BF_PACK_DIED)
		return SMP_SILENT;
	s->done = done;
	return work == BF_PACK_DONE ? SMP_DONE : error;
}

static unsigned slots(const struct bf_smp *s)
{
	return bf_pack_slot_count(s->pack);
}

/* ---- the list ---- */

enum { FLAG_PENDING = 1, FLAG_CONFIRMED = 2, FLAG_ACTIVE = 4, FLAG_PERMANENT = 8 };

static bool marks_nothing(const struct bf_smp *s)
{
	return s->opts->swap == BF_SIM_SWAP_XIP || s->opts->swap == BF_SIM_SWAP_RAM;
}

static void put_flag(struct bf_smp *s, const char *key, bool on)
{
	if (!on && !s->firmware)
		return;
	bf_cbor_text(&s->out, key);
	bf_cbor_bool(&s->out, on);
}

static void put_version(struct bf_smp *s, const struct bf_mimage *m)
{
	char text[32];
	char *plus = strchr(bf_mimage_version(m, text), '+');

	if (plus)
		*plus = '.';
	bf_cbor_text(&s->out, "version");
	bf_cbor_text(&s->out, text);
}

static void put_hash(struct bf_smp *s, const struct bf_mimage *m)
{
	bf_cbor_text(&s->out, "hash");
	bf_cbor_bytes(&s->out, m->digest, m->digest_len);
}

/* Flags of a slot as serial recovery has them: a pending image leaves none active. */
static unsigned recovery_flags(struct bf_smp *s, unsigned image, unsigned slot)
{
	bool first = slot == bf_pack_bank_active(s->pack, image);

	switch (bf_pack_bank_wanted(s->pack, image)) {
	case BF_SWAP_NONE:
		return first ? FLAG_CONFIRMED | FLAG_ACTIVE : 0;
	case BF_SWAP_TEST:
		return first ? FLAG_CONFIRMED : FLAG_PENDING;
	case BF_SWAP_PERM:
		return first ? FLAG_CONFIRMED : FLAG_PENDING | FLAG_PERMANENT;
	case BF_SWAP_REVERT:
		break;
	}
	return first ? FLAG_ACTIVE : FLAG_CONFIRMED;
}

static unsigned next_slot(struct bf_smp *s, unsigned image)
{
	if (marks_nothing(s))
		return bf_pack_bank_valid(s->pack, image, 1) &&
		       bf_mimage_compare(bf_pack_bank_image(s->pack, image, 1),
					 bf_pack_bank_image(s->pack, image, 0)) > 0;
	return bf_pack_bank_wanted(s->pack, image) != BF_SWAP_NONE;
}

static enum bf_swap_kind wanted(struct bf_smp *s, unsigned image)
{
	return marks_nothing(s) ? BF_SWAP_NONE : bf_pack_bank_wanted(s->pack, image);
}

static unsigned firmware_flags(struct bf_smp *s, unsigned image, unsigned slot)
{
	enum bf_swap_kind kind = wanted(s, image);
	unsigned active = bf_pack_bank_active(s->pack, image);

	if (slot == active)
		return FLAG_ACTIVE | (kind == BF_SWAP_REVERT ? 0 : FLAG_CONFIRMED);
	if (next_slot(s, image) == active)
		return 0;
	return kind == BF_SWAP_REVERT ? FLAG_CONFIRMED
	       : kind == BF_SWAP_TEST ? FLAG_PENDING
				      : FLAG_PENDING | FLAG_PERMANENT;
}

static void put_recovery_slot(struct bf_smp *s, unsigned image, unsigned slot)
{
	const struct bf_mimage *m = bf_pack_bank_image(s->pack, image, slot);
	unsigned flags = recovery_flags(s, image, slot);

	bf_cbor_map(&s->out);
	if (bf_pack_images(s->pack) > 1)
		bf_smp_put_int(s, "image", image);
	put_flag(s, "bootable", true);
	put_flag(s, "confirmed", flags & FLAG_CONFIRMED);
	put_flag(s, "active", flags & FLAG_ACTIVE);
	put_flag(s, "pending", flags & FLAG_PENDING);
	put_flag(s, "permanent", flags & FLAG_PERMANENT);
	bf_smp_put_int(s, "slot", slot);
	put_hash(s, m);
	put_version(s, m);
	bf_cbor_end(&s->out);
}

static void put_firmware_slot(struct bf_smp *s, unsigned image, unsigned slot)
{
	const struct bf_mimage *m = bf_pack_bank_image(s->pack, image, slot);
	unsigned flags = firmware_flags(s, image, slot);

	bf_cbor_map(&s->out);
	if (bf_pack_images(s->pack) > 1)
		bf_smp_put_int(s, "image", image);
	bf_smp_put_int(s, "slot", slot);
	put_version(s, m);
	put_hash(s, m);
	put_flag(s, "bootable", true);
	put_flag(s, "pending", flags & FLAG_PENDING);
	put_flag(s, "confirmed", flags & FLAG_CONFIRMED);
	put_flag(s, "active", flags & FLAG_ACTIVE);
	put_flag(s, "permanent", flags & FLAG_PERMANENT);
	bf_cbor_end(&s->out);
}

/* Serial recovery lists what it would start; the firmware whatever has a header and a digest. */
int bf_smp_state_read(struct bf_smp *s)
{
	bf_cbor_text(&s->out, "images");
	bf_cbor_array(&s->out);
	for (unsigned image = 0; image < bf_pack_images(s->pack); image++) {
		for (unsigned slot = 0; slot < slots(s); slot++) {
			const struct bf_mimage *m = bf_pack_bank_image(s->pack, image, slot);

			if (!m->present)
				continue;
			if (s->firmware) {
				put_firmware_slot(s, image, slot);
				continue;
			}
			s->done += bf_pack_bank_check_us(s->pack, image, slot);
			if (bf_pack_bank_valid(s->pack, image, slot))
				put_recovery_slot(s, image, slot);
		}
	}
	bf_cbor_end(&s->out);
	if (s->firmware)
		bf_smp_put_int(s, "splitStatus", 0);
	return SMP_DONE;
}

int bf_smp_slot_info(struct bf_smp *s)
{
	bool direct = !s->firmware && s->opts->smp & BF_SMP_DIRECT;

	bf_cbor_text(&s->out, "images");
	bf_cbor_array(&s->out);
	for (unsigned image = 0; image < bf_pack_images(s->pack); image++) {
		bf_cbor_map(&s->out);
		bf_smp_put_int(s, "image", image);
		bf_cbor_text(&s->out, "slots");
		bf_cbor_array(&s->out);
		for (unsigned slot = 0; slot < slots(s); slot++) {
			bf_cbor_map(&s->out);
			bf_smp_put_int(s, "slot", slot);
			bf_smp_put_int(s, "size", bf_pack_bank_size(s->pack, image));
			/* Without direct upload this names the second slot, and data go to the first. */
			if (direct)
				bf_smp_put_int(s, "upload_image_id", 2 * image + slot + 1);
			else if (slot == slots(s) - 1)
				bf_smp_put_int(s, "upload_image_id", image);
			bf_cbor_end(&s->out);
		}
		bf_cbor_end(&s->out);
		bf_smp_put_int(s, "max_image_size", bf_pack_bank_max(s->pack, image));
		bf_cbor_end(&s->out);
	}
	bf_cbor_end(&s->out);
	return SMP_DONE;
}

/* Refuses, and then answers all the same. */
int bf_smp_slot_info_written(struct bf_smp *s)
{
	bf_smp_answer_twice(s, SMP_ENOTSUP);
	return bf_smp_slot_info(s);
}

/* ---- marks ---- */

static bool find_hash(struct bf_smp *s, const struct bf_cbor_value *hash, unsigned *ret_image,
		      unsigned *ret_slot)
{
	for (unsigned image = 0; image < bf_pack_images(s->pack); image++) {
		for (unsigned slot = 0; slot < slots(s); slot++) {
			const struct bf_mimage *m = bf_pack_bank_image(s->pack, image, slot);

			if (!m->present || m->digest_len != hash->len ||
			    memcmp(m->digest, hash->p, hash->len) != 0)
				continue;
			if (!s->firmware && !bf_pack_bank_valid(s->pack, image, slot))
				continue;
			*ret_image = image;
			*ret_slot = slot;
			return true;
		}
	}
	return false;
}

static bool is_hash_length(size_t len)
{
	return len == BF_SHA256_LEN || len == BF_SHA512_LEN;
}

static int mark(struct bf_smp *s, unsigned image, bool permanent, int error)
{
	bf_time done = s->done;
	enum bf_pack_work work = bf_pack_bank_mark(s->pack, image, permanent, s->now, &done);

	return worked(s, work, done, error);
}

/* Whatever the hash names, it is the second slot of that image which is marked, whatever it holds. */
static int recovery_mark(struct bf_smp *s, const struct bf_cbor_value *hash, bool confirm)
{
	unsigned image = 0, slot = 0;

	if (marks_nothing(s) || slots(s) < 2)
		return SMP_ENOTSUP;
	if ((hash->len && !is_hash_length(hash->len)) ||
	    (!hash->len && bf_pack_images(s->pack) > 1))
		return SMP_EINVAL;
	if (hash->len && !find_hash(s, hash, &image, &slot))
		return SMP_ENOENT;
	return mark(s, image, confirm, SMP_EUNKNOWN);
}

static int firmware_mark(struct bf_smp *s, unsigned image, unsigned slot, bool confirm)
{
	unsigned active = bf_pack_bank_active(s->pack, image), next = next_slot(s, image);
	bf_time done = s->done;

	if (!confirm && slot == active)
		return IMG_ERROR(SMP_IMG_TEST_OF_ACTIVE);
	switch (wanted(s, image)) {
	case BF_SWAP_TEST:
		return !confirm && slot == next ? SMP_DONE : IMG_ERROR(SMP_IMG_PENDING);
	case BF_SWAP_NONE:
	case BF_SWAP_PERM:
		if (confirm && slot == next)
			return SMP_DONE;
		if (slot == active ? active != next : !confirm && slot == next)
			return IMG_ERROR(SMP_IMG_PENDING);
		break;
	case BF_SWAP_REVERT:
		if (confirm && slot == next)
			return SMP_DONE;
		if (!confirm)
			return IMG_ERROR(SMP_IMG_PENDING);
		break;
	}
	if (slot == active)
		return worked(s, bf_pack_bank_confirm(s->pack, image, s->now, &done), done,
			      IMG_ERROR(SMP_IMG_FLASH_WRITE));
	return mark(s, image, confirm, IMG_ERROR(SMP_IMG_FLASH_WRITE));
}

static int firmware_state(struct bf_smp *s, const struct bf_cbor_value *hash, bool confirm)
{
	unsigned image = 0, slot = bf_pack_bank_active(s->pack, 0);

	if (marks_nothing(s) || slots(s) < 2)
		return SMP_ENOTSUP;
	if (!hash->len && !confirm)
		return IMG_ERROR(SMP_IMG_INVALID_HASH);
	if (hash->len && !is_hash_length(hash->len))
		return IMG_ERROR(SMP_IMG_INVALID_HASH);
	if (hash->len && !find_hash(s, hash, &image, &slot))
		return IMG_ERROR(SMP_IMG_HASH_NOT_FOUND);
	return firmware_mark(s, image, slot, confirm);
}

int bf_smp_state_write(struct bf_smp *s)
{
	struct bf_cbor_value hash, confirm;
	int rc;

	if (!bf_smp_member(s, "hash", &hash) || !bf_smp_member(s, "confirm", &confirm) ||
	    (hash.kind != BF_CBOR_NONE && hash.kind != BF_CBOR_BYTES) ||
	    (confirm.kind != BF_CBOR_NONE && confirm.kind != BF_CBOR_BOOL))
		return SMP_EINVAL;
	rc = s->firmware ? firmware_state(s, &hash, confirm.n) : recovery_mark(s, &hash, confirm.n);
	return rc == SMP_DONE ? bf_smp_state_read(s) : rc;
}

/* ---- upload ---- */

struct chunk {
	uint32_t off, len;
	bool has_len;
	uint64_t size, image;
	const uint8_t *p;
	const uint8_t *sha;
	size_t sha_len;
	bool upgrade;
};

static bool read_chunk(const struct bf_smp *s, struct chunk *c)
{
	struct bf_cbor_value off, data, len, image, sha, upgrade;

	if (!bf_smp_member(s, "off", &off) || !bf_smp_member(s, "data", &data) ||
	    !bf_smp_member(s, "len", &len) || !bf_smp_member(s, "image", &image) ||
	    !bf_smp_member(s, "sha", &sha) || !bf_smp_member(s, "upgrade", &upgrade))
		return false;
	if (off.kind != BF_CBOR_UINT || data.kind != BF_CBOR_BYTES || off.n > UINT32_MAX ||
	    (len.kind != BF_CBOR_NONE && len.kind != BF_CBOR_UINT))
		return false;
	*c = (struct chunk){ .off = (uint32_t)off.n,
			     .len = (uint32_t)data.len,
			     .has_len = len.kind == BF_CBOR_UINT,
			     .size = len.n,
			     .image = image.kind == BF_CBOR_UINT ? image.n : 0,
			     .p = data.p,
			     .sha = sha.kind == BF_CBOR_BYTES ? sha.p : NULL,
			     .sha_len = sha.kind == BF_CBOR_BYTES ? sha.len : 0,
			     .upgrade = upgrade.kind == BF_CBOR_BOOL && upgrade.n };
	return true;
}

static uint32_t slot_addr(const struct bf_smp *s)
{
	return bf_pack_bank_addr(s->pack, s->upload.image, s->upload.slot);
}

static int erase(struct bf_smp *s, uint32_t from, uint32_t to, int error)
{
	bf_time done = s->done;
	enum bf_pack_work work;

	if (from >= to)
		return SMP_DONE;
	work = bf_pack_erase(s->pack, slot_addr(s) + from, to - from, s->now, &done);
	return worked(s, work, done, error);
}

static int write(struct bf_smp *s, uint32_t off, const uint8_t *p, uint32_t len, int error)
{
	bf_time done = s->done;
	enum bf_pack_work work;

	if (!len)
		return SMP_DONE;
	work = bf_pack_write(s->pack, slot_addr(s) + off, p, len, s->now, &done);
	return worked(s, work, done, error);
}

static uint32_t pages(uint32_t bytes)
{
	return (bytes + BF_FLASH_PAGE - 1) / BF_FLASH_PAGE * BF_FLASH_PAGE;
}

static bool erases_ahead(const struct bf_smp *s)
{
	return s->opts->eraser == BF_SIM_ERASE_AHEAD;
}

static int erase_up_to(struct bf_smp *s, uint32_t end, int error)
{
	struct bf_smp_upload *u = &s->upload;
	uint32_t from = u->erased;

	if (!erases_ahead(s) || pages(end) <= from)
		return SMP_DONE;
	u->erased = pages(end);
	return erase(s, from, u->erased, error);
}

/* The trailer's last page: what was marked before is not any more, nor what came with a padded image. */
static int wipe_trailer(struct bf_smp *s, int error)
{
	uint32_t size = bf_pack_bank_size(s->pack, s->upload.image);

	return erase(s, size - BF_FLASH_PAGE, size, error);
}

/* Which slot an image number means to serial recovery. */
static int recovery_target(struct bf_smp *s, uint64_t number)
{
	bool direct = s->opts->smp & BF_SMP_DIRECT;
	uint64_t index = direct && number ? number - 1 : direct ? 0 : 2 * number;

	if (!direct && number > bf_pack_images(s->pack))
		return SMP_ENOENT;
	if (index >= 2u * bf_pack_images(s->pack) || index % 2 >= slots(s))
		return SMP_EINVAL;
	s->upload.image = (unsigned)(index / 2);
	s->upload.slot = (unsigned)(index % 2);
	return SMP_DONE;
}

static int recovery_begin(struct bf_smp *s, const struct chunk *c)
{
	struct bf_smp_upload *u = &s->upload;
	int rc;

	*u = (struct bf_smp_upload){ .active = true };
	rc = recovery_target(s, c->image);
	if (rc != SMP_DONE)
		return rc;
	if (!c->has_len || c->size > bf_pack_bank_size(s->pack, u->image) || c->len > c->size)
		return SMP_EINVAL;
	u->size = (uint32_t)c->size;
	if (erases_ahead(s))
		return SMP_DONE;
	return erase(s, 0, bf_pack_bank_size(s->pack, u->image), SMP_EINVAL);
}

/* What does not fill a double word is dropped, and asked for again, unless it is the end. */
static int recovery_write(struct bf_smp *s, const struct chunk *c)
{
	struct bf_smp_upload *u = &s->upload;
	bool last = u->off + c->len == u->size;
	uint32_t len = last ? c->len : c->len - c->len % BF_FLASH_WORD;
	int rc = erase_up_to(s, u->off + c->len, SMP_EINVAL);

	if (rc == SMP_DONE)
		rc = write(s, u->off, c->p, len, SMP_EINVAL);
	if (rc != SMP_DONE)
		return rc;
	u->off += len;
	return last && erases_ahead(s) ? wipe_trailer(s, SMP_EUNKNOWN) : SMP_DONE;
}

static int recovery_chunk(struct bf_smp *s, const struct chunk *c)
{
	struct bf_smp_upload *u = &s->upload;
	int rc = SMP_DONE;

	if (!c->off)
		rc = recovery_begin(s, c);
	else if (c->off == u->off && (uint64_t)u->off + c->len > u->size)
		rc = SMP_EINVAL;
	if (rc == SMP_DONE && c->off == u->off)
		rc = recovery_write(s, c);
	if (rc != SMP_DONE)
		return rc;
	bf_smp_put_int(s, "rc", 0);
	bf_smp_put_int(s, "off", u->off);
	return SMP_DONE;
}

/* ---- upload to the firmware ---- */

static bool in_use(struct bf_smp *s, unsigned image, unsigned slot)
{
	unsigned active = bf_pack_bank_active(s->pack, image);

	return slot == active || (!marks_nothing(s) && next_slot(s, image) != active);
}

static bool is_newer(struct bf_smp *s, const struct chunk *c)
{
	struct bf_mimage comes = { .major = c->p[20],
				   .minor = c->p[21],
				   .revision = bf_get_le16(c->p + 22) };

	return bf_mimage_compare(&comes, bf_pack_running(s->pack)) > 0;
}

static int firmware_inspect(struct bf_smp *s, const struct chunk *c)
{
	unsigned image = (unsigned)c->image, other;

	if (c->len < HEADER_MIN)
		return IMG_ERROR(SMP_IMG_INVALID_HEADER);
	if (!c->has_len)
		return IMG_ERROR(SMP_IMG_INVALID_LENGTH);
	if (bf_get_le32(c->p) != IMAGE_MAGIC)
		return IMG_ERROR(SMP_IMG_INVALID_MAGIC);
	if (c->sha_len > sizeof(s->upload.sha))
		return IMG_ERROR(SMP_IMG_INVALID_HASH);
	if (c->image >= bf_pack_images(s->pack) || slots(s) < 2)
		return IMG_ERROR(SMP_IMG_NO_FREE_SLOT);
	other = !bf_pack_bank_active(s->pack, image);
	if (in_use(s, image, other))
		return IMG_ERROR(SMP_IMG_NO_FREE_SLOT);
	if (c->size > bf_pack_bank_size(s->pack, image) || c->len > c->size)
		return IMG_ERROR(SMP_IMG_TOO_LARGE);
	if (c->upgrade && !image && !is_newer(s, c))
		return IMG_ERROR(SMP_IMG_NOT_NEWER);
	s->upload = (struct bf_smp_upload){
		.active = true, .image = image, .slot = other, .size = (uint32_t)c->size
	};
	s->upload.sha_len = c->sha_len;
	if (c->sha_len)
		memcpy(s->upload.sha, c->sha, c->sha_len);
	return SMP_DONE;
}

static bool contents_match(struct bf_smp *s)
{
	const struct bf_smp_upload *u = &s->upload;
	uint8_t hash[BF_SHA256_LEN];

	bf_sha256(hash, bf_pack_view(s->pack, slot_addr(s), u->size), u->size);
	s->done += (bf_time)u->size * BF_PACK_HASH_NS / 1000;
	return memcmp(hash, u->sha, sizeof(hash)) == 0;
}

/* No more than the image takes, and the trailer. */
static int firmware_erase(struct bf_smp *s)
{
	const struct bf_smp_upload *u = &s->upload;
	uint32_t size = bf_pack_bank_size(s->pack, u->image);
	uint32_t end = pages(u->size);
	int rc;

	if (erases_ahead(s))
		return SMP_DONE;
	rc = erase(s, 0, end, IMG_ERROR(SMP_IMG_FLASH_ERASE));
	return rc == SMP_DONE && end < size ? wipe_trailer(s, IMG_ERROR(SMP_IMG_FLASH_ERASE)) : rc;
}

/* Takes any number of bytes: what fills no double word waits for the next. */
static int firmware_write(struct bf_smp *s, const struct chunk *c)
{
	struct bf_smp_upload *u = &s->upload;
	bool last = u->off + c->len == u->size;
	uint8_t buf[BF_SMP_BUFFER + BF_FLASH_WORD];
	size_t have = u->carried + c->len;
	size_t now = last ? have : have - have % BF_FLASH_WORD;
	int rc = erase_up_to(s, u->off + c->len, IMG_ERROR(SMP_IMG_FLASH_ERASE));

	memcpy(buf, u->carry, u->carried);
	memcpy(buf + u->carried, c->p, c->len);
	if (rc == SMP_DONE)
		rc = write(s, u->off - (uint32_t)u->carried, buf, (uint32_t)now,
			   IMG_ERROR(SMP_IMG_FLASH_WRITE));
	if (rc != SMP_DONE)
		return rc;
	u->carried = have - now;
	memcpy(u->carry, buf + now, u->carried);
	u->off += c->len;
	return last && erases_ahead(s) ? wipe_trailer(s, IMG_ERROR(SMP_IMG_FLASH_ERASE)) : SMP_DONE;
}

static int put_offset(struct bf_smp *s)
{
	bf_smp_put_int(s, "off", s->upload.off);
	return SMP_DONE;
}

static void put_match(struct bf_smp *s, bool match)
{
	put_offset(s);
	bf_cbor_text(&s->out, "match");
	bf_cbor_bool(&s->out, match);
	s->upload = (struct bf_smp_upload){ 0 };
}

/* The same file as the one that is under way goes on where it was. */
static bool goes_on(const struct bf_smp *s, const struct chunk *c)
{
	const struct bf_smp_upload *u = &s->upload;

	return u->active && u->off && c->sha_len && c->sha_len == u->sha_len &&
	       memcmp(c->sha, u->sha, c->sha_len) == 0 && !(s->opts->smp & BF_SMP_NOSHA);
}

static int firmware_chunk(struct bf_smp *s, const struct chunk *c)
{
	struct bf_smp_upload *u = &s->upload;
	int rc = SMP_DONE;

	if (c->off != u->off ? c->off != 0 : false)
		return put_offset(s);
	if (!c->off && goes_on(s, c))
		return put_offset(s);
	if (!c->off)
		rc = firmware_inspect(s, c);
	else if ((uint64_t)u->off + c->len > u->size)
		rc = IMG_ERROR(SMP_IMG_OVERRUN);
	if (rc == SMP_DONE && !c->off && c->sha_len == BF_SHA256_LEN && contents_match(s)) {
		u->off = u->size;
		put_match(s, true);
		return SMP_DONE;
	}
	if (rc == SMP_DONE && !c->off)
		rc = firmware_erase(s);
	if (rc == SMP_DONE)
		rc = firmware_write(s, c);
	if (rc != SMP_DONE) {
		*u = (struct bf_smp_upload){ 0 };
		return rc;
	}
	if (u->off < u->size)
		return put_offset(s);
	put_match(s, contents_match(s));
	return SMP_DONE;
}

int bf_smp_upload_chunk(struct bf_smp *s)
{
	struct chunk c;

	if (!read_chunk(s, &c))
		return SMP_EINVAL;
	return s->firmware ? firmware_chunk(s, &c) : recovery_chunk(s, &c);
}

int bf_smp_erase(struct bf_smp *s)
{
	struct bf_cbor_value slot = { 0 };
	unsigned number;
	int rc;

	if (s->body_len && !bf_smp_member(s, "slot", &slot))
		return SMP_EINVAL;
	number = slot.kind == BF_CBOR_UINT ? (unsigned)slot.n : !bf_pack_bank_active(s->pack, 0);
	if (slot.n >= 2u * bf_pack_images(s->pack))
		return IMG_ERROR(SMP_IMG_INVALID_SLOT);
	if (in_use(s, number / 2, number % 2))
		return IMG_ERROR(SMP_IMG_NO_FREE_SLOT);
	s->upload = (struct bf_smp_upload){ .image = number / 2, .slot = number % 2 };
	rc = erase(s, 0, bf_pack_bank_size(s->pack, number / 2), IMG_ERROR(SMP_IMG_FLASH_ERASE));
	s->upload = (struct bf_smp_upload){ 0 };
	return rc;
}
