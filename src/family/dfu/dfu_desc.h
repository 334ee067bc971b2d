/* SPDX-License-Identifier: MIT */
/* What a configuration descriptor says about DFU (USB DFU 1.1, 4.1 and 4.2). Pure; bounded. */
#pragma once

#include <stdbool.h>

#include "bmsflash/base.h"

#define BF_DFU_ALTS 16

enum bf_dfu_mode {
	BF_DFU_ABSENT,  /* no DFU interface at all: an application without it */
	BF_DFU_RUNTIME, /* the application runs and can be detached */
	BF_DFU_LOADER,  /* DFU mode */
};

enum bf_dfu_protocol {                       /* bInterfaceProtocol */
		       BF_DFU_PROTOCOL_NONE, /* some loaders say this in DFU mode */
		       BF_DFU_PROTOCOL_RUNTIME,
		       BF_DFU_PROTOCOL_LOADER,
};

enum bf_dfu_attribute { /* bmAttributes of the functional descriptor */
			BF_DFU_CAN_DNLOAD = 1,
			BF_DFU_CAN_UPLOAD = 2,
			BF_DFU_TOLERANT = 4,    /* answers during and after manifestation */
			BF_DFU_WILL_DETACH = 8, /* leaves the bus by itself after DETACH */
};

#define BF_DFU_VERSION_DFUSE 0x011A
#define BF_DFU_VERSION_FLIP  0xFF01 /* Atmel's own protocol behind the same interface class */

/* Where the device says nothing: 6.1.1 leaves the size to the host; one packet always fits. */
#define BF_DFU_TRANSFER_UNSAID  64
#define BF_DFU_TRANSFER_ANY     0xFFFF /* seen where nobody filled it in */
#define BF_DFU_TRANSFER_LIMITED 1024
#define BF_DFU_TRANSFER_LEAST   8 /* the smallest packet that there is */

struct bf_dfu_desc {
	enum bf_dfu_mode mode; /* by bInterfaceProtocol alone: 2 is DFU mode */
	uint8_t protocol;      /* bInterfaceProtocol */
	uint8_t interface;
	struct {
		uint8_t setting; /* bAlternateSetting */
		uint8_t string;  /* iInterface, 0: none */
	} alts[BF_DFU_ALTS];
	size_t n_alts;
	bool functional; /* the functional descriptor is there; else the rest is what is usual */
	uint8_t attributes;
	uint16_t detach_ms;
	uint16_t transfer; /* wTransferSize, never 0 */
	uint16_t version;  /* bcdDFUVersion */
};

/* Takes the first DFU interface. True also when there is none (BF_DFU_ABSENT); false when the descriptors
 * are damaged. */
bool bf_dfu_desc_parse(const uint8_t *config, size_t len, struct bf_dfu_desc *ret);
/* The functional descriptor by itself, as a device gives it when asked. */
bool bf_dfu_desc_functional(const uint8_t *raw, size_t len, struct bf_dfu_desc *desc);
