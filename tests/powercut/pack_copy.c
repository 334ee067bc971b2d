/* SPDX-License-Identifier: MIT */
/* The pack's and the engine's headers use some names for two things: this file knows the pack alone. */
#include "pack_copy.h"

#include <sys/uio.h>

#include "sim/pack_priv.h"

static bool copy(pid_t pid, const void *from, void *to, size_t len)
{
	const struct iovec local = { to, len };
	const struct iovec remote = { (void *)(uintptr_t)from, len };

	return process_vm_readv(pid, &local, 1, &remote, 1, 0) == (ssize_t)len;
}

bool pack_copy_save(pid_t pid, const void *address)
{
	struct bf_pack *p = malloc(sizeof(*p));
	BF_AUTO_MEM uint8_t *mem = malloc(BF_FLASH_SIZE);
	struct bf_err err;
	bool ok;

	if (!p || !mem)
		abort();
	bf_err_init(&err);
	ok = copy(pid, address, p, sizeof(*p)) && copy(pid, p->flash.mem, mem, BF_FLASH_SIZE);
	p->flash.mem = mem;
	ok = ok && !bf_pack_save(p, &err);
	free(p);
	return ok;
}
