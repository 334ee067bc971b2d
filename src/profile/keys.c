/* SPDX-License-Identifier: MIT */
#include "profile/keys.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct bf_choice framings[] = {
	{ "auto", BF_FRAMING_AUTO },
	{ "iso14230", BF_FRAMING_ISO14230 },
	{ "hdlc", BF_FRAMING_HDLC },
	{ NULL },
};

static const struct bf_choice can_changes[] = {
	{ "alone", BF_CAN_CHANGE_ALONE },
	{ "always", BF_CAN_CHANGE_ALWAYS },
	{ "never", BF_CAN_CHANGE_NEVER },
	{ NULL },
};

static const struct bf_choice telemetries[] = {
	{ "application", BF_TELEMETRY_APPLICATION },
	{ "uds", BF_TELEMETRY_APPLICATION }, /* its name when there was but one family that tells */
	{ "modbus", BF_TELEMETRY_MODBUS },
	{ "can-broadcast", BF_TELEMETRY_CAN_BROADCAST },
	{ "none", BF_TELEMETRY_NONE },
	{ NULL },
};

static const struct bf_choice directions[] = {
	{ "auto", BF_DIRECTION_AUTO },
	{ "kernel", BF_DIRECTION_KERNEL },
	{ "rts", BF_DIRECTION_RTS },
	{ "adapter", BF_DIRECTION_ADAPTER },
	{ NULL },
};

static const struct bf_choice parities[] = {
	{ "none", 'N' },
	{ "even", 'E' },
	{ "odd", 'O' },
	{ NULL },
};

static const struct bf_choice role_parities[] = {
	{ "same", 0 }, { "none", 'N' }, { "even", 'E' }, { "odd", 'O' }, { NULL },
};

static const struct bf_choice entry_hows[] = {
	{ "request", BF_ENTER_REQUEST }, { "lines", BF_ENTER_LINES },
	{ "gpio", BF_ENTER_GPIO },       { "window", BF_ENTER_WINDOW },
	{ "hand", BF_ENTER_HAND },       { "text", BF_ENTER_TEXT },
	{ "there", BF_ENTER_THERE },     { NULL },
};

static const struct bf_choice region_kinds[] = {
	{ "slot", BF_REGION_SLOT },
	{ "app", BF_REGION_APP },
	{ "config", BF_REGION_CONFIG },
	{ "calibration", BF_REGION_CALIBRATION },
	{ "boot", BF_REGION_BOOT },
	{ "other", BF_REGION_OTHER },
	{ NULL },
};

const char *bf_region_kind_name(enum bf_region_kind kind)
{
	for (const struct bf_choice *c = region_kinds; c->name; c++) {
		if (c->value == (int)kind)
			return c->name;
	}
	return "other";
}

static const struct bf_choice address_modes[] = {
	{ "normal", BF_CAN_NORMAL },
	{ "extended", BF_CAN_EXTENDED },
	{ "mixed", BF_CAN_MIXED },
	{ NULL },
};

static const struct bf_choice kline_inits[] = {
	{ "none", BF_KLINE_INIT_NONE },
	{ "fast", BF_KLINE_INIT_FAST },
	{ NULL },
};

static const struct bf_choice polls[] = {
	{ "resend", BF_POLL_RESEND },
	{ "results", BF_POLL_RESULTS },
	{ NULL },
};

static const struct bf_choice step_whens[] = {
	{ "before-programming", BF_STEP_BEFORE_PROGRAMMING },
	{ "unlocked", BF_STEP_UNLOCKED },
	{ "before-block", BF_STEP_BEFORE_BLOCK },
	{ "after-block", BF_STEP_AFTER_BLOCK },
	{ "after-write", BF_STEP_AFTER_WRITE },
	{ "after-restart", BF_STEP_AFTER_RESTART },
	{ NULL },
};

static const struct bf_choice step_tos[] = {
	{ "physical", BF_STEP_PHYSICAL },
	{ "functional", BF_STEP_FUNCTIONAL },
	{ "silent", BF_STEP_SILENT },
	{ NULL },
};

static const struct bf_choice accesses[] = {
	{ "read", BF_ACCESS_READ },
	{ "erase", BF_ACCESS_ERASE },
	{ "write", BF_ACCESS_WRITE },
	{ NULL },
};

