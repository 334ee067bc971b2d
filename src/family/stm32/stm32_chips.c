/* SPDX-License-Identifier: MIT */
#include "family/stm32/stm32_chips.h"

#include <string.h>
#include <strings.h>

#define K(n) ((n)*1024u)
#define M(n) ((n)*1048576u)

/* ---- sectors ---- */

#define UNIFORM(tag, bytes, text) \
	static const struct bf_stm32_layout tag = { text, { { bytes, 0, 0 } } }

UNIFORM(pages_128, 128, "pages of 128 bytes");
UNIFORM(pages_256, 256, "pages of 256 bytes");
UNIFORM(pages_1k, K(1), "pages of 1 K");
UNIFORM(pages_2k, K(2), "pages of 2 K");
UNIFORM(pages_4k, K(4), "pages of 4 K");
UNIFORM(pages_8k, K(8), "pages of 8 K");
UNIFORM(sectors_128k, K(128), "sectors of 128 K");

static const struct bf_stm32_layout f4_one = {
	"4 x 16 K, 64 K, 128 K", { { K(16), 4, 0 }, { K(64), 1, 4 }, { K(128), 0, 5 } }
};
/* 2 M: twelve sectors in each bank. */
static const struct bf_stm32_layout f4_two = { "4 x 16 K, 64 K, 7 x 128 K in each bank",
					       { { K(16), 4, 0 },
						 { K(64), 1, 4 },
						 { K(128), 7, 5 },
						 { K(16), 4, 12 },
						 { K(64), 1, 16 },
						 { K(128), 7, 17 } } };
static const struct bf_stm32_layout f7_one = {
	"4 x 32 K, 128 K, 256 K", { { K(32), 4, 0 }, { K(128), 1, 4 }, { K(256), 0, 5 } }
};

static const struct bf_stm32_bit dbank_l4 = { 0x1FFF7800, UINT32_C(1) << 22, true };
static const struct bf_stm32_bit ndbank_f7 = { 0x1FFF0008, UINT32_C(1) << 13, false };

/* ---- places that a series has in common ---- */

#define OPTIONS_F1  0x1FFFF800, 16
#define OPTIONS_F4  0x1FFFC000, 16
#define OPTIONS_F7  0x1FFF0000, 32
#define OPTIONS_G0  0x1FFF7800, 128
#define OPTIONS_G4  0x1FFF7800, 48
#define OPTIONS_L0  0x1FF80000, 32
#define OPTIONS_L1D 0x1FF80000, 160
#define OPTIONS_L4  0x1FFF7800, 16
#define IDS_F0      0x1FFFF7CC, 0x1FFFF7AC
#define IDS_F1      0x1FFFF7E0, 0x1FFFF7E8
#define IDS_F3      0x1FFFF7CC, 0x1FFFF7AC
#define IDS_F4      0x1FFF7A22, 0x1FFF7A10
#define IDS_F7      0x1FF0F442, 0x1FF0F420
#define IDS_H7      0x1FF1E880, 0x1FF1E800
#define IDS_L0      0x1FF8007C, 0x1FF80050
#define IDS_L1      0x1FF8004C, 0x1FF80050
#define IDS_L1C     0x1FF800CC, 0x1FF800D0
#define IDS_L4      0x1FFF75E0, 0x1FFF7590
#define IDS_U5      0x0BFA07A0, 0x0BFA0700
#define NO_BIT              \
	{                   \
		0, 0, false \
	}
#define DBANK_L4                                    \
	{                                           \
		0x1FFF7800, UINT32_C(1) << 22, true \
	}
#define NDBANK_F7                                    \
	{                                            \
		0x1FFF0008, UINT32_C(1) << 13, false \
	}
#define NO_IDS     0, 0
#define NO_OPTIONS 0, 0
#define NO_EEPROM  0, 0
#define EEPROM     0x08080000
#define BASE       0x08000000
#define RAM        0x20000000
#define EMPTY      BF_STM32_EMPTY_CHECK
#define L01        (BF_STM32_NO_MASS_ERASE | BF_STM32_ERASES_TO_ZERO)

/* What follows the traps: option bytes, identifier words and EEPROM, an address and a length or two addresses each. */
#define ROW(pid, key, name, size, one, two, bit, unit, block, from, to, traps, ...)               \
	{                                                                                         \
		pid, key, name, BASE, size, one, two, bit, unit, block, RAM + (from), RAM + (to), \
			traps, __VA_ARGS__                                                        \
	}
/* F0, F1, F3: one size of page */
#define SIMPLE(pid, key, name, size, pages, from, to, traps, ...)                          \
	ROW(pid, key, name, size, &(pages), NULL, NULL, 4, 0, from, to, traps, OPTIONS_F1, \
	    __VA_ARGS__, NO_EEPROM)
