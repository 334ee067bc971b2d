/* SPDX-License-Identifier: MIT */
#include "sim/options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bmsflash/bytes.h"
#include "bmsflash/transport.h"

enum kind { NUMBER, REAL, TEXT, CHOICE, BITS, HEX32 };

struct choice {
	const char *name;
	unsigned value;
};

struct row {
	struct bf_sim_key doc;
	enum kind kind;
	size_t offset, size;
	double min, max;
	const struct choice *choices; /* ends with name NULL */
};

static const struct choice links[] = {
	{ "can", BF_SIM_CAN },
	{ "canfd", BF_SIM_CANFD },
	{ "rs485", BF_SIM_RS485 },
	{ "usb", BF_SIM_USB },
	{ NULL, 0 },
};
/* Each belongs to a protocol; it is set with the model. */
static const struct choice models[] = {
	{ "ours", BF_SIM_OURS },
	{ "standard", BF_SIM_STANDARD },
	{ "hostile", BF_SIM_HOSTILE },
	{ "zhidou", BF_SIM_ZHIDOU },
	{ "nxp", BF_SIM_NXP },
	{ "vw", BF_SIM_VW },
	{ "volvo", BF_SIM_VOLVO },
	{ "tesla", BF_SIM_TESLA },
	{ "geehy", BF_SIM_GEEHY },
	{ "kline", BF_SIM_KLINE },
	{ "stm32app", BF_SIM_STM32APP },
	{ "tinyusb", BF_SIM_TINYUSB },
	{ "dapboot", BF_SIM_DAPBOOT },
	{ "zephyr", BF_SIM_ZEPHYR },
	{ "zephyr-next", BF_SIM_ZEPHYR_NEXT },
	{ "mcuboot", BF_SIM_MCUBOOT },
	{ "maple", BF_SIM_MAPLE },
	{ "cherryusb", BF_SIM_CHERRYUSB },
	{ "st-rom", BF_SIM_ST_ROM },
	{ "stm32f4", BF_SIM_STM32F4 },
	{ "gd32", BF_SIM_GD32 },
	{ "opencm3", BF_SIM_OPENCM3 },
	{ "recovery", BF_SIM_SMP_RECOVERY },
	{ "app", BF_SIM_SMP_APP },
	{ "both", BF_SIM_SMP_BOTH },
	{ "jk", BF_SIM_JK },
	{ "jk202", BF_SIM_JK202 },
	{ "vanmoof", BF_SIM_VANMOOF },
	{ "f103", BF_SIM_F103 },
	{ "f407", BF_SIM_F407 },
	{ "l476", BF_SIM_L476 },
	{ "g0b1", BF_SIM_G0B1 },
	{ "l0", BF_SIM_L0 },
	{ "at32", BF_SIM_AT32 },
	{ NULL, 0 },
};
static const struct choice boot_pins[] = {
	{ "low", BF_SIM_BOOT0_LOW },
	{ "hand", BF_SIM_BOOT0_HAND },
	{ "high", BF_SIM_BOOT0_HIGH },
	{ NULL, 0 },
};
static const struct choice duplexes[] = { { "half", 0 }, { "full", 1 }, { NULL, 0 } };
static const struct choice framings[] = { { "console", 0 }, { "raw", 1 }, { NULL, 0 } };
static const struct choice apps[] = {
	{ "none", BF_SIM_APP_NONE },
	{ "uds", BF_SIM_APP_UDS },
	{ "modbus", BF_SIM_APP_MODBUS },
	{ NULL, 0 },
};
static const struct choice entries[] = {
	{ "once", BF_SIM_ENTRY_ONCE },
	{ "always", BF_SIM_ENTRY_ALWAYS },
	{ "never", BF_SIM_ENTRY_NEVER },
	{ NULL, 0 },
};
static const struct choice swaps[] = {
	{ "move", BF_SIM_SWAP_MOVE },
	{ "scratch", BF_SIM_SWAP_SCRATCH },
	{ "offset", BF_SIM_SWAP_OFFSET },
	{ "overwrite", BF_SIM_SWAP_OVERWRITE },
	{ "xip", BF_SIM_SWAP_XIP },
	{ "ram", BF_SIM_SWAP_RAM },
	{ "single", BF_SIM_SWAP_SINGLE },
	{ "unknown", BF_SIM_SWAP_UNKNOWN },
	{ NULL, 0 },
};
static const struct choice aftercuts[] = {
	{ "dead", BF_SIM_AFTERCUT_DEAD },
	{ "loader", BF_SIM_AFTERCUT_LOADER },
	{ NULL, 0 },
};
static const struct choice pendings[] = {
	{ "none", BF_SIM_PENDING_NONE },
	{ "test", BF_SIM_PENDING_TEST },
	{ "perm", BF_SIM_PENDING_PERM },
	{ NULL, 0 },
};
static const struct choice smp_builds[] = {
	{ "direct", BF_SMP_DIRECT },       { "small", BF_SMP_SMALL },
	{ "noise", BF_SMP_NOISE },         { "noparams", BF_SMP_NOPARAMS },
	{ "noinfo", BF_SMP_NOINFO },       { "noboot", BF_SMP_NOBOOT },
	{ "noconfirm", BF_SMP_NOCONFIRM }, { "nosha", BF_SMP_NOSHA },
	{ "noslots", BF_SMP_NOSLOTS },     { NULL, 0 },
};
static const struct choice parities[] = {
	{ "none", BF_PARITY_NONE },
	{ "even", BF_PARITY_EVEN },
	{ "odd", BF_PARITY_ODD },
	{ NULL, 0 },
};
static const struct choice wirings[] = {
	{ "none", BF_SIM_LINES_NONE },
	{ "cross", BF_SIM_LINES_CROSS },
	{ "direct", BF_SIM_LINES_DIRECT },
	{ NULL, 0 },
};
static const struct choice breaks[] = {
	{ "none", BF_SIM_BREAK_NONE },
	{ "loader", BF_SIM_BREAK_LOADER },
	{ NULL, 0 },
};
static const struct choice replugs[] = {
	{ "never", BF_SIM_REPLUG_NEVER },
	{ "same", BF_SIM_REPLUG_SAME },
	{ "other", BF_SIM_REPLUG_OTHER },
	{ NULL, 0 },
};
static const struct choice habits[] = {
	{ "nodownload", BF_HABIT_NODOWNLOAD },
	{ "dfu11", BF_HABIT_DFU11 },
	{ "shortdesc", BF_HABIT_SHORTDESC },
	{ "protocol0", BF_HABIT_PROTOCOL0 },
	{ "shortstring", BF_HABIT_SHORTSTRING },
	{ "size0", BF_HABIT_SIZE0 },
	{ "sizeffff", BF_HABIT_SIZEFFFF },
	{ "size32", BF_HABIT_SIZE32 },
	{ "stays", BF_HABIT_STAYS },
	{ "manifests", BF_HABIT_MANIFESTS },
	{ "stalldetach", BF_HABIT_STALLDETACH },
	{ "detach0", BF_HABIT_DETACH0 },
	{ "deaf", BF_HABIT_DEAF },
	{ "noruntime", BF_HABIT_NORUNTIME },
	{ "noproduct", BF_HABIT_NOPRODUCT },
	{ "noserial", BF_HABIT_NOSERIAL },
	{ "hidden", BF_HABIT_HIDDEN },
	{ "stuck", BF_HABIT_STUCK },
	{ "jumps", BF_HABIT_JUMPS },
	{ "endless", BF_HABIT_ENDLESS },
	{ "protected", BF_HABIT_PROTECTED },
	{ NULL, 0 },
};
static const struct choice protocols[] = {
	{ "uds", BF_SIM_UDS }, { "dfu", BF_SIM_DFU },       { "dfuse", BF_SIM_DFUSE },
	{ "smp", BF_SIM_SMP }, { "xmodem", BF_SIM_XMODEM }, { "stm32", BF_SIM_STM32 },
	{ NULL, 0 },
};
static const struct choice pass_fail[] = { { "pass", 0 }, { "fail", 1 }, { NULL, 0 } };
static const struct choice crashes[] = {
	{ "never", BF_SIM_CRASH_NEVER },
	{ "trial", BF_SIM_CRASH_TRIAL },
	{ NULL, 0 },
};
static const struct choice wipes[] = {
	{ "never", BF_SIM_WIPE_NEVER },
	{ "blank", BF_SIM_WIPE_BLANK },
	{ "defaults", BF_SIM_WIPE_DEFAULTS },
	{ "always", BF_SIM_WIPE_ALWAYS },
	{ NULL, 0 },
};
static const struct choice locks[] = {
	{ "0", 0 }, { "1", 0x27 }, { "27", 0x27 }, { "29", 0x29 }, { NULL, 0 },
};
static const struct choice off_on[] = { { "0", 0 }, { "1", 1 }, { NULL, 0 } };
static const struct choice flash_speed[] = { { "real", 0 }, { "instant", 1 }, { NULL, 0 } };
static const struct choice erasers[] = {
	{ "host", BF_SIM_ERASE_HOST },
	{ "ahead", BF_SIM_ERASE_AHEAD },
	{ "download", BF_SIM_ERASE_DOWNLOAD },
	{ NULL, 0 },
};
static const struct choice checkers[] = {
	{ "after", BF_SIM_CHECK_AFTER },
	{ "ahead", BF_SIM_CHECK_AHEAD },
	{ "none", BF_SIM_CHECK_NONE },
	{ "12", BF_SIM_CHECK_12 },
	{ NULL, 0 },
};
static const struct choice statuses[] = {
	{ "model", BF_SIM_STATUS_MODEL },
	{ "byte", BF_SIM_STATUS_BYTE },
	{ "none", BF_SIM_STATUS_NONE },
	{ "type", BF_SIM_STATUS_TYPE },
	{ NULL, 0 },
};
static const struct choice unlock_sessions[] = {
	{ "any", 0 },
	{ "programming", 2 },
	{ "extended", 3 },
	{ NULL, 0 },
};
static const struct choice hostilities[] = {
	{ "pending", BF_HOSTILE_PENDING }, { "frames", BF_HOSTILE_FRAMES },
	{ "numbers", BF_HOSTILE_NUMBERS }, { "texts", BF_HOSTILE_TEXTS },
	{ "mixed", BF_HOSTILE_MIXED },     { NULL, 0 },
};
static const struct choice quirks[] = {
	{ "nrc24", BF_QUIRK_NRC24 },
	{ "nohash", BF_QUIRK_NOHASH },
	{ "noread", BF_QUIRK_NOREAD },
	{ "singlebank", BF_QUIRK_SINGLEBANK },
	{ "slow", BF_QUIRK_SLOW },
	{ "busy", BF_QUIRK_BUSY },
	{ "nocompress", BF_QUIRK_NOCOMPRESS },
	{ "fixedconfig", BF_QUIRK_FIXEDCONFIG },
	{ "mute", BF_QUIRK_MUTE },
	{ "nrc37", BF_QUIRK_NRC37 },
	{ "nrc72", BF_QUIRK_NRC72 },
	{ "noreset", BF_QUIRK_NORESET },
	{ "s3strict", BF_QUIRK_S3STRICT },
	{ "flip", BF_QUIRK_FLIP },
	{ "nojump", BF_QUIRK_NOJUMP },
	{ "jump", BF_QUIRK_JUMP },
	{ "onedid", BF_QUIRK_ONEDID },
	{ "canread", BF_QUIRK_CANREAD },
	{ "forever", BF_QUIRK_FOREVER },
	{ "quietreset", BF_QUIRK_QUIETRESET },
	{ "no3e", BF_QUIRK_NO3E },
	{ "anyorder", BF_QUIRK_ANYORDER },
	{ "loseack", BF_QUIRK_LOSEACK },
	{ "strayzero", BF_QUIRK_STRAYZERO },
	{ NULL, 0 },
};

