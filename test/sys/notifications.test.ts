import { expect, test } from 'vitest';
import {
  addresses,
  links,
  type Notification,
  neighbours,
  nexthops,
  openNotifications,
  openRtnetlink,
  routes,
  rules,
} from '../../sys/rtnetlink.ts';
import { watchReadable } from '../../sys/watch.ts';
import { bytes, ip, makeNamespace } from './support.ts';

const to = (address: string, length: number) => ({ address: bytes(address), length });

function labels(notifications: readonly Notification[]): string[] {
  return notifications.map((n) => (n.subject === 'overrun' ? n.subject : `${n.change} ${n.subject}`));
}

test('every kind of change is told, in order, with what changed', () => {
  const namespace = makeNamespace();
  const rtnetlink = openRtnetlink(namespace);
  rtnetlink.run(links.create('bridge', { name: 'br', up: true }));
  const { index } = rtnetlink.get(links.byName('br'));
  const subjects = ['link', 'address', 'route', 'rule', 'neighbour', 'nexthop'] as const;
  const notifications = openNotifications(subjects, { namespace });
  expect(notifications.drain()).toEqual([]);

  rtnetlink.run(links.change(index, { txQueueLength: 77 }));
  const link = notifications.drain().find((n) => n.subject === 'link');
  expect(link).toMatchObject({ change: 'new', value: { index, name: 'br', txQueueLength: 77 } });

  rtnetlink.run(addresses.add({ index, address: bytes('10.1.0.1'), prefixLength: 24 }));
  const added = notifications.drain();
  expect(labels(added)).toEqual(expect.arrayContaining(['new address', 'new route']));
  expect(added.find((n) => n.subject === 'address')).toMatchObject({
    value: { index, address: bytes('10.1.0.1'), prefixLength: 24 },
  });

  // By iproute2, to hear of what others do.
  ip(namespace, 'route', 'add', '10.9.0.0/16', 'via', '10.1.0.2', 'proto', 'bgp');
  expect(notifications.drain()).toMatchObject([
    {
      subject: 'route',
      change: 'new',
      value: { destination: to('10.9.0.0', 16), gateway: bytes('10.1.0.2'), index, protocol: 186 },
    },
  ]);
  rtnetlink.run(routes.remove({ destination: to('10.9.0.0', 16) }));
  expect(labels(notifications.drain())).toEqual(['deleted route']);

  rtnetlink.run(rules.add({ family: 6, priority: 5, table: 100 }));
  expect(notifications.drain()).toMatchObject([
    { subject: 'rule', value: { family: 6, priority: 5, table: 100 } },
  ]);
  const linkAddress = Uint8Array.of(2, 0, 0, 0, 0, 2);
  rtnetlink.run(neighbours.replace({ index, address: bytes('10.1.0.2'), linkAddress }));
  expect(notifications.drain()).toMatchObject([
    { subject: 'neighbour', value: { address: bytes('10.1.0.2'), linkAddress } },
  ]);
  rtnetlink.run(nexthops.replace({ id: 7, blackhole: true, family: 4 }));
  expect(notifications.drain()).toMatchObject([{ subject: 'nexthop', change: 'new', value: { id: 7 } }]);

  rtnetlink.run(links.remove(index));
  expect(labels(notifications.drain())).toEqual(expect.arrayContaining(['deleted link', 'deleted address']));
  notifications.close();
  rtnetlink.close();
});

test('only the subjects asked for are told', () => {
  const namespace = makeNamespace();
  const rtnetlink = openRtnetlink(namespace);
  const notifications = openNotifications(['rule'], { namespace });
  rtnetlink.run(
    links.create('bridge', { name: 'br' }),
    rules.add({ family: 4, priority: 5, table: 100 }),
    rules.remove({ family: 4, priority: 5, table: 100 }),
  );
  expect(labels(notifications.drain())).toEqual(['new rule', 'deleted rule']);
  notifications.close();
  rtnetlink.close();
});

test('routes of a protocol that is not wanted are kept back, and nothing else', () => {
  const namespace = makeNamespace();
  const rtnetlink = openRtnetlink(namespace);
  const notifications = openNotifications(['link', 'route'], { namespace, exceptRoutesOf: 87 });
  const route = (third: number, protocol: number) =>
    routes.add({ destination: to(`10.0.${third}.0`, 24), index: 1, protocol });
  rtnetlink.run(...Array.from({ length: 256 }, (_, i) => route(i, 87)));
  expect(notifications.drain()).toEqual([]);
  rtnetlink.run(routes.remove({ destination: to('10.0.7.0', 24) }), route(7, 186));
  expect(notifications.drain()).toMatchObject([
    { subject: 'route', change: 'new', value: { destination: to('10.0.7.0', 24), protocol: 186 } },
  ]);
  rtnetlink.run(links.create('bridge', { name: 'br' }), routes.remove({ destination: to('10.0.7.0', 24) }));
  expect(labels(notifications.drain())).toEqual(expect.arrayContaining(['new link', 'deleted route']));
  notifications.close();
  rtnetlink.close();
});

test('the event loop is woken by a change', async () => {
  const namespace = makeNamespace();
  const rtnetlink = openRtnetlink(namespace);
  const notifications = openNotifications(['link'], { namespace });
  const heard = new Promise<readonly Notification[]>((resolve) => {
    const watch = watchReadable(notifications.fd, () => {
      watch.close();
      resolve(notifications.drain());
    });
  });
  rtnetlink.run(links.create('bridge', { name: 'br' }));
  expect(labels(await heard)).toContain('new link');
  notifications.close();
  rtnetlink.close();
});

test('what is lost is told as an overrun, after which telling goes on', () => {
  const namespace = makeNamespace();
  const rtnetlink = openRtnetlink(namespace);
  const notifications = openNotifications(['route'], { namespace });
  const requests = Array.from({ length: 8000 }, (_, i) =>
    routes.add({ destination: { address: Uint8Array.of(10, i >> 8, i & 255, 0), length: 24 }, index: 1 }),
  );
  rtnetlink.run(...requests);
  const first = notifications.drain();
  expect(first.some((n) => n.subject === 'overrun')).toBe(true);
  expect(first.length).toBeLessThan(8000);
  rtnetlink.run(routes.remove({ destination: to('10.0.0.0', 24) }));
  expect(labels(notifications.drain())).toEqual(['deleted route']);
  notifications.close();
  rtnetlink.close();
});
