/* SPDX-License-Identifier: MIT */
/*
 * The state file: 8 bytes "BMSPACK1", u32 counter, 10 bytes fingerprint, u8 locked out; then for every
 * page that is not erased u16 number and its bytes; then u16 FFFF and u32 CRC-32 of all before. LE.
 */
#include "pack_priv.h"

#include <string.h>

#include "bmsflash/bytes.h"
#include "bmsflash/crc.h"
#include "bmsflash/file.h"

#define MAGIC     "BMSPACK1"
#define PAGES     (BF_FLASH_SIZE / BF_FLASH_PAGE)
#define LAST      0xFFFFu
#define STATE_MAX (BF_FLASH_SIZE + 2u * PAGES + 64u)

enum bf_rc bf_pack_save(const struct bf_pack *pack, struct bf_err *err)
{
	BF_AUTO_MEM uint8_t *buf = NULL;
	struct bf_out o;

	if (!*pack->opts.state)
		return BF_OK;
	buf = malloc(STATE_MAX);
	if (!buf)
		abort();
	o = bf_out(buf, STATE_MAX);
	bf_out_bytes(&o, MAGIC, 8);
	bf_out_le32(&o, pack->kept.counter);
	bf_out_bytes(&o, pack->kept.fingerprint, sizeof(pack->kept.fingerprint));
	bf_out_u8(&o, pack->kept.locked_out);
	for (uint16_t i = 0; i < PAGES; i++) {
		uint32_t addr = BF_FLASH_BASE + i * BF_FLASH_PAGE;

		if (bf_flash_blank(&pack->flash, addr, BF_FLASH_PAGE))
			continue;
		bf_out_le16(&o, i);
		bf_out_bytes(&o, bf_flash_at(&pack->flash, addr), BF_FLASH_PAGE);
	}
	bf_out_le16(&o, LAST);
	bf_out_le32(&o, bf_crc(&bf_crc32_ieee, buf, o.len));
	if (bf_file_replace(pack->opts.state, buf, o.len, err))
		return bf_while(err, "saving the virtual pack");
	return BF_OK;
}

static bool read_state(struct bf_pack *p, const uint8_t *buf, size_t len)
{
	struct bf_cur c = bf_cur(buf, len);
	const uint8_t *magic = bf_cur_bytes(&c, 8);
	const uint8_t *fingerprint;
	uint16_t page;

	if (len < 8 || !magic || memcmp(magic, MAGIC, 8) != 0 ||
	    bf_get_le32(buf + len - 4) != bf_crc(&bf_crc32_ieee, buf, len - 4))
		return false;
	p->kept.counter = bf_cur_le32(&c);
	fingerprint = bf_cur_bytes(&c, sizeof(p->kept.fingerprint));
	if (fingerprint)
		memcpy(p->kept.fingerprint, fingerprint, sizeof(p->kept.fingerprint));
	p->kept.locked_out = bf_cur_u8(&c);
	while ((page = bf_cur_le16(&c)) != LAST) {
		const uint8_t *data = bf_cur_bytes(&c, BF_FLASH_PAGE);

		if (!data || page >= PAGES)
			return false;
		bf_flash_preload(&p->flash, BF_FLASH_BASE + page * BF_FLASH_PAGE, data,
				 BF_FLASH_PAGE);
	}
	return !c.failed;
}

enum bf_rc bf_pack_load(struct bf_pack *pack, struct bf_err *err)
{
	BF_AUTO_MEM uint8_t *buf = NULL;
	size_t len;
	enum bf_rc rc = bf_file_read(pack->opts.state, STATE_MAX, &buf, &len, err);

	if (rc)
		return bf_while(err, "loading the virtual pack");
	if (read_state(pack, buf, len))
		return BF_OK;
	bf_fail(err, BF_E_USAGE, "'%s' is not the state of a virtual pack", pack->opts.state);
	bf_next(err, "name another file, or remove this one to begin with a new pack");
	return BF_E_USAGE;
}