#define F4(pid, key, name, size, to)                                                        \
	ROW(pid, key, name, size, &f4_one, NULL, NULL, 4, 0, 0x3000, to, BF_STM32_LONG_IDS, \
	    OPTIONS_F4, IDS_F4, NO_EEPROM)
#define G(pid, key, name, size, from, to, ...)                                               \
	ROW(pid, key, name, size, &pages_2k, NULL, NULL, 8, 0, from, to, EMPTY, __VA_ARGS__, \
	    IDS_L4, NO_EEPROM)
#define L0(pid, key, name, size, eeprom, from, to)                          \
	ROW(pid, key, name, size, &pages_128, NULL, NULL, 4, 128, from, to, \
	    L01 | EMPTY | BF_STM32_LONG_IDS, OPTIONS_L0, IDS_L0, EEPROM, eeprom)
#define L1(pid, key, name, size, eeprom, from, to, ...)                                     \
	ROW(pid, key, name, size, &pages_256, NULL, NULL, 4, 0, from, to, L01, __VA_ARGS__, \
	    EEPROM, eeprom)
#define L4(pid, key, name, size, from, to, traps)                                           \
	ROW(pid, key, name, size, &pages_2k, NULL, NULL, 8, 0, from, to, traps, OPTIONS_L4, \
	    IDS_L4, NO_EEPROM)