const struct bf_choice bf_quantity_kinds[] = {
	{ "pack-voltage", BF_Q_PACK_VOLTAGE },
	{ "current", BF_Q_CURRENT },
	{ "soc", BF_Q_SOC },
	{ "cell-voltage", BF_Q_CELL_VOLTAGE },
	{ "temperature", BF_Q_TEMPERATURE },
	{ "balancing", BF_Q_BALANCING },
	{ NULL },
};
static_assert(BF_COUNT(bf_quantity_kinds) == BF_Q_KIND_COUNT + 1, "a name for every quantity");
static_assert(BF_COUNT(telemetries) == BF_TELEMETRY_COUNT + 2, "a name for every source");
static_assert(BF_COUNT(region_kinds) == BF_REGION_KIND_COUNT + 1, "a name for every kind");

#define PROFILE(member)  BF_SCOPE_PROFILE, BF_IN(bf_profile, member)
#define LIMIT(member)    BF_SCOPE_PROFILE, BF_IN(bf_profile, limits.member)
#define REGION(member)   BF_SCOPE_REGION, BF_IN(bf_region, member)
#define STEP(member)     BF_SCOPE_STEP, BF_IN(bf_step, member)
#define PERIODIC(member) BF_SCOPE_PERIODIC, BF_IN(bf_periodic, member)
#define QUANTITY(member) BF_SCOPE_QUANTITY, BF_IN(bf_quantity_map, member)
#define TEXT(sec, key, m, ...)                                         \
	{                                                              \
		sec, key, BF_VALUE_TEXT, PROFILE(m), 0, 0, __VA_ARGS__ \
	}
#define NUM BF_VALUE_NUMBER
/* What a role has of its own. */
#define ROLE(sec, line)                                                                         \
	{ sec,                                                                                  \
	  "baud",                                                                               \
	  NUM,                                                                                  \
	  PROFILE(line.baud),                                                                   \
	  0,                                                                                    \
	  12000000,                                                                             \
	  "0",                                                                                  \
	  NULL,                                                                                 \
	  "rate of this role on a serial line; 0: as in [rs485]" },                             \
		{ sec,                                                                          \
		  "parity",                                                                     \
		  BF_VALUE_CHOICE,                                                              \
		  PROFILE(line.parity),                                                         \
		  0,                                                                            \
		  0,                                                                            \
		  "same",                                                                       \
		  role_parities,                                                                \
		  "parity bit of this role; same: what its family wants, else as in [rs485]" }, \
		{ sec,                                                                          \
		  "data-bits",                                                                  \
		  NUM,                                                                          \
		  PROFILE(line.data_bits),                                                      \
		  0,                                                                            \
		  8,                                                                            \
		  "0",                                                                          \
		  NULL,                                                                         \
		  "data bits of this role, 5 to 8; 0: as in [rs485]" },                         \
		{ sec,                                                                          \
		  "stop-bits",                                                                  \
		  NUM,                                                                          \
		  PROFILE(line.stop_bits),                                                      \
		  0,                                                                            \
		  2,                                                                            \
		  "0",                                                                          \
		  NULL,                                                                         \
		  "stop bits of this role; 0: as in [rs485]" },                                 \
		{ sec,                                                                          \
		  "node",                                                                       \
		  BF_VALUE_PAD,                                                                 \
		  PROFILE(line.node),                                                           \
		  0,                                                                            \
		  0xFF,                                                                         \
		  "none",                                                                       \
		  NULL,                                                                         \
		  "node address of this role; none: as everywhere" },                           \
		{ sec,                                                                          \
		  "rate",                                                                       \
		  NUM,                                                                          \
		  PROFILE(line.rate),                                                           \
		  0,                                                                            \
		  8000000,                                                                      \
		  "0",                                                                          \
		  NULL,                                                                         \
		  "bit rate of this role on a CAN bus; 0: as it is" },                          \
		{ sec,                                                                          \
		  "request-id",                                                                 \
		  NUM,                                                                          \
		  PROFILE(line.can_tx),                                                         \
		  0,                                                                            \
		  0x1FFFFFFF,                                                                   \
		  "0x0",                                                                        \
		  NULL,                                                                         \
		  "CAN identifier of requests to this role; 0: as in [can]" },                  \
	{                                                                                       \
		sec, "response-id", NUM, PROFILE(line.can_rx), 0, 0x1FFFFFFF, "0x0", NULL,      \
			"CAN identifier of its answers; 0: as in [can]"                         \
	}

