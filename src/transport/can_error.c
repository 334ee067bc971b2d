/* SPDX-License-Identifier: MIT */
/*
 * Error frames (linux/can/error.h) to causes. A controller sends them to us in the place of data:
 *
 *	can_id    class bits, CAN_ERR_FLAG set
 *	data[0]   bit where arbitration was lost
 *	data[1]   controller: overflow, warning, passive, active again
 *	data[2]   protocol violation, data[3] its place in the frame
 *	data[4]   transceiver: which wire
 *	data[6]   transmit error counter, data[7] receive error counter (class CAN_ERR_CNT)
 */
#include "can_priv.h"

#include <stdio.h>
#include <string.h>

#include <linux/can.h>
#include <linux/can/error.h>

/*
 * One unacknowledged frame is repeated by the controller every few hundred microseconds, and a node
 * that restarts is deaf for longer than this only when it is alone with us; then nothing can answer
 * anyway. Shorter runs are noise.
 */
#define NO_ACK_RUN_US BF_MS(100)
/* A pause longer than this ends a run: the frame went through in between. */
#define NO_ACK_GAP_US BF_SEC(1)

struct bit_name {
	uint32_t bit;
	const char *text;
};

static const struct bit_name class_names[] = {
	{ CAN_ERR_TX_TIMEOUT, "transmit time-out" },
	{ CAN_ERR_LOSTARB, "arbitration lost" },
	{ CAN_ERR_CRTL, "controller" },
	{ CAN_ERR_PROT, "protocol violation" },
	{ CAN_ERR_TRX, "transceiver" },
	{ CAN_ERR_ACK, "no acknowledgement" },
	{ CAN_ERR_BUSOFF, "bus-off" },
	{ CAN_ERR_BUSERROR, "bus error" },
	{ CAN_ERR_RESTARTED, "restarted" },
};

static const struct bit_name controller_names[] = {
	{ CAN_ERR_CRTL_RX_OVERFLOW, "receive overflow" },
	{ CAN_ERR_CRTL_TX_OVERFLOW, "transmit overflow" },
	{ CAN_ERR_CRTL_RX_WARNING, "receive warning" },
	{ CAN_ERR_CRTL_TX_WARNING, "transmit warning" },
	{ CAN_ERR_CRTL_RX_PASSIVE, "receive passive" },
	{ CAN_ERR_CRTL_TX_PASSIVE, "transmit passive" },
	{ CAN_ERR_CRTL_ACTIVE, "active again" },
};

static const struct bit_name protocol_names[] = {
	{ CAN_ERR_PROT_BIT, "single bit" },
	{ CAN_ERR_PROT_FORM, "frame format" },
	{ CAN_ERR_PROT_STUFF, "bit stuffing" },
	{ CAN_ERR_PROT_BIT0, "dominant bit not seen" },
	{ CAN_ERR_PROT_BIT1, "recessive bit not seen" },
	{ CAN_ERR_PROT_OVERLOAD, "overload" },
	{ CAN_ERR_PROT_TX, "while sending" },
};

static const struct bit_name wire_names[] = {
	/* values, not bits */
	{ CAN_ERR_TRX_CANH_NO_WIRE, "CAN_H is not connected" },
	{ CAN_ERR_TRX_CANH_SHORT_TO_BAT, "CAN_H is shorted to the battery" },
	{ CAN_ERR_TRX_CANH_SHORT_TO_VCC, "CAN_H is shorted to the supply" },
	{ CAN_ERR_TRX_CANH_SHORT_TO_GND, "CAN_H is shorted to ground" },
	{ CAN_ERR_TRX_CANL_NO_WIRE, "CAN_L is not connected" },
	{ CAN_ERR_TRX_CANL_SHORT_TO_BAT, "CAN_L is shorted to the battery" },
	{ CAN_ERR_TRX_CANL_SHORT_TO_VCC, "CAN_L is shorted to the supply" },
	{ CAN_ERR_TRX_CANL_SHORT_TO_GND, "CAN_L is shorted to ground" },
	{ CAN_ERR_TRX_CANL_SHORT_TO_CANH, "CAN_L is shorted to CAN_H" },
};

