/** The columns of the matrix: daemons of Debian's packages, what each does not have, and where it differs. */
import { Bird } from './bird.ts';
import type { Feature } from './cells.ts';
import type { Daemon, Place } from './daemon.ts';
import { ExaBgp } from './exabgp.ts';
import { Frr } from './frr.ts';
import { GoBgp } from './gobgp.ts';
import { OpenBgpd } from './openbgpd.ts';
import type { Traits } from './scenario.ts';

export interface Peer {
  readonly name: string;
  /** Debian's package. */
  readonly package: string;
  make(place: Place): Daemon;
  /** What it does not have, and what shows that. */
  readonly lacks: Partial<Record<Feature, string>>;
  readonly traits: Traits;
}

export const PEERS = {
  bird: {
    name: 'BIRD',
    package: 'bird2',
    make: (place) => new Bird(place),
    lacks: {},
    traits: {
      mergesAs4Path: true,
      asksAgain: true,
      answers: true,
      knowsOwnIpv6: true,
      words: { shutdown: /administrative shutdown/i, sendsText: true },
    },
  },
  frr: {
    name: 'FRR',
    package: 'frr',
    make: (place) => new Frr(place),
    lacks: { twoOctet: 'always offers the capability' },
    traits: {
      mergesAs4Path: false,
      asksAgain: true,
      answers: true,
      knowsOwnIpv6: true,
      words: { shutdown: /administrative shutdown/i, sendsText: true },
    },
  },
  gobgp: {
    name: 'GoBGP',
    package: 'gobgpd',
    make: (place) => new GoBgp(place),
    lacks: {
      twoOctet: 'always offers the capability',
      sharedByPeer: 'no forwarding table of its own',
      unnumbered: 'sends no router advertisements',
      extendedMessages: 'not offered',
      role: 'not offered',
      bfd: 'none',
    },
    traits: {
      mergesAs4Path: false,
      asksAgain: false,
      answers: true,
      knowsOwnIpv6: true,
      words: { shutdown: /Subcode":2|maintenance until five/i, sendsText: true },
    },
  },
  openbgpd: {
    name: 'OpenBGPD',
    package: 'openbgpd',
    make: (place) => new OpenBgpd(place),
    lacks: {
      peerRestarts: 'keeps no forwarding state over a restart',
      sharedByPeer: 'one path to a prefix in its table',
      extendedNextHop: 'not offered',
      unnumbered: 'sends no router advertisements',
      extendedMessages: 'not offered',
      bfd: 'none',
    },
    traits: {
      mergesAs4Path: true,
      asksAgain: true,
      answers: false,
      knowsOwnIpv6: false,
      words: { shutdown: /maintenance until five/i, sendsText: true },
    },
  },
  exabgp: {
    name: 'ExaBGP',
    package: 'exabgp',
    make: (place) => new ExaBgp(place),
    lacks: {
      weftRestarts: 'keeps no routes',
      addPath: 'tells nobody what others told it',
      reflectedByPeer: 'tells nobody what others told it',
      sharedByPeer: 'no forwarding table of its own',
      unnumbered: 'sends no router advertisements',
      role: 'not offered',
      refresh: 'ends the session when it is asked',
      notification: 'takes one with words (RFC 9003) for malformed',
      bfd: 'none',
    },
    traits: {
      mergesAs4Path: true,
      asksAgain: true,
      answers: true,
      knowsOwnIpv6: true,
      words: { shutdown: /administrative shutdown/i, sendsText: false },
    },
  },
} as const satisfies Record<string, Peer>;
