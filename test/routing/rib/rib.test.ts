/** Routes through the RIBs: in, best, out, and away again. */
import { describe, expect, test } from 'vitest';
import { parsePrefix } from '../../../wire/prefix.ts';
import {
  announcing,
  attributesOf,
  Listener,
  newRib,
  path,
  peer,
  takeAll,
  withdrawing,
} from '../../support/rib.ts';

describe('from one peer to another', () => {
  test('a route is announced, replaced and withdrawn', () => {
    const { rib, bestOf } = newRib();
    rib.peerUp(peer(1), 0);
    rib.peerUp(peer(2), 0);
    const heard = new Listener();
    rib.receive('p1', announcing(['10.9.0.0/16', '2001:db8:9::/48'].slice(0, 1), attributesOf(1)));
    heard.hear(takeAll(rib, 'p2'));
    expect(bestOf('10.9.0.0/16')).toEqual(['p1']);
    expect(heard.routes.get('10.9.0.0/16')).toEqual({
      origin: 0,
      asPath: path(64512, 64601),
      nextHop: peer(2).localAddress,
    });
    expect(heard.endsOfRib).toEqual([4, 6]);
    expect(takeAll(rib, 'p1').length).toBe(2); // The ends of RIB only.

    rib.receive('p1', announcing(['10.9.0.0/16'], attributesOf(1, { asPath: path(64601, 7) })));
    heard.hear(takeAll(rib, 'p2'));
    expect(heard.routes.get('10.9.0.0/16')?.asPath).toEqual(path(64512, 64601, 7));

    rib.receive('p1', withdrawing(['10.9.0.0/16']));
    heard.hear(takeAll(rib, 'p2'));
    expect(heard.routes.size).toBe(0);
    expect(bestOf('10.9.0.0/16')).toBeUndefined();
    expect(rib.explain(parsePrefix('10.9.0.0/16'))).toEqual([]);
  });

  test('the better of two takes over, and the other one when it is gone', () => {
    const { rib, bestOf } = newRib();
    for (const n of [1, 2, 3]) rib.peerUp(peer(n), 0);
    const heard = new Listener();
    rib.receive('p1', announcing(['10.9.0.0/16'], attributesOf(1, { asPath: path(64601, 7, 8) })));
    rib.receive('p2', announcing(['10.9.0.0/16'], attributesOf(2)));
    expect(bestOf('10.9.0.0/16')).toEqual(['p2']);
    heard.hear(takeAll(rib, 'p3'));
    expect(heard.routes.get('10.9.0.0/16')?.asPath).toEqual(path(64512, 64602));
    rib.peerDown('p2', 0);
    expect(bestOf('10.9.0.0/16')).toEqual(['p1']);
    heard.hear(takeAll(rib, 'p3'));
    expect(heard.routes.get('10.9.0.0/16')?.asPath).toEqual(path(64512, 64601, 7, 8));
  });
});
