/* SPDX-License-Identifier: MIT */
/* What a configuration descriptor says about DFU (USB DFU 1.1, 4.1 and 4.2). Pure; bounded. */
#pragma once

#include <stdbool.h>

#include "bmsflash/base.h"

#define BF_DFU_ALTS 8

enum bf_dfu_mode {
	BF_DFU_ABSENT,  /* no DFU interface at all: an application without it */
	BF_DFU_RUNTIME, /* bInterfaceProtocol 1: the application runs and can be detached */
	BF_DFU_LOADER,  /* bInterfaceProtocol 2: DFU mode */
};

enum bf_dfu_attribute { /* bmAttributes of the functional descriptor */
			BF_DFU_CAN_DNLOAD = 1,
			BF_DFU_CAN_UPLOAD = 2,
			BF_DFU_TOLERANT = 4,    /* answers during and after manifestation */
			BF_DFU_WILL_DETACH = 8, /* leaves the bus by itself after DETACH */
};

#define BF_DFU_VERSION_DFUSE 0x011A

struct bf_dfu_desc {
	enum bf_dfu_mode mode;
	uint8_t interface;
	struct {
		uint8_t setting; /* bAlternateSetting */
		uint8_t string;  /* iInterface, 0: none */
	} alts[BF_DFU_ALTS];
	size_t n_alts;
	uint8_t attributes;
	uint16_t detach_ms;
	uint16_t transfer; /* wTransferSize, never 0 */
	uint16_t version;  /* bcdDFUVersion */
};

/* Takes the first DFU interface. True also when there is none (BF_DFU_ABSENT); false when the descriptors
 * are damaged or a DFU interface lacks its functional descriptor. */
bool bf_dfu_desc_parse(const uint8_t *config, size_t len, struct bf_dfu_desc *ret);