static void append(char *dst, size_t cap, const char *separator, const char *text)
{
	size_t n = strlen(dst);

	snprintf(dst + n, cap - n, "%s%s", n ? separator : "", text);
}

static void append_bits(char *dst, size_t cap, uint32_t bits, const struct bit_name *names,
			size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (bits & names[i].bit)
			append(dst, cap, ", ", names[i].text);
	}
}

static const char *wire_text(uint8_t fault)
{
	for (size_t i = 0; i < BF_COUNT(wire_names); i++) {
		if (wire_names[i].bit == fault)
			return wire_names[i].text;
	}
	return "unnamed fault";
}

char *bf_can_error_text(char *dst, size_t cap, const struct can_frame *frame)
{
	uint32_t classes = frame->can_id & CAN_ERR_MASK;
	char detail[128] = "";

	dst[0] = '\0';
	append_bits(dst, cap, classes, class_names, BF_COUNT(class_names));
	if (classes & CAN_ERR_CRTL)
		append_bits(detail, sizeof(detail), frame->data[1], controller_names,
			    BF_COUNT(controller_names));
	if (classes & CAN_ERR_PROT)
		append_bits(detail, sizeof(detail), frame->data[2], protocol_names,
			    BF_COUNT(protocol_names));
	if (classes & CAN_ERR_TRX && frame->data[4])
		append(detail, sizeof(detail), ", ", wire_text(frame->data[4]));
	if (detail[0])
		append(dst, cap, ": ", detail);
	return dst;
}

static void note_controller(struct bf_can_health *h, uint8_t bits)
{
	if (bits & CAN_ERR_CRTL_TX_PASSIVE)
		h->tx_passive = true;
	if (bits & (CAN_ERR_CRTL_RX_PASSIVE | CAN_ERR_CRTL_TX_PASSIVE))
		h->state = BF_BUS_PASSIVE;
	else if (bits & (CAN_ERR_CRTL_RX_WARNING | CAN_ERR_CRTL_TX_WARNING))
		h->state = BF_BUS_WARNING;
	else if (bits & CAN_ERR_CRTL_ACTIVE)
		h->state = BF_BUS_ACTIVE;
	if (h->state != BF_BUS_PASSIVE)
		h->tx_passive = false;
}

static enum bf_can_event note_no_ack(struct bf_can_health *h, bf_time now)
{
	if (!h->no_ack || now - h->no_ack_last > NO_ACK_GAP_US) {
		h->no_ack = 0;
		h->no_ack_since = now;
	}
	h->no_ack++;
	h->no_ack_last = now;
	return now - h->no_ack_since >= NO_ACK_RUN_US ? BF_CAN_NO_ACK : BF_CAN_NOTED;
}

/* The acknowledge slot is named in two ways: by its own class, or as the place of a violation. */
static bool is_no_ack(const struct can_frame *frame)
{
	return frame->can_id & CAN_ERR_ACK ||
	       (frame->can_id & CAN_ERR_PROT && frame->data[3] == CAN_ERR_PROT_LOC_ACK);
}

enum bf_can_event bf_can_health_note(struct bf_can_health *h, const struct can_frame *frame,
				     bf_time now)
{
	uint32_t classes = frame->can_id & CAN_ERR_MASK;

	if (classes & CAN_ERR_RESTARTED) {
		*h = (struct bf_can_health){ .state = BF_BUS_ACTIVE };
		return BF_CAN_RESTARTED;
	}
	if (classes & CAN_ERR_CNT) {
		h->counted = true;
		h->tx_errors = frame->data[6];
		h->rx_errors = frame->data[7];
	}
	if (classes & CAN_ERR_CRTL)
		note_controller(h, frame->data[1]);
	if (classes & CAN_ERR_LOSTARB)
		h->lost_arbitration++;
	if (classes & CAN_ERR_TX_TIMEOUT)
		h->tx_timeouts++;
	if (classes & CAN_ERR_TRX)
		h->wire = frame->data[4];
	if (classes & CAN_ERR_BUSOFF) {
		h->state = BF_BUS_OFF;
		return BF_CAN_BUS_OFF;
	}
	if (is_no_ack(frame))
		return note_no_ack(h, now);
	if (classes & CAN_ERR_PROT) {
		h->protocol = frame->data[2];
		h->damaged++;
	}
	return BF_CAN_NOTED;
}

