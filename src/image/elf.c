/* SPDX-License-Identifier: MIT */
/*
 * ELF executables, by libelf: what the program headers load from the file, at its physical address,
 * which is where it lies in flash. Linkers like to begin the first segment with the ELF header itself
 * to save a page; that part is no firmware and must not be written below it, so it is cut off in front
 * of the first section. Nothing else of a segment is left out: where the section table does not say what
 * may be, the file is refused.
 */
#include <gelf.h>
#include <libelf.h>

#include "bmsflash/bytes.h"
#include "bmsflash/shell.h"

#include "image/image_priv.h"

struct elf {
	Elf *elf;
	const char *path;
	const uint8_t *p;
	size_t len;
	uint64_t headers_end; /* file offset behind ELF header and program headers */
	uint64_t *
		sections; /* sorted file offsets of those with contents that are loaded; NULL: not looked at yet */
	size_t n_sections;
	struct bf_runs *runs;
	struct bf_err *err;
};

static int by_number(const void *va, const void *vb)
{
	const uint64_t *a = va, *b = vb;

	return (*a > *b) - (*a < *b);
}

/* Each section is looked at once, however many segments begin with the headers. */
static enum bf_rc list_sections(struct elf *x)
{
	Elf_Scn *section = NULL;
	GElf_Shdr sh;
	size_t n;

	if (elf_getshdrnum(x->elf, &n) < 0)
		n = 0;
	x->sections = calloc(n + 1, sizeof(*x->sections));
	if (!x->sections)
		return bf_fail(x->err, BF_E_IMAGE, "not enough memory for the %zu sections of '%s'",
			       n, x->path);
	while (x->n_sections < n && (section = elf_nextscn(x->elf, section)))
		if (gelf_getshdr(section, &sh) && sh.sh_type != SHT_NOBITS &&
		    (sh.sh_flags & SHF_ALLOC) && sh.sh_size)
			x->sections[x->n_sections++] = sh.sh_offset;
	qsort(x->sections, x->n_sections, sizeof(*x->sections), by_number);
	return BF_OK;
}

/* The first of the sorted offsets that is not below `from`; n where there is none. */
static size_t first_at(const uint64_t *v, size_t n, uint64_t from)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (v[mid] < from)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static enum bf_rc refuse_no_sections(struct elf *x, size_t i)
{
	bf_fail(x->err, BF_E_IMAGE,
		"'%s': program header %zu begins with the ELF headers, and no section table says "
		"where the "
		"firmware behind them begins",
		x->path, i);
	bf_likely(x->err,
		  "it was stripped of its section table (sstrip, strip --strip-section-headers)");
	bf_next_argv(x->err, "shows what it holds; take the file that the linker made",
		     (const char *const[]){ "readelf", "-lS", x->path, NULL });
	return x->err->rc;
}

/* A segment that begins with the headers: *from moves to the first section in it. What lies between is padding, and
 * must look like it. */
static enum bf_rc cut_headers(struct elf *x, size_t i, uint64_t *from, uint64_t end)
{
	uint64_t start = x->headers_end;
	size_t k;

	if (end <= start) {
		*from = end; /* nothing but headers */
		return BF_OK;
	}
	if (!x->sections && list_sections(x))
		return x->err->rc;
	k = first_at(x->sections, x->n_sections, *from);
	if (k == x->n_sections || x->sections[k] >= end)
		return refuse_no_sections(x, i);
	*from = x->sections[k];
	if (*from < start)
		return bf_fail(x->err, BF_E_IMAGE,
			       "'%s': a section at offset 0x%llx lies inside the ELF headers",
			       x->path, (unsigned long long)*from);
	if (bf_trailing(x->p + start, (size_t)(*from - start), 0) != *from - start)
		return bf_fail(x->err, BF_E_IMAGE,
			       "'%s': program header %zu has %llu bytes at offset 0x%llx that "
			       "belong to no section: "
			       "they would be left out",
			       x->path, i, (unsigned long long)(*from - start),
			       (unsigned long long)start);
	return BF_OK;
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
	if (from < x->headers_end && cut_headers(x, i, &from, end))
		return x->err->rc;
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

static int by_data(const void *va, const void *vb)
{
	const struct bf_segment *a = va, *b = vb;

	return (a->data > b->data) - (a->data < b->data);
}

/* The same bytes at many addresses would make any amount of firmware out of a small file. */
static enum bf_rc check_shared(const struct elf *x)
{
	BF_AUTO_MEM struct bf_segment *v = calloc(x->runs->n + 1, sizeof(*v));

	if (!v)
		return bf_fail(x->err, BF_E_IMAGE, "not enough memory for '%s'", x->path);
	for (size_t i = 0; i < x->runs->n; i++)
		v[i] = x->runs->v[i].seg;
	qsort(v, x->runs->n, sizeof(*v), by_data);
	for (size_t i = 1; i < x->runs->n; i++)
		if (v[i - 1].data + v[i - 1].len > v[i].data)
			return bf_fail(x->err, BF_E_IMAGE,
				       "'%s': its program headers load the bytes at offset 0x%zx "
				       "twice, to "
				       "0x%08x and to 0x%08x",
				       x->path, (size_t)(v[i].data - x->p), v[i - 1].addr,
				       v[i].addr);
	return BF_OK;
}

static enum bf_rc refuse_type(const struct elf *x, unsigned type)
{
	bf_fail(x->err, BF_E_IMAGE,
		"'%s' is an ELF file of type %u, not a linked firmware (type 2, executable)",
		x->path, type);
	bf_next_argv(x->err, "shows what it is; take the file that the linker made",
		     (const char *const[]){ "readelf", "-h", x->path, NULL });
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
	return check_shared(x);
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
	free(x.sections);
	elf_end(x.elf);
	return rc;
}
