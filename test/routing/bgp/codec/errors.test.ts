/** What an error costs: the session, the routes or the attribute, as RFC 4271 section 6 and RFC 7606 say. */
import { describe, expect, test } from 'vitest';
import { AttributeType, type Coding } from '../../../../routing/bgp/codec/attributes.ts';
import { Writer } from '../../../../routing/bgp/codec/bytes.ts';
import {
  ceaseWith,
  communicationOf,
  decodeMessage,
  encodeMessage,
  INITIAL_CODING,
  messageLength,
} from '../../../../routing/bgp/codec/message.ts';
import { parseAddress } from '../../../../wire/address.ts';
import { formatPrefix } from '../../../../wire/prefix.ts';

const external: Coding = { ...INITIAL_CODING, asBytes: 4 };
const internal: Coding = { ...external, internal: true };

type Raw = readonly [flags: number, type: number, value: readonly number[]];
const origin: Raw = [0x40, 1, [0]];
const asPath: Raw = [0x40, 2, [2, 1, 0, 0, 0xfd, 0xe8]];
const nextHop: Raw = [0x40, 3, [10, 0, 0, 1]];
const localPref: Raw = [0x40, 5, [0, 0, 0, 100]];
const good = [origin, asPath, nextHop];

const message = (type: number, body: Uint8Array | readonly number[]): Uint8Array => {
  const writer = new Writer()
    .bytes(new Uint8Array(16).fill(0xff))
    .u16(19 + body.length)
    .u8(type);
  return writer.bytes(Uint8Array.from(body)).finish();
};
const attribute = ([flags, type, value]: Raw): number[] => [flags, type, value.length, ...value];
/** Announces 10.1.0.0/16 unless other prefixes are given. */
const update = (
  attributes: readonly Raw[],
  nlri: readonly number[] = [16, 10, 1],
  cutLast = 0,
): Uint8Array => {
  const list = attributes.flatMap(attribute);
  if (cutLast > 0) list.splice(-cutLast);
  return message(2, [0, 0, list.length >> 8, list.length & 0xff, ...list, ...nlri]);
};
const read = (bytes: Uint8Array, coding = external) => {
  const result = decodeMessage(bytes, coding);
  if (!result.ok) return { error: [result.error.code, result.error.subcode], data: [...result.error.data] };
  if (result.value.kind !== 'update') return { kind: result.value.kind };
  const { treatAsWithdraw, errors, update: got } = result.value;
  return {
    treatAsWithdraw,
    errors: errors.map(({ reaction, type }) => [reaction, type]),
    nlri: got.nlri.map(({ prefix }) => formatPrefix(prefix)),
    attributes: Object.keys(got.attributes),
  };
};
const replace = (bad: Raw): Raw[] => [...good.filter(([, type]) => type !== bad[1]), bad];