#define FIELD(m) offsetof(struct bf_sim_opts, m), sizeof(((struct bf_sim_opts *)0)->m)

/* clang-format off */
static const struct row rows[] = {
	{ { "model", "ours|standard|hostile|zhidou|nxp|vw|volvo|tesla|geehy|kline|"
	    "stm32app|tinyusb|dapboot|zephyr|zephyr-next|mcuboot|maple|"
	    "cherryusb|st-rom|stm32f4|gd32|opencm3|recovery|app|both|jk|jk202|vanmoof|f103|f407|l476|g0b1|l0|at32",
	    "whose habits the device has; from stm32app on it decides what is spoken: USB devices, then SMP in the "
	    "bootloader (recovery), in the firmware or in both, then units that makers ship, then chips whose ROM "
	    "speaks stm32, as gd32 does with protocol=stm32" },
	  CHOICE, FIELD(model), 0, 0, models },
	{ { "protocol", "uds|dfu|dfuse|smp|xmodem|stm32", "what the loader speaks" },
	  CHOICE, FIELD(protocol), 0, 0, protocols },
	{ { "link", "can|canfd|rs485|usb", "the wire" }, CHOICE, FIELD(link), 0, 0, links },
	{ { "rate", "N", "default rate of the line, bit/s" }, NUMBER, FIELD(rate), 1200, 10e6, NULL },
	{ { "drate", "N", "CAN FD data rate, bit/s" }, NUMBER, FIELD(drate), 125e3, 10e6, NULL },
	{ { "state", "FILE", "flash contents kept between runs" }, TEXT, FIELD(state), 0, 0, NULL },
	{ { "version", "1.3.0|1.4.0|1.5.0|none", "firmware that a new pack runs" },
	  TEXT, FIELD(version), 0, 0, NULL },
	{ { "slot1", "1.3.0|1.4.0|1.5.0|none", "firmware in a new pack's other slot" },
	  TEXT, FIELD(slot1), 0, 0, NULL },
	{ { "counter", "N", "lowest security counter that may start" },
	  NUMBER, FIELD(counter), 0, 4294967295.0, NULL },
	{ { "vendor", "NAME", "vendor, as a domain name" }, TEXT, FIELD(vendor), 0, 0, NULL },
	{ { "class", "NAME", "hardware class" }, TEXT, FIELD(class_name), 0, 0, NULL },
	{ { "serial", "TEXT", "serial number; empty: none is told; ff: never programmed" },
	  TEXT, FIELD(serial), 0, 0, NULL },
	{ { "calib", "N", "which calibration a new pack has, whatever its serial number is" },
	  NUMBER, FIELD(calib), 0, 9e15, NULL },
	{ { "soc", "PERCENT", "state of charge; soc@30s=5: 5 from then on, as the next 3" }, REAL, FIELD(soc), 0, 100, NULL },
	{ { "temp", "DEGREES", "temperature, degrees C" }, REAL, FIELD(temp), -100, 200, NULL },
	{ { "current", "A", "current, charging positive" }, REAL, FIELD(current), -1000, 1000, NULL },
	{ { "spread", "V", "how far one cell lies below the others" },
	  REAL, FIELD(spread), 0, 1, NULL },
	{ { "broadcast", "0|1", "CAN: frames 351, 355 and 356 for inverters, once a second" },
	  CHOICE, FIELD(broadcast), 0, 0, off_on },
	{ { "others", "0|1", "CAN: another node is on the bus, and keeps its rate" },
	  CHOICE, FIELD(others), 0, 0, off_on },
	{ { "selftest", "pass|fail", "self-test of new firmware on trial" },
	  CHOICE, FIELD(selftest_fail), 0, 0, pass_fail },
	{ { "crash", "never|trial", "new firmware on trial hangs until the watchdog bites" },
	  CHOICE, FIELD(crash), 0, 0, crashes },
	{ { "wipe", "never|blank|defaults|always",
	    "new firmware erases the configuration at its first start, or makes its own, once or always" },
	  CHOICE, FIELD(wipe), 0, 0, wipes },
	{ { "seed", "N", "noise, seeds, chance" }, NUMBER, FIELD(seed), 0, 9e15, NULL },
	{ { "quirk", "nrc24|nohash|noread|singlebank|slow|busy|nocompress|fixedconfig|mute|nrc37|nrc72|"
	    "noreset|s3strict|flip|nojump|jump|onedid|canread|anyorder|forever|quietreset|no3e|"
	    "loseack|strayzero", "a bad habit; may be given again" },
	  BITS, FIELD(quirks), 0, 0, quirks },
	{ { "habit", "nodownload|dfu11|shortdesc|protocol0|shortstring|size0|sizeffff|size32|stays|manifests|"
	    "stalldetach|detach0|deaf|noruntime|noproduct|noserial|hidden|stuck|jumps|endless|protected",
	    "USB: a habit beside the model's; may be given again" },
	  BITS, FIELD(habits), 0, 0, habits },
	{ { "show", "MS", "USB: firmware shows itself so much later than it starts" },
	  NUMBER, FIELD(show_ms), 0, 1e9, NULL },
	{ { "auth", "0|1|27|29", "SecurityAccess (1, 27) or Authentication (29) wanted before writing" },
	  CHOICE, FIELD(auth), 0, 0, locks },
	{ { "echo", "0|1", "RS485: the tester hears itself" }, CHOICE, FIELD(echo), 0, 0, off_on },
	{ { "parity", "none|even|odd", "RS485: of the pack's line; another one makes garbage" },
	  CHOICE, FIELD(parity), 0, 0, parities },
	{ { "lines", "none|cross|direct",
	    "RS485: DTR and RTS are wired to reset and boot pin, crosswise or each to its own" },
	  CHOICE, FIELD(lines), 0, 0, wirings },
	{ { "break", "none|loader", "RS485: a break of 50 ms enters the loader" },
	  CHOICE, FIELD(brk), 0, 0, breaks },
	{ { "replug", "never|same|other",
	    "USB serial port: leaves at a restart and comes back, in the loader as another device" },
	  CHOICE, FIELD(replug), 0, 0, replugs },
	{ { "duplex", "half|full", "serial line: one pair of wires (RS485), or both ends may talk at once" },
	  CHOICE, FIELD(full_duplex), 0, 0, duplexes },
	{ { "app", "none|uds|modbus",
	    "what the firmware answers on the line where its bootloader speaks another protocol" },
	  CHOICE, FIELD(app), 0, 0, apps },
	{ { "entry", "once|always|never",
	    "SMP: serial recovery is entered at the first power-on, at every start, or only with nothing to start" },
	  CHOICE, FIELD(entry), 0, 0, entries },
	{ { "swap", "move|scratch|offset|overwrite|xip|ram|single|unknown",
	    "SMP: how the boot loader installs an image; from overwrite on without a way back" },
	  CHOICE, FIELD(swap), 0, 0, swaps },
	{ { "pending", "none|test|perm", "SMP: the other slot of a new pack is marked for the next start" },
	  CHOICE, FIELD(pending), 0, 0, pendings },
	{ { "image1", "1.3.0|1.4.0|1.5.0|none", "SMP: a second image, number 1, and what it runs" },
	  TEXT, FIELD(image1), 0, 0, NULL },
	{ { "framing", "console|raw", "SMP: lines of base64, or packets as they are" },
	  CHOICE, FIELD(smp_raw), 0, 0, framings },
	{ { "buffers", "N", "SMP: buffers for requests" }, NUMBER, FIELD(smp_buffers), 1, 16, NULL },
	{ { "bufsize", "N", "SMP: bytes of a buffer" },
	  NUMBER, FIELD(smp_buffer_size), 64, 8192, NULL },
	{ { "smp", "direct|small|noise|noparams|noinfo|noboot|noconfirm|nosha|noslots",
	    "SMP: how the server was built; may be given again" },
	  BITS, FIELD(smp), 0, 0, smp_builds },
	{ { "aftercut", "dead|loader",
	    "JK: a unit that lost its power in an update starts half an image, or is in its bootloader again" },
	  CHOICE, FIELD(aftercut), 0, 0, aftercuts },
	{ { "deaf", "MS", "JK: hears nothing for so long after an answer; by itself 20 to 380 ms, by seed" },
	  NUMBER, FIELD(deaf_ms), 0, 60000, NULL },
	{ { "crc", "0|1", "JK: a bootloader that asks with C: CRC-16, and blocks of 1024 bytes, too" },
	  CHOICE, FIELD(xmodem_crc), 0, 0, off_on },
	{ { "alarms", "N", "JK: the word of alarms" }, NUMBER, FIELD(alarms), 0, 4294967295.0, NULL },
	{ { "boot0", "low|hand|high",
	    "STM32: the pin that makes it start from ROM: low, held by hand whenever power comes, or at every reset" },
	  CHOICE, FIELD(boot0), 0, 0, boot_pins },
	{ { "rdp", "0|1|2", "STM32: level of the readout protection" }, NUMBER, FIELD(rdp), 0, 2, NULL },
	{ { "wrp", "N", "STM32: so many first pages are write-protected, which nothing tells" },
	  NUMBER, FIELD(wrp), 0, 2048, NULL },
	{ { "blank", "0|1", "STM32: a new chip, nothing in its flash" }, CHOICE, FIELD(blank), 0, 0, off_on },
	{ { "nack", "N", "STM32: every Nth field or frame is refused" },
	  NUMBER, FIELD(nack), 0, 1e9, NULL },
	{ { "losebyte", "N", "STM32: every Nth byte or frame is not heard" },
	  NUMBER, FIELD(losebyte), 0, 1e9, NULL },
	{ { "node", "N", "address on a serial line" }, NUMBER, FIELD(node), 1, 254, NULL },
	{ { "packs", "N", "so many packs on one serial line, nodes 1 to N, with serial numbers in a row and two versions; of eight and "
	    "more one is dead and one is locked" },
	  NUMBER, FIELD(packs), 1, 32, NULL },
	{ { "dead", "N", "which of them never answers; 0: none" }, NUMBER, FIELD(dead), 0, 32, NULL },
	{ { "locked", "N", "which of them refuses to be written without a technician's key; 0: none" },
	  NUMBER, FIELD(locked), 0, 32, NULL },
	{ { "turnaround", "US", "time before an answer, us" },
	  NUMBER, FIELD(turnaround_us), 0, 1e6, NULL },
	{ { "flash", "real|instant", "flash times" }, CHOICE, FIELD(flash_instant), 0, 0, flash_speed },
	{ { "erase", "host|ahead|download",
	    "who erases: the host, the pack ahead of what it writes, or the pack at the start of a download" },
	  CHOICE, FIELD(eraser), 0, 0, erasers },
	{ { "check", "after|ahead|none|12",
	    "the image's digest: made at the end, or while it comes in; none: no check is offered; 12: a failed "
	    "check is answered with NRC 12" },
	  CHOICE, FIELD(checker), 0, 0, checkers },
	{ { "status", "model|byte|none|type", "UDS: what an answer to a routine ends with" },
	  CHOICE, FIELD(status), 0, 0, statuses },
	{ { "level", "N", "UDS: level of SecurityAccess, an odd number; others are refused with NRC 12" },
	  NUMBER, FIELD(level), 1, 125, NULL },
	{ { "unlock", "any|programming|extended", "UDS: session in which SecurityAccess is given" },
	  CHOICE, FIELD(unlock_in), 0, 0, unlock_sessions },
	{ { "loader-version", "none|ff|TEXT", "UDS: what the bootloader says as F189" },
	  TEXT, FIELD(loader_version), 0, 0, NULL },
	{ { "block", "N", "UDS: longest block that the bootloader tells, bytes; 0 is one of them" },
	  NUMBER, FIELD(block), 0, 4095, NULL },
	{ { "flips", "N", "UDS: quirk=flip spoils so many downloads, then none; 0: every one" },
	  NUMBER, FIELD(flips), 0, 1e9, NULL },
	{ { "hostile", "pending|frames|numbers|texts|mixed",
	    "UDS: what a hostile pack does; may be given again" },
	  BITS, FIELD(hostile), 0, 0, hostilities },
	{ { "cutop", "N", "power goes in the middle of flash operation N" },
	  NUMBER, FIELD(cut_op), 0, 9e15, NULL },
	{ { "cutafter", "N", "power goes when flash operation N is complete" },
	  NUMBER, FIELD(cut_after), 0, 9e15, NULL },
	{ { "cutmsg", "N", "power goes when request N is heard" }, NUMBER, FIELD(cut_msg), 0, 9e15, NULL },
	{ { "cutreply", "N", "power goes when answer N should go out" },
	  NUMBER, FIELD(cut_reply), 0, 9e15, NULL },
	{ { "repower", "MS", "power comes back so long after a cut; 0: never" },
	  NUMBER, FIELD(repower_ms), 0, 1e9, NULL },
	{ { "poweron", "MS", "the pack is off and gets its power so late" },
	  NUMBER, FIELD(poweron_ms), 0, 1e9, NULL },
	{ { "window", "MS", "the loader waits so long for a request before it starts firmware" },
	  NUMBER, FIELD(window_ms), 0, 1e6, NULL },
	{ { "trust", "HEX", "one more Ed25519 public key that the loader trusts" },
	  HEX32, FIELD(trust), 0, 0, NULL },
};
/* clang-format on */