/* clang-format off */
static const struct bf_stm32_chip chips[] = {
	/* identifier, key, name, most flash, ... */
	SIMPLE(0x440, "f05x", "STM32F05x, F030x8", K(64), pages_1k, 0x800, 0x2000, 0, IDS_F0),
	SIMPLE(0x444, "f03x", "STM32F03x", K(32), pages_1k, 0x800, 0x1000, 0, IDS_F0),
	SIMPLE(0x442, "f09x", "STM32F09x, F030xC", K(256), pages_2k, 0x1800, 0x8000, EMPTY, IDS_F0),
	SIMPLE(0x445, "f04x", "STM32F04x, F070x6", K(32), pages_1k, 0x1800, 0x1800, EMPTY, IDS_F0),
	SIMPLE(0x448, "f07x", "STM32F07x", K(128), pages_2k, 0x1800, 0x4000, EMPTY, IDS_F0),

	SIMPLE(0x412, "f103x4", "STM32F10x low density", K(32), pages_1k, 0x200, 0x2800, BF_STM32_DROPS, IDS_F1),
	SIMPLE(0x410, "f103", "STM32F10x medium density, or a clone", K(128), pages_1k, 0x200, 0x5000, BF_STM32_DROPS, IDS_F1),
	SIMPLE(0x414, "f103xe", "STM32F10x high density, or a clone", K(512), pages_2k, 0x200, 0x10000, BF_STM32_DROPS, IDS_F1),
	SIMPLE(0x420, "f100xb", "STM32F100 medium density", K(128), pages_1k, 0x200, 0x2000, BF_STM32_DROPS, IDS_F1),
	SIMPLE(0x428, "f100xe", "STM32F100 high density", K(512), pages_2k, 0x200, 0x8000, BF_STM32_DROPS, IDS_F1),
	SIMPLE(0x418, "f107", "STM32F105, F107", K(256), pages_2k, 0x1000, 0x10000, BF_STM32_DROPS, IDS_F1),
	SIMPLE(0x430, "f103xg", "STM32F10x XL density", K(1024), pages_2k, 0x800, 0x18000, BF_STM32_DROPS, IDS_F1),
	SIMPLE(0x641, "f1pl", "a clone with medium density (GD32F1x0)", K(128), pages_1k, 0x200, 0x5000, BF_STM32_DROPS, IDS_F1),

	ROW(0x411, "f2", "STM32F2", M(1), &f4_one, NULL, NULL, 4, 0, 0x2000, 0x20000, BF_STM32_LONG_IDS, OPTIONS_F4, IDS_F4, NO_EEPROM),

	SIMPLE(0x432, "f373", "STM32F373, F378", K(256), pages_2k, 0x1400, 0x8000, 0, IDS_F3),
	SIMPLE(0x422, "f303", "STM32F302xC, F303xC, F358", K(256), pages_2k, 0x1400, 0xA000, 0, IDS_F3),
	SIMPLE(0x439, "f301", "STM32F301, F302x8, F318", K(64), pages_2k, 0x1800, 0x4000, 0, IDS_F3),
	SIMPLE(0x438, "f334", "STM32F303x8, F334, F328", K(64), pages_2k, 0x1800, 0x3000, 0, IDS_F3),
	SIMPLE(0x446, "f303xe", "STM32F302xE, F303xE, F398", K(512), pages_2k, 0x1800, 0x10000, 0, IDS_F3),

	F4(0x413, "f407", "STM32F405, F407, F415, F417", M(1), 0x20000),
	ROW(0x419, "f429", "STM32F42x, F43x", M(2), &f4_one, &f4_two, NULL, 4, 0, 0x3000, 0x30000, BF_STM32_LONG_IDS | BF_STM32_TWO_LAYOUTS, OPTIONS_F4, IDS_F4, NO_EEPROM),
	F4(0x423, "f401xc", "STM32F401xB, xC", K(256), 0x10000),
	F4(0x433, "f401xe", "STM32F401xD, xE", K(512), 0x18000),
	F4(0x458, "f410", "STM32F410", K(128), 0x8000),
	F4(0x431, "f411", "STM32F411", K(512), 0x20000),
	F4(0x441, "f412", "STM32F412", M(1), 0x40000),
	F4(0x421, "f446", "STM32F446", K(512), 0x20000),
	ROW(0x434, "f469", "STM32F469, F479", M(2), &f4_one, &f4_two, NULL, 4, 0, 0x3000, 0x60000, BF_STM32_LONG_IDS | BF_STM32_TWO_LAYOUTS, OPTIONS_F4, IDS_F4, NO_EEPROM),
	F4(0x463, "f413", "STM32F413, F423", K(1536), 0x50000),

	ROW(0x452, "f723", "STM32F72x, F73x", K(512), &f4_one, NULL, NULL, 4, 0, 0x4000, 0x40000, 0, OPTIONS_F7, IDS_F7, NO_EEPROM),
	ROW(0x449, "f746", "STM32F74x, F75x", M(1), &f7_one, NULL, NULL, 4, 0, 0x4000, 0x50000, 0, OPTIONS_F7, IDS_F7, NO_EEPROM),
	ROW(0x451, "f767", "STM32F76x, F77x", M(2), &f7_one, &f4_two, &ndbank_f7, 4, 0, 0x4000, 0x80000, BF_STM32_TWO_LAYOUTS, OPTIONS_F7, IDS_F7, NO_EEPROM),

	G(0x466, "g031", "STM32G03x, G04x", K(64), 0x1000, 0x2000, OPTIONS_G0),
	G(0x456, "g051", "STM32G05x, G061", K(64), 0x1000, 0x4800, OPTIONS_G0),
	G(0x460, "g071", "STM32G07x, G08x", K(128), 0x2700, 0x9000, OPTIONS_G0),
	G(0x467, "g0b1", "STM32G0B0, G0B1, G0C1", K(512), 0x4000, 0x20000, OPTIONS_G0),
	G(0x468, "g431", "STM32G431, G441", K(128), 0x4000, 0x5800, OPTIONS_G4),
	ROW(0x469, "g474", "STM32G47x, G48x", K(512), &pages_4k, &pages_2k, &dbank_l4, 8, 0, 0x4000, 0x18000, EMPTY | BF_STM32_TWO_LAYOUTS, OPTIONS_G4, IDS_L4, NO_EEPROM),
	G(0x479, "g491", "STM32G491, G4A1", K(512), 0x4000, 0x1C000, OPTIONS_G4),

	ROW(0x450, "h743", "STM32H74x, H75x", M(2), &sectors_128k, NULL, NULL, 32, 0, 0x4100, 0x20000, 0, NO_OPTIONS, IDS_H7, NO_EEPROM),
	ROW(0x480, "h7a3", "STM32H7Ax, H7Bx", M(2), &pages_8k, NULL, NULL, 16, 0, 0x4100, 0x20000, 0, NO_OPTIONS, 0x08FFF80C, 0x08FFF800, NO_EEPROM),
	ROW(0x483, "h723", "STM32H72x, H73x", M(1), &sectors_128k, NULL, NULL, 32, 0, 0x4100, 0x20000, 0, NO_OPTIONS, IDS_H7, NO_EEPROM),

	L0(0x457, "l011", "STM32L01x, L02x", K(16), 512, 0x800, 0x800),
	L0(0x425, "l031", "STM32L031, L041", K(32), K(1), 0x1000, 0x2000),
	L0(0x417, "l053", "STM32L05x, L06x", K(64), K(2), 0x1000, 0x2000),
	L0(0x447, "l072", "STM32L07x, L08x", K(192), K(6), 0x2000, 0x5000),

	L1(0x416, "l151", "STM32L1 (category 1)", K(128), K(4), 0x800, 0x4000, OPTIONS_L0, IDS_L1),
	L1(0x429, "l151a", "STM32L1 (category 2)", K(128), K(4), 0x1000, 0x8000, OPTIONS_L0, IDS_L1),
	L1(0x427, "l151c", "STM32L1 (category 3)", K(256), K(8), 0x1000, 0x8000, OPTIONS_L0, IDS_L1C),
	L1(0x436, "l151d", "STM32L1 (category 4)", K(384), K(12), 0x1000, 0xC000, OPTIONS_L1D, IDS_L1C),
	L1(0x437, "l151e", "STM32L1 (category 5)", K(512), K(16), 0x1000, 0x14000, OPTIONS_L1D, IDS_L1C),

	L4(0x464, "l412", "STM32L41x, L42x", K(128), 0x3100, 0x8000, EMPTY),
	L4(0x435, "l432", "STM32L43x, L44x", K(256), 0x3100, 0xC000, EMPTY),
	L4(0x462, "l452", "STM32L45x, L46x", K(512), 0x3100, 0x20000, EMPTY),
	L4(0x415, "l476", "STM32L47x, L48x", M(1), 0x3100, 0x18000, 0),
	L4(0x461, "l496", "STM32L49x, L4Ax", M(1), 0x3100, 0x40000, 0),
	ROW(0x470, "l4r5", "STM32L4Rx, L4Sx", M(2), &pages_8k, &pages_4k, &dbank_l4, 8, 0, 0x3200, 0xA0000, BF_STM32_TWO_LAYOUTS, OPTIONS_L4, IDS_L4, NO_EEPROM),

	ROW(0x455, "u535", "STM32U53x, U54x", K(512), &pages_8k, NULL, NULL, 16, 0, 0x4000, 0x40000, EMPTY, NO_OPTIONS, IDS_U5, NO_EEPROM),
	ROW(0x482, "u575", "STM32U57x, U58x", M(2), &pages_8k, NULL, NULL, 16, 0, 0x4000, 0xC0000, EMPTY, NO_OPTIONS, IDS_U5, NO_EEPROM),

	/* Clones that do not tell an identifier of ST's; a profile names them. Of flash sizes the profile knows better. */
	ROW(0, "gd32vw553", "GD32VW553", M(4), &pages_4k, NULL, NULL, 4, 240, 0, 0, 0, NO_OPTIONS, NO_IDS, NO_EEPROM),
	ROW(0x7005, "at32f403a", "AT32F403A, AT32F407", M(1), &pages_2k, NULL, NULL, 4, 0, 0, 0x18000, 0, OPTIONS_F1, IDS_F1, NO_EEPROM),
	ROW(0, "at32f413", "AT32F413, AT32F415", K(256), &pages_2k, NULL, NULL, 4, 0, 0, 0x8000, 0, OPTIONS_F1, IDS_F1, NO_EEPROM),
	ROW(0, "apm32f103xb", "APM32F103x8, xB", K(128), &pages_1k, NULL, NULL, 4, 0, 0x200, 0x5000, 0, OPTIONS_F1, IDS_F1, NO_EEPROM),
	ROW(0, "gd32f303xe", "GD32F303, F305, F307", K(512), &pages_2k, NULL, NULL, 4, 0, 0x200, 0x10000, 0, OPTIONS_F1, IDS_F1, NO_EEPROM),
};
/* clang-format on */

