/* SPDX-License-Identifier: MIT */
#include "model.h"

#include <string.h>

#include "bmsflash/base.h"

#define HDLC     "[rs485]\nframing = hdlc\n"
#define ISO14230 "[rs485]\nframing = iso14230\n"
#define SMP      "[pack]\nprotocol = smp\n[telemetry]\nsource = none\n"
#define FD       "[can]\nfd = yes\nbit-rate-switch = yes\n"
/* One bank that is read back in a moment: images of two pages fit. */
#define SMALL_APP                                                                             \
	"[region app]\nkind = app\naddress = 0x08010000\nsize = 0x2000\nerase-unit = 0x800\n" \
	"write-unit = 8\n"
#define DFUSE_APP                                                                              \
	"[region app]\nkind = app\naddress = 0x08010000\nsize = 0x10000\nerase-unit = 0x800\n" \
	"write-unit = 8\n"
#define ROM_APP DFUSE_APP "alt = 1\n"
#define F4_APP                                                                                   \
	"[region app]\nkind = app\naddress = 0x08010000\nsize = 0x10000\nerase-unit = 0x10000\n" \
	"write-unit = 8\n"
/* Without a backup one bank has no way back: that needs a permission and is another story. */
#define ONE_BANK_HABITS "nrc24 nohash"
#define HABITS          "nrc24 nohash noread slow busy"
#define STRANGE_HABITS  "nrc24 nrc72 slow busy mute s3strict onedid nojump"
#define NO_HARDWARE     "--allow no-hardware"
#define NO_PROOF        "--allow no-hardware,no-proof"
#define ROM_LOADER                                                                        \
	"[pack]\nprotocol = stm32\n[stm32]\ncan-erase = page\n[region app]\nkind = app\n" \
	"address = 0x08010000\nsize = 0x10000\n"
/* Its firmware speaks UDS, and the lines of the port lead into the ROM and out of it. */
#define ROM_JOINED                                                              \
	"[pack]\napplication = uds\nloader = stm32\n[entry]\nhow = lines\n"     \
	"lines = dtr=1 rts=1 wait=10ms rts=0 wait=10ms\n"                       \
	"lines-leave = dtr=0 rts=1 wait=10ms rts=0\n[region app]\nkind = app\n" \
	"address = 0x08010000\nsize = 0x10000\n"
/* Nothing can be read back, and the pack tells no hardware. */
#define STRANGER "--addr 0x08010000 --allow no-hardware,no-backup,single-bank"

/* An upload goes over what is there. */
#define STRANGER_SINK "--allow no-hardware,no-backup,single-bank"

/* Their profiles say where the application lies. */
#define MAKER "--allow no-hardware,no-backup,single-bank"