#define BY_COUNT    0xFFu
#define DEAD_ONE    7u
#define LOCKED_ONE  12u
#define LONG_STRING 8u

void bf_sim_opts_default(struct bf_sim_opts *ret)
{
	*ret = (struct bf_sim_opts){
		.version = "1.3.0",
		.counter = 3,
		.vendor = "bms.example",
		.class_name = "BMS-16S-R3",
		.serial = "BX16-000001",
		.soc = 55,
		.temp = 25,
		.seed = 1,
		.turnaround_us = 1000,
		.node = 0x11,
		.dead = BY_COUNT,
		.locked = BY_COUNT,
		.block = BF_SIM_BLOCK_MODEL,
		.deaf_ms = BF_SIM_DEAF_MODEL,
	};
}

const struct bf_sim_key *bf_sim_key(size_t i)
{
	return i < BF_COUNT(rows) ? &rows[i].doc : NULL;
}

static void store(const struct row *r, struct bf_sim_opts *o, uint64_t v)
{
	char *p = (char *)o + r->offset;
	uint8_t byte = (uint8_t)v;
	uint16_t half = (uint16_t)v;
	uint32_t word = (uint32_t)v;

	if (r->size == 1)
		memcpy(p, &byte, 1);
	else if (r->size == 2)
		memcpy(p, &half, 2);
	else if (r->size == 4)
		memcpy(p, &word, 4);
	else
		memcpy(p, &v, 8);
}