describe('treat-as-withdraw', () => {
  const cases: [string, Raw, Coding?][] = [
    ['ORIGIN of two bytes', [0x40, 1, [0, 0]]],
    ['ORIGIN 3', [0x40, 1, [3]]],
    ['ORIGIN said to be optional', [0xc0, 1, [0]]],
    ['AS_PATH with a segment that overruns', [0x40, 2, [2, 2, 0, 0, 0, 1]]],
    ['AS_PATH with half a segment head', [0x40, 2, [2]]],
    ['AS_PATH with an empty segment', [0x40, 2, [2, 0]]],
    ['AS_PATH with segment type 9', [0x40, 2, [9, 1, 0, 0, 0, 1]]],
    ['AS_PATH with a confederation segment', [0x40, 2, [3, 1, 0, 0, 0, 1]]],
    ['AS_PATH with AS 0', [0x40, 2, [2, 1, 0, 0, 0, 0]]],
    ['NEXT_HOP without bytes', [0x40, 3, []]],
    ['NEXT_HOP of 16 bytes', [0x40, 3, new Array(16).fill(1)]],
    ['MED of three bytes', [0x80, 4, [0, 0, 0]]],
    ['LOCAL_PREF of two bytes', [0x40, 5, [0, 0]], internal],
    ['ORIGINATOR_ID of five bytes', [0x80, 9, [1, 1, 1, 1, 1]], internal],
    ['CLUSTER_LIST without bytes', [0x80, 10, []], internal],
    ['COMMUNITIES without bytes', [0xc0, 8, []]],
    ['COMMUNITIES of five bytes', [0xc0, 8, [1, 2, 3, 4, 5]]],
    ['EXTENDED COMMUNITIES of four bytes', [0xc0, 16, [1, 2, 3, 4]]],
    ['LARGE COMMUNITIES of eight bytes', [0xc0, 32, [1, 2, 3, 4, 5, 6, 7, 8]]],
    ['OTC of two bytes', [0xc0, 35, [0, 1]]],
    ['TUNNEL_ENCAP longer than it is', [0xc0, 23, [0, 8, 0, 9, 1]]],
    ['TUNNEL_ENCAP with a sub-TLV that overruns', [0xc0, 23, [0, 8, 0, 3, 1, 12, 0]]],
    ['TUNNEL_ENCAP that ends in a sub-TLV head', [0xc0, 23, [0, 8, 0, 1, 1]]],
  ];
  for (const [name, bad, coding = external] of cases) {
    test(name, () => {
      const list = coding.internal && bad[1] !== 5 ? [...replace(bad), localPref] : replace(bad);
      const others = list.filter((one) => one !== bad);
      // First, in the middle and last.
      for (const at of [0, 1, others.length]) {
        const order = others.toSpliced(at, 0, bad);
        const got = read(update(order), coding);
        expect(got).toMatchObject({ treatAsWithdraw: true, nlri: ['10.1.0.0/16'] });
        expect(got.errors).toEqual([['treat-as-withdraw', bad[1]]]);
      }
    });
  }

  test('mandatory attributes that are missing', () => {
    for (const missing of good) {
      const got = read(update(good.filter((one) => one !== missing)));
      expect(got.errors).toEqual([['treat-as-withdraw', missing[1]]]);
    }
    expect(read(update(good), internal).errors).toEqual([['treat-as-withdraw', AttributeType.localPref]]);
  });

  test('an attribute that is longer than the list: the prefixes behind it are found all the same', () => {
    const got = read(update([...good, [0xc0, 8, [1, 2, 3, 4]]], [16, 10, 1], 2));
    expect(got).toMatchObject({ treatAsWithdraw: true, nlri: ['10.1.0.0/16'] });
    for (const cut of [5, 6]) {
      expect(read(update([...good, [0xc0, 8, [1, 2, 3, 4]]], [16, 10, 1], cut)).treatAsWithdraw).toBe(true);
    }
  });

  test('no routes to withdraw: the session ends (RFC 7606 section 5.2)', () => {
    expect(read(update([origin, [0xc0, 8, []]], []))).toMatchObject({ error: [3, 1] });
    const unreach: Raw = [0x80, 15, [0, 2, 1, 32, 32, 1, 13, 184]];
    expect(read(update([unreach, [0xc0, 8, []]], []))).toMatchObject({ error: [3, 1] });
  });

  test('the routes are of a family not spoken: nothing to withdraw, and the session stays', () => {
    const flowspec: Raw = [0x80, 14, [0, 1, 133, 0, 0, 3, 1, 8, 10]];
    const got = read(update([flowspec, origin, asPath, [0xc0, 8, []]], []));
    expect(got).toMatchObject({ treatAsWithdraw: true, nlri: [] });
    expect(got.errors).toEqual([
      ['attribute-discard', 14],
      ['treat-as-withdraw', 8],
    ]);
  });

  test('every attribute without a value but ATOMIC_AGGREGATE and AS_PATH costs its routes or itself, never the session', () => {
    const kinds: [type: number, flags: number][] = [
      [1, 0x40],
      [3, 0x40],
      [4, 0x80],
      [5, 0x40],
      [7, 0xc0],
      [8, 0xc0],
      [9, 0x80],
      [10, 0x80],
      [16, 0xc0],
      [17, 0xc0],
      [18, 0xc0],
      [23, 0xc0],
      [32, 0xc0],
      [35, 0xc0],
    ];
    for (const coding of [external, internal, INITIAL_CODING]) {
      for (const [type, flags] of kinds) {
        const got = read(update([...replace([flags, type, []]), localPref]), coding);
        expect(got.error).toBeUndefined();
        expect(got.errors?.some(([, of]) => of === type)).toBe(true);
      }
    }
    expect(read(update(replace([0x40, 2, []]))).errors).toEqual([]);
  });
});

