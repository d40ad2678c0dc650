/** Capture files in the classic pcap format, for tshark and for people. Times are made up: a millisecond a packet. */
import { writeFileSync } from 'node:fs';

/** https://www.tcpdump.org/linktypes.html; `raw` begins with an IPv4 or IPv6 header. */
export const LinkType = { ethernet: 1, raw: 101 } as const;
export type LinkType = (typeof LinkType)[keyof typeof LinkType];

const MAGIC = 0xa1b2c3d4;
const SNAPLEN = 262144;

export function writePcap(path: string, packets: readonly Uint8Array[], linkType: LinkType): void {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(MAGIC, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(SNAPLEN, 16);
  header.writeUInt32LE(linkType, 20);
  const records = packets.flatMap((packet, i) => {
    const record = Buffer.alloc(16);
    record.writeUInt32LE(Math.floor(i / 1000), 0);
    record.writeUInt32LE((i % 1000) * 1000, 4);
    record.writeUInt32LE(packet.length, 8);
    record.writeUInt32LE(packet.length, 12);
    return [record, packet];
  });
  writeFileSync(path, Buffer.concat([header, ...records]));
}