/* clang-format off */
static const struct bf_key_row general_rows[] = {
	/* section, key, kind, member, smallest, largest, default, choices, help */
	TEXT("pack", "name", name, "default", NULL, "name of the pack family"),
	TEXT("pack", "description", description, "UDS as in bmsflash-uds(7), and USB DFU", NULL,
	     "one line for people"),
	{ "pack", "protocol", BF_VALUE_WORD, PROFILE(protocol), 0, 0, "", NULL,
	  "bootloader protocol; empty: found by probing" },
	{ "pack", "application", BF_VALUE_WORD, PROFILE(application), 0, 0, "", NULL,
	  "family that the firmware speaks, where it is not that of the bootloader; see JOINED PACKS" },
	{ "pack", "loader", BF_VALUE_WORD, PROFILE(loader), 0, 0, "", NULL,
	  "family that the bootloader speaks, where protocol does not say it" },
	TEXT("pack", "warning", warning, "", NULL, "what to say to the user before anything is written"),
	TEXT("pack", "rescue", rescue, "", NULL,
	     "what to do by hand with a pack that lost its firmware and does not answer any more"),
	TEXT("pack", "rescue-profile", rescue_profile, "", NULL,
	     "the profile, beside this one, by which such a pack is written"),
	{ "pack", "rescue-address", NUM, PROFILE(rescue_address), 0, UINT32_MAX, "0", NULL,
	  "where the firmware lies in such a pack; 0: the image or that profile says so" },
	{ "pack", "restart-ms", NUM, PROFILE(restart_ms), 100, 600000, "30000", NULL,
	  "longest restart, the boot loader's own work (swapping banks) included" },

	ROLE("application", app_line),

	ROLE("loader", loader_line),

	{ "entry", "how", BF_VALUE_ORDER, PROFILE(entry.how), 0, 0, "request, there", entry_hows,
	  "ways into the bootloader of a joined pack; see JOINED PACKS" },
	TEXT("entry", "lines", entry.lines, "", NULL,
	     "what RTS, DTR and break of the serial port do, such as rts=1 dtr=0 wait=100ms dtr=1"),
	TEXT("entry", "lines-leave", entry.lines_leave, "", NULL,
	     "the same for starting the firmware; empty: the bootloader is asked to start it"),
	TEXT("entry", "gpio-chip", entry.gpio_chip, "gpiochip0", NULL,
	     "GPIO chip of this computer, by name or path"),
	TEXT("entry", "gpio-lines", entry.gpio_lines, "", NULL,
	     "its lines by number or name, such as boot=17 reset=27"),
	TEXT("entry", "gpio", entry.gpio, "", NULL,
	     "what they do, such as boot=1 reset=0 wait=100ms reset=1; 1 is high"),
	TEXT("entry", "gpio-leave", entry.gpio_leave, "", NULL,
	     "the same for starting the firmware"),
	TEXT("entry", "hand", entry.hand, "", NULL,
	     "what somebody at the pack has to do, such as hold BOOT0, press reset"),
	TEXT("entry", "hand-leave", entry.hand_leave, "", NULL,
	     "the same for starting the firmware"),
	{ "entry", "hand-limit-s", NUM, PROFILE(entry.hand_limit_s), 1, 3600, "60", NULL,
	  "how long the bootloader is waited for where nobody can press Enter, in seconds" },
	TEXT("entry", "text", entry.text, "", NULL,
	     "text that enters the bootloader, with \\r \\n \\t \\\\ and \\xHH for other bytes"),
	TEXT("entry", "ready", entry.ready, "", NULL,
	     "text or byte that shows that it has; empty: the bootloader is asked"),
	{ "entry", "ready-limit-s", NUM, PROFILE(entry.ready_limit_s), 1, 600, "10", NULL,
	  "how long that, or the first answer of the bootloader, is waited for, in seconds" },
	{ "entry", "window-s", NUM, PROFILE(entry.window_s), 1, 3600, "60", NULL,
	  "how long a pack is asked that is switched off and on, in seconds" },
	{ "entry", "settle-ms", NUM, PROFILE(entry.settle_ms), 0, 10000, "100", NULL,
	  "silence between a way in and the first question to the bootloader, in milliseconds" },

	{ "can", "request-id", NUM, PROFILE(can_tx), 0, 0x1FFFFFFF, "0x7E0", NULL,
	  "identifier of our requests" },
	{ "can", "response-id", NUM, PROFILE(can_rx), 0, 0x1FFFFFFF, "0x7E8", NULL,
	  "identifier of the pack's answers" },
	{ "can", "functional-id", NUM, PROFILE(can_func), 0, 0x1FFFFFFF, "0x7DF", NULL,
	  "identifier of requests to all nodes; functional in [uds] says which requests those are" },
	{ "can", "extended", BF_VALUE_BOOL, PROFILE(can_ext), 0, 0, "no", NULL,
	  "identifiers have 29 bits" },
	{ "can", "addressing", BF_VALUE_CHOICE, PROFILE(can_addressing), 0, 0, "normal", address_modes,
	  "ISO-TP addressing; extended and mixed have an address byte before each frame's own bytes" },
	{ "can", "target-address", NUM, PROFILE(can_target), 0, 0xFF, "0x00", NULL,
	  "that byte in our frames; mixed: in those of the pack, too" },
	{ "can", "source-address", NUM, PROFILE(can_source), 0, 0xFF, "0xF1", NULL,
	  "extended: that byte in the frames of the pack" },
	{ "can", "fc-block-size", NUM, PROFILE(fc_block_size), 0, 0xFF, "0", NULL,
	  "frames that the pack may send between two flow controls of ours; 0: all" },
	{ "can", "fc-stmin", NUM, PROFILE(fc_st_min), 0, 0xF9, "0x00", NULL,
	  "separation time that we ask the pack for, as ISO-TP codes it" },
	{ "can", "tx-stmin", BF_VALUE_PAD, PROFILE(tx_st_min), 0, 0xF9, "none", NULL,
	  "separation time that we keep, in place of what the pack asks for" },
	{ "can", "frame-timeout-ms", NUM, PROFILE(n_cr_ms), 10, 30000, "1000", NULL,
	  "longest gap between two frames of a message of the pack (N_Cr)" },
	{ "can", "loader-request-id", NUM, PROFILE(loader_tx), 0, 0x1FFFFFFF, "0x0", NULL,
	  "identifier of our requests to the bootloader, where that has its own; 0: request-id" },
	{ "can", "loader-response-id", NUM, PROFILE(loader_rx), 0, 0x1FFFFFFF, "0x0", NULL,
	  "identifier of its answers; 0: response-id" },
	{ "can", "loader-rate", NUM, PROFILE(loader_rate), 0, 8000000, "0", NULL,
	  "bit rate of the bootloader; 0: that of the application" },
	{ "can", "fd", BF_VALUE_BOOL, PROFILE(can_fd), 0, 0, "no", NULL, "CAN FD frames" },
	{ "can", "bit-rate-switch", BF_VALUE_BOOL, PROFILE(can_brs), 0, 0, "no", NULL,
	  "CAN FD: data at the data rate" },
	{ "can", "pad", BF_VALUE_PAD, PROFILE(can_pad), 0, 0xFF, "0xCC", NULL,
	  "byte that fills classic frames up to 8 bytes" },
	{ "can", "rates", BF_VALUE_RATES, PROFILE(can_rates), 10000, 8000000,
	  "1000000, 500000, 250000, 125000", NULL, "bit rates worth trying, in bit/s" },
	{ "can", "change-rate", BF_VALUE_CHOICE, PROFILE(can_change), 0, 0, "alone", can_changes,
	  "whether the pack is taken to another bit rate: alone, as long as nobody else is heard on the "
	  "bus" },

	{ "rs485", "node", NUM, PROFILE(node), 0, 0xFF, "0x11", NULL, "node address of the pack" },
	{ "rs485", "tester", NUM, PROFILE(tester), 0, 0xFF, "0xF1", NULL, "our own address" },
	{ "rs485", "framing", BF_VALUE_CHOICE, PROFILE(framing), 0, 0, "auto", framings,
	  "how messages travel; auto: the first that is answered" },
	{ "rs485", "baud", NUM, PROFILE(baud), 300, 12000000, "115200", NULL,
	  "rate at which the pack listens after power-on, in bit/s" },
	{ "rs485", "parity", BF_VALUE_CHOICE, PROFILE(parity), 0, 0, "none", parities,
	  "parity bit" },
	{ "rs485", "stop-bits", NUM, PROFILE(stop_bits), 1, 2, "1", NULL, "stop bits" },
	{ "rs485", "data-bits", NUM, PROFILE(data_bits), 5, 8, "8", NULL, "data bits" },
	{ "rs485", "guard-us", NUM, PROFILE(guard_us), 0, 100000, "0", NULL,
	  "silence kept before our own bytes after the last byte of the pack, in microseconds" },
	{ "rs485", "init", BF_VALUE_CHOICE, PROFILE(kline_init), 0, 0, "none", kline_inits,
	  "iso14230: fast initialisation (25 ms low, 25 ms high) before the first request" },
	{ "rs485", "start-communication", BF_VALUE_BOOL, PROFILE(start_communication), 0, 0, "no", NULL,
	  "iso14230: StartCommunication (81) before the first request" },
	{ "rs485", "byte-gap-us", NUM, PROFILE(byte_gap_us), 0, 20000, "0", NULL,
	  "pause between our own bytes, in microseconds; 5000 on many K-lines" },
	{ "rs485", "direction", BF_VALUE_CHOICE, PROFILE(direction), 0, 0, "auto", directions,
	  "who turns the transceiver round: the kernel (TIOCSRS485), RTS, or the adapter itself; auto: "
	  "the kernel where the port is set up for it, else the adapter" },
	{ "rs485", "rts-active-low", BF_VALUE_BOOL, PROFILE(rts_active_low), 0, 0, "no", NULL,
	  "direction kernel or rts: RTS is low while we send" },
	{ "rs485", "rates", BF_VALUE_RATES, PROFILE(serial_rates), 300, 12000000,
	  "3000000, 2000000, 1000000, 921600, 460800, 230400, 115200", NULL,
	  "rates worth trying, in bit/s" },

	{ "driver", "file", BF_VALUE_PATH, PROFILE(driver.file), 0, 0, "", NULL,
	  "flash driver or secondary bootloader that is loaded before the image, signed as an image is; without a "
	  "leading slash its place is that of the profile" },
	{ "driver", "address", NUM, PROFILE(driver.addr), 0, 0xFFFFFFFF, "0x00000000", NULL,
	  "where it is loaded, if it is a raw binary" },
	{ "driver", "check", BF_VALUE_TEMPLATE, PROFILE(driver.check), 0, 0, "", NULL,
	  "request after its download that checks it" },
	{ "driver", "start", BF_VALUE_TEMPLATE, PROFILE(driver.start), 0, 0, "", NULL,
	  "request that starts it, such as 31 01 03 01 {addr}" },

	{ "wake", "frame", BF_VALUE_HEX, PROFILE(wake.frame), 0, 0, "", NULL,
	  "bytes of a frame that keeps the bootloader from starting the application; on a serial line as they "
	  "are" },
	{ "wake", "id", NUM, PROFILE(wake.id), 0, 0x1FFFFFFF, "0x0", NULL,
	  "its CAN identifier; 0: request-id" },
	{ "wake", "period-ms", NUM, PROFILE(wake.period_ms), 1, 10000, "10", NULL,
	  "time between two of them" },
	{ "wake", "for-ms", NUM, PROFILE(wake.for_ms), 0, 60000, "2000", NULL,
	  "how long they are sent while the bootloader is looked for" },

	{ "image", "container-key-file", BF_VALUE_PATH, PROFILE(container_key), 0, 0, "", NULL,
	  "file with the key of the maker's encrypted image containers: 32 bytes, or 64 hex digits" },
	{ "limits", "soc-min", BF_VALUE_REAL, LIMIT(soc_min), 0, 100, "20", NULL,
	  "lowest state of charge at which flash is written, in percent" },
	{ "limits", "soc-max", BF_VALUE_REAL, LIMIT(soc_max), 0, 100, "80", NULL,
	  "highest state of charge, in percent" },
	{ "limits", "temp-above", BF_VALUE_REAL, LIMIT(temp_above), -60, 150, "0", NULL,
	  "every temperature must be above, in degrees C" },
	{ "limits", "temp-below", BF_VALUE_REAL, LIMIT(temp_below), -60, 150, "45", NULL,
	  "every temperature must be below, in degrees C" },
	{ "limits", "current-max", BF_VALUE_REAL, LIMIT(current_max), 0, 10000, "1.0", NULL,
	  "largest current in either direction, in A" },
	{ "limits", "cell-spread-max", BF_VALUE_REAL, LIMIT(cell_spread_max), 0, 10, "0.1", NULL,
	  "largest difference between two cells, in V" },
	{ "limits", "cell-min", BF_VALUE_REAL, LIMIT(cell_min), 0, 10, "0", NULL,
	  "lowest voltage of a cell, V; with cell-max" },
	{ "limits", "cell-max", BF_VALUE_REAL, LIMIT(cell_max), 0, 10, "0", NULL,
	  "highest voltage of a cell, V; 0: not looked at" },
	{ "limits", "cell-sum", BF_VALUE_REAL, LIMIT(cell_sum), 0, 100, "0", NULL,
	  "largest difference between the sum of the cells and the pack's voltage, V; 0: not looked at" },
	{ "limits", "steady-pack", BF_VALUE_REAL, LIMIT(steady_pack), 0, 1000, "0.05", NULL,
	  "how far the pack voltage may move between two readings, in V" },
	{ "limits", "steady-cell", BF_VALUE_REAL, LIMIT(steady_cell), 0, 10, "0.01", NULL,
	  "how far a cell voltage may move between two readings, in V" },

	{ "telemetry", "source", BF_VALUE_CHOICE, PROFILE(telemetry), 0, 0, "application", telemetries,
	  "where the pack's conditions are read" },
	{ "telemetry", "watch-s", NUM, PROFILE(watch_s), 1, 3600, "10", NULL,
	  "seconds between two readings while flash is written" },
	{ "telemetry", "pause-max-s", NUM, PROFILE(pause_max_s), 0, 86400, "600", NULL,
	  "longest pause in seconds while conditions are outside the limits; 0: no pause" },

	{ "self-test", "required", BF_VALUE_BOOL, PROFILE(self_test_required), 0, 0, "no", NULL,
	  "a pack without its own self-test routine is not flashed" },
	{ "self-test", "cell-percent", BF_VALUE_REAL, LIMIT(self_cell_percent), 0, 100, "0.5", NULL,
	  "how far each cell voltage may be from its reading before the update, in percent" },
	{ "self-test", "temp-min", BF_VALUE_REAL, LIMIT(self_temp_min), -100, 200, "-30", NULL,
	  "lowest plausible reading of a temperature sensor, in degrees C" },
	{ "self-test", "temp-max", BF_VALUE_REAL, LIMIT(self_temp_max), -100, 200, "80", NULL,
	  "highest plausible reading of a temperature sensor, in degrees C" },

	{ "usb", "vid", NUM, PROFILE(usb_vid), 0, 0xFFFF, "0x0000", NULL,
	  "USB vendor; 0: any device with a DFU interface" },
	{ "usb", "pid", NUM, PROFILE(usb_pid), 0, 0xFFFF, "0x0000", NULL, "USB product; 0: any" },
	{ "usb", "loader-vid", NUM, PROFILE(usb_loader_vid), 0, 0xFFFF, "0x0000", NULL,
	  "USB vendor of its boot loader, where that has numbers of its own; 0: as vid" },
	{ "usb", "loader-pid", NUM, PROFILE(usb_loader_pid), 0, 0xFFFF, "0x0000", NULL,
	  "USB product of its boot loader; 0: as pid" },
	TEXT("usb", "vendor", vendor, "", NULL,
	  "whose devices have the numbers vid and pid, as the vendor's domain name in images"),
	TEXT("usb", "class", class_name, "", NULL,
	  "hardware class that has these numbers, as its name in images"),

	{ "region", "kind", BF_VALUE_CHOICE, REGION(kind), 0, 0, "app", region_kinds,
	  "what it holds; boot is never written" },
	{ "region", "slot", NUM, REGION(slot), 0, 3, "0", NULL, "number of the MCUboot slot" },
	{ "region", "address", NUM, REGION(addr), 0, 0xFFFFFFFF, "0", NULL, "first address" },
	{ "region", "size", NUM, REGION(size), 1, BF_REGION_MAX, "1", NULL, "bytes" },
	{ "region", "erase-unit", NUM, REGION(erase_unit), 0, BF_ERASE_UNIT_MAX, "0", NULL,
	  "smallest part that can be erased, in bytes; 0: unknown" },
	{ "region", "write-unit", NUM, REGION(write_unit), 0, 65536, "0", NULL,
	  "smallest part that can be written, in bytes; 0: unknown" },
	{ "region", "access", BF_VALUE_FLAGS, REGION(access), 0, 0, "read, erase, write", accesses,
	  "what the boot loader lets us do" },
	{ "region", "block", NUM, REGION(block), 0, 255, "0", NULL,
	  "UDS: number that the bootloader has for it, {block} of templates" },
	{ "region", "alt", NUM, REGION(alt), 0, 255, "0", NULL,
	  "USB DFU: alternate setting that reaches it" },

	{ "step", "when", BF_VALUE_CHOICE, STEP(when), 0, 0, "before-programming", step_whens,
	  "when it is sent" },
	{ "step", "send", BF_VALUE_TEMPLATE, STEP(send), 0, 0, "", NULL, "the request" },
	{ "step", "expect", BF_VALUE_PATTERN, STEP(expect), 0, 0, "", NULL,
	  "what its answer begins with; empty: any positive answer" },
	{ "step", "busy", BF_VALUE_PATTERN, STEP(busy), 0, 0, "", NULL,
	  "answers that begin so say that it is not yet done" },
	{ "step", "poll", BF_VALUE_CHOICE, STEP(poll), 0, 0, "resend", polls,
	  "how it is asked again then: by the same request, or by 31 03" },
	{ "step", "to", BF_VALUE_CHOICE, STEP(to), 0, 0, "physical", step_tos,
	  "request-id; functional-id, where no answer is needed; or request-id without waiting for an answer" },
	{ "step", "optional", BF_VALUE_BOOL, STEP(optional), 0, 0, "no", NULL,
	  "a refusal, or no answer, is no failure" },
	{ "step", "limit-s", NUM, STEP(limit_s), 0, 3600, "0", NULL,
	  "longest time for its answer in seconds; 0: answer-limit-s" },

	{ "periodic", "id", NUM, PERIODIC(id), 0, 0x1FFFFFFF, "0x0", NULL, "CAN identifier" },
	{ "periodic", "data", BF_VALUE_HEX, PERIODIC(data), 0, 0, "", NULL, "bytes of the frame" },
	{ "periodic", "period-ms", NUM, PERIODIC(period_ms), 10, 60000, "1000", NULL,
	  "time between two of them" },

	{ "quantity", "did", NUM, QUANTITY(did), 0, 0xFFFF, "0", NULL,
	  "data identifier; 0: the pack does not tell" },
	{ "quantity", "register", BF_VALUE_PAD, QUANTITY(modbus_register), 0, 0xFFFF, "none", NULL,
	  "address of the first Modbus register, counted from 0" },
	{ "quantity", "offset", NUM, QUANTITY(offset), 0, 255, "0", NULL,
	  "bytes of the answer before the first element" },
	{ "quantity", "width", NUM, QUANTITY(width), 1, 4, "2", NULL,
	  "bytes of an element, big-endian" },
	{ "quantity", "signed", BF_VALUE_BOOL, QUANTITY(is_signed), 0, 0, "no", NULL,
	  "two's complement" },
	{ "quantity", "count", NUM, QUANTITY(count), 0, 255, "1", NULL,
	  "elements; 0: as many as the answer holds" },
	{ "quantity", "zero-is-absent", BF_VALUE_BOOL, QUANTITY(zero_is_absent), 0, 0, "no", NULL,
	  "an element of value 0 is one that this pack does not have, such as cell 17 of 16" },
	{ "quantity", "scale", BF_VALUE_REAL, QUANTITY(scale), -1e6, 1e6, "1", NULL,
	  "factor from the raw number to the unit" },
	{ "quantity", "add", BF_VALUE_REAL, QUANTITY(add), -1e6, 1e6, "0", NULL,
	  "added after scaling" },
	{ "quantity", "required", BF_VALUE_BOOL, QUANTITY(required), 0, 0, "no", NULL,
	  "a pack that does not tell it is not flashed" },
};
/* clang-format on */

