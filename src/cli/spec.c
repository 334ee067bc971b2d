/* SPDX-License-Identifier: MIT */
#include "spec.h"

#include <assert.h>

static const char *const protocol_names[] = {
#define BF_FAMILY(name) #name,
#include "families.def"
#undef BF_FAMILY
	NULL,
};

static const char *const progress_names[] = { "auto", "tty", "plain", "none", NULL };

static const char *const color_names[] = { "auto", "always", "never", NULL };

static const struct bf_command commands[] = {
	{ BF_JOB_PROBE, "probe", "[--if IFACE]",
	  "say what is connected, what it runs and what it can do; changes nothing", false, 0, 0,
	  false },
	{ BF_JOB_BACKUP, "backup", "--if IFACE [-o FILE] | --list",
	  "read everything that can be read into one archive", false, 0, 0, true },
	{ BF_JOB_VERIFY, "verify", "IMAGE... [--if IFACE]",
	  "check files offline; with --if, also against the pack", true, 1, 1000, false },
	{ BF_JOB_FLASH, "flash", "--if IFACE IMAGE...",
	  "put a signed image into the pack, prove that it runs, or go back", true, 1, 4, true },
	{ BF_JOB_ROLLBACK, "rollback", "--if IFACE [--from BACKUP]",
	  "go back to the previous firmware, or restore an archive", false, 0, 0, true },
};

#define SLOT(member) offsetof(struct bf_opts, member)
#define WRITES       (BF_CMD(BF_JOB_FLASH) | BF_CMD(BF_JOB_ROLLBACK))
#define FILES        (BF_CMD(BF_JOB_VERIFY) | BF_CMD(BF_JOB_FLASH))
#define ON_WIRE      (BF_CMD_ALL)

