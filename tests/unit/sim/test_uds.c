/* SPDX-License-Identifier: MIT */
#include "tester.h"

static void a_pack_says_who_it_is(void **state)
{
	struct tester s;

	(void)state;
	tester_open(&s, "sim");
	tester_expect(&s, "22f189", "62f189312e332e30");
	tester_expect(&s, "22f187", "62f187424d532d3136532d5233");
	tester_expect(&s, "22fd02", "62fd0200000003");
	tester_expect(&s, "22fd01",
		      "62fd01116413514ffd5754ab6b356b38e1885e9541a2b5510250809a71d0be35ec35c0");
	tester_expect(&s, "22f186fd04", "62f18601fd04010001");
	tester_expect(&s, "22fd03", "62fd0305.");
	tester_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pack_says_who_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
