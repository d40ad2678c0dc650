/**
 * AS_PATH (RFC 4271 section 4.3) in both widths, and how a path that went through speakers of two-octet numbers is put
 * together again (RFC 6793 section 4.2.3). Confederation segments (RFC 5065) are not spoken: in AS_PATH they are
 * malformed, as RFC 7606 section 7.2 says of segments that are not recognized; in AS4_PATH they are left out.
 */
import type { Reader, Writer } from './bytes.ts';
import { Malformed } from './errors.ts';
import { AS_TRANS } from './open.ts';

export const SegmentType = { set: 1, sequence: 2 } as const;
export type SegmentType = (typeof SegmentType)[keyof typeof SegmentType];
const CONFED_SEQUENCE = 3;
const CONFED_SET = 4;

export interface Segment {
  readonly type: SegmentType;
  /** Nearest first; not empty. */
  readonly asns: readonly number[];
}

/** Empty: made in the own AS. */
export type AsPath = readonly Segment[];

/** As many as one segment can count. */
const SEGMENT_MAX = 255;

/** @param confederation 'skip' leaves such segments out, as AS4_PATH wants it; otherwise they are malformed */
export const readAsPath = (reader: Reader, asBytes: 2 | 4, confederation?: 'skip'): AsPath | Malformed => {
  let path: Segment[] | undefined;
  while (reader.left > 0) {
    const type = reader.u8();
    const count = reader.u8();
    if (count === 0) return new Malformed('a segment without AS numbers');
    if (count * asBytes > reader.left)
      return new Malformed(`a segment of ${count} AS numbers in ${reader.left} bytes`);
    // Of the length that it will have: a list that grows has room to spare, in each of a hundred thousand paths.
    const asns = new Array<number>(count);
    for (let i = 0; i < count; i++) asns[i] = asBytes === 2 ? reader.u16() : reader.u32();
    if (asns.includes(0)) return new Malformed('AS 0 (RFC 7607)');
    if (type === SegmentType.set || type === SegmentType.sequence) {
      if (path === undefined) path = [{ type, asns }];
      else path.push({ type, asns });
    } else if (confederation !== 'skip' || (type !== CONFED_SEQUENCE && type !== CONFED_SET)) {
      return new Malformed(`segment type ${type}`);
    }
  }
  return path ?? [];
};

export const writeAsPath = (writer: Writer, path: AsPath, asBytes: 2 | 4): void => {
  for (const { type, asns } of path) {
    for (let at = 0; at < asns.length; at += SEGMENT_MAX) {
      const end = Math.min(asns.length, at + SEGMENT_MAX);
      writer.u8(type).u8(end - at);
      for (let i = at; i < end; i++) {
        if (asBytes === 4) writer.u32(asns[i]);
        else writer.u16(asns[i] > 0xffff ? AS_TRANS : asns[i]);
      }
    }
  }
};

/** RFC 4271 section 9.1.2.2 a): a set counts as one. */
export const pathLength = (path: AsPath): number =>
  path.reduce((sum, { type, asns }) => sum + (type === SegmentType.set ? 1 : asns.length), 0);

export const pathHasAs = (path: AsPath, asn: number): boolean => path.some(({ asns }) => asns.includes(asn));

/** The AS that the route came from last; undefined when the path is empty or begins with a set. */
export const firstAs = (path: AsPath): number | undefined =>
  path[0]?.type === SegmentType.sequence ? path[0].asns[0] : undefined;

/** The AS that made the route; undefined when the path is empty or ends with a set. */
export const lastAs = (path: AsPath): number | undefined => {
  const last = path.at(-1);
  return last?.type === SegmentType.sequence ? last.asns.at(-1) : undefined;
};

/** Puts the own AS in front (RFC 4271 section 5.1.2 b). */
export const prependAs = (path: AsPath, asn: number, times = 1): AsPath => {
  if (times === 0) return path;
  const asns = new Array<number>(times).fill(asn);
  const [first, ...rest] = path;
  if (first?.type === SegmentType.sequence && first.asns.length + times <= SEGMENT_MAX) {
    return ([{ type: SegmentType.sequence, asns: asns.concat(first.asns) }] as Segment[]).concat(rest);
  }
  return ([{ type: SegmentType.sequence, asns }] as Segment[]).concat(path);
};

/** '64512 64513 {64514 64515}' */
export const formatAsPath = (path: AsPath): string =>
  path.map(({ type, asns }) => (type === SegmentType.set ? `{${asns.join(' ')}}` : asns.join(' '))).join(' ');

export const needsFourOctets = (path: AsPath): boolean =>
  path.some(({ asns }) => asns.some((asn) => asn > 0xffff));

/**
 * The whole path: what AS_PATH has more of in front, then AS4_PATH. When AS4_PATH is the longer one it tells of another
 * path and is not used.
 */
export const mergeAs4Path = (path: AsPath, as4Path: AsPath): AsPath => {
  let lead = pathLength(path) - pathLength(as4Path);
  if (lead < 0) return path;
  const merged: Segment[] = [];
  for (const { type, asns } of path) {
    if (lead === 0) break;
    const taken = type === SegmentType.set ? asns : asns.slice(0, lead);
    lead -= type === SegmentType.set ? 1 : taken.length;
    merged.push({ type, asns: taken });
  }
  const last = merged.at(-1);
  const [first, ...rest] = as4Path;
  const joins =
    last?.type === SegmentType.sequence &&
    first?.type === SegmentType.sequence &&
    last.asns.length + first.asns.length <= SEGMENT_MAX;
  if (!joins) return [...merged, ...as4Path];
  return [...merged.slice(0, -1), { type: last.type, asns: [...last.asns, ...first.asns] }, ...rest];
};
