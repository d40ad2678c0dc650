/** A peer as people and programs see it. */
import type { PeerCounts } from '../rib/route.ts';
import type { AgreedView, PeerView } from './bgp.ts';
import type { Family } from './codec/family.ts';
import { MAX_LENGTH } from './codec/message.ts';
import type { Agreement, Speaker } from './negotiate.ts';
import type { Peer } from './peer.ts';
import type { PeerSettings } from './settings.ts';

/** Milliseconds since 1970 at which this thread's clock began. */
const EPOCH = performance.timeOrigin;

export const describePeer = (peer: Peer, counts: PeerCounts, speaker: Speaker, now: number): PeerView => {
  const { session, settings, template, address } = peer;
  const { agreement, ends, counters, lastError } = session;
  const { endpoint } = settings;
  const on = endpoint.kind === 'prefix' ? undefined : endpoint.interface;
  const asn = agreement?.asn ?? (settings.asn === 'external' ? undefined : settings.asn);
  const { received, sent, bytes, malformedUpdates, sessions } = counters;
  return {
    name: peer.name,
    ...(address !== undefined && { address }),
    ...(on !== undefined && { interface: on }),
    dynamic: template !== undefined,
    ...(asn !== undefined && { asn }),
    state: session.state,
    uptimeSeconds: Math.max(0, Math.floor((now - session.since) / 1000)),
    ...(agreement !== undefined && { routerId: agreement.routerId, agreed: agreedView(agreement) }),
    ...(ends !== undefined && { localAddress: ends.local }),
    ...counts,
    messages: { received: { ...received }, sent: { ...sent } },
    bytes: { ...bytes },
    malformedUpdates,
    sessions,
    lastError: lastError === undefined ? null : { text: lastError.text, at: EPOCH + lastError.at },
    notes: notesOf(settings, speaker),
  };
};

const agreedView = (agreement: Agreement): AgreedView => {
  const { families, holdTime, sending, receiving, restart, role } = agreement;
  const { extendedNextHop, routeRefresh, enhancedRefresh } = agreement;
  const having = (all: { readonly 4: unknown; readonly 6: unknown }): Family[] =>
    families.filter((family) => Boolean(all[family]));
  const { longLived = {} } = restart ?? {};
  return {
    families,
    holdTime,
    asBytes: sending.asBytes,
    extendedMessages: sending.maxLength > MAX_LENGTH,
    extendedNextHop,
    routeRefresh,
    enhancedRefresh,
    addPath: { send: having(sending.addPath), receive: having(receiving.addPath) },
    gracefulRestart: restart?.families ?? [],
    longLived: having({ 4: longLived[4], 6: longLived[6] }),
    notifications: restart?.notifications ?? false,
    ...(role !== undefined && { role }),
  };
};

/** What keeps routes from coming or going, and what would let them. */
const notesOf = (settings: PeerSettings, { asn }: Speaker): string[] => {
  const notes: string[] = [];
  const open = (key: string): string =>
    `give the peer '${key}', or set bgp.requirePolicy to false (RFC 8212)`;
  if (settings.asn !== (settings.localAsn ?? asn)) {
    if (settings.import === undefined) notes.push(`no route is accepted: ${open('import')}`);
    if (settings.export === undefined) notes.push(`no route is announced: ${open('export')}`);
  }
  if (settings.shutdown !== undefined)
    notes.push(`shut down: ${settings.shutdown.text || 'by configuration'}`);
  return notes;
};
