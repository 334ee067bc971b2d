/* SPDX-License-Identifier: MIT */
/* What [modbus] of a profile says: where the registers are, and what is in them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum bf_modbus_table { BF_MODBUS_HOLDING, BF_MODBUS_INPUT };

enum bf_modbus_format {
	BF_MODBUS_TEXT,   /* up to the first NUL */
	BF_MODBUS_BCD,    /* two decimal digits a byte */
	BF_MODBUS_BINARY, /* one number a byte: parts of a version */
	BF_MODBUS_U16,    /* one register: major in the high byte, minor in the low one */
	BF_MODBUS_NUMBER  /* one big number, the high byte first */
};

/* "0x1400 text 15", as read: `bytes` of them from the register on. */
struct bf_modbus_value {
	uint16_t reg;
	enum bf_modbus_format format;
	uint8_t bytes;
};

#define BF_MODBUS_VALUES_MAX 8

struct bf_modbus_profile {
	uint8_t node;
	enum bf_modbus_table table;
	uint32_t timeout_ms;
	bool low_first; /* numbers of two registers: the low half comes first */
	/* Silence before each request; doubled after each that was not answered, up to the larger one. */
	uint32_t turnaround_ms, turnaround_max_ms;
	uint32_t attempts;
	/* As written: bf_modbus_value_parse. "": not told. */
	char model[32], version[32], hardware[32], serial[32], manufacturer[32], alarms[32];
	char version_prefix[24];
	uint32_t alarms_mask;
	int32_t ask;            /* register of the harmless question, -1: the first that is told */
	int32_t enter_register; /* -1: none */
	uint8_t enter_function;
	char enter_values[48]; /* bf_modbus_list_parse */
	bool enter_answer;
	uint32_t enter_quiet_ms;
};

/* False: it is none. "" is none either. */
bool bf_modbus_value_parse(const char *text, struct bf_modbus_value *ret);
/* "0, 0x1234": false when it is none, or too long. */
bool bf_modbus_list_parse(const char *text, uint16_t ret[BF_MODBUS_VALUES_MAX], size_t *ret_n);
