/* SPDX-License-Identifier: MIT */
/* A profile comes from a user's disk. What is taken must hold what the rest of the program relies on. */
#include "bmsflash/profile.h"
#include "family/uds/uds_profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bf_profile p;
	const struct bf_uds_profile *uds = bf_profile_family(&p, "uds");
	struct bf_err err;

	bf_profile_default(&p);
	bf_err_init(&err);
	if (bf_profile_parse((const char *)data, size, "fuzz.ini", &p, &err)) {
		if (err.rc != BF_E_USAGE || !err.cause[0])
			abort();
		return 0;
	}
	if (p.serial_rates[BF_PROFILE_RATES - 1] || p.can_rates[BF_PROFILE_RATES - 1])
		abort();
	if (p.n_regions > BF_PROFILE_REGIONS || p.n_quantities > BF_PROFILE_QUANTITIES)
		abort();
	for (size_t i = 0; i < p.n_regions; i++) {
		if (p.regions[i].size == 0 ||
		    p.regions[i].size - 1 > UINT32_MAX - p.regions[i].addr)
			abort();
	}
	if (p.n_steps > BF_PROFILE_STEPS || p.n_periodics > BF_PROFILE_PERIODICS)
		abort();
	for (size_t i = 0; i < p.n_steps; i++) {
		if (bf_template_fault(p.steps[i].send) || bf_pattern_fault(p.steps[i].expect) ||
		    !p.steps[i].name[0])
			abort();
	}
	if (bf_template_fault(uds->erase_option) || bf_template_fault(uds->check_option) ||
	    bf_template_fault(uds->exit_option) || bf_template_fault(uds->fingerprint_format))
		abort();
	for (size_t i = 0; i < p.n_quantities; i++) {
		if ((p.quantities[i].did == 0 && p.quantities[i].modbus_register < 0) ||
		    p.quantities[i].width < 1 || p.quantities[i].width > 4)
			abort();
	}
	return 0;
}
