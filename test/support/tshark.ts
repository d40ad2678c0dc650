/**
 * tshark as an independent reader. A start costs about a second: put many packets into one call. Checksums are
 * verified, names not resolved, nothing reassembled, TCP numbers not made relative: each packet is read as it stands.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LinkType, writePcap } from './pcap.ts';

const OPTIONS = [
  'ip.check_checksum:TRUE',
  'tcp.check_checksum:TRUE',
  'udp.check_checksum:TRUE',
  'ip.defragment:FALSE',
  'ipv6.defragment:FALSE',
  'tcp.desegment_tcp_streams:FALSE',
  'tcp.relative_sequence_numbers:FALSE',
  'tcp.analyze_sequence_numbers:FALSE',
];

/** tshark's value of `*.checksum.status`. */
export const ChecksumStatus = { bad: '0', good: '1', unverified: '2', notPresent: '3' } as const;

/** Of each field its values in a packet, outermost header first; empty when the packet has none. */
export type Dissection<Field extends string> = Readonly<Record<Field, readonly string[]>>;

/**
 * Reads a capture file.
 *
 * @param fields as in `tshark -e`, such as 'ip.src' or 'tcp.checksum.status'
 * @param extra further arguments, such as ['-d', 'udp.port==8472,vxlan']
 * @throws Error with what tshark says, when it cannot read the file or knows no such field
 */
export function readCapture<Field extends string>(
  path: string,
  fields: readonly Field[],
  extra: readonly string[] = [],
): Dissection<Field>[] {
  const options = OPTIONS.flatMap((option) => ['-o', option]);
  const format = ['-T', 'fields', '-E', 'separator=/t', '-E', 'aggregator=;', '-E', 'occurrence=a'];
  const wanted = fields.flatMap((field) => ['-e', field]);
  const output = execFileSync('tshark', ['-n', '-r', path, ...options, ...extra, ...format, ...wanted], {
    encoding: 'utf8',
    stdio: 'pipe',
    maxBuffer: 1 << 28,
  });
  const lines = output.split('\n').slice(0, -1);
  return lines.map((line) => {
    const values = line.split('\t').map((value) => (value === '' ? [] : value.split(';')));
    const named = fields.map((field, i): [Field, string[]] => [field, values[i] ?? []]);
    return Object.fromEntries(named) as unknown as Dissection<Field>;
  });
}

/** Reads packets by way of a temporary file: one result a packet, in order. */
export function dissect<Field extends string>(
  packets: readonly Uint8Array[],
  fields: readonly Field[],
  linkType: LinkType = LinkType.raw,
  extra: readonly string[] = [],
): Dissection<Field>[] {
  const folder = mkdtempSync(join(tmpdir(), 'weft-tshark-'));
  try {
    const path = join(folder, 'packets.pcap');
    writePcap(path, packets, linkType);
    const read = readCapture(path, fields, extra);
    if (read.length !== packets.length)
      throw new Error(`tshark read ${read.length} of ${packets.length} packets`);
    return read;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
