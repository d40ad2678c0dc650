/** What tshark has to say of the BGP messages in a capture. */
import type { Capture } from '../support/capture.ts';

export const [OPEN, UPDATE, NOTIFICATION, KEEPALIVE, ROUTE_REFRESH] = [1, 2, 3, 4, 5];

/** Of an expert's remark, as in Wireshark's epan/proto.h: PI_WARN. */
const WARNING = 0x600000;
/** Remarks about TCP, as connections end that way: none is about a message. */
const ABOUT_TCP =
  /^Connection (reset|finish|establish)|^This frame is a|^Duplicate ACK|^D-SACK|^Previous segment|^ACKed segment/;

/** tshark 4.0 does not know RFC 8654, and stops at such a length. */
const EXTENDED = /^Length is invalid (\d+)$/;
const isExtended = (text: string): boolean => Number(EXTENDED.exec(text)?.[1] ?? 0) > 4096;

/** Whole messages, put together from segments; checksums are left to the (virtual) hardware. */
const WHOLE = [
  'tcp.desegment_tcp_streams:TRUE',
  'tcp.analyze_sequence_numbers:TRUE',
  'tcp.check_checksum:FALSE',
].flatMap((one) => ['-o', one]);

export function readMessages(capture: Capture, sender: string) {
  const fields = [
    'bgp.type',
    '_ws.expert.severity',
    '_ws.expert.message',
    '_ws.malformed',
    'frame.number',
  ] as const;
  const frames = capture.read(fields, [...WHOLE, '-Y', `eth.src == ${sender} && bgp`]);
  const complaints = frames.flatMap((frame) => {
    const {
      '_ws.expert.severity': severities,
      '_ws.expert.message': texts,
      '_ws.malformed': malformed,
    } = frame;
    if (texts.some(isExtended)) return [];
    const remarks = texts.filter((text, i) => Number(severities[i]) >= WARNING && !ABOUT_TCP.test(text));
    return [...remarks, ...malformed].map((text) => `frame ${frame['frame.number']}: ${text}`);
  });
  const messages = frames.flatMap((frame) => [
    ...frame['bgp.type'].map(Number),
    ...frame['_ws.expert.message'].filter(isExtended).map(() => UPDATE),
  ]);
  return { messages, complaints };
}