describe('attribute discard', () => {
  const cases: [string, Raw][] = [
    ['ATOMIC_AGGREGATE with a byte', [0x40, 6, [1]]],
    ['AGGREGATOR of six bytes from a new speaker', [0xc0, 7, [0, 1, 1, 1, 1, 1]]],
    ['LOCAL_PREF from outside', localPref],
    ['ORIGINATOR_ID from outside', [0x80, 9, [1]]],
    ['CLUSTER_LIST from outside', [0x80, 10, []]],
    ['AS4_PATH from a new speaker', [0xc0, 17, [2, 1, 0, 0, 0, 1]]],
    ['ORIGIN twice', [0x40, 1, [2]]],
    ['TUNNEL_ENCAP without a tunnel', [0xc0, 23, []]],
    ['TUNNEL_ENCAP without its transitive bit', [0x80, 23, [0, 8, 0, 0]]],
    ['MP_REACH_NLRI of a family not spoken', [0x80, 14, [0, 25, 70, 4, 1, 1, 1, 1, 0]]],
  ];
  for (const [name, bad] of cases) {
    test(name, () => {
      const got = read(update([...good, bad]));
      expect(got).toMatchObject({ treatAsWithdraw: false, attributes: ['origin', 'asPath', 'nextHop'] });
      expect(got.errors).toEqual([['attribute-discard', bad[1]]]);
    });
  }

  test('unknown ones: passed on when transitive, dropped silently when not', () => {
    expect(read(update([...good, [0xc0, 99, [1]]])).attributes).toContain('unknown');
    const got = read(update([...good, [0x80, 99, [1]]]));
    expect(got).toMatchObject({ errors: [], attributes: ['origin', 'asPath', 'nextHop'] });
  });

  test('tunnels of unknown types, unknown sub-TLVs, the same one twice: kept, and sent as they came (RFC 9012 section 13)', () => {
    const tunnels = [0, 99, 0, 4, 200, 0, 1, 7, 0, 8, 0, 10, 9, 1, 1, 9, 1, 2, 6, 2, 1, 1];
    const bytes = update([...good, [0xc0, 23, tunnels]]);
    const result = decodeMessage(bytes, external);
    expect(result).toMatchObject({ ok: true, value: { errors: [], treatAsWithdraw: false } });
    if (!result.ok || result.value.kind !== 'update') return;
    expect(encodeMessage({ kind: 'update', update: result.value.update }, external)).toEqual(bytes);
  });

  test('two bytes of length where one would do, and types at both ends', () => {
    const long = [...good.flatMap(attribute), 0xd0, 8, 0, 4, 0, 1, 0, 2, 0xd0, 255, 0, 0, 0xc0, 0, 0];
    const got = read(message(2, [0, 0, 0, long.length, ...long, 16, 10, 1]));
    expect(got).toMatchObject({ errors: [], treatAsWithdraw: false });
    expect(got.attributes).toEqual(['origin', 'asPath', 'nextHop', 'communities', 'unknown']);
  });

  test('the garbage of a prefix SID passes through as bytes', () => {
    const got = read(update([...good, [0xc0, 40, [1, 0xff, 0xff, 0]]]));
    expect(got).toMatchObject({ errors: [], treatAsWithdraw: false });
  });
});