static bool set_number(const struct row *r, const char *value, struct bf_sim_opts *o)
{
	char *end;
	double v;

	errno = 0;
	v = strtod(value, &end);
	if (errno || end == value || *end || !(v >= r->min && v <= r->max))
		return false;
	if (r->kind == REAL)
		memcpy((char *)o + r->offset, &v, sizeof(v));
	else
		store(r, o, (uint64_t)v);
	return true;
}

static bool set_choice(const struct row *r, const char *value, struct bf_sim_opts *o)
{
	unsigned old = 0;

	for (const struct choice *c = r->choices; c->name; c++) {
		if (strcmp(c->name, value) != 0)
			continue;
		if (r->kind == BITS)
			memcpy(&old, (char *)o + r->offset, sizeof(old));
		store(r, o, old | c->value);
		return true;
	}
	return false;
}

static bool set_value(const struct row *r, const char *value, struct bf_sim_opts *o)
{
	size_t n;

	switch (r->kind) {
	case NUMBER:
	case REAL:
		return set_number(r, value, o);
	case TEXT:
		if (strlen(value) >= r->size)
			return false;
		memcpy((char *)o + r->offset, value, strlen(value) + 1);
		return true;
	case CHOICE:
	case BITS:
		return set_choice(r, value, o);
	case HEX32:
		o->has_trust =
			bf_unhex(value, o->trust, sizeof(o->trust), &n) && n == sizeof(o->trust);
		return o->has_trust;
	}
	return false;
}