const struct bf_stm32_chip *bf_stm32_chip_by_pid(unsigned pid)
{
	for (size_t i = 0; i < BF_COUNT(chips); i++) {
		if (pid && chips[i].pid == pid)
			return &chips[i];
	}
	return NULL;
}

const struct bf_stm32_chip *bf_stm32_chip_by_key(const char *key)
{
	for (size_t i = 0; i < BF_COUNT(chips); i++) {
		if (strcasecmp(chips[i].key, key) == 0)
			return &chips[i];
	}
	return NULL;
}

const struct bf_stm32_chip *bf_stm32_chip_at(size_t i)
{
	return i < BF_COUNT(chips) ? &chips[i] : NULL;
}

const char *bf_stm32_foreign(const char *key)
{
	static const struct {
		const char *prefix, *text;
	} rows[] = {
		{ "ch32", "CH32 chips speak WCH's own ISP protocol, not that of ST: use wchisp" },
		{ "ch5", "CH5xx chips speak WCH's own ISP protocol, not that of ST: use wchisp" },
		{ "hc32", "HC32 chips speak HDSC's own ISP protocol, not that of ST" },
		{ "msp", "MSP chips speak TI's own BSL protocol, not that of ST" },
		{ "n76", "Nuvoton chips speak an ISP protocol of their own, not that of ST" },
	};

	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		if (strncasecmp(key, rows[i].prefix, strlen(rows[i].prefix)) == 0)
			return rows[i].text;
	}
	return NULL;
}