void bf_can_health_heard(struct bf_can_health *h)
{
	/* The controller tells by itself when its state gets better; the counts are ours. */
	enum bf_bus_state state = h->state == BF_BUS_OFF ? BF_BUS_ACTIVE : h->state;

	*h = (struct bf_can_health){ .state = state };
}

static void likely_wiring(struct bf_err *err, uint32_t bitrate)
{
	if (bitrate)
		bf_likely(err, "the bit rate is not the pack's: the interface runs at %u bit/s",
			  bitrate);
	else
		bf_likely(err, "the bit rate is not the pack's");
	bf_likely(err, "CAN_H and CAN_L are swapped, open or shorted");
	bf_likely(err, "termination: with power off measure 60 ohm between CAN_H and CAN_L "
		       "(120: one terminator missing, open: both)");
}

static enum bf_rc explain_bus_off(const char *name, uint32_t bitrate, struct bf_err *err)
{
	bf_fail(err, BF_E_LINK,
		"interface '%s' is bus-off: the controller counted more than 255 transmit errors "
		"and took itself off the bus",
		name);
	likely_wiring(err, bitrate);
	bf_do(err, "repair the wiring or correct the bit rate, then restart the interface");
	bf_next(err, "sudo ip link set %s down && sudo ip link set %s up", name, name);
	return err->rc;
}

static enum bf_rc explain_no_ack(const struct bf_can_health *h, const char *name, uint32_t bitrate,
				 struct bf_err *err)
{
	char tries[64] = "the controller is error-passive";

	if (h->no_ack)
		snprintf(tries, sizeof(tries), "%u attempt%s", h->no_ack,
			 h->no_ack == 1 ? "" : "s");
	bf_fail(err, BF_E_LINK, "no acknowledgement from any node on '%s' (%s)", name, tries);
	bf_likely(err, "the pack is off, asleep, or not connected");
	likely_wiring(err, bitrate);
	bf_do(err, "check in this order: pack power, plug, bit rate, termination");
	bf_next(err, "bmsflash probe --if %s", name);
	return err->rc;
}

static enum bf_rc explain_damage(const struct bf_can_health *h, const char *name, uint32_t bitrate,
				 struct bf_err *err)
{
	char kind[96] = "";

	append_bits(kind, sizeof(kind), h->protocol, protocol_names, BF_COUNT(protocol_names));
	bf_fail(err, BF_E_LINK, "%u damaged frames and no good one on '%s' (last: %s)", h->damaged,
		name, kind[0] ? kind : "unnamed");
	likely_wiring(err, bitrate);
	bf_next(err, "bmsflash probe --if %s --bitrate 250000 # or the rate of the pack", name);
	return err->rc;
}

enum bf_rc bf_can_health_explain(const struct bf_can_health *h, const char *name, uint32_t bitrate,
				 bf_time now, struct bf_err *err)
{
	bool unheard = h->no_ack && now - h->no_ack_last <= NO_ACK_GAP_US;

	if (h->state == BF_BUS_OFF)
		return explain_bus_off(name, bitrate, err);
	if (h->wire) {
		bf_fail(err, BF_E_LINK, "the transceiver of '%s' reports: %s", name,
			wire_text(h->wire));
		bf_do(err, "repair the cable");
		bf_next(err, "bmsflash probe --if %s", name);
		return err->rc;
	}
	if (unheard || h->tx_passive || h->tx_timeouts)
		return explain_no_ack(h, name, bitrate, err);
	if (h->damaged)
		return explain_damage(h, name, bitrate, err);
	return BF_OK;
}