static enum bf_rc unknown_key(const char *item, struct bf_err *err)
{
	bf_fail(err, BF_E_USAGE, "the virtual pack has no key '%s'", item);
	bf_likely(err, "the key is misspelt");
	bf_next(err, "bmsflash-sim --help # lists the keys and what they take");
	return BF_E_USAGE;
}

/* "2000" and "2s" are the same */
static bool parse_time(const char *text, bf_time *ret)
{
	char *end;
	double v = strtod(text, &end);
	bool seconds = *end == 's';

	if (end == text || end[seconds] || !(v >= 0 && v <= 1e9))
		return false;
	*ret = (bf_time)(v * (seconds ? 1e6 : 1e3));
	return true;
}

/* Sets the value aside until its time: in order, the later of two for one time after the earlier. */
static bool set_change(const struct row *r, const char *time, const char *value,
		       struct bf_sim_opts *o)
{
	struct bf_sim_opts then = *o;
	struct bf_sim_change change = { .member = r->offset };
	size_t i = o->n_changes;

	if (r->kind != REAL || i == BF_SIM_CHANGES || !parse_time(time, &change.at) ||
	    !set_number(r, value, &then))
		return false;
	memcpy(&change.value, (char *)&then + r->offset, sizeof(change.value));
	for (; i > 0 && o->changes[i - 1].at > change.at; i--)
		o->changes[i] = o->changes[i - 1];
	o->changes[i] = change;
	o->n_changes++;
	return true;
}