describe('a session error', () => {
  const cases: [string, Uint8Array, [number, number], number[]?][] = [
    ['a marker that is none', message(4, []).fill(0, 0, 1), [1, 1]],
    ['KEEPALIVE with a body', message(4, [0]), [1, 2], [0, 20]],
    ['UPDATE of 22 bytes', message(2, [0, 0, 0]), [1, 2], [0, 22]],
    ['type 9', message(9, []), [1, 3], [9]],
    ['a withdrawn length that overruns', message(2, [0, 9, 0, 0]), [3, 1]],
    ['an attribute length that overruns', message(2, [0, 0, 0, 9]), [3, 1]],
    ['two lengths that overrun only together', message(2, [0, 3, 16, 10, 1, 0, 1]), [3, 1]],
    ['no room for the second length', message(2, [0, 2, 8, 10]), [3, 1]],
    ['a prefix of length 33', update(good, [33, 1, 1, 1, 1, 1]), [3, 10]],
    ['a prefix cut off', update(good, [24, 10, 1]), [3, 10]],
    ['an unknown well-known attribute', update([...good, [0x40, 99, [7]]]), [3, 2], [0x40, 99, 1, 7]],
    [
      'MP_REACH_NLRI twice',
      update([
        [0x80, 14, [0, 1, 1, 4, 1, 1, 1, 1, 0]],
        [0x80, 14, []],
      ]),
      [3, 1],
    ],
    ['MP_REACH_NLRI without bytes', update([...good, [0x80, 14, []]]), [3, 9]],
    ['MP_REACH_NLRI, next hop of 5 bytes', update([[0x80, 14, [0, 1, 1, 5, 1, 1, 1, 1, 1, 0]]]), [3, 9]],
    [
      'MP_REACH_NLRI, prefix of length 129',
      update([[0x80, 14, [0, 2, 1, 16, ...new Array(17).fill(0), 129]]]),
      [3, 9],
    ],
    ['MP_UNREACH_NLRI of two bytes', update([[0x80, 15, [0, 2]]], []), [3, 9]],
    ['version 3', message(1, [3, 0, 1, 0, 90, 1, 1, 1, 1, 0]), [2, 1], [0, 4]],
    ['AS 0', message(1, [4, 0, 0, 0, 90, 1, 1, 1, 1, 0]), [2, 2]],
    ['BGP identifier 0', message(1, [4, 0, 1, 0, 90, 0, 0, 0, 0, 0]), [2, 3]],
    ['hold time 2', message(1, [4, 0, 1, 0, 2, 1, 1, 1, 1, 0]), [2, 6]],
    ['an optional parameter of type 1', message(1, [4, 0, 1, 0, 90, 1, 1, 1, 1, 2, 1, 0]), [2, 4]],
    ['parameters that overrun', message(1, [4, 0, 1, 0, 90, 1, 1, 1, 1, 9, 2, 0]), [2, 0]],
    ['parameters that fall short', message(1, [4, 0, 1, 0, 90, 1, 1, 1, 1, 0, 2, 0]), [2, 0]],
    ['a parameter without a length', message(1, [4, 0, 1, 0, 90, 1, 1, 1, 1, 1, 2]), [2, 0]],
    ['a capability without a length', message(1, [4, 0, 1, 0, 90, 1, 1, 1, 1, 3, 2, 1, 65]), [2, 0]],
    ['graceful restart of one byte', message(1, [4, 0, 1, 0, 90, 1, 1, 1, 1, 5, 2, 3, 64, 1, 0]), [2, 0]],
    ['ADD-PATH of three bytes', message(1, [4, 0, 1, 0, 90, 1, 1, 1, 1, 7, 2, 5, 69, 3, 0, 1, 1]), [2, 0]],
    ['a capability that overruns', message(1, [4, 0, 1, 0, 90, 1, 1, 1, 1, 4, 2, 2, 65, 4]), [2, 0]],
    ['a capability of a wrong length', message(1, [4, 0, 1, 0, 90, 1, 1, 1, 1, 5, 2, 3, 65, 1, 0]), [2, 0]],
    ['AS 0 in four octets', message(1, [4, 0, 1, 0, 90, 1, 1, 1, 1, 8, 2, 6, 65, 4, 0, 0, 0, 0]), [2, 2]],
    [
      'extended parameters of a wrong length',
      message(1, [4, 0, 1, 0, 90, 1, 1, 1, 1, 255, 255, 0, 9]),
      [2, 0],
    ],
    ['ROUTE-REFRESH of three bytes', message(5, [0, 1, 0]), [7, 1], [...message(5, [0, 1, 0])]],
  ];
  for (const [name, bytes, error, data] of cases) {
    test(name, () => {
      const got = read(bytes);
      expect(got.error).toEqual(error);
      if (data !== undefined) expect(got.data).toEqual(data);
    });
  }

  test('a length over what was agreed is refused before the message is there', () => {
    const head = (length: number, type: number) =>
      message(type, [])
        .fill(length >> 8, 16, 17)
        .fill(length & 0xff, 17, 18);
    expect(messageLength(head(4097, 2), 0, 4096)).toMatchObject({
      ok: false,
      error: { code: 1, subcode: 2 },
    });
    expect(messageLength(head(4097, 2), 0, 65535)).toEqual({ ok: true, value: 4097 });
    expect(messageLength(head(4097, 1), 0, 65535)).toMatchObject({ ok: false });
    expect(messageLength(head(4096, 2).subarray(0, 18), 0, 4096)).toEqual({ ok: true, value: undefined });
  });
});