#define BF_SECTION(name) extern const struct bf_profile_section bf_section_##name;
#include "sections.def"
#undef BF_SECTION

#define BF_SECTION(name) &bf_section_##name,
const struct bf_profile_section *const bf_profile_sections[] = {
#include "sections.def"
	NULL,
};
#undef BF_SECTION

const struct bf_key_row *bf_key_row(size_t i, const struct bf_profile_section **ret_section)
{
	*ret_section = NULL;
	if (i < BF_COUNT(general_rows))
		return &general_rows[i];
	i -= BF_COUNT(general_rows);
	for (size_t s = 0; bf_profile_sections[s]; i -= bf_profile_sections[s++]->n_rows) {
		if (i < bf_profile_sections[s]->n_rows) {
			*ret_section = bf_profile_sections[s];
			return &bf_profile_sections[s]->rows[i];
		}
	}
	return NULL;
}

const struct bf_key_row *bf_key_find(const char *section, const char *key, size_t *ret_i,
				     const struct bf_profile_section **ret_section)
{
	const struct bf_key_row *row;

	for (*ret_i = 0; (row = bf_key_row(*ret_i, ret_section)); ++*ret_i) {
		if (strcmp(row->section, section) == 0 && strcmp(row->key, key) == 0)
			return row;
	}
	return NULL;
}