static const struct model rows[] = {
	{ .name = "uds-can",
	  .pack = "link=can",
	  .two_banks = true,
	  .confirms = true,
	  .cuts = BY_MESSAGES,
	  .kills = KILLS_FILES,
	  .habits = HABITS,
	  .messages = 20000,
	  .requests = 340,
	  .ops = 12000 },
	{ .name = "uds-canfd",
	  .pack = "link=canfd",
	  .profile = FD,
	  .two_banks = true,
	  .confirms = true,
	  .cuts = BY_MESSAGES,
	  .habits = HABITS,
	  .messages = 4000,
	  .requests = 340,
	  .ops = 12000 },
	{ .name = "uds-hdlc",
	  .pack = "link=rs485",
	  .profile = HDLC,
	  .two_banks = true,
	  .confirms = true,
	  .cuts = BY_ALL,
	  .kills = KILLS_MESSAGES,
	  .habits = HABITS,
	  .messages = 1600,
	  .requests = 400,
	  .ops = 12000 },
	{ .name = "uds-iso14230",
	  .pack = "link=rs485",
	  .profile = ISO14230,
	  .two_banks = true,
	  .confirms = true,
	  .cuts = BY_MESSAGES,
	  .habits = HABITS,
	  .messages = 3000,
	  .requests = 800,
	  .ops = 12000 },
	{ .name = "uds-one-bank-can",
	  .pack = "link=can,quirk=singlebank",
	  .habits = ONE_BANK_HABITS,
	  .messages = 20000,
	  .requests = 340,
	  .ops = 12000 },
	{ .name = "dfu",
	  .pack = "link=usb,protocol=dfu",
	  .words = NO_HARDWARE,
	  .two_banks = true,
	  .cuts = BY_ALL,
	  .kills = KILLS_MESSAGES,
	  .messages = 200,
	  .requests = 200,
	  .ops = 12000 },
	{ .name = "dfuse",
	  .pack = "link=usb,protocol=dfuse",
	  .profile = DFUSE_APP,
	  .words = NO_HARDWARE,
	  .cuts = BY_ALL,
	  .kills = KILLS_MESSAGES,
	  .messages = 400,
	  .requests = 400,
	  .ops = 12000 },
	{ .name = "stm32app",
	  .pack = "link=usb,model=stm32app",
	  .profile = DFUSE_APP,
	  .words = NO_HARDWARE,
	  .cuts = BY_ALL,
	  .kills = KILLS_MESSAGES,
	  .messages = 400,
	  .requests = 400,
	  .ops = 12000 },
	{ .name = "st-rom",
	  .pack = "link=usb,model=st-rom",
	  .profile = ROM_APP,
	  .words = NO_HARDWARE ",foreign-archive", /* its serial number is many others' */
	  .cuts = BY_ALL,
	  .kills = KILLS_MESSAGES,
	  .messages = 600,
	  .requests = 600,
	  .ops = 12000 },
	{ .name = "stm32f4",
	  .pack = "link=usb,model=stm32f4",
	  .profile = F4_APP,
	  .words = NO_HARDWARE,
	  .cuts = BY_ALL,
	  .kills = KILLS_MESSAGES,
	  .messages = 400,
	  .requests = 400,
	  .ops = 12000 },
	/* The ROM loader of a chip, which cannot tell what it started. */
	{ .name = "stm32-uart",
	  .pack = "protocol=stm32,link=rs485,model=f103",
	  .profile = ROM_LOADER,
	  .words = NO_PROOF,
	  .no_news = true,
	  .no_doubles = true,
	  .cuts = BY_ALL,
	  .kills = KILLS_MESSAGES,
	  .messages = 1200,
	  .requests = 1200,
	  .ops = 6000 },
	/* Extended erase, double words, and a checksum command. */
	{ .name = "stm32-uart-g0",
	  .pack = "protocol=stm32,link=rs485,model=g0b1",
	  .profile = ROM_LOADER,
	  .words = NO_PROOF,
	  .no_news = true,
	  .no_doubles = true,
	  .cuts = BY_ALL,
	  .kills = KILLS_MESSAGES,
	  .messages = 1200,
	  .requests = 1200,
	  .ops = 6000 },
	{ .name = "stm32-joined",
	  .pack = "protocol=stm32,link=rs485,model=f103,boot0=low,lines=direct",
	  .profile = ROM_JOINED,
	  .words = NO_HARDWARE, /* where its firmware is gone, its ROM answers alone */
	  .dead_needs_rescue = true,
	  .no_archive = true, /* rollback has no --rescue */
	  .no_doubles = true,
	  .cuts = BY_ALL,
	  .kills = KILLS_MESSAGES,
	  .messages = 1600,
	  .requests = 1600,
	  .ops = 6000 },
	{ .name = "stm32-can",
	  .pack = "protocol=stm32,link=can,model=f407",
	  .profile = ROM_LOADER,
	  .words = NO_PROOF,
	  .no_news = true,
	  .no_doubles = true,
	  .cuts = BY_ALL,
	  .kills = KILLS_MESSAGES,
	  .messages = 9000,
	  .requests = 4500,
	  .ops = 6000 },
	{ .name = "tinyusb",
	  .pack = "link=usb,model=tinyusb",
	  .words = "--allow no-hardware,no-backup,single-bank",
	  .no_archive = true,
	  .cuts = BY_ALL,
	  .kills = KILLS_MESSAGES,
	  .messages = 400,
	  .requests = 400,
	  .ops = 6000 },
	{ .name = "zephyr",
	  .pack = "link=usb,model=zephyr",
	  .words = NO_HARDWARE " --alt image_1",
	  .two_banks = true,
	  .cuts = BY_MESSAGES,
	  .kills = KILLS_MESSAGES,
	  .messages = 800,
	  .requests = 800,
	  .ops = 6000,
	  .waits = "a device that only power starts" },
	{ .name = "uds-nohash",
	  .pack = "link=rs485,quirk=nohash",
	  .profile = HDLC,
	  .two_banks = true,
	  .confirms = true,
	  .cuts = BY_REPLIES },
	{ .name = "uds-one-bank",
	  .pack = "link=rs485,quirk=singlebank",
	  .profile = HDLC SMALL_APP,
	  .cuts = BY_ALL,
	  .kills = KILLS_MESSAGES },
	{ .name = "standard",
	  .pack = "model=standard,link=can",
	  .words = STRANGER,
	  .no_archive = true,
	  .habits = STRANGE_HABITS,
	  .cuts = BY_ALL,
	  .kills = KILLS_MESSAGES,
	  .messages = 20000,
	  .requests = 100,
	  .ops = 6000 },
	{ .name = "standard-rs485",
	  .pack = "model=standard,link=rs485",
	  .profile = HDLC,
	  .words = STRANGER,
	  .no_archive = true,
	  .habits = STRANGE_HABITS,
	  .cuts = BY_MESSAGES,
	  .messages = 1600,
	  .requests = 100,
	  .ops = 6000 },
	{ .name = "standard-read",
	  .pack = "model=standard,link=can,quirk=canread,check=none",
	  .profile = "[region app]\nkind = app\naddress = 0x08010000\nsize = 0x2000\n",
	  .words = NO_HARDWARE,
	  .cuts = BY_MESSAGES },
	{ .name = "zhidou",
	  .pack = "model=zhidou,link=can",
	  .maker = "maker-zhidou",
	  .words = MAKER,
	  .no_archive = true,
	  .cuts = BY_ALL,
	  .kills = KILLS_MESSAGES,
	  .messages = 6600,
	  .requests = 150,
	  .ops = 6000 },
	{ .name = "nxp",
	  .pack = "model=nxp,link=can",
	  .maker = "maker-nxp",
	  .words = MAKER,
	  .no_archive = true,
	  .cuts = BY_ALL,
	  .kills = KILLS_MESSAGES,
	  .messages = 6600,
	  .requests = 150,
	  .ops = 6000 },
	{ .name = "vw",
	  .pack = "model=vw,link=can",
	  .maker = "maker-vw",
	  .words = MAKER,
	  .no_archive = true,
	  .cuts = BY_ALL,
	  .kills = KILLS_MESSAGES },
	{ .name = "volvo",
	  .pack = "model=volvo,link=can",
	  .maker = "maker-volvo",
	  .words = MAKER,
	  .no_archive = true,
	  .cuts = BY_ALL,
	  .kills = KILLS_MESSAGES,
	  .messages = 6600,
	  .requests = 150,
	  .ops = 6000 },
	{ .name = "tesla",
	  .pack = "model=tesla,link=can",
	  .maker = "maker-tesla",
	  .words = MAKER,
	  .no_archive = true,
	  .cuts = BY_ALL,
	  .kills = KILLS_MESSAGES },
	{ .name = "geehy",
	  .pack = "model=geehy,link=can",
	  .maker = "maker-geehy",
	  .words = MAKER,
	  .no_archive = true,
	  .cuts = BY_ALL,
	  .kills = KILLS_MESSAGES },
	/* While new firmware is on its test boot it takes no other image. */
	{ .name = "smp-app",
	  .pack = "link=rs485,protocol=smp,model=both,entry=never",
	  .profile = SMP,
	  .words = "--allow no-hardware,single-bank", /* in recovery, where nothing else starts */
	  .two_banks = true,
	  .confirms = true,
	  .no_self_test = true,
	  .no_archive = true,
	  .cuts = BY_ALL,
	  .kills = KILLS_MESSAGES,
	  .messages = 700,
	  .requests = 110,
	  .ops = 12000 },
	/* The firmware answers, too: only that shows what runs. */
	{ .name = "smp-recovery",
	  .pack = "link=rs485,protocol=smp,model=both",
	  .held = "entry=once",
	  .profile = SMP,
	  .words = STRANGER_SINK,
	  .no_self_test = true,
	  .no_archive = true,
	  .cuts = BY_ALL,
	  .kills = KILLS_MESSAGES,
	  .messages = 700,
	  .requests = 110,
	  .ops = 6000 },
	/* Recovery that writes the second slot; the firmware that it starts answers, and is confirmed. */
	{ .name = "smp-direct",
	  .pack = "link=rs485,protocol=smp,model=both,smp=direct",
	  .held = "entry=once",
	  .profile = SMP,
	  .words = "--allow no-hardware,single-bank",
	  .two_banks = true,
	  .confirms = true,
	  .no_self_test = true,
	  .no_archive = true,
	  .cuts = BY_ALL,
	  .kills = KILLS_MESSAGES,
	  .messages = 700,
	  .requests = 110,
	  .ops = 12000 },
	{ .name = "kline",
	  .pack = "model=kline",
	  .maker = "maker-kline",
	  .words = MAKER,
	  .no_archive = true,
	  .cuts = BY_ALL,
	  .kills = KILLS_MESSAGES },
};
_Static_assert(BF_COUNT(rows) <= MODELS_MAX, "a row of the tallies for each model");

const struct model *model_row(size_t i)
{
	return i < BF_COUNT(rows) ? &rows[i] : NULL;
}

const struct model *model_next(const char *name, size_t *at)
{
	for (; *at < BF_COUNT(rows); ++*at) {
		if (name ? strcmp(rows[*at].name, name) == 0 : !rows[*at].waits)
			return &rows[(*at)++];
	}
	return NULL;
}