describe('old speakers (RFC 6793)', () => {
  const old: Coding = INITIAL_CODING;
  const two: Raw = [0x40, 2, [2, 3, 0, 10, 0x5b, 0xa0, 0x5b, 0xa0]];
  const four: Raw = [0xc0, 17, [2, 2, 0, 1, 0, 1, 0, 1, 0, 2]];
  const path = (attributes: readonly Raw[]) => {
    const result = decodeMessage(update(attributes), old);
    return result.ok && result.value.kind === 'update' ? result.value.update.attributes.asPath : result;
  };
  const whole = [{ type: 2, asns: [10, 65537, 65538] }];

  test('AS4_PATH completes AS_PATH, in whatever order they come', () => {
    expect(path([origin, two, nextHop, four])).toEqual(whole);
    expect(path([four, origin, two, nextHop])).toEqual(whole);
  });

  test('AS4_PATH that is longer than AS_PATH is not used', () => {
    const short: Raw = [0x40, 2, [2, 1, 0, 10]];
    expect(path([origin, short, nextHop, four])).toEqual([{ type: 2, asns: [10] }]);
  });

  test('an aggregator of two octets makes AS4_PATH stale', () => {
    const aggregators: Raw[] = [
      [0xc0, 7, [0, 9, 1, 1, 1, 1]],
      [0xc0, 18, [0, 1, 0, 1, 1, 1, 1, 1]],
    ];
    expect(path([origin, two, nextHop, four, ...aggregators])).toEqual([
      { type: 2, asns: [10, 23456, 23456] },
    ]);
  });

  test('a malformed AS4_PATH costs itself only', () => {
    const got = read(update([origin, two, nextHop, [0xc0, 17, [2, 9]]]), old);
    expect(got).toMatchObject({ treatAsWithdraw: false, errors: [['attribute-discard', 17]] });
  });
});

test('3,000 AS numbers in an extended message', () => {
  const coding: Coding = { ...external, maxLength: 65535 };
  const asns = Array.from({ length: 3000 }, (_, i) => 70000 + i);
  const attributes = { origin: 0, asPath: [{ type: 2, asns }], nextHop: parseAddress('10.0.0.1') } as const;
  const prefix = { address: parseAddress('10.1.0.0'), length: 16 };
  const bytes = encodeMessage(
    { kind: 'update', update: { withdrawn: [], attributes, nlri: [{ prefix }] } },
    coding,
  );
  const result = decodeMessage(bytes, coding);
  const path = result.ok && result.value.kind === 'update' ? result.value.update.attributes.asPath : [];
  expect(path?.flatMap((segment) => segment.asns)).toEqual(asns);
  expect(path?.length).toBe(12);
});

test('the shutdown communication: whole, cut between characters, broken, absent', () => {
  expect(communicationOf(ceaseWith(2, 'new kernel at 03:00'))).toBe('new kernel at 03:00');
  expect(communicationOf(ceaseWith(2, 'ü'.repeat(200)))).toBe('ü'.repeat(127));
  expect(communicationOf({ code: 6, subcode: 2, data: Uint8Array.of(9, 65) })).toBeUndefined();
  expect(communicationOf(ceaseWith(2, ''))).toBeUndefined();
});