double bf_sim_opts_value(const struct bf_sim_opts *opts, size_t member, bf_time since)
{
	double v;

	memcpy(&v, (const char *)opts + member, sizeof(v));
	for (size_t i = 0; i < opts->n_changes && opts->changes[i].at <= since; i++) {
		if (opts->changes[i].member == member)
			v = opts->changes[i].value;
	}
	return v;
}

unsigned bf_sim_opts_hostile(const struct bf_sim_opts *opts)
{
	if (opts->model != BF_SIM_HOSTILE)
		return 0;
	return opts->hostile ? opts->hostile : BF_HOSTILE_MIXED;
}

bool bf_sim_model_is_dfu(enum bf_sim_model model)
{
	return model >= BF_SIM_DFU_FIRST && model - BF_SIM_DFU_FIRST < BF_SIM_DFU_COUNT;
}

static bool is_smp_model(enum bf_sim_model model)
{
	return model == BF_SIM_SMP_RECOVERY || model == BF_SIM_SMP_APP || model == BF_SIM_SMP_BOTH;
}

static bool is_unit(enum bf_sim_model model)
{
	return model == BF_SIM_JK || model == BF_SIM_JK202 || model == BF_SIM_VANMOOF;
}

bool bf_sim_opts_mark_stays(const struct bf_sim_opts *opts)
{
	return opts->aftercut ? opts->aftercut == BF_SIM_AFTERCUT_LOADER : opts->model == BF_SIM_JK;
}