static const struct bf_opt options[] = {
	{ 'i', "if", "IFACE",
	  "interface: can0, ttyUSB0, /dev/..., usb[:VID:PID[:SERIAL]], sim; or several",
	  BF_OPT_LIST, SLOT(ifaces), .complete = BF_COMPLETE_IFACE, .commands = BF_CMD_ALL },
	{ 'p', "protocol", "NAME", "bootloader protocol; default: found by probing", BF_OPT_CHOICE,
	  SLOT(protocol), .choices = protocol_names, .complete = BF_COMPLETE_CHOICES,
	  .commands = ON_WIRE },
	{ 'P', "profile", "NAME|FILE", "pack family profile, see bmsflash-profile(5)", BF_OPT_TEXT,
	  SLOT(profile), .complete = BF_COMPLETE_PROFILE, .commands = ON_WIRE },
	{ 'n', "node", "ADDR",
	  "address of the pack on the bus, or of several, one after another: 1-16,20", BF_OPT_NODES,
	  SLOT(nodes), .min = 0, .max = 0x1FFFFFFF, .commands = ON_WIRE },
	{ 0, "max-failures", "N", "several packs: begin no more after N that failed", BF_OPT_NUMBER,
	  SLOT(max_failures), .min = 1, .max = 10000, .commands = ON_WIRE },
	{ 0, "alt", "NAME|N",
	  "USB alternate setting that takes the firmware; default: the only one", BF_OPT_TEXT,
	  SLOT(alt), .commands = ON_WIRE },
	{ 'k', "key", "FILE|DIR", "trusted public key, PEM or minisign; may be repeated",
	  BF_OPT_LIST, SLOT(keys), .complete = BF_COMPLETE_FILE,
	  .commands = FILES | BF_CMD(BF_JOB_ROLLBACK) },
	{ 0, "auth-key", "FILE", "technician's private Ed25519 key for packs that are locked",
	  BF_OPT_TEXT, SLOT(auth_key), .complete = BF_COMPLETE_FILE, .commands = ON_WIRE },
	{ 0, "addr", "ADDR", "address in the pack of a raw binary", BF_OPT_NUMBER, SLOT(addr),
	  .min = 0, .max = UINT32_MAX, .commands = FILES },
	{ 0, "sig", "FILE", "detached minisign signature; default: IMAGE.minisig", BF_OPT_TEXT,
	  SLOT(sig), .complete = BF_COMPLETE_FILE, .commands = FILES },
	{ 'o', "output", "FILE", "archive to write; default: named by serial number and time",
	  BF_OPT_TEXT, SLOT(output), .complete = BF_COMPLETE_FILE,
	  .commands = BF_CMD(BF_JOB_BACKUP) },
	{ 0, "backup-dir", "DIR", "folder for backups; default: backup in the data folder",
	  BF_OPT_TEXT, SLOT(backup_dir), .complete = BF_COMPLETE_FILE,
	  .commands = WRITES | BF_CMD(BF_JOB_BACKUP) },
	{ 0, "list", NULL,
	  "list what bmsflash knows (probe), or the backups that there are (backup)", BF_OPT_FLAG,
	  SLOT(list), .commands = BF_CMD(BF_JOB_BACKUP) | BF_CMD(BF_JOB_PROBE) },
	{ 0, "keep", "N", "remove older backups of the same pack, made here: N stay", BF_OPT_NUMBER,
	  SLOT(keep), .min = 1, .max = 100000, .commands = BF_CMD(BF_JOB_BACKUP) },
	{ 0, "from", "BACKUP", "archive to restore, as written by backup", BF_OPT_TEXT, SLOT(from),
	  .complete = BF_COMPLETE_FILE, .commands = BF_CMD(BF_JOB_ROLLBACK) },
	{ 0, "baud", "N", "serial rate in bit/s, pinned; default: agreed with the pack",
	  BF_OPT_RATE, SLOT(baud), .min = 300, .max = 20000000, .commands = ON_WIRE },
	{ 0, "bitrate", "N[,DBITRATE]", "set the CAN bit rate, and the CAN FD data bit rate",
	  BF_OPT_RATES, SLOT(bitrate), .min = 5000, .max = 15000000, .commands = ON_WIRE },
	{ 0, "timeout", "DURATION", "give up after this long in all, as in 90s or 5m",
	  BF_OPT_DURATION, SLOT(timeout), .min = 1000, .max = INT64_C(86400000000),
	  .commands = ON_WIRE },
	{ 0, "wait", "DURATION", "wait this long for an interface, a pack or a lock",
	  BF_OPT_DURATION, SLOT(wait), .min = 0, .max = INT64_C(86400000000), .commands = ON_WIRE },
	{ 0, "fallback", "FILE",
	  "a second signed image to go back to, where the pack cannot be read", BF_OPT_TEXT,
	  SLOT(fallback), .complete = BF_COMPLETE_FILE, .commands = BF_CMD(BF_JOB_FLASH) },
	{ 0, "rescue", NULL, "catch the bootloader of a pack that does not boot as power comes on",
	  BF_OPT_FLAG, SLOT(rescue), .commands = BF_CMD(BF_JOB_FLASH) },
	{ 0, "scan", NULL, "ask each address of a serial line, and list the packs that answer",
	  BF_OPT_FLAG, SLOT(scan), .commands = BF_CMD(BF_JOB_PROBE) },
	{ 0, "doctor", NULL,
	  "check this computer's interfaces, and print the command that fixes each problem",
	  BF_OPT_FLAG, SLOT(doctor), .commands = BF_CMD(BF_JOB_PROBE) },
	{ 0, "expect-serial", "TEXT",
	  "refuse a pack with another serial number; -: read it from standard input", BF_OPT_TEXT,
	  SLOT(expect_serial), .commands = ON_WIRE },
	{ 0, "allow", "NAME[,NAME]", "pass one named safety check; each use is recorded",
	  BF_OPT_ALLOW, SLOT(allow), .complete = BF_COMPLETE_CHOICES, .commands = WRITES },
	{ 0, "dry-run", NULL, "do every check, write nothing", BF_OPT_FLAG, SLOT(dry_run),
	  .commands = WRITES },
	{ 'y', "yes", NULL, "answer yes where a pack cannot go back", BF_OPT_FLAG, SLOT(yes),
	  .commands = WRITES },
	{ 0, "color", "WHEN", "auto, always or never; NO_COLOR is respected", BF_OPT_CHOICE,
	  SLOT(color), .choices = color_names, .complete = BF_COMPLETE_CHOICES,
	  .commands = BF_CMD_ALL },
	{ 0, "json", NULL, "NDJSON on standard output, see bmsflash-json(5)", BF_OPT_FLAG,
	  SLOT(json), .commands = BF_CMD_ALL },
	{ 0, "progress", "WHEN", "auto, tty, plain or none", BF_OPT_CHOICE, SLOT(progress),
	  .choices = progress_names, .complete = BF_COMPLETE_CHOICES, .commands = BF_CMD_ALL },
	{ 0, "trace", "FILE", "write all traffic to FILE; candump log format on CAN", BF_OPT_TEXT,
	  SLOT(trace), .complete = BF_COMPLETE_FILE, .commands = ON_WIRE },
	{ 0, "record", "FILE",
	  "append a hash-chained line about this run to FILE; verify alone checks it", BF_OPT_TEXT,
	  SLOT(record), .complete = BF_COMPLETE_FILE, .commands = BF_CMD_ALL },
	{ 0, "report", "FILE", "write what became of each pack, as CSV (.csv) or JUnit (.xml)",
	  BF_OPT_TEXT, SLOT(report), .complete = BF_COMPLETE_FILE, .commands = BF_CMD_ALL },
	{ 0, "on-result", "PROGRAM",
	  "run it after each pack, with the result as JSON on its standard input", BF_OPT_TEXT,
	  SLOT(on_result), .complete = BF_COMPLETE_FILE, .commands = BF_CMD_ALL },
	{ 0, "big", NULL, "end with PASS or FAIL in big letters, as with several packs",
	  BF_OPT_FLAG, SLOT(big), .commands = BF_CMD_ALL },
	{ 'v', "verbose", NULL, "say more; twice: debug lines", BF_OPT_COUNTED, SLOT(verbose),
	  .commands = BF_CMD_ALL },
	{ 'q', "quiet", NULL, "say only results, warnings and errors", BF_OPT_COUNTED, SLOT(quiet),
	  .commands = BF_CMD_ALL },
	{ 'h', "help", NULL, "show this help", BF_OPT_FLAG, SLOT(help), .commands = BF_CMD_ALL },
	{ 'V', "version", NULL, "show the version", BF_OPT_FLAG, SLOT(version),
	  .commands = BF_CMD_ALL },
};

const struct bf_opt *bf_spec_options(size_t *ret_n)
{
	*ret_n = BF_COUNT(options);
	return options;
}

const struct bf_command *bf_spec_commands(size_t *ret_n)
{
	*ret_n = BF_COUNT(commands);
	return commands;
}

const struct bf_command *bf_spec_command(enum bf_job_kind job)
{
	return &commands[job];
}
