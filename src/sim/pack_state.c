/* SPDX-License-Identifier: MIT */
/*
 * The state file: 8 bytes "BMSPACK1", u32 counter, 10 bytes fingerprint, u8 flags (1: locked out, 4: an update
 * was not ended, 2: the loader was touched, and the u32 CRC-32 that it had before follows); then for every page that is not erased u16 number
 * and its bytes; then u16 FFFF and u32 CRC-32 of all before. LE.
 */
#include "sim/pack_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bmsflash/bytes.h"
#include "bmsflash/crc.h"
#include "bmsflash/file.h"

#define MAGIC     "BMSPACK1"
#define PAGES     (BF_FLASH_SIZE / BF_FLASH_PAGE)
#define LAST      0xFFFFu
#define LOCK_NAME 520
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
	bf_out_u8(&o, (uint8_t)(pack->kept.locked_out | pack->kept.loader_touched << 1 |
				pack->kept.torn << 2));
	if (pack->kept.loader_touched)
		bf_out_le32(&o, pack->kept.loader_crc);
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
	uint8_t flags;

	if (len < 8 || !magic || memcmp(magic, MAGIC, 8) != 0 ||
	    bf_get_le32(buf + len - 4) != bf_crc(&bf_crc32_ieee, buf, len - 4))
		return false;
	p->kept.counter = bf_cur_le32(&c);
	fingerprint = bf_cur_bytes(&c, sizeof(p->kept.fingerprint));
	if (fingerprint)
		memcpy(p->kept.fingerprint, fingerprint, sizeof(p->kept.fingerprint));
	flags = bf_cur_u8(&c);
	p->kept.locked_out = flags & 1;
	p->kept.loader_touched = flags & 2;
	p->kept.torn = flags & 4;
	if (p->kept.loader_touched)
		p->kept.loader_crc = bf_cur_le32(&c);
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
	bf_do(err, "name another file, or remove this one to begin with a new pack");
	return BF_E_USAGE;
}

/* ---- one at a time ---- */

static void lock_name(const struct bf_pack *pack, char dst[LOCK_NAME])
{
	snprintf(dst, LOCK_NAME, "%s.lock", pack->opts.state);
}

static enum bf_rc held_by_other(const struct bf_pack *pack, int fd, struct bf_err *err)
{
	char holder[64] = "another process";
	ssize_t n = pread(fd, holder, sizeof(holder) - 1, 0);

	if (n > 0)
		holder[n] = '\0';
	bf_fail(err, BF_E_BUSY, "the virtual pack in '%s' is in use by %s", pack->opts.state,
		holder);
	bf_likely(err, "another run with the same state=FILE has not ended yet");
	bf_do(err, "wait until it has ended, or name another file: state=FILE");
	return BF_E_BUSY;
}

/* Whoever had the lock before has removed the file with it: then this is the lock of nothing. */
static bool is_in_place(int fd, const char *name)
{
	struct stat mine, now;

	return fstat(fd, &mine) == 0 && stat(name, &now) == 0 && mine.st_ino == now.st_ino &&
	       mine.st_dev == now.st_dev;
}

enum bf_rc bf_pack_lock(struct bf_pack *pack, struct bf_err *err)
{
	char name[LOCK_NAME], holder[64];
	int n;

	if (!*pack->opts.state)
		return BF_OK;
	lock_name(pack, name);
	for (;;) {
		BF_AUTO_FD int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

		if (fd < 0) /* where this cannot be written, the state cannot either */
			return BF_OK;
		if (flock(fd, LOCK_EX | LOCK_NB) < 0)
			return errno == EWOULDBLOCK ? held_by_other(pack, fd, err) : BF_OK;
		if (!is_in_place(fd, name))
			continue;
		pack->lock_fd = fd;
		fd = -1;
		break;
	}
	n = snprintf(holder, sizeof(holder), "process %ld", (long)getpid());
	if (pwrite(pack->lock_fd, holder, (size_t)n, 0) < 0)
		return BF_OK; /* only for people; the lock is held without it */
	return BF_OK;
}

void bf_pack_unlock(struct bf_pack *pack)
{
	char name[LOCK_NAME];

	if (pack->lock_fd < 0)
		return;
	lock_name(pack, name);
	unlink(name);
	close(pack->lock_fd);
	pack->lock_fd = -1;
}