/* What makes a unit of that maker's out of the pack that nobody asked for. */
static void default_unit(struct bf_sim_opts *opts)
{
	bool jk = opts->model != BF_SIM_VANMOOF;
	struct bf_sim_opts plain;

	bf_sim_opts_default(&plain);
	if (strcmp(opts->version, plain.version) == 0)
		snprintf(opts->version, sizeof(opts->version), jk ? "15.41" : "1.17");
	if (strcmp(opts->class_name, plain.class_name) == 0)
		snprintf(opts->class_name, sizeof(opts->class_name),
			 jk ? "JK_PB2A16S20P" : "VM13-147");
	if (jk)
		return;
	opts->rate = opts->rate ? opts->rate : 9600;
	opts->window_ms = opts->window_ms ? opts->window_ms : 50;
}

static bool is_chip(enum bf_sim_model model)
{
	return model >= BF_SIM_F103 && model <= BF_SIM_AT32;
}

enum bf_sim_app bf_sim_opts_app(const struct bf_sim_opts *opts)
{
	if (opts->app)
		return opts->app;
	return opts->protocol == BF_SIM_STM32 ? BF_SIM_APP_UDS : BF_SIM_APP_NONE;
}

bool bf_sim_opts_smp(const struct bf_sim_opts *opts, bool firmware)
{
	return opts->protocol == BF_SIM_SMP &&
	       (opts->model == BF_SIM_SMP_BOTH ||
		opts->model == (firmware ? BF_SIM_SMP_APP : BF_SIM_SMP_RECOVERY));
}

bool bf_sim_opts_held(const struct bf_sim_opts *opts, unsigned starts)
{
	enum bf_sim_entry entry = opts->entry;

	if (!entry)
		entry = opts->model == BF_SIM_SMP_RECOVERY ? BF_SIM_ENTRY_ONCE : BF_SIM_ENTRY_NEVER;
	return bf_sim_opts_smp(opts, false) &&
	       (entry == BF_SIM_ENTRY_ALWAYS || (entry == BF_SIM_ENTRY_ONCE && !starts));
}

enum bf_sim_boot0 bf_sim_opts_boot0(const struct bf_sim_opts *opts)
{
	if (opts->boot0)
		return opts->boot0;
	return opts->lines || opts->protocol != BF_SIM_STM32 ? BF_SIM_BOOT0_LOW : BF_SIM_BOOT0_HAND;
}

/* "BX16-000001" is followed by "BX16-000002"; what ends in no digit gets a number. */
static void nth_serial(char *serial, size_t cap, unsigned k)
{
	size_t len = strlen(serial), first = len;
	char number[24];

	while (first && len - first < 9 && serial[first - 1] >= '0' && serial[first - 1] <= '9')
		first--;
	if (first < len)
		snprintf(number, sizeof(number), "%0*lu", (int)(len - first),
			 strtoul(serial + first, NULL, 10) + k - 1);
	else
		snprintf(number, sizeof(number), "-%u", k);
	if (len && first + strlen(number) < cap)
		memcpy(serial + first, number, strlen(number) + 1);
}

static bool is_one(uint8_t chosen, unsigned usual, unsigned packs, unsigned k)
{
	return k == (chosen == BY_COUNT ? packs >= LONG_STRING ? usual : 0 : chosen);
}

