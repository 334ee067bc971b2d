/* SPDX-License-Identifier: MIT */
/* Any bytes as an answer: the items lie in the input, and walking them comes to an end. */
#include "fuzz.h"

#include "smp/smp_cbor.h"

static size_t walk(const struct smp_doc *doc, const struct smp_item *in, unsigned depth)
{
	size_t n = 1;

	FUZZ_CHECK(depth <= SMP_DEPTH);
	if (in->kind != SMP_LIST && in->kind != SMP_MAP)
		return (size_t)(in->after - (size_t)(in - doc->items));
	for (const struct smp_item *i = bf_smp_each(doc, in, NULL); i; i = bf_smp_each(doc, in, i))
		n += walk(doc, i, depth + 1);
	FUZZ_CHECK(in + n == doc->items + in->after);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct smp_doc doc;

	if (!bf_smp_parse(data, size, &doc))
		return 0;
	FUZZ_CHECK(doc.n >= 1 && doc.n <= SMP_ITEMS);
	for (size_t i = 0; i < doc.n; i++) {
		const struct smp_item *item = &doc.items[i];

		FUZZ_CHECK(item->after > i && item->after <= doc.n);
		if (item->kind == SMP_BYTES || item->kind == SMP_TEXT)
			FUZZ_CHECK(!item->len ||
				   (item->p >= data && item->p + item->len <= data + size));
		if (item->key_len)
			FUZZ_CHECK(item->key >= data && item->key + item->key_len <= data + size);
	}
	FUZZ_CHECK(walk(&doc, doc.items, 0) == doc.n);
	(void)bf_smp_get(&doc, doc.items, "images", SMP_LIST);
	return 0;
}
