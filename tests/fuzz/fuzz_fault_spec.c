/* SPDX-License-Identifier: MIT */
#include "fuzz.h"

#include <string.h>

#include "transport/fault.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	BF_AUTO_MEM char *text = strndup((const char *)data, size);
	struct bf_fault_spec spec;
	struct bf_err err = { 0 };
	size_t len;

	if (!text)
		abort();
	len = bf_fault_spec_len(text);
	FUZZ_CHECK(len <= strlen(text));
	FUZZ_CHECK(text[len] == ':' || text[len] == '\0');
	text[len] = '\0';
	if (bf_fault_parse(text, &spec, &err)) {
		FUZZ_CHECK(err.rc == BF_E_USAGE && err.cause[0]);
		return 0;
	}
	FUZZ_CHECK(spec.drop <= 1000000 && spec.flip <= 1000000 && spec.dup <= 1000000);
	FUZZ_CHECK(spec.trunc <= 1000000 && spec.delay <= 1000000 && spec.delay_us >= 0);
	return 0;
}