void bf_sim_opts_of_string(const struct bf_sim_opts *string, unsigned k, struct bf_sim_opts *ret)
{
	struct bf_sim_opts plain;
	size_t n = strlen(string->state);

	*ret = *string;
	if (!string->packs)
		return;
	bf_sim_opts_default(&plain);
	ret->node = (uint8_t)k;
	ret->seed += k - 1;
	nth_serial(ret->serial, sizeof(ret->serial), k);
	if (k % 3 == 0 && strcmp(ret->version, plain.version) == 0)
		snprintf(ret->version, sizeof(ret->version), "1.4.0");
	if (n)
		snprintf(ret->state + n, sizeof(ret->state) - n, ".%u", k);
	if (is_one(string->dead, DEAD_ONE, string->packs, k))
		ret->poweron_ms = UINT32_MAX;
	if (is_one(string->locked, LOCKED_ONE, string->packs, k))
		ret->auth = 0x29;
}

/* Nodes have addresses where UDS is spoken on a serial line. */
static enum bf_rc settle_string(struct bf_sim_opts *o, struct bf_err *err)
{
	if (o->protocol != BF_SIM_UDS || o->link == BF_SIM_USB)
		return bf_fail(err, BF_E_USAGE,
			       "a string of virtual packs (packs=) speaks uds on a serial line");
	if (strlen(o->state) + 4 >= sizeof(o->state))
		return bf_fail(err, BF_E_USAGE, "the name of the state file is too long");
	o->link = BF_SIM_RS485;
	return BF_OK;
}

/* The name gd32 is a USB device's, too. */
static enum bf_rc settle_chip(struct bf_sim_opts *o, struct bf_err *err)
{
	if (is_chip(o->model))
		o->protocol = BF_SIM_STM32;
	else if (o->model == BF_SIM_GD32)
		o->model = BF_SIM_ROM_GD32;
	else if (o->model == BF_SIM_OURS)
		o->model = BF_SIM_F103;
	else
		return bf_fail(err, BF_E_USAGE,
			       "protocol=stm32 of the virtual pack wants one of the models "
			       "f103, f407, l476, g0b1, l0, gd32, at32");
	if (o->link == BF_SIM_USB)
		return bf_fail(err, BF_E_USAGE,
			       "over USB the ROM of an STM32 speaks DfuSe: model=st-rom");
	return BF_OK;
}

static enum bf_rc parse_item(char *item, struct bf_sim_opts *o, struct bf_err *err)
{
	char *eq = strchr(item, '='), *when;

	if (eq)
		*eq = '\0';
	when = strchr(item, '@');
	if (when)
		*when++ = '\0';
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		if (strcmp(rows[i].doc.key, item) != 0)
			continue;
		if (eq &&
		    (when ? set_change(&rows[i], when, eq + 1, o) : set_value(&rows[i], eq + 1, o)))
			return BF_OK;
		return bf_fail(err, BF_E_USAGE,
			       "key '%s' of the virtual pack wants %s (%s), not '%s'%s%s", item,
			       rows[i].doc.values, rows[i].doc.help, eq ? eq + 1 : "",
			       when ? " at " : "", when ? when : "");
	}
	return unknown_key(item, err);
}

enum bf_rc bf_sim_opts_parse(const char *text, struct bf_sim_opts *opts, struct bf_err *err)
{
	BF_AUTO_MEM char *copy = strdup(text);
	char *save = NULL;
	enum bf_rc rc = BF_OK;

	if (!copy)
		abort();
	for (char *item = strtok_r(copy, ",", &save); item && !rc;
	     item = strtok_r(NULL, ",", &save))
		rc = parse_item(item, opts, err);
	if (!rc && (opts->protocol == BF_SIM_STM32 || is_chip(opts->model)))
		return settle_chip(opts, err);
	if (bf_sim_model_is_dfu(opts->model) && opts->protocol == BF_SIM_UDS)
		opts->protocol = BF_SIM_DFU;
	/* A K-line is slow, and no other wire. */
	if (opts->model == BF_SIM_KLINE) {
		opts->link = BF_SIM_RS485;
		opts->rate = opts->rate ? opts->rate : 10400;
	}
	if (is_smp_model(opts->model))
		opts->protocol = BF_SIM_SMP;
	else if (opts->protocol == BF_SIM_SMP)
		opts->model = BF_SIM_SMP_BOTH;
	if (opts->swap == BF_SIM_SWAP_SINGLE)
		opts->quirks |= BF_QUIRK_SINGLEBANK;
	if (is_unit(opts->model))
		opts->protocol = BF_SIM_XMODEM;
	else if (opts->protocol == BF_SIM_XMODEM)
		opts->model = BF_SIM_JK;
	if (opts->protocol == BF_SIM_XMODEM) {
		opts->quirks |= BF_QUIRK_SINGLEBANK;
		default_unit(opts);
	}
	/* DFU is a protocol of USB alone, SMP and XMODEM are those of serial lines. */
	if (opts->protocol == BF_SIM_SMP || opts->protocol == BF_SIM_XMODEM)
		opts->link = BF_SIM_RS485;
	else if (opts->protocol != BF_SIM_UDS)
		opts->link = BF_SIM_USB;
	return !rc && opts->packs ? settle_string(opts, err) : rc;
}
