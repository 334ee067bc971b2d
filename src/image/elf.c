/* SPDX-License-Identifier: MIT */
/*
 * ELF executables, by libelf: what the program headers load from the file, at its physical address,
 * which is where it lies in flash. Linkers like to begin the first segment with the ELF header itself
 * to save a page; that part is no firmware and must not be written below it, so it is cut off in front
 * of the first section.
 */
#include <gelf.h>
#include <libelf.h>

#include "image/image_priv.h"

struct elf {
	Elf *elf;
	const char *path;
	const uint8_t *p;
	size_t len;
	uint64_t headers_end; /* file offset behind ELF header and program headers */
	struct bf_runs *runs;
	struct bf_err *err;
};

/* File offset of the first section with contents in [from, to), `to` when there is none. */
static uint64_t first_section(Elf *elf, uint64_t from, uint64_t to)
{
	Elf_Scn *section = NULL;
	uint64_t first = to;
	GElf_Shdr sh;

	while ((section = elf_nextscn(elf, section)))
		if (gelf_getshdr(section, &sh) && sh.sh_type != SHT_NOBITS &&
		    (sh.sh_flags & SHF_ALLOC) && sh.sh_size && sh.sh_offset >= from &&
		    sh.sh_offset < first)
			first = sh.sh_offset;
	return first;
}

static enum bf_rc take_load(struct elf *x, const GElf_Phdr *ph, size_t i)
{
	uint64_t from = ph->p_offset, end, addr;
	struct bf_segment seg = { 0 };

	if (from > x->len || ph->p_filesz > x->len - from)
		return bf_fail(x->err, BF_E_IMAGE,
			       "'%s' is cut short: program header %zu has %llu bytes at offset "
			       "0x%llx, but the file has %zu",
			       x->path, i, (unsigned long long)ph->p_filesz,
			       (unsigned long long)from, x->len);
	end = from + ph->p_filesz;
	if (from < x->headers_end)
		from = first_section(x->elf, from, end);
	if (from < x->headers_end)
		return bf_fail(x->err, BF_E_IMAGE,
			       "'%s': a section at offset 0x%llx lies inside the ELF headers",
			       x->path, (unsigned long long)from);
	addr = ph->p_paddr + (from - ph->p_offset);
	if (ph->p_paddr > UINT32_MAX || addr + (end - from) > (uint64_t)UINT32_MAX + 1)
		return bf_fail(x->err, BF_E_IMAGE,
			       "'%s': program header %zu loads to 0x%llx, past the 32-bit address "
			       "space",
			       x->path, i, (unsigned long long)addr);
	seg.addr = (uint32_t)addr;
	seg.data = x->p + from;
	seg.len = (size_t)(end - from);
	bf_runs_add(x->runs, &seg, 0);
	return BF_OK;
}

static enum bf_rc refuse_type(const struct elf *x, unsigned type)
{
	bf_fail(x->err, BF_E_IMAGE,
		"'%s' is an ELF file of type %u, not a linked firmware (type 2, executable)",
		x->path, type);
	bf_next(x->err, "give the file that the linker made, not an object or a library");
	return x->err->rc;
}

/* Checks the header; *ret_n is the number of program headers. */
static enum bf_rc open_headers(struct elf *x, size_t *ret_n)
{
	GElf_Ehdr eh;
	size_t n;

	if (elf_kind(x->elf) != ELF_K_ELF || !gelf_getehdr(x->elf, &eh))
		return bf_fail(x->err, BF_E_IMAGE, "'%s': its ELF header is damaged: %s", x->path,
			       elf_errmsg(-1));
	if (eh.e_type != ET_EXEC)
		return refuse_type(x, eh.e_type);
	if (elf_getphdrnum(x->elf, &n) < 0)
		return bf_fail(x->err, BF_E_IMAGE, "'%s': its program headers are damaged: %s",
			       x->path, elf_errmsg(-1));
	if (eh.e_phoff > x->len)
		return bf_fail(x->err, BF_E_IMAGE,
			       "'%s' is cut short: program headers at offset 0x%llx, but the file "
			       "has %zu bytes",
			       x->path, (unsigned long long)eh.e_phoff, x->len);
	x->headers_end = eh.e_ehsize;
	if (n && eh.e_phoff + (uint64_t)n * eh.e_phentsize > x->headers_end)
		x->headers_end = eh.e_phoff + (uint64_t)n * eh.e_phentsize;
	*ret_n = n;
	return BF_OK;
}

static enum bf_rc walk(struct elf *x)
{
	GElf_Phdr ph;
	size_t n;

	if (open_headers(x, &n))
		return x->err->rc;
	for (size_t i = 0; i < n; i++) {
		if (!gelf_getphdr(x->elf, (int)i, &ph))
			return bf_fail(x->err, BF_E_IMAGE,
				       "'%s': program header %zu is damaged: %s", x->path, i,
				       elf_errmsg(-1));
		if (ph.p_type == PT_LOAD && ph.p_filesz && take_load(x, &ph, i))
			return x->err->rc;
	}
	return BF_OK;
}

enum bf_rc bf_elf_parse(struct bf_claim *claim, struct bf_runs *runs, struct bf_err *err)
{
	struct elf x = {
		.path = claim->path, .p = claim->file, .len = claim->len, .runs = runs, .err = err
	};
	enum bf_rc rc;

	if (elf_version(EV_CURRENT) == EV_NONE)
		return bf_fail(err, BF_E_INTERNAL, "libelf is of another version: %s",
			       elf_errmsg(-1));
	/* Read only: libelf copies what it has to turn round. */
	x.elf = elf_memory((char *)claim->file, claim->len);
	if (!x.elf)
		return bf_fail(err, BF_E_IMAGE, "'%s': not a readable ELF file: %s", claim->path,
			       elf_errmsg(-1));
	rc = walk(&x);
	elf_end(x.elf);
	return rc;
}