bool bf_key_section_known(const char *section)
{
	const struct bf_profile_section *family;
	const struct bf_key_row *row;

	for (size_t i = 0; (row = bf_key_row(i, &family)); i++) {
		if (strcmp(row->section, section) == 0)
			return true;
	}
	return false;
}

/* One after the other, each on a boundary that suits any member. */
static size_t offset_of(const struct bf_profile_section *section)
{
	const size_t unit = _Alignof(max_align_t);
	size_t at = 0;

	for (size_t s = 0; bf_profile_sections[s] != section; s++)
		at += (bf_profile_sections[s]->size + unit - 1) / unit * unit;
	if (at + section->size > BF_PROFILE_FAMILY_BYTES)
		abort(); /* the number is too small: the tests lay down every default */
	return at;
}

void *bf_key_settings(struct bf_profile *profile, const struct bf_profile_section *section)
{
	return profile->families + offset_of(section);
}

static const struct bf_profile_section *section_of(const char *family)
{
	for (size_t s = 0; bf_profile_sections[s]; s++) {
		if (strcmp(bf_profile_sections[s]->name, family) == 0)
			return bf_profile_sections[s];
	}
	return NULL;
}

void *bf_profile_family_mut(struct bf_profile *profile, const char *family)
{
	const struct bf_profile_section *section = section_of(family);

	return section ? bf_key_settings(profile, section) : NULL;
}

const void *bf_profile_family(const struct bf_profile *profile, const char *family)
{
	const struct bf_profile_section *section = section_of(family);

	return section ? profile->families + offset_of(section) : NULL;
}

const char *bf_profile_seed_program(const struct bf_profile *profile)
{
	for (size_t s = 0; bf_profile_sections[s]; s++) {
		const struct bf_profile_section *f = bf_profile_sections[s];
		const char *program =
			f->seed_program ? f->seed_program(profile->families + offset_of(f)) : NULL;

		if (program)
			return program;
	}
	return NULL;
}

bool bf_profile_shows_firmware(const struct bf_profile *profile, const char *family)
{
	const struct bf_profile_section *f = section_of(family);

	return !f || !f->shows_firmware || f->shows_firmware(profile->families + offset_of(f));
}

bool bf_profile_key(size_t i, struct bf_profile_key *ret)
{
	const struct bf_profile_section *family;
	const struct bf_key_row *row = bf_key_row(i, &family);

	if (!row)
		return false;
	*ret = (struct bf_profile_key){
		.section = row->section,
		.key = row->key,
		.def = row->def,
		.help = row->help,
	};
	bf_key_allowed(row, ret->allowed, sizeof(ret->allowed));
	return true;
}
